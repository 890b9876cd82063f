/* SPDX-License-Identifier: Apache-2.0 */
/* FAISS's HNSW built over floats, over its own 8-bit codes and over our sketches: rows
 * built a second, and the recall@10 of our walk over each. Interleaved, one thread, 32
 * links, efConstruction 100.
 *
 * Usage: bench_graphs [ROWS [DIM [ROUNDS [FILE.f32]]]], with bench_walk's file. */

#include "index/ann.h"
#include "index/index.h"
#include "index/walk.h"
#include "tests/bench/codes.h"
#include "tests/bench/laid.h"
#include "tests/bench/median.h"
#include "tests/support/gallery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_QUERIES = 1000, K = 10, N_BEAMS = 4, MOST_ROUNDS = 9, N_LINKS = 32, EF = 100 };
enum { FLOATS, SCALAR, SKETCHES, N_WAYS };

static const char *const names[N_WAYS] = {"floats", "8-bit codes", "sketches"};
static const size_t beams[N_BEAMS] = {16, 32, 64, 128};

/* The processor's time, not the wall's: it is all one thread. */
static int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct hl_clock own_time = {now_us, NULL};
static const struct hl_deadline never = {&own_time, HL_DEADLINE_NEVER, NULL};

struct bench {
    size_t n_rows, dim;
    float *values, *queries;
    unsigned char *sketches;
    uint8_t *bytes;
    const struct hl_kernels *kernels;
    struct hl_walker *walker;
    uint32_t truth[N_QUERIES][K];
    double rates[N_WAYS][MOST_ROUNDS];
    double ratios[N_WAYS][MOST_ROUNDS]; /* to floats */
    double recalls[N_WAYS][N_BEAMS][MOST_ROUNDS];
};

