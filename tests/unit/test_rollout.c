/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a rollout on a real folder: which there are from where, what is written and
 * published by each, and that nothing is when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/stepping.h"

/* ---- the tests ---- */

static void a_rollout_goes_its_way_and_is_there_again_after_a_restart(void **state)
{
    static const char *const way[][2] = {{"put 1>2", "1>2 shadow"},
                                         {"advance 5", "1>2 canary 5"},
                                         {"advance 20.25", "1>2 canary 20.25"},
                                         {"rollback", "1>2 shadow"},
                                         {"advance 1", "1>2 canary 1"},
                                         {"promote", "1>2 live"},
                                         {"rollback", "1>2 shadow"},
                                         {"abort", "1>2 aborted"},
                                         {"delete", "1>2 none"},
                                         {"put 1>2", "1>2 shadow"},
                                         {"advance 5", "1>2 canary 5"},
                                         {"promote", "1>2 live"},
                                         {"delete", "1>2 none"}};
    struct rig *rig = *state;

    assert_stands(rig, "0>0 none");
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        do_step(rig, way[i][0]);
        assert_stands(rig, way[i][1]);
        open_again(rig);
        assert_stands(rig, way[i][1]);
    }
}

static const char *const stages[][3] = {
    /* how it is reached, how it stands, what it is called */
    {"", "0>0 none", "there was no rollout yet"},
    {"put 1>2", "1>2 shadow", "is in \"shadow\""},
    {"put 1>2,advance 5", "1>2 canary 5", "is in \"canary\" (5 %)"},
    {"put 1>2,advance 5,promote", "1>2 live", "is in \"live\""},
    {"put 1>2,abort", "1>2 aborted", "is in \"aborted\""},
    {"put 1>2,advance 5,promote,delete", "1>2 none", "is in \"none\""},
};

enum { N_STAGES = sizeof stages / sizeof *stages };

/* Of each stage what each step leads to; NULL: it is refused. */
static void the_steps_there_are_lead_on_and_all_others_are_refused(void **state)
{
    static const char *const steps[] = {"put 1>2",   "put 1>3",   "put 2>1",
                                        "advance 5", "advance 7", "promote",
                                        "rollback",  "abort",     "delete"};
    enum { N_STEPS = sizeof steps / sizeof *steps };
    static const char *const goals[N_STAGES][N_STEPS] = {
        {"1>2 shadow", "1>3 shadow", "2>1 shadow"},
        {"1>2 shadow", NULL, NULL, "1>2 canary 5", "1>2 canary 7", NULL, NULL,
         "1>2 aborted", NULL},
        {"1>2 canary 5", NULL, NULL, "1>2 canary 5", "1>2 canary 7", "1>2 live",
         "1>2 shadow", NULL, NULL},
        {"1>2 live", NULL, "2>1 shadow", NULL, NULL, NULL, "1>2 shadow", NULL, "1>2 none"},
        {"1>2 shadow", "1>3 shadow", "2>1 shadow", NULL, NULL, NULL, NULL, NULL,
         "1>2 none"},
        {NULL, NULL, "2>1 shadow"},
    };

    (void)state;
    for (size_t i = 0; i < (size_t)N_STAGES * N_STEPS; i++) {
        const char *const *stage = stages[i / N_STEPS];
        const char *goal = goals[i / N_STEPS][i % N_STEPS];
        void *own = NULL;
        struct rig *rig;
        enum hl_code code;

        (void)set_up_served(&own);
        rig = own;
        activate(rig, "v3>v1", "{\"revision\":1}");
        do_steps(rig, stage[0]);
        code = step(rig, steps[i % N_STEPS]);
        if ((code == HL_OK) != (goal != NULL))
            fail_msg("in %s: %s: %s", stage[1], steps[i % N_STEPS],
                     code == HL_OK ? "went through" : rig->err.msg);
        if (code != HL_OK && i / N_STEPS + 1 < N_STAGES) {
            assert_int_equal(code, HL_ILLEGAL_STEP);
            assert_non_null(strstr(rig->err.msg, stage[2]));
        }
        assert_stands(rig, goal ? goal : stage[1]);
        (void)tear_down(&own);
    }
}

static void assert_refused(struct rig *rig, const char *text, enum hl_code code,
                           const char *words)
{
    assert_int_equal(step(rig, text), code);
    if (!strstr(rig->err.msg, words))
        fail_msg("\"%s\" is not in %s", words, rig->err.msg);
}

