/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/tile.h"
#include "tests/unit/sketching.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_QUERIES = HL_TILE_QUERIES, N_ROWS = 41, MOST_DIM = 300 };

/* Rows and queries of one size, and the tile of all queries. */
struct fixture {
    size_t dim, stride, n_queries;
    enum hl_metric metric;
    const struct hl_kernels *kernels;
    float *rows, *values; /* of the queries */
    unsigned char *sketches;
    uint8_t *bytes, *query_bytes;
    struct hl_sketch_query queries[MOST_QUERIES];
    struct hl_tile tile;
    uint64_t may[N_ROWS];
};

static void *room(size_t size)
{
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);

    assert_non_null(memory);
    return memory;
}

/* What is different about one kind of rows and queries. */
struct kind {
    const char *name;
    float row, query; /* how large they are */
    float shift;      /* what is added to both */
    bool is_known;    /* else nothing may be left out */
    bool leaves_out;  /* else nothing is asked */
};

static const struct kind kinds[] = {
    {"plain", 1, 1, 0, true, true},
    {"of different length", 1e-4F, 30, 0, true, false},
    {"far from the origin", 1, 1, 50, true, false},
    {"long", 1e7F, 1e7F, 0, true, true},
    {"short", 1e-7F, 1e-7F, 0, true, true},
    {"too long", 1e12F, 1e12F, 0, false, false},
    {"queries too long", 1, 3e37F, 0, false, false},
    {"rows too short", 1e-25F, 1, 0, false, false},
    {"queries without length", 1, 0, 0, false, false},
    {"so long that floats overflow", 3e38F, 3e38F, 0, false, false},
};

static void set_up(struct fixture *f, const struct kind *kind)
{
    uint64_t seed = 7 + f->dim;

    f->stride = hl_sketch_stride(f->dim);
    f->rows = room(N_ROWS * f->dim * sizeof(float));
    f->values = room(f->n_queries * f->dim * sizeof(float));
    f->sketches = room(N_ROWS * f->stride);
    f->query_bytes = room(f->n_queries * f->stride);
    f->bytes = room(hl_tile_room(f->dim, f->n_queries));
    for (size_t i = 0; i < N_ROWS * f->dim; i++)
        f->rows[i] = value_at(&seed) * kind->row + kind->shift;
    for (size_t i = 0; i < f->n_queries * f->dim; i++)
        f->values[i] = value_at(&seed) * kind->query + kind->shift;
    for (size_t row = 0; row < N_ROWS; row++)
        hl_sketch_write(f->rows + row * f->dim, f->dim,
                        (struct hl_sketch *)(void *)(f->sketches + row * f->stride));
    hl_tile_init(&f->tile, f->metric, f->dim, f->n_queries, f->bytes);
    for (size_t i = 0; i < f->n_queries; i++) {
        hl_sketch_query_init(&f->queries[i], f->kernels, f->metric, f->values + i * f->dim,
                             f->dim, f->query_bytes + i * f->stride);
        hl_tile_put(&f->tile, i, &f->queries[i]);
    }
}

static void tear_down(struct fixture *f)
{
    free(f->rows);
    free(f->values);
    free(f->sketches);
    free(f->query_bytes);
    free(f->bytes);
}

static const struct hl_sketch *sketch_at(const struct fixture *f, size_t row)
{
    return (const struct hl_sketch *)(const void *)(f->sketches + row * f->stride);
}

static float score_of(const struct fixture *f, size_t query, size_t row)
{
    return hl_sketch_exact(&f->queries[query], f->rows + row * f->dim);
}

static void pass(struct fixture *f)
{
    memset(f->may, 0x5A, sizeof f->may);
    hl_tile_pass(&f->tile, f->queries, f->sketches, f->stride, N_ROWS, f->may);
}

static bool may_matter(const struct fixture *f, size_t query, size_t row)
{
    return f->may[row] >> query & 1;
}

/* Of every query the row in the middle becomes what must be reached: whoever scores as much
 * or more stays. How many of the others went is returned. */
static size_t check_bounds(struct fixture *f, const struct kind *kind)
{
    size_t n_out = 0;

    for (size_t query = 0; query < f->n_queries; query++)
        hl_tile_raise(&f->tile, query, score_of(f, query, (query * 7) % N_ROWS));
    pass(f);
    for (size_t query = 0; query < f->n_queries; query++) {
        const float least = score_of(f, query, (query * 7) % N_ROWS);

        for (size_t row = 0; row < N_ROWS; row++) {
            const bool is_in = may_matter(f, query, row);

            if (!is_in && (score_of(f, query, row) >= least || !kind->is_known))
                fail_msg("%s, %s, %zu floats, query %zu: row %zu must stay", kind->name,
                         f->kernels->name, f->dim, query, row);
            n_out += !is_in;
        }
    }
    return n_out;
}

