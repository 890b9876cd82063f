/* SPDX-License-Identifier: Apache-2.0 */
/* Durable changes a second through a collection, by how many threads wait for theirs.
 *
 * Usage: bench_group FOLDER [ROUNDS] [CHANGES]. Every thread upserts a point of 256 floats
 * and a payload, waits until it is acknowledged, and goes on with the next. The bare loop
 * is one thread over SQLite with the same pragmas that commits the same row into two tables
 * each time, or 16 rows a time. Each in its own new file, turn about; the median of the
 * rounds is printed. */
#include "index/collection.h"
#include "index/store.h"
#include "index/writing.h"
#include "proto/dir.h"
#include "tests/bench/median.h"

#include <pthread.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DIM = 256, MOST_ROUNDS = 99, MOST_THREADS = 64, BODY = 8192 };

struct bench {
    char folder[512];
    struct hl_collection *collection;
    struct hl_engine *engine;
    int n_changes;
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t read_clock(void *self)
{
    (void)self;
    return (int64_t)(now_s() * 1e6);
}

static const struct hl_clock wall = {read_clock, NULL};

static void need(int is_right, const char *what, const char *why)
{
    if (is_right)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

/* ---- ours ---- */

struct caller {
    struct hl_change change;
    struct bench *bench;
    pthread_t thread;
    int first, n;
    struct hl_arena *arena;
    struct hl_write_ops ops;
    const struct hl_vector_config *space;
    enum hl_code code;
    struct hl_err err;
    sem_t done;
};

static enum hl_code run_change(struct hl_change *change, struct hl_writing *writing,
                               struct hl_err *err)
{
    struct caller *caller = (struct caller *)change;

    return caller->space
               ? hl_writing_add_space(writing, caller->space, err)
               : hl_writing_apply(writing, &caller->ops, NULL, caller->arena, err);
}

static void end_change(struct hl_change *change, enum hl_code code,
                       const struct hl_err *err)
{
    struct caller *caller = (struct caller *)change;

    caller->code = code;
    if (code != HL_OK)
        caller->err = *err;
    sem_post(&caller->done);
}

static void submit(struct caller *caller)
{
    caller->change = (struct hl_change){.run = run_change, .done = end_change};
    need(hl_collection_submit(caller->bench->collection, &caller->change, &caller->err) ==
             HL_OK,
         "submit", caller->err.msg);
    while (sem_wait(&caller->done) != 0)
        continue;
    need(caller->code == HL_OK, "change", caller->err.msg);
}

/* Once for each thread: printing numbers is not what is measured. */
static void print_vector(char vector[BODY / 2], int first)
{
    int len = 0;

    for (int i = 0; i < DIM; i++)
        len += snprintf(vector + len, (size_t)(BODY / 2 - len), "%s0.%03d", i ? "," : "",
                        (first * 31 + i * 7) % 1000);
}

static void print_body(char body[BODY], const char *vector, int id)
{
    (void)snprintf(body, BODY,
                   "{\"operations\":[{\"upsert\":{\"points\":[{\"id\":%d,\"payload\":"
                   "{\"user\":%d,\"album\":\"holiday\",\"time\":%d},\"vector\":[%s]}]}}]}",
                   id, id % 1000, id, vector);
}

static void *call(void *self)
{
    struct caller *caller = self;
    char body[BODY], vector[BODY / 2];

    print_vector(vector, caller->first);
    for (int i = 0; i < caller->n; i++) {
        struct hl_tokens tokens;
        struct hl_field root;

        hl_arena_reset(caller->arena);
        print_body(body, vector, caller->first + i);
        hl_tokens_init(&tokens, body, strlen(body), caller->arena);
        root = hl_field_root(&tokens);
        need(hl_write_ops_read(&root, &caller->ops, &caller->err) == HL_OK, "body",
             caller->err.msg);
        submit(caller);
    }
    return NULL;
}

static void open_collection(struct bench *bench)
{
    static const char text[] = "{\"size\":256,\"distance\":\"Dot\"}";
    const struct hl_vector_config space = {
        .name = {"", 0}, .size = DIM, .distance = HL_DOT, .text = {text, sizeof text - 1}};
    const struct hl_engine_options options = {.clock = &wall,
                                              .n_writers = 1,
                                              .seal_rows = 1 << 20,
                                              .max_unindexed_bytes = (size_t)4 << 30,
                                              .n_links = 16,
                                              .ef_construction = 64,
                                              .beam = 64};
    struct caller caller = {.bench = bench, .space = &space};
    struct hl_err err;
    char path[600];

    (void)hl_dir_remove(bench->folder, &err);
    snprintf(path, sizeof path, "%s/segments", bench->folder);
    need(mkdir(bench->folder, 0700) == 0 && mkdir(path, 0700) == 0, "mkdir", path);
    snprintf(path, sizeof path, "%s/points.db", bench->folder);
    need(hl_store_create(path, &err) == HL_OK, "create", err.msg);
    need(hl_engine_new(&options, &bench->engine, &err) == HL_OK, "engine", err.msg);
    need(hl_collection_open(bench->engine, bench->folder, "bench", &bench->collection,
                            &err) == HL_OK,
         "open", err.msg);
    sem_init(&caller.done, 0, 0);
    submit(&caller);
    sem_destroy(&caller.done);
}

static double run_ours(struct bench *bench, int n_threads, double *ret_per_commit)
{
    static struct caller callers[MOST_THREADS];
    struct hl_engine_state state;
    const int each = bench->n_changes / n_threads;
    double from, took;

    open_collection(bench);
    from = now_s();
    for (int i = 0; i < n_threads; i++) {
        callers[i] = (struct caller){.bench = bench, .first = 1 + i * each, .n = each};
        callers[i].arena = hl_arena_new((size_t)64 << 20);
        need(callers[i].arena != NULL, "arena", "no memory");
        sem_init(&callers[i].done, 0, 0);
        need(pthread_create(&callers[i].thread, NULL, call, &callers[i]) == 0, "thread",
             "");
    }
    for (int i = 0; i < n_threads; i++) {
        pthread_join(callers[i].thread, NULL);
        sem_destroy(&callers[i].done);
        hl_arena_free(callers[i].arena);
    }
    took = now_s() - from;
    hl_engine_state(bench->engine, &state);
    *ret_per_commit = (double)state.n_changes / (double)state.n_commits;
    hl_collection_unref(bench->collection);
    hl_engine_free(bench->engine);
    return each * n_threads / took;
}

/* ---- bare ---- */

static void run_sql(sqlite3 *db, const char *sql)
{
    need(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql, sqlite3_errmsg(db));
}

static void finish(sqlite3 *db, sqlite3_stmt *stmt)
{
    need(sqlite3_step(stmt) == SQLITE_DONE, "step", sqlite3_errmsg(db));
    sqlite3_reset(stmt);
}

static void add_bare(sqlite3 *db, sqlite3_stmt *point, sqlite3_stmt *vector, int id)
{
    static float values[DIM];
    unsigned char bytes[16] = {0};
    char text[64];
    const int len =
        snprintf(text, sizeof text, "{\"user\":%d,\"album\":\"holiday\",\"time\":%d}",
                 id % 1000, id);

    memcpy(bytes, &id, sizeof id);
    values[id % DIM] += 0.5F;
    sqlite3_bind_int(point, 1, id);
    sqlite3_bind_blob(point, 2, bytes, 16, SQLITE_STATIC);
    sqlite3_bind_text(point, 3, text, len, SQLITE_STATIC);
    finish(db, point);
    sqlite3_bind_int(vector, 1, id);
    sqlite3_bind_blob(vector, 2, values, sizeof values, SQLITE_STATIC);
    finish(db, vector);
}

static double run_bare(struct bench *bench, int group)
{
    sqlite3_stmt *point, *vector;
    struct hl_err err;
    sqlite3 *db;
    char path[600];
    double from;

    (void)hl_dir_remove(bench->folder, &err);
    need(mkdir(bench->folder, 0700) == 0, "mkdir", bench->folder);
    snprintf(path, sizeof path, "%s/bare.db", bench->folder);
    need(sqlite3_open(path, &db) == SQLITE_OK, "open", path);
    run_sql(db, "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                "PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=2000;"
                "PRAGMA secure_delete=OFF");
    run_sql(db, "CREATE TABLE points(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, "
                "payload TEXT); CREATE TABLE vectors(row INTEGER PRIMARY KEY, bytes BLOB)");
    sqlite3_prepare_v2(db, "INSERT INTO points VALUES(?1, ?2, ?3)", -1, &point, NULL);
    sqlite3_prepare_v2(db, "INSERT INTO vectors VALUES(?1, ?2)", -1, &vector, NULL);
    from = now_s();
    for (int id = 1; id <= bench->n_changes; id++) {
        if ((id - 1) % group == 0)
            run_sql(db, "BEGIN IMMEDIATE");
        add_bare(db, point, vector, id);
        if (id % group == 0 || id == bench->n_changes)
            run_sql(db, "COMMIT");
    }
    from = now_s() - from;
    sqlite3_finalize(point);
    sqlite3_finalize(vector);
    sqlite3_close(db);
    return bench->n_changes / from;
}

/* ---- the whole ---- */

int main(int argc, char **argv)
{
    static const int threads[] = {1, 4, 16, 64};
    static double ours[4][MOST_ROUNDS], per_commit[4][MOST_ROUNDS], bare[2][MOST_ROUNDS];
    const int n_rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    struct bench bench = {.n_changes = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 4096};
    struct hl_err err;

    need(argc > 1 && n_rounds > 0 && n_rounds <= MOST_ROUNDS && bench.n_changes >= 64,
         "usage", "bench_group FOLDER [ROUNDS] [CHANGES]");
    snprintf(bench.folder, sizeof bench.folder, "%s/bench-group", argv[1]);
    for (int round = 0; round < n_rounds; round++) {
        for (int i = 0; i < 4; i++)
            ours[i][round] = run_ours(&bench, threads[i], &per_commit[i][round]);
        bare[0][round] = run_bare(&bench, 1);
        bare[1][round] = run_bare(&bench, 16);
    }
    (void)hl_dir_remove(bench.folder, &err);
    for (int i = 0; i < 4; i++)
        printf("%2d threads: %8.0f changes/s, %5.1f a commit\n", threads[i],
               hl_median(ours[i], (size_t)n_rounds),
               hl_median(per_commit[i], (size_t)n_rounds));
    printf("bare SQLite, 1 a commit: %8.0f rows/s; 16 a commit: %8.0f rows/s\n",
           hl_median(bare[0], (size_t)n_rounds), hl_median(bare[1], (size_t)n_rounds));
    printf("16 threads over 1: %.2f; 1 thread over bare: %.2f; 16 over bare 16: %.2f\n",
           hl_median(ours[2], (size_t)n_rounds) / hl_median(ours[0], (size_t)n_rounds),
           hl_median(ours[0], (size_t)n_rounds) / hl_median(bare[0], (size_t)n_rounds),
           hl_median(ours[2], (size_t)n_rounds) / hl_median(bare[1], (size_t)n_rounds));
    return 0;
}
