/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that lie in all directions alike, in several segments: the hardest to find a way
 * among. Whoever asks for a wider beam is to find more, however many segments there are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/kernels.h"
#include "index/shelf.h"
#include "proto/random.h"
#include "tests/support/still.h"
#include "tests/unit/sealing.h"

#include <math.h>

enum {
    DIM = 32,
    PER_PART = 1500,
    N_PARTS = 6,
    N_ROWS = N_PARTS * PER_PART,
    N_ASKED = 100,
    K = 10
};

struct fixture {
    float values[N_ROWS * DIM], queries[N_ASKED * DIM];
    float reach[N_ASKED]; /* the distance of the last of the best */
    struct hl_part *parts[N_PARTS];
    struct hl_searcher *searcher;
    const struct hl_kernels *kernels;
};

static void draw(struct hl_random *random, float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (float)hl_random_normal(random);
}

static float distance(const float *a, const float *b)
{
    float sum = 0;

    for (size_t i = 0; i < DIM; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

static void find_truth(struct fixture *f)
{
    float *distances = malloc(N_ROWS * sizeof *distances);

    assert_non_null(distances);
    for (size_t query = 0; query < N_ASKED; query++) {
        for (size_t row = 0; row < N_ROWS; row++)
            distances[row] = distance(f->queries + query * DIM, f->values + row * DIM);
        qsort(distances, N_ROWS, sizeof *distances, ascending);
        f->reach[query] = distances[K - 1];
    }
    free(distances);
}

static struct hl_part *seal(const struct fixture *f, size_t part)
{
    const float *values[PER_PART];
    uint64_t rows[PER_PART];
    uint32_t numbers[PER_PART];
    const struct hl_segment_content content = {.n_rows = PER_PART,
                                               .dim = DIM,
                                               .values = values,
                                               .rows = rows,
                                               .numbers = numbers,
                                               .metric = HL_METRIC_L2,
                                               .n_links = 32,
                                               .ef_construction = 100};

    for (size_t i = 0; i < PER_PART; i++) {
        numbers[i] = (uint32_t)(part * PER_PART + i);
        rows[i] = numbers[i] + 1;
        values[i] = f->values + (size_t)numbers[i] * DIM;
    }
    return seal_content(&content, NULL);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_random random = {7};
    struct hl_err err;

    *state = f;
    if (!f || hl_kernels_find("auto", &f->kernels, &err) != HL_OK)
        return -1;
    draw(&random, f->values, (size_t)N_ROWS * DIM);
    draw(&random, f->queries, (size_t)N_ASKED * DIM);
    find_truth(f);
    for (size_t part = 0; part < N_PARTS; part++)
        f->parts[part] = seal(f, part);
    f->searcher = hl_searcher_new();
    return f->searcher ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t part = 0; part < N_PARTS; part++)
        hl_part_unref(f->parts[part]);
    hl_searcher_free(f->searcher);
    free(f);
    return 0;
}

static double recall(struct fixture *f, size_t beam)
{
    const struct hl_shelf shelf = {HL_METRIC_L2, DIM, N_PARTS, f->parts};
    size_t n_right = 0;

    for (size_t query = 0; query < N_ASKED; query++) {
        const struct hl_shelf_search search = {.shelf = &shelf,
                                               .query = f->queries + query * DIM,
                                               .commit = 1,
                                               .k = K,
                                               .beam = beam,
                                               .kernels = f->kernels,
                                               .deadline = &never};
        const struct hl_shelf_hit *hits;
        struct hl_shelf_tally tally = {0};
        struct hl_err err;
        size_t n;

        assert_int_equal(hl_shelf_find(f->searcher, &search, &hits, &n, &tally, &err),
                         HL_OK);
        assert_int_equal(n, K);
        for (size_t i = 0; i < n; i++)
            n_right += -hits[i].score <= f->reach[query] * 1.00001F;
    }
    return (double)n_right / (N_ASKED * K);
}

static void a_wider_beam_finds_more(void **state)
{
    struct fixture *f = *state;
    const double narrow = recall(f, 32), middle = recall(f, 64), wide = recall(f, 128);

    print_message("# recall@%d: %.4f, %.4f, %.4f\n", K, narrow, middle, wide);
    assert_true(narrow < middle && middle < wide);
    assert_true(narrow >= .9);
    assert_true(wide >= .99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wider_beam_finds_more),
    };

    return cmocka_run_group_tests_name("breadth", tests, set_up, tear_down);
}
