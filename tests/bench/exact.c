/* SPDX-License-Identifier: Apache-2.0 */
/* Exact search, many queries at once and one alone, against FAISS's flat index as shipped:
 * processor time a query, interleaved, one thread each. What is found is compared with a
 * scan of all floats, to the bit.
 *
 * Usage: OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
 *        bench_exact [ROWS [DIM [ROUNDS [BATCH [FILE.f32]]]]]
 * The file holds ROWS and then BATCH queries; without one rows are drawn that look like
 * embeddings; `normal` draws rows in which nothing is near to anything. With ROUNDS 0 it
 * takes turns (tests/bench/turns.h):
 *
 *     heirloom l2|dot N    N queries at once, as often as fit into a quarter of a second:
 *     faiss l2|dot N       us=… a query; of heirloom recall=… */

#include "index/index.h"
#include "index/scan.h"
#include "index/walk.h"
#include "proto/random.h"
#include "tests/bench/flat.h"
#include "tests/bench/median.h"
#include "tests/bench/turns.h"
#include "tests/support/gallery.h"
#include "tests/support/still.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { K = 10, MOST_ROUNDS = 99, TURN_US = 250000 };

struct bench {
    size_t n_rows, dim, n_queries, n_rounds;
    enum hl_metric metric;
    float *values, *queries;
    const float *each[HL_TILE_QUERIES];
    unsigned char *sketches;
    size_t stride;
    const struct hl_kernels *kernels;
    struct hl_scan *scan;
    struct hl_screen *screens[2]; /* by metric; as a part has one that is often asked */
    double screen_us;             /* what the last of them took */
    struct flat *flat;            /* of the metric that is compared now */
    double ours[MOST_ROUNDS], theirs[MOST_ROUNDS], ratios[MOST_ROUNDS]; /* us a query */
};

static void die(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(1);
}

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Short forms of all rows: a part makes them little by little, here they are there. */
static void make_screen(struct bench *b)
{
    const struct hl_screen_rows rows = {b->kernels, b->metric, b->dim, b->values,
                                        b->n_rows};
    struct hl_screen **screen = &b->screens[b->metric == HL_METRIC_DOT];
    const double start = now_us();

    if (*screen || !hl_screen_is_worth(&rows))
        return;
    *screen = hl_screen_new(&rows);
    if (!*screen)
        die("no memory");
    hl_screen_extend(*screen, &rows, b->n_rows);
    b->screen_us = now_us() - start;
}

static double run_ours(struct bench *b, size_t n)
{
    const struct hl_scan_wish wish = {b->kernels, b->metric, b->dim, b->each, n, K, &never};
    const struct hl_scan_run run = {.sketches = b->sketches,
                                    .values = b->values,
                                    .stride = b->stride,
                                    .n_rows = b->n_rows,
                                    .screen = b->screens[b->metric == HL_METRIC_DOT]};
    const double start = now_us();
    struct hl_err err;

    if (hl_scan_begin(b->scan, &wish, &err) != HL_OK ||
        hl_scan_look(b->scan, &run, &err) != HL_OK)
        die(err.msg);
    return (now_us() - start) / (double)n;
}

static double run_theirs(struct bench *b, size_t n)
{
    float scores[HL_TILE_QUERIES * K];
    int64_t rows[HL_TILE_QUERIES * K];
    struct hl_err err;
    double start;

    if (hl_index_choose_kernels("shipped", &err) != HL_OK)
        die(err.msg);
    start = now_us();
    if (!flat_search(b->flat, b->queries, n, K, scores, rows))
        die("faiss could not search");
    return (now_us() - start) / (double)n;
}

