/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search.h"

#include "proto/alloc.h"
#include "server/search_part.h"
#include "server/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/fake_look.h"

/* Whole requests: five points, the first three with vectors. */
struct fixture {
    struct hl_collection collection;
    struct hl_config config;
    struct hl_server server;
    struct hl_request request;
    struct hl_reply reply;
    bool was_long; /* the last one went on on a reader */
    struct hl_err err;
};

static int64_t frozen(void *self)
{
    (void)self;
    return 1000000;
}
static const struct hl_clock clock_ = {frozen, NULL};

static int set_up(void **state)
{
    static const char *const payloads[] = {"{\"a\":1,\"b\":[2]}", NULL, "{\"a\":\"x\"}",
                                           NULL, NULL};
    struct fixture *f = hl_alloc_zeroed(1, sizeof *f);
    struct hl_collection *c = &f->collection;

    c->name = "c";
    c->spaces[0] = (struct hl_space){.id = 1, .dim = 2, .name = "", .distance = HL_DOT};
    c->spaces[1] = (struct hl_space){.id = 2, .name = "s", .distance = HL_DOT};
    c->layout = (struct hl_layout){.n_spaces = 2, .spaces = c->spaces};
    c->n_points = 5;
    for (uint32_t i = 0; i < c->n_points; i++)
        c->points[i] = (struct fake_point){.id = hl_id_number(i + 1),
                                           .values = {1 - (float)i / 4, 0},
                                           .has_values = i < 3,
                                           .weight = i == 1 ? 2 : 0,
                                           .payload = payloads[i]};
    assert_true(
        hl_id_parse_uuid("550e8400-e29b-41d4-a716-446655440000", 36, &c->points[2].id));
    f->config.limits.request_memory_mb = 8;
    f->server = (struct hl_server){.config = &f->config,
                                   .clock = clock_,
                                   .collections = (struct hl_collections *)(void *)c};
    f->request.arena = hl_arena_new(8 << 20);
    hl_buf_init(&f->reply.body, 8 << 20);
    *state = f;
    return f->request.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_arena_free(f->request.arena);
    hl_buf_done(&f->reply.body);
    hl_free(f);
    return 0;
}

#define HANDLER(name)                                                                      \
    enum hl_code (*(name))(struct hl_server *, struct hl_request *, struct hl_reply *,     \
                           struct hl_err *)

/* What the exchange does with a handler; the value of the reply, or the sentence. */
static const char *answer(struct fixture *f, HANDLER(handler), const char *body)
{
    struct hl_request *request = &f->request;
    char *end;
    enum hl_code code;

    *request =
        (struct hl_request){.params = {{"c", 1}},
                            .body = {body, strlen(body)},
                            .content_type = "application/json",
                            .arena = request->arena,
                            .started_us = 1000000,
                            .deadline = {.clock = &clock_, .at_us = HL_DEADLINE_NEVER}};
    hl_buf_clear(&f->reply.body, 0);
    code = handler(&f->server, request, &f->reply, &f->err);
    f->was_long = code == HL_OK && request->then;
    if (f->was_long) {
        assert_int_equal(f->reply.body.len, 0);
        code = request->then(&f->server, request, &f->reply, &f->err);
    }
    if (request->release)
        request->release(request);
    assert_int_equal(f->collection.n_refs, 0);
    assert_int_equal(f->collection.n_looks, 0);
    if (code != HL_OK)
        return f->err.msg;
    end = strstr(f->reply.body.data, ",\"status\":\"ok\"");
    assert_non_null(end);
    *end = '\0';
    return f->reply.body.data + strlen("{\"result\":");
}

struct call_case {
    HANDLER(handler);
    const char *body;
    bool is_long;
    const char *wanted;
};

static void assert_answers(struct fixture *f, const struct call_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(answer(f, cases[i].handler, cases[i].body), cases[i].wanted);
        if (f->was_long != cases[i].is_long)
            fail_msg("%s", cases[i].body);
    }
}

#define ASSERT_ANSWERS(f, cases)                                                           \
    assert_answers((f), (cases), sizeof(cases) / sizeof((cases)[0]))

#define HIT(id, score) "{\"id\":" id ",\"version\":0,\"score\":" score "}"
#define UUID           "\"550e8400-e29b-41d4-a716-446655440000\""

