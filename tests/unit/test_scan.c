/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/scan.h"
#include "proto/fail.h"
#include "tests/support/still.h"
#include "tests/unit/sketching.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_ROWS = 400, MOST_DIM = 257, MOST_QUERIES = HL_TILE_QUERIES, MOST_K = 40 };

/* Rows of every kind in one run, in which a scan by floats is the truth. */
struct fixture {
    size_t dim, stride, n_queries, k;
    enum hl_metric metric;
    const struct hl_kernels *kernels;
    float rows[N_ROWS * MOST_DIM];
    float values[MOST_QUERIES * MOST_DIM];
    const float *queries[MOST_QUERIES];
    unsigned char *sketches;
    uint8_t *query_bytes;
    struct hl_scan *scan;
    struct hl_screen *screen; /* NULL: rows are read as sketches alone */
    struct hl_scored truth[N_ROWS];
    struct hl_err err;
};

typedef void fill_fn(struct fixture *f, float *row, size_t which, uint64_t *seed);

static void fill_plain(struct fixture *f, float *row, size_t which, uint64_t *seed)
{
    (void)which;
    for (size_t i = 0; i < f->dim; i++)
        row[i] = value_at(seed);
}

/* Around 20 centres, far from the origin. */
static void fill_clusters(struct fixture *f, float *row, size_t which, uint64_t *seed)
{
    uint64_t centre = which % 20;

    for (size_t i = 0; i < f->dim; i++)
        row[i] = value_at(&centre) + 0.1F * value_at(seed) + 3;
}

/* Equal scores without end. */
static void fill_copies(struct fixture *f, float *row, size_t which, uint64_t *seed)
{
    *seed = which % 3;
    fill_plain(f, row, which, seed);
}

/* Lengths from nothing to where floats overflow, with zeros between. */
static void fill_wild(struct fixture *f, float *row, size_t which, uint64_t *seed)
{
    static const float sizes[] = {0,    1,    1e-45F, 1e-20F, 1e-9F, 1e-5F,
                                  1e4F, 1e8F, 1e15F,  1e19F,  3e38F};

    for (size_t i = 0; i < f->dim; i++)
        row[i] = value_at(seed) * sizes[which % (sizeof sizes / sizeof *sizes)];
}

/* One float that dwarfs the others: their bytes are all 0. */
static void fill_lopsided(struct fixture *f, float *row, size_t which, uint64_t *seed)
{
    fill_plain(f, row, which, seed);
    row[which % f->dim] = which % 2 ? 1e4F : -1e4F;
}

/* Ever nearer to the queries: each row is a new best. */
static void fill_rising(struct fixture *f, float *row, size_t which, uint64_t *seed)
{
    for (size_t i = 0; i < f->dim; i++)
        row[i] = f->values[i] + value_at(seed) * (2 - (float)which / N_ROWS);
}

static const struct kind {
    const char *name;
    fill_fn *rows, *queries;
    size_t most_exact; /* of 1,000 pairs, at 256 floats; 1,000: nothing is asked */
} kinds[] = {
    {"plain", fill_plain, fill_plain, 60},
    {"clusters", fill_clusters, fill_clusters, 200},
    {"copies", fill_copies, fill_plain, 1000},
    {"wild", fill_wild, fill_wild, 1000},
    {"wild rows", fill_wild, fill_plain, 1000},
    {"lopsided", fill_lopsided, fill_lopsided, 1000},
    {"rising", fill_rising, fill_plain, 1000},
};

#define N_KINDS (sizeof kinds / sizeof *kinds)

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f)
        return -1;
    f->sketches = malloc(N_ROWS * hl_sketch_stride(MOST_DIM));
    f->query_bytes = malloc(hl_sketch_stride(MOST_DIM));
    f->scan = hl_scan_new();
    return f->sketches && f->query_bytes && f->scan ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_scan_free(f->scan);
    free(f->sketches);
    free(f->query_bytes);
    free(f);
    return 0;
}

