/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ASIDE_H
#define HL_SERVER_ASIDE_H

#include "server/request.h"

/* A handler whose work is long and nobody else's: a snapshot reads, sums and writes
 * gigabytes. The threads of the pool have the priority of those that answer, since most of
 * what they do is answers, and a thread that has gone down does not come up again; so it is
 * run on a thread of its own with a lower priority, and the caller waits. What the handler
 * answers is what comes back; without a thread to be had, the caller runs it. */
enum hl_code
hl_aside_run(enum hl_code (*handler)(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err),
             struct hl_server *server, struct hl_request *request, struct hl_reply *reply,
             struct hl_err *err);

#endif
