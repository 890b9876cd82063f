/* SPDX-License-Identifier: Apache-2.0 */
/* Durable upserts over HTTP against a bare SQLite loop that commits the same rows.
 *
 * Usage: bench_upserts HEIRLOOM FOLDER [ROUNDS] [SECONDS]. Clients send points of 256
 * floats as base64 with a small payload and wait for each answer, which comes when they are
 * synced; batches of 1, 100 and 1,000 points, from 1, 16 and 64 connections. The bare loop
 * commits batches of the same rows, one after the other, on one thread, on the same disk.
 * Turn about; printed is the median of the rounds. The server seals and merges meanwhile,
 * as it does. */
#include "proto/base64.h"
#include "tests/bench/median.h"
#include "tests/support/daemon.h"
#include "tests/support/rest.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DIM = 256, MAX_ROUNDS = 99, MAX_CLIENTS = 64, POINT_ROOM = 1600, VARIANTS = 64 };

struct bench {
    struct hl_daemon daemon;
    char folder[400];
    float values[VARIANTS][DIM];
    char base64[VARIANTS][POINT_ROOM];
    double seconds;
    atomic_ullong next_id;
    int n_collections;
};

struct client {
    struct bench *bench;
    pthread_t thread;
    size_t batch;
    double until;
    unsigned long long n_points;
    unsigned long long n_refused; /* 429: rows came faster than they were indexed */
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void need(int is_right, const char *what, const char *why)
{
    if (is_right)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static void make_values(struct bench *bench)
{
    unsigned long long random = 42;
    struct hl_buf text;

    hl_buf_init(&text, POINT_ROOM);
    for (int v = 0; v < VARIANTS; v++) {
        for (int i = 0; i < DIM; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            bench->values[v][i] = (float)((random >> 40) % 2000) / 1000 - 1;
        }
        hl_buf_clear(&text, POINT_ROOM);
        hl_base64_encode(bench->values[v], DIM, &text);
        memcpy(bench->base64[v], text.data, text.len + 1);
    }
    hl_buf_done(&text);
}

/* ---- ours ---- */

static void print_points(struct bench *bench, size_t batch, char *body)
{
    unsigned long long id = atomic_fetch_add(&bench->next_id, batch);
    const size_t room = batch * POINT_ROOM + 64;
    size_t len = (size_t)snprintf(body, room, "{\"points\":[");

    for (size_t i = 0; i < batch; i++, id++)
        len += (size_t)snprintf(
            body + len, room - len,
            "%s{\"id\":%llu,\"payload\":{\"user\":%llu,\"album\":\"holiday\","
            "\"time\":%llu},\"vector\":\"%s\"}",
            i ? "," : "", id, id % 1000, id, bench->base64[id % VARIANTS]);
    (void)snprintf(body + len, room - len, "]}");
}

static void *send_points(void *arg)
{
    struct client *client = arg;
    struct bench *bench = client->bench;
    struct hl_rest rest;
    char path[64], *body = malloc(client->batch * POINT_ROOM + 64);

    need(body != NULL, "memory", "none");
    hl_rest_init(&rest, bench->daemon.port);
    snprintf(path, sizeof path, "/collections/c%d/points?wait=true", bench->n_collections);
    while (now_s() < client->until) {
        int status;

        print_points(bench, client->batch, body);
        status = hl_rest_ask(&rest, "PUT", path, body);
        need(status == 200 || status == 429, "an upsert", rest.said);
        if (status == 200)
            client->n_points += client->batch;
        else
            client->n_refused++;
    }
    hl_rest_done(&rest);
    free(body);
    return NULL;
}

static void make_collection(struct bench *bench)
{
    struct hl_rest rest;
    char path[64];

    bench->n_collections++;
    hl_rest_init(&rest, bench->daemon.port);
    snprintf(path, sizeof path, "/collections/c%d", bench->n_collections);
    need(hl_rest_ask(&rest, "PUT", path,
                     "{\"vectors\":{\"size\":256,\"distance\":\"Dot\"}}") == 200,
         "the collection", rest.said);
    if (bench->n_collections > 1) {
        snprintf(path, sizeof path, "/collections/c%d", bench->n_collections - 1);
        need(hl_rest_ask(&rest, "DELETE", path, NULL) == 200, "the old one", rest.said);
    }
    hl_rest_done(&rest);
}

static double run_ours(struct bench *bench, size_t batch, int n_clients,
                       unsigned long long *n_refused)
{
    struct client clients[MAX_CLIENTS];
    double from, n = 0;

    make_collection(bench);
    from = now_s();
    for (int i = 0; i < n_clients; i++) {
        clients[i] =
            (struct client){.bench = bench, .batch = batch, .until = from + bench->seconds};
        need(pthread_create(&clients[i].thread, NULL, send_points, &clients[i]) == 0,
             "a thread", "none");
    }
    for (int i = 0; i < n_clients; i++) {
        pthread_join(clients[i].thread, NULL);
        n += (double)clients[i].n_points;
        *n_refused += clients[i].n_refused;
    }
    return n / (now_s() - from);
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

static void remove_bare(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[500];

    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static sqlite3 *open_bare(const char *path)
{
    sqlite3 *db;

    remove_bare(path);
    need(sqlite3_open(path, &db) == SQLITE_OK, "open", path);
    run(db, "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=2000;"
            "PRAGMA secure_delete=OFF");
    run(db, "CREATE TABLE points(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, "
            "payload TEXT); CREATE TABLE vectors(row INTEGER PRIMARY KEY, bytes BLOB)");
    return db;
}

static void insert(struct bench *bench, sqlite3 *db, sqlite3_stmt *point,
                   sqlite3_stmt *vector, unsigned long long row)
{
    unsigned char id[9] = {0};
    char text[96];
    int len =
        snprintf(text, sizeof text, "{\"user\":%llu,\"album\":\"holiday\",\"time\":%llu}",
                 row % 1000, row);

    for (int i = 0; i < 8; i++)
        id[1 + i] = (unsigned char)(row >> (56 - 8 * i));
    sqlite3_bind_int64(point, 1, (sqlite3_int64)row + 1);
    sqlite3_bind_blob(point, 2, id, sizeof id, SQLITE_STATIC);
    sqlite3_bind_text(point, 3, text, len, SQLITE_STATIC);
    finish(db, point);
    sqlite3_bind_int64(vector, 1, (sqlite3_int64)row + 1);
    sqlite3_bind_blob(vector, 2, bench->values[row % VARIANTS], DIM * (int)sizeof(float),
                      SQLITE_STATIC);
    finish(db, vector);
}

static double run_bare(struct bench *bench, size_t batch)
{
    char path[480];
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *point, *vector;
    unsigned long long row = 0;
    double from, took;

    snprintf(path, sizeof path, "%s/bare.db", bench->folder);
    db = open_bare(path);
    begin = prepare(db, "BEGIN IMMEDIATE");
    commit = prepare(db, "COMMIT");
    point = prepare(db, "INSERT INTO points VALUES(?1, ?2, ?3)");
    vector = prepare(db, "INSERT INTO vectors VALUES(?1, ?2)");
    from = now_s();
    while (now_s() < from + bench->seconds) {
        finish(db, begin);
        for (size_t i = 0; i < batch; i++)
            insert(bench, db, point, vector, row++);
        finish(db, commit);
    }
    took = now_s() - from;
    sqlite3_finalize(begin);
    sqlite3_finalize(commit);
    sqlite3_finalize(point);
    sqlite3_finalize(vector);
    sqlite3_close(db);
    remove_bare(path);
    return (double)row / took;
}

/* ---- side by side ---- */

static void compare(struct bench *bench, size_t batch, int n_rounds)
{
    static const int clients[] = {1, 16, 64};
    static double ours[3][MAX_ROUNDS], bare[MAX_ROUNDS], ratios[3][MAX_ROUNDS];
    unsigned long long n_refused[3] = {0};
    double middle;

    for (int i = 0; i < n_rounds; i++) {
        bare[i] = run_bare(bench, batch);
        for (int c = 0; c < 3; c++) {
            ours[c][i] = run_ours(bench, batch, clients[c], &n_refused[c]);
            ratios[c][i] = ours[c][i] / bare[i];
        }
    }
    middle = hl_median(bare, (size_t)n_rounds);
    for (int c = 0; c < 3; c++)
        printf("batch %4zu, %2d clients: %8.0f points/s  bare %8.0f  ratio %.2f"
               "  (refused %llu)\n",
               batch, clients[c], hl_median(ours[c], (size_t)n_rounds), middle,
               hl_median(ratios[c], (size_t)n_rounds), n_refused[c]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const int n_rounds = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 5;
    char data[480];
    const struct hl_daemon_setup setup = {.program = argc > 1 ? argv[1] : "", .data = data};

    if (argc < 3 || n_rounds < 1 || n_rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: bench_upserts HEIRLOOM FOLDER [ROUNDS] [SECONDS]\n");
        return 2;
    }
    snprintf(bench.folder, sizeof bench.folder, "%s", argv[2]);
    snprintf(data, sizeof data, "%s/data", argv[2]);
    bench.seconds = argc > 4 ? strtod(argv[4], NULL) : 2;
    make_values(&bench);
    need(hl_daemon_start(&bench.daemon, &setup), "the server", "did not start");
    compare(&bench, 1, n_rounds);
    compare(&bench, 100, n_rounds);
    compare(&bench, 1000, n_rounds);
    (void)hl_daemon_stop(&bench.daemon);
    hl_daemon_done(&bench.daemon);
    return 0;
}
