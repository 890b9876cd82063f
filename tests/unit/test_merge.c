/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/merge.h"
#include "proto/fail.h"
#include "tests/support/gallery.h"
#include "tests/support/still.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DIM      ((size_t)8)
#define PER_PART ((size_t)500)
#define N_PARTS  ((size_t)3)
#define N_ROWS   (N_PARTS * PER_PART)

/* Three tails; row i has the store's number 2 i + 1 and is point i. */
struct fixture {
    float *values;
    struct hl_part *parts[N_PARTS];
    struct hl_part *merged;
    char folder[40], path[64];
    struct hl_merge merge;
    struct hl_allowance allowance; /* of what a tail grows */
    struct hl_err err;
};

static uint64_t row_of(size_t i)
{
    return 2 * (uint64_t)i + 1;
}

static void fill_part(struct fixture *f, size_t part)
{
    const struct hl_tail_options options = {HL_METRIC_DOT, DIM, PER_PART};
    struct hl_tail *tail;

    assert_int_equal(hl_tail_new(&options, &tail, &f->err), HL_OK);
    for (size_t i = part * PER_PART; i < (part + 1) * PER_PART; i++) {
        const struct hl_tail_row row = {row_of(i), (uint32_t)i, 1, f->values + i * DIM};

        assert_int_equal(hl_tail_append(tail, &row, &f->err), HL_OK);
    }
    assert_int_equal(hl_part_of_tail(tail, &f->parts[part], &f->err), HL_OK);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_gallery *gallery = hl_gallery_new(DIM, 2);

    *state = f;
    if (!f || !gallery)
        return -1;
    f->values = hl_gallery_rows(gallery, 0, N_ROWS);
    hl_gallery_free(gallery);
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-merge-XXXXXX");
    if (!f->values || !mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/1.seg", f->folder);
    for (size_t part = 0; part < N_PARTS; part++)
        fill_part(f, part);
    f->merge = (struct hl_merge){.parts = f->parts,
                                 .n_parts = N_PARTS,
                                 .commit = 5,
                                 .metric = HL_METRIC_DOT,
                                 .dim = DIM,
                                 .n_links = 8,
                                 .ef_construction = 40,
                                 .path = f->path,
                                 .deadline = &never};
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t part = 0; part < N_PARTS; part++)
        hl_part_unref(f->parts[part]);
    hl_part_unref(f->merged);
    unlink(f->path);
    rmdir(f->folder);
    free(f->values);
    free(f);
    return 0;
}

static void kill_row(struct fixture *f, size_t i, uint64_t commit)
{
    assert_true(hl_part_kill(f->parts[i / PER_PART], row_of(i), commit));
}

static void build(struct fixture *f)
{
    assert_int_equal(hl_merge_build(&f->merge, &f->merged, &f->err), HL_OK);
}

/* A graph of the first part that no merge would build: it looks at very few rows. */
static const struct hl_segment_view *grow_first_part(struct fixture *f)
{
    const struct hl_sprout_options options = {HL_METRIC_DOT, DIM, PER_PART, 8, 1};
    struct hl_sprout *sprout;

    assert_int_equal(hl_sprout_new(&options, &sprout, &f->err), HL_OK);
    hl_part_plant(f->parts[0], sprout, &f->allowance, 0);
    for (uint32_t i = 0; i < PER_PART; i++)
        assert_int_equal(hl_sprout_grow(sprout,
                                        (const void *)hl_part_sketch(f->parts[0], i), 1,
                                        &f->err),
                         HL_OK);
    f->merge.n_parts = 1;
    return hl_sprout_view(sprout);
}

static bool has_links_of(const struct fixture *f, const struct hl_segment_view *grown)
{
    const struct hl_segment_view *segment = hl_part_segment(f->merged);
    bool are_same = true;

    for (size_t i = 0; i < segment->n_rows * 2 * segment->n_links; i++)
        are_same &= hl_link_get(&segment->links[i]) == hl_link_get(&grown->links[i]);
    return are_same;
}

static void the_graph_that_a_tail_has_grown_is_its_segments(void **state)
{
    struct fixture *f = *state;
    const struct hl_segment_view *grown = grow_first_part(f);

    build(f);
    assert_int_equal(hl_part_count(f->merged), PER_PART);
    assert_true(has_links_of(f, grown));
}

static void with_it_come_the_few_that_died(void **state)
{
    struct fixture *f = *state;
    const struct hl_segment_view *grown = grow_first_part(f);

    for (size_t i = 0; i < PER_PART / 4 - 1; i++)
        kill_row(f, 4 * i, 2);
    kill_row(f, 7, 6); /* behind the merge's commit */
    build(f);
    assert_int_equal(hl_part_count(f->merged), PER_PART);
    assert_int_equal(hl_part_n_dead(f->merged), PER_PART / 4 - 1);
    assert_true(has_links_of(f, grown));
    hl_merge_catch_up(&f->merge, f->merged);
    assert_int_equal(hl_part_n_dead(f->merged), PER_PART / 4);
    for (uint32_t i = 0; i < PER_PART; i++)
        assert_true(hl_part_died(f->merged, i) == hl_part_died(f->parts[0], i));
}

