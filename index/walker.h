/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_WALKER_H
#define HL_INDEX_WALKER_H

#include "index/heap.h"
#include "index/walk.h"

/* The inside of a walker, for the files of index/ that search with one. */
struct hl_walker {
    uint16_t *epochs; /* a row is visited when its mark is the current one */
    size_t n_epochs;
    uint16_t epoch;

    struct hl_scored *ahead; /* what was seen and not yet expanded, the best on top */
    size_t n_ahead;
    size_t room_ahead;

    struct hl_scored *kept; /* the beam, the worst on top */
    size_t n_kept;
    size_t room_kept;
};

/* Room for `wanted` in one of the heaps. */
bool hl_walker_grow(struct hl_scored **heap, size_t *room, size_t wanted);

/* How many of the best sketches are looked at exactly so that k come out right. */
size_t hl_walker_exact(size_t k);

/* The sketches' order of what is kept becomes the floats' order of its best. */
void hl_walker_rank(struct hl_walker *walker, const struct hl_sketch_query *query, size_t k,
                    const float *(*values_at)(const void *self, uint32_t position),
                    const void *self);

/* The first k of what is kept and sorted. */
void hl_walker_give(const struct hl_walker *walker, size_t k,
                    struct hl_walk_answer *answer);

#endif
