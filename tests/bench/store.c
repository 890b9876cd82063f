/* SPDX-License-Identifier: Apache-2.0 */
/* The store against a bare SQLite loop that commits the same rows.
 *
 * Usage: bench_store FOLDER [ROUNDS] [ROWS]. Both make ROWS points of 256 floats, a 16-byte
 * id drawn at random and a small payload, in groups of 1, 16, 64, 256 and 1000 a commit,
 * each in its own new file and turn about, and then replace all of them; what is printed is
 * the median of the rounds. The bare loop has two tables and the pragmas of ours, and knows
 * no versions. Then, of the last store: bytes on disk a vector, reading ten payloads by
 * number, walking all rows. */
#include "index/store.h"
#include "proto/deadline.h"
#include "tests/bench/median.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DIM = 256, MAX_ROUNDS = 99, PAYLOADS = 10, LOOKS = 2000 };

struct bench {
    char store_path[512], bare_path[512];
    float *values;
    size_t n_rows;
    unsigned long long random;
    size_t turn; /* 1 when all is replaced: what is not changed is not written */
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static unsigned long long draw(struct bench *bench)
{
    bench->random = bench->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return bench->random >> 11;
}

static void need(int is_right, const char *what, const char *why)
{
    if (is_right)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static void remove_database(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[600];

    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static struct hl_id draw_id(struct bench *bench)
{
    struct hl_id id = {.tag = HL_ID_UUID};

    for (int i = 0; i < 16; i++)
        id.bytes[i] = (uint8_t)(draw(bench) >> 20);
    return id;
}

static size_t print_payload(char text[64], size_t row)
{
    return (size_t)snprintf(text, 64, "{\"user\":%zu,\"album\":\"holiday\",\"time\":%zu}",
                            row % 1000, row);
}

/* ---- ours ---- */

/* Upserts every row in groups; the second time they are there already, and old versions are
 * cleaned as they come. */
static double upsert_all(struct bench *bench, struct hl_store *store, uint32_t space,
                         size_t group)
{
    struct hl_err err;
    uint64_t commit;
    uint32_t number;
    bool is_done;
    double from = now_s();

    bench->random = 42;
    for (size_t row = 0; row < bench->n_rows;) {
        need(hl_store_begin(store, &commit, &err) == HL_OK, "begin", err.msg);
        need(hl_store_clean(store, commit - 1, 2 * group, &is_done, &err) == HL_OK, "clean",
             err.msg);
        for (size_t i = 0; i < group && row < bench->n_rows; i++, row++) {
            const struct hl_id id = draw_id(bench);
            char text[64];
            const struct hl_store_vector vector = {
                .space = space,
                .n = DIM,
                .values = bench->values + (row + bench->turn) % 64 * DIM};
            const struct hl_store_content content = {
                .payload = {text, print_payload(text, row + bench->turn)},
                .vectors = &vector,
                .n_vectors = 1};

            need(hl_store_upsert(store, &id, &content, &number, &err) == HL_OK, "upsert",
                 err.msg);
        }
        need(hl_store_commit(store, &commit, &err) == HL_OK, "commit", err.msg);
    }
    return (double)bench->n_rows / (now_s() - from);
}

static void fill_store(struct bench *bench, size_t group, double *ret_made,
                       double *ret_replaced)
{
    struct hl_store *store;
    struct hl_err err;
    const struct hl_store_space space = {.dim = DIM, .name = "", .settings = "{}"};
    uint32_t spaces = 0;
    uint64_t commit;

    remove_database(bench->store_path);
    need(hl_store_create(bench->store_path, &err) == HL_OK, "create", err.msg);
    need(hl_store_open(bench->store_path, &store, &err) == HL_OK, "open", err.msg);
    need(hl_store_begin(store, &commit, &err) == HL_OK &&
             hl_store_add_space(store, &space, &spaces, &err) == HL_OK &&
             hl_store_commit(store, &commit, &err) == HL_OK,
         "space", err.msg);
    bench->turn = 0;
    *ret_made = upsert_all(bench, store, spaces, group);
    bench->turn = 1;
    if (ret_replaced)
        *ret_replaced = upsert_all(bench, store, spaces, group);
    hl_store_close(store);
}

/* ---- bare ---- */

static void run(sqlite3 *db, const char *sql)
{
    need(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt;

    need(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, sql,
         sqlite3_errmsg(db));
    return stmt;
}

static void finish(sqlite3 *db, sqlite3_stmt *stmt)
{
    need(sqlite3_step(stmt) == SQLITE_DONE, "step", sqlite3_errmsg(db));
    sqlite3_reset(stmt);
}

static sqlite3 *open_bare(const char *path)
{
    sqlite3 *db;

    remove_database(path);
    need(sqlite3_open(path, &db) == SQLITE_OK, "open", path);
    run(db, "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=2000;"
            "PRAGMA secure_delete=OFF");
    run(db, "CREATE TABLE points(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, "
            "payload TEXT); CREATE TABLE vectors(row INTEGER PRIMARY KEY, bytes BLOB)");
    return db;
}

static double run_bare(struct bench *bench, sqlite3 *db, const char *points,
                       const char *vectors, size_t group)
{
    sqlite3_stmt *begin = prepare(db, "BEGIN IMMEDIATE"), *commit = prepare(db, "COMMIT");
    sqlite3_stmt *point = prepare(db, points), *vector = prepare(db, vectors);
    double from = now_s();

    bench->random = 42;
    for (size_t row = 0; row < bench->n_rows;) {
        finish(db, begin);
        for (size_t i = 0; i < group && row < bench->n_rows; i++, row++) {
            const struct hl_id id = draw_id(bench);
            char text[64];
            const size_t len = print_payload(text, row + bench->turn);

            sqlite3_bind_int64(point, 1, (sqlite3_int64)row + 1);
            sqlite3_bind_blob(point, 2, id.bytes, 16, SQLITE_STATIC);
            sqlite3_bind_text(point, 3, text, (int)len, SQLITE_STATIC);
            finish(db, point);
            sqlite3_bind_int64(vector, 1, (sqlite3_int64)row + 1);
            sqlite3_bind_blob(vector, 2, bench->values + (row + bench->turn) % 64 * DIM,
                              DIM * (int)sizeof(float), SQLITE_STATIC);
            finish(db, vector);
        }
        finish(db, commit);
    }
    from = now_s() - from;
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_finalize(point);
    sqlite3_finalize(vector);
    return (double)bench->n_rows / from;
}

static void fill_bare(struct bench *bench, size_t group, double *ret_made,
                      double *ret_replaced)
{
    sqlite3 *db = open_bare(bench->bare_path);

    bench->turn = 0;
    *ret_made = run_bare(bench, db, "INSERT INTO points VALUES(?1, ?2, ?3)",
                         "INSERT INTO vectors VALUES(?1, ?2)", group);
    bench->turn = 1;
    if (ret_replaced)
        *ret_replaced = run_bare(
            bench, db, "UPDATE points SET payload = ?3 WHERE id = ?2 AND number = ?1",
            "UPDATE vectors SET bytes = ?2 WHERE row = ?1", group);
    sqlite3_close(db);
}

/* ---- reading ---- */

static int64_t read_clock(void *self)
{
    (void)self;
    return (int64_t)(now_s() * 1e6);
}

static bool count_row(void *self, const struct hl_store_row *row)
{
    *(double *)self += row->vector.n > 0;
    return true;
}

static bool count_point(void *self, const struct hl_store_point *point)
{
    *(double *)self += point->payload.len > 0;
    return true;
}

static void measure_reading(struct bench *bench)
{
    const struct hl_clock clock = {read_clock, NULL};
    const struct hl_deadline never = {&clock, HL_DEADLINE_NEVER, NULL};
    const struct hl_reader_rows rows = {.last = UINT64_MAX, .deadline = &never};
    const struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER, .deadline = &never};
    struct hl_reader *reader;
    struct hl_store_point point;
    struct hl_err err;
    struct stat info;
    double from, n = 0;

    need(stat(bench->store_path, &info) == 0, "stat", bench->store_path);
    printf("bytes on disk a vector: %.0f (raw %zu)\n",
           (double)info.st_size / (double)bench->n_rows, DIM * sizeof(float));
    need(hl_reader_open(bench->store_path, &reader, &err) == HL_OK, "open", err.msg);
    from = now_s();
    for (int i = 0; i < LOOKS; i++) {
        need(hl_reader_begin(reader, UINT32_MAX, &err) == HL_OK, "begin", err.msg);
        for (int j = 0; j < PAYLOADS; j++)
            need(hl_reader_get(reader, (uint32_t)(draw(bench) % bench->n_rows) + 1, &point,
                               &err) == HL_OK,
                 "get", err.msg);
        hl_reader_end(reader);
    }
    printf("reading %d payloads by number: %.1f us\n", PAYLOADS,
           (now_s() - from) * 1e6 / LOOKS);
    need(hl_reader_begin(reader, UINT32_MAX, &err) == HL_OK, "begin", err.msg);
    from = now_s();
    need(hl_reader_rows(reader, &rows, count_row, &n, &err) == HL_OK, "rows", err.msg);
    printf("walking the rows: %.2f M/s\n", n / (now_s() - from) / 1e6);
    n = 0;
    from = now_s();
    need(hl_reader_scan(reader, &scan, count_point, &n, &err) == HL_OK, "scan", err.msg);
    printf("walking the points with payloads: %.2f M/s\n", n / (now_s() - from) / 1e6);
    hl_reader_close(reader);
}

static void print_ratio(const char *what, size_t group, double *ours, double *bare, int n)
{
    static double ratios[MAX_ROUNDS];

    for (int i = 0; i < n; i++)
        ratios[i] = ours[i] / bare[i];
    printf("%s, %4zu a commit: %8.0f points/s  bare %8.0f  ratio %.2f\n", what, group,
           hl_median(ours, (size_t)n), hl_median(bare, (size_t)n),
           hl_median(ratios, (size_t)n));
}

static void compare(struct bench *bench, size_t group, int n_rounds)
{
    static double ours[MAX_ROUNDS], bare[MAX_ROUNDS];
    static double our_changes[MAX_ROUNDS], bare_changes[MAX_ROUNDS];

    for (int i = 0; i < n_rounds; i++) {
        fill_store(bench, group, &ours[i], &our_changes[i]);
        fill_bare(bench, group, &bare[i], &bare_changes[i]);
    }
    print_ratio("made", group, ours, bare, n_rounds);
    print_ratio("replaced", group, our_changes, bare_changes, n_rounds);
}

int main(int argc, char **argv)
{
    static const size_t groups[] = {1, 16, 64, 256, 1000};
    const int n_rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    const size_t n_rows = argc > 3 ? strtoul(argv[3], NULL, 10) : 50000;
    struct bench bench = {.random = 42};
    double rate;

    if (argc < 2 || n_rounds < 1 || n_rounds > MAX_ROUNDS || n_rows < 1) {
        fprintf(stderr, "usage: bench_store FOLDER [ROUNDS] [ROWS]\n");
        return 2;
    }
    snprintf(bench.store_path, sizeof bench.store_path, "%s/store.db", argv[1]);
    snprintf(bench.bare_path, sizeof bench.bare_path, "%s/bare.db", argv[1]);
    bench.values = calloc((size_t)64 * DIM, sizeof(float));
    need(bench.values != NULL, "memory", "none");
    for (size_t i = 0; i < (size_t)64 * DIM; i++)
        bench.values[i] = (float)(draw(&bench) % 2000) / 1000 - 1;
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        bench.n_rows = groups[i] < 16 ? n_rows / 10 : groups[i] < 64 ? n_rows / 2 : n_rows;
        compare(&bench, groups[i], n_rounds);
    }
    fill_store(&bench, 1000, &rate, NULL);
    measure_reading(&bench);
    remove_database(bench.store_path);
    remove_database(bench.bare_path);
    free(bench.values);
    return 0;
}
