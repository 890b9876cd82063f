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

    /* The best sketches of all parts of a shelf so far, as many as are asked exactly, the
     * worst on top. When they are that many, the worst is the horizon: what is not better
     * would not have been asked, had the shelf been one part. */
    struct hl_scored *others;
    size_t n_others;
    size_t room_others;
    size_t most_others; /* 0: every part is searched for itself */
    float horizon;      /* not a number: none, as every comparison with it then says */
};

/* The next searches are of the parts of one shelf, until the walker joins those of another:
 * each looks for what is better than what those before it have found. With k 0 each is for
 * itself. False: no memory. */
bool hl_walker_join(struct hl_walker *walker, size_t k);

/* Room for `wanted` in one of the heaps. */
bool hl_walker_grow(struct hl_scored **heap, size_t *room, size_t wanted);

/* How many of the best sketches are looked at exactly so that k come out right. */
size_t hl_walker_exact(size_t k);

/* Where floats are; cold ones are asked of the disk all at once before the first is read.
 */
struct hl_walker_values {
    const float *(*at)(const void *self, uint32_t position);
    const void *self;
    bool is_cold;
};

/* The sketches' order of what is kept becomes the floats' order of its best. */
void hl_walker_rank(struct hl_walker *walker, const struct hl_sketch_query *query, size_t k,
                    const struct hl_walker_values *values);

/* The first k of what is kept and sorted. */
void hl_walker_give(const struct hl_walker *walker, size_t k,
                    struct hl_walk_answer *answer);

#endif
