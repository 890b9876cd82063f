/* SPDX-License-Identifier: Apache-2.0 */
/* What is armed when, what is breached, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "server/guard.h"
#include "tests/unit/comparing.h"

struct fixture {
    struct hl_rollout rollout;
    struct hl_counts shadow, stage;
    struct hl_guard_facts facts;
    struct hl_guard_check checks[HL_N_GUARDS];
};

static struct fixture *look(struct fixture *f)
{
    f->facts.rollout = &f->rollout;
    f->facts.shadow = &f->shadow;
    f->facts.stage = &f->stage;
    hl_guard_look(&f->facts, f->checks);
    return f;
}

static struct fixture in(enum hl_stage stage)
{
    return (struct fixture){.rollout = rollout_in(stage, 2)};
}

/* Of two numbers that say no and yes. */
static void say(uint64_t counts[2], uint64_t n, uint64_t yes)
{
    counts[0] = n - yes;
    counts[1] = yes;
}

static void assert_armed(const struct fixture *f, enum hl_guard guard, const char *why_not)
{
    const char *got = f->checks[guard].unarmed;

    if (why_not ? !got || !strstr(got, why_not) : got != NULL)
        fail_msg("%s: %s instead of %s", hl_guard_name(guard), got ? got : "armed",
                 why_not ? why_not : "armed");
}

static void nothing_is_armed_while_nobody_is_served_by_the_new_model(void **state)
{
    static const enum hl_stage stages[] = {HL_STAGE_NONE, HL_STAGE_SHADOW,
                                           HL_STAGE_ABORTED};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fixture f = in(stages[i]);

        say(f.stage.errors, 1000, 1000);
        say(f.stage.slower, 1000, 1000);
        look(&f);
        for (int guard = 0; guard < HL_N_GUARDS; guard++) {
            assert_armed(&f, (enum hl_guard)guard, "no caller is served");
            assert_false(f.checks[guard].is_breached);
        }
    }
}

static void what_was_switched_off_is_not_armed(void **state)
{
    struct fixture f = in(HL_STAGE_LIVE);
    struct hl_guard_limits *limits = &f.rollout.guard;

    (void)state;
    say(f.stage.errors, 1000, 1000);
    say(f.stage.slower, 1000, 1000);
    limits->excess_flips = limits->excess_disagreement = (double)NAN;
    limits->latency_ratio = limits->error_rate = (double)NAN;
    look(&f);
    for (int guard = 0; guard < HL_N_GUARDS; guard++) {
        assert_armed(&f, (enum hl_guard)guard, "it is off");
        assert_false(f.checks[guard].is_breached);
    }
}

static void flips_are_held_against_whoever_judged_most_of_them(void **state)
{
    struct fixture f = in(HL_STAGE_CANARY);

    (void)state;
    say(f.stage.flips, 100, 5);
    assert_armed(look(&f), HL_GUARD_FLIPS, "nothing says how many flips were accepted");
    f.rollout.baseline = (struct hl_baseline){199, 12};
    assert_armed(look(&f), HL_GUARD_FLIPS, "nothing says how many flips were accepted");
    f.rollout.baseline = (struct hl_baseline){300, 12};
    assert_armed(look(&f), HL_GUARD_FLIPS, NULL);
    assert_string_equal(f.checks[HL_GUARD_FLIPS].baseline, "gate");
    say(f.shadow.flips, 199, 8);
    look(&f);
    assert_string_equal(f.checks[HL_GUARD_FLIPS].baseline, "gate");
    say(f.shadow.flips, 250, 10);
    look(&f);
    assert_string_equal(f.checks[HL_GUARD_FLIPS].baseline, "gate");
    say(f.shadow.flips, 400, 16);
    look(&f);
    assert_string_equal(f.checks[HL_GUARD_FLIPS].baseline, "shadow");
    assert_int_equal(f.checks[HL_GUARD_FLIPS].baseline_n, 400);
    assert_float_equal(f.checks[HL_GUARD_FLIPS].baseline_mean, 0.04, 1e-12);
}

