/* SPDX-License-Identifier: Apache-2.0 */
/* Our walk against FAISS's search and hnswlib's, each on a graph of its own (ours is built
 * over sketches) with the same sizes, one thread, interleaved: microseconds a query,
 * recall@10, and the ratios.
 *
 * Usage: bench_walk [ROWS [DIM [ROUNDS [FILE.f32]]]]. The file holds ROWS and then 1,000
 * queries; without one rows are drawn that look like embeddings. With ROUNDS 0 it takes
 * turns (tests/bench/turns.h), of a side that is one of shipped, wrapped (FAISS over our
 * kernels), hnswlib, same (our walk over FAISS's graph) and walk:
 *
 *     build SIDE     its graph anew, the first two and same have one: seconds=…
 *     SIDE BEAM      all queries: us=… of each, recall=…
 */

#include "index/walk.h"
#include "index/ann.h"
#include "index/index.h"
#include "index/segment.h"
#include "tests/bench/laid.h"
#include "tests/bench/median.h"
#include "tests/bench/other.h"
#include "tests/bench/turns.h"
#include "tests/support/gallery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { N_QUERIES = 1000, K = 10, N_BEAMS = 4, MOST_ROUNDS = 31, N_LINKS = 32, EF = 100 };

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

static struct hl_allowance allowance = {.most = SIZE_MAX};
static const struct hl_segment_hold hold = {.allowance = &allowance};

