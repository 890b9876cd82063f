/* SPDX-License-Identifier: Apache-2.0 */
/* What a filter costs: 1,000,000 photographs of 10,000 users, each with a time, an album
 * and a place. Prints microseconds for typical filters, and bytes of the indexes. */
#include "index/filter.h"
#include "proto/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_POINTS = 1000000, N_USERS = 10000, N_INDEXES = 5, N_ROUNDS = 200 };

static uint64_t seed = 5;

static uint32_t pick(uint32_t n)
{
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(seed >> 33) % n;
}

static void check(enum hl_code code, const struct hl_err *err)
{
    if (code == HL_OK)
        return;
    fprintf(stderr, "bench_filter: %s\n", err->msg);
    abort();
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static void add_point(struct hl_field_index **indexes, uint32_t number,
                      struct hl_arena *arena)
{
    const struct hl_value *payload;
    struct hl_err err;
    char text[256];

    snprintf(
        text, sizeof text,
        "{\"user\":\"u%u\",\"uid\":%u,\"time\":\"202%u-%02u-%02uT10:%02u:00Z\",\"album\":"
        "\"a%u\",\"place\":{\"lon\":%u.%03u,\"lat\":%u.%03u}}",
        pick(N_USERS), pick(N_USERS), pick(5), 1 + pick(12), 1 + pick(28), pick(60),
        pick(20), pick(90), pick(1000), pick(60), pick(1000));
    hl_arena_reset(arena);
    check(hl_payload_parse(text, strlen(text), arena, &payload, &err), &err);
    for (size_t i = 0; i < N_INDEXES; i++)
        check(hl_field_index_add(indexes[i], number, payload, &err), &err);
}

/* The filters of rising `%u`, each evaluated once. */
static void measure(const char *name, const char *format,
                    const struct hl_filter_scope *scope, struct hl_arena *arena)
{
    double spent = 0, n_found = 0;

    for (unsigned round = 0; round < N_ROUNDS; round++) {
        const struct hl_filter *filter;
        struct hl_matches matches;
        struct hl_tokens tokens;
        struct hl_field root;
        struct hl_err err;
        char body[512];
        const char *user = strchr(format, '#');
        double start;

        snprintf(body, sizeof body, "%.*s%u%s", (int)(user - format), format, round * 37,
                 user + 1);
        hl_arena_reset(arena);
        hl_tokens_init(&tokens, body, strlen(body), arena);
        root = hl_field_root(&tokens);
        check(hl_filter_read(&root, &filter, &err), &err);
        start = now_us();
        check(hl_filter_find(filter, scope, &matches, &err), &err);
        spent += now_us() - start;
        n_found += (double)hl_rows_count(matches.sure);
        hl_matches_done(&matches);
    }
    printf("%-34s %10.1f us   %10.0f points\n", name, spent / N_ROUNDS, n_found / N_ROUNDS);
}

#define USER  "{\"key\":\"user\",\"match\":{\"value\":\"u#\"}}"
#define UID   "{\"key\":\"uid\",\"match\":{\"value\":#}}"
#define TIME  "{\"key\":\"time\",\"range\":{\"gte\":\"2021-06-01\",\"lt\":\"2023-06-01\"}}"
#define ALBUM "{\"key\":\"album\",\"match\":{\"any\":[\"a3\",\"a4\"]}}"
#define NEAR                                                                               \
    "{\"key\":\"place\",\"geo_radius\":{\"center\":{\"lon\":13.4,\"lat\":52.5},"           \
    "\"radius\":20000}}"
#define SHUT "{\"key\":\"album\",\"match\":{\"value\":\"a7\"}}"

int main(void)
{
    static const char *const paths[N_INDEXES] = {"user", "uid", "time", "album", "place"};
    static const enum hl_field_kind kinds[N_INDEXES] = {HL_FIELD_KEYWORD, HL_FIELD_INTEGER,
                                                        HL_FIELD_DATETIME, HL_FIELD_KEYWORD,
                                                        HL_FIELD_GEO};
    struct hl_field_index *indexes[N_INDEXES] = {NULL};
    struct hl_arena *arena = hl_arena_new(1 << 20);
    struct hl_rows *points = hl_rows_new();
    struct hl_filter_scope scope = {
        .points = points, .indexes = indexes, .n_indexes = N_INDEXES};
    struct hl_err err;
    double start;

    for (size_t i = 0; i < N_INDEXES; i++)
        check(hl_field_index_new(paths[i], kinds[i], &indexes[i], &err), &err);
    start = now_us();
    for (uint32_t number = 1; number <= N_POINTS; number++)
        add_point(indexes, number, arena);
    printf("indexing: %.2f us a point\n", (now_us() - start) / N_POINTS);
    check(hl_rows_add_range(points, 1, N_POINTS, &err), &err);
    for (size_t i = 0; i < N_INDEXES; i++)
        printf("%-6s %10zu bytes\n", paths[i], hl_field_index_bytes(indexes[i]));
    printf("a user: %zu bytes\n", hl_field_index_bytes(indexes[0]) / N_USERS);
    measure("user", "{\"must\":[" USER "]}", &scope, arena);
    measure("user, time", "{\"must\":[" USER "," TIME "]}", &scope, arena);
    measure("user, time, album", "{\"must\":[" USER "," TIME "," ALBUM "]}", &scope, arena);
    measure("user by number, time, album", "{\"must\":[" UID "," TIME "," ALBUM "]}",
            &scope, arena);
    measure("user, not an album", "{\"must\":[" USER "],\"must_not\":[" SHUT "]}", &scope,
            arena);
    measure("near a place", "{\"must\":[" NEAR "],\"must_not\":[" USER "]}", &scope, arena);
    measure("time of everybody but one", "{\"must\":[" TIME "],\"must_not\":[" USER "]}",
            &scope, arena);
    for (size_t i = 0; i < N_INDEXES; i++)
        hl_field_index_free(indexes[i]);
    hl_rows_free(points);
    hl_arena_free(arena);
    return 0;
}
