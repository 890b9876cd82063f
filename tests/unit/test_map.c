/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/map.h"
#include "proto/fail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static struct hl_map *make_map(size_t dim_in, size_t dim_out, size_t n_hidden)
{
    struct hl_map *map = NULL;
    struct hl_err err;

    if (hl_map_new(dim_in, dim_out, n_hidden, &map, &err) != HL_OK || !map)
        abort();
    return map;
}

static void assert_floats(const float *got, const float *wanted, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_true(fabsf(got[i] - wanted[i]) < 1e-6F);
}

static void a_row_is_multiplied_moved_and_brought_to_length_1(void **state)
{
    static const float in[] = {.6F, .8F, 0, 1};
    struct hl_map *map = make_map(2, 3, 0);
    float out[6];

    (void)state;
    map->p[0] = 5; /* 5x */
    map->p[3] = 5; /* 5y */
    map->c[2] = 12;
    hl_map_rows(map, in, 2, NULL, out);
    assert_floats(
        out, (const float[]){3 / 13.F, 4 / 13.F, 12 / 13.F, 0, 5 / 13.F, 12 / 13.F}, 6);
    hl_map_free(map);
}

static void who_goes_back_is_left_the_way(void **state)
{
    static const float in[] = {3, -3};
    struct hl_map *map = make_map(1, 2, 2);
    float hidden[4], norms[2], out[4];

    (void)state;
    map->p[1] = 4;
    map->a[0] = 3;
    map->a[1] = -1;
    map->b[0] = 1;
    hl_map_forward(map, in, 2, hidden, norms, out);
    assert_floats(hidden, (const float[]){9, 0, 0, 3}, 4);
    assert_floats(norms, (const float[]){15, 12}, 2);
    assert_floats(out, (const float[]){.6F, .8F, 0, -1}, 4);
    hl_map_free(map);
}

static void a_residual_lets_through_what_is_positive_and_leaks_the_rest(void **state)
{
    static const float in[] = {1, -1};
    struct hl_map *map = make_map(1, 2, 2);
    float hidden[4], out[4];

    (void)state;
    map->slope = .25F;
    map->a[0] = 4;
    map->a[1] = -4;
    map->a_bias[0] = 2;
    map->b[0] = 1; /* the first hidden value into the first output */
    map->b[3] = 1; /* the second into the second */
    hl_map_rows(map, in, 2, hidden, out);
    assert_floats(hidden, (const float[]){6, -1, -.5F, 4}, 4);
    assert_floats(out,
                  (const float[]){6 / sqrtf(37), -1 / sqrtf(37), -.5F / sqrtf(16.25F),
                                  4 / sqrtf(16.25F)},
                  4);
    hl_map_free(map);
}

static void a_row_that_comes_out_as_zeros_stays_so(void **state)
{
    struct hl_map *map = make_map(2, 2, 0);
    float out[] = {9, 9};

    (void)state;
    hl_map_rows(map, (const float[]){1, 0}, 1, NULL, out);
    assert_floats(out, (const float[]){0, 0}, 2);
    hl_map_free(map);
}

static void a_blend_lies_between_the_two_and_has_length_1(void **state)
{
    float judged[] = {1, 0, 0, 1};

    (void)state;
    hl_map_blend(judged, (const float[]){0, 1, 0, 1}, 2, 2, .25F);
    assert_floats(judged, (const float[]){3 / sqrtf(10), 1 / sqrtf(10), 0, 1}, 4);
}

static void without_memory_there_is_no_map(void **state)
{
    enum hl_code code = HL_NO_MEMORY;

    (void)state;
    for (unsigned nth = 1; code != HL_OK; nth++) {
        struct hl_map *map = NULL;
        char rule[40];
        struct hl_err err;

        snprintf(rule, sizeof rule, "alloc=%u:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_map_new(4, 3, 2, &map, &err);
        hl_failpoint_disarm();
        assert_int_equal(code == HL_OK, nth == 3);
        assert_int_equal(code == HL_OK, map != NULL);
        if (code != HL_OK)
            assert_string_equal(err.msg, "no memory for a map from 4 to 3 dimensions");
        hl_map_free(map);
    }
}

static void sizes_that_cannot_be_multiplied_are_refused(void **state)
{
    struct hl_map *map = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_map_new(SIZE_MAX / 2, 3, 0, &map, &err), HL_NO_MEMORY);
    assert_int_equal(hl_map_new(3, 2, SIZE_MAX / 2, &map, &err), HL_NO_MEMORY);
    assert_int_equal(hl_map_new(2, SIZE_MAX / 2, SIZE_MAX / 2, &map, &err), HL_NO_MEMORY);
    assert_null(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_multiplied_moved_and_brought_to_length_1),
        cmocka_unit_test(who_goes_back_is_left_the_way),
        cmocka_unit_test(a_residual_lets_through_what_is_positive_and_leaks_the_rest),
        cmocka_unit_test(a_row_that_comes_out_as_zeros_stays_so),
        cmocka_unit_test(a_blend_lies_between_the_two_and_has_length_1),
        cmocka_unit_test(without_memory_there_is_no_map),
        cmocka_unit_test(sizes_that_cannot_be_multiplied_are_refused),
    };

    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
