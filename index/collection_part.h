/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_COLLECTION_PART_H
#define HL_INDEX_COLLECTION_PART_H

#include "index/catalog.h"
#include "index/collection.h"
#include "index/field_index.h"
#include "index/roster.h"
#include "index/store.h"

#include <limits.h>
#include <pthread.h>

/* What the files of a collection share; for them alone.
 *
 *   engine.c      threads that commit and one that tends
 *   collection.c  opening, counting, closing, the queue's front door
 *   look*.c       reading
 *   writing.c     what a change may do
 *   group.c       one transaction: from the queue to done
 *   keeper*.c     sealing, merging, cleaning
 *   grow.c        graphs of tails that are still filling
 *   manifest.c    which segments there are, on disk
 *
 * Who may touch what: `lock` for what readers see, `indexes` for what filters read; `desk`
 * for what is handed between threads; all else belongs to the one writer that has the
 * collection, or never changes. They are taken in the order indexes, lock, desk. */

struct hl_kept_index {      /* a payload index in service */
    struct hl_arena *arena; /* what `def` points into */
    struct hl_payload_index def;
    struct hl_field_index
        *index; /* NULL: it could not be kept up; conditions ask payloads */
};

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

    /* Guards: kept indexes and what they hold. To put a thousand points into them takes
     * milliseconds, for which a search without a filter does not wait. Who publishes holds
     * it all the while, so a reader that has it may read what `lock` guards as well.
     * Writers are preferred. */
    pthread_rwlock_t indexes;

    /* Guards: layout, published, roster's way back, points, carriers. Held for memory work
     * alone, and shortly. Writers are preferred. */
    pthread_rwlock_t lock;
    struct hl_layout *layout;
    uint64_t published;
    struct hl_roster *roster;
    struct hl_rows *points; /* all that live */
    struct hl_kept_index *kept;
    size_t n_kept;
    struct hl_carriers *carriers;
    size_t n_carriers;
    atomic_bool is_clean;  /* no old versions are left to be removed, as far as is known */
    atomic_bool is_broken; /* memory ran out behind a commit */
    atomic_size_t n_bare;  /* hl_grow_n_bare, as the engine was told */

    /* Guards: looks, readers, queue, flags. Held for a few instructions; may be taken while
     * `lock` is held, never the other way round. */
    pthread_mutex_t desk;
    struct hl_look_link looks;  /* a ring; the first is the oldest */
    struct hl_reader **readers; /* idle ones */
    size_t n_readers, readers_room;
    struct hl_change *first, *last;
    size_t n_queued;
    uint64_t n_searches; /* looks that searched, and are closed */
    bool is_with_writer; /* a writer thread has it or it waits for one */
    bool needs_keeper;
    bool is_retired;
    unsigned n_kept_at; /* pieces the keeper is at: one, and what it pauses that one for */
    struct hl_collection
        *next_ready; /* the engine's list of those that wait for a writer */
    struct hl_collection *next_tended; /* the engine's list of all */

    /* The one writer's that has the collection. */
    uint64_t unindexed_bytes;   /* what the engine was told */
    size_t seals_waiting;       /* likewise */
    uint64_t n_searches_before; /* when the writer last asked, */
    int64_t searched_at_us;     /* and when it last saw more of them */
    int64_t held_since_us;      /* the next transaction, */
    unsigned n_pauses;          /* and so many times; 0: it is not */
    size_t n_died;              /* rows, since the keeper was last woken */
    struct hl_store *store;
    struct hl_reader *before; /* reads what was, for the indexes */
};

/* The oldest commit that somebody may still read. */
uint64_t hl_collection_oldest(struct hl_collection *collection);

/* Everything its store has, into the empty collection; nobody else knows it yet. */
enum hl_code hl_collection_load(struct hl_collection *collection, struct hl_err *err);

/* Has a change drop what was not served yet when the server ended. */
void hl_collection_drop_leftovers(struct hl_collection *collection);

/* Closes what nobody has a reference to, and removes the folder of what was retired. */
void hl_collection_close(struct hl_collection *collection);

/* Tells the engine how much of `layout` waits to be sealed. By the writer. */
void hl_collection_account(struct hl_collection *collection,
                           const struct hl_layout *layout);

/* NULL when no space has the id. */
struct hl_carriers *hl_collection_carriers(const struct hl_collection *collection,
                                           uint32_t space);

/* The scope of filters, as of what is published: under the lock, or for the writer. */
struct hl_filter_scope;
void hl_collection_scope(struct hl_collection *collection, struct hl_field_index **room,
                         struct hl_filter_scope *ret_scope);

/* Made from the text that says what it is, `{"field_name":…,"field_schema":…}`; empty. */
enum hl_code hl_kept_index_init(struct hl_kept_index *kept, const void *text, size_t len,
                                struct hl_err *err);
void hl_kept_index_done(struct hl_kept_index *kept);

/* Readers of the collection's database, handed round. */
enum hl_code hl_collection_take_reader(struct hl_collection *collection,
                                       struct hl_reader **ret_reader, struct hl_err *err);
void hl_collection_give_reader(struct hl_collection *collection, struct hl_reader *reader);

/* A new tail at the end of a dense space's shelf, of a layout that is not published. */
enum hl_code hl_collection_add_tail(const struct hl_collection *collection,
                                    struct hl_layout *layout, uint32_t space,
                                    struct hl_err *err);

#endif