static void a_grown_graph_with_many_dead_rows_is_not(void **state)
{
    struct fixture *f = *state;
    const struct hl_segment_view *grown = grow_first_part(f);

    for (size_t i = 0; i <= PER_PART / 4; i++)
        kill_row(f, i, 2);
    build(f);
    assert_int_equal(hl_part_count(f->merged), PER_PART - PER_PART / 4 - 1);
    assert_int_equal(hl_part_n_dead(f->merged), 0);
    assert_false(has_links_of(f, grown));
}

/* The store does not know of them: they would live at the next start. */
static void a_grown_graph_with_struck_rows_is_not(void **state)
{
    struct fixture *f = *state;
    const struct hl_segment_view *grown = grow_first_part(f);

    hl_tail_strike(hl_part_tail(f->parts[0]), PER_PART - 1);
    kill_row(f, 7, 2);
    build(f);
    assert_int_equal(hl_part_count(f->merged), PER_PART - 2);
    assert_false(has_links_of(f, grown));
}

static void what_lives_is_in_the_new_part_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    size_t at = 0;

    for (size_t i = 0; i < N_ROWS; i += 3)
        kill_row(f, i, i % 2 ? 5 : 2);
    build(f);
    for (size_t i = 0; i < N_ROWS; i++) {
        if (i % 3 == 0)
            continue;
        assert_int_equal(hl_part_row(f->merged, (uint32_t)at), row_of(i));
        assert_int_equal(hl_part_number(f->merged, (uint32_t)at), i);
        assert_memory_equal(hl_part_values(f->merged, (uint32_t)at), f->values + i * DIM,
                            DIM * sizeof(float));
        at++;
    }
    assert_int_equal(hl_part_count(f->merged), at);
}

static void what_dies_meanwhile_dies_in_the_new_part_too(void **state)
{
    struct fixture *f = *state;

    kill_row(f, 1, 3);
    kill_row(f, 7, 6); /* behind the merge's commit: alive for it */
    build(f);
    assert_int_equal(hl_part_count(f->merged), N_ROWS - 1);
    kill_row(f, 450, 8);
    hl_merge_catch_up(&f->merge, f->merged);
    assert_int_equal(hl_part_n_dead(f->merged), 2);
    for (uint32_t at = 0; at < hl_part_count(f->merged); at++) {
        const uint32_t number = hl_part_number(f->merged, at);

        assert_int_equal(hl_part_died(f->merged, at), number == 7     ? 6
                                                      : number == 450 ? 8
                                                                      : HL_COMMIT_NEVER);
    }
}

static void segments_are_merged_as_tails_are(void **state)
{
    struct fixture *f = *state;
    struct hl_part *both[2] = {NULL, f->parts[2]};
    struct hl_merge again = f->merge;
    char path[64];

    f->merge.n_parts = 2;
    build(f);
    both[0] = f->merged;
    assert_true(hl_part_kill(f->merged, row_of(3), 6));
    again.parts = both;
    again.n_parts = 2;
    again.commit = 6;
    snprintf(path, sizeof path, "%s/2.seg", f->folder);
    again.path = path;
    f->merged = NULL;
    assert_int_equal(hl_merge_build(&again, &f->merged, &f->err), HL_OK);
    hl_part_unref(both[0]);
    unlink(path);
    assert_int_equal(hl_part_count(f->merged), N_ROWS - 1);
    assert_int_equal(hl_part_number(f->merged, 3), 4);
}

static void nothing_alive_makes_no_part_and_no_file(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_ROWS; i++)
        kill_row(f, i, 4);
    build(f);
    assert_null(f->merged);
    assert_int_not_equal(access(f->path, F_OK), 0);
}

static void count_pause(void *self)
{
    ++*(int *)self;
}

static void a_merge_pauses_before_every_thousand_rows(void **state)
{
    struct fixture *f = *state;
    int n_pauses = 0;
    const struct hl_pause pause = {count_pause, &n_pauses};

    f->merge.pause = &pause;
    build(f);
    assert_int_equal(n_pauses, (N_ROWS + 1023) / 1024);
}

static void a_merge_that_fails_changes_nothing(void **state)
{
    static const char *const places[] = {"alloc", "file.write", "file.rename", "file.map"};
    struct fixture *f = *state;

    for (size_t place = 0; place < sizeof places / sizeof *places; place++) {
        enum hl_code code = HL_IO;

        for (int nth = 1; code != HL_OK; nth++) {
            char rules[32];

            snprintf(rules, sizeof rules, "%s=%d:fail", places[place], nth);
            assert_int_equal(hl_failpoint_arm(rules, &f->err), HL_OK);
            code = hl_merge_build(&f->merge, &f->merged, &f->err);
            hl_failpoint_disarm();
            assert_true(code == HL_OK || !f->merged);
            assert_true(code == HL_OK || code == HL_NO_MEMORY || code == HL_IO ||
                        code == HL_DISK_FULL);
            unlink(f->path);
        }
        hl_part_unref(f->merged);
        f->merged = NULL;
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_graph_that_a_tail_has_grown_is_its_segments),
        TEST(with_it_come_the_few_that_died),
        TEST(a_grown_graph_with_many_dead_rows_is_not),
        TEST(a_grown_graph_with_struck_rows_is_not),
        TEST(what_lives_is_in_the_new_part_and_nothing_else),
        TEST(what_dies_meanwhile_dies_in_the_new_part_too),
        TEST(segments_are_merged_as_tails_are),
        TEST(nothing_alive_makes_no_part_and_no_file),
        TEST(a_merge_pauses_before_every_thousand_rows),
        TEST(a_merge_that_fails_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
