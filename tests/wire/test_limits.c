/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that are slow, idle or many, and requests that take too long: each is bounded,
 * and whoever else calls is served meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/client.h"
#include "tests/support/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIMIT_MS = 20000, TRICKLE_MS = 50, N_MANY = 300, N_FLOOD = 3000 };

static const char health[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
static const char telemetry[] = "GET /telemetry HTTP/1.1\r\nHost: x\r\n\r\n";

struct fixture {
    struct hl_daemon daemon;
};

static struct fixture *start(void **state, const char *config, const char *failpoints)
{
    static const char name[] = "HEIRLOOM_FAILPOINTS=";
    char rule[128];
    const char *const env[] = {failpoints ? rule : NULL, NULL};
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(rule, sizeof rule, "%s%s", name, failpoints ? failpoints : "");
    assert_true(hl_daemon_start(
        &f->daemon,
        &(struct hl_daemon_setup){.program = *state, .config = config, .env = env}));
    return f;
}

static void finish(struct fixture *f)
{
    assert_true(hl_daemon_stop(&f->daemon));
    hl_daemon_done(&f->daemon);
    free(f);
}

static void assert_serves(const struct fixture *f)
{
    assert_int_equal(hl_client_ask(f->daemon.port, health, LIMIT_MS, NULL), 200);
}

static struct hl_client connect_to(const struct fixture *f)
{
    struct hl_client client;

    assert_true(hl_client_open(&client, f->daemon.port));
    return client;
}

/* What /limits says is in use of one thing. */
static long in_use(const struct fixture *f, const char *thing)
{
    struct hl_client_reply reply;
    char key[64];
    const char *at;
    long n;

    assert_int_equal(hl_client_ask(f->daemon.port,
                                   "GET /limits HTTP/1.1\r\nHost: x\r\n\r\n", LIMIT_MS,
                                   &reply),
                     200);
    snprintf(key, sizeof key, "\"%s\":{", thing);
    at = strstr(reply.body, key);
    assert_non_null(at);
    at = strstr(at, "\"in_use\":");
    assert_non_null(at);
    n = strtol(at + 9, NULL, 10);
    hl_client_reply_done(&reply);
    return n;
}

/* Milliseconds until no more than that many are in use. */
static int64_t time_until_in_use(const struct fixture *f, const char *thing, long wanted)
{
    int64_t began = hl_now_ms();
    long n;

    do
        n = in_use(f, thing);
    while (n > wanted && hl_now_ms() - began < LIMIT_MS);
    assert_true(n <= wanted);
    return hl_now_ms() - began;
}

/* Milliseconds until the server closes; what it says before is read and dropped. A byte is
 * sent between two looks when there is one to send. */
static int64_t time_until_closed(struct hl_client *client, const char *trickle)
{
    int64_t began = hl_now_ms();
    enum hl_client_got got = HL_CLIENT_LATE;

    while (got != HL_CLIENT_CLOSED && hl_now_ms() - began < LIMIT_MS) {
        client->n_in = 0;
        got = hl_client_read_end(client, trickle ? TRICKLE_MS : LIMIT_MS);
        if (got == HL_CLIENT_LATE && trickle)
            (void)hl_client_send_text(client, trickle);
    }
    assert_int_equal(got, HL_CLIENT_CLOSED);
    return hl_now_ms() - began;
}

static void a_sender_of_one_byte_at_a_time_is_cut_off(void **state)
{
    struct fixture *f =
        start(state, "[service]\nreceive_timeout_s = 1\nidle_timeout_s = 30\nworkers = 1\n",
              NULL);
    struct hl_client head = connect_to(f);
    struct hl_client body = connect_to(f);
    int64_t took;

    assert_true(hl_client_send_text(&head, "GET /healthz HTTP/1.1\r\nX-Slow: "));
    took = time_until_closed(&head, "z");
    assert_in_range(took, 900, 10000);
    assert_serves(f);
    assert_true(hl_client_send_text(
        &body, "PUT /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"));
    took = time_until_closed(&body, "z");
    assert_true(took < 10000);
    assert_serves(f);
    hl_client_close(&head);
    hl_client_close(&body);
    finish(f);
}

static void a_sender_of_one_chunk_at_a_time_is_cut_off(void **state)
{
    struct fixture *f =
        start(state, "[service]\nreceive_timeout_s = 1\nidle_timeout_s = 30\nworkers = 1\n",
              NULL);
    struct hl_client client = connect_to(f);
    int64_t took;

    assert_true(hl_client_send_text(
        &client, "PUT /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    took = time_until_closed(&client, "1\r\nz\r\n");
    assert_true(took < 10000);
    assert_serves(f);
    hl_client_close(&client);
    finish(f);
}

static void a_connection_that_says_nothing_is_closed(void **state)
{
    struct fixture *f = start(state, "[service]\nidle_timeout_s = 1\n", NULL);
    struct hl_client silent = connect_to(f);
    struct hl_client served = connect_to(f);
    struct hl_client_reply reply;

    assert_true(hl_client_send_text(&served, health));
    assert_int_equal(hl_client_read(&served, false, LIMIT_MS, &reply), HL_CLIENT_REPLY);
    hl_client_reply_done(&reply);
    assert_in_range(time_until_closed(&silent, NULL), 500, 10000);
    assert_true(time_until_closed(&served, NULL) < 10000);
    assert_serves(f);
    hl_client_close(&silent);
    hl_client_close(&served);
    finish(f);
}

/* The replies are more than the kernel will hold for a client that reads none of them. */
static void a_client_that_never_reads_stops_nobody_and_is_let_go(void **state)
{
    static const char ask[] = "GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture *f = start(state, "[service]\nidle_timeout_s = 1\nworkers = 1\n", NULL);
    struct hl_client deaf;
    size_t sent = 0;

    assert_true(hl_client_open_narrow(&deaf, f->daemon.port, 4096));
    while (sent < N_FLOOD && hl_client_send_text(&deaf, ask))
        sent++;
    assert_serves(f);
    time_until_in_use(f, "connections", 1); /* that of the one who asks */
    finish(f);
    hl_client_close(&deaf);
}

static void connections_beyond_the_limit_are_refused_until_one_is_closed(void **state)
{
    enum { N = 4 };
    struct fixture *f = start(state, "[service]\nmax_connections = 4\n", NULL);
    struct hl_client clients[N];
    struct hl_client_reply reply;
    int64_t until;
    int status;

    for (size_t i = 0; i < N; i++) {
        clients[i] = connect_to(f);
        assert_true(hl_client_send_text(&clients[i], health));
        assert_int_equal(hl_client_read(&clients[i], false, LIMIT_MS, &reply),
                         HL_CLIENT_REPLY);
        assert_int_equal(reply.status, 200);
        hl_client_reply_done(&reply);
    }
    status = hl_client_ask(f->daemon.port, health, LIMIT_MS, NULL);
    assert_true(status == 503 || status == -(int)HL_CLIENT_CLOSED);
    assert_true(hl_client_send_text(&clients[1], health));
    assert_int_equal(hl_client_read(&clients[1], false, LIMIT_MS, &reply), HL_CLIENT_REPLY);
    hl_client_reply_done(&reply);
    hl_client_close(&clients[0]);
    until = hl_now_ms() + LIMIT_MS;
    do
        status = hl_client_ask(f->daemon.port, health, LIMIT_MS, NULL);
    while (status != 200 && hl_now_ms() < until);
    assert_int_equal(status, 200);
    for (size_t i = 1; i < N; i++)
        hl_client_close(&clients[i]);
    finish(f);
}

/* Far more than are told that they are too many: the library must never meet its own limit.
 */
static void a_flood_of_connections_leaves_a_server_that_serves(void **state)
{
    struct fixture *f = start(state, "[service]\nmax_connections = 4\nworkers = 2\n", NULL);
    struct hl_client clients[N_MANY];

    for (int wave = 0; wave < 5; wave++) {
        int64_t until = hl_now_ms() + LIMIT_MS;
        int status;

        for (size_t i = 0; i < N_MANY; i++)
            clients[i] = connect_to(f);
        for (size_t i = 0; i < N_MANY; i++)
            hl_client_close(&clients[i]);
        do
            status = hl_client_ask(f->daemon.port, health, LIMIT_MS, NULL);
        while (status != 200 && hl_now_ms() < until);
        assert_int_equal(status, 200);
    }
    finish(f);
}

static void many_connections_are_served_at_once(void **state)
{
    struct fixture *f = start(state, NULL, NULL);
    struct hl_client clients[N_MANY];
    struct hl_client_reply reply;

    for (size_t i = 0; i < N_MANY; i++)
        clients[i] = connect_to(f);
    for (size_t i = 0; i < N_MANY; i++)
        assert_true(hl_client_send_text(&clients[i], i % 2 ? telemetry : health));
    for (size_t i = N_MANY; i > 0; i--) {
        assert_int_equal(hl_client_read(&clients[i - 1], false, LIMIT_MS, &reply),
                         HL_CLIENT_REPLY);
        assert_true(reply.status == 200 || (i % 2 == 0 && reply.status == 429));
        hl_client_reply_done(&reply);
        hl_client_close(&clients[i - 1]);
    }
    finish(f);
}

static void a_request_that_takes_too_long_is_answered_408(void **state)
{
    struct fixture *f = start(state, "[service]\nrequest_timeout_s = 1\nreaders = 1\n",
                              "reader.run=1:stall1500");
    struct hl_client first = connect_to(f);
    struct hl_client second = connect_to(f);
    struct hl_client_reply reply;

    assert_true(hl_client_send_text(&first, telemetry));
    assert_true(hl_client_send_text(&second, telemetry));
    assert_serves(f);
    assert_int_equal(hl_client_read(&first, false, LIMIT_MS, &reply), HL_CLIENT_REPLY);
    assert_int_equal(reply.status, 408);
    assert_non_null(strstr(reply.body, "\"code\":\"timeout\""));
    hl_client_reply_done(&reply);
    /* This one waited in the queue behind the first and ran out of time there. */
    assert_int_equal(hl_client_read(&second, false, LIMIT_MS, &reply), HL_CLIENT_REPLY);
    assert_int_equal(reply.status, 408);
    hl_client_reply_done(&reply);
    assert_int_equal(hl_client_ask(f->daemon.port, telemetry, LIMIT_MS, NULL), 200);
    hl_client_close(&first);
    hl_client_close(&second);
    finish(f);
}

static void a_full_queue_is_answered_429_with_when_to_come_back(void **state)
{
    struct fixture *f = start(state, "[service]\nreaders = 1\n", "reader.run=1:stall3000");
    struct hl_client clients[N_MANY];
    struct hl_client_reply reply;
    size_t n_refused = 0;
    size_t n_served = 0;

    for (size_t i = 0; i < N_MANY; i++) {
        clients[i] = connect_to(f);
        assert_true(hl_client_send_text(&clients[i], telemetry));
    }
    for (size_t i = 0; i < N_MANY; i++) {
        assert_int_equal(hl_client_read(&clients[i], false, LIMIT_MS, &reply),
                         HL_CLIENT_REPLY);
        if (reply.status == 429) {
            assert_non_null(hl_client_header(&reply, "Retry-After"));
            assert_non_null(strstr(reply.body, "\"code\":\"too_many_requests\""));
            n_refused++;
        }
        n_served += reply.status == 200;
        hl_client_reply_done(&reply);
        hl_client_close(&clients[i]);
    }
    assert_int_equal(n_refused + n_served, N_MANY);
    assert_true(n_refused > 0);
    assert_true(n_served > 1);
    finish(f);
}

static void a_caller_who_hangs_up_takes_his_place_in_the_queue_along(void **state)
{
    enum { STALL_MS = 4000, N_GONE = 40 };
    struct fixture *f = start(state, "[service]\nreaders = 1\n", "reader.run=1:stall4000");
    struct hl_client clients[N_GONE];

    for (size_t i = 0; i < N_GONE; i++) {
        clients[i] = connect_to(f);
        assert_true(hl_client_send_text(&clients[i], telemetry));
    }
    while (in_use(f, "queued_long_requests") < N_GONE - 1)
        continue;
    for (size_t i = 0; i < N_GONE; i++)
        hl_client_close(&clients[i]);
    assert_true(time_until_in_use(f, "queued_long_requests", 0) < STALL_MS / 2);
    assert_int_equal(in_use(f, "readers"), 1);
    finish(f);
}

/* The most that the server had of memory, in bytes. */
static long peak_of(const struct fixture *f)
{
    char path[64], line[256];
    FILE *file;
    long kb = 0;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)f->daemon.process.pid);
    file = fopen(path, "re");
    assert_non_null(file);
    while (kb == 0 && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    fclose(file);
    assert_true(kb > 0);
    return kb << 10;
}

static const char put[] = "PUT /collections/a/points HTTP/1.1\r\nHost: x\r\n";

/* Announces a body and sends all of it but the last byte. */
static struct hl_client begin_body(const struct fixture *f, const char *bytes, size_t size)
{
    struct hl_client client = connect_to(f);
    char head[160];

    snprintf(head, sizeof head, "%sContent-Length: %zu\r\n\r\n", put, size);
    assert_true(hl_client_send_text(&client, head));
    assert_true(hl_client_send(&client, bytes, size - 1));
    return client;
}

static void bodies_beyond_the_bound_are_turned_away_with_when_to_come_back(void **state)
{
    enum { N = 40, N_FIT = 4, BODY = 8 << 20 };
    struct fixture *f =
        start(state, "[service]\nreceive_timeout_s = 600\n[limits]\nmax_inflight_mb = 32\n",
              NULL);
    const long before = peak_of(f);
    char *bytes = calloc(1, BODY);
    struct hl_client clients[N];
    struct hl_client_reply reply;

    assert_non_null(bytes);
    for (size_t i = 0; i < N; i++)
        clients[i] = begin_body(f, bytes, BODY);
    for (size_t i = N_FIT; i < N; i++) {
        assert_int_equal(hl_client_read(&clients[i], false, LIMIT_MS, &reply),
                         HL_CLIENT_REPLY);
        assert_int_equal(reply.status, 429);
        assert_string_equal(hl_client_header(&reply, "Retry-After"), "1");
        assert_non_null(strstr(reply.body, "\"code\":\"too_many_requests\""));
        hl_client_reply_done(&reply);
    }
    assert_int_equal(in_use(f, "inflight_body_bytes"), N_FIT * BODY);
    assert_in_range(peak_of(f) - before, N_FIT * BODY, N / 2 * BODY);
    assert_serves(f);
    /* One ends, and the others' senders vanish: all of the room comes back. */
    assert_true(hl_client_send(&clients[0], "", 1));
    assert_int_equal(hl_client_read(&clients[0], false, LIMIT_MS, &reply), HL_CLIENT_REPLY);
    assert_int_equal(reply.status, 400);
    hl_client_reply_done(&reply);
    for (size_t i = 0; i < N; i++)
        hl_client_close(&clients[i]);
    time_until_in_use(f, "inflight_body_bytes", 0);
    free(bytes);
    finish(f);
}

/* Twice what all bodies may have: taken while it is alone, whether its length was said or
 * not. */
static void a_body_that_is_alone_is_taken_whatever_the_bound(void **state)
{
    enum { BODY = 2 << 20 };
    struct fixture *f = start(state, "[limits]\nmax_inflight_mb = 1\n", NULL);
    char *bytes = calloc(1, BODY), head[160];
    struct hl_client client;
    struct hl_client_reply reply;

    assert_non_null(bytes);
    client = begin_body(f, bytes, BODY);
    assert_true(hl_client_send(&client, "", 1));
    assert_int_equal(hl_client_read(&client, false, LIMIT_MS, &reply), HL_CLIENT_REPLY);
    assert_int_equal(reply.status, 400);
    hl_client_reply_done(&reply);
    time_until_in_use(f, "inflight_body_bytes", 0);
    snprintf(head, sizeof head, "%sTransfer-Encoding: chunked\r\n\r\n%x\r\n", put, BODY);
    assert_true(hl_client_send_text(&client, head));
    assert_true(hl_client_send(&client, bytes, BODY));
    assert_true(hl_client_send_text(&client, "\r\n0\r\n\r\n"));
    assert_int_equal(hl_client_read(&client, false, LIMIT_MS, &reply), HL_CLIENT_REPLY);
    assert_int_equal(reply.status, 400);
    hl_client_reply_done(&reply);
    hl_client_close(&client);
    free(bytes);
    finish(f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_sender_of_one_byte_at_a_time_is_cut_off, argv[1]),
        cmocka_unit_test_prestate(a_sender_of_one_chunk_at_a_time_is_cut_off, argv[1]),
        cmocka_unit_test_prestate(a_connection_that_says_nothing_is_closed, argv[1]),
        cmocka_unit_test_prestate(a_client_that_never_reads_stops_nobody_and_is_let_go,
                                  argv[1]),
        cmocka_unit_test_prestate(
            connections_beyond_the_limit_are_refused_until_one_is_closed, argv[1]),
        cmocka_unit_test_prestate(a_flood_of_connections_leaves_a_server_that_serves,
                                  argv[1]),
        cmocka_unit_test_prestate(many_connections_are_served_at_once, argv[1]),
        cmocka_unit_test_prestate(a_request_that_takes_too_long_is_answered_408, argv[1]),
        cmocka_unit_test_prestate(a_full_queue_is_answered_429_with_when_to_come_back,
                                  argv[1]),
        cmocka_unit_test_prestate(
            bodies_beyond_the_bound_are_turned_away_with_when_to_come_back, argv[1]),
        cmocka_unit_test_prestate(a_body_that_is_alone_is_taken_whatever_the_bound,
                                  argv[1]),
        cmocka_unit_test_prestate(a_caller_who_hangs_up_takes_his_place_in_the_queue_along,
                                  argv[1]),
    };

    return argc == 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
