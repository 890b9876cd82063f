/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_PROBE_CALLS_H
#define HL_SERVER_PROBE_CALLS_H

#include "server/request.h"

/* The calls about probe sets. Putting one is an upload, JSON or lines of it; running one is
 * a job. All wait for the disk and belong on a reader. */
enum hl_code hl_probe_call_list(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_probe_call_get(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_probe_call_put(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_probe_call_delete(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_probe_call_run(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);

#endif
