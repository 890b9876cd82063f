/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_TILE_H
#define HL_INDEX_TILE_H

#include "index/sketch.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Many queries against a run of sketches at once: which rows may still matter to which
 * query, proven.
 *
 * A sketch says how far it is from what it stands for, at most, and so does the query's;
 * with q = q' + f and x = x' + e, |q.x - q'.x'| <= |q||e| + |f||x'|, and the distance of q
 * and x differs from that of q' and x' by |e| + |f| at most. So the product of bytes tells
 * of a row that its score cannot be as good as the k-th best that is known. It is the
 * score by floats that is meant, with its own roundings: what is left out here would not
 * have been among the best of a scan by floats.
 *
 * The test is one for every metric: with p the product of the bytes, a row stays when
 *
 *     scale * p + per_residual * residual + per_size * size >= least
 *
 * where scale, residual and size are the row's and the rest is the query's. Whatever no
 * bound is known of stays: rows of older files, rows and queries so short or so long that
 * floats overflow, and what compares with not-a-number.
 *
 * Plain memory; one thread at a time. */
enum { HL_TILE_LANES = 16, HL_TILE_QUERIES = 64 };

struct hl_tile {
    enum hl_metric metric; /* not HL_METRIC_L1 */
    size_t n_words;        /* of 4 bytes, in a sketch */
    size_t n_groups;       /* of HL_TILE_LANES queries */
    size_t n_queries;
    double rounding; /* more than all of it, in parts of the lengths */
    float shrunk;    /* 1 less that */

    /* Word by word, 4 bytes of each query, n_groups groups wide, shifted by 128. The
     * caller's. */
    uint8_t *bytes;
    float per_residual[HL_TILE_QUERIES];
    float per_size[HL_TILE_QUERIES];
    float least[HL_TILE_QUERIES];
    struct hl_tile_query {
        bool is_bounded, is_short;
        double scale, length, residual, norm; /* of the sketch: its norm, squared */
    } queries[HL_TILE_QUERIES];
};

/* How many bytes a tile of so many queries needs. */
size_t hl_tile_room(size_t dim, size_t n_queries);

/* `bytes` has that room and is aligned to 64. There are `n_queries` to come, at most
 * HL_TILE_QUERIES; every row matters to them. */
void hl_tile_init(struct hl_tile *tile, enum hl_metric metric, size_t dim, size_t n_queries,
                  uint8_t *bytes);
void hl_tile_put(struct hl_tile *tile, size_t which, const struct hl_sketch_query *query);

/* The same of the short form of a query and of rows (screen.h), whose length is that of all
 * floats. */
struct hl_tile_bounds {
    double length, beside; /* of the query; of what is not in the short form */
    double residual;       /* of the short form's bytes */
    double rounding;       /* of products of short forms */
};

void hl_tile_put_short(struct hl_tile *tile, size_t which,
                       const struct hl_sketch_query *query,
                       const struct hl_tile_bounds *bounds);

/* Rows whose score by floats is less than this no longer matter. Scores only rise. */
void hl_tile_raise(struct hl_tile *tile, size_t which, float score);

/* Sets bit q of ret_may[row] for every query q that the row may matter to. */
void hl_tile_pass(const struct hl_tile *tile, const struct hl_sketch_query *queries,
                  const unsigned char *sketches, size_t stride, size_t n_rows,
                  uint64_t *ret_may);

/* What the test compares with `least`, for the product of the query's and the row's bytes;
 * never not-a-number. Of distances it means nothing before a first score was raised, and
 * afterwards only falls. */
float hl_tile_reach(const struct hl_tile *tile, size_t which,
                    const struct hl_sketch *sketch, int32_t product);

/* For the kernels: of one row. */
static inline float hl_tile_residual(const struct hl_sketch *sketch)
{
    return sketch->residual > 0 ? sketch->residual : INFINITY;
}

static inline float hl_tile_size(const struct hl_tile *tile, const struct hl_sketch *sketch)
{
    return tile->metric == HL_METRIC_DOT
               ? sqrtf(sketch->norm)
               : sketch->residual * sketch->residual - sketch->norm * tile->shrunk;
}

#endif
