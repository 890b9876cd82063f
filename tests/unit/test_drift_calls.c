/* SPDX-License-Identifier: Apache-2.0 */
/* The calls about a model's canary, from a body to what is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/drift.h"
#include "server/drift_calls.h"
#include "tests/unit/parking.h"
#include "tests/unit/saying.h"

static const char two[] = "{\"vectors\":{\"a\":[1,0],\"b\":[0,1]}}";

struct calling {
    struct stand *s;
    struct hl_metrics *metrics;
    enum hl_code code; /* of the last call */
};

static int begin(void **state)
{
    static const struct hl_metrics_build build = {"0", "0", "0", "portable"};
    static struct calling calling;

    calling = (struct calling){.code = HL_OK};
    *state = &calling;
    return set_up((void **)&calling.s) == 0 &&
                   hl_metrics_new(NULL, 0, &build, &calling.metrics, &calling.s->err) ==
                       HL_OK
               ? 0
               : -1;
}

static int end(void **state)
{
    struct calling *calling = *state;

    hl_metrics_free(calling->metrics);
    return tear_down((void **)&calling->s);
}

/* What is answered about "c", or the sentence of the refusal. */
static const char *call(struct calling *calling, const char *body, const char *replace,
                        HANDLER(handler))
{
    struct parked parked;
    const char *said;

    begin_parked(&parked, calling->s, body);
    parked.server.metrics = calling->metrics;
    parked.request.params[1] = (struct hl_span){"c", 1};
    parked.request.key = "ops";
    if (replace) {
        parked.pairs[0] =
            (struct hl_target_pair){{"replace", 7}, {replace, strlen(replace)}};
        parked.request.target.query = parked.pairs;
        parked.request.target.n_query = 1;
    }
    said = handle(&parked, calling->s, handler);
    calling->code = parked.code;
    return said;
}

static void assert_counted(struct calling *calling, int same, int drifted)
{
    char words[160];
    struct hl_buf page;

    hl_buf_init(&page, 1 << 20);
    hl_metrics_print(calling->metrics, &page);
    (void)snprintf(words, sizeof words,
                   "heirloom_canary_comparisons_total{result=\"same\"} %d\n"
                   "heirloom_canary_comparisons_total{result=\"drifted\"} %d\n",
                   same, drifted);
    assert_in(page.data, words);
    hl_buf_done(&page);
}

static void comparisons_are_counted_by_what_they_found(void **state)
{
    struct calling *calling = *state;

    assert_in(call(calling, two, NULL, hl_drift_call_put), "\"drifted\":null");
    assert_counted(calling, 0, 0);
    assert_in(call(calling, two, NULL, hl_drift_call_put), "\"drifted\":false");
    assert_in(call(calling, "{\"vectors\":{\"a\":[0,1]}}", "false", hl_drift_call_put),
              "\"drifted\":true");
    assert_counted(calling, 1, 1);
    assert_in(call(calling, two, "true", hl_drift_call_put), "\"drifted\":null");
    assert_in(call(calling, two, "yes", hl_drift_call_put), "replace is \"yes\"");
    assert_int_equal(calling->code, HL_MALFORMED);
    assert_counted(calling, 1, 1);
    assert_in(call(calling, "", NULL, hl_drift_call_get), "\"set_by\":\"ops\"");
    assert_in(call(calling, "", NULL, hl_drift_call_delete), "true");
    assert_in(call(calling, "", NULL, hl_drift_call_get), "has no canary");
    assert_int_equal(calling->code, HL_NOT_FOUND);
}

/* It may be done and nobody told, for want of memory for the answer: then it is asked
 * again.
 */
static void wherever_memory_runs_out_a_call_is_done_or_nothing_is(void **state)
{
    static const struct {
        const char *body;
        HANDLER(handler);
        const char *after; /* of a look */
    } calls[] = {
        {two, hl_drift_call_put, "\"photographs\":[\"a\",\"b\"],"},
        {"{\"vectors\":{\"a\":[0,1]}}", hl_drift_call_put, "\"drifted\":true"},
        {"", hl_drift_call_get, "\"drifted\":true"},
        {"", hl_drift_call_delete, "has no canary"},
    };
    struct calling *calling = *state;

    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        enum hl_code code = HL_NO_MEMORY;

        for (int n = 1; code == HL_NO_MEMORY; n++) {
            char rule[32];

            assert_true(n < 1000);
            snprintf(rule, sizeof rule, "alloc=%d:fail", n);
            assert_int_equal(hl_failpoint_arm(rule, &calling->s->err), HL_OK);
            (void)call(calling, calls[i].body, NULL, calls[i].handler);
            hl_failpoint_disarm();
            code = calling->code;
        }
        assert_true(code == HL_OK || (code == HL_NOT_FOUND && i == 3));
        assert_in(call(calling, "", NULL, hl_drift_call_get), calls[i].after);
    }
}

#define CALLED(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CALLED(comparisons_are_counted_by_what_they_found),
        CALLED(wherever_memory_runs_out_a_call_is_done_or_nothing_is),
    };

    return cmocka_run_group_tests_name("drift_calls", tests, NULL, NULL);
}