static void what_memory_knows_is_answered_at_once(void **state)
{
    static const struct call_case cases[] = {
        {hl_search_query, "{\"query\":[1,0],\"limit\":2}", false,
         "{\"points\":[" HIT("1", "1.0") "," HIT("2", "0.75") "]}"},
        {hl_search_query, "{\"query\":[1,0],\"offset\":2}", false,
         "{\"points\":[" HIT(UUID, "0.5") "]}"},
        {hl_search_query, "{\"query\":[1,0],\"offset\":3}", false, "{\"points\":[]}"},
        {hl_search_search, "{\"vector\":[1,0],\"limit\":1}", false,
         "[" HIT("1", "1.0") "]"},
        {hl_search_recommend, "{\"positive\":[[1,0]],\"limit\":1}", false,
         "[" HIT("1", "1.0") "]"},
        {hl_search_query_batch,
         "{\"searches\":[{\"query\":[1,0],\"limit\":1},"
         "{\"query\":[-1,0],\"limit\":1}]}",
         false,
         "[{\"points\":[" HIT("1", "1.0") "]},{\"points\":[" HIT(UUID, "-0.5") "]}]"},
        {hl_search_search_batch, "{\"searches\":[{\"vector\":[1,0],\"limit\":1}]}", false,
         "[[" HIT("1", "1.0") "]]"},
        {hl_search_query_batch, "{\"searches\":[]}", false, "[]"},
    };

    ASSERT_ANSWERS(*state, cases);
}

static void what_the_disk_knows_is_answered_by_a_reader(void **state)
{
    static const struct call_case cases[] = {
        {hl_search_query, "{\"query\":[1,0],\"limit\":2,\"with_payload\":true}", true,
         "{\"points\":[{\"id\":1,\"version\":0,\"score\":1.0,\"payload\":"
         "{\"a\":1,\"b\":[2]}},{\"id\":2,\"version\":0,\"score\":0.75,\"payload\":{}}]}"},
        {hl_search_query, "{\"query\":[1,0],\"limit\":1,\"with_payload\":[\"b\"]}", true,
         "{\"points\":[{\"id\":1,\"version\":0,\"score\":1.0,\"payload\":{\"b\":[2]}}]}"},
        {hl_search_query, "{\"query\":[1,0],\"limit\":2,\"with_vector\":true}", true,
         "{\"points\":[{\"id\":1,\"version\":0,\"score\":1.0,\"vector\":[1.0,0.0]},"
         "{\"id\":2,\"version\":0,\"score\":0.75,\"vector\":{\"\":[0.75,0.0],"
         "\"s\":{\"indices\":[7],\"values\":[2.0]}}}]}"},
        {hl_search_recommend_batch, "{\"searches\":[{\"positive\":[1],\"limit\":1}]}", true,
         "[[" HIT("2", "0.75") "]]"},
        {hl_search_query, "{\"limit\":1}", true, "{\"points\":[" HIT("1", "1.0") "]}"},
    };

    ASSERT_ANSWERS(*state, cases);
}

static void a_filter_is_settled_by_a_reader_where_indexes_cannot(void **state)
{
    static const char body[] = "{\"query\":[1,0],\"filter\":{\"must\":{\"has_id\":[1]}}}";
    static const char found[] = "{\"points\":[" HIT("1", "1.0") "," HIT(UUID, "0.5") "]}";
    struct fixture *f = *state;

    assert_string_equal(answer(f, hl_search_query, body), found);
    assert_false(f->was_long);
    f->collection.has_slow_filters = true;
    assert_string_equal(answer(f, hl_search_query, body), found);
    assert_true(f->was_long);
}

static void groups_are_shown_with_their_keys(void **state)
{
    static const struct call_case cases[] = {
        {hl_search_query_groups,
         "{\"query\":[1,0],\"group_by\":\"a\",\"with_payload\":[\"a\"]}", true,
         "{\"groups\":[{\"hits\":[{\"id\":1,\"version\":0,\"score\":1.0,\"payload\":"
         "{\"a\":1}}],\"id\":1},{\"hits\":[{\"id\":" UUID ",\"version\":0,\"score\":0.5,"
         "\"payload\":{\"a\":\"x\"}}],\"id\":\"x\"}]}"},
        {hl_search_search_groups,
         "{\"vector\":[1,0],\"group_by\":\"b\",\"group_size\":1,\"limit\":1}", true,
         "{\"groups\":[{\"hits\":[" HIT("1", "1.0") "],\"id\":2}]}"},
        {hl_search_recommend_groups,
         "{\"positive\":[2],\"group_by\":\"b\",\"group_size\":1,\"limit\":1}", true,
         "{\"groups\":[{\"hits\":[" HIT("1", "0.75") "],\"id\":2}]}"},
    };

    ASSERT_ANSWERS(*state, cases);
}

