/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/query.h"

#include "proto/list.h"
#include "proto/members.h"
#include "proto/query_input.h"
#include "proto/query_params.h"

#include <float.h>

enum { DEFAULT_LIMIT = 10, DEFAULT_GROUP_SIZE = 3 };

/* Every member that any of the bodies has; each form says which of them it takes. */
enum {
    QUERY,
    VECTOR,
    POSITIVE,
    NEGATIVE,
    STRATEGY,
    USING,
    FILTER,
    PARAMS,
    SCORE_THRESHOLD,
    LIMIT,
    OFFSET,
    WITH_VECTOR,
    WITH_VECTORS,
    WITH_PAYLOAD,
    GROUP_BY,
    GROUP_SIZE,
    WITH_LOOKUP,
    LOOKUP_FROM,
    PREFETCH,
    SHARD_KEY,
    N_MEMBERS
};

static const char *const member_names[] = {
    "query",      "vector",      "positive",     "negative",        "strategy",
    "using",      "filter",      "params",       "score_threshold", "limit",
    "offset",     "with_vector", "with_vectors", "with_payload",    "group_by",
    "group_size", "with_lookup", "lookup_from",  "prefetch",        "shard_key"};

#define EVERY                                                                              \
    (HL_MEMBER(FILTER) | HL_MEMBER(PARAMS) | HL_MEMBER(SCORE_THRESHOLD) |                  \
     HL_MEMBER(LIMIT) | HL_MEMBER(WITH_VECTOR) | HL_MEMBER(WITH_VECTORS) |                 \
     HL_MEMBER(WITH_PAYLOAD) | HL_MEMBER(SHARD_KEY))
#define GROUPS (HL_MEMBER(GROUP_BY) | HL_MEMBER(GROUP_SIZE) | HL_MEMBER(WITH_LOOKUP))
#define NEWER                                                                              \
    (HL_MEMBER(QUERY) | HL_MEMBER(USING) | HL_MEMBER(LOOKUP_FROM) | HL_MEMBER(PREFETCH))

static const struct {
    uint64_t takes;
    uint64_t needs;
} forms[] = {
    [HL_FORM_QUERY] = {EVERY | NEWER | HL_MEMBER(OFFSET), 0},
    [HL_FORM_QUERY_GROUPS] = {EVERY | NEWER | GROUPS, HL_MEMBER(GROUP_BY)},
    [HL_FORM_SEARCH] = {EVERY | HL_MEMBER(VECTOR) | HL_MEMBER(OFFSET),
                        HL_MEMBER(VECTOR) | HL_MEMBER(LIMIT)},
    [HL_FORM_SEARCH_GROUPS] = {EVERY | HL_MEMBER(VECTOR) | GROUPS,
                               HL_MEMBER(VECTOR) | HL_MEMBER(LIMIT) | HL_MEMBER(GROUP_BY) |
                                   HL_MEMBER(GROUP_SIZE)},
    [HL_FORM_RECOMMEND] = {EVERY | HL_MEMBER(POSITIVE) | HL_MEMBER(NEGATIVE) |
                               HL_MEMBER(STRATEGY) | HL_MEMBER(USING) |
                               HL_MEMBER(LOOKUP_FROM) | HL_MEMBER(OFFSET),
                           HL_MEMBER(LIMIT)},
    [HL_FORM_RECOMMEND_GROUPS] = {EVERY | HL_MEMBER(POSITIVE) | HL_MEMBER(NEGATIVE) |
                                      HL_MEMBER(STRATEGY) | HL_MEMBER(USING) |
                                      HL_MEMBER(LOOKUP_FROM) | GROUPS,
                                  HL_MEMBER(LIMIT) | HL_MEMBER(GROUP_BY) |
                                      HL_MEMBER(GROUP_SIZE)},
};

struct draft {
    enum hl_query_form form;
    struct hl_query query;
    bool has_with_vector;
};

/* Nobody has more points than that, so what is beyond means all of them. */
static enum hl_code read_count(const struct hl_field *field, uint32_t min,
                               uint32_t *ret_count, struct hl_err *err)
{
    uint64_t count;
    enum hl_code code = hl_field_u64(field, min, UINT64_MAX, &count, err);

    if (code == HL_OK)
        *ret_count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    return code;
}

enum hl_code hl_limit_read(const struct hl_field *field, uint32_t *ret_limit,
                           struct hl_err *err)
{
    return read_count(field, 1, ret_limit, err);
}

static enum hl_code read_threshold(const struct hl_field *field, struct hl_query *query,
                                   struct hl_err *err)
{
    double value;
    enum hl_code code =
        hl_field_double(field, -(double)FLT_MAX, (double)FLT_MAX, &value, err);

    if (code != HL_OK)
        return code;
    query->has_threshold = true;
    query->threshold = (float)value;
    return HL_OK;
}

/* ---- the older search's vector: bare, or `{"name":…,"vector":…}` ---- */

static enum hl_code read_named_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_query *query = self;

    return which == 0 ? hl_text_read(member, &query->using_name, err)
                      : hl_vector_read(member, &query->nearest.vector, err);
}

static enum hl_code read_older_vector(const struct hl_field *field, struct hl_query *query,
                                      struct hl_err *err)
{
    static const char *const names[] = {"name", "vector"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(0) | HL_MEMBER(1), read_named_member};
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(field, &kind, err);

    query->kind = HL_QUERY_NEAREST;
    if (code == HL_OK && kind == HL_TOKEN_OBJECT_BEGIN)
        return hl_members_read(field, &members, query, err);
    return code == HL_OK ? hl_vector_read(field, &query->nearest.vector, err) : code;
}

