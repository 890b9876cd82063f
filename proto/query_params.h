/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_QUERY_PARAMS_H
#define HL_PROTO_QUERY_PARAMS_H

#include "proto/query.h"

/* `params`, for proto/query.c: Qdrant's, and ours beside them, which stand there because
 * the official clients let them through. */
enum hl_code hl_query_params_read(const struct hl_field *field,
                                  struct hl_query_params *ret_params, struct hl_err *err);

#endif
