/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SCAN_H
#define HL_INDEX_SCAN_H

#include "index/heap.h"
#include "index/screen.h"
#include "index/tile.h"
#include "proto/deadline.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The truth for several queries at once, without reading most of the floats.
 *
 * Rows are read as sketches, a block for all queries. What a sketch cannot rule out
 * (tile.h) waits with the best its score can be; now and then those that wait are asked for
 * their floats, the most promising first, until the rest can no longer be among the k best.
 * What is found is what a scan of all floats finds, to the bit.
 *
 * The scratch of one thread, for any shelf. */
struct hl_scan;

/* More hits than this are not worth it: nearly every row's floats would be asked for. */
enum { HL_SCAN_MOST_HITS = 1024 };

struct hl_scan *hl_scan_new(void); /* NULL if there is no memory */
void hl_scan_free(struct hl_scan *scan);

struct hl_scan_wish {
    const struct hl_kernels *kernels;
    enum hl_metric metric; /* not HL_METRIC_L1 */
    size_t dim;
    const float *const *queries; /* borrowed until the next begin */
    size_t n_queries;            /* 1 to HL_TILE_QUERIES */
    size_t k;                    /* 1 to HL_SCAN_MOST_HITS */
    const struct hl_deadline *deadline;
};

enum hl_code hl_scan_begin(struct hl_scan *scan, const struct hl_scan_wish *wish,
                           struct hl_err *err);

/* Rows one behind the other, whose positions begin with `first`. */
struct hl_scan_run {
    const unsigned char *sketches;
    const float *values;
    size_t stride; /* of sketches */
    size_t n_rows;
    uint32_t first;
    const struct hl_screen *screen; /* of these rows; NULL: there is none */

    /* Whether a row may be found; NULL: any. */
    bool (*may_keep)(void *self, uint32_t position);
    void *self;
};

/* Looks through a run, of the part that was begun last. */
enum hl_code hl_scan_look(struct hl_scan *scan, const struct hl_scan_run *run,
                          struct hl_err *err);

/* What a query found in the part: the k best, best first, equal scores by position. Good
 * until the next part; no run of this one may follow. */
const struct hl_scored *hl_scan_take(struct hl_scan *scan, size_t which, size_t *ret_n);

/* Begins another part: what was found is forgotten. */
void hl_scan_turn(struct hl_scan *scan);

/* A query wants no score below `floor`, which k rows of other parts reached. */
void hl_scan_raise(struct hl_scan *scan, size_t which, float floor);

/* What was done since the scan began: sketches and rows of floats compared. */
void hl_scan_tally(const struct hl_scan *scan, uint64_t *ret_scored, uint64_t *ret_exact);

#endif
