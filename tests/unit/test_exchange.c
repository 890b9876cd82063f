/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/fail.h"
#include "server/exchange.h"
#include "server/keys.h"
#include "server/server.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Answers with the body it was sent, and its parameter. */
static enum hl_code echo(struct hl_server *server, struct hl_request *request,
                         struct hl_reply *reply, struct hl_err *err)
{
    (void)server;
    reply->status = 200;
    reply->content_type = "text/plain";
    hl_buf_print(&reply->body, "%s:%s", request->params[0].data, request->body.data);
    return hl_buf_check(&reply->body, "the echo", err);
}

static enum hl_code refuse(struct hl_server *server, struct hl_request *request,
                           struct hl_reply *reply, struct hl_err *err)
{
    (void)server;
    (void)request;
    hl_buf_add_text(&reply->body, "half a reply");
    return hl_fail(err, HL_CONFLICT, "it is in the way");
}

/* Goes on as its parameter says: on a reader ("then"), parked ("park"), parked and refused
 * ("deny"), parked and ended before that returns ("now"), parked while its caller leaves
 * ("gone"), on a reader and then parked ("both"). What it holds is let go in each case. */
static atomic_int n_held;

static void let_go(struct hl_request *request)
{
    (void)request;
    atomic_fetch_sub(&n_held, 1);
}

static void *finish_later(void *arg)
{
    struct hl_request *request = arg;
    struct hl_reply *reply = hl_request_reply(request);

    reply->status = 200;
    reply->content_type = "text/plain";
    hl_buf_print(&reply->body, "%s, parked", request->params[0].data);
    hl_request_finish(request, HL_OK, NULL);
    return NULL;
}

static void finish_abandoned(struct hl_request *request)
{
    struct hl_conn *conn = &request->exchange->conn;
    struct hl_err err;

    conn->gone(conn);
    hl_request_finish(request, hl_deadline_check(&request->deadline, "a change", &err),
                      &err);
}

static enum hl_code park(struct hl_server *server, struct hl_request *request,
                         struct hl_reply *reply, struct hl_err *err)
{
    pthread_t thread;

    (void)server;
    (void)reply;
    if (strcmp(request->params[0].data, "deny") == 0)
        return hl_fail(err, HL_TOO_MANY, "too many are parked");
    if (strcmp(request->params[0].data, "now") == 0) {
        finish_later(request);
        return HL_OK;
    }
    if (strcmp(request->params[0].data, "gone") == 0) {
        finish_abandoned(request);
        return HL_OK;
    }
    assert_int_equal(pthread_create(&thread, NULL, finish_later, request), 0);
    pthread_detach(thread);
    return HL_OK;
}

static enum hl_code go_on(struct hl_server *server, struct hl_request *request,
                          struct hl_reply *reply, struct hl_err *err)
{
    (void)server;
    if (strcmp(request->params[0].data, "both") == 0) {
        request->park = park;
        return HL_OK;
    }
    reply->status = 200;
    reply->content_type = "text/plain";
    hl_buf_print(&reply->body, "then");
    return hl_buf_check(&reply->body, "the reply", err);
}

static enum hl_code begin(struct hl_server *server, struct hl_request *request,
                          struct hl_reply *reply, struct hl_err *err)
{
    const char *how = request->params[0].data;

    (void)server;
    (void)reply;
    atomic_fetch_add(&n_held, 1);
    request->release = let_go;
    if (strcmp(how, "fail") == 0)
        return hl_fail(err, HL_CONFLICT, "it begins badly");
    if (strcmp(how, "then") == 0 || strcmp(how, "both") == 0)
        request->then = go_on;
    else
        request->park = park;
    return HL_OK;
}

