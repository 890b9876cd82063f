/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_ENGINE_PART_H
#define HL_INDEX_ENGINE_PART_H

#include "index/engine.h"
#include "index/kernels.h"
#include "index/shelf.h"

#include <stdbool.h>

/* What a collection asks of its engine; for the files of collection_part.h alone. Any
 * thread. The engine's own lock may be taken while a collection's desk is held, never the
 * other way round. */
struct hl_collection;

const struct hl_engine_options *hl_engine_options(const struct hl_engine *engine);
const struct hl_kernels *hl_engine_kernels(const struct hl_engine *engine);

/* Tells the ear, when there is one. Under no lock. */
void hl_engine_tell(const struct hl_engine *engine, const struct hl_engine_event *event);

/* The list of all collections, by next_tended: it holds no references, so whoever goes
 * through it asks hl_collection_ref_living of each. */
void hl_engine_enlist(struct hl_engine *engine, struct hl_collection *collection);

/* Changes wait in its queue: a writer shall take it. Called while its desk is held; the
 * collection's is_with_writer is set by the caller, and the reference that goes with it is
 * the engine's from now on. False, and nothing is taken, when the engine stops. */
bool hl_engine_ready(struct hl_engine *engine, struct hl_collection *collection);

/* needs_keeper was set: the keeper looks at what there is to seal and merge. */
void hl_engine_wake_keeper(struct hl_engine *engine);

/* keeper.c: does what the collection has waiting, on the keeper's thread, which has a
 * reference and has cleared needs_keeper. The deadline is cancelled when the engine stops.
 * True: it could not, and asks to be called again in a second. */
bool hl_keeper_tend(struct hl_collection *collection, const struct hl_deadline *deadline);

/* A transaction was tried: its changes, and how long its commit took. */
void hl_engine_note_commit(struct hl_engine *engine, size_t n_changes, int64_t took_us);

/* What of a collection is in memory alone, in the place of what was said of it before. By
 * the one writer that has it, or who opens it. */
struct hl_unindexed {
    uint64_t bytes; /* of its tails */
    size_t n_full;  /* tails that wait to be sealed */
};
void hl_engine_weigh(struct hl_engine *engine, struct hl_collection *collection,
                     const struct hl_unindexed *unindexed);

/* Whether rows that are not indexed take more memory than they may. */
bool hl_engine_is_full(struct hl_engine *engine);

/* Its last reference is gone: off the list, and hl_collection_close on one of the engine's
 * threads, or here and now when it has stopped. */
void hl_engine_bury(struct hl_engine *engine, struct hl_collection *collection);

/* Scratch for one search, to be given back. NULL: no memory. */
struct hl_searcher *hl_engine_take_searcher(struct hl_engine *engine);
void hl_engine_give_searcher(struct hl_engine *engine, struct hl_searcher *searcher);

#endif
