/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/arena.h"
#include "proto/fail.h"
#include "proto/utf8.h"

#include <stdbool.h>
#include <string.h>

static int disarm(void **state)
{
    (void)state;
    hl_failpoint_disarm();
    return 0;
}

static void what_it_gives_is_aligned_and_apart(void **state)
{
    struct hl_arena *arena = hl_arena_new(1 << 20);

    (void)state;
    for (size_t bytes = 0; bytes < 300; bytes++) {
        unsigned char *memory = hl_arena_alloc(arena, bytes);
        float *floats = hl_arena_floats(arena, bytes, 1);

        assert_int_equal((uintptr_t)memory % 16, 0);
        assert_int_equal((uintptr_t)floats % 64, 0);
        memset(memory, 0xff, bytes);
        memset(floats, 0, bytes * sizeof *floats);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(memory[i], 0xff);
    }
    hl_arena_free(arena);
}

/* Whether an arena of that ceiling gives the bytes, and never takes more than it may. */
static bool fits(size_t ceiling, size_t bytes)
{
    struct hl_arena *arena = hl_arena_new(ceiling);
    bool given = hl_arena_alloc(arena, bytes) != NULL;
    struct hl_err err;

    assert_true(hl_arena_used(arena) <= ceiling);
    if (!given) {
        assert_int_equal(hl_arena_fail(arena, &err, "%d rows", 3), HL_TOO_LARGE);
        assert_non_null(strstr(err.msg, "no room for 3 rows: one request may use"));
    }
    hl_arena_free(arena);
    return given;
}

static void the_ceiling_is_exact(void **state)
{
    (void)state;
    assert_true(fits(64 + 1000, 1000));
    assert_false(fits(64 + 999, 1000));
    assert_true(fits(64 + (5 << 20), 5 << 20));
    assert_false(fits(64 + (5 << 20) - 1, 5 << 20));
    assert_false(fits(0, 0));
    assert_false(fits(SIZE_MAX / 2, SIZE_MAX / 2 + 1));
    assert_false(fits(1 << 20, SIZE_MAX));
}

static void many_small_pieces_never_pass_the_ceiling(void **state)
{
    struct hl_arena *arena = hl_arena_new(300000);
    size_t n = 0;

    (void)state;
    while (hl_arena_alloc(arena, 16)) {
        n++;
        assert_true(hl_arena_used(arena) <= 300000);
    }
    assert_true(n * 16 > 290000); /* and little is wasted on the way */
    hl_arena_free(arena);
}

static void products_that_wrap_are_too_large(void **state)
{
    struct hl_arena *arena = hl_arena_new(1 << 20);
    struct hl_err err;

    (void)state;
    assert_null(hl_arena_array(arena, SIZE_MAX / 2, 3));
    assert_int_equal(hl_arena_fail(arena, &err, "x"), HL_TOO_LARGE);
    assert_non_null(hl_arena_alloc(arena, 1));
    assert_null(hl_arena_floats(arena, (size_t)1 << 40, (size_t)1 << 40));
    assert_int_equal(hl_arena_fail(arena, &err, "x"), HL_TOO_LARGE);
    assert_non_null(hl_arena_alloc(arena, 1));
    assert_null(hl_arena_floats(arena, SIZE_MAX / 4 + 1, 1));
    assert_null(hl_arena_copy(arena, "", SIZE_MAX));
    assert_int_equal(hl_arena_fail(arena, &err, "x"), HL_TOO_LARGE);
    hl_arena_free(arena);
}

static void the_system_s_refusal_is_not_the_caller_s_fault(void **state)
{
    struct hl_arena *arena = hl_arena_new(1 << 20);
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_null(hl_arena_alloc(arena, 10));
    assert_int_equal(hl_arena_fail(arena, &err, "%s", "ids"), HL_NO_MEMORY);
    assert_string_equal(err.msg, "no memory for ids");
    assert_int_equal(hl_arena_used(arena), 0);
    assert_non_null(hl_arena_alloc(arena, 10));
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_null(hl_arena_new(10));
    hl_arena_free(arena);
    hl_arena_free(NULL);
}

static void a_reset_keeps_the_first_block_alone(void **state)
{
    struct hl_arena *arena = hl_arena_new(8 << 20);
    void *first = hl_arena_alloc(arena, 100);
    size_t used = hl_arena_used(arena);
    struct hl_err err;

    (void)state;
    assert_non_null(hl_arena_alloc(arena, 3 << 20));
    assert_true(hl_arena_used(arena) > 3 << 20);
    hl_arena_reset(arena);
    assert_int_equal(hl_arena_used(arena), used);
    assert_int_equal(hl_failpoint_arm("alloc=1+:fail", &err), HL_OK);
    assert_ptr_equal(hl_arena_alloc(arena, 100), first);
    hl_failpoint_disarm();
    assert_non_null(hl_arena_alloc(arena, (8 << 20) - used - 64));
    hl_arena_free(arena);
}

static void a_reset_gives_a_large_first_block_back(void **state)
{
    struct hl_arena *arena = hl_arena_new(8 << 20);

    (void)state;
    hl_arena_reset(arena);
    assert_non_null(hl_arena_alloc(arena, 3 << 20));
    hl_arena_reset(arena);
    assert_int_equal(hl_arena_used(arena), 0);
    assert_non_null(hl_arena_alloc(arena, (8 << 20) - 64));
    hl_arena_free(arena);
}

static void texts_are_copied_and_printed_terminated(void **state)
{
    struct hl_arena *arena = hl_arena_new(1 << 20);

    (void)state;
    assert_memory_equal(hl_arena_copy(arena, "a\0bc", 3), "a\0b\0", 4);
    assert_string_equal(hl_arena_copy(arena, "", 0), "");
    assert_string_equal(hl_arena_print(arena, "%s-%d", "x", 12), "x-12");
    assert_string_equal(hl_arena_print(arena, "%s", ""), "");
    hl_arena_free(arena);
}

static void a_long_name_in_the_sentence_is_cut_between_characters(void **state)
{
    struct hl_arena *arena = hl_arena_new(0);

    (void)state;
    for (size_t n_before = 0; n_before < 4; n_before++) {
        char name[700] = {0};
        struct hl_err err;

        memset(name, 'x', n_before);
        for (size_t i = n_before; i + 1 < sizeof name; i++)
            name[i] = "\xf0\x9f\x98\x80"[(i - n_before) % 4];
        assert_null(hl_arena_alloc(arena, 1));
        assert_int_equal(hl_arena_fail(arena, &err, "%s", name), HL_TOO_LARGE);
        assert_int_equal(hl_utf8_valid_len(err.msg, strlen(err.msg)), strlen(err.msg));
    }
    hl_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_gives_is_aligned_and_apart),
        cmocka_unit_test(the_ceiling_is_exact),
        cmocka_unit_test(many_small_pieces_never_pass_the_ceiling),
        cmocka_unit_test(products_that_wrap_are_too_large),
        cmocka_unit_test_teardown(the_system_s_refusal_is_not_the_caller_s_fault, disarm),
        cmocka_unit_test_teardown(a_reset_keeps_the_first_block_alone, disarm),
        cmocka_unit_test(a_reset_gives_a_large_first_block_back),
        cmocka_unit_test(texts_are_copied_and_printed_terminated),
        cmocka_unit_test(a_long_name_in_the_sentence_is_cut_between_characters),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