static void fill(struct fixture *f, const struct kind *kind)
{
    uint64_t seed = f->dim;

    f->stride = hl_sketch_stride(f->dim);
    for (size_t i = 0; i < f->n_queries; i++) {
        f->queries[i] = f->values + i * f->dim;
        kind->queries(f, f->values + i * f->dim, i, &seed);
    }
    for (size_t row = 0; row < N_ROWS; row++) {
        float *values = f->rows + row * f->dim;

        kind->rows(f, values, row, &seed);
        hl_sketch_write(values, f->dim,
                        (struct hl_sketch *)(void *)(f->sketches + row * f->stride));
    }
}

/* What a scan by floats finds among the rows from `first` on that are kept. */
static size_t find_truth(struct fixture *f, size_t query, size_t first, size_t n_rows,
                         bool (*may_keep)(void *self, uint32_t position))
{
    struct hl_sketch_query sketch;
    size_t n = 0;

    hl_sketch_query_init(&sketch, f->kernels, f->metric, f->queries[query], f->dim,
                         f->query_bytes);
    for (size_t row = first; row < first + n_rows; row++)
        if (!may_keep || may_keep(NULL, (uint32_t)row))
            hl_heap_keep(f->truth, &n, f->k,
                         hl_scored_encode(hl_sketch_exact(&sketch, f->rows + row * f->dim),
                                          (uint32_t)row));
    hl_heap_sort(f->truth, n);
    return n;
}

static void begin(struct fixture *f)
{
    const struct hl_scan_wish wish = {.kernels = f->kernels,
                                      .metric = f->metric,
                                      .dim = f->dim,
                                      .queries = f->queries,
                                      .n_queries = f->n_queries,
                                      .k = f->k,
                                      .deadline = &never};

    assert_int_equal(hl_scan_begin(f->scan, &wish, &f->err), HL_OK);
}

static enum hl_code look(struct fixture *f, size_t first, size_t n_rows,
                         bool (*may_keep)(void *self, uint32_t position))
{
    const struct hl_scan_run run = {.sketches = f->sketches + first * f->stride,
                                    .values = f->rows + first * f->dim,
                                    .stride = f->stride,
                                    .n_rows = n_rows,
                                    .first = (uint32_t)first,
                                    .screen = f->screen,
                                    .may_keep = may_keep};

    return hl_scan_look(f->scan, &run, &f->err);
}

static void check_found(struct fixture *f, const char *what, size_t first, size_t n_rows,
                        bool (*may_keep)(void *self, uint32_t position))
{
    for (size_t query = 0; query < f->n_queries; query++) {
        const size_t n_wanted = find_truth(f, query, first, n_rows, may_keep);
        size_t n = 0;
        const struct hl_scored *found = hl_scan_take(f->scan, query, &n);

        assert_int_equal(n, n_wanted);
        for (size_t i = 0; i < n; i++)
            if (hl_scored_position(found[i]) != hl_scored_position(f->truth[i]) ||
                bits_of(hl_scored_score(found[i])) != bits_of(hl_scored_score(f->truth[i])))
                fail_msg("%s, %s, metric %d, %zu floats, query %zu, hit %zu: row %u at "
                         "%.9g, wanted %u at %.9g",
                         what, f->kernels->name, (int)f->metric, f->dim, query, i,
                         hl_scored_position(found[i]), (double)hl_scored_score(found[i]),
                         hl_scored_position(f->truth[i]),
                         (double)hl_scored_score(f->truth[i]));
    }
}

/* Of all rows but the last twenty. */
static void make_screen(struct fixture *f)
{
    const struct hl_screen_rows rows = {f->kernels, f->metric, f->dim, f->rows, N_ROWS};

    f->screen = hl_screen_new(&rows);
    assert_non_null(f->screen);
    hl_screen_extend(f->screen, &rows, 200);
    hl_screen_extend(f->screen, &rows, N_ROWS - 220);
}

