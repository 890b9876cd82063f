/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_LINALG_H
#define HL_COMPAT_LINALG_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>

/* What compat/ asks of OpenBLAS and LAPACK, in row-major words.
 *
 * Matrices lie row by row without gaps. Pure functions, any thread; each runs in the
 * calling thread alone. Sums over rows of data are floats within a block and doubles across
 * blocks; what is decomposed is double. */

/* c (m x n) := alpha · a·b + beta · c, where a is m x k and b k x n, or k x m and n x k
 * when turned. */
struct hl_product {
    size_t m, n, k;
    bool is_a_turned, is_b_turned;
    float alpha, beta;
};
void hl_linalg_multiply(const struct hl_product *product, const float *a, const float *b,
                        float *c);
void hl_linalg_multiply_double(const struct hl_product *product, const double *a,
                               const double *b, double *c);

float hl_linalg_dot(const float *x, const float *y, size_t n);
void hl_linalg_add(float *y, float alpha, const float *x, size_t n); /* y += alpha·x */
double hl_linalg_dot_double(const double *x, const double *y, size_t n);
void hl_linalg_add_double(double *y, double alpha, const double *x, size_t n);

/* Brings each row to length 1; a row of zeros stays one. `norms` gets what the lengths
 * were, or is NULL. */
void hl_linalg_normalise(float *rows, size_t n, size_t dim, float *norms);

/* a (n x n, symmetric) := its lower Cholesky factor, zeros above. HL_INVALID when it is not
 * positive definite: "WHAT …" */
enum hl_code hl_linalg_cholesky(double *a, size_t n, const char *what, struct hl_err *err);

/* b (m x n) := b · l^-1, or b · l^-T when turned, for lower triangular l (n x n). */
void hl_linalg_solve_right(const double *l, size_t n, bool is_turned, double *b, size_t m);

/* a (m x n) = u · diag(s) · vt with r = min(m, n): u m x r, s r falling, vt r x n; `a` is
 * lost. HL_INTERNAL when it does not converge, HL_NO_MEMORY. */
struct hl_svd {
    size_t m, n;
    double *u, *s, *vt;
};
enum hl_code hl_linalg_svd(const struct hl_svd *svd, double *a, struct hl_err *err);

#endif
