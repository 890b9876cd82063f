/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/rows.h"
#include "proto/alloc.h"
#include "proto/fail.h"

#include <stdio.h>
#include <string.h>

enum { SPAN = 200000 };

/* A set and the same in plain flags. */
struct twin {
    struct hl_rows *rows;
    uint8_t *flags;
};

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

static void start_twin(struct twin *twin)
{
    twin->rows = hl_rows_new();
    twin->flags = hl_alloc_zeroed(SPAN, 1);
    assert_non_null(twin->rows);
    assert_non_null(twin->flags);
}

static void stop_twin(struct twin *twin)
{
    hl_rows_free(twin->rows);
    hl_free(twin->flags);
}

static void assert_same(const struct twin *twin)
{
    uint32_t block[100];
    uint64_t count = 0, seen = 0;
    uint32_t from = 0;
    size_t n;

    for (size_t i = 0; i < SPAN; i++)
        count += twin->flags[i];
    assert_int_equal(hl_rows_count(twin->rows), count);
    while ((n = hl_rows_list(twin->rows, from, block, 100)) > 0) {
        for (size_t i = 0; i < n; i++) {
            assert_true(block[i] >= from && block[i] < SPAN && twin->flags[block[i]]);
            assert_true(hl_rows_has(twin->rows, block[i]));
            from = block[i] + 1;
        }
        seen += n;
    }
    assert_int_equal(seen, count);
}

static void add_some(struct twin *twin, uint64_t *state, size_t n, uint32_t span)
{
    struct hl_err err;

    for (size_t i = 0; i < n; i++) {
        uint32_t number = next_random(state) % span;

        assert_int_equal(hl_rows_add(twin->rows, number, &err), HL_OK);
        twin->flags[number] = 1;
    }
}

static void a_set_has_what_was_added_and_not_removed(void **state)
{
    static const uint32_t sizes[] = {0, 1, 5, 1000, 1024, 1025, 20000, 150000};
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct twin twin;

        start_twin(&twin);
        add_some(&twin, &seed, sizes[i], SPAN);
        assert_same(&twin);
        for (uint32_t number = 0; number < SPAN; number += 1 + number % 3) {
            hl_rows_remove(twin.rows, number);
            twin.flags[number] = 0;
        }
        assert_same(&twin);
        stop_twin(&twin);
    }
}

enum operation { OR, AND, ANDNOT };

static void apply(struct twin *a, const struct twin *b, enum operation operation)
{
    struct hl_err err;
    enum hl_code code = operation == OR    ? hl_rows_or(a->rows, b->rows, &err)
                        : operation == AND ? hl_rows_and(a->rows, b->rows, &err)
                                           : hl_rows_andnot(a->rows, b->rows, &err);

    assert_int_equal(code, HL_OK);
    for (size_t i = 0; i < SPAN; i++) {
        uint8_t x = a->flags[i], y = b->flags[i];

        a->flags[i] = operation == OR ? x | y : operation == AND ? x & y : x & !y;
    }
}

static void sets_of_every_size_are_joined_exactly(void **state)
{
    static const uint32_t sizes[] = {0, 3, 900, 1500, 40000};
    uint64_t seed = 2;

    (void)state;
    for (size_t i = 0; i < 75; i++) {
        struct twin a, b;
        uint64_t common = 0;

        start_twin(&a);
        start_twin(&b);
        add_some(&a, &seed, sizes[i % 5], SPAN);
        add_some(&b, &seed, sizes[i / 5 % 5], i % 2 ? 5000 : SPAN);
        for (size_t j = 0; j < SPAN; j++)
            common += a.flags[j] & b.flags[j];
        assert_int_equal(hl_rows_count_and(a.rows, b.rows), common);
        apply(&a, &b, (enum operation)(i / 25));
        assert_same(&a);
        assert_same(&b);
        stop_twin(&a);
        stop_twin(&b);
    }
}

static void a_range_and_a_list_are_added_at_once(void **state)
{
    static const uint32_t list[] = {70000, 3, 3, 90000, 4};
    struct twin twin;
    struct hl_err err;

    (void)state;
    start_twin(&twin);
    assert_int_equal(hl_rows_add_many(twin.rows, list, 5, &err), HL_OK);
    for (size_t i = 0; i < 5; i++)
        twin.flags[list[i]] = 1;
    assert_same(&twin);
    assert_int_equal(hl_rows_add_range(twin.rows, 65000, 140000, &err), HL_OK);
    memset(twin.flags + 65000, 1, 140000 - 65000 + 1);
    assert_same(&twin);
    assert_int_equal(hl_rows_add_range(twin.rows, 5, 4, &err), HL_OK);
    assert_same(&twin);
    stop_twin(&twin);
}

