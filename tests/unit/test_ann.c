/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/ann.h"
#include "index/index.h"
#include "proto/alloc.h"
#include "proto/fail.h"
#include "proto/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ROWS    ((size_t)3000)
#define N_QUERIES ((size_t)50)
#define DIM       ((size_t)24)
#define K         ((size_t)10)
#define EF        80

static const struct hl_ann_options options[] = {
    {.metric = HL_METRIC_L2, .n_links = 12, .ef_construction = 80},
    {.metric = HL_METRIC_DOT, .n_links = 12, .ef_construction = 80},
};

#define N_OPTIONS (sizeof options / sizeof *options)

static const char *const kernels[] = {"avx512", "avx2", "portable", "shipped"};

/* FAISS's reader forgets what it has made when its file fails in the middle. */
const char *leaks_of_faiss(void) __asm__("__lsan_default_suppressions");

const char *leaks_of_faiss(void)
{
    return "leak:faiss::read_index\n";
}

static int64_t fake_now(void *self)
{
    return ++*(int64_t *)self;
}

struct fixture {
    struct hl_batch rows, queries;
    struct hl_ann *ann[N_OPTIONS];
    int64_t n_clock_reads;
    struct hl_clock clock;
    struct hl_deadline never;
    char folder[32];
    char path[64];
    struct hl_err err;
};

/* Rows around fifty centres, on the unit sphere. */
static void fill(struct hl_batch *batch, uint64_t seed)
{
    for (size_t row = 0; row < batch->n_rows; row++) {
        float *values = hl_batch_row(batch, row);
        float norm = 0;

        for (size_t i = 0; i < batch->dim; i++) {
            const uint32_t centre =
                (uint32_t)(row % 50 * 2654435761U + i * 40503U) * 2246822519U;

            seed = seed * 6364136223846793005U + 1442695040888963407U;
            values[i] =
                (float)(int32_t)centre * 0x1p-31F + (float)(int32_t)(seed >> 32) * 0x1p-31F;
            norm += values[i] * values[i];
        }
        for (size_t i = 0; i < batch->dim; i++)
            values[i] /= sqrtf(norm);
    }
}

static struct hl_batch batch_of(size_t n_rows, uint64_t seed)
{
    struct hl_batch batch = {.n_rows = n_rows, .dim = DIM};

    batch.values = hl_alloc_zeroed(n_rows * DIM, sizeof(float));
    assert_non_null(batch.values);
    fill(&batch, seed);
    return batch;
}

