/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/linalg.h"
#include "proto/fail.h"

#include <math.h>

static void assert_floats(const float *got, const float *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_true(fabsf(got[i] - wanted[i]) < 1e-5F);
}

static void assert_doubles(const double *got, const double *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_true(fabs(got[i] - wanted[i]) < 1e-12);
}

static void products_are_by_rows_whichever_way_a_side_is_turned(void **state)
{
    static const float a[] = {1, 2, 3, 4, 5, 6}, at[] = {1, 4, 2, 5, 3, 6};
    static const float b[] = {1, 0, 2, 1, 0, 3}, bt[] = {1, 2, 0, 0, 1, 3};
    static const float wanted[] = {5 + 10, 11 + 10, 14 + 10, 23 + 10};

    (void)state;
    for (int turned = 0; turned < 4; turned++) {
        struct hl_product product = {.m = 2,
                                     .n = 2,
                                     .k = 3,
                                     .is_a_turned = turned & 1,
                                     .is_b_turned = turned & 2,
                                     .alpha = 1,
                                     .beta = 2};
        float c[] = {5, 5, 5, 5};

        hl_linalg_multiply(&product, turned & 1 ? at : a, turned & 2 ? bt : b, c);
        assert_floats(c, wanted, 4);
    }
}

static void rows_come_to_length_1_but_for_zeros(void **state)
{
    float rows[] = {3, 4, 0, 0, 1e-15F, 0, 1e15F, 0}, norms[4];

    (void)state;
    hl_linalg_normalise(rows, 4, 2, norms);
    assert_floats(rows, (const float[]){.6F, .8F, 0, 0, 1, 0, 1, 0}, 8);
    assert_floats(norms, (const float[]){5, 0, 0}, 3);
}

static void cholesky_gives_a_lower_factor_that_solves(void **state)
{
    double a[] = {4, 2, 2, 5}, b[] = {8, 9}, turned[] = {8, 9};
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_linalg_cholesky(a, 2, "it", &err), HL_OK);
    assert_doubles(a, (const double[]){2, 0, 1, 2}, 4);
    hl_linalg_solve_right(a, 2, false, b, 1); /* x·l = b */
    assert_doubles(b, (const double[]){1.75, 4.5}, 2);
    hl_linalg_solve_right(a, 2, true, turned, 1); /* x·l^T = b */
    assert_doubles(turned, (const double[]){4, 2.5}, 2);
}

static void what_is_not_positive_definite_has_no_factor(void **state)
{
    double a[] = {1, 2, 2, 1}, nan[] = {(double)NAN, 0, 0, 1};
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_linalg_cholesky(a, 2, "the square", &err), HL_INVALID);
    assert_string_equal(err.msg, "the square is not positive definite");
    assert_int_equal(hl_linalg_cholesky(nan, 2, "the square", &err), HL_INVALID);
}

/* Puts together again what was taken apart, wide and tall. */
static void assert_svd(const double *a, size_t m, size_t n)
{
    double copy[12], u[12], s[4], vt[12], again[12];
    size_t r = m < n ? m : n;
    struct hl_svd svd = {.m = m, .n = n, .u = u, .s = s, .vt = vt};
    struct hl_err err;

    for (size_t i = 0; i < m * n; i++)
        copy[i] = a[i];
    assert_int_equal(hl_linalg_svd(&svd, copy, &err), HL_OK);
    for (size_t i = 0; i + 1 < r; i++)
        assert_true(s[i] >= s[i + 1] && s[i + 1] >= 0);
    for (size_t i = 0; i < m * r; i++)
        u[i] *= s[i % r];
    hl_linalg_multiply_double(&(struct hl_product){.m = m, .n = n, .k = r, .alpha = 1}, u,
                              vt, again);
    assert_doubles(again, a, m * n);
}

static void singular_values_put_a_matrix_together_again(void **state)
{
    static const double a[] = {1, 2, 3, 4, 5, 6, 7, 8, 10, -1, 2, 0}, none[12] = {0};

    (void)state;
    assert_svd(a, 3, 4);
    assert_svd(a, 4, 3);
    assert_svd(a, 1, 4);
    assert_svd(none, 4, 3);
}

static void a_matrix_of_no_numbers_cannot_be_decomposed(void **state)
{
    double a[] = {(double)NAN, 1, 2, 3}, u[4], s[2], vt[4];
    struct hl_svd svd = {.m = 2, .n = 2, .u = u, .s = s, .vt = vt};
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_linalg_svd(&svd, a, &err), HL_INTERNAL);
    assert_string_equal(err.msg, "could not decompose a matrix of 2 x 2");
}

static void without_memory_nothing_is_decomposed(void **state)
{
    static const char *const rules[] = {"alloc=1:fail", "alloc=2:fail"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        double a[] = {1, 2, 3, 4}, u[4], s[2], vt[4];
        struct hl_svd svd = {.m = 2, .n = 2, .u = u, .s = s, .vt = vt};
        struct hl_err err;

        assert_int_equal(hl_failpoint_arm(rules[i], &err), HL_OK);
        assert_int_equal(hl_linalg_svd(&svd, a, &err), HL_NO_MEMORY);
        hl_failpoint_disarm();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_by_rows_whichever_way_a_side_is_turned),
        cmocka_unit_test(rows_come_to_length_1_but_for_zeros),
        cmocka_unit_test(cholesky_gives_a_lower_factor_that_solves),
        cmocka_unit_test(what_is_not_positive_definite_has_no_factor),
        cmocka_unit_test(singular_values_put_a_matrix_together_again),
        cmocka_unit_test(a_matrix_of_no_numbers_cannot_be_decomposed),
        cmocka_unit_test(without_memory_nothing_is_decomposed),
    };

    return cmocka_run_group_tests_name("linalg", tests, NULL, NULL);
}
