/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about probe sets, over the points and models of activating.h: what they answer,
 * and what becomes of them without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/probe_calls.h"
#include "server/probes.h"
#include "tests/unit/activating.h"
#include "tests/unit/saying.h"

static enum hl_code put(void *self, struct hl_writing *writing, struct hl_err *err)
{
    static const char lines[] = "{\"k\":3}\n{\"vectors\":{\"v1\":[1,0],\"v2\":[0,1]},"
                                "\"relevant\":[4]}\n";
    static const struct hl_probe_model models[] = {{{"v1", 2}, 2, 1}, {{"v2", 2}, 2, 1}};
    const struct hl_probe_entry entry = {
        .name = "golden",
        .set = {.settings = {3, 1, 0}, .n_queries = 1, .models = models, .n_models = 2},
        .text = {lines, sizeof lines - 1},
        .by = ""};
    uint64_t version;

    (void)self;
    return hl_probes_put(writing, &entry, &version, err);
}

static int begin(void **state)
{
    struct rig *rig;

    if (set_up(state) != 0)
        return -1;
    rig = *state;
    rig->config.limits.request_memory_mb = 16;
    assert_int_equal(change(rig, put, NULL), HL_OK);
    return 0;
}

/* Beside the address and the body nothing is said. */
static enum hl_code call(struct rig *rig, const char *set, const char *body,
                         enum hl_code (*handler)(struct hl_server *, struct hl_request *,
                                                 struct hl_reply *, struct hl_err *))
{
    hl_arena_reset(rig->request.arena);
    rig->request.params[0] = name;
    rig->request.params[1] = (struct hl_span){set, strlen(set)};
    rig->request.body = (struct hl_span){body, strlen(body)};
    rig->request.key = "ops";
    hl_buf_done(&rig->reply.body);
    rig->reply.status = 0;
    return handler(&rig->server, &rig->request, &rig->reply, &rig->err);
}

static void sets_are_listed_and_shown(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(call(rig, "", "", hl_probe_call_list), HL_OK);
    assert_in(rig->reply.body.data, "{\"probes\":[{\"name\":\"golden\",\"version\":1,");
    assert_int_equal(call(rig, "golden", "", hl_probe_call_get), HL_OK);
    assert_in(rig->reply.body.data, "\"versions\":[1],\"runs\":[],\"last_run\":null}");
    assert_int_equal(call(rig, "silver", "", hl_probe_call_get), HL_NOT_FOUND);
}

static void a_run_is_a_job_whose_result_is_the_run(void **state)
{
    struct rig *rig = *state;
    struct seen seen;

    assert_int_equal(
        call(rig, "golden", "{\"from\":\"v1\",\"to\":\"v2\"}", hl_probe_call_run), HL_OK);
    assert_int_equal(rig->reply.status, 202);
    seen = await_newest(rig);
    assert_int_equal(seen.state, HL_JOB_DONE);
    assert_says(&seen, "{\"set\":\"golden\",\"version\":1,\"from\":\"v1\",\"to\":\"v2\",");
    assert_says(&seen, "\"by\":\"ops\",\"why\":\"asked\",");
    assert_int_equal(call(rig, "golden", "", hl_probe_call_get), HL_OK);
    assert_in(rig->reply.body.data, "\"last_run\":{\"set\":\"golden\"");
}

static void what_goes_while_the_job_waits_fails_it(void **state)
{
    struct rig *rig = *state;
    bool existed = false;
    struct seen seen;

    shut_gate(rig, true);
    assert_int_equal(
        call(rig, "golden", "{\"from\":\"v1\",\"to\":\"v2\"}", hl_probe_call_run), HL_OK);
    assert_int_equal(
        hl_collections_delete(rig->server.collections, &name, &existed, &rig->err), HL_OK);
    open_gate(rig);
    seen = await_newest(rig);
    assert_int_equal(seen.state, HL_JOB_FAILED);
}

static void wherever_memory_runs_out_a_set_is_shown_whole_or_not_at_all(void **state)
{
    static enum hl_code (*const handlers[])(struct hl_server *, struct hl_request *,
                                            struct hl_reply *, struct hl_err *) = {
        hl_probe_call_list, hl_probe_call_get};
    struct rig *rig = *state;

    for (size_t i = 0; i < 2; i++) {
        enum hl_code code = HL_NO_MEMORY;

        for (int n = 1; code != HL_OK; n++) {
            char rule[32];

            assert_true(n < 500);
            snprintf(rule, sizeof rule, "alloc=%d:fail", n);
            assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
            code = call(rig, "golden", "", handlers[i]);
            hl_failpoint_disarm();
            assert_true(code == HL_OK || code == HL_NO_MEMORY);
        }
    }
}

static void wherever_memory_runs_out_no_run_is_begun_by_halves(void **state)
{
    struct rig *rig = *state;
    enum hl_code code = HL_NO_MEMORY;

    shut_gate(rig, true);
    for (int n = 1; code != HL_OK; n++) {
        char rule[32];

        assert_true(n < 2000);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = call(rig, "golden", "{\"from\":\"v1\",\"to\":\"v2\"}", hl_probe_call_run);
        hl_failpoint_disarm();
    }
    open_gate(rig);
    assert_int_equal(await_newest(rig).state, HL_JOB_DONE);
}

#define PROBED(name) cmocka_unit_test_setup_teardown(name, begin, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBED(sets_are_listed_and_shown),
        PROBED(a_run_is_a_job_whose_result_is_the_run),
        PROBED(what_goes_while_the_job_waits_fails_it),
        PROBED(wherever_memory_runs_out_a_set_is_shown_whole_or_not_at_all),
        PROBED(wherever_memory_runs_out_no_run_is_begun_by_halves),
    };

    return cmocka_run_group_tests_name("probe_calls", tests, NULL, NULL);
}
