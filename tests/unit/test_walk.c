/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/kernels.h"
#include "index/segment.h"
#include "index/walk.h"
#include "proto/fail.h"
#include "tests/support/gallery.h"
#include "tests/support/still.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ROWS    ((size_t)6000)
#define N_QUERIES ((size_t)100)
#define DIM       ((size_t)48)
#define K         ((size_t)10)

struct fixture {
    struct hl_segment *segments[2]; /* by metric */
    float *values, *queries;
    struct hl_walker *walker;
    char folder[32];
    const struct hl_kernels *kernels;
    uint8_t bytes[64];
    struct hl_sketch_query query;
    struct hl_walk_hit hits[N_ROWS], truth[N_ROWS];
    size_t n_truth;
    struct hl_walk_answer answer;
    struct hl_err err;
};

static void build(struct fixture *f, enum hl_metric metric)
{
    const float *values[N_ROWS];
    uint64_t rows[N_ROWS];
    uint32_t numbers[N_ROWS];
    struct hl_segment_content content = {.n_rows = N_ROWS,
                                         .dim = DIM,
                                         .values = values,
                                         .rows = rows,
                                         .numbers = numbers,
                                         .metric = metric,
                                         .n_links = 16,
                                         .ef_construction = 100};
    char path[64];

    hl_gallery_point_at(f->values, N_ROWS, DIM, values);
    for (uint32_t i = 0; i < N_ROWS; i++) {
        rows[i] = 7 + 3 * (uint64_t)i;
        numbers[i] = (uint32_t)(i * (size_t)7919 % N_ROWS);
    }
    snprintf(path, sizeof path, "%s/%d.seg", f->folder, (int)metric);
    assert_int_equal(hl_segment_build(&content, path, &never, &f->err), HL_OK);
    assert_int_equal(hl_segment_open(path, NULL, &f->segments[metric], &f->err), HL_OK);
    assert_int_equal(unlink(path), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_gallery *gallery = hl_gallery_new(DIM, 1);

    *state = f;
    if (!f || !gallery)
        return -1;
    f->values = hl_gallery_rows(gallery, 0, N_ROWS);
    f->queries = hl_gallery_rows(gallery, N_ROWS, N_QUERIES);
    f->walker = hl_walker_new();
    f->answer.hits = f->hits;
    hl_gallery_free(gallery);
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-walk-XXXXXX");
    if (!f->values || !f->queries || !f->walker || !mkdtemp(f->folder) ||
        hl_kernels_find("auto", &f->kernels, &f->err) != HL_OK)
        return -1;
    build(f, HL_METRIC_L2);
    build(f, HL_METRIC_DOT);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_segment_close(f->segments[0]);
    hl_segment_close(f->segments[1]);
    hl_walker_free(f->walker);
    rmdir(f->folder);
    free(f->values);
    free(f->queries);
    free(f);
    return 0;
}

/* A walk of query number `i`, ready to be changed by the test. */
static struct hl_walk walk_of(struct fixture *f, enum hl_metric metric, size_t i)
{
    hl_sketch_query_init(&f->query, f->kernels, metric, f->queries + i * DIM, DIM,
                         f->bytes);
    return (struct hl_walk){.segment = hl_segment_view(f->segments[metric]),
                            .query = &f->query,
                            .k = K,
                            .beam = 100,
                            .deadline = &never};
}

static void search(struct fixture *f, const struct hl_walk *walk)
{
    assert_int_equal(hl_walk_search(f->walker, walk, &f->answer, &f->err), HL_OK);
}

static float exact_score(const struct fixture *f, enum hl_metric metric, size_t query,
                         size_t row)
{
    double dot = 0, l2 = 0;

    for (size_t i = 0; i < DIM; i++) {
        const double q = (double)f->queries[query * DIM + i],
                     x = (double)f->values[row * DIM + i];

        dot += q * x;
        l2 += (q - x) * (q - x);
    }
    return (float)(metric == HL_METRIC_DOT ? dot : -l2);
}

static int better_first(const void *a, const void *b)
{
    const struct hl_walk_hit *left = a, *right = b;

    if (left->score != right->score)
        return left->score > right->score ? -1 : 1;
    return left->position < right->position ? -1 : 1;
}

/* The truth, by the means of this file alone. */
static void find_truth(struct fixture *f, const struct hl_walk *walk, size_t query)
{
    f->n_truth = 0;
    for (uint32_t row = 0; row < N_ROWS; row++)
        if (!walk->may_keep || walk->may_keep(walk->self, row))
            f->truth[f->n_truth++] =
                (struct hl_walk_hit){exact_score(f, walk->query->metric, query, row), row};
    qsort(f->truth, f->n_truth, sizeof *f->truth, better_first);
}

static size_t count_found(const struct fixture *f)
{
    size_t n_found = 0;

    for (size_t i = 0; i < f->answer.n_hits; i++)
        for (size_t j = 0; j < K && j < f->n_truth; j++)
            n_found += f->hits[i].position == f->truth[j].position;
    return n_found;
}

/* Recall@10 over all queries under a condition; also checks that what comes is in order,
 * exact and allowed. */
static double recall(struct fixture *f, enum hl_metric metric,
                     bool (*may_keep)(void *, uint32_t))
{
    size_t n_found = 0, n_wanted = 0;

    for (size_t query = 0; query < N_QUERIES; query++) {
        struct hl_walk walk = walk_of(f, metric, query);

        walk.may_keep = may_keep;
        search(f, &walk);
        find_truth(f, &walk, query);
        assert_true(f->answer.n_hits == (f->n_truth < K ? f->n_truth : K));
        for (size_t i = 0; i < f->answer.n_hits; i++) {
            assert_true(!may_keep || may_keep(NULL, f->hits[i].position));
            assert_true(i == 0 || f->hits[i - 1].score >= f->hits[i].score);
            assert_float_equal(f->hits[i].score,
                               exact_score(f, metric, query, f->hits[i].position), 1e-5F);
        }
        n_found += count_found(f);
        n_wanted += f->answer.n_hits;
    }
    return (double)n_found / (double)n_wanted;
}

static void the_nearest_are_found_by_either_metric(void **state)
{
    assert_true(recall(*state, HL_METRIC_L2, NULL) >= 0.99);
    assert_true(recall(*state, HL_METRIC_DOT, NULL) >= 0.99);
}

static void the_graph_is_used(void **state)
{
    struct fixture *f = *state;

    f->answer.n_scored = f->answer.n_exact = 0;
    for (size_t query = 0; query < N_QUERIES; query++) {
        struct hl_walk walk = walk_of(f, HL_METRIC_L2, query);

        search(f, &walk);
    }
    assert_true(f->answer.n_scored < (uint64_t)N_QUERIES * N_ROWS / 2);
    assert_true(f->answer.n_exact <= (uint64_t)N_QUERIES * 32);
}

static bool one_in_two(void *self, uint32_t position)
{
    (void)self;
    return position % 2 == 0;
}

static bool one_in_twenty(void *self, uint32_t position)
{
    (void)self;
    return position % 20 == 3;
}

static bool seven_rows(void *self, uint32_t position)
{
    (void)self;
    return position % 1000 == 999 && position > 0;
}

static bool no_row(void *self, uint32_t position)
{
    (void)self;
    (void)position;
    return false;
}

static void the_walk_widens_until_a_condition_is_met_often_enough(void **state)
{
    assert_true(recall(*state, HL_METRIC_L2, one_in_two) >= 0.99);
    assert_true(recall(*state, HL_METRIC_DOT, one_in_twenty) >= 0.99);
    assert_true(recall(*state, HL_METRIC_L2, seven_rows) >= 0.99);
}

static void a_condition_that_nothing_meets_finds_nothing(void **state)
{
    struct fixture *f = *state;
    struct hl_walk walk = walk_of(f, HL_METRIC_L2, 0);

    walk.may_keep = no_row;
    search(f, &walk);
    assert_int_equal(f->answer.n_hits, 0);
}

static void a_scan_finds_exactly_the_truth(void **state)
{
    struct fixture *f = *state;

    for (size_t query = 0; query < N_QUERIES; query++) {
        struct hl_walk walk = walk_of(f, HL_METRIC_DOT, query);

        walk.may_keep = one_in_twenty;
        assert_int_equal(hl_walk_scan(f->walker, &walk, NULL, 0, &f->answer, &f->err),
                         HL_OK);
        find_truth(f, &walk, query);
        assert_int_equal(f->answer.n_hits, K);
        assert_int_equal(count_found(f), K);
    }
}

/* By sketches, so now and then the tenth is another one. */
static void a_sift_finds_what_a_scan_finds(void **state)
{
    struct fixture *f = *state;
    size_t n_found = 0;

    for (size_t query = 0; query < N_QUERIES; query++) {
        struct hl_walk walk = walk_of(f, HL_METRIC_L2, query);

        walk.may_keep = one_in_twenty;
        f->answer.n_scored = f->answer.n_exact = 0;
        assert_int_equal(hl_walk_sift(f->walker, &walk, NULL, 0, &f->answer, &f->err),
                         HL_OK);
        find_truth(f, &walk, query);
        assert_int_equal(f->answer.n_hits, K);
        assert_int_equal(f->answer.n_scored, f->n_truth);
        assert_true(f->answer.n_exact < f->n_truth / 2);
        n_found += count_found(f);
    }
    assert_true(n_found >= N_QUERIES * K * 995 / 1000);
}

static void a_sift_of_positions_looks_at_no_others(void **state)
{
    struct fixture *f = *state;
    uint32_t positions[50];
    struct hl_walk walk = walk_of(f, HL_METRIC_DOT, 3);

    for (uint32_t i = 0; i < 50; i++)
        positions[i] = 100 * i + 7;
    f->answer.n_scored = 0;
    assert_int_equal(hl_walk_sift(f->walker, &walk, positions, 50, &f->answer, &f->err),
                     HL_OK);
    assert_int_equal(f->answer.n_hits, K);
    assert_int_equal(f->answer.n_scored, 50);
    for (size_t i = 0; i < K; i++)
        assert_int_equal(f->hits[i].position % 100, 7);
}

static void a_scan_of_few_positions_looks_at_no_others(void **state)
{
    struct fixture *f = *state;
    static const uint32_t positions[] = {4, 17, 5999};
    struct hl_walk walk = walk_of(f, HL_METRIC_L2, 3);

    f->answer.n_scored = f->answer.n_exact = 0;
    assert_int_equal(hl_walk_scan(f->walker, &walk, positions, 3, &f->answer, &f->err),
                     HL_OK);
    assert_int_equal(f->answer.n_hits, 3);
    assert_int_equal(f->answer.n_exact, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(f->hits[i].position == 4 || f->hits[i].position == 17 ||
                    f->hits[i].position == 5999);
}

static void more_than_there_is_gives_all_there_is(void **state)
{
    struct fixture *f = *state;
    struct hl_walk walk = walk_of(f, HL_METRIC_L2, 1);

    walk.k = N_ROWS;
    search(f, &walk);
    /* A row that no link leads to is out of a walk's reach; FAISS leaves few. */
    assert_true(f->answer.n_hits >= N_ROWS * 999 / 1000);
}

static void every_kernel_finds_the_same(void **state)
{
    static const char *const names[] = {"portable", "avx2", "avx512"};
    struct fixture *f = *state;

    for (size_t i = 0; i < 3; i++) {
        const struct hl_kernels *kernels;

        if (hl_kernels_find(names[i], &kernels, &f->err) != HL_OK)
            continue;
        for (size_t query = 0; query < 20; query++) {
            struct hl_walk walk = walk_of(f, HL_METRIC_L2, query);
            struct hl_walk_hit best[K];

            search(f, &walk);
            memcpy(best, f->hits, sizeof best);
            f->query.kernels = kernels;
            search(f, &walk);
            for (size_t hit = 0; hit < K; hit++)
                assert_int_equal(f->hits[hit].position, best[hit].position);
        }
    }
}

static void marks_survive_the_wrap_of_the_epoch(void **state)
{
    struct fixture *f = *state;
    struct hl_walk walk = walk_of(f, HL_METRIC_L2, 0);
    struct hl_walk_hit best[K];

    search(f, &walk);
    memcpy(best, f->hits, sizeof best);
    walk.k = walk.beam = 1;
    for (size_t i = 0; i < 66000; i++)
        search(f, &walk);
    walk.k = K;
    walk.beam = 100;
    search(f, &walk);
    assert_memory_equal(f->hits, best, sizeof best);
}

static void a_deadline_ends_a_walk_and_a_scan(void **state)
{
    struct fixture *f = *state;
    struct hl_deadline over = {&hl_still, 0, NULL};
    struct hl_walk walk = walk_of(f, HL_METRIC_L2, 0);

    walk.deadline = &over;
    walk.k = walk.beam = N_ROWS;
    assert_int_equal(hl_walk_search(f->walker, &walk, &f->answer, &f->err), HL_TIMEOUT);
    assert_int_equal(hl_walk_scan(f->walker, &walk, NULL, 0, &f->answer, &f->err),
                     HL_TIMEOUT);
}

static void without_memory_a_walk_says_so(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;

    for (int nth = 1; code != HL_OK; nth++) {
        struct hl_walker *walker = hl_walker_new();
        struct hl_walk walk = walk_of(f, HL_METRIC_L2, 0);
        char rules[32];

        assert_non_null(walker);
        assert_true(nth < 20);
        snprintf(rules, sizeof rules, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rules, &f->err), HL_OK);
        code = hl_walk_search(walker, &walk, &f->answer, &f->err);
        hl_failpoint_disarm();
        hl_walker_free(walker);
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_true(code != HL_OK || nth > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_are_found_by_either_metric),
        cmocka_unit_test(the_graph_is_used),
        cmocka_unit_test(the_walk_widens_until_a_condition_is_met_often_enough),
        cmocka_unit_test(a_condition_that_nothing_meets_finds_nothing),
        cmocka_unit_test(a_scan_finds_exactly_the_truth),
        cmocka_unit_test(a_sift_finds_what_a_scan_finds),
        cmocka_unit_test(a_sift_of_positions_looks_at_no_others),
        cmocka_unit_test(a_scan_of_few_positions_looks_at_no_others),
        cmocka_unit_test(more_than_there_is_gives_all_there_is),
        cmocka_unit_test(every_kernel_finds_the_same),
        cmocka_unit_test(marks_survive_the_wrap_of_the_epoch),
        cmocka_unit_test(a_deadline_ends_a_walk_and_a_scan),
        cmocka_unit_test(without_memory_a_walk_says_so),
    };

    return cmocka_run_group_tests_name("walk", tests, set_up, tear_down);
}