struct bench {
    size_t n_rows, dim;
    float *values, *queries;
    struct hl_ann *ann;
    struct hl_segment *segment;
    unsigned char *sketches; /* for the walk over FAISS's graph, laid out for it */
    struct laid laid;
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

static void walk_one(struct bench *b, const struct hl_segment_view *view, size_t query,
                     size_t beam)
{
    struct hl_walk_hit hits[K];
    struct hl_walk_answer answer = {.hits = hits};
    struct hl_sketch_query sketch;
    struct hl_walk walk = {
        .segment = view, .query = &sketch, .k = K, .beam = beam, .deadline = &never};
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
            walk_one(b, hl_segment_view(b->segment), query, beam);
        else if (strcmp(way, "same") == 0)
            walk_one(b, &b->laid.view, query, beam);
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
    const struct hl_segment_view rows = {
        .metric = HL_METRIC_L2, .dim = b->dim, .n_rows = b->n_rows, .values = b->values};

    for (size_t query = 0; query < N_QUERIES; query++) {
        struct hl_walk_hit hits[K];
        struct hl_walk_answer answer = {.hits = hits};
        struct hl_sketch_query sketch;
        struct hl_walk walk = {
            .segment = &rows, .query = &sketch, .k = K, .deadline = &never};
        struct hl_err err;

        hl_sketch_query_init(&sketch, b->kernels, HL_METRIC_L2, b->queries + query * b->dim,
                             b->dim, b->bytes);
        if (hl_walk_scan(b->walker, &walk, NULL, 0, &answer, &err) != HL_OK)
            die(&err);
        for (size_t i = 0; i < K; i++)
            b->truth[query][i] = hits[i].position;
    }
}

static void build_segment(struct bench *b)
{
    char path[] = "/tmp/heirloom-bench-XXXXXX";
    uint64_t *rows = malloc(b->n_rows * sizeof *rows);
    uint32_t *numbers = malloc(b->n_rows * sizeof *numbers);
    const float **values = malloc(b->n_rows * sizeof *values);
    struct hl_segment_content content = {.n_rows = b->n_rows,
                                         .dim = b->dim,
                                         .values = values,
                                         .rows = rows,
                                         .numbers = numbers,
                                         .metric = HL_METRIC_L2,
                                         .n_links = N_LINKS,
                                         .ef_construction = EF};
    struct hl_err err;
    const int fd = mkstemp(path);

    if (!rows || !numbers || !values || fd < 0)
        exit(1);
    close(fd);
    hl_gallery_point_at(b->values, b->n_rows, b->dim, values);
    for (size_t i = 0; i < b->n_rows; i++) {
        rows[i] = i + 1;
        numbers[i] = (uint32_t)i;
    }
    hl_segment_close(b->segment);
    if (hl_segment_build(&content, path, &never, &err) != HL_OK ||
        hl_segment_open(path, &hold, &b->segment, &err) != HL_OK)
        die(&err);
    unlink(path);
    free(values);
    free(rows);
    free(numbers);
}

/* Seconds. Each as it serves: with our kernels where FAISS builds, and ours written to its
 * file, opened and checked. */
static void build_faiss(struct bench *b)
{
    const struct hl_batch batch = {b->values, b->n_rows, b->dim};
    const struct hl_ann_options options = {HL_METRIC_L2, N_LINKS, EF, NULL};
    struct hl_err err;

    hl_ann_free(b->ann);
    b->ann = NULL;
    if (hl_ann_build(&batch, &options, &never, &b->ann, &err) != HL_OK)
        die(&err);
}

static void lay(struct bench *b)
{
    const struct laid_rows rows = {b->values, b->sketches, b->dim};

    laid_done(&b->laid);
    if (!laid_init(&b->laid, hl_ann_view(b->ann), &rows, N_LINKS))
        exit(1);
}

static double build(struct bench *b, const char *way)
{
    struct hl_err err;
    int64_t start;
    double seconds;

    if (hl_index_choose_kernels("auto", &err) != HL_OK)
        die(&err);
    start = now_us(NULL);
    if (strcmp(way, "walk") == 0) {
        build_segment(b);
    } else if (strcmp(way, "hnswlib") == 0) {
        other_free(b->other);
        b->other = other_new(b->values, b->n_rows, b->dim, N_LINKS, EF);
        if (!b->other)
            exit(1);
    } else {
        build_faiss(b);
    }
    seconds = (double)(now_us(NULL) - start) / 1e6;
    if (strcmp(way, "walk") != 0 && strcmp(way, "hnswlib") != 0)
        lay(b);
    return seconds;
}

enum { SHIPPED, WRAPPED, HNSWLIB, SAME, WALK, N_WAYS };

static const char *const ways[N_WAYS] = {"shipped", "wrapped", "hnswlib", "same", "walk"};

static void compare_at(struct bench *b, size_t beam, size_t n_rounds)
{
    double us[N_WAYS][MOST_ROUNDS], ratios[N_WAYS][MOST_ROUNDS];
    double recalls[N_WAYS] = {0};

    for (size_t round = 0; round < n_rounds; round++) {
        for (size_t way = 0; way < N_WAYS; way++) {
            us[way][round] = run(b, ways[way], beam);
            recalls[way] = recall(b);
        }
        for (size_t way = 0; way < N_WAYS; way++)
            ratios[way][round] = us[way][round] / us[WALK][round];
    }
    printf("beam %3zu  walk %7.1f us (%.4f)", beam, hl_median(us[WALK], n_rounds),
           recalls[WALK]);
    for (size_t way = 0; way < WALK; way++)
        printf("   %s %7.1f us (%.4f) %.2fx", ways[way], hl_median(us[way], n_rounds),
               recalls[way], hl_median(ratios[way], n_rounds));
    printf("\n");
    fflush(stdout);
}

static void compare(struct bench *b, size_t n_rounds)
{
    for (size_t way = 0; way < N_WAYS; way++)
        if (way != WRAPPED && way != SAME) /* theirs is the graph of the shipped one */
            printf("%s built at %.0f rows/s\n", ways[way],
                   (double)b->n_rows / build(b, ways[way]));
    for (size_t i = 0; i < N_BEAMS; i++)
        compare_at(b, beams[i], n_rounds);
}

/* ---- turns ---- */

static bool is_way(const char *word)
{
    for (size_t way = 0; way < N_WAYS; way++)
        if (strcmp(word, ways[way]) == 0)
            return true;
    return false;
}

static bool is_built(const struct bench *b, const char *way)
{
    if (strcmp(way, "walk") == 0)
        return b->segment != NULL;
    return strcmp(way, "hnswlib") == 0 ? b->other != NULL : b->ann != NULL;
}

static void take_turns(struct bench *b)
{
    struct hl_turn turn;

    hl_turn_say("ready rows=%zu dim=%zu", b->n_rows, b->dim);
    while (hl_turn_next(&turn)) {
        const size_t beam = strtoul(turn.words[1], NULL, 10);

        if (strcmp(turn.words[0], "build") == 0 && is_way(turn.words[1])) {
            hl_turn_say("seconds=%.4f", build(b, turn.words[1]));
        } else if (is_way(turn.words[0]) && is_built(b, turn.words[0]) && beam >= K) {
            const double us = run(b, turn.words[0], beam);

            hl_turn_say("us=%.3f recall=%.4f", us, recall(b));
        } else {
            hl_turn_say("error wanted \"build SIDE\", or a side that is built and a beam "
                        "of 10 or more");
        }
    }
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

    if (n_rounds > MOST_ROUNDS || b.n_rows < K || b.dim < 1 ||
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
    b.sketches = laid_sketches(b.values, b.n_rows, b.dim);
    if (b.walker && b.bytes && b.sketches) {
        find_truth(&b);
        if (n_rounds > 0)
            compare(&b, n_rounds);
        else
            take_turns(&b);
    }
    laid_done(&b.laid);
    hl_ann_free(b.ann);
    other_free(b.other);
    hl_segment_close(b.segment);
    hl_walker_free(b.walker);
    free(b.values);
    free(b.queries);
    free(b.bytes);
    laid_free_sketches(b.sketches, b.n_rows, b.dim);
    return 0;
}
