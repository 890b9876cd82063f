/* SPDX-License-Identifier: Apache-2.0 */
/* Our walk against FAISS's search and hnswlib's, each on a graph of its own (ours is built
 * over sketches) with the same sizes, one thread, interleaved: microseconds a query,
 * recall@10, and the ratios.
 *
 * Usage: bench_walk [ROWS [DIM [ROUNDS [FILE.f32]]]]. The file holds ROWS and then 1,000
 * queries; without one rows are drawn that look like embeddings. */

#include "index/walk.h"
#include "index/ann.h"
#include "index/index.h"
#include "index/segment.h"
#include "tests/bench/other.h"
#include "tests/support/gallery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { N_QUERIES = 1000, K = 10, N_BEAMS = 4, MOST_ROUNDS = 31 };

static const size_t beams[N_BEAMS] = {16, 32, 64, 128};

static int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct hl_clock wall = {now_us, NULL};
static const struct hl_deadline never = {&wall, HL_DEADLINE_NEVER, NULL};

struct bench {
    size_t n_rows, dim;
    float *values, *queries;
    struct hl_ann *ann;
    struct hl_segment *segment;
    struct other *other;
    struct hl_walker *walker;
    uint8_t *bytes;
    const struct hl_kernels *kernels;
    int64_t truth[N_QUERIES][K];
    int64_t found[N_QUERIES][K];
};

static void die(const struct hl_err *err)
{
    fprintf(stderr, "%s\n", err->msg);
    exit(1);
}

static void walk_one(struct bench *b, size_t query, size_t beam)
{
    struct hl_walk_hit hits[K];
    struct hl_walk_answer answer = {.hits = hits};
    struct hl_sketch_query sketch;
    struct hl_walk walk = {.segment = hl_segment_view(b->segment),
                           .query = &sketch,
                           .k = K,
                           .beam = beam,
                           .deadline = &never};
    struct hl_err err;

    hl_sketch_query_init(&sketch, b->kernels, HL_METRIC_L2, b->queries + query * b->dim,
                         b->dim, b->bytes);
    if (hl_walk_search(b->walker, &walk, &answer, &err) != HL_OK)
        die(&err);
    for (size_t i = 0; i < K; i++)
        b->found[query][i] = i < answer.n_hits ? (int64_t)hits[i].position : -1;
}

static void faiss_one(struct bench *b, size_t query, size_t beam)
{
    float scores[K];
    const struct hl_batch batch = {b->queries + query * b->dim, 1, b->dim};
    const struct hl_ann_hits hits = {b->found[query], scores, K};
    struct hl_err err;

    if (hl_ann_search(b->ann, &batch, beam, &hits, &err) != HL_OK)
        die(&err);
}

/* Microseconds a query over all of them. */
static double run(struct bench *b, const char *way, size_t beam)
{
    struct hl_err err;
    int64_t start;

    if (hl_index_choose_kernels(strcmp(way, "shipped") == 0 ? way : "auto", &err) != HL_OK)
        die(&err);
    start = now_us(NULL);
    for (size_t query = 0; query < N_QUERIES; query++) {
        if (strcmp(way, "walk") == 0)
            walk_one(b, query, beam);
        else if (strcmp(way, "hnswlib") == 0)
            other_search(b->other, b->queries + query * b->dim, beam, K, b->found[query]);
        else
            faiss_one(b, query, beam);
    }
    return (double)(now_us(NULL) - start) / N_QUERIES;
}

static double recall(const struct bench *b)
{
    size_t n_found = 0;

    for (size_t query = 0; query < N_QUERIES; query++)
        for (size_t i = 0; i < K; i++)
            for (size_t j = 0; j < K; j++)
                n_found += b->found[query][i] == b->truth[query][j];
    return (double)n_found / (N_QUERIES * K);
}

static void find_truth(struct bench *b)
{
    for (size_t query = 0; query < N_QUERIES; query++) {
        struct hl_walk_hit hits[K];
        struct hl_walk_answer answer = {.hits = hits};
        struct hl_sketch_query sketch;
        struct hl_walk walk = {.segment = hl_segment_view(b->segment),
                               .query = &sketch,
                               .k = K,
                               .deadline = &never};
        struct hl_err err;

        hl_sketch_query_init(&sketch, b->kernels, HL_METRIC_L2, b->queries + query * b->dim,
                             b->dim, b->bytes);
        if (hl_walk_scan(b->walker, &walk, NULL, 0, &answer, &err) != HL_OK)
            die(&err);
        for (size_t i = 0; i < K; i++)
            b->truth[query][i] = hits[i].position;
    }
}

