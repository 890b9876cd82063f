/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/list.h"

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static void a_list_keeps_what_it_was_given(void **state)
{
    struct hl_arena *arena = hl_arena_new(1 << 20);
    struct hl_list list = hl_list_of(arena, sizeof(int));
    struct hl_err err;

    (void)state;
    assert_null(list.items);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(hl_list_add(&list, &i, &err), HL_OK);
    assert_int_equal(list.n, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(((const int *)list.items)[i], i);
    hl_arena_free(arena);
}

static void a_sorted_list_has_each_item_once(void **state)
{
    static const int items[] = {5, 1, 5, 3, 1, 1, 4, 5};
    struct hl_arena *arena = hl_arena_new(1 << 20);
    struct hl_list list = hl_list_of(arena, sizeof(int));
    const int *sorted;
    struct hl_err err;

    (void)state;
    hl_list_sort(&list, compare);
    assert_int_equal(list.n, 0);
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++)
        assert_int_equal(hl_list_add(&list, &items[i], &err), HL_OK);
    hl_list_sort(&list, compare);
    sorted = list.items;
    assert_int_equal(list.n, 4);
    assert_int_equal(sorted[0], 1);
    assert_int_equal(sorted[1], 3);
    assert_int_equal(sorted[2], 4);
    assert_int_equal(sorted[3], 5);
    hl_arena_free(arena);
}

static void a_list_that_finds_no_room_stays_as_it_was(void **state)
{
    struct hl_arena *arena = hl_arena_new(4096);
    struct hl_list list = hl_list_of(arena, sizeof(int));
    enum hl_code code = HL_OK;
    struct hl_err err;
    size_t n = 0;

    (void)state;
    for (int i = 0; code == HL_OK; i++) {
        n = list.n;
        code = hl_list_add(&list, &i, &err);
    }
    assert_int_equal(code, HL_TOO_LARGE);
    assert_int_equal(list.n, n);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(((const int *)list.items)[i], i);
    hl_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_keeps_what_it_was_given),
        cmocka_unit_test(a_sorted_list_has_each_item_once),
        cmocka_unit_test(a_list_that_finds_no_room_stays_as_it_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
