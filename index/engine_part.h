/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_ENGINE_PART_H
#define HL_INDEX_ENGINE_PART_H

#include "index/collection_part.h"
#include "index/searchers.h"

/* What the engine does for the files of a collection; for them alone. Any thread. */

const struct hl_engine_options *hl_engine_options(const struct hl_engine *engine);
const struct hl_kernels *hl_engine_kernels(const struct hl_engine *engine);

struct hl_searchers *hl_engine_searchers(struct hl_engine *engine);

/* What segments may hold of memory, all together. */
struct hl_allowance *hl_engine_allowance(struct hl_engine *engine);

/* What of that tails may have for their graphs: many small collections are not to take what
 * large segments are walked in. */
struct hl_allowance *hl_engine_tails_allowance(struct hl_engine *engine);

/* The collection is open, from now on tended; and is no more. */
void hl_engine_add(struct hl_engine *engine, struct hl_collection *collection);

/* Its last reference went: it is closed by the keeper, or at once when there is none. */
void hl_engine_bury(struct hl_engine *engine, struct hl_collection *collection);

/* What is done for the parts of its collections: by the keeper, also amid a merge. */
struct hl_part_keeper *hl_engine_part_keeper(struct hl_engine *engine);

/* Changes wait and no writer has it: the collection's reference goes along. May be called
 * under its desk. False, and nothing happened, when the writers have gone home. */
bool hl_engine_ready(struct hl_engine *engine, struct hl_collection *collection);

/* There may be something to seal, merge or clean. */
void hl_engine_wake_keeper(struct hl_engine *engine);

bool hl_engine_is_stopping(const struct hl_engine *engine);

/* What the keeper's work asks: cancelled when the engine stops. */
const struct hl_deadline *hl_engine_patience(const struct hl_engine *engine);

void hl_engine_tell(const struct hl_engine *engine, const struct hl_engine_event *event);

/* For hl_engine_state. */
struct hl_engine_counts {
    atomic_uint_fast64_t commits, changes, unindexed_bytes;
    atomic_int_fast64_t commit_us;
    atomic_size_t queued, seals_waiting;
    atomic_size_t bare_rows, growths_due; /* rows of tails in no graph yet; collections in
                                             which they are enough for a step */
};
struct hl_engine_counts *hl_engine_counts(struct hl_engine *engine);

/* ---- what the engine's threads run ---- */

/* One transaction of what waits; the caller is the one writer that has the collection. */
void hl_group_run(struct hl_collection *collection);

/* One piece of upkeep, if there is any. What failed was told. */
enum hl_tending { HL_TENDING_NOTHING, HL_TENDING_DONE, HL_TENDING_FAILED };
enum hl_tending hl_keeper_tend(struct hl_collection *collection);

/* Grows or seals a tail of it, if there is any to, and does nothing else. */
enum hl_tending hl_keeper_seal(struct hl_collection *collection);

/* Whether a collection waits for a writer. */
bool hl_engine_is_wanted(struct hl_engine *engine);

/* For the keeper between two pieces of one long work: grows what is bare and seals what is
 * full in any collection, until nothing is or something fails. */
struct hl_engine_between {
    struct hl_engine *engine;
    bool has_failed; /* a seal: no other is tried until the work is through */
};
void hl_engine_seal_between(void *between);

/* For the keeper, amid a merge as well: makes the short forms of rows that parts ask for,
 * and lets what is full go first. */
void hl_engine_screen_asking(struct hl_engine *engine);

#endif
