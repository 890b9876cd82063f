/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/sorted.h"
#include "proto/fail.h"

#include <stdlib.h>

/* Every pair of these may be there. */
enum { N_KEYS = 60, N_NUMBERS = 50, N_STEPS = 20000 };

struct twin {
    struct hl_sorted *order;
    bool has[N_KEYS][N_NUMBERS];
    struct hl_err err;
};

static uint32_t pick(uint64_t *seed, uint32_t n)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33) % n;
}

/* The last key is the largest there can be. */
static uint64_t key_at(size_t i)
{
    return i == N_KEYS - 1 ? UINT64_MAX : i * 3;
}

static void assert_same(const struct twin *twin)
{
    struct hl_sorted_cursor cursor = hl_sorted_seek(twin->order, 0);
    uint32_t number;
    uint64_t key;

    for (size_t i = 0; i < N_KEYS; i++) {
        uint64_t count = 0;

        for (uint32_t j = 0; j < N_NUMBERS; j++)
            if (twin->has[i][j]) {
                assert_true(hl_sorted_next(twin->order, &cursor, &key, &number));
                assert_true(key == key_at(i) && number == UINT32_MAX - N_NUMBERS + 1 + j);
                count++;
            }
        assert_int_equal(hl_sorted_count(twin->order, key_at(i), key_at(i)), count);
    }
    assert_false(hl_sorted_next(twin->order, &cursor, &key, &number));
}

/* What comes forwards comes backwards too, from both kinds of end. */
static void assert_same_backwards(const struct twin *twin)
{
    struct hl_sorted_cursor cursor = hl_sorted_end(twin->order);
    uint64_t key;
    uint32_t number;

    for (size_t i = N_KEYS; i > 0; i--) {
        for (uint32_t j = N_NUMBERS; j > 0; j--)
            if (twin->has[i - 1][j - 1]) {
                assert_true(hl_sorted_previous(twin->order, &cursor, &key, &number));
                assert_true(key == key_at(i - 1) && number == UINT32_MAX - N_NUMBERS + j);
            }
        cursor = hl_sorted_seek(twin->order, key_at(i - 1));
    }
    assert_false(hl_sorted_previous(twin->order, &cursor, &key, &number));
}

static void change(struct twin *twin, size_t i, uint32_t j, bool adds)
{
    uint32_t number = UINT32_MAX - N_NUMBERS + 1 + j;
    bool is_new = false;

    if (adds) {
        assert_int_equal(hl_sorted_add(twin->order, key_at(i), number, &is_new, &twin->err),
                         HL_OK);
        assert_int_equal(is_new, !twin->has[i][j]);
    } else {
        hl_sorted_remove(twin->order, key_at(i), number);
    }
    twin->has[i][j] = adds;
}

static void pairs_stay_in_order_while_they_come_and_go(void **state)
{
    struct twin *twin = calloc(1, sizeof *twin);
    uint64_t seed = 3;

    (void)state;
    assert_non_null(twin);
    twin->order = hl_sorted_new();
    assert_non_null(twin->order);
    for (size_t step = 0; step < N_STEPS; step++) {
        bool is_growing = step / 5000 % 2 == 0;

        change(twin, pick(&seed, N_KEYS), pick(&seed, N_NUMBERS),
               pick(&seed, 10) < (is_growing ? 9 : 1));
        if (step % 500 == 0) {
            assert_same(twin);
            assert_same_backwards(twin);
        }
    }
    for (size_t i = 0; i < N_KEYS; i++)
        for (uint32_t j = 0; j < N_NUMBERS; j++)
            change(twin, i, j, false);
    assert_same(twin);
    hl_sorted_free(twin->order);
    free(twin);
}

static void pairs_that_come_in_order_fill_their_chunks(void **state)
{
    struct hl_sorted *order = hl_sorted_new();
    struct hl_err err;
    bool is_new;

    (void)state;
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(hl_sorted_add(order, i, i, &is_new, &err), HL_OK);
    assert_true(hl_sorted_bytes(order) < 1300000);
    assert_int_equal(hl_sorted_count(order, 10, 99989), 99980);
    assert_int_equal(hl_sorted_count(order, 11, 10), 0);
    hl_sorted_free(order);
}

static void without_memory_a_pair_is_not_added(void **state)
{
    struct hl_sorted *order = hl_sorted_new();
    struct hl_err err;
    bool is_new;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1+:fail", &err), HL_OK);
    assert_int_equal(hl_sorted_add(order, 1, 1, &is_new, &err), HL_NO_MEMORY);
    hl_failpoint_disarm();
    assert_int_equal(hl_sorted_count(order, 0, UINT64_MAX), 0);
    hl_sorted_free(order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_stay_in_order_while_they_come_and_go),
        cmocka_unit_test(pairs_that_come_in_order_fill_their_chunks),
        cmocka_unit_test(without_memory_a_pair_is_not_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