static void drop_screen(struct fixture *f)
{
    hl_screen_free(f->screen);
    f->screen = NULL;
}

static void check_scan(struct fixture *f, const struct kind *kind)
{
    uint64_t n_scored, n_exact;

    begin(f);
    assert_int_equal(look(f, 0, N_ROWS, NULL), HL_OK);
    check_found(f, kind->name, 0, N_ROWS, NULL);
    hl_scan_tally(f->scan, &n_scored, &n_exact);
    assert_int_equal(n_scored, N_ROWS * f->n_queries);
    if (f->dim == 256 && f->k == 5 && n_exact * 1000 > n_scored * kind->most_exact)
        fail_msg("%s: the floats of %llu in %llu pairs were asked for", kind->name,
                 (unsigned long long)n_exact, (unsigned long long)n_scored);
}

static void check_kind(struct fixture *f, const struct kind *kind, bool has_screen)
{
    fill(f, kind);
    for (int metric = HL_METRIC_L2; metric <= HL_METRIC_DOT; metric++) {
        f->metric = (enum hl_metric)metric;
        check_scan(f, kind);
        if (!has_screen)
            continue;
        make_screen(f);
        check_scan(f, kind);
        drop_screen(f);
    }
}

/* Every size by the best table, some by each of the others. */
static void what_is_found_is_what_floats_find(void **state)
{
    static const struct {
        size_t dim, n_queries, k;
        bool has_screen;
    } sizes[] = {{1, 3, 5, true},    {2, 1, 1, false},   {3, 64, 10, false},
                 {16, 5, 7, false},  {17, 17, 40, true}, {31, 2, 10, false},
                 {64, 40, 3, false}, {70, 64, 1, true},  {255, 33, 10, false},
                 {256, 1, 5, false}, {256, 64, 5, true}, {257, 8, 10, false}};
    struct fixture *f = *state;

    for (size_t table = 0; table < N_TABLES; table++)
        for (size_t i = table; i<sizeof sizes / sizeof *sizes; i += table> 0 ? 5 : 1) {
            f->kernels = table_of(tables[table]);
            f->dim = sizes[i].dim;
            f->n_queries = sizes[i].n_queries;
            f->k = sizes[i].k;
            for (size_t kind = 0; f->kernels && kind < N_KINDS; kind++)
                check_kind(f, &kinds[kind], sizes[i].has_screen && table == 0);
        }
}

/* Of distances nothing is known of a row before there are enough others to compare it with:
 * who came before that is not to be judged by it. */
static void rows_that_came_before_any_bound_are_not_left_out(void **state)
{
    struct fixture *f = *state;

    f->kernels = table_of("auto");
    f->metric = HL_METRIC_L2;
    f->n_queries = MOST_QUERIES;
    f->k = 16;
    for (f->dim = 1; f->dim <= 40; f->dim++) {
        fill(f, &kinds[0]);
        begin(f);
        assert_int_equal(look(f, 0, 90, NULL), HL_OK);
        check_found(f, "few", 0, 90, NULL);
    }
}

static bool is_seventh(void *self, uint32_t position)
{
    (void)self;
    return position % 7 == 3;
}

static void make_plain(struct fixture *f, size_t n_queries, size_t k)
{
    f->kernels = table_of("auto");
    f->metric = HL_METRIC_L2;
    f->dim = 48;
    f->n_queries = n_queries;
    f->k = k;
    fill(f, &kinds[0]);
}

static void only_rows_that_may_be_kept_are_found(void **state)
{
    struct fixture *f = *state;

    make_plain(f, 20, 10);
    begin(f);
    assert_int_equal(look(f, 0, N_ROWS, is_seventh), HL_OK);
    check_found(f, "a seventh", 0, N_ROWS, is_seventh);
}

