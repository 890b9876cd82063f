/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that begin learning and judging, on a real folder: what they begin, and that
 * nothing is left of them wherever memory runs out. The mathematics is played over the
 * wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/schooling.h"

/* ---- the tests ---- */

static void a_call_begins_a_job_that_makes_a_bridge(void **state)
{
    struct rig *rig = *state;
    struct seen seen;

    assert_int_equal(ask(rig, hl_bridge_call_learn, "v2", "@default", ridge), HL_OK);
    assert_int_equal(rig->reply.status, 202);
    assert_non_null(strstr(rig->reply.body.data, "\"kind\":\"fit\""));
    seen = await_newest(rig);
    if (seen.state != HL_JOB_DONE)
        fail_msg("%s", seen.outcome);
    assert_non_null(strstr(seen.outcome, "\"to\":\"@default\",\"revision\":1"));
    assert_int_equal(
        ask(rig, hl_bridge_call_evaluate, "v2", "@default", "{\"dataset\":\"d\"}"), HL_OK);
    seen = await_newest(rig);
    assert_int_equal(seen.state, HL_JOB_DONE);
    assert_non_null(
        strstr(seen.outcome, "\"revisions\":[1],\"was_learnt_from\":true,\"report\":{"));
}

static void what_a_job_is_asked_for_with_has_a_length_that_can_be_kept(void **state)
{
    struct rig *rig = *state;
    const size_t room = 70000;
    char *long_one = hl_alloc(room);

    assert_non_null(long_one);
    (void)snprintf(long_one, room, "%s%*s", ridge, (int)(65536 - strlen(ridge)), "");
    assert_int_equal(ask(rig, hl_bridge_call_learn, "v2", "@default", long_one), HL_OK);
    (void)snprintf(long_one, room, "%s%*s", ridge, (int)(65537 - strlen(ridge)), "");
    assert_int_equal(ask(rig, hl_bridge_call_learn, "v2", "@default", long_one),
                     HL_TOO_LARGE);
    hl_free(long_one);
    assert_int_equal(await_newest(rig).state, HL_JOB_DONE);
}

static enum hl_code drop_v2(void *self, struct hl_writing *writing, struct hl_err *err)
{
    static const struct hl_text name = {"v2", 2};

    (void)self;
    return hl_writing_drop_space(writing, &name, err);
}

static void a_model_that_goes_while_its_job_waits_fails_it(void **state)
{
    static const struct hl_span cats = {"c", 1};
    struct rig *rig = *state;
    struct hl_collection *collection = NULL;

    shut_gate(rig, false);
    assert_int_equal(ask(rig, hl_bridge_call_learn, "v2", "@default", ridge), HL_OK);
    assert_int_equal(
        hl_collections_acquire(rig->server.collections, &cats, &collection, &rig->err),
        HL_OK);
    assert_int_equal(hl_pending_run_now(collection, drop_v2, NULL, &rig->err), HL_OK);
    hl_collection_unref(collection);
    open_gate(rig);
    assert_string_equal(await_newest(rig).outcome,
                        "{\"error\":\"the vector \\\"v2\\\" was deleted meanwhile\","
                        "\"code\":\"conflict\"}");
}

static void a_collection_that_goes_while_its_job_waits_fails_it(void **state)
{
    static const struct hl_span cats = {"c", 1};
    struct rig *rig = *state;
    bool existed = false;

    shut_gate(rig, false);
    assert_int_equal(ask(rig, hl_bridge_call_learn, "v2", "@default", ridge), HL_OK);
    assert_int_equal(
        hl_collections_delete(rig->server.collections, &cats, &existed, &rig->err), HL_OK);
    open_gate(rig);
    assert_int_equal(await_newest(rig).state, HL_JOB_FAILED);
}

static void wherever_memory_runs_out_no_job_is_begun_by_halves(void **state)
{
    static const struct {
        HANDLER(handler);
        const char *body;
    } cases[] = {{hl_bridge_call_learn, ridge},
                 {hl_bridge_call_evaluate, "{\"dataset\":\"d\",\"bare\":true}"}};
    struct rig *rig = *state;

    shut_gate(rig, false);
    for (size_t i = 0; i < 2; i++) {
        enum hl_code code = HL_NO_MEMORY;

        for (int n = 1; code != HL_OK; n++) {
            const size_t n_before = see_newest(rig).n;
            char rule[32];

            assert_true(n < 2000);
            snprintf(rule, sizeof rule, "alloc=%d:fail", n);
            assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
            code = ask(rig, cases[i].handler, "v2", "@default", cases[i].body);
            hl_failpoint_disarm();
            /* Behind the job's row only showing it can fail. */
            assert_true(see_newest(rig).n == n_before || see_newest(rig).n == n_before + 1);
            assert_true(code != HL_OK || see_newest(rig).n == n_before + 1);
        }
    }
}

#define RIGGED(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_call_begins_a_job_that_makes_a_bridge),
        RIGGED(what_a_job_is_asked_for_with_has_a_length_that_can_be_kept),
        RIGGED(a_model_that_goes_while_its_job_waits_fails_it),
        RIGGED(a_collection_that_goes_while_its_job_waits_fails_it),
        RIGGED(wherever_memory_runs_out_no_job_is_begun_by_halves),
    };

    return cmocka_run_group_tests_name("bridge_jobs", tests, NULL, NULL);
}
