/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/query_input.h"

#include "proto/list.h"
#include "proto/members.h"

#include <float.h>

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

/* ---- query ---- */

enum {
    NEAREST,
    RECOMMEND,
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
    "nearest", "recommend", "mmr",     "discover", "context",           "order_by",
    "fusion",  "rrf",       "formula", "sample",   "relevance_feedback"};

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
        draft->query->kind = HL_QUERY_NEAREST;
        return hl_query_input_read(member, &draft->query->nearest, err);
    case RECOMMEND:
        return read_recommend(member, draft->query, err);
    default:
        return hl_member_refuse(
            member, "a query is a vector, a point id, \"nearest\" or \"recommend\"", err);
    }
}

/* Whether the object that comes next is one of the queries, by its first key. The tokens
 * are a value, and reading on in a copy of them takes nothing from these. */
static enum hl_code is_query(const struct hl_field *field, bool *ret_is_query,
                             struct hl_err *err)
{
    struct hl_tokens tokens = *field->tokens;
    struct hl_token token;
    enum hl_code code = hl_tokens_next(&tokens, &token, err);

    *ret_is_query = false;
    if (code == HL_OK && token.kind == HL_TOKEN_OBJECT_BEGIN)
        code = hl_tokens_next(&tokens, &token, err);
    if (code != HL_OK || token.kind != HL_TOKEN_KEY)
        return code;
    for (size_t i = 0; i < N_QUERIES && !*ret_is_query; i++) {
        const struct hl_text key = {token.text, token.len};

        *ret_is_query = hl_text_is(&key, query_names[i]);
    }
    return HL_OK;
}

enum hl_code hl_query_what_read(const struct hl_field *field, struct hl_query *query,
                                struct hl_err *err)
{
    static const struct hl_members members = {query_names, N_QUERIES, 0, read_what_member};
    struct what_draft draft = {query, 0};
    bool is_object = false;
    enum hl_code code = is_query(field, &is_object, err);

    if (code != HL_OK)
        return code;
    if (!is_object) {
        query->kind = HL_QUERY_NEAREST;
        return hl_query_input_read(field, &query->nearest, err);
    }
    code = hl_members_read(field, &members, &draft, err);
    if (code == HL_OK && draft.n_queries != 1)
        return hl_field_fail_value(field, &an_object, "one query", err);
    return code;
}

/* ---- params ---- */

enum { HNSW_EF, EXACT, QUANTIZATION, INDEXED_ONLY, ACORN, IDF };

/* Kept from changing an answer by what they are here: codes are always checked against the
 * floats, and filters are always walked with. */
static enum hl_code read_quantization_member(const struct hl_field *member, size_t which,
                                             void *self, struct hl_err *err)
{
    bool is_on;
    double factor;

    (void)self;
    if (which == 2)
        return hl_field_double(member, 1, DBL_MAX, &factor, err);
    return hl_field_bool(member, &is_on, err);
}

static enum hl_code read_acorn_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    bool is_on;
    double share;

    (void)self;
    return which == 0 ? hl_field_bool(member, &is_on, err)
                      : hl_field_double(member, 0, 1, &share, err);
}

static enum hl_code read_idf(const struct hl_field *member, struct hl_err *err)
{
    static const char *const names[] = {"global"};
    enum hl_token_kind kind;
    size_t which;
    enum hl_code code = hl_field_kind(member, &kind, err);

    if (code == HL_OK && kind == HL_TOKEN_OBJECT_BEGIN)
        return hl_member_refuse(member, "sparse vectors are searched by dot product", err);
    return code == HL_OK ? hl_field_enum(member, names, 1, &which, err) : code;
}

static enum hl_code read_params_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    static const char *const quantization_names[] = {"ignore", "rescore", "oversampling"};
    static const struct hl_members quantization = {HL_MEMBERS_OF(quantization_names), 0,
                                                   read_quantization_member};
    static const char *const acorn_names[] = {"enable", "max_selectivity"};
    static const struct hl_members acorn = {HL_MEMBERS_OF(acorn_names), 0,
                                            read_acorn_member};
    struct hl_query_params *params = self;

    switch (which) {
    case HNSW_EF:
        return hl_limit_read(member, &params->hnsw_ef, err);
    case EXACT:
        return hl_field_bool(member, &params->exact, err);
    case INDEXED_ONLY:
        return hl_field_bool(member, &params->indexed_only, err);
    case QUANTIZATION:
        return hl_members_read(member, &quantization, NULL, err);
    case ACORN:
        return hl_members_read(member, &acorn, NULL, err);
    default:
        return read_idf(member, err);
    }
}

enum hl_code hl_query_params_read(const struct hl_field *field,
                                  struct hl_query_params *ret_params, struct hl_err *err)
{
    static const char *const names[] = {
        [HNSW_EF] = "hnsw_ef",           [EXACT] = "exact", [QUANTIZATION] = "quantization",
        [INDEXED_ONLY] = "indexed_only", [ACORN] = "acorn", [IDF] = "idf"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_params_member};
    struct hl_query_params params = {0};
    enum hl_code code = hl_members_read(field, &members, &params, err);

    if (code == HL_OK)
        *ret_params = params;
    return code;
}
