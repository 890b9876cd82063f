/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/gemv.h"
#include "proto/alloc.h"
#include "proto/half.h"
#include "proto/random.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = 200 };

/* The tables that this processor can run. */
static size_t find_tables(const struct hl_gemv *tables[3])
{
    static const char *const names[] = {"portable", "avx2", "avx512"};
    struct hl_err err;
    size_t n = 0;

    for (size_t i = 0; i < 3; i++)
        if (hl_gemv_find(names[i], &tables[n], &err) == HL_OK)
            assert_string_equal(tables[n++]->name, names[i]);
    return n;
}

/* Everything of one product, each part one float off its alignment. */
struct product {
    float rows[MOST * MOST], x[MOST + 1], y[MOST + HL_GEMV_GROUP + 1];
    float rounded[MOST * MOST];
    float *floats;
    uint16_t *bfloats;
};

static struct product *make_product(void)
{
    struct product *product = hl_alloc_zeroed(1, sizeof *product);
    size_t n = (size_t)(MOST + HL_GEMV_GROUP) * MOST;
    struct hl_random random = {7};

    if (!product)
        abort();
    product->floats = hl_alloc_aligned(HL_GEMV_ALIGNMENT, n * sizeof(float));
    product->bfloats = hl_alloc_aligned(HL_GEMV_ALIGNMENT, n * sizeof(uint16_t));
    if (!product->floats || !product->bfloats)
        abort();
    for (size_t i = 0; i < (size_t)MOST * MOST; i++)
        product->rows[i] = (float)hl_random_below(&random, 20001) / 10000 - 1;
    for (size_t i = 0; i <= MOST; i++)
        product->x[i] = (float)hl_random_below(&random, 20001) / 10000 - 1;
    return product;
}

static void free_product(struct product *product)
{
    hl_free(product->floats);
    hl_free(product->bfloats);
    hl_free(product);
}

/* y against sums in double, and what was filled up is zero. */
static void assert_product(const struct product *product, const float *rows, size_t n_rows,
                           size_t n_columns)
{
    const float *x = product->x + 1, *y = product->y + 1;

    for (size_t row = 0; row < n_rows; row++) {
        double sum = (double)row, size = (double)row;

        for (size_t i = 0; i < n_columns; i++) {
            sum += (double)rows[row * n_columns + i] * (double)x[i];
            size += fabs((double)rows[row * n_columns + i] * (double)x[i]);
        }
        assert_true(fabs(sum - (double)y[row]) <= 3e-6 * size);
    }
    for (size_t row = n_rows; row < hl_gemv_rows(n_rows); row++)
        assert_true(fabsf(y[row] - (float)row) < 1e-30F);
}

static void multiply_both_ways(const struct hl_gemv *gemv, struct product *product,
                               size_t n_rows, size_t n_columns)
{
    size_t n = hl_gemv_rows(n_rows);
    float *y = product->y + 1;

    for (size_t row = 0; row < n; row++)
        y[row] = (float)row;
    hl_gemv_pack_floats(product->rows, n_rows, n_columns, product->floats);
    gemv->floats(product->floats, n, n_columns, product->x + 1, y);
    assert_product(product, product->rows, n_rows, n_columns);

    for (size_t row = 0; row < n; row++)
        y[row] = (float)row;
    hl_gemv_pack_bfloats(product->rows, n_rows, n_columns, product->bfloats);
    gemv->bfloats(product->bfloats, n, n_columns, product->x + 1, y);
    for (size_t i = 0; i < n_rows * n_columns; i++) {
        uint16_t bfloat;

        hl_bfloat_from_floats(&product->rows[i], 1, &bfloat);
        hl_bfloat_to_floats(&bfloat, 1, &product->rounded[i]);
    }
    assert_product(product, product->rounded, n_rows, n_columns);
}

static void every_size_comes_out_as_in_double(void **state)
{
    const struct hl_gemv *tables[3];
    size_t n_tables = find_tables(tables);
    struct product *product = make_product();

    (void)state;
    for (size_t table = 0; table < n_tables; table++) {
        for (size_t n_rows = 1; n_rows <= 70; n_rows++)
            for (size_t n_columns = 0; n_columns <= 70; n_columns++)
                multiply_both_ways(tables[table], product, n_rows, n_columns);
        multiply_both_ways(tables[table], product, MOST, MOST);
        multiply_both_ways(tables[table], product, 129, MOST - 1);
    }
    free_product(product);
}

static void rows_are_filled_up_to_groups(void **state)
{
    (void)state;
    assert_int_equal(hl_gemv_rows(0), 0);
    assert_int_equal(hl_gemv_rows(1), 32);
    assert_int_equal(hl_gemv_rows(32), 32);
    assert_int_equal(hl_gemv_rows(33), 64);
    assert_int_equal(hl_gemv_rows(768), 768);
}

static void a_table_is_found_by_its_name(void **state)
{
    const struct hl_gemv *gemv = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_gemv_find("portable", &gemv, &err), HL_OK);
    assert_ptr_equal(gemv, &hl_gemv_portable);
    assert_int_equal(hl_gemv_find("auto", &gemv, &err), HL_OK);
#ifdef __x86_64__
    assert_true(!__builtin_cpu_supports("avx512f") || gemv == &hl_gemv_avx512);
#endif
}

static void an_unknown_table_is_refused(void **state)
{
    const struct hl_gemv *gemv = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_gemv_find("sse9", &gemv, &err), HL_INVALID);
    assert_string_equal(
        err.msg, "kernels \"sse9\" are unknown, wanted auto, avx512, avx2 or portable");
    assert_null(gemv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_comes_out_as_in_double),
        cmocka_unit_test(rows_are_filled_up_to_groups),
        cmocka_unit_test(a_table_is_found_by_its_name),
        cmocka_unit_test(an_unknown_table_is_refused),
    };

    return cmocka_run_group_tests_name("gemv", tests, NULL, NULL);
}
