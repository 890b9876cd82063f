/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/rows.h"

#include "compat/linalg.h"

#include <math.h>
#include <string.h>

static enum hl_code read_memory(const void *self, uint64_t first, size_t n_rows,
                                float *values, struct hl_err *err)
{
    const struct hl_rows_memory *memory = self;

    (void)err;
    memcpy(values, memory->values + first * memory->dim,
           n_rows * memory->dim * sizeof *values);
    return HL_OK;
}

struct hl_rows hl_rows_of_memory(const struct hl_rows_memory *memory, uint64_t n_rows,
                                 const char *name)
{
    return (struct hl_rows){.read = read_memory,
                            .self = memory,
                            .n_rows = n_rows,
                            .dim = memory->dim,
                            .name = name};
}

/* Neighbours are read together. */
static enum hl_code read_pick(const void *self, uint64_t first, size_t n_rows,
                              float *values, struct hl_err *err)
{
    const struct hl_rows_pick *pick = self;
    const uint32_t *numbers = pick->numbers + first;
    enum hl_code code = HL_OK;

    for (size_t row = 0, n; row < n_rows && code == HL_OK; row += n) {
        for (n = 1; row + n < n_rows && numbers[row + n] == numbers[row] + n; n++)
            ;
        code = pick->rows->read(pick->rows->self, numbers[row], n,
                                values + row * pick->rows->dim, err);
    }
    return code;
}

struct hl_rows hl_rows_of_pick(const struct hl_rows_pick *pick, uint64_t n_rows)
{
    return (struct hl_rows){.read = read_pick,
                            .self = pick,
                            .n_rows = n_rows,
                            .dim = pick->rows->dim,
                            .name = pick->rows->name};
}

/* Which row it is to who sent it. */
static uint64_t number_of(const struct hl_rows *rows, uint64_t row)
{
    while (rows->read == read_pick) {
        const struct hl_rows_pick *pick = rows->self;

        row = pick->numbers[row];
        rows = pick->rows;
    }
    return row;
}

enum hl_code hl_rows_read_unit(const struct hl_rows *rows, uint64_t first, size_t n_rows,
                               float *values, struct hl_err *err)
{
    enum hl_code code = rows->read(rows->self, first, n_rows, values, err);

    for (size_t row = 0; row < n_rows && code == HL_OK; row++) {
        float *vector = values + row * rows->dim;
        float square = hl_linalg_dot(vector, vector, rows->dim);

        if (square > 0 && isfinite(square))
            hl_linalg_normalise(vector, 1, rows->dim, NULL);
        else
            code = hl_fail(err, HL_INVALID,
                           "row %llu of \"%s\" %s: a vector needs a direction",
                           (unsigned long long)number_of(rows, first + row), rows->name,
                           square > 0 || !isfinite(square)
                               ? "holds a number that is not finite or too large"
                               : "is all zeros");
    }
    return code;
}
