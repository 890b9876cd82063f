/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_KERNELS_H
#define HL_INDEX_KERNELS_H

#include "proto/err.h"

#include <stddef.h>
#include <stdint.h>

struct hl_tile;

/* Distances between rows of floats, once per kind of processor.
 *
 * A table is constant, so any thread may use any table at any time, as long as the
 * processor can run it: hl_kernels_find gives out no other. Pointers need only a float's
 * alignment, code bytes none; sizes may be 0. Sums run in an order of the table's own, so
 * two tables agree to rounding and not to the last bit; one table always answers alike.
 *
 * The `_ny` forms compare x with ny rows of y that follow each other without gaps. They are
 * what FAISS asks of its tables for quantizers. */
struct hl_kernels {
    const char *name;
    float (*l2)(const float *x, const float *y, size_t dim); /* squared */
    float (*dot)(const float *x, const float *y, size_t dim);
    float (*norm)(const float *x, size_t dim); /* squared */
    void (*l2_ny)(float *ret, const float *x, const float *y, size_t dim, size_t ny);
    void (*dot_ny)(float *ret, const float *x, const float *y, size_t dim, size_t ny);

    /* The row of the least distance, the first of equals, 0 when there is none. All
     * distances are left in `ret`. */
    size_t (*l2_ny_nearest)(float *ret, const float *x, const float *y, size_t dim,
                            size_t ny);

    /* Rows of 8-bit codes: the sum of (x[i] - scale[i] * codes[i])², and that of
     * x[i] * codes[i]. NULL in a table that leaves codes to FAISS. */
    float (*code_l2)(const float *x, const float *scale, const uint8_t *codes, size_t dim);
    float (*code_dot)(const float *x, const uint8_t *codes, size_t dim);

    /* The sum of x[i] * y[i] over bytes, exact: |x[i]| < 256, |y[i]| < 128, size <= 65536.
     * NULL in a table that leaves it to the portable one. */
    int32_t (*bytes_dot)(const uint8_t *x, const int8_t *y, size_t size);

    /* The same of x with each of so many rows, which begin `stride` bytes after each other.
     * NULL likewise: one row after the other. */
    void (*bytes_dots)(const uint8_t *x, const int8_t *rows, size_t stride, size_t n_rows,
                       size_t size, int32_t *ret);

    /* The same of two rows of signed bytes: the sum of (x[i] + 128) * y[i]. NULL likewise.
     */
    int32_t (*shifted_dot)(const int8_t *x, const int8_t *y, size_t size);

    /* Many queries against a run of sketches: hl_tile_pass without its mask. NULL
     * likewise. */
    void (*tile)(const struct hl_tile *tile, const unsigned char *sketches, size_t stride,
                 size_t n_rows, uint64_t *ret_may);
};

extern const struct hl_kernels hl_kernels_portable;
#ifdef __x86_64__
extern const struct hl_kernels hl_kernels_avx2;
extern const struct hl_kernels hl_kernels_avx512;
#endif

/* A table by name: auto, avx512, avx2, portable or shipped. HL_INVALID when the name is
 * another or this processor cannot run that table. The table is good for ever. */
enum hl_code hl_kernels_find(const char *name, const struct hl_kernels **ret_kernels,
                             struct hl_err *err);

/* Builds the three `_ny` functions of a table from its pair functions, in the file that
 * holds them, where the compiler can unfold the one into the other. */
#define HL_KERNELS_DEFINE_NY(attributes, suffix)                                           \
    attributes static void l2_ny_##suffix(float *ret, const float *x, const float *y,      \
                                          size_t dim, size_t ny)                           \
    {                                                                                      \
        for (size_t row = 0; row < ny; row++)                                              \
            ret[row] = l2_##suffix(x, y + row * dim, dim);                                 \
    }                                                                                      \
    attributes static void dot_ny_##suffix(float *ret, const float *x, const float *y,     \
                                           size_t dim, size_t ny)                          \
    {                                                                                      \
        for (size_t row = 0; row < ny; row++)                                              \
            ret[row] = dot_##suffix(x, y + row * dim, dim);                                \
    }                                                                                      \
    attributes static size_t l2_ny_nearest_##suffix(float *ret, const float *x,            \
                                                    const float *y, size_t dim, size_t ny) \
    {                                                                                      \
        size_t nearest = 0;                                                                \
        float least = INFINITY;                                                            \
                                                                                           \
        l2_ny_##suffix(ret, x, y, dim, ny);                                                \
        for (size_t row = 0; row < ny; row++) {                                            \
            nearest = ret[row] < least ? row : nearest;                                    \
            least = ret[row] < least ? ret[row] : least;                                   \
        }                                                                                  \
        return nearest;                                                                    \
    }

#endif
