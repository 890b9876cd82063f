/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_BATCH_H
#define HL_PROTO_BATCH_H

#include "proto/arena.h"

#include <stddef.h>

/* Vectors of one size, row after row without gaps: what one folder hands to another.
 *
 * Plain data. Whoever made it says until when the values are good; the two makers here take
 * them from an arena. */
struct hl_batch {
    float *values;
    size_t n_rows;
    size_t dim;
};

/* Sizes are checked as products; a size of 0 is refused. The values are not set. */
enum hl_code hl_batch_new(struct hl_arena *arena, size_t n_rows, size_t dim,
                          struct hl_batch *ret_batch, struct hl_err *err);

static inline float *hl_batch_row(const struct hl_batch *batch, size_t row)
{
    return batch->values + row * batch->dim;
}

/* HL_INVALID with the first row and column that is NaN or infinite. */
enum hl_code hl_batch_check_finite(const struct hl_batch *batch, struct hl_err *err);

#endif
