/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_COLLECTIONS_H
#define HL_SERVER_COLLECTIONS_H

#include "index/catalog.h"
#include "index/collection.h"
#include "proto/aliases.h"
#include "server/log.h"
#include "server/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The galleries of a server by name: which there are, what else they are called.
 *
 * Any thread. Finding one takes a lock for a look into a table; what changes names waits
 * for the disk, so it belongs on a reader thread. */
struct hl_collections;

struct hl_collections_options {
    const char *folder; /* of the data */
    struct hl_engine *engine;
    struct hl_log *log;
    const struct hl_clock *clock;
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

/* By name alone: an alias does not count. */
bool hl_collections_exist(struct hl_collections *collections, const struct hl_span *name);
size_t hl_collections_count(struct hl_collections *collections);

/* Called for each in the order of the names; what it is given is good until it returns. It
 * may take a reference, and calls nothing of the registry. */
typedef bool hl_collections_fn(void *self, const char *name,
                               struct hl_collection *collection);
void hl_collections_each(struct hl_collections *collections, hl_collections_fn *each,
                         void *self);

/* ---- changes of names: they wait for the disk ---- */

/* A new one, made by `fill`, which is called with the collection before anybody else can
 * find it. HL_EXISTS; HL_INVALID for a name that cannot be one. */
struct hl_collections_filler {
    enum hl_code (*fill)(void *self, struct hl_collection *collection, struct hl_err *err);
    void *self;
};
enum hl_code hl_collections_create(struct hl_collections *collections,
                                   const struct hl_span *name,
                                   const struct hl_collections_filler *filler,
                                   struct hl_err *err);

/* With every alias of it. *ret_existed says whether there was one. */
enum hl_code hl_collections_delete(struct hl_collections *collections,
                                   const struct hl_span *name, bool *ret_existed,
                                   struct hl_err *err);

/* A folder that `fill` filled takes the place of the collection, or becomes a new one, in
 * one step; aliases stay. For recovering snapshots. */
struct hl_collections_folder {
    enum hl_code (*fill)(void *self, const char *folder, struct hl_err *err);
    void *self;
};
enum hl_code hl_collections_recover(struct hl_collections *collections,
                                    const struct hl_span *name,
                                    const struct hl_collections_folder *folder,
                                    struct hl_err *err);

/* All in order, or none. */
enum hl_code hl_collections_change_aliases(struct hl_collections *collections,
                                           const struct hl_alias_actions *actions,
                                           struct hl_err *err);

/* In the order of the aliases; of one collection, or of all. Reads the disk. */
enum hl_code hl_collections_aliases(struct hl_collections *collections,
                                    const char *collection, hl_catalog_alias_fn *each,
                                    void *self, struct hl_err *err);

/* What the catalog keeps beside names. `use` has it to itself meanwhile, and calls nothing
 * here. Waits for the disk. */
enum hl_code hl_collections_use_catalog(struct hl_collections *collections,
                                        enum hl_code (*use)(void *self,
                                                            struct hl_catalog *catalog,
                                                            struct hl_err *err),
                                        void *self, struct hl_err *err);

#endif
