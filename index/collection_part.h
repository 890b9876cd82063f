/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_COLLECTION_PART_H
#define HL_INDEX_COLLECTION_PART_H

#include "index/catalog.h"
#include "index/collection.h"
#include "index/engine_part.h"
#include "index/field_index.h"
#include "index/filter.h"
#include "index/roster.h"
#include "index/store.h"
#include "proto/buf.h"

#include <limits.h>
#include <pthread.h>

/* What the files of a collection share; for them alone.
 *
 *   engine.c      threads that commit and one that tends
 *   collection.c  counting, closing, the queue's front door; collection_open.c opening
 *   kept.c        payload indexes in service
 *   look*.c       reading
 *   writing.c     what a change may do
 *   group.c       one transaction: from the queue to done
 *   keeper*.c     sealing, merging, cleaning
 *   manifest.c    which segments there are, on disk
 *
 * Who may touch what: `lock` for what readers see; `desk` for what is handed between
 * threads; all else belongs to the one writer that has the collection, or never changes. */

/* Kinds of records in the store. */
#define HL_RECORD_CONFIG  "config"  /* key "": the server's text */
#define HL_RECORD_INDEX   "index"   /* key: the path; body: as hl_kept_index_print has it */
#define HL_RECORD_SEGMENT "segment" /* manifest.c's */

struct hl_kept_index {           /* a payload index in service */
    struct hl_payload_index def; /* points into the arena */
    struct hl_arena *arena;
    struct hl_field_index
        *index; /* NULL: it could not be kept up; conditions ask payloads */
};

/* What a record says, `{"field_name":…,"field_schema":…}`, and back: hl_buf_check says
 * whether it could be printed. `index` begins empty; the path's text is terminated. */
enum hl_code hl_kept_index_init(struct hl_kept_index *kept, const char *text, size_t len,
                                struct hl_err *err);
void hl_kept_index_print(const struct hl_payload_index *index, struct hl_buf *buf);
void hl_kept_index_done(struct hl_kept_index *kept); /* half-built ones too */

struct hl_carriers { /* the points that have a vector in a space */
    uint32_t space;
    struct hl_rows *points;
};

/* A look, as the collection knows it. In the order of their commits. */
struct hl_look_link {
    uint64_t commit;
    struct hl_look_link *next, *prev;
};

struct hl_collection {
    atomic_size_t n_refs;
    struct hl_engine *engine;
    char folder[PATH_MAX];
    char label[64];

    /* Guards: layout, published, roster's way back, points, kept indexes and what they
     * hold, carriers. Held for memory work alone. Writers are preferred. */
    pthread_rwlock_t lock;
    struct hl_layout *layout;
    uint64_t published;
    struct hl_roster *roster;
    struct hl_rows *points; /* all that live */
    struct hl_kept_index *kept;
    size_t n_kept;
    struct hl_carriers *carriers;
    size_t n_carriers;
    atomic_bool is_broken; /* memory ran out behind a commit */

    /* Guards: looks, readers, queue, flags. Held for a few instructions; may be taken while
     * `lock` is held, never the other way round. */
    pthread_mutex_t desk;
    struct hl_look_link looks;  /* a ring; the first is the oldest */
    struct hl_reader **readers; /* idle ones */
    size_t n_readers, readers_room;
    struct hl_change *first, *last;
    size_t n_queued;
    bool is_with_writer; /* a writer thread has it or it waits for one, with a reference */
    bool needs_keeper;
    bool is_retired;
    struct hl_collection
        *next_ready; /* the engine's list of those that wait for a writer */
    struct hl_collection *next_tended; /* the engine's list of all */
    uint64_t tended_round;             /* the keeper's */
    struct hl_unindexed unindexed;     /* hl_engine_weigh's */

    /* The one writer's that has the collection. */
    struct hl_store *store;
    struct hl_reader *before; /* reads what was, for the indexes */
};

/* The oldest commit that somebody may still read. */
uint64_t hl_collection_oldest(struct hl_collection *collection);

/* A reference, unless the last one is gone. For who finds it in the engine's list, under
 * the lock of that list. */
bool hl_collection_ref_living(struct hl_collection *collection);

/* For hl_engine_bury: nobody else knows it any more. */
void hl_collection_close(struct hl_collection *collection);

/* group.c: takes what waits in its queue, commits it as one transaction and tells each. The
 * one writer that has the collection. True: more waits; false: is_with_writer is cleared.
 */
bool hl_group_run(struct hl_collection *collection);

/* The points that have a vector in the space; NULL: nobody counts for it. Under `lock`. */
struct hl_rows *hl_collection_carriers(const struct hl_collection *collection,
                                       uint32_t space);

/* What filters are evaluated against, under `lock`: with `indexes`, room for n_kept. */
void hl_collection_scope(const struct hl_collection *collection,
                         struct hl_field_index **indexes,
                         struct hl_filter_scope *ret_scope);

/* Idle readers, or new ones; to be given back ended. */
enum hl_code hl_collection_take_reader(struct hl_collection *collection,
                                       struct hl_reader **ret_reader, struct hl_err *err);
void hl_collection_give_reader(struct hl_collection *collection, struct hl_reader *reader);

/* A tail, or the sparse rows, of a space in a layout that is not published. */
enum hl_code hl_layout_new_tail(struct hl_layout *layout, uint32_t id,
                                const struct hl_engine *engine, struct hl_err *err);

/* A space as the store has it, into a layout that is not published: its settings say the
 * distance. HL_DAMAGED when they do not. */
enum hl_code hl_layout_load_space(struct hl_layout *layout,
                                  const struct hl_store_space *space, struct hl_err *err);

#endif
