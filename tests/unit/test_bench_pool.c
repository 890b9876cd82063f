/* SPDX-License-Identifier: Apache-2.0 */
/* What a load sends, taken apart again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/points.h"
#include "server/bench_pool.h"
#include "server/cli_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5, SIZE = 8, MEMORY = 1 << 20 };

struct fixture {
    struct hl_bench bench;
    struct hl_address address;
    struct hl_bench_stock stock;
    float values[ROWS * SIZE];
    struct hl_id ids[2];
    struct hl_bench_pool *pool;
    struct hl_buf request;
    struct hl_arena *arena;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    f->bench = (struct hl_bench){.collection = "a b",
                                 .using_name = "",
                                 .weights = {[HL_BENCH_SEARCH] = 1},
                                 .limit = 3,
                                 .batch = 4,
                                 .points = 2,
                                 .first_id = 100,
                                 .n_ids = 5,
                                 .waits = true};
    f->address = (struct hl_address){.host = "h", .port = "1"};
    for (int i = 0; i < ROWS * SIZE; i++)
        f->values[i] = (float)i + .5F; /* row r begins with 8 r + .5 */
    f->ids[0] = hl_id_number(17);
    assert_true(hl_id_parse_uuid("00112233-4455-6677-8899-aabbccddeeff", 36, &f->ids[1]));
    f->stock = (struct hl_bench_stock){f->values, ROWS, SIZE, f->ids, 2, "gallery"};
    hl_buf_init(&f->request, MEMORY);
    f->arena = hl_arena_new(MEMORY);
    assert_non_null(f->arena);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_bench_pool_free(f->pool);
    hl_buf_done(&f->request);
    hl_arena_free(f->arena);
    free(f);
    return 0;
}

static void begin(struct fixture *f, enum hl_bench_kind kind)
{
    memset(f->bench.weights, 0, sizeof f->bench.weights);
    f->bench.weights[kind] = 1;
    hl_bench_pool_free(f->pool);
    f->pool = NULL;
    assert_int_equal(
        hl_bench_pool_new(&f->bench, &f->address, &f->stock, &f->pool, &f->err), HL_OK);
}

/* The body of the next request, whose head must say this and the body's length. */
static struct hl_span next_body(struct fixture *f, const char *head)
{
    struct hl_span body;
    const char *end, *length;