static void a_search_that_fails_lets_everything_go(void **state)
{
    static const struct call_case cases[] = {
        {hl_search_query, "{\"query\":[1]}", false,
         "Wrong input: Vector dimension error: expected dim: 2, got 1"},
        {hl_search_query, "{\"query\":9}", true, "Not found: No point with id 9 found"},
        {hl_search_query, "{\"query\":", false,
         "Format error in JSON body: expected a value, got the end at line 1 column 10 "
         "(byte 9)"},
        {hl_search_query, "{\"query\":[1,0],\"with_vector\":[\"w\"]}", true,
         "Wrong input: Not existing vector name error: w"},
        {hl_search_query_batch, "{\"searches\":[{\"query\":[1,0]},{\"query\":[1]}]}", false,
         "Wrong input: Vector dimension error: expected dim: 2, got 1"},
    };
    struct fixture *f = *state;

    ASSERT_ANSWERS(f, cases);
    f->collection.name = "d";
    assert_string_equal(answer(f, hl_search_query, "{\"query\":[1,0]}"),
                        "Not found: Collection `c` doesn't exist!");
}

/* How often rows were looked through for several queries at once, in a batch. */
static int count_manys(struct fixture *f, const char *body)
{
    f->collection.n_manys = 0;
    assert_non_null(strstr(answer(f, hl_search_query_batch, body), HIT("1", "1.0")));
    return f->collection.n_manys;
}

#define EXACT(query, more)                                                                 \
    "{\"query\":" query ",\"limit\":2" more ",\"params\":{\"exact\":true}}"
#define EVEN ",\"filter\":{\"must\":[{\"key\":\"a\",\"match\":{\"value\":1}}]}"

static void exact_queries_of_a_batch_that_want_the_same_go_together(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(
        count_manys(f, "{\"searches\":[" EXACT("[1,0]", "") "," EXACT("[0,1]", "") "]}"),
        1);
    assert_int_equal(count_manys(f, "{\"searches\":[" EXACT("[1,0]", EVEN) "," EXACT(
                                        "[1,0]", "") "," EXACT("[0,1]", EVEN) "]}"),
                     1);
    assert_int_equal(count_manys(f, "{\"searches\":[" EXACT("[1,0]", "") "," EXACT(
                                        "[0,1]", EVEN) ",{\"query\":[1,0]}]}"),
                     0);
    assert_int_equal(count_manys(f, "{\"searches\":[" EXACT("[1,0]", "") "]}"), 0);
}

/* Who wants few hits is not to be looked through for as many as somebody else wants. */
static void exact_queries_of_a_batch_go_together_when_they_want_about_as_much(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(count_manys(f, "{\"searches\":[" EXACT(
                                        "[1,0]", "") ",{\"query\":[0,1],\"limit\":5000,"
                                                     "\"params\":{\"exact\":true}}]}"),
                     0);
    assert_int_equal(count_manys(f, "{\"searches\":[" EXACT(
                                        "[1,0]", "") ",{\"query\":[0,1],\"limit\":12,"
                                                     "\"params\":{\"exact\":true}}]}"),
                     1);
}

/* Each gets what it would get alone: its own offset and limit, without its own examples. */
static void together_they_get_what_each_gets_alone(void **state)
{
    static const struct call_case cases[] = {
        {hl_search_query_batch,
         "{\"searches\":[" EXACT("[1,0]", ",\"offset\":1") "," EXACT("2", "") "," EXACT(
             "[-1,0]", ",\"score_threshold\":-0.6") "]}",
         true,
         "[{\"points\":[" HIT("2", "0.75") "," HIT(UUID, "0.5") "]},{\"points\":[" HIT(
             "1", "0.75") "," HIT(UUID, "0.375") "]},{\"points\":[" HIT(UUID,
                                                                        "-0.5") "]}]"},
    };

    ASSERT_ANSWERS(*state, cases);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_memory_knows_is_answered_at_once),
        TEST(what_the_disk_knows_is_answered_by_a_reader),
        TEST(a_filter_is_settled_by_a_reader_where_indexes_cannot),
        TEST(groups_are_shown_with_their_keys),
        TEST(exact_queries_of_a_batch_that_want_the_same_go_together),
        TEST(exact_queries_of_a_batch_go_together_when_they_want_about_as_much),
        TEST(together_they_get_what_each_gets_alone),
        TEST(a_search_that_fails_lets_everything_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
