/* SPDX-License-Identifier: Apache-2.0 */

/* FAISS's HNSW search and build with our kernels under it, against the library as shipped:
 * the same graph, one thread, rounds of the two in turn, the median of their ratios.
 *
 *     bench_faiss_kernels [ROWS]      20000 unless said otherwise
 *
 * Time is the thread's own, so that a busy machine disturbs little. Exit 1 when searching
 * rows of 256 floats is not twice as fast. */

#include "index/ann.h"
#include "index/index.h"
#include "proto/alloc.h"
#include "tests/bench/median.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_QUERIES  ((size_t)500)
#define N_BUILT    ((size_t)3000)
#define N_ROUNDS   7
#define N_CLUSTERS 500
#define N_LATENT   ((size_t)32)
#define K          ((size_t)10)
#define EF         32

static const struct hl_ann_options options = {
    .metric = HL_METRIC_L2, .n_links = 32, .ef_construction = 100};

static const struct hl_deadline never = {.at_us = HL_DEADLINE_NEVER};

static void must(enum hl_code code, const struct hl_err *err)
{
    if (code == HL_OK)
        return;
    (void)fprintf(stderr, "bench_faiss_kernels: %s\n", err->msg);
    _exit(2);
}

static void *must_have(void *memory)
{
    if (!memory)
        _exit(2);
    return memory;
}