static void die(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static void *room(size_t n, size_t size)
{
    void *memory = calloc(n > 0 ? n : 1, size);

    if (!memory)
        die("no memory");
    return memory;
}

/* The best of a query through the graph, or, where `beam` is 0, of all rows. */
static void find(struct bench *b, const struct hl_segment_view *view, size_t query,
                 size_t beam, struct hl_walk_hit hits[K])
{
    struct hl_walk_answer answer = {.hits = hits};
    struct hl_sketch_query sketch;
    const struct hl_walk walk = {
        .segment = view, .query = &sketch, .k = K, .beam = beam, .deadline = &never};
    struct hl_err err;
    enum hl_code code;

    hl_sketch_query_init(&sketch, b->kernels, HL_METRIC_L2, b->queries + query * b->dim,
                         b->dim, b->bytes);
    code = beam > 0 ? hl_walk_search(b->walker, &walk, &answer, &err)
                    : hl_walk_scan(b->walker, &walk, NULL, 0, &answer, &err);
    if (code != HL_OK || answer.n_hits != K)
        die(code != HL_OK ? err.msg : "too few were found");
}

static double recall(struct bench *b, const struct hl_segment_view *view, size_t beam)
{
    struct hl_walk_hit hits[K];
    size_t n_found = 0;

    for (size_t query = 0; query < N_QUERIES; query++) {
        find(b, view, query, beam, hits);
        for (size_t i = 0; i < K; i++)
            for (size_t j = 0; j < K; j++)
                n_found += hits[i].position == b->truth[query][j];
    }
    return (double)n_found / (N_QUERIES * K);
}

static void find_truth(struct bench *b)
{
    const struct hl_segment_view view = {
        .metric = HL_METRIC_L2, .dim = b->dim, .n_rows = b->n_rows, .values = b->values};
    struct hl_walk_hit hits[K];

    for (size_t query = 0; query < N_QUERIES; query++) {
        find(b, &view, query, 0, hits);
        for (size_t i = 0; i < K; i++)
            b->truth[query][i] = hits[i].position;
    }
}

static void build(struct bench *b, int way, size_t round)
{
    const struct hl_batch batch = {b->values, b->n_rows, b->dim};
    const struct hl_ann_sketches sketches = {
        .sketches = b->sketches, .n_rows = b->n_rows, .dim = b->dim};
    const struct hl_ann_options options = {HL_METRIC_L2, N_LINKS, EF, NULL};
    const int64_t start = now_us(NULL);
    struct hl_ann *ann = NULL;
    struct codes *codes = NULL;
    struct hl_graph_view graph;
    struct hl_err err;
    struct laid laid;
    const struct laid_rows rows = {b->values, b->sketches, b->dim};

    if (way == SCALAR)
        codes = codes_build(b->values, b->n_rows, b->dim, N_LINKS, EF);
    else if ((way == FLOATS ? hl_ann_build(&batch, &options, &never, &ann, &err)
                            : hl_ann_build_sketched(&sketches, &options, &never, &ann,
                                                    &err)) != HL_OK)
        die(err.msg);
    if (!ann && !codes)
        die("could not build over codes");
    b->rates[way][round] = (double)b->n_rows / ((double)(now_us(NULL) - start) / 1e6);
    b->ratios[way][round] = b->rates[way][round] / b->rates[FLOATS][round];
    graph = ann ? *hl_ann_view(ann) : codes_view(codes);
    if (!laid_init(&laid, &graph, &rows, N_LINKS))
        die("no memory");
    for (size_t i = 0; i < N_BEAMS; i++)
        b->recalls[way][i][round] = recall(b, &laid.view, beams[i]);
    laid_done(&laid);
    hl_ann_free(ann);
    codes_free(codes);
    printf("round %zu: %s at %.0f rows/s, %.2fx\n", round + 1, names[way],
           b->rates[way][round], b->ratios[way][round]);
    fflush(stdout);
}

static void compare(struct bench *b, size_t n_rounds)
{
    for (size_t round = 0; round < n_rounds; round++)
        for (int way = 0; way < N_WAYS; way++)
            build(b, way, round);
    for (int way = 0; way < N_WAYS; way++) {
        printf("%-12s %6.0f rows/s %.2fx  recall@10", names[way],
               hl_median(b->rates[way], n_rounds), hl_median(b->ratios[way], n_rounds));
        for (size_t i = 0; i < N_BEAMS; i++)
            printf("  beam %zu %.4f", beams[i], hl_median(b->recalls[way][i], n_rounds));
        printf("\n");
    }
}

/* Rows and queries, drawn or from a file. */
static bool load(struct bench *b, const char *path)
{
    struct hl_gallery *gallery = path ? NULL : hl_gallery_new(b->dim, 1);
    FILE *file = path ? fopen(path, "rb") : NULL;
    size_t n_read = 0;

    if (gallery) {
        b->values = hl_gallery_rows(gallery, 0, b->n_rows);
        b->queries = hl_gallery_rows(gallery, b->n_rows, N_QUERIES);
        hl_gallery_free(gallery);
        return b->values && b->queries;
    }
    if (!file)
        return false;
    b->values = room(b->n_rows * b->dim, sizeof(float));
    b->queries = room(N_QUERIES * b->dim, sizeof(float));
    n_read = fread(b->values, sizeof(float) * b->dim, b->n_rows, file);
    n_read += fread(b->queries, sizeof(float) * b->dim, N_QUERIES, file);
    fclose(file);
    return n_read == b->n_rows + N_QUERIES;
}

int main(int argc, char **argv)
{
    static struct bench b;
    const size_t n_rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 3;
    struct hl_err err;

    b.n_rows = argc > 1 ? strtoul(argv[1], NULL, 10) : 50000;
    b.dim = argc > 2 ? strtoul(argv[2], NULL, 10) : 256;
    if (n_rounds < 1 || n_rounds > MOST_ROUNDS || b.n_rows < K || b.dim < 1 ||
        b.dim > HL_SKETCH_MAX_DIM || hl_index_choose_kernels("auto", &err) != HL_OK ||
        hl_kernels_find("auto", &b.kernels, &err) != HL_OK ||
        !load(&b, argc > 4 ? argv[4] : NULL))
        die("usage: bench_graphs [ROWS [DIM [ROUNDS [FILE.f32]]]]");
    b.bytes = room(hl_sketch_stride(b.dim), 1);
    b.walker = hl_walker_new();
    if (!b.walker)
        die("no memory");
    b.sketches = laid_sketches(b.values, b.n_rows, b.dim);
    if (!b.sketches)
        die("no memory");
    find_truth(&b);
    compare(&b, n_rounds);
    hl_walker_free(b.walker);
    free(b.values);
    free(b.queries);
    laid_free_sketches(b.sketches, b.n_rows, b.dim);
    free(b.bytes);
    return 0;
}
