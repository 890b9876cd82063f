/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_DRIFT_CALLS_H
#define HL_SERVER_DRIFT_CALLS_H

#include "server/request.h"

/* The calls about a model's canary. They wait for the disk and belong on a reader. */
enum hl_code hl_drift_call_get(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_drift_call_put(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_drift_call_delete(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err);

#endif