static enum hl_code read_with_vector(const struct hl_field *member, struct draft *draft,
                                     struct hl_err *err)
{
    if (draft->has_with_vector)
        return hl_field_fail_duplicate(member, err);
    draft->has_with_vector = true;
    return hl_vector_select_read(member, &draft->query.with_vector, err);
}

/* An empty list of prefetches is none. */
static enum hl_code refuse_prefetch(const struct hl_field *member, struct hl_err *err)
{
    struct hl_items items;
    const struct hl_field *item = NULL;
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(member, &kind, err);

    if (code == HL_OK && kind == HL_TOKEN_ARRAY_BEGIN) {
        code = hl_items_begin(member, &items, err);
        if (code == HL_OK)
            code = hl_items_next(&items, &item, err);
        if (code == HL_OK && !item)
            return HL_OK;
    }
    return code == HL_OK ? hl_member_refuse(member, "a query is one search", err) : code;
}

/* An explanation stands beside the points, and elsewhere the contract leaves no room. */
static enum hl_code read_params(const struct hl_field *member, struct draft *draft,
                                struct hl_err *err)
{
    enum hl_code code = hl_query_params_read(member, &draft->query.params, err);

    if (code == HL_OK && draft->query.params.explains && draft->form != HL_FORM_QUERY)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "\"params.explain\" is not supported: this reply has no room beside "
                       "its hits, ask /points/query");
    return code;
}

/* What is searched for. */
static enum hl_code read_what(const struct hl_field *member, size_t which,
                              struct hl_query *query, struct hl_err *err)
{
    switch (which) {
    case QUERY:
        return hl_query_what_read(member, query, err);
    case VECTOR:
        return read_older_vector(member, query, err);
    case POSITIVE:
        return hl_query_inputs_read(member, &query->positive, err);
    case NEGATIVE:
        return hl_query_inputs_read(member, &query->negative, err);
    default:
        return hl_strategy_read(member, &query->strategy, err);
    }
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct draft *draft = self;
    struct hl_query *query = &draft->query;

    if (!(forms[draft->form].takes & HL_MEMBER(which)))
        return hl_field_fail_unknown(member, err);
    switch (which) {
    case USING:
        return hl_text_read(member, &query->using_name, err);
    case FILTER:
        return hl_filter_read(member, &query->filter, err);
    case PARAMS:
        return read_params(member, draft, err);
    case SCORE_THRESHOLD:
        return read_threshold(member, query, err);
    case LIMIT:
        return hl_limit_read(member, &query->limit, err);
    case OFFSET:
        return read_count(member, 0, &query->offset, err);
    case WITH_VECTOR:
    case WITH_VECTORS:
        return read_with_vector(member, draft, err);
    case WITH_PAYLOAD:
        return hl_payload_select_read(member, &query->with_payload, err);
    case GROUP_BY:
        return hl_path_read(member, &query->group_by, err);
    case GROUP_SIZE:
        return hl_limit_read(member, &query->group_size, err);
    case WITH_LOOKUP:
    case LOOKUP_FROM:
        return hl_member_refuse(member, "a query reads one collection", err);
    case PREFETCH:
        return refuse_prefetch(member, err);
    case SHARD_KEY:
        return hl_shard_key_refuse(member, err);
    default:
        return read_what(member, which, query, err);
    }
}

enum hl_code hl_query_read(const struct hl_field *field, enum hl_query_form form,
                           struct hl_query *ret_query, struct hl_err *err)
{
    struct hl_members members = {member_names, N_MEMBERS, forms[form].needs, read_member};
    struct draft draft = {
        .form = form,
        .query = {.limit = DEFAULT_LIMIT,
                  .group_size = DEFAULT_GROUP_SIZE,
                  .is_grouped = (forms[form].needs & HL_MEMBER(GROUP_BY)) != 0}};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK && (form == HL_FORM_RECOMMEND || form == HL_FORM_RECOMMEND_GROUPS)) {
        draft.query.kind = HL_QUERY_RECOMMEND;
        code = hl_recommend_check(field, &draft.query, err);
    }
    if (code == HL_OK)
        *ret_query = draft.query;
    return code;
}

/* ---- batches ---- */

struct batch_draft {
    enum hl_query_form form;
    struct hl_list queries;
};

static enum hl_code add_query(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct batch_draft *draft = self;
    struct hl_query query;
    enum hl_code code = hl_query_read(item, draft->form, &query, err);

    return code == HL_OK ? hl_list_add(&draft->queries, &query, err) : code;
}

static enum hl_code read_searches(const struct hl_field *member, size_t which, void *self,
                                  struct hl_err *err)
{
    (void)which;
    return hl_each_read(member, add_query, self, err);
}

enum hl_code hl_queries_read(const struct hl_field *field, enum hl_query_form form,
                             struct hl_queries *ret_queries, struct hl_err *err)
{
    static const char *const names[] = {"searches"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_searches};
    struct batch_draft draft = {form,
                                hl_list_of(field->tokens->arena, sizeof(struct hl_query))};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK)
        *ret_queries = (struct hl_queries){draft.queries.items, draft.queries.n};
    return code;
}

const struct hl_vector *hl_query_sent(const struct hl_query *query, const char *name)
{
    for (size_t i = 0; i < query->vectors.n; i++)
        if (hl_text_is(&query->vectors.items[i].name, name))
            return &query->vectors.items[i];
    return NULL;
}
