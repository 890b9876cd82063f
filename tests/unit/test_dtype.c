/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dtype.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void every_type_is_found_by_its_name(void **state)
{
    enum hl_dtype found;

    (void)state;
    for (int type = 0; type < HL_N_DTYPES; type++) {
        const char *name = hl_dtype_name((enum hl_dtype)type);

        assert_true(hl_dtype_find(name, strlen(name), &found));
        assert_int_equal(found, type);
    }
    assert_false(hl_dtype_find("F3", 2, &found));
    assert_false(hl_dtype_find("", 0, &found));
}

/* What becomes of one double: 1 and a float, or 0. */
static size_t narrow(double from, float *ret_value)
{
    struct hl_memory memory = {.bytes = &from, .size = sizeof from};
    struct hl_source source = hl_source_of_memory(&memory, "x");
    struct hl_numbers numbers = {.source = &source, .type = HL_DTYPE_F64};
    struct hl_run run = {.n = 1, .stride = 1};
    size_t n = 7;
    struct hl_err err;

    assert_int_equal(hl_numbers_floats(&numbers, &run, ret_value, &n, &err), HL_OK);
    return n;
}

static void a_double_is_refused_exactly_where_it_would_become_infinite(void **state)
{
    const double halfway = 0x1.ffffffp127;
    float value = 0.0F;

    (void)state;
    assert_int_equal(narrow((double)FLT_MAX, &value), 1);
    assert_int_equal(narrow(nextafter(halfway, 0.0), &value), 1);
    assert_true(value >= FLT_MAX && isfinite(value));
    assert_int_equal(narrow(halfway, &value), 0);
    assert_int_equal(narrow(-halfway, &value), 0);
    assert_int_equal(narrow(DBL_MAX, &value), 0);
    assert_int_equal(narrow((double)INFINITY, &value), 1);
    assert_true(isinf(value));
    assert_int_equal(narrow((double)NAN, &value), 1);
    assert_true(isnan(value));
    assert_int_equal(narrow(1e-320, &value), 1);
    assert_true(fpclassify(value) == FP_ZERO);
}

enum { MANY = 20001 }; /* several chunks of any type */

static void long_runs_and_strides_lose_nothing(void **state)
{
    int64_t *from = calloc(MANY, sizeof *from), *values = calloc(MANY, 2 * sizeof *values);
    unsigned char *bytes = malloc((size_t)MANY * 8);

    (void)state;
    for (int i = 0; i < MANY; i++)
        from[i] = i % 128;
    for (int type = HL_DTYPE_I8; type < HL_N_DTYPES; type++) {
        struct hl_memory memory = {bytes, MANY * hl_dtype_size((enum hl_dtype)type)};
        struct hl_source source = hl_source_of_memory(&memory, "x");
        struct hl_numbers numbers = {.source = &source, .type = (enum hl_dtype)type};
        struct hl_run run = {.first = 1, .n = MANY - 1, .stride = 2};
        size_t n = 0;
        struct hl_err err;

        assert_int_equal(hl_dtype_of_i64((enum hl_dtype)type, from, MANY, bytes), MANY);
        memset(values, 0xff, (size_t)MANY * 2 * sizeof *values);
        assert_int_equal(hl_numbers_i64(&numbers, &run, values, &n, &err), HL_OK);
        assert_int_equal(n, MANY - 1);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(values[2 * i], from[i + 1]);
            assert_int_equal(values[2 * i + 1], -1);
        }
        run.n = MANY;
        assert_int_equal(hl_numbers_i64(&numbers, &run, values, &n, &err), HL_BAD_FILE);
    }
    free(from);
    free(values);
    free(bytes);
}

static void an_offset_that_wraps_is_a_bad_file(void **state)
{
    struct hl_memory memory = {.bytes = "12345678", .size = 8};
    struct hl_source source = hl_source_of_memory(&memory, "x");
    struct hl_numbers numbers = {.source = &source, .type = HL_DTYPE_F32, .start = 4};
    struct hl_run run = {.first = UINT64_MAX / 4 + 1, .n = 1, .stride = 1};
    float value;
    size_t n;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_numbers_floats(&numbers, &run, &value, &n, &err), HL_BAD_FILE);
    run.first = UINT64_MAX / 4;
    assert_int_equal(hl_numbers_floats(&numbers, &run, &value, &n, &err), HL_BAD_FILE);
}

static void a_float_too_large_for_its_type_stops_the_way_back(void **state)
{
    const float values[] = {1.0F, INFINITY, FLT_MAX};
    double bytes[3];

    (void)state;
    assert_int_equal(hl_dtype_of_floats(HL_DTYPE_F16, values, 3, bytes), 2);
    assert_int_equal(hl_dtype_of_floats(HL_DTYPE_BF16, values, 3, bytes), 2);
    assert_int_equal(hl_dtype_of_floats(HL_DTYPE_F32, values, 3, bytes), 3);
    assert_int_equal(hl_dtype_of_floats(HL_DTYPE_F64, values, 3, bytes), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_found_by_its_name),
        cmocka_unit_test(a_double_is_refused_exactly_where_it_would_become_infinite),
        cmocka_unit_test(long_runs_and_strides_lose_nothing),
        cmocka_unit_test(an_offset_that_wraps_is_a_bad_file),
        cmocka_unit_test(a_float_too_large_for_its_type_stops_the_way_back),
    };

    return cmocka_run_group_tests_name("dtype", tests, NULL, NULL);
}
