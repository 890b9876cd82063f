/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_BENCH_LAID_H
#define HL_TESTS_BENCH_LAID_H

#include "index/graph.h"
#include "index/segment.h"

#include <stdbool.h>

/* A graph of FAISS's laid out as our walk wants it, in memory: what index/segment_build.c
 * writes, without a file, and on huge pages as a segment is held. For benches that walk a
 * graph that is no segment's. One thread makes one, any number may walk it. */
struct laid {
    struct hl_segment_view view;
    hl_link *links, *upper;
    uint32_t *above;
    uint8_t *levels;
};

/* The rows of the graph, borrowed for as long as it is walked. */
struct laid_rows {
    const float *values;
    const unsigned char *sketches;
    size_t dim;
};

/* False: no memory, or no rows. `n_links`: of a row on each level above the lowest. */
bool laid_init(struct laid *laid, const struct hl_graph_view *graph,
               const struct laid_rows *rows, unsigned n_links);
void laid_done(struct laid *laid); /* one that is zeroed is accepted */

/* Of all rows, one behind the other. NULL: no memory. */
unsigned char *laid_sketches(const float *values, size_t n_rows, size_t dim);
void laid_free_sketches(unsigned char *sketches, size_t n_rows, size_t dim);

#endif