static const struct hl_route table[] = {
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_OPEN, "/begin/{how}", begin},
    {HL_METHOD_POST, HL_PLACE_BY_SIZE, HL_DOOR_OPEN, "/sized/{name}", echo},
    {HL_METHOD_GET, HL_PLACE_WORKER, HL_DOOR_OPEN, "/refuse", refuse},
    {HL_METHOD_PUT, HL_PLACE_WORKER, HL_DOOR_WRITE, "/echo/{name}", echo},
    {HL_METHOD_POST, HL_PLACE_WORKER, HL_DOOR_READ, "/echo/{name}", echo},
    {HL_METHOD_POST, HL_PLACE_READER, HL_DOOR_READ, "/long/{name}", echo},
};

#include "tests/unit/exchanging.h"

static void a_request_reaches_its_handler_and_the_exchange_serves_the_next(void **state)
{
    const struct hl_head post = {.method = "POST"};

    for (int i = 0; i < 3; i++) {
        assert_string_equal(ask(*state, "/echo/a%20b", post, "body"), "200 a b:body");
        assert_string_equal(ask(*state, "/echo/c", post, ""), "200 c:");
    }
}

static void a_long_request_is_answered_by_a_reader(void **state)
{
    const struct hl_head post = {.method = "POST"};

    assert_string_equal(ask(*state, "/long/a", post, "x"), "200 a:x");
    assert_string_equal(ask(*state, "/echo/a", post, "y"), "200 a:y");
}

static void a_request_goes_on_elsewhere_and_lets_go_of_what_it_held(void **state)
{
    static const struct {
        const char *target, *wanted;
    } cases[] = {
        {"/begin/then", "200 then"},
        {"/begin/park", "200 park, parked"},
        {"/begin/now", "200 now, parked"},
        {"/begin/gone", "499 {\"status\":{\"error\":\"a change was cancelled\""},
        {"/begin/both", "200 both, parked"},
        {"/begin/deny", "429 {\"status\":{\"error\":\"too many are parked\""},
        {"/begin/fail", "409 {\"status\":{\"error\":\"it begins badly\""},
    };
    const struct hl_head get = {.method = "GET"};

    for (int turn = 0; turn < 50; turn++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            assert_begins(ask(*state, cases[i].target, get, ""), cases[i].wanted);
            assert_int_equal(atomic_load(&n_held), 0);
        }
}

static void the_size_of_a_body_decides_where_it_is_read(void **state)
{
    enum { MOST = 64 << 10 };
    static char body[MOST + 2];
    const struct hl_head post = {.method = "POST"};
    struct fixture *f = *state;

    memset(body, 'b', MOST);
    assert_begins(ask(f, "/sized/a", post, body), "200 a:bbb");
    assert_false(f->was_long);
    body[MOST] = 'b';
    assert_begins(ask(f, "/sized/a", post, body), "200 a:bbb");
    assert_true(f->was_long);
}

static void a_handlers_error_replaces_what_it_had_printed(void **state)
{
    const struct hl_head get = {.method = "GET"};

    assert_begins(ask(*state, "/refuse", get, ""),
                  "409 {\"status\":{\"error\":\"it is in the way\",\"code\":\"conflict\"}");
}

static void an_unwanted_body_is_thrown_away_and_the_connection_kept(void **state)
{
    const struct hl_head post = {.method = "POST"};

    assert_begins(ask(*state, "/refuse", post, "unwanted"), "405 ");
    assert_begins(ask(*state, "/nothing", post, "unwanted"), "404 ");
    assert_string_equal(ask(*state, "/echo/a", post, "wanted"), "200 a:wanted");
}

static void what_cannot_be_read_to_its_end_is_answered_first_and_closed(void **state)
{
    struct fixture *f = *state;
    const struct hl_head twice = {
        .method = "POST", .content_length = "4", .n_lengths = 2, .n_hosts = 1};

    hl_exchange_begin(f->exchange, "/echo/a");
    assert_int_equal(hl_exchange_head(f->exchange, &twice), HL_STEP_ANSWER);
    assert_true(f->exchange->reply.must_close);
    assert_begins(seen(f), "400 ");
}

