/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about rollouts, as far as they go without a connection: what route answers, and
 * that a call which memory runs out for is refused, or parked whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/rollout_calls.h"
#include "tests/unit/stepping.h"

/* What a connection does between two requests. */
static void begin_request(struct rig *rig, const char *body, const char *key)
{
    static struct hl_target_pair pair = {.name = {"key", 3}};
    const struct hl_deadline deadline = rig->request.deadline;
    struct hl_arena *arena = rig->request.arena;
    struct hl_buf buf = rig->reply.body;

    hl_arena_reset(arena);
    hl_buf_clear(&buf, 0);
    rig->request = (struct hl_request){.arena = arena, .deadline = deadline, .key = "ops"};
    rig->request.params[0] = name;
    rig->request.body = (struct hl_span){body, strlen(body)};
    pair.value = (struct hl_span){key, key ? strlen(key) : 0};
    rig->request.target.query = &pair;
    rig->request.target.n_query = key ? 1 : 0;
    rig->reply = (struct hl_reply){.body = buf};
}

static enum hl_code
call(struct rig *rig,
     enum hl_code (*handler)(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err))
{
    return handler(&rig->server, &rig->request, &rig->reply, &rig->err);
}

static void assert_route(struct rig *rig, const char *key, const char *words)
{
    begin_request(rig, "", key);
    if (call(rig, hl_route_call) != HL_OK)
        fail_msg("%s", rig->err.msg);
    assert_int_equal(rig->reply.status, 200);
    if (!strstr(rig->reply.body.data, words))
        fail_msg("\"%s\" is not in %s", words, rig->reply.body.data);
}

static void route_says_in_each_stage_what_to_embed_with(void **state)
{
    static const char *const stages[][2] = {
        {"put 1>2",
         "{\"model\":\"v1\",\"also\":\"v2\",\"stage\":\"shadow\",\"percent\":0.0,"
         "\"rollout\":1,\"step\":1,\"ttl_s\":10}"},
        {"advance 17", "{\"model\":\"v1\",\"also\":\"v2\",\"stage\":\"canary\","},
        {"advance 18", "{\"model\":\"v2\",\"also\":\"v1\",\"stage\":\"canary\","},
        {"promote",
         "{\"model\":\"v2\",\"also\":\"v1\",\"stage\":\"live\",\"percent\":100.0,"},
        {"delete", "{\"model\":\"v2\",\"also\":null,\"stage\":\"none\",\"percent\":0.0,"},
        {"put 2>1", "{\"model\":\"v2\",\"also\":\"v1\",\"stage\":\"shadow\","},
        {"abort", "{\"model\":\"v2\",\"also\":null,\"stage\":\"aborted\","}};
    struct rig *rig = *state;

    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        do_step(rig, stages[i][0]);
        assert_route(rig, "bob", stages[i][1]); /* who stands at 17.54 % of rollout 1 */
    }
}

static void a_route_that_is_known_already_is_not_sent_again(void **state)
{
    struct rig *rig = *state;
    char tag[64];

    do_step(rig, "put 1>2");
    assert_route(rig, "bob", "\"step\":1");
    assert_string_equal(rig->reply.cache_control, "private, max-age=10");
    snprintf(tag, sizeof tag, "%s", rig->reply.etag);
    begin_request(rig, "", "ann");
    rig->request.if_none_match = tag;
    assert_int_equal(call(rig, hl_route_call), HL_OK);
    assert_int_equal(rig->reply.status, 304);
    assert_int_equal(hl_reply_size(&rig->reply), 0);
    assert_string_equal(rig->reply.etag, tag);
    do_step(rig, "advance 5");
    begin_request(rig, "", "ann");
    rig->request.if_none_match = tag;
    assert_int_equal(call(rig, hl_route_call), HL_OK);
    assert_int_equal(rig->reply.status, 200);
}

static void an_error_has_no_tag(void **state)
{
    struct rig *rig = *state;

    do_step(rig, "put 1>2");
    assert_route(rig, NULL, "\"step\":1");
    hl_err_set(&rig->err, HL_NOT_FOUND, "it is gone");
    hl_reply_error(&rig->reply, &rig->err, 0);
    assert_null(rig->reply.etag);
    assert_null(rig->reply.cache_control);
}

/* How many allocations fail before the call goes through. */
static int fail_each(struct rig *rig,
                     enum hl_code (*handler)(struct hl_server *server,
                                             struct hl_request *request,
                                             struct hl_reply *reply, struct hl_err *err),
                     const char *body)
{
    enum hl_code code = HL_NO_MEMORY;
    int n = 0;

    while (code != HL_OK) {
        char rule[32];

        assert_true(n < 2000);
        begin_request(rig, body, "bob");
        snprintf(rule, sizeof rule, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = call(rig, handler);
        hl_failpoint_disarm();
        if (code != HL_OK && code != HL_NO_MEMORY)
            fail_msg("allocation %d: %s", n, rig->err.msg);
        assert_true(code == HL_OK || !rig->request.release);
        if (rig->request.release)
            rig->request.release(&rig->request);
    }
    return n - 1;
}

static void wherever_memory_runs_out_a_call_is_refused_or_whole(void **state)
{
    struct rig *rig = *state;

    do_step(rig, "put 1>2");
    assert_true(fail_each(rig, hl_route_call, "") > 1);
    assert_true(fail_each(rig, hl_rollout_call_events, "") > 1);
    assert_stands(rig, "1>2 shadow");
    /* The gate is not met, and its figures are kept. */
    assert_true(fail_each(rig, hl_rollout_call_advance,
                          "{\"percent\":5,\"force\":true,\"why\":\"late\"}") > 10);
    assert_non_null(rig->request.park);
    assert_stands(rig, "1>2 shadow");
}

static void a_gate_that_is_not_met_refuses_the_step_before_it_is_parked(void **state)
{
    struct rig *rig = *state;

    do_step(rig, "put 1>2");
    begin_request(rig, "{\"percent\":5}", NULL);
    assert_int_equal(call(rig, hl_rollout_call_advance), HL_GATE_UNMET);
    assert_null(rig->request.park);
    begin_request(rig, "", NULL); /* no step from here: the change says so, not the gate */
    assert_int_equal(call(rig, hl_rollout_call_promote), HL_OK);
    assert_non_null(rig->request.park);
    rig->request.release(&rig->request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(route_says_in_each_stage_what_to_embed_with),
        SERVED(a_route_that_is_known_already_is_not_sent_again),
        SERVED(an_error_has_no_tag),
        SERVED(wherever_memory_runs_out_a_call_is_refused_or_whole),
        SERVED(a_gate_that_is_not_met_refuses_the_step_before_it_is_parked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