/* Of the hits, how many are those of a scan of all floats, to the bit. */
static double check(struct bench *b)
{
    const struct hl_segment_view view = {
        .metric = b->metric, .dim = b->dim, .n_rows = b->n_rows, .values = b->values};
    struct hl_walker *walker = hl_walker_new();
    uint8_t *bytes = malloc(b->stride);
    struct hl_walk_hit hits[K];
    size_t n_right = 0;

    if (!walker || !bytes)
        die("no memory");
    for (size_t query = 0; query < b->n_queries; query++) {
        struct hl_sketch_query sketch;
        struct hl_walk_answer answer = {.hits = hits};
        const struct hl_walk walk = {
            .segment = &view, .query = &sketch, .k = K, .deadline = &never};
        struct hl_err err;
        size_t n;
        const struct hl_scored *found = hl_scan_take(b->scan, query, &n);

        hl_sketch_query_init(&sketch, b->kernels, b->metric, b->each[query], b->dim, bytes);
        if (hl_walk_scan(walker, &walk, NULL, 0, &answer, &err) != HL_OK)
            die(err.msg);
        for (size_t i = 0; i < n; i++)
            n_right += hl_scored_position(found[i]) == hits[i].position &&
                       !(hl_scored_score(found[i]) < hits[i].score) &&
                       !(hl_scored_score(found[i]) > hits[i].score);
    }
    free(bytes);
    hl_walker_free(walker);
    return (double)n_right / (double)(b->n_queries * K);
}

static void compare(struct bench *b, size_t n)
{
    uint64_t n_scored, n_exact;
    double recall, ratio, ours, theirs;

    for (size_t round = 0; round < b->n_rounds; round++) {
        b->theirs[round] = run_theirs(b, n);
        b->ours[round] = run_ours(b, n);
        b->ratios[round] = b->theirs[round] / b->ours[round];
    }
    hl_scan_tally(b->scan, &n_scored, &n_exact);
    b->n_queries = n;
    recall = check(b);
    theirs = hl_median(b->theirs, b->n_rounds);
    ours = hl_median(b->ours, b->n_rounds);
    ratio = hl_median(b->ratios, b->n_rounds);
    printf("%zu x %zu  %s  batch %2zu  faiss %8.1f us  heirloom %7.1f us  ", b->n_rows,
           b->dim, b->metric == HL_METRIC_DOT ? "dot" : "l2 ", n, theirs, ours);
    printf("ratio %.2f (%.2f to %.2f)  recall %.4f  floats of %.1f rows a query\n", ratio,
           b->ratios[b->n_rounds / 4], b->ratios[b->n_rounds * 3 / 4], recall,
           (double)n_exact / (double)n);
    fflush(stdout);
}

static void open_flat(struct bench *b, enum hl_metric metric)
{
    b->metric = metric;
    b->flat = flat_new(b->values, b->n_rows, b->dim, metric == HL_METRIC_DOT);
    if (!b->flat)
        die("faiss could not take the rows");
}

/* ---- turns ---- */

static void take_turn(struct bench *b, bool is_ours, size_t n)
{
    const double start = now_us();
    double us = 0;
    size_t n_runs = 0;

    do {
        us += is_ours ? run_ours(b, n) : run_theirs(b, n);
        n_runs++;
    } while (now_us() - start < TURN_US);
    us /= (double)n_runs;
    b->n_queries = n;
    if (is_ours)
        hl_turn_say("us=%.3f recall=%.4f", us, check(b));
    else
        hl_turn_say("us=%.3f", us);
}

static void take_turns(struct bench *b)
{
    struct flat *flats[2] = {NULL, NULL}; /* by metric, made when they are asked for */
    struct hl_turn turn;

    hl_turn_say("ready rows=%zu dim=%zu", b->n_rows, b->dim);
    while (hl_turn_next(&turn)) {
        const bool is_ours = strcmp(turn.words[0], "heirloom") == 0;
        const bool is_dot = strcmp(turn.words[1], "dot") == 0;
        const size_t n = strtoul(turn.words[2], NULL, 10);

        if ((!is_ours && strcmp(turn.words[0], "faiss") != 0) ||
            (!is_dot && strcmp(turn.words[1], "l2") != 0) || n < 1 || n > HL_TILE_QUERIES) {
            hl_turn_say("error wanted \"heirloom\" or \"faiss\", \"l2\" or \"dot\", and "
                        "1 to %d queries",
                        HL_TILE_QUERIES);
            continue;
        }
        b->metric = is_dot ? HL_METRIC_DOT : HL_METRIC_L2;
        b->flat = flats[is_dot];
        if (!is_ours && !b->flat) {
            open_flat(b, b->metric);
            flats[is_dot] = b->flat;
        }
        make_screen(b);
        take_turn(b, is_ours, n);
    }
    flat_free(flats[0]);
    flat_free(flats[1]);
}