static double now_s(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* About normal: the sum of four uniform numbers. */
static float next_normal(uint64_t *seed)
{
    float sum = 0;

    for (int i = 0; i < 4; i++) {
        *seed = *seed * 6364136223846793005U + 1442695040888963407U;
        sum += (float)(int32_t)(*seed >> 32) * 0x1p-31F;
    }
    return sum * 0.866F;
}

/* Clusters in a small space, bent into the large one, with noise: what embeddings are like.
 * Seed 0 gives the rows and any other the queries of the same clusters. */
static void fill(struct hl_batch *batch, const float *centres, const float *bend,
                 uint64_t seed)
{
    for (size_t row = 0; row < batch->n_rows; row++) {
        const float *centre = centres + (row * 7919 + seed) % N_CLUSTERS * N_LATENT;
        float *values = hl_batch_row(batch, row);
        float latent[N_LATENT];
        float norm = 0;

        for (size_t i = 0; i < N_LATENT; i++)
            latent[i] = centre[i] + 0.5F * next_normal(&seed);
        for (size_t i = 0; i < batch->dim; i++) {
            values[i] =
                tanhf(hl_kernels_portable.dot(latent, bend + i * N_LATENT, N_LATENT)) +
                0.05F * next_normal(&seed);
            norm += values[i] * values[i];
        }
        for (size_t i = 0; i < batch->dim; i++)
            values[i] /= sqrtf(norm);
    }
}

static float *normals(size_t n, uint64_t seed, float scale)
{
    float *values = must_have(hl_alloc_zeroed(n, sizeof *values));

    for (size_t i = 0; i < n; i++)
        values[i] = scale * next_normal(&seed);
    return values;
}

struct bench {
    struct hl_batch rows, queries;
    int64_t *truth; /* K rows for each query, by an exact scan */
    struct hl_ann *ann;
    const char *ours;
};

static void find_truth(struct bench *b)
{
    float *scores = must_have(hl_alloc_zeroed(b->rows.n_rows, sizeof *scores));
    const struct hl_kernels *kernels = NULL;
    struct hl_err err;

    must(hl_kernels_find("auto", &kernels, &err), &err);
    b->truth = must_have(hl_alloc_zeroed(N_QUERIES * K, sizeof *b->truth));
    for (size_t query = 0; query < N_QUERIES; query++) {
        kernels->l2_ny(scores, hl_batch_row(&b->queries, query), b->rows.values,
                       b->rows.dim, b->rows.n_rows);
        for (size_t k = 0; k < K; k++) {
            size_t nearest = 0;

            for (size_t row = 1; row < b->rows.n_rows; row++)
                nearest = scores[row] < scores[nearest] ? row : nearest;
            b->truth[query * K + k] = (int64_t)nearest;
            scores[nearest] = INFINITY;
        }
    }
    hl_free(scores);
}

/* The seconds of all queries, one a call, and the share of true neighbours among the found.
 */
static double search(struct bench *b, const char *kernels, double *ret_recall)
{
    int64_t rows[N_QUERIES * K];
    float scores[N_QUERIES * K];
    size_t n_true = 0;
    struct hl_err err;
    double start = 0;
    double spent = 0;

    must(hl_index_choose_kernels(kernels, &err), &err);
    start = now_s();
    for (size_t query = 0; query < N_QUERIES; query++) {
        const struct hl_batch one = {
            .values = hl_batch_row(&b->queries, query), .n_rows = 1, .dim = b->rows.dim};
        const struct hl_ann_hits hits = {
            .rows = rows + query * K, .scores = scores + query * K, .k = K};

        must(hl_ann_search(b->ann, &one, EF, &hits, &err), &err);
    }
    spent = now_s() - start;
    for (size_t i = 0; i < N_QUERIES * K; i++)
        for (size_t k = 0; k < K; k++)
            n_true += rows[i] == b->truth[i / K * K + k];
    *ret_recall = (double)n_true / (double)(N_QUERIES * K);
    return spent;
}

/* The seconds to build a graph over the first rows. */
static double build(const struct bench *b, const char *kernels)
{
    struct hl_batch rows = b->rows;
    struct hl_ann *ann = NULL;
    struct hl_err err;
    double start = 0;
    double spent = 0;

    rows.n_rows = rows.n_rows < N_BUILT ? rows.n_rows : N_BUILT;
    must(hl_index_choose_kernels(kernels, &err), &err);
    start = now_s();
    must(hl_ann_build(&rows, &options, &never, &ann, &err), &err);
    spent = now_s() - start;
    hl_ann_free(ann);
    return spent;
}

/* The ratio of the searches. */
static double run(struct bench *b)
{
    double shipped[N_ROUNDS], ours[N_ROUNDS], ratios[N_ROUNDS];
    double recall_shipped = 0;
    double recall_ours = 0;
    double ratio = 0;

    (void)search(b, "shipped", &recall_shipped); /* into the caches */
    for (int round = 0; round < N_ROUNDS; round++) {
        shipped[round] = search(b, "shipped", &recall_shipped);
        ours[round] = search(b, "auto", &recall_ours);
        ratios[round] = shipped[round] / ours[round];
    }
    ratio = hl_median(ratios, N_ROUNDS);
    printf("%4zu floats  search  shipped %7.1f us  %s %7.1f us  ratio %.2f (%.2f to %.2f)  "
           "recall@10 %.4f and %.4f\n",
           b->rows.dim, hl_median(shipped, N_ROUNDS) / N_QUERIES * 1e6, b->ours,
           hl_median(ours, N_ROUNDS) / N_QUERIES * 1e6, ratio, ratios[0],
           ratios[N_ROUNDS - 1], recall_shipped, recall_ours);
    for (int round = 0; round < N_ROUNDS; round++) {
        shipped[round] = build(b, "shipped");
        ours[round] = build(b, "auto");
        ratios[round] = shipped[round] / ours[round];
    }
    printf("%4zu floats  build   shipped %5.0f /s   %s %5.0f /s   ratio %.2f (first %zu "
           "rows)\n",
           b->rows.dim, N_BUILT / hl_median(shipped, N_ROUNDS), b->ours,
           N_BUILT / hl_median(ours, N_ROUNDS), hl_median(ratios, N_ROUNDS), N_BUILT);
    (void)fflush(stdout);
    return ratio;
}

static double bench(size_t n_rows, size_t dim)
{
    float *centres = normals(N_CLUSTERS * N_LATENT, 1, 1);
    float *bend = normals(dim * N_LATENT, 2, 0.2F);
    struct bench b = {.rows = {.n_rows = n_rows, .dim = dim},
                      .queries = {.n_rows = N_QUERIES, .dim = dim}};
    struct hl_err err;
    double ratio = 0;

    b.rows.values = must_have(hl_alloc_zeroed(n_rows * dim, sizeof(float)));
    b.queries.values = must_have(hl_alloc_zeroed(N_QUERIES * dim, sizeof(float)));
    fill(&b.rows, centres, bend, 0);
    fill(&b.queries, centres, bend, 12345);
    find_truth(&b);
    must(hl_index_choose_kernels("auto", &err), &err);
    b.ours = hl_index_kernels();
    must(hl_ann_build(&b.rows, &options, &never, &b.ann, &err), &err);
    ratio = run(&b);
    hl_ann_free(b.ann);
    hl_free(b.truth);
    hl_free(b.queries.values);
    hl_free(b.rows.values);
    hl_free(bend);
    hl_free(centres);
    return ratio;
}

int main(int argc, char **argv)
{
    const size_t n_rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    double ratio = 0;

    if (n_rows < 1000) {
        (void)fprintf(stderr, "usage: bench_faiss_kernels [ROWS], at least 1000\n");
        return 2;
    }
    printf("HNSW%u, efConstruction %u, ef %d, %zu rows, %zu queries, %d rounds, FAISS %s\n",
           options.n_links, options.ef_construction, EF, n_rows, N_QUERIES, N_ROUNDS,
           hl_index_faiss_version());
    (void)bench(n_rows, 128);
    ratio = bench(n_rows, 256);
    (void)bench(n_rows, 784);
    return ratio >= 2 ? 0 : 1;
}
