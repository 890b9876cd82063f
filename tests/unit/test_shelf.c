/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "tests/unit/shelving.h"

static void parts_are_searched_as_one(void **state)
{
    struct fixture *f = *state;

    f->tally = (struct hl_shelf_tally){0};
    assert_true(recall(f, search_of(f, 0), K) >= 0.99);
    assert_int_equal(f->tally.n_walks, 2 * N_ASKED);
    assert_int_equal(f->tally.n_scans, N_ASKED);
    assert_true(f->tally.n_scored < N_ASKED * N_ROWS * 2 / 3);
}

/* Sketches and floats looked at for all queries, on a shelf of `n` of the parts. */
static uint64_t work_on(struct fixture *f, size_t first, size_t n)
{
    struct hl_shelf_search search = search_of(f, 0);

    search.shelf = &(struct hl_shelf){HL_METRIC_L2, DIM, n, f->parts + first};
    f->tally = (struct hl_shelf_tally){0};
    for (size_t query = 0; query < N_ASKED; query++) {
        search.query = f->queries + query * DIM;
        find(f, &search);
    }
    return f->tally.n_scored + f->tally.n_exact;
}

static void what_one_part_has_found_spares_the_next(void **state)
{
    struct fixture *f = *state;
    const uint64_t apart = work_on(f, 0, 1) + work_on(f, 1, 1);

    assert_true(work_on(f, 0, 2) < apart * 9 / 10);
}

static void the_commit_before_sees_the_elder_rows(void **state)
{
    struct fixture *f = *state;
    struct hl_shelf_search search = search_of(f, 0);

    search.commit = 4;
    assert_true(recall(f, search, K) >= 0.99);
}

static void exact_is_the_truth(void **state)
{
    struct fixture *f = *state;
    struct hl_shelf_search search = search_of(f, 0);

    search.is_exact = true;
    assert_true(recall(f, search, K) >= 1.0);
}

static void no_point_is_named_twice(void **state)
{
    struct fixture *f = *state;
    struct hl_shelf_search search = search_of(f, 0);
    bool *is_named = calloc(N_ROWS, sizeof *is_named);
    size_t n_living = 0;

    assert_non_null(is_named);
    search.k = (size_t)1 << 40; /* memory follows the rows there are */
    search.is_exact = true;
    find(f, &search);
    for (size_t i = 0; i < f->n_hits; i++) {
        assert_false(is_named[f->hits[i].number]);
        is_named[f->hits[i].number] = true;
    }
    for (size_t row = 0; row < N_ROWS; row++)
        n_living += is_seen(f, &search, row);
    assert_int_equal(f->n_hits, n_living);
    free(is_named);
}

/* From a filter that nearly all points pass to one that twelve do: by walking, by scanning
 * listed points, by scanning all. */
static void filters_of_every_width_find_all_they_should(void **state)
{
    static uint32_t shares[] = {2, 20, 400};
    struct fixture *f = *state;
    uint32_t numbers[N_ROWS];

    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        struct hl_shelf_filter filter = {.has = one_in, .self = &shares[i]};
        struct hl_shelf_search search = search_of(f, 0);

        for (uint32_t number = 0; number < N_ROWS; number += shares[i])
            numbers[filter.n_numbers++] = number;
        filter.n_points = filter.n_numbers;
        search.filter = &filter;
        assert_true(recall(f, search, K) >= 0.99);
        filter.numbers = numbers;
        assert_true(recall(f, search, K) >= 0.99);
        search.beam = 1;
        search.k = 5;
        assert_true(shares[i] < 20 || recall(f, search, 5) >= 0.99);
    }
}

static void a_filter_of_few_points_looks_at_no_others(void **state)
{
    static const uint32_t numbers[] = {4, 2500, 5999};
    static uint32_t all = 1;
    struct fixture *f = *state;
    struct hl_shelf_filter filter = {
        .has = one_in, .self = &all, .n_points = 3, .numbers = numbers, .n_numbers = 3};
    struct hl_shelf_search search = search_of(f, 0);

    search.filter = &filter;
    search.shelf = &(struct hl_shelf){HL_METRIC_L2, DIM, 2, f->parts};
    f->tally = (struct hl_shelf_tally){0};
    find(f, &search);
    assert_int_equal(f->n_hits, 2);
    assert_int_equal(f->tally.n_exact, 2);
    assert_int_equal(f->tally.n_scored, 0);
}