static void a_refusal_says_who_was_there_before_and_what_can_be_done(void **state)
{
    struct rig *rig = *state;

    assert_refused(rig, "promote", HL_ILLEGAL_STEP,
                   "there was no rollout yet: promote is no step from there, PUT is");
    do_steps(rig, "put 1>2,advance 5");
    assert_refused(rig, "abort", HL_ILLEGAL_STEP,
                   "rollout 1 from \"v1\" to \"v2\" is in \"canary\" (5 %) since 20");
    assert_refused(
        rig, "abort", HL_ILLEGAL_STEP,
        " by \"ops\": abort is no step from there, advance, promote and rollback "
        "are");
    do_step(rig, "promote");
    assert_refused(rig, "put 1>3", HL_ILLEGAL_STEP,
                   "this PUT is no step from there, rollback, PUT of a rollout from the "
                   "model that is live and DELETE are");
    do_step(rig, "delete");
    assert_refused(
        rig, "put 1>2", HL_CONFLICT,
        "callers are served by \"v2\" since a rollout before: the next one begins "
        "from there, not from \"v1\"");
    assert_refused(rig, "put 2>2", HL_INVALID, "\"v2\" is both");
    assert_refused(
        rig, "put 2>3", HL_CONFLICT,
        "no active bridge lets queries of \"v3\" find what only \"v2\" has seen");
    assert_refused(rig, "put 2>9", HL_CONFLICT, "a model of the rollout was deleted");
}

static void a_step_that_was_meant_for_another_one_is_refused(void **state)
{
    struct rig *rig = *state;
    struct stepping stepping = read_step("advance 5");

    do_step(rig, "put 1>2");
    stepping.order.expect = 2;
    assert_int_equal(order(rig, &stepping), HL_CONFLICT);
    assert_non_null(strstr(rig->err.msg, "step 2 was expected, and it is step 1: rollout 1 "
                                         "from \"v1\" to \"v2\" is in \"shadow\" since "));
    assert_stands(rig, "1>2 shadow");
    stepping.order.expect = 1;
    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_int_equal(stepping.got.step, 2);
}

static void what_stands_already_is_no_step(void **state)
{
    struct rig *rig = *state;
    struct stepping stepping = read_step("put 1>2");

    do_steps(rig, "put 1>2,advance 5");
    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_int_equal(stepping.got.step, 2);
    stepping = read_step("advance 5");
    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_int_equal(stepping.got.step, 2);
    stepping = read_step("put 1>2");
    stepping.wanted.ttl_s = 60;
    assert_int_equal(order(rig, &stepping), HL_ILLEGAL_STEP);
    do_step(rig, "rollback");
    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_int_equal(stepping.got.step, 4);
    assert_int_equal(stepping.got.ttl_s, 60);
    assert_int_equal(stepping.got.number, 1);
}

static void numbers_are_not_used_twice_and_steps_count_on(void **state)
{
    struct rig *rig = *state;
    struct stepping stepping = read_step("put 1>2");

    do_steps(rig, "put 1>2,abort,delete");
    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_int_equal(stepping.got.number, 2);
    assert_int_equal(stepping.got.step, 4);
}

static void what_the_gate_accepted_is_kept_until_the_next_rollout(void **state)
{
    const struct hl_baseline baseline = {.n = 120, .flips = 7};
    struct rig *rig = *state;
    struct stepping stepping = read_step("advance 5");

    do_step(rig, "put 1>2");
    stepping.order.baseline = &baseline;
    assert_int_equal(order(rig, &stepping), HL_OK);
    do_step(rig, "rollback");
    stepping = read_step("advance 9");
    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_int_equal(stepping.got.baseline.n, 120);
    assert_int_equal(stepping.got.baseline.flips, 7);
    do_steps(rig, "rollback,abort");
    stepping = read_step("put 1>2");
    assert_int_equal(order(rig, &stepping), HL_OK);
    assert_int_equal(stepping.got.baseline.n, 0);
}

/* ---- what it keeps others from ---- */

struct checking {
    uint32_t model, from, to;
    const char *probes;
};

static enum hl_code run_check(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct checking *checking = self;
    const struct hl_holdings inside = hl_holdings_inside(writing);

    if (checking->probes)
        return hl_rollout_check_probes(&inside, checking->probes, err);
    return checking->model
               ? hl_rollout_check_model(&inside, checking->model, err)
               : hl_rollout_check_pair(&inside, checking->from, checking->to, err);
}

static void assert_kept(struct rig *rig, struct checking checking, const char *words)
{
    const enum hl_code code = change(rig, run_check, &checking);

    assert_int_equal(code, words ? HL_CONFLICT : HL_OK);
    if (words && !strstr(rig->err.msg, words))
        fail_msg("\"%s\" is not in %s", words, rig->err.msg);
}

