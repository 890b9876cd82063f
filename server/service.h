/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SERVICE_H
#define HL_SERVER_SERVICE_H

#include "server/request.h"

struct hl_server;

/* The calls about the server itself. */
enum hl_code hl_service_root(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err);
/* And livez: the process answers, that is all it says. */
enum hl_code hl_service_healthz(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_service_readyz(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_service_metrics(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_service_telemetry(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_service_limits(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_service_openapi(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err);

/* The answer of GET /, which never changes while a server runs. */
void hl_service_print_root(struct hl_buf *buf);

/* GET and DELETE. */
enum hl_code hl_service_issues(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);

#endif