static size_t check_kind(const char *table, const struct kind *kind, size_t dim,
                         size_t n_queries)
{
    size_t n_out = 0;

    for (int metric = HL_METRIC_L2; metric <= HL_METRIC_DOT; metric++) {
        struct fixture f = {
            .dim = dim, .n_queries = n_queries, .metric = (enum hl_metric)metric};

        f.kernels = table_of(table);
        if (!f.kernels)
            return SIZE_MAX;
        set_up(&f, kind);
        pass(&f);
        for (size_t row = 0; row < N_ROWS; row++) /* nothing is known yet */
            assert_int_equal(f.may[row], ~UINT64_C(0) >> (64 - n_queries));
        n_out += check_bounds(&f, kind);
        tear_down(&f);
    }
    return n_out;
}

static void nothing_that_may_matter_is_left_out(void **state)
{
    static const size_t dims[] = {1,  2,  3,  5,  15, 16,  17,  31,  33,
                                  63, 64, 65, 70, 96, 255, 256, 257, MOST_DIM};
    static const size_t counts[] = {1, 2, 3, 16, 17, 32, 47, 63, 64};

    (void)state;
    for (size_t table = 0; table < N_TABLES; table++)
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++)
            for (size_t dim = 0; dim < sizeof dims / sizeof *dims; dim++)
                (void)check_kind(tables[table], &kinds[kind], dims[dim],
                                 counts[(dim + kind) % (sizeof counts / sizeof *counts)]);
}

/* A bound that lets everything stay would be proven too. */
static void most_of_what_does_not_matter_is_left_out(void **state)
{
    const size_t n_pairs =
        (size_t)2 * N_ROWS * 64; /* of both metrics; half of them do not */

    (void)state;
    for (size_t table = 0; table < N_TABLES; table++)
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
            size_t n_out;

            if (!kinds[kind].leaves_out)
                continue;
            n_out = check_kind(tables[table], &kinds[kind], 256, 64);
            if (n_out < n_pairs * 3 / 10)
                fail_msg("%s, %s: %zu of %zu were left out", kinds[kind].name,
                         tables[table], n_out, n_pairs);
        }
}

/* The kernel's test is that of one row and one query, but for the last bits. */
static void every_table_says_what_the_test_of_one_says(void **state)
{
    (void)state;
    for (size_t table = 0; table < N_TABLES; table++)
        for (size_t n = 1; n <= 64; n += 9) {
            struct fixture f = {.dim = 129, .n_queries = n, .metric = HL_METRIC_DOT};

            f.kernels = table_of(tables[table]);
            if (!f.kernels)
                continue;
            set_up(&f, &kinds[0]);
            for (size_t query = 0; query < n; query++)
                hl_tile_raise(&f.tile, query, score_of(&f, query, query % N_ROWS));
            pass(&f);
            for (size_t query = 0; query < n; query++)
                for (size_t row = 0; row < N_ROWS; row++) {
                    const float gap = hl_tile_reach(&f.tile, query, sketch_at(&f, row),
                                                    hl_sketch_product(&f.queries[query],
                                                                      sketch_at(&f, row))) -
                                      f.tile.least[query];

                    if (fabsf(gap) > 1e-4F * fabsf(f.tile.least[query]))
                        assert_int_equal(may_matter(&f, query, row), gap >= 0);
                }
            tear_down(&f);
        }
}

static void rows_of_files_before_stay(void **state)
{
    struct fixture f = {.dim = 64, .n_queries = 20, .metric = HL_METRIC_L2};

    (void)state;
    f.kernels = table_of("auto");
    set_up(&f, &kinds[0]);
    for (size_t row = 0; row < N_ROWS; row += 2)
        ((struct hl_sketch *)(void *)(f.sketches + row * f.stride))->residual = 0;
    for (size_t query = 0; query < f.n_queries; query++)
        hl_tile_raise(&f.tile, query, 0); /* nobody is that near */
    pass(&f);
    for (size_t row = 0; row < N_ROWS; row++)
        assert_int_equal(f.may[row], row % 2 == 0 ? (1U << 20) - 1 : 0);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_may_matter_is_left_out),
        cmocka_unit_test(most_of_what_does_not_matter_is_left_out),
        cmocka_unit_test(every_table_says_what_the_test_of_one_says),
        cmocka_unit_test(rows_of_files_before_stay),
    };

    return cmocka_run_group_tests_name("tile", tests, NULL, NULL);
}