static void the_largest_number_is_one_too(void **state)
{
    struct hl_rows *rows = hl_rows_new();
    struct hl_err err;
    uint32_t found;

    (void)state;
    assert_int_equal(hl_rows_add(rows, UINT32_MAX, &err), HL_OK);
    assert_true(hl_rows_has(rows, UINT32_MAX));
    assert_int_equal(hl_rows_add_range(rows, UINT32_MAX - 1, UINT32_MAX, &err), HL_OK);
    assert_int_equal(hl_rows_list(rows, UINT32_MAX, &found, 1), 1);
    assert_int_equal(found, UINT32_MAX);
    hl_rows_free(rows);
}

static void a_clone_goes_its_own_way(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (size_t n = 10; n < 100000; n *= 30) {
        struct twin twin;
        struct hl_rows *clone;

        start_twin(&twin);
        add_some(&twin, &seed, n, SPAN);
        clone = hl_rows_clone(twin.rows);
        assert_non_null(clone);
        add_some(&twin, &seed, n, SPAN);
        hl_rows_free(twin.rows);
        twin.rows = clone;
        assert_true(hl_rows_count(clone) <= n);
        stop_twin(&twin);
    }
}

/* Everything that allocates, once. */
static enum hl_code do_all(struct hl_err *err)
{
    struct hl_rows *a = hl_rows_new(), *b = hl_rows_new(), *c = NULL;
    enum hl_code code = a && b ? HL_OK : hl_fail(err, HL_NO_MEMORY, "no set");

    for (uint32_t i = 0; code == HL_OK && i < 1100; i++)
        code = hl_rows_add(a, i * 100, err);
    if (code == HL_OK)
        code = hl_rows_add(b, 7, err);
    if (code == HL_OK)
        code = hl_rows_add_range(b, 100, 70000, err);
    if (code == HL_OK)
        code = hl_rows_or(a, b, err);
    if (code == HL_OK)
        code = hl_rows_andnot(b, a, err);
    if (code == HL_OK)
        code = hl_rows_and(a, b, err);
    if (code == HL_OK) {
        c = hl_rows_clone(a);
        code = c ? HL_OK : hl_fail(err, HL_NO_MEMORY, "no clone");
    }
    hl_rows_free(a);
    hl_rows_free(b);
    hl_rows_free(c);
    return code;
}

static void without_memory_a_change_fails_and_nothing_is_lost(void **state)
{
    struct hl_err err;
    enum hl_code code = HL_NO_MEMORY;
    size_t n = 0;

    (void)state;
    while (code != HL_OK) {
        char rule[64];

        snprintf(rule, sizeof rule, "alloc=%zu:fail", ++n);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = do_all(&err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_true(n > 80);
}

static void few_numbers_take_few_bytes(void **state)
{
    struct hl_rows *rows = hl_rows_new();
    struct hl_err err;

    (void)state;
    for (uint32_t i = 0; i < 250; i++)
        assert_int_equal(hl_rows_add(rows, i * 4000, &err), HL_OK);
    assert_true(hl_rows_bytes(rows) < 1600);
    hl_rows_free(rows);
}

static void a_clone_of_one_number_takes_another(void **state)
{
    struct hl_rows *one = hl_rows_new(), *clone;
    struct hl_err err;

    (void)state;
    assert_non_null(one);
    assert_int_equal(hl_rows_add(one, 7, &err), HL_OK);
    clone = hl_rows_clone(one);
    assert_non_null(clone);
    for (uint32_t number = 8; number < 20; number++)
        assert_int_equal(hl_rows_add(clone, number, &err), HL_OK);
    assert_int_equal(hl_rows_count(clone), 13);
    assert_int_equal(hl_rows_count(one), 1);
    hl_rows_free(clone);
    hl_rows_free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clone_of_one_number_takes_another),
        cmocka_unit_test(a_set_has_what_was_added_and_not_removed),
        cmocka_unit_test(sets_of_every_size_are_joined_exactly),
        cmocka_unit_test(a_range_and_a_list_are_added_at_once),
        cmocka_unit_test(the_largest_number_is_one_too),
        cmocka_unit_test(a_clone_goes_its_own_way),
        cmocka_unit_test(without_memory_a_change_fails_and_nothing_is_lost),
        cmocka_unit_test(few_numbers_take_few_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
