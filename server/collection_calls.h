/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_COLLECTION_CALLS_H
#define HL_SERVER_COLLECTION_CALLS_H

#include "server/request.h"

/* The calls about collections: which there are, how they are made, changed and named. Those
 * that change names wait for the disk and belong on a reader; the others look into memory.
 */
#define HL_COLLECTION_CALLS(X)                                                             \
    X(list)                                                                                \
    X(info)                                                                                \
    X(exists)                                                                              \
    X(create)                                                                              \
    X(update)                                                                              \
    X(delete) X(change_aliases) X(list_aliases) X(list_own_aliases) X(add_index)           \
        X(drop_index) X(add_vector) X(drop_vector) X(models) X(cluster) X(node)

#define HL_COLLECTION_DECLARE(name)                                                        \
    enum hl_code hl_collection_call_##name(struct hl_server *server,                       \
                                           struct hl_request *request,                     \
                                           struct hl_reply *reply, struct hl_err *err);
HL_COLLECTION_CALLS(HL_COLLECTION_DECLARE)

#endif
