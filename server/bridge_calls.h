/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BRIDGE_CALLS_H
#define HL_SERVER_BRIDGE_CALLS_H

#include "server/request.h"

/* The calls about bridges. Putting one is an upload; serving, learning and judging are
 * jobs. */
enum hl_code hl_bridge_call_list(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_bridge_call_get(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_bridge_call_put(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_bridge_call_delete(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err);

/* activate.c, bridge_learn.c and bridge_judge.c: they begin jobs. */
enum hl_code hl_bridge_call_activate(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_bridge_call_deactivate(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_bridge_call_learn(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_bridge_call_evaluate(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);

#endif
