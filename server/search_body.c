/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include "proto/number.h"
#include "server/body.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* What is more than this goes to a reader: an HTTP thread serves many connections. */
enum { MOMENT_QUERIES = 8, MOMENT_POINTS = 1024 };

/* ---- a raw vector ---- */

static enum hl_code fail_param(const char *name, const char *text, const char *must_be,
                               struct hl_err *err)
{
    return hl_fail(err, HL_MALFORMED,
                   "Format error in query parameters: %s: expected %s, got \"%.64s\"", name,
                   must_be, text);
}

static enum hl_code take_count(const struct hl_request *request, const char *name,
                               uint32_t min, uint32_t *ret_count, struct hl_err *err)
{
    const char *text = hl_request_query(request, name);
    size_t len = text ? strlen(text) : 0;
    uint64_t value;

    if (!text)
        return HL_OK;
    /* hl_number_u64 wants what the tokenizer passed. */
    if (len == 0 || strspn(text, "0123456789") != len ||
        !hl_number_u64(text, len, &value) || value < min)
        return fail_param(name, text, min > 0 ? "a positive number" : "a whole number",
                          err);
    *ret_count = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    return HL_OK;
}

static enum hl_code take_bool(const struct hl_request *request, const char *name,
                              bool *ret_is, struct hl_err *err)
{
    const char *text = hl_request_query(request, name);

    if (!text)
        return HL_OK;
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return fail_param(name, text, "true or false", err);
    *ret_is = text[0] == 't';
    return HL_OK;
}

/* Little-endian float32, as this program's machines have them. */
static enum hl_code take_values(const struct hl_request *request,
                                struct hl_vector *ret_vector, struct hl_err *err)
{
    size_t n = request->body.len / sizeof(float);
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
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return hl_fail(err, HL_INVALID,
                           "Validation error in body: [value %zu is not finite]", i);
    *ret_vector = (struct hl_vector){.values = values, .n = n};
    return HL_OK;
}

static enum hl_code decode_raw(const struct hl_request *request, struct hl_query *ret_query,
                               struct hl_err *err)
{
    struct hl_query query = {.kind = HL_QUERY_NEAREST, .limit = 10};
    const char *name = hl_request_query(request, "using");
    enum hl_code code = take_count(request, "limit", 1, &query.limit, err);

    if (code == HL_OK)
        code = take_count(request, "offset", 0, &query.offset, err);
    if (code == HL_OK)
        code = take_count(request, "hnsw_ef", 1, &query.params.hnsw_ef, err);
    if (code == HL_OK)
        code = take_bool(request, "exact", &query.params.exact, err);
    if (code == HL_OK)
        code = take_values(request, &query.nearest.vector, err);
    if (code != HL_OK)
        return code;
    if (name)
        query.using_name = (struct hl_text){name, strlen(name)};
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

static bool is_raw(const struct hl_request *request)
{
    static const char raw[] = "application/octet-stream";
    size_t len = sizeof raw - 1;

    return strncasecmp(request->content_type, raw, len) == 0 &&
           strchr("; \t", request->content_type[len]) != NULL;
}

enum hl_code hl_search_decode(struct hl_request *request, const struct hl_search_call *call,
                              struct hl_queries *ret_queries, struct hl_err *err)
{
    struct hl_params params; /* a search waits for nothing; the deadline is set by it */
    struct hl_query *query;
    enum hl_code code = hl_body_params(request, &params, err);

    if (code != HL_OK)
        return code;
    if (!call->takes_raw || !is_raw(request))
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