static void build(struct bench *b)
{
    char path[] = "/tmp/heirloom-bench-XXXXXX";
    struct hl_batch batch = {b->values, b->n_rows, b->dim};
    const struct hl_ann_options options = {HL_METRIC_L2, 32, 100, NULL};
    uint64_t *rows = malloc(b->n_rows * sizeof *rows);
    uint32_t *numbers = malloc(b->n_rows * sizeof *numbers);
    struct hl_segment_content content = {&batch, rows, numbers, HL_METRIC_L2,
                                         32,     100,  NULL};
    struct hl_err err;
    int64_t start = now_us(NULL);
    const int fd = mkstemp(path);

    if (!rows || !numbers || fd < 0)
        exit(1);
    close(fd);
    for (size_t i = 0; i < b->n_rows; i++) {
        rows[i] = i + 1;
        numbers[i] = (uint32_t)i;
    }
    if (hl_ann_build(&batch, &options, &never, &b->ann, &err) != HL_OK)
        die(&err);
    printf("graph of %zu x %zu built at %.0f rows/s\n", b->n_rows, b->dim,
           (double)b->n_rows / ((double)(now_us(NULL) - start) / 1e6));
    start = now_us(NULL);
    b->other = other_new(b->values, b->n_rows, b->dim, 32, 100);
    if (!b->other)
        exit(1);
    printf("hnswlib built its own at %.0f rows/s\n",
           (double)b->n_rows / ((double)(now_us(NULL) - start) / 1e6));
    if (hl_segment_build(&content, path, &never, &err) != HL_OK)
        die(&err);
    start = now_us(NULL);
    if (hl_segment_open(path, &b->segment, &err) != HL_OK)
        die(&err);
    printf("segment opened and checked in %.0f ms\n", (double)(now_us(NULL) - start) / 1e3);
    unlink(path);
    free(rows);
    free(numbers);
}

static int compare_doubles(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare_doubles);
    return values[n / 2];
}

enum { SHIPPED, WRAPPED, HNSWLIB, WALK, N_WAYS };

static void compare_at(struct bench *b, size_t beam, size_t n_rounds)
{
    static const char *const ways[N_WAYS] = {"shipped", "auto", "hnswlib", "walk"};
    double us[N_WAYS][MOST_ROUNDS], ratios[N_WAYS][MOST_ROUNDS], recalls[N_WAYS];

    for (size_t round = 0; round < n_rounds; round++) {
        for (size_t way = 0; way < N_WAYS; way++) {
            us[way][round] = run(b, ways[way], beam);
            recalls[way] = recall(b);
        }
        for (size_t way = 0; way < N_WAYS; way++)
            ratios[way][round] = us[way][round] / us[WALK][round];
    }
    printf("beam %3zu  walk %7.1f us (%.4f)", beam, median(us[WALK], n_rounds),
           recalls[WALK]);
    for (size_t way = 0; way < WALK; way++)
        printf("   %s %7.1f us (%.4f) %.2fx", way == WRAPPED ? "wrapped" : ways[way],
               median(us[way], n_rounds), recalls[way], median(ratios[way], n_rounds));
    printf("\n");
    fflush(stdout);
}

/* Rows and queries, drawn or from a file. */
static bool load(struct bench *b, const char *path)
{
    struct hl_gallery *gallery;
    FILE *file;
    size_t n_read;

    if (!path) {
        gallery = hl_gallery_new(b->dim, 1);
        if (gallery) {
            b->values = hl_gallery_rows(gallery, 0, b->n_rows);
            b->queries = hl_gallery_rows(gallery, b->n_rows, N_QUERIES);
        }
        hl_gallery_free(gallery);
        return b->values && b->queries;
    }
    b->values = malloc(b->n_rows * b->dim * sizeof(float));
    b->queries = malloc(N_QUERIES * b->dim * sizeof(float));
    file = fopen(path, "rb");
    if (!b->values || !b->queries || !file)
        return false;
    n_read = fread(b->values, sizeof(float) * b->dim, b->n_rows, file);
    n_read += fread(b->queries, sizeof(float) * b->dim, N_QUERIES, file);
    fclose(file);
    return n_read == b->n_rows + N_QUERIES;
}

int main(int argc, char **argv)
{
    struct bench b = {.n_rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000,
                      .dim = argc > 2 ? strtoul(argv[2], NULL, 10) : 256};
    const size_t n_rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 5;
    struct hl_err err;

    if (n_rounds < 1 || n_rounds > MOST_ROUNDS ||
        hl_index_choose_kernels("auto", &err) != HL_OK ||
        hl_kernels_find("auto", &b.kernels, &err) != HL_OK ||
        !load(&b, argc > 4 ? argv[4] : NULL)) {
        fprintf(stderr, "usage: bench_walk [ROWS [DIM [ROUNDS [FILE.f32]]]]\n");
        free(b.values);
        free(b.queries);
        return 1;
    }
    b.walker = hl_walker_new();
    b.bytes = malloc(hl_sketch_stride(b.dim));
    if (b.walker && b.bytes) {
        build(&b);
        find_truth(&b);
        for (size_t i = 0; i < N_BEAMS; i++)
            compare_at(&b, beams[i], n_rounds);
    }
    hl_ann_free(b.ann);
    other_free(b.other);
    hl_segment_close(b.segment);
    hl_walker_free(b.walker);
    free(b.values);
    free(b.queries);
    free(b.bytes);
    return 0;
}
