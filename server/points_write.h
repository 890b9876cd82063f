/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_POINTS_WRITE_H
#define HL_SERVER_POINTS_WRITE_H

#include "server/request.h"

/* The calls that change points, for HL_PLACE_BY_SIZE. A body is decoded, queued as a change
 * of its collection, and answered when that is synced and visible. */
#define HL_POINTS_WRITE_CALLS(X)                                                           \
    X(upsert)                                                                              \
    X(delete)                                                                              \
    X(update_vectors)                                                                      \
    X(delete_vectors)                                                                      \
    X(set_payload) X(overwrite_payload) X(delete_payload) X(clear_payload) X(batch)

#define HL_POINTS_WRITE_DECLARE(name)                                                      \
    enum hl_code hl_points_##name(struct hl_server *server, struct hl_request *request,    \
                                  struct hl_reply *reply, struct hl_err *err);
HL_POINTS_WRITE_CALLS(HL_POINTS_WRITE_DECLARE)

#endif
