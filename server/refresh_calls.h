/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_REFRESH_CALLS_H
#define HL_SERVER_REFRESH_CALLS_H

#include "server/request.h"

/* POST …/refresh: which points to embed next with a model, how far it has come, and what
 * going on would bring. It reads for seconds and belongs on a reader. */
enum hl_code hl_refresh_call(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err);

#endif
