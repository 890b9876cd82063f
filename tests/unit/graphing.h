/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_GRAPHING_H
#define HL_TESTS_UNIT_GRAPHING_H

/* Rows that graphs are built over, and how good what is found there is. Include it behind
 * cmocka.h. */
#include "index/ann.h"
#include "index/index.h"
#include "proto/alloc.h"
#include "proto/fail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
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

static inline int64_t fake_now(void *self)
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
static inline void fill(struct hl_batch *batch, uint64_t seed)
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

static inline struct hl_batch batch_of(size_t n_rows, uint64_t seed)
{
    struct hl_batch batch = {.n_rows = n_rows, .dim = DIM};

    batch.values = hl_alloc_zeroed(n_rows * DIM, sizeof(float));
    assert_non_null(batch.values);
    fill(&batch, seed);
    return batch;
}

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < N_OPTIONS; i++)
        hl_ann_free(f->ann[i]);
    hl_free(f->rows.values);
    hl_free(f->queries.values);
    return rmdir(f->folder);
}

static inline int clean(void **state)
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

static inline struct found search(struct fixture *f, struct hl_ann *ann)
{
    struct found found;
    const struct hl_ann_hits hits = {.rows = found.rows, .scores = found.scores, .k = K};

    assert_int_equal(hl_ann_search(ann, &f->queries, EF, &hits, &f->err), HL_OK);
    return found;
}

/* How near a row is to a query: more is nearer, whatever the metric. */
static inline double nearness(const struct fixture *f, enum hl_metric metric, size_t query,
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
static inline bool is_true_neighbour(const struct fixture *f, enum hl_metric metric,
                                     size_t query, size_t row)
{
    const double own = nearness(f, metric, query, row);
    size_t n_nearer = 0;

    for (size_t other = 0; other < N_ROWS; other++)
        n_nearer += nearness(f, metric, query, other) > own;
    return n_nearer < K;
}

static inline double recall_of(const struct fixture *f, enum hl_metric metric,
                               const struct found *found)
{
    size_t n_true = 0;

    for (size_t i = 0; i < N_QUERIES * K; i++)
        n_true += found->rows[i] >= 0 &&
                  is_true_neighbour(f, metric, i / K, (size_t)found->rows[i]);
    return (double)n_true / (N_QUERIES * K);
}

/* A beam search over nothing but the view, the shortest that works. */
struct beam {
    int32_t rows[EF];
    double near[EF];
    bool is_open[EF];
    size_t n;
};

static inline void offer(struct beam *beam, int32_t row, double near)
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
static inline int32_t take_open(struct beam *beam)
{
    for (size_t i = 0; i < beam->n; i++)
        if (beam->is_open[i]) {
            beam->is_open[i] = false;
            return beam->rows[i];
        }
    return -1;
}

static inline void walk(const struct fixture *f, const struct hl_ann *ann, size_t query,
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

/* What a walk of the view alone finds. */
static inline struct found walk_all(const struct fixture *f, const struct hl_ann *ann)
{
    struct found found = {.rows = {0}};

    for (size_t query = 0; query < N_QUERIES; query++) {
        struct beam beam;

        walk(f, ann, query, &beam);
        for (size_t at = 0; at < K; at++)
            found.rows[query * K + at] = beam.rows[at];
    }
    return found;
}

#endif
