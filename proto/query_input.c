/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/query_input.h"

#include "proto/list.h"
#include "proto/members.h"
#include "proto/model_name.h"

static const struct hl_token an_object = {.kind = HL_TOKEN_OBJECT_BEGIN};

enum hl_code hl_query_input_read(const struct hl_field *field,
                                 struct hl_query_input *ret_input, struct hl_err *err)
{
    struct hl_query_input input = {0};
    struct hl_token next;
    enum hl_code code = hl_tokens_peek(field->tokens, &next, err);

    if (code != HL_OK)
        return code;
    input.is_id =
        next.kind == HL_TOKEN_NUMBER ||
        (next.kind == HL_TOKEN_STRING && hl_id_parse_uuid(next.text, next.len, &input.id));
    if (input.is_id)
        code = hl_id_read(field, &input.id, err);
    else if (next.kind == HL_TOKEN_STRING || next.kind == HL_TOKEN_ARRAY_BEGIN ||
             next.kind == HL_TOKEN_OBJECT_BEGIN)
        code = hl_vector_read(field, &input.vector, err);
    else
        code = hl_field_fail_type(field, "a vector or a point id", &next, err);
    if (code == HL_OK)
        *ret_input = input;
    return code;
}

static enum hl_code add_input(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct hl_list *list = self;
    struct hl_query_input input;
    enum hl_code code = hl_query_input_read(item, &input, err);

    return code == HL_OK ? hl_list_add(list, &input, err) : code;
}

enum hl_code hl_query_inputs_read(const struct hl_field *field,
                                  struct hl_query_inputs *ret_inputs, struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_query_input));
    enum hl_code code = hl_each_read(field, add_input, &list, err);

    if (code == HL_OK)
        *ret_inputs = (struct hl_query_inputs){list.items, list.n};
    return code;
}

enum hl_code hl_strategy_read(const struct hl_field *field, enum hl_strategy *ret_strategy,
                              struct hl_err *err)
{
    static const char *const names[] = {[HL_STRATEGY_AVERAGE] = "average_vector",
                                        [HL_STRATEGY_BEST] = "best_score",
                                        [HL_STRATEGY_SUM] = "sum_scores"};
    size_t which;
    enum hl_code code = hl_field_enum(field, names, 3, &which, err);

    if (code == HL_OK)
        *ret_strategy = (enum hl_strategy)which;
    return code;
}

enum hl_code hl_recommend_check(const struct hl_field *field, const struct hl_query *query,
                                struct hl_err *err)
{
    if (query->strategy == HL_STRATEGY_AVERAGE && query->positive.n == 0)
        return hl_field_fail_value(field, &an_object, "at least one positive example", err);
    if (query->positive.n == 0 && query->negative.n == 0)
        return hl_field_fail_value(field, &an_object,
                                   "at least one positive or negative example", err);
    return HL_OK;
}

/* ---- recommend ---- */

static enum hl_code read_recommend_member(const struct hl_field *member, size_t which,
                                          void *self, struct hl_err *err)
{
    struct hl_query *query = self;

    switch (which) {
    case 0:
        return hl_query_inputs_read(member, &query->positive, err);
    case 1:
        return hl_query_inputs_read(member, &query->negative, err);
    default:
        return hl_strategy_read(member, &query->strategy, err);
    }
}

static enum hl_code read_recommend(const struct hl_field *field, struct hl_query *query,
                                   struct hl_err *err)
{
    static const char *const names[] = {"positive", "negative", "strategy"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0,
                                              read_recommend_member};
    enum hl_code code = hl_members_read(field, &members, query, err);

    query->kind = HL_QUERY_RECOMMEND;
    return code == HL_OK ? hl_recommend_check(field, query, err) : code;
}

/* ---- vectors of several models ---- */

static enum hl_code read_vectors(const struct hl_field *field, struct hl_query *query,
                                 struct hl_err *err)
{
    struct hl_vectors sent = {0};
    struct hl_vector *named;
    struct hl_token next;
    enum hl_code code = hl_tokens_peek(field->tokens, &next, err);

