/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/kernels.h"
#include "index/sprout.h"
#include "index/walker.h"
#include "proto/fail.h"
#include "tests/support/gallery.h"
#include "tests/support/still.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define N_ROWS    ((size_t)4000)
#define N_QUERIES ((size_t)50)
#define DIM       ((size_t)32)
#define K         ((size_t)10)
#define STEP      ((size_t)500)

struct fixture {
    float *values, *queries;
    unsigned char *sketches;
    struct hl_sprout *sprout;
    struct hl_walker *walker;
    const struct hl_kernels *kernels;
    struct hl_err err;
};

static struct hl_sprout_options options_of(unsigned n_links)
{
    return (struct hl_sprout_options){HL_METRIC_L2, DIM, N_ROWS, n_links, 80};
}

static int set_up(void **state)
{
    const struct hl_sprout_options options = options_of(12);
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_gallery *gallery = hl_gallery_new(DIM, 31);
    const size_t stride = hl_sketch_stride(DIM);

    *state = f;
    if (!f || !gallery)
        return -1;
    f->values = hl_gallery_rows(gallery, 0, N_ROWS);
    f->queries = hl_gallery_rows(gallery, N_ROWS, N_QUERIES);
    hl_gallery_free(gallery);
    f->sketches = aligned_alloc(64, (N_ROWS * stride + 63) / 64 * 64);
    f->walker = hl_walker_new();
    if (!f->values || !f->queries || !f->sketches || !f->walker ||
        hl_kernels_find("auto", &f->kernels, &f->err) != HL_OK ||
        hl_sprout_new(&options, &f->sprout, &f->err) != HL_OK)
        return -1;
    for (size_t i = 0; i < N_ROWS; i++)
        hl_sketch_write(f->values + i * DIM, DIM, (void *)(f->sketches + i * stride));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_sprout_free(f->sprout);
    hl_walker_free(f->walker);
    free(f->sketches);
    free(f->values);
    free(f->queries);
    free(f);
    return 0;
}

static enum hl_code grow(struct fixture *f, size_t n)
{
    const size_t first = hl_sprout_count(f->sprout);

    return hl_sprout_grow(f->sprout, f->sketches + first * hl_sketch_stride(DIM), n,
                          &f->err);
}

static const float *values_at(const void *values, uint32_t position)
{
    return (const float *)values + position * DIM;
}

/* Rows that were counted, and no others. */
static bool is_counted(void *n_rows, uint32_t position)
{
    return position < *(size_t *)n_rows;
}

static float distance(const struct fixture *f, const float *query, size_t row)
{
    float sum = 0;

    for (size_t i = 0; i < DIM; i++) {
        const float gap = query[i] - f->values[row * DIM + i];

        sum += gap * gap;
    }
    return sum;
}

/* Walks for a query among the first n_rows; how many of the hits are right. */
static size_t walk(const struct fixture *f, struct hl_walker *walker, size_t query,
                   size_t n_rows)
{
    const float *floats = f->queries + query * DIM;
    uint8_t bytes[64];
    struct hl_sketch_query sketch;
    struct hl_walk_hit hits[K];
    struct hl_walk_answer answer = {.hits = hits};
    const struct hl_walker_values values = {values_at, f->values, false};
    const struct hl_walk walk = {.segment = hl_sprout_view(f->sprout),
                                 .values = &values,
                                 .query = &sketch,
                                 .k = K,
                                 .beam = 100,
                                 .may_keep = is_counted,
                                 .self = &n_rows,
                                 .deadline = &never};
    struct hl_err err;
    size_t n_right = 0;

    hl_sketch_query_init(&sketch, f->kernels, HL_METRIC_L2, floats, DIM, bytes);
    if (hl_walk_search(walker, &walk, &answer, &err) != HL_OK)
        return 0;
    for (size_t i = 0; i < answer.n_hits; i++) {
        const float reach = distance(f, floats, hits[i].position);
        size_t n_nearer = 0;

        for (size_t row = 0; row < n_rows; row++)
            n_nearer += distance(f, floats, row) < reach;
        n_right += n_nearer < K;
    }
    return n_right;
}

static void assert_all_are_found(const struct fixture *f)
{
    size_t n_right = 0;

    for (size_t query = 0; query < N_QUERIES; query++)
        n_right += walk(f, f->walker, query, hl_sprout_count(f->sprout));
    assert_true(n_right >= N_QUERIES * K * 99 / 100);
}

static void it_is_walked_at_every_size(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_sprout_count(f->sprout), 0);
    for (size_t n = STEP; n <= N_ROWS; n += STEP) {
        assert_int_equal(grow(f, STEP), HL_OK);
        assert_int_equal(hl_sprout_count(f->sprout), n);
        assert_all_are_found(f);
    }
    assert_int_equal(hl_ann_view(hl_sprout_graph(f->sprout))->n_rows, N_ROWS);
}

/* With two links a row every other row is on a level above the lowest, and every other of
 * those on the next: at some sizes that is more than a block a row. */
static void a_graph_of_few_links_has_room_on_its_levels(void **state)
{
    struct hl_sprout_options options = options_of(2);
    struct fixture *f = *state;

    for (options.most_rows = 200; options.most_rows <= N_ROWS; options.most_rows += 200) {
        hl_sprout_free(f->sprout);
        f->sprout = NULL;
        assert_int_equal(hl_sprout_new(&options, &f->sprout, &f->err), HL_OK);
        for (size_t n = 0; n < options.most_rows; n += 200)
            assert_int_equal(grow(f, 200), HL_OK);
        assert_true(walk(f, f->walker, 0, options.most_rows) > 0);
    }
}

struct walking {
    const struct fixture *f;
    atomic_bool is_over;
    size_t n_walks, n_right;
};

static void *walk_on(void *arg)
{
    struct walking *walking = arg;
    struct hl_walker *walker = hl_walker_new();

    while (walker && !atomic_load(&walking->is_over)) {
        const size_t n_rows = hl_sprout_count(walking->f->sprout);

        if (n_rows == 0)
            continue;
        walking->n_right +=
            walk(walking->f, walker, walking->n_walks++ % N_QUERIES, n_rows);
    }
    hl_walker_free(walker);
    return NULL;
}

static void it_is_walked_while_it_grows(void **state)
{
    struct fixture *f = *state;
    struct walking walking = {.f = f};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, walk_on, &walking), 0);
    for (size_t n = 0; n < N_ROWS; n += STEP / 5)
        assert_int_equal(grow(f, STEP / 5), HL_OK);
    atomic_store(&walking.is_over, true);
    pthread_join(thread, NULL);
    assert_true(walking.n_right >= walking.n_walks * K * 98 / 100);
    assert_all_are_found(f);
}

static void without_memory_there_is_none(void **state)
{
    const struct hl_sprout_options options = options_of(12);
    struct fixture *f = *state;
    struct hl_sprout *another = NULL;
    enum hl_code code = HL_NO_MEMORY;
    size_t n_failed = 0;
    char rule[32];

    for (; code != HL_OK; n_failed++) {
        snprintf(rule, sizeof rule, "alloc=%zu:fail", n_failed + 1);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = hl_sprout_new(&options, &another, &f->err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_true(n_failed > 4);
    hl_sprout_free(another);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_walked_at_every_size),
        TEST(a_graph_of_few_links_has_room_on_its_levels),
        TEST(it_is_walked_while_it_grows),
        TEST(without_memory_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
