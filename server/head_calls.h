/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_HEAD_CALLS_H
#define HL_SERVER_HEAD_CALLS_H

#include "server/request.h"

/* The calls about classifier heads. Putting one is an upload. */
enum hl_code hl_head_call_get(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_head_call_put(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_head_call_delete(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err);

#endif
