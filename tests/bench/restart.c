/* SPDX-License-Identifier: Apache-2.0 */
/* How long a gallery takes to be ready after a restart, against making its graphs anew.
 *
 * Usage: bench_restart HEIRLOOM FOLDER [ROWS] [DIM]. Fills a collection over HTTP, waits
 * until it is all sealed and merged, stops the server and starts it again, five times: from
 * the start of the process to the answer of the first search. Then the segments are
 * removed, and it is measured how long the server takes until its graphs are there again
 * (it serves long before, from rows without a graph). */
#include "proto/base64.h"
#include "tests/support/daemon.h"
#include "tests/support/gallery.h"
#include "tests/support/rest.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 5, BATCH = 500, LONG_MS = 3600000 };

struct bench {
    struct hl_daemon daemon;
    struct hl_daemon_setup setup;
    struct hl_rest rest;
    struct hl_gallery *gallery;
    size_t n_rows, dim;
    char *body;
    size_t room;
};

static void need(int is_right, const char *what, const char *why)
{
    if (is_right)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static double seconds_since(int64_t from_ms)
{
    return (double)(hl_now_ms() - from_ms) / 1000;
}

static void send_batch(struct bench *bench, size_t first, size_t n)
{
    float *rows = hl_gallery_rows(bench->gallery, first, n);
    size_t len = (size_t)snprintf(bench->body, bench->room, "{\"points\":[");
    struct hl_buf text;
    int status;

    need(rows != NULL, "memory", "none");
    hl_buf_init(&text, bench->dim * 8);
    for (size_t i = 0; i < n; i++) {
        hl_buf_clear(&text, bench->dim * 8);
        hl_base64_encode(rows + i * bench->dim, bench->dim, &text);
        len += (size_t)snprintf(bench->body + len, bench->room - len,
                                "%s{\"id\":%zu,\"vector\":\"%s\"}", i ? "," : "", first + i,
                                text.data);
    }
    snprintf(bench->body + len, bench->room - len, "]}");
    while ((status = hl_rest_ask(&bench->rest, "PUT", "/collections/c/points?wait=true",
                                 bench->body)) == 429)
        hl_rest();
    need(status == 200, "an upsert", bench->rest.said);
    hl_buf_done(&text);
    free(rows);
}

/* All rows sealed, and nothing to be done. */
static bool is_green(struct bench *bench, size_t *ret_indexed)
{
    const cJSON *status, *indexed;

    need(hl_rest_ask(&bench->rest, "GET", "/collections/c", NULL) == 200, "the collection",
         bench->rest.said);
    status = cJSON_GetObjectItemCaseSensitive(hl_rest_result(&bench->rest), "status");
    indexed = cJSON_GetObjectItemCaseSensitive(hl_rest_result(&bench->rest),
                                               "indexed_vectors_count");
    *ret_indexed = (size_t)indexed->valuedouble;
    return strcmp(status->valuestring, "green") == 0;
}

static void await_green(struct bench *bench)
{
    size_t indexed = 0;

    for (int quiet = 0; quiet < 40;) {
        quiet = is_green(bench, &indexed) ? quiet + 1 : 0;
        hl_rest();
    }
    printf("%zu of %zu rows are in segments\n", indexed, bench->n_rows);
}

static void search_once(struct bench *bench)
{
    float *row = hl_gallery_rows(bench->gallery, 7, 1);
    struct hl_buf text;

    need(row != NULL, "memory", "none");
    hl_buf_init(&text, bench->dim * 8);
    hl_base64_encode(row, bench->dim, &text);
    snprintf(bench->body, bench->room, "{\"query\":\"%s\",\"limit\":1}", text.data);
    need(hl_rest_ask(&bench->rest, "POST", "/collections/c/points/query", bench->body) ==
             200,
         "a search", bench->rest.said);
    hl_buf_done(&text);
    free(row);
}

static void connect_again(struct bench *bench)
{
    hl_rest_done(&bench->rest);
    hl_rest_init(&bench->rest, bench->daemon.port);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double measure_restarts(struct bench *bench)
{
    double took[ROUNDS];

    for (int i = 0; i < ROUNDS; i++) {
        int64_t from;

        need(hl_daemon_stop(&bench->daemon), "the server", "did not stop");
        from = hl_now_ms();
        need(hl_daemon_restart(&bench->daemon, &bench->setup), "the server",
             "did not start");
        connect_again(bench);
        search_once(bench);
        took[i] = seconds_since(from);
    }
    qsort(took, ROUNDS, sizeof *took, by_size);
    printf("restart to the first answer: %.2f s (%.2f to %.2f)\n", took[ROUNDS / 2],
           took[0], took[ROUNDS - 1]);
    return took[ROUNDS / 2];
}

static void remove_segments(const struct bench *bench)
{
    char command[600];

    snprintf(command, sizeof command, "rm -rf %s/collections/*/segments/*",
             bench->setup.data);
    need(system(command) == 0, "the segments", "could not be removed");
}

int main(int argc, char **argv)
{
    static struct bench bench;
    char data[500];
    int64_t from;
    double restart, rebuild;

    if (argc < 3) {
        fprintf(stderr, "usage: bench_restart HEIRLOOM FOLDER [ROWS] [DIM]\n");
        return 2;
    }
    snprintf(data, sizeof data, "%s/data", argv[2]);
    bench.setup = (struct hl_daemon_setup){.program = argv[1], .data = data};
    bench.n_rows = argc > 3 ? strtoul(argv[3], NULL, 10) : 1000000;
    bench.dim = argc > 4 ? strtoul(argv[4], NULL, 10) : 128;
    bench.gallery = hl_gallery_new(bench.dim, 1);
    bench.room = BATCH * (bench.dim * 6 + 64) + 256;
    bench.body = malloc(bench.room);
    need(bench.gallery && bench.body, "memory", "none");
    need(hl_daemon_start(&bench.daemon, &bench.setup), "the server", "did not start");
    hl_rest_init(&bench.rest, bench.daemon.port);
    bench.rest.limit_ms = LONG_MS;
    snprintf(bench.body, bench.room, "{\"vectors\":{\"size\":%zu,\"distance\":\"Cosine\"}}",
             bench.dim);
    need(hl_rest_ask(&bench.rest, "PUT", "/collections/c", bench.body) == 200,
         "the collection", bench.rest.said);
    from = hl_now_ms();
    for (size_t row = 0; row < bench.n_rows; row += BATCH)
        send_batch(&bench, row, bench.n_rows - row < BATCH ? bench.n_rows - row : BATCH);
    printf("filled in %.1f s\n", seconds_since(from));
    await_green(&bench);
    printf("sealed and merged in %.1f s\n", seconds_since(from));
    restart = measure_restarts(&bench);
    need(hl_daemon_stop(&bench.daemon), "the server", "did not stop");
    remove_segments(&bench);
    from = hl_now_ms();
    need(hl_daemon_restart(&bench.daemon, &bench.setup), "the server", "did not start");
    connect_again(&bench);
    search_once(&bench);
    printf("without segments, the first answer: %.2f s\n", seconds_since(from));
    await_green(&bench);
    rebuild = seconds_since(from);
    printf("until its graphs are there again: %.1f s, %.0f times as long as a restart\n",
           rebuild, rebuild / restart);
    (void)hl_daemon_stop(&bench.daemon);
    hl_daemon_done(&bench.daemon);
    hl_rest_done(&bench.rest);
    hl_gallery_free(bench.gallery);
    free(bench.body);
    return 0;
}
