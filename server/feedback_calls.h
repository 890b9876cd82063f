/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_FEEDBACK_CALLS_H
#define HL_SERVER_FEEDBACK_CALLS_H

#include "server/request.h"

/* `POST …/feedback`: what was relevant to queries that were answered, known by the ids of
 * their requests. A handler of the table in routes.c, for HL_PLACE_READER. */
enum hl_code hl_feedback_call(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err);

#endif
