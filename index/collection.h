/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_COLLECTION_H
#define HL_INDEX_COLLECTION_H

#include "index/engine.h"
#include "index/layout.h"
#include "proto/payload_index.h"
#include "proto/write.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One gallery in service: what is on disk, what of it is in memory, and the one way to
 * change it.
 *
 * Counted; any thread may use one it holds a reference to. Reads go through index/look.h.
 * Writes are changes: they are queued, one writer thread takes all that wait, runs each for
 * itself and commits them as one. */
struct hl_collection;

/* `folder` has a points.db and segments/, as index/catalog.h prepares it. Loads everything;
 * segments that are not sound are rebuilt and told. `label` names it in events. */
enum hl_code hl_collection_open(struct hl_engine *engine, const char *folder,
                                const char *label, struct hl_collection **ret_collection,
                                struct hl_err *err);
struct hl_collection *hl_collection_ref(struct hl_collection *collection);

/* Where it lives; whatever others put there goes with the collection. Good as long as a
 * reference. */
const char *hl_collection_folder(const struct hl_collection *collection);

/* The last one closes it, on one of the engine's threads, or here when the engine has
 * stopped. NULL is accepted. */
void hl_collection_unref(struct hl_collection *collection);

/* It has no name any more: changes are refused as HL_NOT_FOUND from now on, and when the
 * last reference goes, so does the folder. */
void hl_collection_retire(struct hl_collection *collection);

/* ---- changes ---- */

struct hl_writing; /* index/writing.h */

/* One request's change. Storage of the caller, from hl_collection_submit until `done` is
 * called, which may free it. Both are called on a writer thread, under no lock. */
struct hl_change {
    /* Does it, inside of a transaction; what it writes is there whole or not at all. A
     * failure undoes this change alone. It may be called again when another change of the
     * group failed, so it changes nothing but through `writing`. */
    enum hl_code (*run)(struct hl_change *change, struct hl_writing *writing,
                        struct hl_err *err);

    /* HL_OK: synced, and visible to every look that is opened from now on. */
    void (*done)(struct hl_change *change, enum hl_code code, const struct hl_err *err);

    const struct hl_deadline *deadline; /* asked before `run`; NULL: none */
    bool is_upsert;         /* adds rows: refused while too many are not indexed */
    uint64_t commit;        /* set before `done`: the commit it is in */
    struct hl_change *next; /* the collection's */
};

/* HL_TOO_MANY: rows are written faster than they are indexed, try again later;
 * HL_NOT_FOUND: retired; HL_UNAVAILABLE: the engine stops; HL_NO_MEMORY: broken. `done` is
 * not called then. Never waits. */
enum hl_code hl_collection_submit(struct hl_collection *collection,
                                  struct hl_change *change, struct hl_err *err);

/* ---- what there is ---- */

struct hl_space_info {
    const char *name;
    uint64_t n_points;  /* that have a vector here */
    uint64_t n_indexed; /* of them in sealed segments */
};

struct hl_index_info {
    struct hl_payload_index index; /* path and params point into the arena */
    uint64_t n_points;             /* with such a value */
    size_t bytes;
};

struct hl_collection_info {
    uint64_t n_points;
    uint64_t n_vectors;
    uint64_t n_indexed;    /* sealed rows that live */
    size_t n_segments;     /* sealed parts and tails */
    uint64_t held_bytes;   /* of them, in memory */
    uint64_t mapped_bytes; /* and in files, of which the page cache has what it has */
    uint64_t commit;
    bool is_busy; /* something is full and not sealed, merged, or new images are made */
    size_t n_spaces;
    const struct hl_space_info *spaces; /* in the order of the layout */
    size_t n_indexes;
    const struct hl_index_info *indexes; /* by path */
    struct hl_layout *layout;            /* a reference: the caller's to let go */
};

/* As of one commit. On failure there is nothing to let go. */
enum hl_code hl_collection_info(struct hl_collection *collection, struct hl_arena *arena,
                                struct hl_collection_info *ret_info, struct hl_err *err);

#endif
