/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_GRAPH_H
#define HL_INDEX_GRAPH_H

#include "proto/err.h"

#include <stddef.h>
#include <stdint.h>

/* An HNSW graph as FAISS holds it. The arrays are borrowed from the index and good until it
 * changes or goes.
 *
 * The links of row r on level l are neighbors[offsets[r] + before[l]] up to but not
 * including neighbors[offsets[r] + before[l + 1]], for l below levels[r]; the first -1 ends
 * them early. A search enters at `entry`, -1 in an empty graph, on level `max_level`. */
struct hl_graph_view {
    size_t n_rows;
    size_t dim;
    const float *rows; /* n_rows * dim; NULL where it was not built over floats */
    const int32_t *levels;
    const size_t *offsets; /* n_rows + 1 */
    const int32_t *neighbors;
    const int32_t *before; /* n_before: how many links the levels below have */
    size_t n_before;
    size_t n_neighbors;
    int32_t entry;
    int32_t max_level;
};

/* Where the links of a row on one of its levels are: `n` of them, and room for more. */
struct hl_graph_block {
    const int32_t *links;
    size_t n, n_room;
};
struct hl_graph_block hl_graph_block(const struct hl_graph_view *view, size_t row,
                                     unsigned level);

/* HL_DAMAGED when a level, an offset, a link or the entry points outside the graph, so that
 * whoever walks a checked view need not look. Reads all of it but the rows. The sizes of
 * the arrays are taken to be as the view says. */
enum hl_code hl_graph_check(const struct hl_graph_view *view, struct hl_err *err);

#endif