static int set_up(void **state)
{
    static struct fixture f;

    f.rows = batch_of(N_ROWS, 1);
    f.queries = batch_of(N_QUERIES, 2);
    f.clock = (struct hl_clock){.now_us = fake_now, .self = &f.n_clock_reads};
    f.never = (struct hl_deadline){.clock = &f.clock, .at_us = HL_DEADLINE_NEVER};
    for (size_t i = 0; i < N_OPTIONS; i++)
        assert_int_equal(hl_ann_build(&f.rows, &options[i], &f.never, &f.ann[i], &f.err),
                         HL_OK);
    (void)snprintf(f.folder, sizeof f.folder, "/tmp/test_ann.XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    (void)snprintf(f.path, sizeof f.path, "%s/graph", f.folder);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_OPTIONS; i++)
        hl_ann_free(f->ann[i]);
    hl_free(f->rows.values);
    hl_free(f->queries.values);
    return rmdir(f->folder);
}

static int clean(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    (void)unlink(f->path);
    return hl_index_choose_kernels("auto", &f->err) == HL_OK ? 0 : -1;
}

/* The neighbours that FAISS finds for all queries. */
struct found {
    int64_t rows[N_QUERIES * K];
    float scores[N_QUERIES * K];
};

static struct found search(struct fixture *f, struct hl_ann *ann)
{
    struct found found;
    const struct hl_ann_hits hits = {.rows = found.rows, .scores = found.scores, .k = K};

    assert_int_equal(hl_ann_search(ann, &f->queries, EF, &hits, &f->err), HL_OK);
    return found;
}

/* How near a row is to a query: more is nearer, whatever the metric. */
static double nearness(const struct fixture *f, enum hl_metric metric, size_t query,
                       size_t row)
{
    const float *x = hl_batch_row(&f->queries, query);
    const float *y = hl_batch_row(&f->rows, row);
    double sum = 0;

    for (size_t i = 0; i < DIM; i++)
        sum += metric == HL_METRIC_DOT
                   ? (double)x[i] * (double)y[i]
                   : -((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    return sum;
}

/* Whether fewer than K rows are nearer than this one. */
static bool is_true_neighbour(const struct fixture *f, enum hl_metric metric, size_t query,
                              size_t row)
{
    const double own = nearness(f, metric, query, row);
    size_t n_nearer = 0;

    for (size_t other = 0; other < N_ROWS; other++)
        n_nearer += nearness(f, metric, query, other) > own;
    return n_nearer < K;
}

static double recall_of(const struct fixture *f, enum hl_metric metric,
                        const struct found *found)
{
    size_t n_true = 0;

    for (size_t i = 0; i < N_QUERIES * K; i++)
        n_true += found->rows[i] >= 0 &&
                  is_true_neighbour(f, metric, i / K, (size_t)found->rows[i]);
    return (double)n_true / (N_QUERIES * K);
}

static void search_finds_what_a_full_scan_finds(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct found found = search(f, f->ann[i]);

        assert_int_equal(hl_ann_metric(f->ann[i]), options[i].metric);
        assert_true(recall_of(f, options[i].metric, &found) >= 0.97);
        for (size_t at = 0; at < N_QUERIES * K; at++) {
            const double exact =
                nearness(f, options[i].metric, at / K, (size_t)found.rows[at]);
            const double sign = options[i].metric == HL_METRIC_L2 ? -1 : 1;

            assert_true(fabs(sign * (double)found.scores[at] - exact) < 1e-6);
        }
    }
}

static void every_table_of_kernels_finds_the_same_neighbours(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct found first = search(f, f->ann[i]);

        for (size_t at = 0; at < sizeof kernels / sizeof *kernels; at++) {
            struct found found;

            if (hl_index_choose_kernels(kernels[at], &f->err) != HL_OK)
                continue;
            found = search(f, f->ann[i]);
            assert_memory_equal(found.rows, first.rows, sizeof first.rows);
        }
    }
}

static size_t n_calls;

static float counting_l2(const float *x, const float *y, size_t dim)
{
    n_calls++;
    return hl_kernels_portable.l2(x, y, dim);
}

static float counting_dot(const float *x, const float *y, size_t dim)
{
    n_calls++;
    return hl_kernels_portable.dot(x, y, dim);
}

static void every_distance_of_a_search_is_ours(void **state)
{
    struct fixture *f = *state;
    struct hl_kernels counting = hl_kernels_portable;

    counting.l2 = counting_l2;
    counting.dot = counting_dot;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        n_calls = 0;
        hl_gap_use_kernels(&counting);
        (void)search(f, f->ann[i]);
        /* A search with EF rows in sight has measured each of them. */
        assert_true(n_calls > N_QUERIES * EF);
        n_calls = 0;
        hl_gap_use_kernels(&hl_gap_kernels_shipped);
        (void)search(f, f->ann[i]);
        assert_int_equal(n_calls, 0);
    }
}

/* A beam search over nothing but the view, the shortest that works. */
struct beam {
    int32_t rows[EF];
    double near[EF];
    bool is_open[EF];
    size_t n;
};

static void offer(struct beam *beam, int32_t row, double near)
{
    size_t at = 0;

    while (at < beam->n && beam->near[at] >= near)
        at++;
    if (at == EF)
        return;
    for (size_t i = beam->n == EF ? EF - 1 : beam->n++; i > at; i--) {
        beam->rows[i] = beam->rows[i - 1];
        beam->near[i] = beam->near[i - 1];
        beam->is_open[i] = beam->is_open[i - 1];
    }
    beam->rows[at] = row;
    beam->near[at] = near;
    beam->is_open[at] = true;
}

/* The nearest row not yet left, or -1. */
static int32_t take_open(struct beam *beam)
{
    for (size_t i = 0; i < beam->n; i++)
        if (beam->is_open[i]) {
            beam->is_open[i] = false;
            return beam->rows[i];
        }
    return -1;
}