static void a_killed_row_is_dropped_and_replaced(void **state)
{
    struct fixture *f = *state;
    struct hl_shelf_search search = search_of(f, 7);
    struct hl_shelf_hit first;

    find(f, &search);
    first = f->hits[0];
    assert_true(hl_part_kill(f->parts[(first.row - 1) / PER_PART], first.row, 9));
    find(f, &search);
    assert_int_equal(f->hits[0].row, first.row); /* commit 5 still sees it */
    search.commit = 9;
    find(f, &search);
    assert_int_equal(f->n_hits, K);
    assert_true(f->hits[0].row != first.row);
    f->died[first.row - 1] = 9;
}

/* All queries at once; each must find the truth. */
static void check_many(struct fixture *f, const struct hl_shelf_search *search, size_t n)
{
    const float *queries[N_ASKED];
    struct hl_shelf_found found[N_ASKED];
    const struct hl_shelf_many many = {queries, n, found};

    for (size_t i = 0; i < n; i++)
        queries[i] = f->queries + i * DIM;
    assert_true(hl_shelf_takes_many(search));
    assert_int_equal(hl_shelf_find_many(f->searcher, search, &many, &f->tally, &f->err),
                     HL_OK);
    for (size_t i = 0; i < n; i++) {
        struct hl_shelf_search one = *search;

        one.query = queries[i];
        f->hits = found[i].hits;
        f->n_hits = found[i].n;
        assert_int_equal(found[i].n, K);
        assert_int_equal(count_right(f, &one), K);
    }
}

/* Replaced points leave whole segments of dead rows until they are merged: a walk would go
 * through all of their links in vain. */
static void kill_all(struct fixture *f, size_t part, size_t but_each, uint64_t commit)
{
    for (size_t i = part * PER_PART; i < (part + 1) * PER_PART; i++)
        if (f->died[i] == HL_COMMIT_NEVER && (but_each == 0 || i % but_each != 0)) {
            assert_true(hl_part_kill(f->parts[part], i + 1, commit));
            f->died[i] = commit;
        }
}

/* Who reads an older commit than the newest death is told nothing of the living. */
static void the_living_are_listed_as_of_the_newest_death(void **state)
{
    struct fixture *f = *state;
    uint32_t positions[PER_PART];
    size_t n_living = 0, n;

    assert_true(hl_part_kill(f->parts[1], PER_PART + 64, 20));
    f->died[PER_PART + 63] = 20;
    for (size_t i = PER_PART; i < 2 * PER_PART; i++)
        n_living += f->died[i] == HL_COMMIT_NEVER;
    assert_false(hl_part_list_living(f->parts[1], 19, positions, &n));
    assert_true(hl_part_list_living(f->parts[1], 20, positions, &n));
    assert_int_equal(n, n_living);
    assert_int_equal(n, PER_PART - hl_part_n_dead(f->parts[1]));
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || positions[i - 1] < positions[i]);
        assert_true(f->died[PER_PART + positions[i]] == HL_COMMIT_NEVER);
    }
}

static void a_segment_of_the_dead_is_not_walked(void **state)
{
    struct fixture *f = *state;
    struct hl_shelf_search search = search_of(f, 3);

    kill_all(f, 0, 500, 9);
    search.commit = 9;
    f->tally = (struct hl_shelf_tally){0};
    find(f, &search);
    assert_int_equal(f->n_hits, K);
    assert_int_equal(count_right(f, &search), K);
    assert_int_equal(f->tally.n_walks, 1); /* of the other segment */
    assert_int_equal(f->tally.n_scans, 2);
    assert_true(f->tally.n_scored < 2 * PER_PART);
    kill_all(f, 0, 0, 10);
    find(f, &search);
    assert_int_equal(count_right(f, &search), K); /* commit 9 still sees some */
    search.commit = 10;
    f->tally = (struct hl_shelf_tally){0};
    find(f, &search);
    assert_int_equal(count_right(f, &search), K);
    assert_int_equal(f->tally.n_scans, 1); /* the tail */
    search.is_exact = true;
    check_many(f, &search, 1);
    assert_int_equal(f->tally.n_scans, 1 + 2);
}