/* ---- rows ---- */

static float *read_rows(const char *path, size_t n)
{
    FILE *file = fopen(path, "rb");
    float *rows = malloc(n * sizeof *rows);

    if (!file || !rows || fread(rows, sizeof *rows, n, file) != n)
        die("the file does not hold so many");
    fclose(file);
    return rows;
}

/* As good as normal numbers. */
static float *draw_normal(size_t n)
{
    struct hl_random random = {1};
    float *rows = malloc(n * sizeof *rows);

    for (size_t i = 0; rows && i < n; i++) {
        rows[i] = -3;
        for (int j = 0; j < 6; j++)
            rows[i] += (float)(hl_random_next(&random) >> 40) * 0x1p-24F;
    }
    return rows;
}

static void load(struct bench *b, const char *path)
{
    const size_t n = b->n_rows + HL_TILE_QUERIES;
    struct hl_gallery *gallery = path ? NULL : hl_gallery_new(b->dim, 1);

    if (gallery)
        b->values = hl_gallery_rows(gallery, 0, n);
    else if (path)
        b->values = strcmp(path, "normal") == 0 ? draw_normal(n * b->dim)
                                                : read_rows(path, n * b->dim);
    hl_gallery_free(gallery);
    b->stride = hl_sketch_stride(b->dim);
    b->sketches = aligned_alloc(64, (b->n_rows * b->stride + 63) / 64 * 64);
    b->scan = hl_scan_new();
    if (!b->values || !b->sketches || !b->scan)
        die("no memory");
    b->queries = b->values + b->n_rows * b->dim;
    for (size_t i = 0; i < HL_TILE_QUERIES; i++)
        b->each[i] = b->queries + i * b->dim;
    for (size_t row = 0; row < b->n_rows; row++)
        hl_sketch_write(b->values + row * b->dim, b->dim,
                        (struct hl_sketch *)(void *)(b->sketches + row * b->stride));
}

static size_t number(int argc, char **argv, int which, size_t otherwise)
{
    return argc > which ? strtoul(argv[which], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    static struct bench b;
    const size_t n_queries = number(argc, argv, 4, HL_TILE_QUERIES);
    struct hl_err err;

    b.n_rows = number(argc, argv, 1, 200000);
    b.dim = number(argc, argv, 2, 256);
    b.n_rounds = number(argc, argv, 3, 7);
    if (b.n_rows < K || b.dim < 1 || b.n_rounds > MOST_ROUNDS || n_queries < 1 ||
        n_queries > HL_TILE_QUERIES || hl_kernels_find("auto", &b.kernels, &err) != HL_OK)
        die("usage: bench_exact [ROWS [DIM [ROUNDS [BATCH [FILE.f32]]]]]");
    load(&b, argc > 5 ? argv[5] : NULL);
    if (b.n_rounds == 0)
        take_turns(&b);
    for (int metric = HL_METRIC_L2; b.n_rounds > 0 && metric <= HL_METRIC_DOT; metric++) {
        open_flat(&b, (enum hl_metric)metric);
        compare(&b, n_queries);
        make_screen(&b);
        if (b.screens[metric == HL_METRIC_DOT])
            printf("with short forms of rows, made in %.0f ms:\n", b.screen_us / 1e3);
        compare(&b, n_queries);
        compare(&b, 1);
        flat_free(b.flat);
    }
    hl_scan_free(b.scan);
    hl_screen_free(b.screens[0]);
    hl_screen_free(b.screens[1]);
    free(b.values);
    free(b.sketches);
    return 0;
}
