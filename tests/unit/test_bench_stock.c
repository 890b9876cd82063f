/* SPDX-License-Identifier: Apache-2.0 */
/* What a load asks with, out of a gallery that a few replies make up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/bench_stock.h"
#include "tests/unit/answering.h"

#include <math.h>

enum { SIZE = 2, POINTS = 6, REPLY_ROOM = 4096, BODY_ROOM = REPLY_ROOM - 256 };

struct fixture {
    struct hl_answering server;
    struct hl_bench bench;
    struct hl_remote remote;
    struct hl_bench_stock stock;
    const char *vectors; /* of the collection's description */
    int n_points;        /* of the gallery, three on a page */
    bool has_lost;       /* point 4 has no vector when it is asked for */
    bool is_dumb;        /* no list of points where one was wanted */
    char reply[REPLY_ROOM];
    char body[BODY_ROOM];
    char url[64];
    struct hl_err err;
};

/* ---- the gallery: point i has the vector (i, -i) ---- */

static void add(struct fixture *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void add(struct fixture *f, const char *format, ...)
{
    const size_t len = strlen(f->body);
    va_list args;

    va_start(args, format);
    vsnprintf(f->body + len, sizeof f->body - len, format, args);
    va_end(args);
}

static void add_page(struct fixture *f, const char *request)
{
    const char *offset = strstr(request, "\"offset\":");
    const int first = offset ? (int)strtol(offset + 9, NULL, 10) : 0;

    add(f, "{\"points\":[");
    for (int i = first; i < first + 3 && i < f->n_points; i++)
        add(f, "%s{\"id\":%d}", i > first ? "," : "", i);
    if (first + 3 < f->n_points)
        add(f, "],\"next_page_offset\":%d}", first + 3);
    else
        add(f, "],\"next_page_offset\":null}");
}

static void add_points(struct fixture *f, const char *request)
{
    const char *at = strstr(request, "\"ids\":[") + 7;
    bool is_first = true;

    add(f, "[");
    for (; *at != ']'; is_first = false) {
        char *end;
        const long id = strtol(at, &end, 10);

        add(f, "%s{\"id\":%ld,\"vector\":", is_first ? "" : ",", id);
        if (f->has_lost && id == 4)
            add(f, "{}}");
        else
            add(f, "[%ld,%ld]}", id, -id);
        at = end + (*end == ',');
    }
    add(f, "]");
}

static const char *answer(void *self, const char *request)
{
    struct fixture *f = self;

    f->body[0] = '\0';
    add(f, "{\"result\":");
    if (strncmp(request, "GET", 3) == 0)
        add(f, "{\"config\":{\"params\":{\"vectors\":%s}}}", f->vectors);
    else if (f->is_dumb)
        add(f, "null");
    else if (strstr(request, "/points/scroll"))
        add_page(f, request);
    else
        add_points(f, request);
    add(f, ",\"status\":\"ok\",\"time\":0}");
    snprintf(f->reply, sizeof f->reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(f->body), f->body);
    return f->reply;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    f->bench = (struct hl_bench){.collection = "c",
                                 .using_name = "",
                                 .weights = {[HL_BENCH_SEARCH] = 1},
                                 .pool = 100,
                                 .seed = 1};
    f->vectors = "{\"size\":2,\"distance\":\"Dot\"}";
    f->n_points = POINTS;
    hl_answering_init(&f->server);
    f->server.reply = answer;
    f->server.self = f;
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%s", f->server.port);
    hl_answering_begin(&f->server);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_answering_end(&f->server);
    hl_answering_done(&f->server);
    hl_bench_stock_done(&f->stock);
    free(f);
    return 0;
}

static enum hl_code load(struct fixture *f)
{
    enum hl_code code =
        hl_remote_init(&f->remote, f->url, NULL, f->bench.collection, &f->err);

    hl_bench_stock_done(&f->stock);
    if (code == HL_OK)
        code = hl_bench_stock_load(&f->bench, &f->remote, &f->stock, &f->err);
    hl_remote_done(&f->remote);
    return code;
}

static void assert_loads(struct fixture *f, const char *origin, size_t n_rows)
{
    if (load(f) != HL_OK)
        fail_msg("%s", f->err.msg);
    assert_string_equal(f->stock.origin, origin);
    assert_int_equal(f->stock.n_rows, n_rows);
    assert_int_equal(f->stock.dim, SIZE);
}

/* Which points the rows are, as bits. Each is there once. */
static unsigned points_of(const struct fixture *f)
{
    unsigned points = 0;

    for (size_t i = 0; i < f->stock.n_rows; i++) {
        const float *row = f->stock.values + i * SIZE;
        const unsigned bit = 1U << (unsigned)row[0];

        assert_true(row[1] == -row[0]);
        assert_int_equal(points & bit, 0);
        points |= bit;
    }
    return points;
}

static void a_small_gallery_is_taken_whole_page_by_page(void **state)
{
    struct fixture *f = *state;

    assert_loads(f, "gallery", POINTS);
    assert_int_equal(points_of(f), (1U << POINTS) - 1);
    assert_int_equal(f->stock.n_ids, POINTS);
}

static void of_a_large_one_the_seed_chooses(void **state)
{
    struct fixture *f = *state;
    unsigned first, seen = 0;

    f->n_points = 20;
    f->bench.pool = 5;
    assert_loads(f, "gallery", 5);
    first = points_of(f);
    assert_loads(f, "gallery", 5);
    assert_int_equal(points_of(f), first);
    for (f->bench.seed = 2; f->bench.seed < 30; f->bench.seed++) {
        assert_loads(f, "gallery", 5);
        seen |= points_of(f);
    }
    assert_int_equal(seen, (1U << 20) - 1); /* whatever place a point has */
}

static void a_vector_that_went_meanwhile_is_not_asked_with(void **state)
{
    struct fixture *f = *state;

    f->has_lost = true;
    assert_loads(f, "gallery", POINTS - 1);
    assert_int_equal(points_of(f), ((1U << POINTS) - 1) & ~(1U << 4));
}

static void without_points_it_is_chance_of_length_one(void **state)
{
    struct fixture *f = *state;
    float first;

    f->n_points = 0;
    assert_loads(f, "random", 100);
    for (size_t i = 0; i < 100; i++) {
        const float *row = f->stock.values + i * SIZE;

        assert_true(fabsf(row[0] * row[0] + row[1] * row[1] - 1) < 1e-5F);
    }
    first = f->stock.values[0];
    assert_loads(f, "random", 100);
    assert_true(f->stock.values[0] == first);
    f->bench.seed = 2;
    assert_loads(f, "random", 100);
    assert_true(f->stock.values[0] != first);
}

static void assert_refuses(struct fixture *f, enum hl_code wanted, const char *sentence)
{
    assert_int_equal(load(f), wanted);
    if (!strstr(f->err.msg, sentence))
        fail_msg("\"%s\" is not in \"%s\"", sentence, f->err.msg);
    assert_null(f->stock.values);
}

static void what_a_gallery_has_not_is_said(void **state)
{
    struct fixture *f = *state;

    f->bench.using_name = "v2";
    assert_refuses(f, HL_NOT_FOUND, "collection \"c\" has no dense vector \"v2\"");
    f->vectors = "{\"v2\":{\"size\":2,\"distance\":\"Dot\"}}";
    f->n_points = 0;
    assert_loads(f, "random", 100);
    f->bench.using_name = "";
    assert_refuses(f, HL_NOT_FOUND, "\"--using\" names one of its models");
    f->bench.using_name = "v2";
    f->bench.weights[HL_BENCH_RETRIEVE] = 1;
    assert_refuses(f, HL_NOT_FOUND, "no points with a vector \"v2\" to retrieve");
    f->is_dumb = true;
    assert_refuses(f, HL_BAD_FILE, "the reply has no points");
}

static void without_memory_there_is_a_sentence_and_no_leak(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    char rule[32];

    for (int n = 1; code != HL_OK; n++) {
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = load(f);
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_in_range(n, 1, 200);
    }
    hl_failpoint_disarm();
    assert_int_equal(points_of(f), (1U << POINTS) - 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_small_gallery_is_taken_whole_page_by_page),
        TEST(of_a_large_one_the_seed_chooses),
        TEST(a_vector_that_went_meanwhile_is_not_asked_with),
        TEST(without_points_it_is_chance_of_length_one),
        TEST(what_a_gallery_has_not_is_said),
        TEST(without_memory_there_is_a_sentence_and_no_leak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