static void a_chunked_body_is_counted_and_answered_at_its_end(void **state)
{
    static char piece[256 << 10];
    struct fixture *f = *state;
    const struct hl_head chunked = {.method = "POST", .is_chunked = true, .n_hosts = 1};

    hl_exchange_begin(f->exchange, "/echo/a");
    assert_int_equal(hl_exchange_head(f->exchange, &chunked), HL_STEP_MORE);
    for (int i = 0; i < 5; i++)
        assert_int_equal(hl_exchange_body(f->exchange, piece, sizeof piece), HL_STEP_MORE);
    assert_int_equal(hl_exchange_end(f->exchange), HL_STEP_ANSWER);
    assert_begins(seen(f), "413 ");
}

static void a_chunked_body_without_end_is_answered_past_the_library(void **state)
{
    static char piece[256 << 10];
    struct fixture *f = *state;
    const struct hl_head chunked = {.method = "POST", .is_chunked = true, .n_hosts = 1};
    enum hl_step step = HL_STEP_MORE;
    char said[64] = "";
    int n = 0;

    hl_exchange_begin(f->exchange, "/echo/a");
    assert_int_equal(hl_exchange_head(f->exchange, &chunked), HL_STEP_MORE);
    while (step == HL_STEP_MORE && n++ < 20)
        step = hl_exchange_body(f->exchange, piece, sizeof piece);
    assert_int_equal(step, HL_STEP_CLOSE);
    assert_true(recv(f->ends[1], said, sizeof said - 1, MSG_DONTWAIT) > 0);
    assert_begins(said, "HTTP/1.1 413 Content Too Large\r\n");
    hl_exchange_done(f->exchange, false);
    hang_up(f);
    connect_both(f);
}

/* Rows: how many bytes come in how many pieces, what others have already, and what the
 * body has when all of it is there, or was refused. */
static void a_body_has_room_among_all_until_it_is_answered(void **state)
{
    enum { PIECE = 32 << 10 };
    static const struct {
        const char *method, *length, *answer;
        size_t n_pieces, others_kb, held_kb;
    } rows[] = {
        {"POST", "65536", "200", 2, 0, 0},
        {"POST", "98304", "200", 3, 0, 96},
        {"POST", "98304", "200", 3, (MOST_BODIES >> 10) - 96, 96},
        {"POST", NULL, "200", 1, MOST_BODIES >> 10, 0},
        {"POST", NULL, "200", 3, 0, 256},
        {"POST", NULL, "429", 3, (MOST_BODIES >> 10) - 128, 128},
        {"POST", NULL, "200", 32, 0, 2048}, /* beyond the bound, but alone */
        {"GET", NULL, "405", 2, 0, 0},
    };
    static char piece[PIECE];
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hl_head head = {.method = rows[i].method,
                                     .content_length = rows[i].length,
                                     .n_lengths = rows[i].length != NULL,
                                     .is_chunked = rows[i].length == NULL,
                                     .n_hosts = 1};
        const size_t others = rows[i].others_kb << 10;
        size_t held = 0;

        assert_true(hl_bodies_take(&f->server.bodies, 0, others, &held));
        hl_exchange_begin(f->exchange, "/echo/a");
        assert_int_equal(hl_exchange_head(f->exchange, &head), HL_STEP_MORE);
        for (size_t n = 0; n < rows[i].n_pieces; n++)
            assert_int_equal(hl_exchange_body(f->exchange, piece, sizeof piece),
                             HL_STEP_MORE);
        assert_int_equal(hl_bodies_held(&f->server.bodies),
                         others + (rows[i].held_kb << 10));
        assert_int_equal(hl_exchange_end(f->exchange), HL_STEP_ANSWER);
        assert_begins(seen(f), rows[i].answer);
        assert_int_equal(hl_bodies_held(&f->server.bodies), others);
        hl_bodies_give(&f->server.bodies, others);
    }
}

