/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_GEMV_H
#define HL_COMPAT_GEMV_H

#include "proto/err.h"

#include <stddef.h>
#include <stdint.h>

/* One vector through a matrix that stays the same, once per kind of processor.
 *
 * A matrix is packed: its rows are cut into panels of 64 (the last may be of 32), and a
 * panel lies column after column. So it is read from its first byte to its last, an element
 * of x is loaded once for a whole panel, and no sum runs across the lanes of a register.
 * Rows are filled up with zeros to a multiple of 32.
 *
 * Tables are constant, any thread; sums run in an order of the table's own, so two tables
 * agree to rounding, and one always answers alike. Vectors need a float's alignment,
 * packed matrices that of a cache line. */
enum { HL_GEMV_PANEL = 64, HL_GEMV_GROUP = 32, HL_GEMV_ALIGNMENT = 64 };

struct hl_gemv {
    const char *name;
    /* y := y + w·x. `n_rows` is a multiple of 32 and y has room for as many; x has
     * n_columns. */
    void (*floats)(const float *w, size_t n_rows, size_t n_columns, const float *x,
                   float *y);
    void (*bfloats)(const uint16_t *w, size_t n_rows, size_t n_columns, const float *x,
                    float *y);
};

extern const struct hl_gemv hl_gemv_portable;
#ifdef __x86_64__
extern const struct hl_gemv hl_gemv_avx2;
extern const struct hl_gemv hl_gemv_avx512;
#endif

/* A table by name: auto, avx512, avx2 or portable. HL_INVALID when the name is another or
 * this processor cannot run that table. */
enum hl_code hl_gemv_find(const char *name, const struct hl_gemv **ret_gemv,
                          struct hl_err *err);

/* As many rows as a packed matrix has. */
size_t hl_gemv_rows(size_t n_rows);

/* Row by row into panels; `packed` is for hl_gemv_rows(n_rows) x n_columns. bfloats are
 * rounded to the nearest. */
void hl_gemv_pack_floats(const float *rows, size_t n_rows, size_t n_columns, float *packed);
void hl_gemv_pack_bfloats(const float *rows, size_t n_rows, size_t n_columns,
                          uint16_t *packed);

#endif
