/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_COLLECTIONS_H
#define HL_SERVER_COLLECTIONS_H

#include "index/catalog.h"
#include "index/collection.h"
#include "proto/aliases.h"
#include "server/log.h"
#include "server/target.h"

/* The galleries of a server by name: which there are, what else they are called.
 *
 * Any thread. Finding one takes a lock for a look into a table; what changes names waits
 * for the disk, so it belongs on a reader thread. */
struct hl_collections;

struct hl_collections_options {
    const char *folder; /* of the data */
    struct hl_engine *engine;
    struct hl_log *log;
};

/* Opens every collection of the folder. */
enum hl_code hl_collections_open(const struct hl_collections_options *options,
                                 struct hl_collections **ret_collections,
                                 struct hl_err *err);
void hl_collections_close(struct hl_collections *collections); /* NULL is accepted */

/* By name or alias, a reference. HL_NOT_FOUND as Qdrant says it. */
enum hl_code hl_collections_acquire(struct hl_collections *collections,
                                    const struct hl_span *name,
                                    struct hl_collection **ret_collection,
                                    struct hl_err *err);

#endif
