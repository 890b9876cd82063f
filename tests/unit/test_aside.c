/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/aside.h"
#include "server/server.h"

#include <pthread.h>
#include <sys/resource.h>

/* What a handler found, in the state of its request. */
struct found {
    pthread_t thread;
    int niceness;
};

static enum hl_code answer(struct hl_server *server, struct hl_request *request,
                           struct hl_reply *reply, struct hl_err *err)
{
    struct found *found = request->state;

    assert_null(server->governor);
    (void)err;
    found->thread = pthread_self();
    found->niceness = getpriority(PRIO_PROCESS, 0);
    reply->status = 202;
    return HL_OK;
}

static enum hl_code refuse(struct hl_server *server, struct hl_request *request,
                           struct hl_reply *reply, struct hl_err *err)
{
    (void)server;
    (void)request;
    (void)reply;
    return hl_fail(err, HL_CONFLICT, "not now");
}

static void a_handler_runs_on_a_thread_of_lower_priority(void **state)
{
    const int before = getpriority(PRIO_PROCESS, 0);
    struct found found = {0};
    struct hl_request request = {.state = &found};
    struct hl_server server = {0};
    struct hl_reply reply = {0};
    struct hl_err err = {0};

    (void)state;
    assert_int_equal(hl_aside_run(answer, &server, &request, &reply, &err), HL_OK);
    assert_false(pthread_equal(found.thread, pthread_self()));
    assert_int_equal(found.niceness, before > 10 ? before : 10);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before);
    assert_int_equal(reply.status, 202);
}

static void what_it_fails_with_comes_back(void **state)
{
    struct hl_request request = {0};
    struct hl_server server = {0};
    struct hl_reply reply = {0};
    struct hl_err err = {0};

    (void)state;
    assert_int_equal(hl_aside_run(refuse, &server, &request, &reply, &err), HL_CONFLICT);
    assert_string_equal(err.msg, "not now");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_runs_on_a_thread_of_lower_priority),
        cmocka_unit_test(what_it_fails_with_comes_back),
    };

    return cmocka_run_group_tests_name("aside", tests, NULL, NULL);
}
