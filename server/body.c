/* SPDX-License-Identifier: Apache-2.0 */
#include "server/body.h"

#include "proto/number.h"

#include <string.h>

void hl_body_begin(struct hl_request *request, struct hl_body *body)
{
    hl_tokens_init(&body->tokens, request->body.data, request->body.len, request->arena);
    body->root = hl_field_root(&body->tokens);
}

enum hl_code hl_body_end(struct hl_body *body, enum hl_code code, struct hl_err *err)
{
    return code == HL_OK ? hl_tokens_finish(&body->tokens, err) : code;
}

enum hl_code hl_body_params(struct hl_request *request, struct hl_params *ret_params,
                            struct hl_err *err)
{
    struct hl_params params = {0};
    enum hl_code code = HL_OK;
    int64_t at_us;

    for (size_t i = 0; code == HL_OK && i < request->target.n_query; i++)
        code = hl_params_add(&params, request->target.query[i].name.data,
                             request->target.query[i].value.data, err);
    if (code != HL_OK)
        return code;
    if (params.timeout_s > 0 && params.timeout_s < INT32_MAX) {
        at_us = request->started_us + (int64_t)params.timeout_s * 1000000;
        if (at_us < request->deadline.at_us)
            request->deadline.at_us = at_us;
    }
    *ret_params = params;
    return HL_OK;
}

enum hl_code hl_param_count(const struct hl_request *request, const char *name,
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
        return hl_param_fail(name, text, min > 0 ? "a positive number" : "a whole number",
                             err);
    *ret_count = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    return HL_OK;
}
