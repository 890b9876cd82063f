/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/compared.h"

#include <stdio.h>
#include <string.h>

static int set_up(void **state)
{
    *state = hl_compared_ring_new();
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    hl_compared_ring_free(*state);
    return 0;
}

static void add(struct hl_compared_ring *ring, const char *query_id, uint32_t place,
                uint64_t begun)
{
    struct hl_compared item = {.place = place, .begun = begun};

    (void)snprintf(item.query_id, sizeof item.query_id, "%s", query_id);
    hl_compared_ring_add(ring, &item);
}

/* What it was added with; 0: it is not there. */
static uint64_t find(struct hl_compared_ring *ring, const char *query_id, uint32_t place)
{
    const struct hl_text text = {query_id, strlen(query_id)};
    const struct hl_compared *item = hl_compared_ring_find(ring, &text, place);

    return item ? item->begun : 0;
}

static void a_query_is_found_by_its_id_and_its_place_in_a_batch(void **state)
{
    add(*state, "a", 0, 1);
    add(*state, "a", 1, 2);
    add(*state, "b", 0, 3);
    assert_int_equal(find(*state, "a", 0), 1);
    assert_int_equal(find(*state, "a", 1), 2);
    assert_int_equal(find(*state, "b", 0), 3);
    assert_int_equal(find(*state, "b", 1), 0);
    assert_int_equal(find(*state, "", 0), 0);
}

static void of_two_with_one_id_the_newer_is_known(void **state)
{
    add(*state, "a", 0, 1);
    add(*state, "b", 0, 2);
    add(*state, "a", 0, 3);
    assert_int_equal(find(*state, "a", 0), 3);
    assert_int_equal(find(*state, "b", 0), 2);
}

static void the_oldest_are_forgotten_and_no_others(void **state)
{
    enum { ADDED = 3 * HL_COMPARED_KEPT + 5 };
    char query_id[24];

    for (uint64_t i = 1; i <= ADDED; i++) {
        (void)snprintf(query_id, sizeof query_id, "query-%d", (int)i);
        add(*state, query_id, 0, i);
    }
    for (uint64_t i = 1; i <= ADDED; i++) {
        (void)snprintf(query_id, sizeof query_id, "query-%d", (int)i);
        assert_int_equal(find(*state, query_id, 0), i > ADDED - HL_COMPARED_KEPT ? i : 0);
    }
}

static void a_place_that_is_used_again_leaves_nothing_behind(void **state)
{
    char query_id[24];

    for (int i = 0; i < 2 * HL_COMPARED_KEPT; i++) {
        add(*state, "same", 0, (uint64_t)i + 1);
        (void)snprintf(query_id, sizeof query_id, "%d", i);
        add(*state, query_id, 0, 1);
    }
    assert_int_equal(find(*state, "same", 0), 2 * HL_COMPARED_KEPT);
}

static void without_memory_there_is_none(void **state)
{
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_null(hl_compared_ring_new());
    hl_failpoint_disarm();
    hl_compared_ring_free(NULL);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(a_query_is_found_by_its_id_and_its_place_in_a_batch),
        WITH(of_two_with_one_id_the_newer_is_known),
        WITH(the_oldest_are_forgotten_and_no_others),
        WITH(a_place_that_is_used_again_leaves_nothing_behind),
        cmocka_unit_test(without_memory_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