static void runs_of_one_part_are_one(void **state)
{
    struct fixture *f = *state;

    make_plain(f, 64, 12);
    begin(f);
    for (size_t first = 0; first < N_ROWS; first += 100)
        assert_int_equal(look(f, first, 100, NULL), HL_OK);
    check_found(f, "four runs", 0, N_ROWS, NULL);
}

/* The second part holds what is left of the first's floor. */
static void a_part_gives_nothing_below_the_floor(void **state)
{
    struct fixture *f = *state;

    make_plain(f, 30, 10);
    begin(f);
    assert_int_equal(look(f, 0, N_ROWS / 2, NULL), HL_OK);
    check_found(f, "the first part", 0, N_ROWS / 2, NULL);
    for (size_t query = 0; query < f->n_queries; query++) {
        size_t n;

        hl_scan_raise(f->scan, query, hl_scored_score(hl_scan_take(f->scan, query, &n)[9]));
    }
    hl_scan_turn(f->scan);
    assert_int_equal(look(f, N_ROWS / 2, N_ROWS / 2, NULL), HL_OK);
    for (size_t query = 0; query < f->n_queries; query++) {
        size_t n, n_first;
        const struct hl_scored *found = hl_scan_take(f->scan, query, &n);
        const size_t n_wanted = find_truth(f, query, N_ROWS / 2, N_ROWS / 2, NULL);
        const float floor = (n_first = find_truth(f, query, 0, N_ROWS / 2, NULL),
                             hl_scored_score(f->truth[n_first - 1]));

        assert_true(n <= n_wanted);
        (void)find_truth(f, query, N_ROWS / 2, N_ROWS / 2, NULL);
        for (size_t i = 0; i < n_wanted && hl_scored_score(f->truth[i]) >= floor; i++) {
            assert_true(i < n);
            assert_int_equal(hl_scored_position(found[i]), hl_scored_position(f->truth[i]));
        }
    }
}

static void a_scan_ends_when_its_time_is_over(void **state)
{
    static const struct hl_deadline over = {&hl_still, 0, NULL};
    struct fixture *f = *state;

    make_plain(f, 3, 10);
    begin(f);
    assert_int_equal(hl_scan_begin(f->scan,
                                   &(struct hl_scan_wish){.kernels = f->kernels,
                                                          .metric = f->metric,
                                                          .dim = f->dim,
                                                          .queries = f->queries,
                                                          .n_queries = 3,
                                                          .k = 10,
                                                          .deadline = &over},
                                   &f->err),
                     HL_OK);
    assert_int_equal(look(f, 0, N_ROWS, NULL), HL_TIMEOUT);
}

static void without_memory_a_scan_says_so(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;

    make_plain(f, 9, 10);
    for (int nth = 1; code != HL_OK; nth++) {
        const struct hl_scan_wish wish = {f->kernels,   f->metric, f->dim, f->queries,
                                          f->n_queries, f->k,      &never};
        struct hl_scan *scan;
        char rules[32];

        assert_true(nth < 5);
        (void)snprintf(rules, sizeof rules, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rules, &f->err), HL_OK);
        scan = hl_scan_new();
        code = scan ? hl_scan_begin(scan, &wish, &f->err) : HL_NO_MEMORY;
        hl_failpoint_disarm();
        hl_scan_free(scan);
        assert_true(code == HL_NO_MEMORY || (code == HL_OK && nth == 4));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_found_is_what_floats_find),
        cmocka_unit_test(rows_that_came_before_any_bound_are_not_left_out),
        cmocka_unit_test(only_rows_that_may_be_kept_are_found),
        cmocka_unit_test(runs_of_one_part_are_one),
        cmocka_unit_test(a_part_gives_nothing_below_the_floor),
        cmocka_unit_test(a_scan_ends_when_its_time_is_over),
        cmocka_unit_test(without_memory_a_scan_says_so),
    };

    return cmocka_run_group_tests_name("scan", tests, set_up, tear_down);
}
