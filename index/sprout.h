/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SPROUT_H
#define HL_INDEX_SPROUT_H

#include "index/segment.h"
#include "proto/err.h"

#include <stddef.h>

/* The graph of a tail's first rows, which grows while the tail fills and is walked
 * meanwhile: to scan a tail of 16,000 rows takes several times as long as to walk a segment
 * of a million.
 *
 * One thread grows it, any number walk. FAISS adds rows; what is new in its links is then
 * stored into those that walks read, rows first and the links to them afterwards. So a walk
 * may see a row's links half renewed, but each of them leads to a row that is there. When
 * the tail is full and few of its rows died, the graph is the segment's. */
struct hl_sprout;

struct hl_sprout_options {
    enum hl_metric metric; /* not HL_METRIC_L1 */
    size_t dim;
    size_t most_rows;
    unsigned n_links; /* as hl_ann_options has it */
    unsigned ef_construction;
};

/* How much of memory it takes when it has grown. */
size_t hl_sprout_bytes(const struct hl_sprout_options *options);

enum hl_code hl_sprout_new(const struct hl_sprout_options *options,
                           struct hl_sprout **ret_sprout, struct hl_err *err);
void hl_sprout_free(struct hl_sprout *sprout); /* NULL is accepted */

/* The sketches of the next `n` rows, which are copied; a thousand at most. By one thread
 * at a time. After a failure it is not grown again, and walked as before. */
enum hl_code hl_sprout_grow(struct hl_sprout *sprout, const unsigned char *sketches,
                            size_t n, struct hl_err *err);

/* Any thread: rows that walks find. */
size_t hl_sprout_count(const struct hl_sprout *sprout);

/* What is walked, once the count is not 0: its links lead to as many rows or more, and of
 * the arrays it has those of the graph and the sketches. */
const struct hl_segment_view *hl_sprout_view(const struct hl_sprout *sprout);

/* The same as FAISS has it, for who grows it. */
const struct hl_ann *hl_sprout_graph(const struct hl_sprout *sprout);

#endif
