/* SPDX-License-Identifier: Apache-2.0 */
#include "server/body.h"

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
