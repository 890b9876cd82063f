/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/batch.h"

#include "proto/floats.h"

#include <math.h>

enum hl_code hl_batch_new(struct hl_arena *arena, size_t n_rows, size_t dim,
                          struct hl_batch *ret_batch, struct hl_err *err)
{
    float *values;

    if (n_rows == 0 || dim == 0)
        return hl_fail(err, HL_INVALID,
                       "%zu vectors of %zu numbers came, at least 1 of each was wanted",
                       n_rows, dim);
    values = hl_arena_floats(arena, n_rows, dim);
    if (!values)
        return hl_arena_fail(arena, err, "%zu vectors of %zu numbers", n_rows, dim);
    *ret_batch = (struct hl_batch){.values = values, .n_rows = n_rows, .dim = dim};
    return HL_OK;
}

enum hl_code hl_batch_check_finite(const struct hl_batch *batch, struct hl_err *err)
{
    for (size_t row = 0; row < batch->n_rows; row++) {
        const float *values = hl_batch_row(batch, row);
        const size_t i = hl_floats_count_finite(values, batch->dim);

        if (i < batch->dim)
            return hl_fail(err, HL_INVALID,
                           "number %zu of vector %zu is %s, a finite number was wanted", i,
                           row, isnan(values[i]) ? "not a number" : "infinite");
    }
    return HL_OK;
}