    (void)hl_bench_pool_next(f->pool, &f->request);
    assert_int_equal(f->request.failed, HL_OK);
    end = strstr(f->request.data, "\r\n\r\n");
    assert_non_null(end);
    body = (struct hl_span){end + 4, f->request.len - (size_t)(end + 4 - f->request.data)};
    if (strncmp(f->request.data, head, strlen(head)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", f->request.data, head);
    length = strstr(f->request.data, "\r\nContent-Length: ");
    assert_non_null(length);
    assert_int_equal(strtoul(length + 18, NULL, 10), body.len);
    return body;
}

#define PATH(rest) " /collections/a%20b" rest " HTTP/1.1\r\nHost: h:1\r\n"

static void assert_member(struct fixture *f, const struct hl_span *body, const char *path,
                          const char *wanted)
{
    const struct hl_span found = hl_cli_find(body, path, f->arena);

    const char *text = found.len > 0 ? found.data : "";

    if (found.len != strlen(wanted) || strncmp(text, wanted, found.len) != 0)
        fail_msg("\"%s\" is \"%.*s\", not \"%s\"", path, (int)found.len, text, wanted);
}

static void a_search_says_what_was_asked_for(void **state)
{
    struct fixture *f = *state;
    struct hl_span body;

    begin(f, HL_BENCH_SEARCH);
    body = next_body(f, "POST" PATH("/points/query") "Content-Type: application/json\r\n");
    assert_member(f, &body, "limit", "3");
    assert_member(f, &body, "using", "");
    assert_member(f, &body, "params", "");
    f->bench.using_name = "v\"2";
    f->bench.ef = 77;
    f->bench.filter = "{\"must\":[]}";
    f->bench.with_payload = true;
    f->bench.key = "secret";
    begin(f, HL_BENCH_SEARCH);
    body = next_body(f, "POST" PATH("/points/query") "api-key: secret\r\n");
    assert_member(f, &body, "using", "\"v\\\"2\"");
    assert_member(f, &body, "params", "{\"hnsw_ef\":77,\"exact\":false}");
    assert_member(f, &body, "filter", "{\"must\":[]}");
    assert_member(f, &body, "with_payload", "true");
    f->bench.ef = 0;
    f->bench.is_exact = true;
    begin(f, HL_BENCH_SEARCH);
    body = next_body(f, "POST" PATH("/points/query"));
    assert_member(f, &body, "params", "{\"exact\":true}");
}

/* The vector at a member that is an object's or an array's own. */
static struct hl_vector read_vector(struct fixture *f, const struct hl_span *text)
{
    struct hl_tokens tokens;
    struct hl_vector vector;
    struct hl_field root;

    hl_tokens_init(&tokens, text->data, text->len, f->arena);
    root = hl_field_root(&tokens);
    if (hl_vector_read(&root, &vector, &f->err) != HL_OK)
        fail_msg("%s in %.*s", f->err.msg, (int)text->len, text->data);
    assert_int_equal(vector.n, SIZE);
    return vector;
}

static void assert_row(const float *values, size_t n, size_t from)
{
    const int row = (int)(values[0] - (float)from) / SIZE;

    for (size_t i = 0; i < n; i++)
        assert_true(values[i] == (float)(row * SIZE) + (float)(from + i) + .5F);
}

static void its_vector_is_one_of_the_stock_in_every_form(void **state)
{
    struct fixture *f = *state;

    for (int form = HL_BENCH_JSON; form <= HL_BENCH_BASE64; form++) {
        f->bench.form = (enum hl_bench_form)form;
        begin(f, HL_BENCH_SEARCH);
        for (int i = 0; i < 20; i++) {
            const struct hl_span body = next_body(f, "POST");
            const struct hl_span text = hl_cli_find(&body, "query", f->arena);

            assert_int_equal(text.data[0], form == HL_BENCH_JSON ? '[' : '"');
            assert_row(read_vector(f, &text).values, SIZE, 0);
        }
    }
}

static void a_raw_one_is_its_floats_and_the_rest_is_in_the_path(void **state)
{
    struct fixture *f = *state;
    float values[SIZE];

    f->bench.form = HL_BENCH_RAW;
    f->bench.using_name = "v 2";
    f->bench.ef = 9;
    f->bench.is_exact = true;
    begin(f, HL_BENCH_SEARCH);
    for (int i = 0; i < 20; i++) {
        const struct hl_span body = next_body(
            f,
            "POST" PATH(
                "/points/query?limit=3&hnsw_ef=9&exact=true&using=v%202") "Content-Type: "
                                                                          "application/"
                                                                          "octet-"
                                                                          "stream\r\n");

        assert_int_equal(body.len, sizeof values);
        memcpy(values, body.data, sizeof values);
        assert_row(values, SIZE, 0);
    }
}

static void a_batch_has_as_many_searches_as_were_wanted(void **state)
{
    struct fixture *f = *state;
    struct hl_span body, searches, search;
    size_t at = 0;

    begin(f, HL_BENCH_BATCH);
    body = next_body(f, "POST" PATH("/points/query/batch"));
    searches = hl_cli_find(&body, "searches", f->arena);
    while (hl_cli_next(&searches, &at, f->arena, &search)) {
        const struct hl_span text = hl_cli_find(&search, "query", f->arena);

        assert_row(read_vector(f, &text).values, SIZE, 0);
        assert_member(f, &search, "limit", "3");
    }
    assert_int_equal(at, 4);
}

static struct hl_points read_points(struct fixture *f, const struct hl_span *body)
{
    const struct hl_span text = hl_cli_find(body, "points", f->arena);
    struct hl_tokens tokens;
    struct hl_points points = {0};
    struct hl_field root;

    hl_tokens_init(&tokens, text.data, text.len, f->arena);
    root = hl_field_root(&tokens);
    if (hl_points_read(&root, &points, &f->err) != HL_OK)
        fail_msg("%s in %.*s", f->err.msg, (int)text.len, text.data);
    return points;
}

static void points_take_their_ids_in_turn_and_their_halves_from_two_vectors(void **state)
{
    struct fixture *f = *state;
    uint64_t wanted = 0;
    bool was_mixed = false;

    for (int form = HL_BENCH_JSON; form <= HL_BENCH_RAW; form++) {
        f->bench.form = (enum hl_bench_form)form;
        begin(f, HL_BENCH_UPSERT);
        wanted = 0;
        for (int i = 0; i < 20; i++) {
            const struct hl_span body = next_body(f, "PUT" PATH("/points?wait=true"));
            const struct hl_points points = read_points(f, &body);

            assert_int_equal(points.n, 2);
            for (size_t p = 0; p < 2; p++, wanted = (wanted + 1) % 5) {
                const float *values = points.items[p].vectors.items[0].values;

                assert_int_equal(hl_id_value(&points.items[p].id), 100 + wanted);
                assert_int_equal(points.items[p].vectors.items[0].n, SIZE);
                assert_row(values, 3, 0); /* the half, in whole groups of base64 */
                assert_row(values + 3, SIZE - 3, 3);
                was_mixed = was_mixed || values[3] != values[0] + 3;
            }
        }
    }
    assert_true(was_mixed);
}

static void points_have_the_names_and_the_payload_that_were_said(void **state)
{
    struct fixture *f = *state;
    struct hl_points points;
    struct hl_span body;

    f->bench.using_name = "v2";
    f->bench.payload = "{\"a\":1}";
    f->bench.waits = false;
    begin(f, HL_BENCH_UPSERT);
    body = next_body(f, "PUT" PATH("/points?wait=false"));
    points = read_points(f, &body);
    assert_true(hl_text_is(&points.items[1].vectors.items[0].name, "v2"));
    assert_true(hl_text_is(&points.items[1].payload, "{\"a\":1}"));
}

static void what_is_read_is_there_and_what_is_deleted_may_be(void **state)
{
    struct fixture *f = *state;
    bool saw_number = false, saw_uuid = false;

    begin(f, HL_BENCH_RETRIEVE);
    for (int i = 0; i < 50; i++) {
        const struct hl_span body = next_body(f, "POST" PATH("/points"));
        const struct hl_span ids = hl_cli_find(&body, "ids", f->arena);

        saw_number = saw_number || strncmp(ids.data, "[17]", ids.len) == 0;
        saw_uuid =
            saw_uuid ||
            strncmp(ids.data, "[\"00112233-4455-6677-8899-aabbccddeeff\"]", ids.len) == 0;
    }
    assert_true(saw_number && saw_uuid);
    begin(f, HL_BENCH_DELETE);
    for (int i = 0; i < 50; i++) {
        const struct hl_span body = next_body(f, "POST" PATH("/points/delete?wait=true"));
        const struct hl_span ids = hl_cli_find(&body, "points", f->arena);

        assert_in_range(strtoul(ids.data + 1, NULL, 10), 100, 104);
    }
}

static void the_mix_is_what_was_asked_for(void **state)
{
    struct fixture *f = *state;
    int n[HL_N_BENCH_KINDS] = {0};

    begin(f, HL_BENCH_SEARCH);
    f->bench.weights[HL_BENCH_SEARCH] = 6;
    f->bench.weights[HL_BENCH_UPSERT] = 3;
    f->bench.weights[HL_BENCH_DELETE] = 1;
    hl_bench_pool_free(f->pool);
    assert_int_equal(
        hl_bench_pool_new(&f->bench, &f->address, &f->stock, &f->pool, &f->err), HL_OK);
    for (int i = 0; i < 5000; i++) {
        n[hl_bench_pool_next(f->pool, &f->request)]++;
        n[hl_bench_pool_kind(f->pool)]++;
    }
    assert_in_range(n[HL_BENCH_SEARCH], 5800, 6200);
    assert_in_range(n[HL_BENCH_UPSERT], 2800, 3200);
    assert_in_range(n[HL_BENCH_DELETE], 850, 1150);
}

static void without_memory_there_is_a_sentence_and_no_leak(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    char rule[32];

    for (int n = 1; code != HL_OK; n++) {
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = hl_bench_pool_new(&f->bench, &f->address, &f->stock, &f->pool, &f->err);
        hl_failpoint_disarm();
        if (code != HL_OK) {
            assert_int_equal(code, HL_NO_MEMORY);
            assert_null(f->pool);
        }
        assert_in_range(n, 1, 100);
    }
    (void)next_body(f, "POST");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_search_says_what_was_asked_for),
        TEST(its_vector_is_one_of_the_stock_in_every_form),
        TEST(a_raw_one_is_its_floats_and_the_rest_is_in_the_path),
        TEST(a_batch_has_as_many_searches_as_were_wanted),
        TEST(points_take_their_ids_in_turn_and_their_halves_from_two_vectors),
        TEST(points_have_the_names_and_the_payload_that_were_said),
        TEST(what_is_read_is_there_and_what_is_deleted_may_be),
        TEST(the_mix_is_what_was_asked_for),
        TEST(without_memory_there_is_a_sentence_and_no_leak),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
