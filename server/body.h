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

/* wait, timeout, ordering, consistency; a timeout that is nearer moves the deadline. */
enum hl_code hl_body_params(struct hl_request *request, struct hl_params *ret_params,
                            struct hl_err *err);

#endif
