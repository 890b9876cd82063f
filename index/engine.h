/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_ENGINE_H
#define HL_INDEX_ENGINE_H

#include "index/image.h"
#include "proto/deadline.h"
#include "proto/err.h"
#include "proto/governor.h"

#include <stddef.h>
#include <stdint.h>

/* What the collections of one server share: threads that commit, one that seals and merges,
 * scratch for searches, bounds, and the ear that is told what happened.
 *
 * Made before the first collection is opened, stopped after the last request, freed after
 * the last collection was let go. The functions below may be called from any thread. */
struct hl_engine;

enum hl_engine_event_kind {
    HL_ENGINE_SEALED,        /* a tail became a segment */
    HL_ENGINE_MERGED,        /* segments became one */
    HL_ENGINE_REBUILDING,    /* a segment's file was not sound: its rows are indexed anew */
    HL_ENGINE_COMMIT_FAILED, /* nothing of a transaction is there; its callers know */
    HL_ENGINE_UPKEEP_FAILED, /* sealing, merging or cleaning: it will be tried again */
    HL_ENGINE_BROKEN         /* memory ran out behind a commit: restart to serve again */
};

struct hl_engine_event {
    enum hl_engine_event_kind kind;
    const char *collection; /* its label */
    const char *file;       /* "" where there is none */
    uint64_t n_rows;
    int64_t took_us;
    const struct hl_err *err; /* NULL where nothing failed */
};

typedef void hl_engine_tell_fn(void *self, const struct hl_engine_event *event);

struct hl_layout;
struct hl_reader;

struct hl_engine_options {
    const struct hl_clock *clock;
    size_t n_writers;           /* threads that commit: 1 or more */
    size_t seal_rows;           /* a tail of so many rows is sealed: 64 or more */
    size_t max_unindexed_bytes; /* of full tails that wait to be sealed; beyond it upserts
                                   are refused. Tails with room do not count: nothing will
                                   ever seal those of collections that stay small */
    size_t most_held_bytes;     /* of segments, outside of the page cache; 0: none */
    size_t most_build_bytes;    /* of memory for one graph: larger ones are not merged into
                                   being; 0: any */
    unsigned n_links;           /* of graphs */
    unsigned ef_construction;   /* likewise */
    size_t beam;                /* of a search that does not say */
    hl_engine_tell_fn *tell;    /* from the engine's threads, under no lock; may be NULL */

    /* The way that images of a collection are made by, found again when it is opened: a new
     * reference. `settings` is the text they were stored with, hl_writing_add_image's as
     * the member "by". NULL: no collection has images. */
    enum hl_code (*find_mapper)(void *self, struct hl_reader *reader, const char *settings,
                                struct hl_mapper **ret_mapper, struct hl_err *err);

    /* What is published with the first layout of a collection that is opened: a reference,
     * or NULL. Asked when its spaces and images are there, of any collection. NULL: no
     * layout has a companion. */
    enum hl_code (*compile)(void *self, struct hl_reader *reader,
                            const struct hl_layout *layout,
                            struct hl_companion **ret_companion, struct hl_err *err);
    void *self;

    struct hl_governor *governor; /* of the thread that seals and merges; it outlives the
                                     engine. NULL: a low priority is all it has */
};

enum hl_code hl_engine_new(const struct hl_engine_options *options,
                           struct hl_engine **ret_engine, struct hl_err *err);

/* Every queued change is done, what is being sealed or merged is given up, the threads have
 * ended. Changes that come later are refused. Twice is harmless. */
void hl_engine_stop(struct hl_engine *engine);
void hl_engine_free(struct hl_engine *engine); /* stops first; NULL is accepted */

struct hl_engine_state {
    uint64_t n_commits; /* transactions, each synced */
    uint64_t n_changes; /* requests that went into them */
    uint64_t unindexed_bytes;
    uint64_t max_unindexed_bytes;
    uint64_t held_bytes; /* of segments, in memory of their own */
    uint64_t most_held_bytes;
    size_t n_queued;        /* changes that wait for a writer */
    size_t n_seals_waiting; /* tails that are full and not sealed */
    size_t n_bare_rows;     /* of tails: searches scan them, for no graph has them yet */
    int64_t commit_us;      /* spent in commits, in all */
};
void hl_engine_state(struct hl_engine *engine, struct hl_engine_state *ret_state);

#endif
