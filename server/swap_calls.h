/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SWAP_CALLS_H
#define HL_SERVER_SWAP_CALLS_H

#include "server/request.h"

/* POST and GET /collections/{c}/swap. They wait for the disk and belong on a reader. */
enum hl_code hl_swap_call_post(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_swap_call_get(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err);

#endif