    query->kind = HL_QUERY_NEAREST;
    if (code == HL_OK && next.kind != HL_TOKEN_OBJECT_BEGIN)
        return hl_field_fail_type(field, "an object of vectors by model", &next, err);
    if (code == HL_OK)
        code = hl_vectors_read(field, &sent, err);
    if (code == HL_OK && sent.n == 0)
        return hl_field_fail_value(field, &an_object, "at least one vector", err);
    if (code != HL_OK)
        return code;
    named = hl_arena_array(field->tokens->arena, sent.n, sizeof *named);
    if (!named)
        return hl_arena_fail(field->tokens->arena, err, "%zu vectors", sent.n);
    for (size_t i = 0; i < sent.n; i++) {
        named[i] = sent.items[i];
        named[i].name = hl_model_meant_by(&sent.items[i].name);
        for (size_t j = 0; j < i; j++)
            if (hl_text_compare(&named[i].name, &named[j].name) == 0)
                return hl_field_fail_value(field, &an_object, "one vector of each model",
                                           err);
    }
    query->vectors = (struct hl_vectors){named, sent.n};
    return HL_OK;
}

static enum hl_code read_vectors_member(const struct hl_field *member, size_t which,
                                        void *self, struct hl_err *err)
{
    (void)which;
    return read_vectors(member, self, err);
}

/* Whether the object that comes next has one of the names as its first key. The tokens are
 * a value, and reading on in a copy of them takes nothing from these. */
static enum hl_code begins_with(const struct hl_field *field, const char *const *names,
                                size_t n_names, bool *ret_does, struct hl_err *err)
{
    struct hl_tokens tokens = *field->tokens;
    struct hl_token token;
    enum hl_code code = hl_tokens_next(&tokens, &token, err);

    *ret_does = false;
    if (code == HL_OK && token.kind == HL_TOKEN_OBJECT_BEGIN)
        code = hl_tokens_next(&tokens, &token, err);
    if (code != HL_OK || token.kind != HL_TOKEN_KEY)
        return code;
    for (size_t i = 0; i < n_names && !*ret_does; i++) {
        const struct hl_text key = {token.text, token.len};

        *ret_does = hl_text_is(&key, names[i]);
    }
    return HL_OK;
}

static enum hl_code read_nearest(const struct hl_field *field, struct hl_query *query,
                                 struct hl_err *err)
{
    static const char *const names[] = {"vectors"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_vectors_member};
    bool is_several = false;
    enum hl_code code = begins_with(field, names, 1, &is_several, err);

    query->kind = HL_QUERY_NEAREST;
    if (code == HL_OK && is_several)
        return hl_members_read(field, &members, query, err);
    return code == HL_OK ? hl_query_input_read(field, &query->nearest, err) : code;
}

/* ---- query ---- */

enum {
    NEAREST,
    RECOMMEND,
    VECTORS,
    MMR,
    DISCOVER,
    CONTEXT,
    ORDER_BY,
    FUSION,
    RRF,
    FORMULA,
    SAMPLE,
    RELEVANCE_FEEDBACK,
    N_QUERIES
};

static const char *const query_names[] = {
    "nearest",  "recommend", "vectors", "mmr",     "discover", "context",
    "order_by", "fusion",    "rrf",     "formula", "sample",   "relevance_feedback"};

struct what_draft {
    struct hl_query *query;
    unsigned n_queries;
};

static enum hl_code read_what_member(const struct hl_field *member, size_t which,
                                     void *self, struct hl_err *err)
{
    struct what_draft *draft = self;

    draft->n_queries++;
    switch (which) {
    case NEAREST:
        return read_nearest(member, draft->query, err);
    case VECTORS:
        return read_vectors(member, draft->query, err);
    case RECOMMEND:
        return read_recommend(member, draft->query, err);
    default:
        return hl_member_refuse(
            member,
            "a query is a vector, a point id, \"nearest\", \"recommend\" or \"vectors\"",
            err);
    }
}

enum hl_code hl_query_what_read(const struct hl_field *field, struct hl_query *query,
                                struct hl_err *err)
{
    static const struct hl_members members = {query_names, N_QUERIES, 0, read_what_member};
    struct what_draft draft = {query, 0};
    bool is_object = false;
    enum hl_code code = begins_with(field, query_names, N_QUERIES, &is_object, err);

    if (code != HL_OK)
        return code;
    if (!is_object)
        return read_nearest(field, query, err);
    code = hl_members_read(field, &members, &draft, err);
    if (code == HL_OK && draft.n_queries != 1)
        return hl_field_fail_value(field, &an_object, "one query", err);
    return code;
}
