/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shelving.h"

/* The tail's first rows get a graph. */
static void grow_tail(struct fixture *f, size_t n_rows)
{
    const struct hl_sprout_options options = {HL_METRIC_L2, DIM, PER_PART, 12, 80};
    struct hl_allowance *allowance = &f->allowance;
    struct hl_part *part = f->parts[N_PARTS - 1];
    struct hl_sprout *sprout;

    allowance->most = SIZE_MAX;
    assert_true(hl_allowance_take(allowance, 1000, 0));
    assert_int_equal(hl_sprout_new(&options, &sprout, &f->err), HL_OK);
    hl_part_plant(part, sprout, allowance, 1000);
    for (uint32_t i = 0; i < n_rows; i++)
        assert_int_equal(
            hl_sprout_grow(sprout, (const void *)hl_part_sketch(part, i), 1, &f->err),
            HL_OK);
}

static void a_tail_is_walked_as_far_as_its_graph_goes(void **state)
{
    static uint32_t half = 2, few = 100;
    struct fixture *f = *state;
    struct hl_shelf_filter filter = {.has = one_in, .self = &half, .n_points = N_ROWS / 2};
    struct hl_shelf_search search = search_of(f, 0);

    grow_tail(f, PER_PART - 300);
    f->tally = (struct hl_shelf_tally){0};
    assert_true(recall(f, search, K) >= 0.99);
    assert_int_equal(f->tally.n_walks, N_PARTS * N_ASKED);
    assert_int_equal(f->tally.n_scans, N_ASKED); /* of the 300 */
    search.commit = 4;                           /* before anything of the tail */
    assert_true(recall(f, search, K) >= 0.99);
    search.commit = 5;
    search.filter = &filter;
    assert_true(recall(f, search, K) >= 0.99);
    filter.self = &few;
    filter.n_points = N_ROWS / few;
    assert_true(recall(f, search, K) >= 0.99);
    search.filter = NULL;
    search.is_exact = true;
    assert_true(recall(f, search, K) >= 1.0);
}

/* Nothing is found twice where the graph ends, and what died is not found in it. */
static void the_dead_of_a_grown_tail_are_not_found(void **state)
{
    struct fixture *f = *state;
    struct hl_shelf_search search = search_of(f, 0);

    grow_tail(f, PER_PART / 2);
    for (size_t i = (N_PARTS - 1) * PER_PART; i < N_ROWS; i += 2) {
        assert_true(hl_part_kill(f->parts[N_PARTS - 1], i + 1, 6));
        f->died[i] = 6;
    }
    assert_true(recall(f, search, K) >= 0.99); /* commit 5 */
    search.commit = 6;
    assert_true(recall(f, search, K) >= 0.99);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tail_is_walked_as_far_as_its_graph_goes),
        TEST(the_dead_of_a_grown_tail_are_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
