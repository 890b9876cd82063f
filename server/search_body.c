/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include "proto/floats.h"
#include "proto/model_name.h"
#include "proto/number.h"
#include "server/body.h"

#include <stdio.h>
#include <string.h>

/* What is more than this goes to a reader: an HTTP thread serves many connections. */
enum { MOMENT_QUERIES = 8, MOMENT_POINTS = 1024 };

/* ---- a raw vector ---- */

static enum hl_code take_bool(const struct hl_request *request, const char *name,
                              bool *ret_is, struct hl_err *err)
{
    const char *text = hl_request_query(request, name);

    if (!text)
        return HL_OK;
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return hl_param_fail(name, text, "true or false", err);
    *ret_is = text[0] == 't';
    return HL_OK;
}

/* A number as JSON has it. */
static bool read_number(const struct hl_request *request, const char *text,
                        double *ret_value)
{
    struct hl_tokens tokens;
    struct hl_token token;
    struct hl_err ignored;
    size_t len = strlen(text);

    hl_tokens_init(&tokens, text, len, request->arena);
    if (hl_tokens_next(&tokens, &token, &ignored) != HL_OK ||
        token.kind != HL_TOKEN_NUMBER || token.len != len)
        return false;
    *ret_value = hl_number_double(text, len);
    return true;
}

static enum hl_code take_fidelity(const struct hl_request *request,
                                  struct hl_query_params *params, struct hl_err *err)
{
    const char *text = hl_request_query(request, "fidelity");
    double value;

    if (!text)
        return HL_OK;
    if (strcmp(text, "auto") == 0) {
        params->dial = HL_DIAL_AUTO;
        return HL_OK;
    }
    if (!read_number(request, text, &value) || value < 0 || value > 1)
        return hl_param_fail("fidelity", text, "a number from 0 to 1, or auto", err);
    params->dial = HL_DIAL_SET;
    params->fidelity = (float)value;
    return HL_OK;
}

/* Which of two words; the first when there is none. */
static enum hl_code take_word(const struct hl_request *request, const char *name,
                              const char *const words[2], size_t *ret_which,
                              struct hl_err *err)
{
    const char *text = hl_request_query(request, name);
    char must_be[32];

    if (!text)
        return HL_OK;
    if (strcmp(text, words[0]) != 0 && strcmp(text, words[1]) != 0) {
        snprintf(must_be, sizeof must_be, "%s or %s", words[0], words[1]);
        return hl_param_fail(name, text, must_be, err);
    }
    *ret_which = strcmp(text, words[0]) == 0 ? 0 : 1;
    return HL_OK;
}

static struct hl_text take_text(const struct hl_request *request, const char *name)
{
    const char *text = hl_request_query(request, name);

    return (struct hl_text){text, text ? strlen(text) : 0};
}

/* What a body says in `params`. */
static enum hl_code take_params(const struct hl_request *request,
                                struct hl_query_params *params, struct hl_err *err)
{
    static const char *const modalities[] = {"image", "text"};
    static const char *const tasks[] = {"similar", "same"};
    bool is_across = true;
    size_t modality = 0, task = SIZE_MAX;
    enum hl_code code = hl_param_count(request, "hnsw_ef", 1, &params->hnsw_ef, err);

    if (code == HL_OK)
        code = take_bool(request, "exact", &params->exact, err);
    if (code == HL_OK)
        code = take_bool(request, "across", &is_across, err);
    if (code == HL_OK)
        code = take_bool(request, "explain", &params->explains, err);
    if (code == HL_OK)
        code = take_fidelity(request, params, err);
    if (code == HL_OK)
        code = take_word(request, "modality", modalities, &modality, err);
    if (code == HL_OK)
        code = take_word(request, "task", tasks, &task, err);
    if (code != HL_OK)
        return code;
    params->is_own_only = !is_across;
    params->is_text = modality == 1;
    if (task != SIZE_MAX)
        params->task = task == 0 ? HL_QUERY_TASK_SIMILAR : HL_QUERY_TASK_SAME;
    params->key = take_text(request, "key");
    params->score_scale = take_text(request, "score_scale");
    if (params->score_scale.text)
        params->score_scale = hl_model_meant_by(&params->score_scale);
    return HL_OK;
}

/* Little-endian float32, as this program's machines have them. */
static enum hl_code take_values(const struct hl_request *request,
                                struct hl_vector *ret_vector, struct hl_err *err)
{
    size_t n = request->body.len / sizeof(float), n_finite;
    float *values;

