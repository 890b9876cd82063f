/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/fail.h"

#include <string.h>

static int disarm(void **state)
{
    (void)state;
    hl_failpoint_disarm();
    return 0;
}

static void products_and_sums_that_do_not_fit_are_refused(void **state)
{
    size_t out = 7;

    (void)state;
    assert_false(hl_size_mul(SIZE_MAX / 2 + 1, 2, &out));
    assert_false(hl_size_add(SIZE_MAX, 1, &out));
    assert_true(hl_size_mul(SIZE_MAX / 2, 2, &out));
    assert_int_equal(out, SIZE_MAX - 1);
    assert_true(hl_size_mul(0, SIZE_MAX, &out));
    assert_int_equal(out, 0);
    assert_true(hl_size_add(SIZE_MAX - 1, 1, &out));
    assert_int_equal(out, SIZE_MAX);
    assert_null(hl_alloc_zeroed(SIZE_MAX / 2, 3));
}

static void no_bytes_are_still_memory(void **state)
{
    void *memory[] = {hl_alloc(0), hl_alloc_zeroed(0, 8), hl_alloc_aligned(64, 0),
                      hl_realloc(NULL, 0), hl_strdup("")};

    (void)state;
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        assert_non_null(memory[i]);
        hl_free(memory[i]);
    }
    hl_free(NULL);
}

static void zeroed_memory_is_zero(void **state)
{
    static const char zeros[300];
    char *memory = hl_alloc_zeroed(100, 3);

    (void)state;
    assert_memory_equal(memory, zeros, sizeof zeros);
    hl_free(memory);
}

static void any_power_of_two_is_an_alignment(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        void *memory = hl_alloc_aligned(alignment, 24);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % alignment, 0);
        hl_free(memory);
    }
}

static void what_could_not_grow_is_as_it_was(void **state)
{
    char *text = hl_strdup("kept");
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_null(hl_realloc(text, 1000));
    assert_string_equal(text, "kept");
    text = hl_realloc(text, 1000);
    assert_string_equal(text, "kept");
    hl_free(text);
}

static void every_allocation_passes_the_failpoint(void **state)
{
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1+:fail", &err), HL_OK);
    assert_null(hl_alloc(1));
    assert_null(hl_alloc_zeroed(1, 1));
    assert_null(hl_alloc_aligned(64, 1));
    assert_null(hl_realloc(NULL, 1));
    assert_null(hl_strdup("x"));
    assert_int_equal(hl_failpoint_count(HL_FAIL_ALLOC), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_and_sums_that_do_not_fit_are_refused),
        cmocka_unit_test(no_bytes_are_still_memory),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(any_power_of_two_is_an_alignment),
        cmocka_unit_test_teardown(what_could_not_grow_is_as_it_was, disarm),
        cmocka_unit_test_teardown(every_allocation_passes_the_failpoint, disarm),
    };

    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
