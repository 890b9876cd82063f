/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "tests/unit/judged.h"

#include <stdio.h>

static void without_a_bridge_two_models_are_compared_as_they_are(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *all;

    f->task.bridge = NULL;
    all = make(f);
    assert_retrieval(all->old_old, .5, (GOOD + BAD) / 2, 4);
    assert_retrieval(all->new_new, 1, GOOD, 4);
    assert_figure(all->new_old.top1, 0, 0);
    assert_figure(all->top1_difference, .5, 4);
    assert_figure(all->negative_flips, 0, 4);
    assert_figure(all->positive_flips, .5, 4);
    assert_figure(all->self10, 0, 0);
    assert_figure(all->top1_gain, 0, 0);
    assert_false(f->report->has_bridge);
}

static void without_labels_there_is_self_and_overlap(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *all;

    f->exam.labels = NULL;
    f->task.head = &f->head;
    all = make(f);
    assert_int_equal(f->report->n_groups, 1);
    assert_figure(all->old_old.top1, 0, 0);
    assert_figure(all->negative_flips, 0, 0);
    assert_figure(all->old_accuracy, 0, 0);
    assert_figure(all->self1, .75, 4);
    assert_figure(all->overlap10, 1, 4);
    assert_figure(f->report->sweep[3].self1, .75, 4);
    assert_figure(f->report->served.self1, .75, 4);
    assert_figure(f->report->thresholds[20].recall, 0, 0);
}

/* Turned back in two steps; the dial of each at what is its own, or both at one. */
static void a_chain_goes_through_both(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *all;

    hl_bridge_free(f->bridge);
    f->bridge = bridge_of(-10, 45);
    f->then = bridge_of(-20, -75);
    f->task.bridge = f->bridge;
    f->task.then = f->then;
    all = make(f);
    assert_retrieval(all->new_old, .75, (3 * GOOD + BAD) / 4, 4);
    assert_figure(f->report->sweep[0].top1, .75, 4);
    assert_figure(f->report->sweep[HL_N_FIDELITIES - 1].top1, .75, 4);
    assert_true(f->report->fidelity < 1e-6F);
    f->then->fidelity = 1;
    make(f);
    assert_true(isnan(f->report->fidelity));
    assert_figure(f->report->served.self1, .25, 4); /* 55 degrees off */
}

/* The faithful map is 90 degrees off: the last item alone, which has nobody beyond it,
 * finds itself. */
static void the_dial_turns_from_one_map_to_the_other(void **state)
{
    struct fixture *f = *state;

    hl_bridge_free(f->bridge);
    f->task.bridge = f->bridge = bridge_of(-30, 60);
    f->bridge->fidelity = 1;
    make(f);
    assert_figure(f->report->sweep[0].top1, .75, 4);
    assert_figure(f->report->sweep[0].self1, .75, 4);
    assert_figure(f->report->sweep[0].negative_flips, .25, 4);
    assert_figure(f->report->sweep[10].self1, .25, 4);
    assert_figure(f->report->served.self1, .25, 4);
    assert_retrieval(f->report->groups[0].served, .75, (.5 + .75 + .75 + .75) / 4, 4);
    assert_figure(f->report->groups[0].served_negative_flips, .25, 4);
}

static void a_brief_report_has_groups_and_what_is_served(void **state)
{
    struct fixture *f = *state;

    f->task.is_brief = true;
    assert_retrieval(make(f)->new_old, .75, (3 * GOOD + BAD) / 4, 4);
    assert_figure(f->report->served.top1, .75, 4);
    assert_figure(f->report->sweep[0].top1, 0, 0);
    assert_figure(f->report->thresholds[0].recall, 0, 0);
}

/* Of 16 pairs 8 share the class. At cos 60 or more: mapped 15 has 0 and 20, 5 the same, 104
 * has 90 and 110, 108 the same: 8 pairs, 4 that share. */
