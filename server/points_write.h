/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_POINTS_WRITE_H
#define HL_SERVER_POINTS_WRITE_H

#include "server/request.h"

/* The calls that change points, for HL_PLACE_BY_SIZE. A body is decoded, queued as a change
 * of its collection, and answered when that is synced and visible. */
enum hl_code hl_points_upsert(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_delete(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_update_vectors(struct hl_server *server, struct hl_request *request,
                                      struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_delete_vectors(struct hl_server *server, struct hl_request *request,
                                      struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_set_payload(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_overwrite_payload(struct hl_server *server,
                                         struct hl_request *request, struct hl_reply *reply,
                                         struct hl_err *err);
enum hl_code hl_points_delete_payload(struct hl_server *server, struct hl_request *request,
                                      struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_clear_payload(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_points_batch(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err);

#endif