static void walk(const struct fixture *f, const struct hl_ann *ann, size_t query,
                 struct beam *beam)
{
    const struct hl_graph_view *view = hl_ann_view(ann);
    const enum hl_metric metric = hl_ann_metric(ann);
    bool seen[N_ROWS] = {false};

    *beam = (struct beam){.n = 0};
    seen[view->entry] = true;
    offer(beam, view->entry, nearness(f, metric, query, (size_t)view->entry));
    for (int32_t row = take_open(beam); row >= 0; row = take_open(beam))
        /* All levels at once: the upper ones lead far, the lowest near. */
        for (size_t i = view->offsets[row]; i < view->offsets[row + 1]; i++) {
            const int32_t to = view->neighbors[i];

            if (to < 0 || seen[to])
                continue;
            seen[to] = true;
            offer(beam, to, nearness(f, metric, query, (size_t)to));
        }
}

static void the_view_is_a_graph_that_can_be_searched(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct hl_graph_view *view = hl_ann_view(f->ann[i]);
        struct found found;

        assert_int_equal(view->n_rows, N_ROWS);
        assert_int_equal(view->dim, DIM);
        assert_memory_equal(view->rows, f->rows.values, sizeof(float) * N_ROWS * DIM);
        for (size_t query = 0; query < N_QUERIES; query++) {
            struct beam beam;

            walk(f, f->ann[i], query, &beam);
            for (size_t at = 0; at < K; at++)
                found.rows[query * K + at] = beam.rows[at];
        }
        assert_true(recall_of(f, options[i].metric, &found) >= 0.97);
    }
}

static void a_saved_graph_loads_as_it_was(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct found before = search(f, f->ann[i]);
        struct hl_ann *ann = NULL;
        struct found after;

        assert_int_equal(hl_ann_save(f->ann[i], f->path, &f->err), HL_OK);
        assert_int_equal(hl_ann_load(f->path, &ann, &f->err), HL_OK);
        assert_int_equal(hl_ann_metric(ann), options[i].metric);
        after = search(f, ann);
        assert_memory_equal(before.rows, after.rows, sizeof after.rows);
        assert_memory_equal(before.scores, after.scores, sizeof after.scores);
        hl_ann_free(ann);
    }
}

static void a_build_stops_when_told_to(void **state)
{
    struct fixture *f = *state;
    const atomic_bool cancelled = true;
    struct hl_deadline deadline = f->never;
    struct hl_ann *ann = NULL;

    deadline.cancelled = &cancelled;
    assert_int_equal(hl_ann_build(&f->rows, &options[0], &deadline, &ann, &f->err),
                     HL_CANCELLED);
    /* The clock moves on by one at every look: time is up between two steps. */
    deadline.cancelled = NULL;
    deadline.at_us = f->n_clock_reads + 2;
    assert_int_equal(hl_ann_build(&f->rows, &options[0], &deadline, &ann, &f->err),
                     HL_TIMEOUT);
    assert_null(ann);
}

static void what_cannot_be_a_graph_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct hl_ann_options bad[] = {
        {.n_links = 1, .ef_construction = 10},
        {.n_links = 129, .ef_construction = 10},
        {.n_links = 8, .ef_construction = 0},
        {.n_links = 8, .ef_construction = 65536},
    };
    float values[] = {1, NAN};
    struct hl_batch rows = {.values = values, .n_rows = 2, .dim = 1};
    struct hl_ann *ann = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hl_ann_build(&f->rows, &bad[i], &f->never, &ann, &f->err),
                         HL_INVALID);
    assert_int_equal(hl_ann_build(&rows, &options[0], &f->never, &ann, &f->err),
                     HL_INVALID);
    rows.dim = 0;
    assert_int_equal(hl_ann_build(&rows, &options[0], &f->never, &ann, &f->err),
                     HL_INVALID);
    rows = (struct hl_batch){.values = values, .n_rows = (size_t)INT32_MAX + 1, .dim = 1};
    assert_int_equal(hl_ann_build(&rows, &options[0], &f->never, &ann, &f->err),
                     HL_INVALID);
    assert_null(ann);
}

