/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/graphing.h"

/* The caller's to free. */
static unsigned char *sketches_of(const struct hl_batch *rows)
{
    const size_t stride = hl_sketch_stride(rows->dim);
    unsigned char *sketches = hl_alloc_zeroed(rows->n_rows, stride);

    assert_non_null(sketches);
    for (size_t row = 0; row < rows->n_rows; row++)
        hl_sketch_write(hl_batch_row(rows, row), rows->dim,
                        (struct hl_sketch *)(void *)(sketches + row * stride));
    return sketches;
}

static struct hl_ann *build_sketched(struct fixture *f, const struct hl_ann_options *wanted)
{
    unsigned char *sketches = sketches_of(&f->rows);
    const struct hl_ann_sketches rows = {
        .sketches = sketches, .n_rows = N_ROWS, .dim = DIM};
    struct hl_ann *ann = NULL;

    assert_int_equal(hl_ann_build_sketched(&rows, wanted, &f->never, &ann, &f->err), HL_OK);
    hl_free(sketches);
    return ann;
}

static void a_graph_over_sketches_is_as_good(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_OPTIONS; i++)
        for (size_t k = 0; k < sizeof kernels / sizeof *kernels; k++) {
            struct hl_ann *ann;
            struct found found;

            if (hl_index_choose_kernels(kernels[k], &f->err) != HL_OK)
                continue;
            ann = build_sketched(f, &options[i]);
            assert_int_equal(hl_ann_view(ann)->n_rows, N_ROWS);
            assert_int_equal(hl_ann_view(ann)->dim, DIM);
            assert_null(hl_ann_view(ann)->rows);
            found = walk_all(f, ann);
            assert_true(recall_of(f, options[i].metric, &found) >= 0.97);
            hl_ann_free(ann);
        }
}

/* In the pause of one build, others. */
static void build_others(void *self)
{
    struct fixture *f = self;
    unsigned char *sketches = sketches_of(&f->queries);
    const struct hl_ann_sketches rows = {
        .sketches = sketches, .n_rows = N_QUERIES, .dim = DIM};
    struct hl_ann *over_floats = NULL, *over_sketches = NULL;

    assert_int_equal(
        hl_ann_build(&f->queries, &options[0], &f->never, &over_floats, &f->err), HL_OK);
    assert_int_equal(
        hl_ann_build_sketched(&rows, &options[0], &f->never, &over_sketches, &f->err),
        HL_OK);
    hl_free(sketches);
    hl_ann_free(over_floats);
    hl_ann_free(over_sketches);
}

static void other_graphs_may_be_built_in_the_pause_of_one(void **state)
{
    struct fixture *f = *state;
    const struct hl_pause pause = {build_others, f};
    struct hl_ann_options with_pause = options[0];
    struct hl_ann *straight = build_sketched(f, &options[0]), *paused;

    with_pause.pause = &pause;
    paused = build_sketched(f, &with_pause);
    assert_int_equal(hl_ann_view(paused)->n_neighbors, hl_ann_view(straight)->n_neighbors);
    assert_memory_equal(hl_ann_view(paused)->neighbors, hl_ann_view(straight)->neighbors,
                        hl_ann_view(straight)->n_neighbors * sizeof(int32_t));
    hl_ann_free(straight);
    hl_ann_free(paused);
}

static void a_build_over_sketches_is_refused_and_stopped_likewise(void **state)
{
    static const struct hl_ann_options bad = {.n_links = 1, .ef_construction = 10};
    struct fixture *f = *state;
    unsigned char *sketches = sketches_of(&f->rows);
    const struct hl_ann_sketches rows = {
        .sketches = sketches, .n_rows = N_ROWS, .dim = DIM};
    const struct hl_deadline past = {.clock = &f->clock, .at_us = 0};
    struct hl_ann *ann = NULL;

    assert_int_equal(hl_ann_build_sketched(&rows, &bad, &f->never, &ann, &f->err),
                     HL_INVALID);
    assert_int_equal(hl_ann_build_sketched(&rows, &options[0], &past, &ann, &f->err),
                     HL_TIMEOUT);
    assert_null(ann);
    hl_free(sketches);
}

static void a_build_over_sketches_without_memory_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned char *sketches = sketches_of(&f->queries);
    const struct hl_ann_sketches rows = {
        .sketches = sketches, .n_rows = N_QUERIES, .dim = DIM};
    enum hl_code code = HL_NO_MEMORY;

    for (int n = 1; code == HL_NO_MEMORY; n++) {
        struct hl_ann *ann = NULL;
        char what[32];

        (void)snprintf(what, sizeof what, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(what, &f->err), HL_OK);
        code = hl_ann_build_sketched(&rows, &options[0], &f->never, &ann, &f->err);
        hl_failpoint_disarm();
        assert_true(n > 1 || code == HL_NO_MEMORY);
        hl_ann_free(ann);
    }
    assert_int_equal(code, HL_OK);
    hl_free(sketches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_graph_over_sketches_is_as_good, clean),
        cmocka_unit_test_teardown(other_graphs_may_be_built_in_the_pause_of_one, clean),
        cmocka_unit_test_teardown(a_build_over_sketches_is_refused_and_stopped_likewise,
                                  clean),
        cmocka_unit_test_teardown(a_build_over_sketches_without_memory_leaves_nothing,
                                  clean),
    };

    return cmocka_run_group_tests_name("ann_sketched", tests, set_up, tear_down);
}
