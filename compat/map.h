/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_MAP_H
#define HL_COMPAT_MAP_H

#include "proto/err.h"

#include <stddef.h>

/* A learned way from one space into another:
 *
 *     y = normalise(P·x + c [+ B·act(A·x + a)])    act(v) = v, or slope·v where v < 0
 *
 * Whoever makes one fills it; immutable from then on, any thread. All matrices are row by
 * row and lie in one block. */
struct hl_map {
    size_t dim_in, dim_out, n_hidden; /* n_hidden 0: no residual, and no a, b, a_bias */
    float *p;                         /* dim_out x dim_in */
    float *c;                         /* dim_out */
    float *a;                         /* n_hidden x dim_in */
    float *a_bias;                    /* n_hidden */
    float *b;                         /* dim_out x n_hidden */
    float slope;
};

/* Zeroed. */
enum hl_code hl_map_new(size_t dim_in, size_t dim_out, size_t n_hidden,
                        struct hl_map **ret_map, struct hl_err *err);
void hl_map_free(struct hl_map *map); /* NULL is accepted */

/* n rows of length 1 through the map, `out` n x dim_out, each of length 1 (a row that comes
 * out as zeros stays so). `hidden` is room for n x n_hidden floats, not read when there are
 * none. By BLAS, for many rows; a single query goes through compat/apply.h. */
void hl_map_rows(const struct hl_map *map, const float *in, size_t n, float *hidden,
                 float *out);

/* The same, for who goes back through it: `hidden` is left as it was behind `act`, `norms`
 * (n floats, or NULL) gets the lengths before they were 1. */
void hl_map_forward(const struct hl_map *map, const float *in, size_t n, float *hidden,
                    float *norms, float *out);

/* rows := normalise((1 - fidelity)·judged + fidelity·faithful), into `judged`. */
void hl_map_blend(float *judged, const float *faithful, size_t n, size_t dim,
                  float fidelity);

#endif