static void what_a_running_rollout_needs_is_kept(void **state)
{
    static const char *const ways_out[] = {"which needs this vector: abort it first",
                                           "roll it back and abort it first",
                                           "DELETE the rollout first"};
    static const char *const steps[] = {"put 1>2", "advance 5", "promote"};
    struct rig *rig = *state;

    assert_kept(rig, (struct checking){.model = 1}, NULL);
    for (size_t i = 0; i < 3; i++) {
        do_step(rig, steps[i]);
        assert_kept(rig, (struct checking){.model = 1}, ways_out[i]);
        assert_kept(rig, (struct checking){.model = 2}, ways_out[i]);
        assert_kept(rig, (struct checking){.model = 3}, NULL);
        assert_kept(rig, (struct checking){.from = 2, .to = 1}, "this bridge as it is");
        assert_kept(rig, (struct checking){.from = 1, .to = 2}, "this bridge as it is");
        assert_kept(rig, (struct checking){.from = 3, .to = 1}, NULL);
        assert_kept(rig, (struct checking){.probes = "golden"}, NULL);
    }
    do_step(rig, "delete");
    assert_kept(rig, (struct checking){.model = 1}, NULL);
    assert_kept(rig, (struct checking){.model = 2},
                "callers are routed to this vector since a rollout to it");
    assert_kept(rig, (struct checking){.from = 2, .to = 1}, NULL);
}

static void bridges_are_served_as_they_are_while_a_rollout_runs(void **state)
{
    struct rig *rig = *state;

    do_step(rig, "put 1>2");
    assert_int_equal(ask(rig, false, "v2>v1", ""), HL_CONFLICT);
    assert_non_null(
        strstr(rig->err.msg, "which needs this bridge as it is: abort it first"));
    assert_int_equal(ask(rig, true, "v2>v1", "{\"revision\":2}"), HL_CONFLICT);
    activate(rig, "v2>v1", "{\"revision\":1}"); /* as it is */
    activate(rig, "v3>v1", "{\"revision\":1}"); /* another one */
    assert_stands(rig, "1>2 shadow");
    do_step(rig, "abort");
    deactivate(rig, "v2>v1");
    assert_stands(rig, "1>2 aborted");
}

static void a_chain_is_served_as_it_is_while_a_rollout_runs_over_it(void **state)
{
    struct rig *rig = *state;

    activate(rig, "v3>v2", "{\"revision\":1}");
    do_step(rig, "put 1>3");
    assert_int_equal(ask(rig, false, "v2>v1", ""), HL_CONFLICT);
    assert_int_equal(ask(rig, false, "v3>v2", ""), HL_CONFLICT);
    assert_int_equal(ask(rig, true, "v2>v1", "{\"revision\":2}"), HL_CONFLICT);
    do_step(rig, "abort");
    deactivate(rig, "v3>v2");
    deactivate(rig, "v2>v1");
}

/* ---- what is not there as it should be ---- */

static enum hl_code damage(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const char *body = self;

    return hl_store_put_record(hl_writing_store(writing), HL_HOLDING_ROLLOUT, "now", body,
                               strlen(body), err);
}

static void a_record_that_is_none_is_damage_and_no_step_follows(void **state)
{
    static const char *const bodies[] = {
        "{\"number\":1", "{\"number\":1,\"step\":1,\"stage\":\"late\",\"from\":1,\"to\":2}",
        "{\"number\":0,\"step\":1,\"stage\":\"live\",\"from\":1,\"to\":2}", "{}"};
    struct rig *rig = *state;
    char body[100];

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        (void)snprintf(body, sizeof body, "%s", bodies[i]);
        assert_int_equal(change(rig, damage, body), HL_OK);
        assert_refused(rig, "put 1>2", HL_DAMAGED, "the record of a rollout");
    }
}

/* ---- memory ---- */

static void wherever_memory_runs_out_a_step_is_not_taken_by_halves(void **state)
{
    struct rig *rig = *state;
    enum hl_code code = HL_NO_MEMORY;
    int n = 1;

    do_step(rig, "put 1>2");
    for (; code != HL_OK; n++) {
        char rule[32];

        assert_true(n < 1000);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = step(rig, "advance 5");
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_stands(rig, code == HL_OK ? "1>2 canary 5" : "1>2 shadow");
    }
    assert_true(n > 10); /* some of them did fail */
    assert_told(rig, 1, 10, "\"what\":\"advance\"");
    open_again(rig);
    assert_stands(rig, "1>2 canary 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_rollout_goes_its_way_and_is_there_again_after_a_restart),
        cmocka_unit_test(the_steps_there_are_lead_on_and_all_others_are_refused),
        SERVED(a_refusal_says_who_was_there_before_and_what_can_be_done),
        SERVED(a_step_that_was_meant_for_another_one_is_refused),
        SERVED(what_stands_already_is_no_step),
        SERVED(numbers_are_not_used_twice_and_steps_count_on),
        SERVED(what_the_gate_accepted_is_kept_until_the_next_rollout),
        SERVED(what_a_running_rollout_needs_is_kept),
        SERVED(bridges_are_served_as_they_are_while_a_rollout_runs),
        SERVED(a_chain_is_served_as_it_is_while_a_rollout_runs_over_it),
        SERVED(a_record_that_is_none_is_damage_and_no_step_follows),
        SERVED(wherever_memory_runs_out_a_step_is_not_taken_by_halves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