static void many_queries_find_the_truth_at_once(void **state)
{
    static uint32_t share = 20;
    struct fixture *f = *state;
    struct hl_shelf_filter filter = {.has = one_in, .self = &share, .n_points = N_ROWS};
    struct hl_shelf_search search = search_of(f, 0);

    search.is_exact = true;
    f->tally = (struct hl_shelf_tally){0};
    check_many(f, &search, N_ASKED);
    assert_int_equal(f->tally.n_scans, N_PARTS);
    assert_int_equal(f->tally.n_scored, N_ASKED * N_ROWS);
    assert_true(f->tally.n_exact < N_ASKED * N_ROWS / 10); /* floats asked for */
    check_many(f, &search, 1);
    search.commit = 4;
    check_many(f, &search, 17);
    search.filter = &filter;
    check_many(f, &search, N_ASKED);
}

static void what_sketches_cannot_tell_is_looked_for_one_by_one(void **state)
{
    static const uint32_t number = 3;
    static uint32_t share = 3;
    struct fixture *f = *state;
    const struct hl_shelf sums = {HL_METRIC_L1, DIM, N_PARTS, f->parts};
    struct hl_shelf_filter filter = {
        .has = one_in, .self = &share, .numbers = &number, .n_numbers = 1};
    struct hl_shelf_search search = search_of(f, 0);

    assert_false(hl_shelf_takes_many(&search));
    search.is_exact = true;
    assert_true(hl_shelf_takes_many(&search));
    search.filter = &filter;
    assert_false(hl_shelf_takes_many(&search));
    search.filter = NULL;
    search.k = N_ROWS;
    assert_false(hl_shelf_takes_many(&search));
    search.k = 1;
    search.shelf = &sums;
    assert_false(hl_shelf_takes_many(&search));
}

static void check_memory(struct fixture *f, bool is_exact)
{
    enum hl_code code = HL_NO_MEMORY;

    for (int nth = 1; code != HL_OK; nth++) {
        struct hl_searcher *searcher = hl_searcher_new();
        struct hl_shelf_search search = search_of(f, 0);
        char rules[32];

        search.is_exact = is_exact;
        assert_non_null(searcher);
        assert_true(nth < 40);
        snprintf(rules, sizeof rules, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rules, &f->err), HL_OK);
        code = hl_shelf_find(searcher, &search, &f->hits, &f->n_hits, &f->tally, &f->err);
        hl_failpoint_disarm();
        hl_searcher_free(searcher);
        assert_true(code == HL_NO_MEMORY || (code == HL_OK && nth > 4));
    }
}

static void without_memory_a_search_says_so(void **state)
{
    check_memory(*state, false);
    check_memory(*state, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_searched_as_one),
        cmocka_unit_test(what_one_part_has_found_spares_the_next),
        cmocka_unit_test(the_commit_before_sees_the_elder_rows),
        cmocka_unit_test(exact_is_the_truth),
        cmocka_unit_test(no_point_is_named_twice),
        cmocka_unit_test(filters_of_every_width_find_all_they_should),
        cmocka_unit_test(a_filter_of_few_points_looks_at_no_others),
        cmocka_unit_test(many_queries_find_the_truth_at_once),
        cmocka_unit_test(what_sketches_cannot_tell_is_looked_for_one_by_one),
        cmocka_unit_test(a_killed_row_is_dropped_and_replaced),
        cmocka_unit_test(the_living_are_listed_as_of_the_newest_death),
        cmocka_unit_test(a_segment_of_the_dead_is_not_walked),
        cmocka_unit_test(without_memory_a_search_says_so),
    };

    return cmocka_run_group_tests_name("shelf", tests, set_up, tear_down);
}