static void thresholds_are_of_pairs(void **state)
{
    struct fixture *f = *state;

    make(f);
    assert_true(fabs(f->report->thresholds[30].threshold - .5) < 1e-9);
    assert_figure(f->report->thresholds[30].precision, .5, 8);
    assert_figure(f->report->thresholds[30].recall, .5, 8);
    assert_figure(f->report->thresholds[0].precision, .5, 16);
    assert_figure(f->report->thresholds[0].recall, 1, 8);
    assert_figure(f->report->thresholds[40].precision, 0, 0);
    assert_figure(f->report->fars[0].new_old, 0, 0); /* 8 strangers cannot show 1 % */
}

static void what_does_not_belong_together_is_refused(void **state)
{
    struct fixture *f = *state;

    f->bridge->dim_from = 3;
    assert_refused(f, "bridge \"v2\" > \"v1\" is from vectors of 3 numbers, those to judge "
                      "on have 2");
    f->bridge->dim_from = DIM;
    f->bridge->dim_to = 5;
    assert_refused(f,
                   "bridge \"v2\" > \"v1\" is to vectors of 5 numbers, those to judge on "
                   "have 2");
    f->task.then = f->then = bridge_of(0, 0);
    assert_refused(f,
                   "bridge \"v2\" > \"v1\" ends at vectors of 5 numbers, the next begins "
                   "at 2");
    f->bridge->dim_to = DIM;
    f->task.head = &f->head;
    f->head.dim = 4;
    assert_refused(f, "the old head is for vectors of 4 numbers, those to judge on have 2");
    f->task.head = NULL;
    f->task.own_head = &f->own_head;
    f->own_head.dim = 1;
    assert_refused(f, "the new head is for vectors of 1 numbers, those to judge on have 2");
    f->exam.to = NULL;
    assert_refused(f, "there are no vectors of the old model to judge on: every row needs "
                      "those of both models");
}

static void count_progress(void *self, const char *phase, double progress)
{
    double *last = self;

    assert_string_equal(phase, "measuring");
    assert_true(progress > *last && progress <= 1);
    *last = progress;
}
static void progress_rises_to_the_end(void **state)
{
    struct fixture *f = *state;
    double last = 0;

    hl_bridge_free(f->bridge);
    f->task.bridge = f->bridge = bridge_of(-30, 60);
    f->task.errand = (struct hl_errand){.tell = count_progress, .self = &last};
    make(f);
    assert_true(last > .99);
}

static void a_cancelled_report_is_not_made(void **state)
{
    struct fixture *f = *state;
    atomic_bool is_cancelled = true;
    struct hl_deadline deadline = {.at_us = HL_DEADLINE_NEVER, .cancelled = &is_cancelled};

    f->task.errand.deadline = &deadline;
    assert_int_equal(hl_report_make(&f->task, &f->report, &f->err), HL_CANCELLED);
    assert_null(f->report);
}

static void a_report_survives_the_lack_of_memory(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    int nth = 0;

    f->task.head = &f->head;
    f->task.own_head = &f->own_head;
    while (code != HL_OK) {
        char rule[32];

        assert_true(++nth < 200);
        snprintf(rule, sizeof rule, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = hl_report_make(&f->task, &f->report, &f->err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || (code == HL_NO_MEMORY && !f->report));
    }
    assert_true(nth > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(without_a_bridge_two_models_are_compared_as_they_are),
        CASE(without_labels_there_is_self_and_overlap),
        CASE(a_chain_goes_through_both),
        CASE(the_dial_turns_from_one_map_to_the_other),
        CASE(a_brief_report_has_groups_and_what_is_served),
        CASE(thresholds_are_of_pairs),
        CASE(what_does_not_belong_together_is_refused),
        CASE(progress_rises_to_the_end),
        CASE(a_cancelled_report_is_not_made),
        CASE(a_report_survives_the_lack_of_memory),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
