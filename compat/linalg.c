/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/linalg.h"

#include "compat/compat.h"
#include "proto/alloc.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>

const char *hl_compat_blas(void)
{
    return openblas_get_config();
}

const char *hl_compat_blas_core(void)
{
    return openblas_get_corename();
}

void hl_compat_hold_to_one_thread(void)
{
    openblas_set_num_threads(1);
}

/* ---- products ---- */

static CBLAS_TRANSPOSE turn_of(bool is_turned)
{
    return is_turned ? CblasTrans : CblasNoTrans;
}

void hl_linalg_multiply(const struct hl_product *product, const float *a, const float *b,
                        float *c)
{
    blasint m = (blasint)product->m, n = (blasint)product->n, k = (blasint)product->k;

    cblas_sgemm(CblasRowMajor, turn_of(product->is_a_turned), turn_of(product->is_b_turned),
                m, n, k, product->alpha, a, product->is_a_turned ? m : k, b,
                product->is_b_turned ? k : n, product->beta, c, n);
}

void hl_linalg_multiply_double(const struct hl_product *product, const double *a,
                               const double *b, double *c)
{
    blasint m = (blasint)product->m, n = (blasint)product->n, k = (blasint)product->k;

    cblas_dgemm(CblasRowMajor, turn_of(product->is_a_turned), turn_of(product->is_b_turned),
                m, n, k, (double)product->alpha, a, product->is_a_turned ? m : k, b,
                product->is_b_turned ? k : n, (double)product->beta, c, n);
}

float hl_linalg_dot(const float *x, const float *y, size_t n)
{
    return cblas_sdot((blasint)n, x, 1, y, 1);
}

void hl_linalg_add(float *y, float alpha, const float *x, size_t n)
{
    cblas_saxpy((blasint)n, alpha, x, 1, y, 1);
}

double hl_linalg_dot_double(const double *x, const double *y, size_t n)
{
    return cblas_ddot((blasint)n, x, 1, y, 1);
}

void hl_linalg_add_double(double *y, double alpha, const double *x, size_t n)
{
    cblas_daxpy((blasint)n, alpha, x, 1, y, 1);
}

void hl_linalg_normalise(float *rows, size_t n, size_t dim, float *norms)
{
    for (size_t row = 0; row < n; row++) {
        float *values = rows + row * dim;
        float norm = sqrtf(hl_linalg_dot(values, values, dim));

        if (norm > 0)
            cblas_sscal((blasint)dim, 1 / norm, values, 1);
        if (norms)
            norms[row] = norm;
    }
}

/* ---- decompositions ---- */

enum hl_code hl_linalg_cholesky(double *a, size_t n, const char *what, struct hl_err *err)
{
    bool is_good =
        LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)n, a, (lapack_int)n) == 0;

    /* OpenBLAS lets what is not a number pass; it reaches the diagonal. */
    for (size_t row = 0; row < n; row++)
        is_good = is_good && isfinite(a[row * n + row]) && a[row * n + row] > 0;
    if (!is_good)
        return hl_fail(err, HL_INVALID, "%s is not positive definite", what);
    /* The upper triangle by columns is the lower one by rows. */
    for (size_t row = 0; row < n; row++)
        for (size_t column = row + 1; column < n; column++)
            a[row * n + column] = 0;
    return HL_OK;
}

void hl_linalg_solve_right(const double *l, size_t n, bool is_turned, double *b, size_t m)
{
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, turn_of(is_turned), CblasNonUnit,
                (blasint)m, (blasint)n, 1, l, (blasint)n, b, (blasint)n);
}

/* Read by columns a is a^T = v · s · u^T: the two sides change places. */
enum hl_code hl_linalg_svd(const struct hl_svd *svd, double *a, struct hl_err *err)
{
    lapack_int m = (lapack_int)svd->n, n = (lapack_int)svd->m, r = m < n ? m : n, info;
    lapack_int *whole = hl_alloc_zeroed((size_t)r * 8, sizeof *whole);
    double wanted = 0, *work = NULL;

    if (!whole)
        return hl_fail(err, HL_NO_MEMORY, "no memory to decompose a matrix");
    info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', m, n, a, m, svd->s, svd->vt, m,
                               svd->u, r, &wanted, -1, whole);
    if (info == 0)
        work = hl_alloc_zeroed((size_t)wanted + 1, sizeof *work);
    if (work)
        info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', m, n, a, m, svd->s, svd->vt, m,
                                   svd->u, r, work, (lapack_int)wanted, whole);
    hl_free(whole);
    if (!work)
        return hl_fail(err, HL_NO_MEMORY, "no memory to decompose a matrix of %zu x %zu",
                       svd->m, svd->n);
    hl_free(work);
    if (info != 0)
        return hl_fail(err, HL_INTERNAL, "could not decompose a matrix of %zu x %zu",
                       svd->m, svd->n);
    return HL_OK;
}
