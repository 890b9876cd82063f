/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BODY_H
#define HL_SERVER_BODY_H

#include "proto/field.h"
#include "proto/params.h"
#include "server/request.h"

/* A request's body and parameters on their way to the decoders of proto/. One thread. */
struct hl_body {
    struct hl_tokens tokens;
    struct hl_field root;
};

/* Whatever it is announced as: curl calls everything a form. */
void hl_body_begin(struct hl_request *request, struct hl_body *body);

/* Nothing but white space may be left. `code` is what the decoder said, and is given back
 * when it failed. */
enum hl_code hl_body_end(struct hl_body *body, enum hl_code code, struct hl_err *err);

/* A parameter of the URL that says how many: it is left as it is where there is none, and
 * UINT32_MAX where there are more. HL_MALFORMED, in the sentence that the other one makes.
 */
enum hl_code hl_param_count(const struct hl_request *request, const char *name,
                            uint32_t min, uint32_t *ret_count, struct hl_err *err);
#define hl_param_fail(name, text, must_be, err)                                            \
    hl_fail((err), HL_MALFORMED,                                                           \
            "Format error in query parameters: %s: expected %s, got \"%.64s\"", (name),    \
            (must_be), (text))

/* wait, timeout, ordering, consistency; a timeout that is nearer moves the deadline. */
enum hl_code hl_body_params(struct hl_request *request, struct hl_params *ret_params,
                            struct hl_err *err);

#endif