static void a_search_that_does_not_fit_is_refused(void **state)
{
    struct fixture *f = *state;
    struct found found;
    struct hl_ann_hits hits = {.rows = found.rows, .scores = found.scores, .k = K};
    struct hl_batch queries = f->queries;
    float nothing[DIM] = {NAN};

    queries.dim = DIM - 1;
    assert_int_equal(hl_ann_search(f->ann[0], &queries, EF, &hits, &f->err),
                     HL_DIMENSION_MISMATCH);
    assert_string_equal(f->err.msg, "queries have 23 dimensions, the graph has 24");
    assert_int_equal(hl_ann_search(f->ann[0], &f->queries, 0, &hits, &f->err), HL_INVALID);
    hits.k = 0;
    assert_int_equal(hl_ann_search(f->ann[0], &f->queries, EF, &hits, &f->err), HL_INVALID);
    hits.k = K;
    queries = (struct hl_batch){.values = nothing, .n_rows = 1, .dim = DIM};
    assert_int_equal(hl_ann_search(f->ann[0], &queries, EF, &hits, &f->err), HL_INVALID);
}

static void few_rows_are_all_found_and_the_rest_is_minus_one(void **state)
{
    struct fixture *f = *state;

    for (size_t n_rows = 0; n_rows < 4; n_rows++) {
        const struct hl_batch rows = {
            .values = f->rows.values, .n_rows = n_rows, .dim = DIM};
        struct hl_ann *ann = NULL;
        struct found found;

        assert_int_equal(hl_ann_build(&rows, &options[0], &f->never, &ann, &f->err), HL_OK);
        found = search(f, ann);
        for (size_t i = 0; i < N_QUERIES * K; i++)
            assert_int_equal(found.rows[i] >= 0, i % K < n_rows);
        hl_ann_free(ann);
    }
}

/* Builds, saves and loads a small graph; whatever fails, nothing may be left behind. */
static enum hl_code round_trip(struct fixture *f)
{
    const struct hl_batch rows = {.values = f->rows.values, .n_rows = 30, .dim = DIM};
    struct hl_ann *ann = NULL;
    enum hl_code code = hl_ann_build(&rows, &options[0], &f->never, &ann, &f->err);

    if (code == HL_OK)
        code = hl_ann_save(ann, f->path, &f->err);
    hl_ann_free(ann);
    ann = NULL;
    if (code == HL_OK)
        code = hl_ann_load(f->path, &ann, &f->err);
    hl_ann_free(ann);
    (void)unlink(f->path);
    return code;
}

static void whatever_fails_is_said_and_nothing_is_left(void **state)
{
    static const struct {
        const char *place;
        enum hl_code code;
    } faults[] = {
        {"alloc", HL_NO_MEMORY},      {"file.open", HL_IO}, {"file.read", HL_IO},
        {"file.write", HL_DISK_FULL}, {"file.sync", HL_IO}, {"file.rename", HL_IO},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        enum hl_code code = HL_INTERNAL;
        unsigned n = 0;

        while (code != HL_OK) {
            char rule[32];

            (void)snprintf(rule, sizeof rule, "%s=%u:fail", faults[i].place, ++n);
            assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
            code = round_trip(f);
            if (code != HL_OK)
                assert_int_equal(code, faults[i].code);
        }
        assert_true(n > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(search_finds_what_a_full_scan_finds, clean),
        cmocka_unit_test_teardown(every_table_of_kernels_finds_the_same_neighbours, clean),
        cmocka_unit_test_teardown(every_distance_of_a_search_is_ours, clean),
        cmocka_unit_test_teardown(the_view_is_a_graph_that_can_be_searched, clean),
        cmocka_unit_test_teardown(a_saved_graph_loads_as_it_was, clean),
        cmocka_unit_test_teardown(a_build_stops_when_told_to, clean),
        cmocka_unit_test_teardown(what_cannot_be_a_graph_is_refused, clean),
        cmocka_unit_test_teardown(a_search_that_does_not_fit_is_refused, clean),
        cmocka_unit_test_teardown(few_rows_are_all_found_and_the_rest_is_minus_one, clean),
        cmocka_unit_test_teardown(whatever_fails_is_said_and_nothing_is_left, clean),
    };

    return cmocka_run_group_tests_name("ann", tests, set_up, tear_down);
}
