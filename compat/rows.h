/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_ROWS_H
#define HL_COMPAT_ROWS_H

#include "proto/err.h"

#include <stddef.h>
#include <stdint.h>

/* Vectors of one model, read block by block from wherever they are.
 *
 * Plain data that borrows `self`. A fit reads the same rows many times, from the first to
 * the last; only what it asks for at once has to fit in memory. One thread at a time. */
struct hl_rows {
    enum hl_code (*read)(const void *self, uint64_t first, size_t n_rows, float *values,
                         struct hl_err *err);
    const void *self;
    uint64_t n_rows;
    size_t dim;       /* 0: there are none */
    const char *name; /* for error sentences: the model, or the file */
};

/* Rows that lie in memory; borrowed. */
struct hl_rows_memory {
    const float *values;
    size_t dim;
};
struct hl_rows hl_rows_of_memory(const struct hl_rows_memory *memory, uint64_t n_rows,
                                 const char *name);

/* Some of other rows, by their numbers; both are borrowed. Rising ones are read faster. A
 * number beyond the rows is the caller's bug. */
struct hl_rows_pick {
    const struct hl_rows *rows;
    const uint32_t *numbers;
};
struct hl_rows hl_rows_of_pick(const struct hl_rows_pick *pick, uint64_t n_rows);

/* Reads rows and brings each to length 1. HL_INVALID, with the row, for one that is all
 * zeros or holds what is not a number. */
enum hl_code hl_rows_read_unit(const struct hl_rows *rows, uint64_t first, size_t n_rows,
                               float *values, struct hl_err *err);

#endif
