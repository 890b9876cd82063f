/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/report.h"

#include <math.h>

/* A report of three groups, the last without queries, that passes everything. */
struct fixture {
    struct hl_report report;
    struct hl_gates gates;
    struct hl_err err;
};

static struct hl_figure figure(double value)
{
    return (struct hl_figure){value, value, value, 100};
}

static struct hl_report_group good_group(const char *name)
{
    return (struct hl_report_group){.name = name,
                                    .old_old = {.top1 = figure(.8), .map = figure(.6)},
                                    .new_old = {.top1 = figure(.85), .map = figure(.7)},
                                    .new_new = {.top1 = figure(.9), .map = figure(.8)},
                                    .map_gain = figure(.5),
                                    .served = {.top1 = figure(.84), .map = figure(.65)},
                                    .negative_flips = figure(.05),
                                    .self10 = figure(.1)};
}

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.report = {.n_groups = 3,
                                          .has_labels = true,
                                          .has_bridge = true,
                                          .served.self10 = figure(.4)},
                               .gates = {true, (double)NAN, (double)NAN, (double)NAN}};
    fixture.report.groups[0] = good_group("all");
    fixture.report.groups[1] = good_group("known");
    fixture.report.groups[2] = (struct hl_report_group){.name = "unknown"};
    *state = &fixture;
    return 0;
}

static enum hl_code check(struct fixture *f)
{
    return hl_gates_check(&f->gates, &f->report, &f->err);
}

static void a_bridge_better_in_every_group_with_queries_passes(void **state)
{
    assert_int_equal(check(*state), HL_OK);
}

static void one_group_that_fails_one_figure_refuses_it(void **state)
{
    struct fixture *f = *state;
    struct hl_report_group *known = &f->report.groups[1];

    known->new_old.map = figure(.55);
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg,
                        "mAP of known is 0.5500, and 0.6000 without the bridge");
    known->new_old.map = figure(.7);
    known->new_old.top1 = figure(.8);
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg,
                        "top1 of known is 0.8000, and 0.8000 without the bridge");
}

static void what_is_served_has_to_be_better_too(void **state)
{
    struct fixture *f = *state;

    f->report.groups[1].served.map = figure(.6);
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg,
                        "mAP of known is 0.6000 as served, and 0.6000 without the bridge");
    f->report.groups[1].served =
        (struct hl_retrieval){.top1 = figure(.7), .map = figure(.7)};
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg,
                        "top1 of known is 0.7000 as served, and 0.8000 without the bridge");
}

static void what_fails_as_judged_is_not_said_twice(void **state)
{
    struct fixture *f = *state;
    struct hl_report_group *all = &f->report.groups[0];

    all->served = all->new_old = (struct hl_retrieval){figure(.7), figure(1), figure(.7)};
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg, "top1 of all is 0.7000, and 0.8000 without the bridge");
}

static void who_does_not_ask_for_the_criterion_is_not_held_to_it(void **state)
{
    struct fixture *f = *state;

    f->gates.criterion = false;
    f->report.groups[1].new_old.map = figure(.1);
    assert_int_equal(check(f), HL_OK);
}

static void all_that_fails_is_said_at_once(void **state)
{
    struct fixture *f = *state;

    f->gates = (struct hl_gates){true, .6, .01, (double)NAN};
    f->report.groups[0].new_old.top1 = figure(.75);
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg,
                        "top1 of all is 0.7500, and 0.8000 without the bridge; the "
                        "gain in mAP is 0.5000, at least 0.6000 was asked; negative "
                        "flips are 0.0500, at most 0.0100 was asked");
}

static void limits_that_are_just_met_pass(void **state)
{
    struct fixture *f = *state;

    f->gates = (struct hl_gates){true, .5, .05, (double)NAN};
    assert_int_equal(check(f), HL_OK);
}

static void a_gain_that_cannot_be_said_is_not_enough(void **state)
{
    struct fixture *f = *state;

    f->gates.min_gain = -1;
    f->report.groups[0].map_gain = (struct hl_figure){0};
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg,
                        "the gain in mAP cannot be said: the new model's own is "
                        "0.8000, the old one's 0.6000");
}

static void labels_nobody_shares_show_nothing(void **state)
{
    struct fixture *f = *state;

    f->report.n_groups = 1;
    f->report.groups[0] = (struct hl_report_group){.name = "all"};
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg, "no query has an item of its label in the gallery");
}

static void a_group_none_of_which_was_ranked_is_not_waved_through(void **state)
{
    struct fixture *f = *state;

    f->report.groups[1].new_old.map = f->report.groups[1].old_old.map =
        (struct hl_figure){0};
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg,
                        "mAP of known cannot be said: no query of the group was ranked");
}

static void without_labels_it_must_find_itself(void **state)
{
    struct fixture *f = *state;

    f->report.has_labels = false;
    f->gates.min_self = .4;
    assert_int_equal(check(f), HL_OK);
    f->gates.min_self = .41;
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg, "self@10 is 0.4000, at least 0.4100 was asked");
}

static void without_labels_nothing_asked_is_passed_over(void **state)
{
    struct fixture *f = *state;

    f->report.has_labels = false;
    f->gates = (struct hl_gates){true, .1, .1, (double)NAN};
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg,
                        "the gain in mAP cannot be said without labels; negative flips "
                        "cannot be said without labels; the criterion cannot be said "
                        "without labels, and no self@10 was asked");
}

static void a_report_of_two_models_has_no_bridge_to_pass(void **state)
{
    struct fixture *f = *state;

    f->report.has_bridge = false;
    assert_int_equal(check(f), HL_CONFLICT);
    assert_string_equal(f->err.msg, "gates are for bridges: the report is of none");
}

static void a_refusal_too_long_to_hold_is_cut(void **state)
{
    struct fixture *f = *state;

    f->report.n_groups = HL_REPORT_GROUPS;
    for (size_t i = 0; i < HL_REPORT_GROUPS; i++) {
        f->report.groups[i] = good_group("a group whose name goes on and on and on");
        f->report.groups[i].new_old = (struct hl_retrieval){0};
    }
    assert_int_equal(check(f), HL_CONFLICT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_bridge_better_in_every_group_with_queries_passes, set_up),
        cmocka_unit_test_setup(one_group_that_fails_one_figure_refuses_it, set_up),
        cmocka_unit_test_setup(what_is_served_has_to_be_better_too, set_up),
        cmocka_unit_test_setup(what_fails_as_judged_is_not_said_twice, set_up),
        cmocka_unit_test_setup(who_does_not_ask_for_the_criterion_is_not_held_to_it,
                               set_up),
        cmocka_unit_test_setup(all_that_fails_is_said_at_once, set_up),
        cmocka_unit_test_setup(limits_that_are_just_met_pass, set_up),
        cmocka_unit_test_setup(a_gain_that_cannot_be_said_is_not_enough, set_up),
        cmocka_unit_test_setup(labels_nobody_shares_show_nothing, set_up),
        cmocka_unit_test_setup(a_group_none_of_which_was_ranked_is_not_waved_through,
                               set_up),
        cmocka_unit_test_setup(without_labels_it_must_find_itself, set_up),
        cmocka_unit_test_setup(without_labels_nothing_asked_is_passed_over, set_up),
        cmocka_unit_test_setup(a_report_of_two_models_has_no_bridge_to_pass, set_up),
        cmocka_unit_test_setup(a_refusal_too_long_to_hold_is_cut, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
