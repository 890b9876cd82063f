/* SPDX-License-Identifier: Apache-2.0 */
/* One allocation after the other fails in the running program, seen from outside: a start
 * ends in a sentence, a request in an error or a closed connection, and nobody else
 * notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/client.h"
#include "tests/support/daemon.h"

#include <stdio.h>
#include <string.h>

enum { LIMIT_MS = 20000, MAX_ALLOCATIONS = 100000, N_LATER = 100 };

static const struct {
    const char *text;
    int status;
} requests[] = {
    {"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"GET /telemetry?a=b&c=%20d HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"GET /limits HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404},
    {"PUT /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 405},
};

enum { N_REQUESTS = sizeof requests / sizeof requests[0] };

/* True when it serves; false when it ended, which it then did with a sentence. */
static bool start(struct hl_daemon *daemon, const char *program, unsigned nth,
                  const char *and_after)
{
    char rule[64];
    const char *const env[] = {rule, NULL};

    snprintf(rule, sizeof rule, "HEIRLOOM_FAILPOINTS=alloc=%u%s:fail", nth, and_after);
    if (hl_daemon_start(daemon, &(struct hl_daemon_setup){.program = program, .env = env}))
        return true;
    assert_true(hl_daemon_is_sane(daemon));
    assert_int_not_equal(daemon->process.status, HL_PROCESS_RUNNING);
    assert_in_range(daemon->process.status, 1, 125);
    return false;
}

static bool starts(const char *program, unsigned nth)
{
    struct hl_daemon daemon;
    bool is_serving = start(&daemon, program, nth, "");

    hl_daemon_done(&daemon);
    return is_serving;
}

/* The first failing allocation that lets the server start. */
static unsigned count_start(const char *program)
{
    unsigned too_few = 0;
    unsigned enough = 1;

    while (enough < MAX_ALLOCATIONS && !starts(program, enough)) {
        too_few = enough;
        enough += 1 + enough / 4;
    }
    while (enough - too_few > 1) {
        unsigned middle = too_few + (enough - too_few) / 2;

        if (starts(program, middle))
            enough = middle;
        else
            too_few = middle;
    }
    return enough;
}

static bool is_honest(int status, int wanted)
{
    return status == wanted || status == 500 || status == 503 ||
           status == -(int)HL_CLIENT_CLOSED;
}

/* One allocation fails, so at most one of the requests is harmed. */
static void assert_one_is_harmed(const struct hl_daemon *daemon)
{
    size_t n_harmed = 0;

    for (size_t i = 0; i < N_REQUESTS; i++) {
        int status = hl_client_ask(daemon->port, requests[i].text, LIMIT_MS, NULL);

        assert_true(is_honest(status, requests[i].status));
        n_harmed += status != requests[i].status;
    }
    assert_true(n_harmed <= 1);
}

static void an_allocation_that_fails_harms_one_request_at_most(void **state)
{
    unsigned first = count_start(*state);

    assert_true(first < MAX_ALLOCATIONS);
    for (unsigned nth = first; nth < first + N_LATER; nth++) {
        struct hl_daemon daemon;

        if (start(&daemon, *state, nth, "")) {
            assert_one_is_harmed(&daemon);
            assert_true(hl_daemon_stop(&daemon));
        }
        hl_daemon_done(&daemon);
    }
}

static void a_server_without_any_memory_left_says_so_and_can_be_stopped(void **state)
{
    unsigned first = count_start(*state);

    for (unsigned nth = first; nth < first + N_LATER; nth += 7) {
        struct hl_daemon daemon;

        if (start(&daemon, *state, nth, "+")) {
            for (size_t i = 0; i < N_REQUESTS; i++)
                assert_true(
                    is_honest(hl_client_ask(daemon.port, requests[i].text, LIMIT_MS, NULL),
                              requests[i].status));
            assert_true(hl_daemon_stop(&daemon));
        }
        hl_daemon_done(&daemon);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(an_allocation_that_fails_harms_one_request_at_most,
                                  argv[1]),
        cmocka_unit_test_prestate(
            a_server_without_any_memory_left_says_so_and_can_be_stopped, argv[1]),
    };

    return argc == 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
