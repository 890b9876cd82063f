/* SPDX-License-Identifier: Apache-2.0 */
/* What is answered before a request is complete, as it arrives at the other end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/routes.h"

#include <stdlib.h>

static enum hl_code measure(struct hl_server *server, struct hl_request *request,
                            struct hl_reply *reply, struct hl_err *err)
{
    (void)server;
    reply->status = 200;
    hl_buf_print(&reply->body, "%zu", request->body.len);
    return hl_buf_check(&reply->body, "the size", err);
}

static const struct hl_route table[] = {
    {HL_METHOD_POST, HL_PLACE_WORKER, HL_DOOR_READ, "/size", measure},
};

#include "tests/unit/exchanging.h"

enum { PIECE = 256 << 10, N_PIECES = 8 }; /* together twice the largest body */

static struct hl_head announce(size_t bytes)
{
    static char length[32];

    snprintf(length, sizeof length, "%zu", bytes);
    return (struct hl_head){
        .method = "POST", .content_length = length, .n_lengths = 1, .n_hosts = 1};
}

/* Everything that was said to the other end, which is to see the end of it. */
static const char *heard(struct fixture *f)
{
    size_t n = 0;
    ssize_t got;

    while ((got = recv(f->ends[1], f->seen + n, sizeof f->seen - 1 - n, MSG_DONTWAIT)) > 0)
        n += (size_t)got;
    assert_int_equal(got, 0);
    f->seen[n] = '\0';
    return f->seen;
}

static void renew(struct fixture *f)
{
    hl_exchange_done(f->exchange, false);
    hang_up(f);
    connect_both(f);
}

static void who_sends_what_is_refused_is_answered_at_once_and_heard_out(void **state)
{
    static char piece[PIECE];
    static const struct hl_key_config keys[] = {
        {.id = "all", .secret = "full-full-full-full", .access = HL_ACCESS_FULL}};
    static const struct {
        const char *method, *target, *secret, *status, *field;
    } rows[] = {
        {"POST", "/size", "full-full-full-full", "413 Content Too Large",
         "\"code\":\"too_large\""},
        {"POST", "/nothing", "full-full-full-full", "404 Not Found", "\"not_found\""},
        {"GET", "/size", "full-full-full-full", "405 Method Not Allowed",
         "\r\nAllow: POST, OPTIONS\r\n"},
        {"POST", "/size", NULL, "401 Unauthorized", "\r\nWWW-Authenticate: Bearer\r\n"},
    };
    struct fixture *f = *state;

    publish_keys(f, keys, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl_head head = announce((size_t)PIECE * N_PIECES);

        head.method = rows[i].method;
        head.api_key = rows[i].secret;
        hl_exchange_begin(f->exchange, rows[i].target);
        assert_int_equal(hl_exchange_head(f->exchange, &head), HL_STEP_MORE);
        assert_begins(heard(f) + strlen("HTTP/1.1 "), rows[i].status);
        assert_non_null(strstr(f->seen, rows[i].field));
        assert_non_null(strstr(f->seen, "\r\nConnection: close\r\n"));
        for (int n = 0; n < N_PIECES; n++)
            assert_int_equal(hl_exchange_body(f->exchange, piece, sizeof piece),
                             HL_STEP_MORE);
        assert_int_equal(hl_exchange_end(f->exchange), HL_STEP_CLOSE);
        renew(f);
    }
    publish_keys(f, NULL, 0);
    assert_string_equal(ask(f, "/size", (struct hl_head){.method = "POST"}, "body"),
                        "200 4");
}

static void who_asks_before_sending_is_answered_by_the_library(void **state)
{
    struct fixture *f = *state;
    struct hl_head head = announce((size_t)PIECE * N_PIECES);

    head.has_expect = true;
    hl_exchange_begin(f->exchange, "/size");
    assert_int_equal(hl_exchange_head(f->exchange, &head), HL_STEP_ANSWER);
    assert_true(f->exchange->reply.must_close);
    assert_begins(seen(f), "413 ");
}

/* The bound is one and a half of the largest body: two of a megabyte do not fit. */
static void a_body_without_room_is_turned_away_until_another_goes(void **state)
{
    struct fixture *f = *state;
    struct hl_head head = announce(1 << 20);
    size_t held = 0;

    assert_true(hl_bodies_take(&f->server.bodies, 0, 1 << 20, &held));
    hl_exchange_begin(f->exchange, "/size");
    assert_int_equal(hl_exchange_head(f->exchange, &head), HL_STEP_MORE);
    assert_begins(heard(f), "HTTP/1.1 429 Too Many Requests\r\n");
    assert_non_null(strstr(f->seen, "\r\nRetry-After: 1\r\n"));
    assert_non_null(strstr(f->seen, "this body wants 1048576 bytes beside the 1048576 that "
                                    "request bodies have at the moment, and at most "
                                    "1572864 are taken at once: send it again"));
    assert_int_equal(hl_exchange_end(f->exchange), HL_STEP_CLOSE);
    renew(f);
    assert_int_equal(hl_bodies_held(&f->server.bodies), 1 << 20);
    hl_bodies_give(&f->server.bodies, 1 << 20);
    hl_exchange_begin(f->exchange, "/size");
    assert_int_equal(hl_exchange_head(f->exchange, &head), HL_STEP_MORE);
    assert_int_equal(hl_bodies_held(&f->server.bodies), 1 << 20);
    renew(f); /* its sender vanished */
    assert_int_equal(hl_bodies_held(&f->server.bodies), 0);
}

static void without_memory_for_the_answer_the_connection_ends(void **state)
{
    struct hl_head head = announce((size_t)PIECE * N_PIECES);
    struct hl_err err;

    for (int n = 1; n <= 3; n++) {
        struct fixture *f = *state;
        char rule[32];

        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        hl_exchange_begin(f->exchange, "/size");
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        assert_int_equal(hl_exchange_head(f->exchange, &head), HL_STEP_MORE);
        hl_failpoint_disarm();
        assert_int_equal(strlen(heard(f)) > 0, n == 3);
        assert_int_equal(hl_exchange_end(f->exchange), HL_STEP_CLOSE);
        renew(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sends_what_is_refused_is_answered_at_once_and_heard_out),
        cmocka_unit_test(who_asks_before_sending_is_answered_by_the_library),
        cmocka_unit_test(a_body_without_room_is_turned_away_until_another_goes),
        cmocka_unit_test(without_memory_for_the_answer_the_connection_ends),
    };

    return cmocka_run_group_tests_name("early", tests, start, stop);
}