    if (n == 0 || request->body.len % sizeof(float) != 0)
        return hl_fail(err, HL_MALFORMED,
                       "Format error in body: expected a vector of float32, 4 bytes each, "
                       "got %zu bytes",
                       request->body.len);
    values = hl_arena_floats(request->arena, 1, n);
    if (!values)
        return hl_arena_fail(request->arena, err, "a vector of %zu values", n);
    memcpy(values, request->body.data, n * sizeof(float));
    n_finite = hl_floats_count_finite(values, n);
    if (n_finite < n)
        return hl_fail(err, HL_INVALID,
                       "Validation error in body: [value %zu is not finite]", n_finite);
    *ret_vector = (struct hl_vector){.values = values, .n = n};
    return HL_OK;
}

static enum hl_code decode_raw(const struct hl_request *request, struct hl_query *ret_query,
                               struct hl_err *err)
{
    struct hl_query query = {.kind = HL_QUERY_NEAREST, .limit = 10};
    enum hl_code code = hl_param_count(request, "limit", 1, &query.limit, err);

    if (code == HL_OK)
        code = hl_param_count(request, "offset", 0, &query.offset, err);
    if (code == HL_OK)
        code = take_params(request, &query.params, err);
    if (code == HL_OK)
        code = take_values(request, &query.nearest.vector, err);
    if (code != HL_OK)
        return code;
    query.using_name = take_text(request, "using");
    *ret_query = query;
    return HL_OK;
}

/* ---- JSON ---- */

static enum hl_code decode_json(struct hl_request *request,
                                const struct hl_search_call *call,
                                struct hl_queries *ret_queries, struct hl_err *err)
{
    struct hl_queries queries = {.n = 1};
    struct hl_body body;
    struct hl_query *query;
    enum hl_code code;

    hl_body_begin(request, &body);
    if (call->is_batch) {
        code = hl_queries_read(&body.root, call->form, &queries, err);
    } else {
        query = hl_arena_alloc(request->arena, sizeof *query);
        if (!query)
            return hl_arena_fail(request->arena, err, "a query");
        queries.items = query;
        code = hl_query_read(&body.root, call->form, query, err);
    }
    code = hl_body_end(&body, code, err);
    if (code == HL_OK)
        *ret_queries = queries;
    return code;
}

enum hl_code hl_search_decode(struct hl_request *request, const struct hl_search_call *call,
                              struct hl_queries *ret_queries, struct hl_err *err)
{
    struct hl_params params; /* a search waits for nothing; the deadline is set by it */
    struct hl_query *query;
    enum hl_code code = hl_body_params(request, &params, err);

    if (code != HL_OK)
        return code;
    if (!call->takes_raw || !hl_request_is_of_type(request, "application/octet-stream"))
        return decode_json(request, call, ret_queries, err);
    query = hl_arena_alloc(request->arena, sizeof *query);
    if (!query)
        return hl_arena_fail(request->arena, err, "a query");
    code = decode_raw(request, query, err);
    if (code == HL_OK)
        *ret_queries = (struct hl_queries){query, 1};
    return code;
}

/* ---- where ---- */

static bool has_id(const struct hl_query_inputs *inputs)
{
    bool has = false;

    for (size_t i = 0; i < inputs->n && !has; i++)
        has = inputs->items[i].is_id;
    return has;
}

static bool is_long(const struct hl_query *query)
{
    const struct hl_query_inputs nearest = {&query->nearest, 1};

    if (query->kind == HL_QUERY_NONE || query->is_grouped || query->params.exact)
        return true;
    if (query->with_payload.kind != HL_SELECT_NONE ||
        query->with_vector.kind != HL_SELECT_NONE)
        return true;
    if ((uint64_t)query->offset + query->limit > MOMENT_POINTS ||
        query->params.hnsw_ef > MOMENT_POINTS)
        return true;
    if (query->kind == HL_QUERY_NEAREST)
        return has_id(&nearest);
    return query->strategy != HL_STRATEGY_AVERAGE || has_id(&query->positive) ||
           has_id(&query->negative);
}

bool hl_search_is_long(const struct hl_queries *queries)
{
    bool is = queries->n > MOMENT_QUERIES;

    for (size_t i = 0; i < queries->n && !is; i++)
        is = is_long(&queries->items[i]);
    return is;
}
