/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_WALK_H
#define HL_INDEX_WALK_H

#include "index/segment.h"
#include "index/sketch.h"
#include "proto/deadline.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Our own search of a segment's graph.
 *
 * FAISS builds the graph; this walks it, and differs from FAISS's search in six ways:
 * it reads sketches, a quarter of the bytes, and asks the floats only about the best; the
 * width of the beam belongs to the query and not to the index; the marks of what was
 * visited are kept from query to query and told apart by an epoch instead of being wiped;
 * two heaps take logarithmic steps; the sketches of a row's links are fetched before the
 * first of them is needed; and which rows may be found is asked when a row is kept, so that
 * the walk still passes through the others.
 *
 * With a condition that few rows meet the beam fills slowly and the walk goes on by itself
 * until it is full: it widens. A caller who knows that very few do is better served by
 * hl_walk_scan. */

/* The scratch of one thread, for any segment and query. Grows to the largest. */
struct hl_walker;

struct hl_walker *hl_walker_new(void); /* NULL if there is no memory */
void hl_walker_free(struct hl_walker *walker);

struct hl_walker_values;

struct hl_walk {
    const struct hl_segment_view *segment;
    const struct hl_walker_values *values; /* where floats are; NULL: in the segment */
    const struct hl_sketch_query *query;
    size_t k;
    size_t beam; /* raised to k where it is less */

    /* Whether a row may be found; NULL: any. */
    bool (*may_keep)(void *self, uint32_t position);
    void *self;
    const struct hl_deadline *deadline;
};

struct hl_walk_hit {
    float score; /* exact; greater is nearer */
    uint32_t position;
};

/* What was found, and what it took. `hits` is the caller's and has room for k. */
struct hl_walk_answer {
    struct hl_walk_hit *hits;
    size_t n_hits;
    uint64_t n_scored; /* sketches compared; added to what is there */
    uint64_t n_exact;  /* rows of floats compared; likewise */
};

/* The k best that may be kept, best first, equal scores by position; fewer only where the
 * graph has no more of them. */
enum hl_code hl_walk_search(struct hl_walker *walker, const struct hl_walk *walk,
                            struct hl_walk_answer *answer, struct hl_err *err);

/* The same from the given positions alone, or from all when NULL: by their sketches, and
 * then by the floats of the best. */
enum hl_code hl_walk_sift(struct hl_walker *walker, const struct hl_walk *walk,
                          const uint32_t *positions, size_t n_positions,
                          struct hl_walk_answer *answer, struct hl_err *err);

/* The same answer, exact: by the floats of each. */
enum hl_code hl_walk_scan(struct hl_walker *walker, const struct hl_walk *walk,
                          const uint32_t *positions, size_t n_positions,
                          struct hl_walk_answer *answer, struct hl_err *err);

#endif
