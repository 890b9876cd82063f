/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ROLLOUT_CALLS_H
#define HL_SERVER_ROLLOUT_CALLS_H

#include "proto/buf.h"
#include "server/request.h"
#include "server/rollout.h"

/* The calls about rollouts. A step is parked until it is committed, and counts for the next
 * request that is answered. */
enum hl_code hl_rollout_call_get(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_rollout_call_put(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_rollout_call_advance(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_rollout_call_promote(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_rollout_call_rollback(struct hl_server *server, struct hl_request *request,
                                      struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_rollout_call_abort(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_rollout_call_delete(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_rollout_call_events(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err);

/* route_call.c: which model a caller embeds with. Memory alone, never waits. */
enum hl_code hl_route_call(struct hl_server *server, struct hl_request *request,
                           struct hl_reply *reply, struct hl_err *err);

/* The members of an object about a rollout, without its braces: the record, and `next`, the
 * steps there are from it as calls of the collection of that name. Any thread. */
void hl_rollout_show(const struct hl_rollout *rollout, const struct hl_layout *layout,
                     const char *collection, struct hl_buf *buf);

#endif