static void a_later_shadow_is_no_measure_where_the_first_said_enough(void **state)
{
    struct hl_counts first = {.begun = 0};
    struct fixture f = in(HL_STAGE_CANARY);

    (void)state;
    f.facts.first = &first;
    say(f.shadow.flips, 1000, 400);
    say(f.stage.flips, 1000, 400);
    f.shadow.disagreement[8] = f.stage.disagreement[8] = 1000;
    assert_string_equal(look(&f)->checks[HL_GUARD_FLIPS].baseline, "shadow");
    assert_false(f.checks[HL_GUARD_FLIPS].is_breached);
    assert_false(f.checks[HL_GUARD_DISAGREEMENT].is_breached);
    say(first.flips, 1000, 50);
    first.disagreement[2] = 1000;
    assert_string_equal(look(&f)->checks[HL_GUARD_FLIPS].baseline, "first_shadow");
    assert_true(f.checks[HL_GUARD_FLIPS].is_breached);
    assert_true(f.checks[HL_GUARD_DISAGREEMENT].is_breached);
}

/* n of shadow and of the first, and which flips; whether it is held against that, and
 * whether it is too much. */
static void flips_of_shadow_are_held_against_the_first_one(void **state)
{
    static const struct {
        uint64_t shadow[2], first[2];
        bool is_armed, is_breached;
    } rows[] = {{{1000, 400}, {0, 0}, false, false},
                {{0, 0}, {1000, 50}, false, false},
                {{1000, 400}, {1000, 50}, true, true},
                {{1000, 50}, {1000, 50}, true, false},
                {{1000, 400}, {2, 0}, true, false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl_counts first = {.begun = 0};
        struct fixture f = in(HL_STAGE_SHADOW);
        const struct hl_guard_check *flips = &f.checks[HL_GUARD_FLIPS];

        f.facts = (struct hl_guard_facts){
            .rollout = &f.rollout, .first = &first, .shadow = &f.shadow};
        say(f.shadow.flips, rows[i].shadow[0], rows[i].shadow[1]);
        say(first.flips, rows[i].first[0], rows[i].first[1]);
        hl_guard_look_at_shadow(&f.facts, f.checks);
        assert_int_equal(flips->is_breached, rows[i].is_breached);
        assert_int_equal(!flips->unarmed, rows[i].is_armed);
        f.rollout.guard.excess_flips = (double)NAN;
        hl_guard_look_at_shadow(&f.facts, f.checks);
        assert_false(flips->is_breached);
    }
}

static void disagreement_of_shadow_is_held_against_the_first_one(void **state)
{
    struct hl_counts first = {.disagreement = {[2] = 1000}};
    struct fixture f = in(HL_STAGE_SHADOW);

    (void)state;
    f.facts = (struct hl_guard_facts){
        .rollout = &f.rollout, .first = &first, .shadow = &f.shadow};
    f.shadow.disagreement[2] = 1000;
    hl_guard_look_at_shadow(&f.facts, f.checks);
    assert_false(f.checks[HL_GUARD_DISAGREEMENT].is_breached);
    f.shadow.disagreement[8] = 1000;
    hl_guard_look_at_shadow(&f.facts, f.checks);
    assert_true(f.checks[HL_GUARD_DISAGREEMENT].is_breached);
}

static void flips_beyond_the_budget_are_a_breach_and_those_accepted_are_none(void **state)
{
    struct fixture f = in(HL_STAGE_CANARY);

    (void)state;
    say(f.shadow.flips, 5000, 250);
    say(f.stage.flips, 5000, 250);
    assert_false(look(&f)->checks[HL_GUARD_FLIPS].is_breached);
    say(f.stage.flips, 5000, 750);
    assert_true(look(&f)->checks[HL_GUARD_FLIPS].is_breached);
    assert_true(f.checks[HL_GUARD_FLIPS].bound > f.checks[HL_GUARD_FLIPS].budget);
    f.rollout.guard.excess_flips = 0.2;
    assert_false(look(&f)->checks[HL_GUARD_FLIPS].is_breached);
}

static void disagreement_is_held_against_shadow_alone(void **state)
{
    struct fixture f = in(HL_STAGE_CANARY);

    (void)state;
    f.stage.disagreement[10] = 2000;
    assert_armed(look(&f), HL_GUARD_DISAGREEMENT, "too little was compared in shadow");
    assert_false(f.checks[HL_GUARD_DISAGREEMENT].is_breached);
    f.shadow.disagreement[4] = 2000;
    assert_armed(look(&f), HL_GUARD_DISAGREEMENT, NULL);
    assert_true(f.checks[HL_GUARD_DISAGREEMENT].is_breached);
    assert_float_equal(f.checks[HL_GUARD_DISAGREEMENT].baseline_mean, 0.4, 1e-12);
    assert_float_equal(f.checks[HL_GUARD_DISAGREEMENT].mean, 1, 1e-12);
    f.stage.disagreement[10] = 0;
    f.stage.disagreement[4] = 2000;
    assert_false(look(&f)->checks[HL_GUARD_DISAGREEMENT].is_breached);
}

static void slower_is_a_breach_when_it_is_the_rule_and_errors_above_their_rate(void **state)
{
    struct fixture f = in(HL_STAGE_LIVE);

    (void)state;
    say(f.stage.slower, 1000, 500);
    say(f.stage.errors, 1000, 8);
    look(&f);
    assert_armed(&f, HL_GUARD_SLOWER, NULL);
    assert_armed(&f, HL_GUARD_ERRORS, NULL);
    assert_false(f.checks[HL_GUARD_SLOWER].is_breached);
    assert_false(f.checks[HL_GUARD_ERRORS].is_breached);
    say(f.stage.slower, 1000, 700);
    say(f.stage.errors, 1000, 100);
    look(&f);
    assert_true(f.checks[HL_GUARD_SLOWER].is_breached);
    assert_true(f.checks[HL_GUARD_ERRORS].is_breached);
}

static void few_cases_say_little(void **state)
{
    struct fixture f = in(HL_STAGE_LIVE);

    (void)state;
    look(&f);
    for (int guard = 0; guard < HL_N_GUARDS; guard++)
        assert_false(f.checks[guard].is_breached);
    assert_true(isnan(f.checks[HL_GUARD_ERRORS].mean));
    say(f.stage.errors, 1, 1);
    say(f.stage.slower, 3, 3);
    look(&f);
    assert_false(f.checks[HL_GUARD_ERRORS].is_breached);
    assert_false(f.checks[HL_GUARD_SLOWER].is_breached);
}

static void the_parts_of_the_chance_add_up_to_5_percent(void **state)
{
    struct fixture f = in(HL_STAGE_LIVE);
    double sum = 0;

    (void)state;
    look(&f);
    for (int guard = 0; guard < HL_N_GUARDS; guard++)
        sum += f.checks[guard].alpha;
    assert_float_equal(sum, 0.05, 1e-12);
}

static void a_breach_is_told_with_its_figures(void **state)
{
    struct fixture f = in(HL_STAGE_CANARY);
    char words[HL_GUARD_WORDS];
    struct hl_buf buf;

    (void)state;
    say(f.shadow.flips, 5000, 250);
    say(f.stage.flips, 5000, 750);
    say(f.stage.errors, 1000, 100);
    look(&f);
    hl_guard_describe(HL_GUARD_FLIPS, &f.checks[HL_GUARD_FLIPS], words);
    assert_non_null(strstr(words, "negative flips: 0.1500 of 5000, 0.0500 of 5000 were "
                                  "accepted (shadow): at least "));
    assert_non_null(strstr(words, "the budget is 0.0100"));
    hl_guard_describe(HL_GUARD_ERRORS, &f.checks[HL_GUARD_ERRORS], words);
    assert_non_null(strstr(words, "errors: 0.1000 of 1000: at least "));
    hl_buf_init(&buf, 1 << 16);
    hl_guard_checks_print(f.checks, HL_N_GUARDS, &buf);
    assert_non_null(strstr(buf.data, "\"baseline\":{\"of\":\"shadow\",\"n\":5000,"));
    assert_non_null(strstr(buf.data, "\"slower\":{\"armed\":true,\"why_not\":null,"));
    hl_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_armed_while_nobody_is_served_by_the_new_model),
        cmocka_unit_test(what_was_switched_off_is_not_armed),
        cmocka_unit_test(flips_are_held_against_whoever_judged_most_of_them),
        cmocka_unit_test(a_later_shadow_is_no_measure_where_the_first_said_enough),
        cmocka_unit_test(flips_of_shadow_are_held_against_the_first_one),
        cmocka_unit_test(disagreement_of_shadow_is_held_against_the_first_one),
        cmocka_unit_test(flips_beyond_the_budget_are_a_breach_and_those_accepted_are_none),
        cmocka_unit_test(disagreement_is_held_against_shadow_alone),
        cmocka_unit_test(
            slower_is_a_breach_when_it_is_the_rule_and_errors_above_their_rate),
        cmocka_unit_test(few_cases_say_little),
        cmocka_unit_test(the_parts_of_the_chance_add_up_to_5_percent),
        cmocka_unit_test(a_breach_is_told_with_its_figures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
