/* SPDX-License-Identifier: Apache-2.0 */
#include "index/tile.h"

#include <assert.h>
#include <string.h>

enum { WORD = 4 };

/* Up to so many queries are compared one by one, where a row is long enough for it: the
 * lanes of a group would stand empty. */
enum { FEW_QUERIES = 2, LONG_WORDS = 32 };

static size_t count_groups(size_t n_queries)
{
    return (n_queries + HL_TILE_LANES - 1) / HL_TILE_LANES;
}

static size_t count_words(size_t dim)
{
    return (hl_sketch_stride(dim) - sizeof(struct hl_sketch)) / WORD;
}

size_t hl_tile_room(size_t dim, size_t n_queries)
{
    return count_words(dim) * WORD * HL_TILE_LANES * count_groups(n_queries);
}

/* More than all roundings of a score by floats and of its estimate, in parts of the
 * lengths: a sum of dim products is off by dim + 20 halves of 2^-23 at most. */
static double rounding_of(size_t n_words)
{
    return (double)(n_words * WORD + 64) * 0x1p-22;
}

static void set_rounding(struct hl_tile *tile, double rounding)
{
    tile->rounding = rounding;
    tile->shrunk = (float)(1 - rounding);
}

void hl_tile_init(struct hl_tile *tile, enum hl_metric metric, size_t dim, size_t n_queries,
                  uint8_t *bytes)
{
    assert(metric != HL_METRIC_L1 && n_queries <= HL_TILE_QUERIES);
    *tile = (struct hl_tile){.metric = metric,
                             .n_words = count_words(dim),
                             .n_groups = count_groups(n_queries),
                             .n_queries = n_queries,
                             .bytes = bytes};
    set_rounding(tile, rounding_of(tile->n_words));
    memset(bytes, 0, hl_tile_room(dim, n_queries));
    for (size_t i = 0; i < HL_TILE_QUERIES; i++)
        tile->least[i] = -INFINITY;
}

static void put_bytes(struct hl_tile *tile, size_t which,
                      const struct hl_sketch_query *query)
{
    const size_t width = tile->n_groups * HL_TILE_LANES * WORD;

    for (size_t word = 0; word < tile->n_words; word++)
        memcpy(tile->bytes + word * width + which * WORD, query->bytes + word * WORD, WORD);
}

void hl_tile_put(struct hl_tile *tile, size_t which, const struct hl_sketch_query *query)
{
    struct hl_tile_query *own = &tile->queries[which];

    put_bytes(tile, which, query);
    hl_sketch_query_lengths(query, &own->residual, &own->length);
    own->is_bounded = own->length > 0 && hl_sketch_is_usual(own->length);
    if (!own->is_bounded)
        return;
    own->scale = (double)query->scale;
    own->norm = (double)query->norm;
    if (tile->metric == HL_METRIC_DOT) {
        tile->per_residual[which] =
            (float)(own->length * (1 + tile->rounding) / own->scale);
        tile->per_size[which] =
            (float)((own->residual + tile->rounding * own->length) / own->scale);
    } else {
        tile->per_size[which] = (float)(1 / (2 * own->scale));
    }
}

/* A query across all directions has next to no bytes, and is as good as not bounded. */
void hl_tile_put_short(struct hl_tile *tile, size_t which,
                       const struct hl_sketch_query *query,
                       const struct hl_tile_bounds *bounds)
{
    struct hl_tile_query *own = &tile->queries[which];
    const double scale = (double)query->scale, length = bounds->length;

    put_bytes(tile, which, query);
    set_rounding(tile, rounding_of(tile->n_words) + 2 * bounds->rounding);
    *own = (struct hl_tile_query){.is_bounded = length > 0 && hl_sketch_is_usual(length) &&
                                                scale > 1e-9 * length,
                                  .is_short = true,
                                  .scale = scale,
                                  .length = length,
                                  .residual = bounds->residual,
                                  .norm = length * length};
    if (!own->is_bounded)
        return;
    tile->per_residual[which] = (float)(bounds->beside * (1 + tile->rounding) / scale);
    tile->per_size[which] =
        (float)(tile->metric == HL_METRIC_DOT
                    ? (own->residual + tile->rounding * length) / scale
                    : fmax(1 - own->residual / length, 0) / (2 * scale));
}

/* Of Euclid: a row matters when its distance is not above that of the score, as floats
 * round it, hence when that of the sketches is not above `reach` and the row's residual.
 * The tiny lengths are for squares that fade away. */
static double raise_l2(struct hl_tile *tile, size_t which, double square)
{
    const struct hl_tile_query *query = &tile->queries[which];
    const double rounding = tile->rounding;
    const double reach = sqrt(square * (1 + rounding)) + query->residual + 1e-20;

    tile->per_residual[which] = (float)(reach * (1 + rounding) / query->scale);
    return query->norm * (1 - rounding) - reach * reach * (1 + rounding);
}

/* Of short forms the lengths of query and row are known, and 2|f||x| is at most |f| times
 * the query's length and the row's square over it. */
static double raise_short_l2(const struct hl_tile *tile, size_t which, double square)
{
    const struct hl_tile_query *query = &tile->queries[which];
    const double rounding = tile->rounding;

    return query->norm * (1 - rounding) - query->residual * query->length -
           square * (1 + rounding) - 1e-39;
}

void hl_tile_raise(struct hl_tile *tile, size_t which, float score)
{
    const struct hl_tile_query *query = &tile->queries[which];
    const double square = score < 0 ? -(double)score : 0;
    double least;

    if (!query->is_bounded || !isfinite(score))
        return;
    if (tile->metric == HL_METRIC_DOT)
        least = 2 * ((double)score - tile->rounding * fabs((double)score));
    else
        least = query->is_short ? raise_short_l2(tile, which, square)
                                : raise_l2(tile, which, square);
    tile->least[which] = (float)(least / (2 * query->scale));
}

float hl_tile_reach(const struct hl_tile *tile, size_t which,
                    const struct hl_sketch *sketch, int32_t product)
{
    const float reach = sketch->scale * (float)product +
                        tile->per_residual[which] * hl_tile_residual(sketch) +
                        tile->per_size[which] * hl_tile_size(tile, sketch);

    return isnan(reach) ? INFINITY : reach;
}

static void pass_few(const struct hl_tile *tile, const struct hl_sketch_query *queries,
                     const struct hl_sketch *sketch, uint64_t *ret_may)
{
    *ret_may = 0;
    for (size_t which = 0; which < tile->n_queries; which++) {
        const int32_t product = hl_sketch_product(&queries[which], sketch);
        const float reach = hl_tile_reach(tile, which, sketch, product);

        *ret_may |= (uint64_t)(reach >= tile->least[which]) << which;
    }
}

void hl_tile_pass(const struct hl_tile *tile, const struct hl_sketch_query *queries,
                  const unsigned char *sketches, size_t stride, size_t n_rows,
                  uint64_t *ret_may)
{
    const uint64_t all = ~UINT64_C(0) >> (HL_TILE_QUERIES - tile->n_queries);
    const struct hl_kernels *kernels = queries->kernels;

    if (tile->n_queries <= FEW_QUERIES && tile->n_words >= LONG_WORDS) {
        for (size_t row = 0; row < n_rows; row++)
            pass_few(tile, queries,
                     (const struct hl_sketch *)(const void *)(sketches + row * stride),
                     &ret_may[row]);
        return;
    }
    (kernels->tile ? kernels->tile : hl_kernels_portable.tile)(tile, sketches, stride,
                                                               n_rows, ret_may);
    for (size_t row = 0; row < n_rows; row++)
        ret_may[row] &= all;
}
