/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_POINTS_READ_H
#define HL_SERVER_POINTS_READ_H

#include "server/request.h"

/* The calls that read points without searching, for HL_PLACE_READER: they read the disk. */
enum hl_code hl_points_get(struct hl_server *server, struct hl_request *request,
                           struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_retrieve(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_scroll(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_count(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_facet(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err);

#endif
