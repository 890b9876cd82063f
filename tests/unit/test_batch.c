/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/batch.h"

#include <math.h>
#include <string.h>

static struct hl_arena *arena;

static int open_arena(void **state)
{
    (void)state;
    arena = hl_arena_new(1 << 20);
    return arena ? 0 : -1;
}

static int free_arena(void **state)
{
    (void)state;
    hl_arena_free(arena);
    return 0;
}

static void rows_lie_one_behind_another(void **state)
{
    struct hl_batch batch;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_batch_new(arena, 5, 3, &batch, &err), HL_OK);
    assert_int_equal(batch.n_rows, 5);
    assert_int_equal(batch.dim, 3);
    assert_ptr_equal(hl_batch_row(&batch, 4), batch.values + 12);
}

static void sizes_that_make_no_batch_are_refused(void **state)
{
    static const struct {
        size_t n_rows, dim;
        enum hl_code code;
    } rows[] = {
        {0, 3, HL_INVALID},
        {3, 0, HL_INVALID},
        {1 << 20, 1, HL_TOO_LARGE},
        {SIZE_MAX, 2, HL_TOO_LARGE},
        {(size_t)1 << 62, 4, HL_TOO_LARGE},
    };
    struct hl_batch batch = {.dim = 77};
    struct hl_err err;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(hl_batch_new(arena, rows[i].n_rows, rows[i].dim, &batch, &err),
                         rows[i].code);
    assert_int_equal(batch.dim, 77);
}

static void the_first_number_that_is_none_is_named(void **state)
{
    float values[12] = {0};
    struct hl_batch batch = {.values = values, .n_rows = 4, .dim = 3};
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_batch_check_finite(&batch, &err), HL_OK);
    values[11] = NAN;
    assert_int_equal(hl_batch_check_finite(&batch, &err), HL_INVALID);
    assert_string_equal(err.msg,
                        "number 2 of vector 3 is not a number, a finite number was wanted");
    values[4] = -INFINITY;
    assert_int_equal(hl_batch_check_finite(&batch, &err), HL_INVALID);
    assert_string_equal(err.msg,
                        "number 1 of vector 1 is infinite, a finite number was wanted");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_lie_one_behind_another, open_arena,
                                        free_arena),
        cmocka_unit_test_setup_teardown(sizes_that_make_no_batch_are_refused, open_arena,
                                        free_arena),
        cmocka_unit_test(the_first_number_that_is_none_is_named),
    };

    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
