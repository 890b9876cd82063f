/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/file.h"
#include "tests/unit/graphing.h"

#include <string.h>

/* FAISS's reader forgets what it has made when its file fails in the middle. */
const char *leaks_of_faiss(void) __asm__("__lsan_default_suppressions");

const char *leaks_of_faiss(void)
{
    return "leak:faiss::read_index\n";
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

static void the_view_is_a_graph_that_can_be_searched(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct hl_graph_view *view = hl_ann_view(f->ann[i]);
        struct found found;

        assert_int_equal(view->n_rows, N_ROWS);
        assert_int_equal(view->dim, DIM);
        assert_memory_equal(view->rows, f->rows.values, sizeof(float) * N_ROWS * DIM);
        found = walk_all(f, f->ann[i]);
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
