/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/ann.h"
#include "index/graph.h"
#include "proto/alloc.h"
#include "proto/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_ROWS ((size_t)200)
#define DIM    ((size_t)6)

static const struct hl_ann_options options = {
    .metric = HL_METRIC_L2, .n_links = 4, .ef_construction = 20};

struct fixture {
    struct hl_ann *ann;
    struct hl_buf file; /* what the graph is on disk */
    char folder[32];
    char path[64];
    struct hl_err err;
};

static struct hl_ann *graph_of(size_t n_rows)
{
    static float values[N_ROWS * DIM];
    const struct hl_batch rows = {.values = values, .n_rows = n_rows, .dim = DIM};
    const struct hl_deadline never = {.at_us = HL_DEADLINE_NEVER};
    struct hl_ann *ann = NULL;
    struct hl_err err;

    for (size_t i = 0; i < n_rows * DIM; i++)
        values[i] = (float)((uint32_t)i * 2654435761U) * 0x1p-32F;
    assert_int_equal(hl_ann_build(&rows, &options, &never, &ann, &err), HL_OK);
    return ann;
}

static int set_up(void **state)
{
    static struct fixture f;

    (void)snprintf(f.folder, sizeof f.folder, "/tmp/test_graph.XXXXXX");
    assert_non_null(mkdtemp(f.folder));
    (void)snprintf(f.path, sizeof f.path, "%s/graph", f.folder);
    f.ann = graph_of(N_ROWS);
    hl_buf_init(&f.file, 1 << 20);
    assert_int_equal(hl_ann_save(f.ann, f.path, &f.err), HL_OK);
    assert_int_equal(hl_file_load(f.path, &f.file, &f.err), HL_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_ann_free(f->ann);
    hl_buf_done(&f->file);
    (void)unlink(f->path);
    return rmdir(f->folder);
}

static void a_missing_file_is_not_found(void **state)
{
    struct fixture *f = *state;
    struct hl_ann *ann = NULL;

    (void)unlink(f->path);
    assert_int_equal(hl_ann_load(f->path, &ann, &f->err), HL_NOT_FOUND);
    assert_null(ann);
}

static void write_file(const struct fixture *f, const void *bytes, size_t size)
{
    struct hl_file *file = NULL;
    struct hl_err err;

    (void)unlink(f->path);
    assert_int_equal(hl_file_open(f->path, HL_FILE_CREATE, &file, &err), HL_OK);
    assert_int_equal(hl_file_write(file, bytes, size, &err), HL_OK);
    hl_file_close(file);
}

static void assert_damaged(struct fixture *f)
{
    struct hl_ann *ann = NULL;

    f->err.msg[0] = 0;
    if (hl_ann_load(f->path, &ann, &f->err) != HL_DAMAGED)
        fail_msg("not found to be damaged: %s", f->err.msg);
    assert_null(ann);
    assert_non_null(strstr(f->err.msg, f->path));
}

static void a_file_cut_anywhere_is_damaged(void **state)
{
    struct fixture *f = *state;

    for (size_t size = 0; size < f->file.len; size += size < 600 ? 1 : 97) {
        write_file(f, f->file.data, size);
        assert_damaged(f);
    }
}

static void a_file_of_something_else_is_refused(void **state)
{
    struct fixture *f = *state;
    char *copy = hl_alloc(f->file.len);
    struct hl_ann *ann = NULL;
    char *flat = NULL;

    /* The rows of the graph are an index of their own inside the file, at its end. */
    assert_non_null(copy);
    memcpy(copy, f->file.data, f->file.len);
    flat = memmem(copy, f->file.len, "IxF2", 4);
    assert_non_null(flat);
    write_file(f, flat, f->file.len - (size_t)(flat - copy));
    assert_int_equal(hl_ann_load(f->path, &ann, &f->err), HL_BAD_FILE);
    copy[0] = '?';
    write_file(f, copy, f->file.len);
    assert_int_equal(hl_ann_load(f->path, &ann, &f->err), HL_BAD_FILE);
    write_file(f, f->file.data, f->file.len + 1);
    assert_damaged(f);
    hl_free(copy);
}

/* Loads what may be anything, and uses it if it was good enough to load. */
static void load_and_search(struct fixture *f)
{
    float query[DIM] = {0};
    int64_t rows[5];
    float scores[5];
    const struct hl_batch queries = {.values = query, .n_rows = 1, .dim = DIM};
    const struct hl_ann_hits hits = {.rows = rows, .scores = scores, .k = 5};
    struct hl_ann *ann = NULL;

    if (hl_ann_load(f->path, &ann, &f->err) == HL_OK)
        assert_int_equal(hl_ann_search(ann, &queries, 20, &hits, &f->err), HL_OK);
    hl_ann_free(ann);
}

static void no_changed_byte_does_harm(void **state)
{
    struct fixture *f = *state;

    for (size_t at = 0; at < f->file.len; at += at < 600 ? 1 : 41) {
        f->file.data[at] ^= (char)0xff;
        write_file(f, f->file.data, f->file.len);
        f->file.data[at] ^= (char)0xff;
        load_and_search(f);
    }
}

/* Finds an array of the view in the file and puts another number at its start. */
static void damage(struct fixture *f, const void *array, size_t size, int32_t number)
{
    char *copy = hl_alloc(f->file.len);
    char *at = NULL;

    assert_non_null(copy);
    memcpy(copy, f->file.data, f->file.len);
    at = memmem(copy, f->file.len, array, size);
    assert_non_null(at);
    memcpy(at, &number, sizeof number);
    write_file(f, copy, f->file.len);
    hl_free(copy);
    assert_damaged(f);
}

static void a_graph_that_leads_nowhere_is_damaged(void **state)
{
    struct fixture *f = *state;
    const struct hl_graph_view *view = hl_ann_view(f->ann);
    const size_t links = view->n_neighbors * sizeof *view->neighbors;
    const size_t levels = view->n_rows * sizeof *view->levels;
    const size_t offsets = view->n_rows * sizeof *view->offsets;

    damage(f, view->neighbors, links, N_ROWS);
    damage(f, view->neighbors, links, -2);
    damage(f, view->levels, levels, 0);
    damage(f, view->levels, levels, 1000);
    damage(f, view->offsets, offsets, 8);
    damage(f, view->offsets + 1, offsets, INT32_MAX);
    damage(f, view->before, view->n_before * sizeof *view->before, 5);
    damage(f, view->before + 1, (view->n_before - 1) * sizeof *view->before, -1);
}

/* A count whose size in bytes is the true one again, 64 bits being all there are. */
static void a_count_that_wraps_is_damaged(void **state)
{
    struct fixture *f = *state;
    const struct hl_graph_view *view = hl_ann_view(f->ann);
    char *links = memmem(f->file.data, f->file.len, view->neighbors,
                         view->n_neighbors * sizeof *view->neighbors);

    assert_non_null(links);
    links[-1] ^= 0x40;
    write_file(f, f->file.data, f->file.len);
    links[-1] ^= 0x40;
    assert_damaged(f);
    assert_non_null(strstr(f->err.msg, "links in"));
}

static void a_link_to_a_row_that_is_not_on_its_level_is_damaged(void **state)
{
    struct fixture *f = *state;
    const struct hl_graph_view *view = hl_ann_view(f->ann);
    const size_t at = view->offsets[view->entry] + (size_t)view->before[1];
    int32_t low = 0;

    assert_true(view->max_level > 0);
    while (view->levels[low] > 1)
        low++;
    damage(f, view->neighbors + at, (view->n_neighbors - at) * sizeof low, low);
}

static void an_entry_outside_the_graph_is_damaged(void **state)
{
    struct fixture *f = *state;
    const struct hl_graph_view good = *hl_ann_view(f->ann);
    struct hl_graph_view bad[5] = {good, good, good, good, good};

    bad[0].entry = N_ROWS;
    bad[1].entry = -1;
    bad[2].max_level++;
    bad[3].n_rows = 0;
    bad[4].max_level = INT32_MAX;
    assert_int_equal(hl_graph_check(&good, &f->err), HL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hl_graph_check(&bad[i], &f->err), HL_DAMAGED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_file_is_not_found),
        cmocka_unit_test(a_file_cut_anywhere_is_damaged),
        cmocka_unit_test(a_file_of_something_else_is_refused),
        cmocka_unit_test(no_changed_byte_does_harm),
        cmocka_unit_test(a_graph_that_leads_nowhere_is_damaged),
        cmocka_unit_test(a_count_that_wraps_is_damaged),
        cmocka_unit_test(a_link_to_a_row_that_is_not_on_its_level_is_damaged),
        cmocka_unit_test(an_entry_outside_the_graph_is_damaged),
    };

    return cmocka_run_group_tests_name("graph", tests, set_up, tear_down);
}