static void a_key_opens_what_it_may(void **state)
{
    static const struct hl_key_config keys[] = {
        {.id = "all", .secret = "full-full-full-full", .access = HL_ACCESS_FULL},
        {.id = "look", .secret = "read-read-read-read", .access = HL_ACCESS_READ_ONLY},
    };
    static const struct {
        const char *method;
        const char *target;
        const char *secret;
        const char *answer;
    } rows[] = {
        {"GET", "/refuse", NULL, "409"},
        {"POST", "/echo/a", NULL, "401"},
        {"POST", "/echo/a", "read-read-read-reaD", "401"},
        {"POST", "/echo/a", "read-read-read-read", "200"},
        {"PUT", "/echo/a", "read-read-read-read", "403"},
        {"PUT", "/echo/a", "full-full-full-full", "200"},
        {"GET", "/nothing", NULL, "401"},
        {"GET", "/nothing", "read-read-read-read", "404"},
    };
    struct fixture *f = *state;

    publish_keys(f, keys, 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hl_head head = {.method = rows[i].method, .api_key = rows[i].secret};

        assert_begins(ask(f, rows[i].target, head, ""), rows[i].answer);
    }
    publish_keys(f, NULL, 0);
}

static void a_reply_carries_the_callers_id_or_one_of_ours(void **state)
{
    struct fixture *f = *state;
    const struct hl_head theirs = {.method = "GET", .request_id = "mine-1"};
    const struct hl_head none = {.method = "GET"};
    char first[32];

    ask(f, "/refuse", theirs, "");
    assert_string_equal(f->exchange->request.id, "mine-1");
    ask(f, "/refuse", none, "");
    snprintf(first, sizeof first, "%s", f->exchange->request.id);
    assert_int_equal(strlen(first), 24);
    ask(f, "/refuse", none, "");
    assert_string_not_equal(f->exchange->request.id, first);
}

static void no_memory_anywhere_is_an_answer_and_the_next_request_works(void **state)
{
    const struct hl_head post = {.method = "POST"};
    struct hl_err err;
    char rule[32];

    for (int n = 1; n <= 4; n++) {
        struct fixture *f = *state;
        const char *answer;

        hang_up(f);
        connect_both(f);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        answer = ask(f, "/echo/a?b=c", post, "x");

        hl_failpoint_disarm();
        assert_true(strncmp(answer, "503 ", 4) == 0 || strcmp(answer, "200 a:x") == 0);
        assert_true(n > 1 || strncmp(answer, "503 ", 4) == 0);
        assert_string_equal(ask(f, "/echo/a", post, "x"), "200 a:x");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_reaches_its_handler_and_the_exchange_serves_the_next),
        cmocka_unit_test(a_long_request_is_answered_by_a_reader),
        cmocka_unit_test(a_request_goes_on_elsewhere_and_lets_go_of_what_it_held),
        cmocka_unit_test(the_size_of_a_body_decides_where_it_is_read),
        cmocka_unit_test(a_handlers_error_replaces_what_it_had_printed),
        cmocka_unit_test(an_unwanted_body_is_thrown_away_and_the_connection_kept),
        cmocka_unit_test(what_cannot_be_read_to_its_end_is_answered_first_and_closed),
        cmocka_unit_test(a_chunked_body_is_counted_and_answered_at_its_end),
        cmocka_unit_test(a_chunked_body_without_end_is_answered_past_the_library),
        cmocka_unit_test(a_body_has_room_among_all_until_it_is_answered),
        cmocka_unit_test(a_key_opens_what_it_may),
        cmocka_unit_test(a_reply_carries_the_callers_id_or_one_of_ours),
        cmocka_unit_test(no_memory_anywhere_is_an_answer_and_the_next_request_works),
    };

    return cmocka_run_group_tests_name("exchange", tests, start, stop);
}
