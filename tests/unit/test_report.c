/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/report.h"
#include "proto/fail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Eight photographs on a circle, by degrees. The first four ask. Those of class 0 the old
 * head knows, those of class 7 it does not. The bridge turns new vectors back by 30
 * degrees.
 *
 *                    q0   q1   q2   q3 |  g0   g1   g2   g3
 *     class           0    0    7    7 |   0    7    0    7
 *     old             5   15  104   92 |   0   20   90  110
 *     new, mapped    15    5  104  108 |   1   60   95  111 */
enum { N = 8, HALF = 4, DIM = 2 };

static const double old_degrees[N] = {5, 15, 104, 92, 0, 20, 90, 110};
static const double new_degrees[N] = {15, 5, 104, 108, 1, 60, 95, 111};
static const int32_t classes[N] = {0, 0, 7, 7, 0, 7, 0, 7};

struct fixture {
    float from[N * DIM], to[N * DIM];
    int32_t labels[N];
    uint8_t modalities[N];
    float head_weight[2 * DIM], own_weight[2 * DIM];
    struct hl_head head, own_head;
    struct hl_exam exam;
    struct hl_bridge *bridge, *then;
    struct hl_report_task task;
    struct hl_report *report;
    struct hl_err err;
};

static void put(float *rows, size_t row, double degrees)
{
    rows[DIM * row] = (float)cos(degrees * M_PI / 180);
    rows[DIM * row + 1] = (float)sin(degrees * M_PI / 180);
}

static struct hl_map *turning(double degrees)
{
    struct hl_map *map = NULL;
    struct hl_err err;

    if (hl_map_new(DIM, DIM, 0, &map, &err) != HL_OK)
        abort();
    put(map->p, 0, -degrees); /* (cos, -sin), (sin, cos) */
    put(map->p, 1, 90 - degrees);
    return map;
}

static struct hl_bridge *bridge_of(double judged, double faithful)
{
    struct hl_bridge *bridge = NULL;
    struct hl_err err;

    if (hl_bridge_new("v2", "v1", &bridge, &err) != HL_OK)
        abort();
    bridge->dim_from = bridge->dim_to = DIM;
    bridge->ways[HL_MODALITY_IMAGE].judged = turning(judged);
    bridge->ways[HL_MODALITY_IMAGE].faithful = turning(faithful);
    return bridge;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    for (size_t row = 0; row < N; row++) {
        put(f->to, row, old_degrees[row]);
        put(f->from, row, new_degrees[row] + 30);
    }
    memcpy(f->labels, classes, sizeof classes);
    put(f->head_weight, 0, 10);
    put(f->head_weight, 1, 60);
    put(f->own_weight, 0, 100 + 30);
    put(f->own_weight, 1, 10 + 30);
    f->head = (struct hl_head){.n_rows = 2, .dim = DIM, .weight = f->head_weight};
    f->own_head = (struct hl_head){.n_rows = 2, .dim = DIM, .weight = f->own_weight};
    f->exam = (struct hl_exam){.n_rows = N,
                               .n_queries = HALF,
                               .n_ranked = HALF,
                               .dim_from = DIM,
                               .dim_to = DIM,
                               .from = f->from,
                               .to = f->to,
                               .labels = f->labels,
                               .modalities = f->modalities};
    f->bridge = bridge_of(-30, -30);
    f->task = (struct hl_report_task){.exam = &f->exam, .bridge = f->bridge};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_report_free(f->report);
    hl_bridge_free(f->bridge);
    hl_bridge_free(f->then);
    free(f);
    return 0;
}

static const struct hl_report_group *make(struct fixture *f)
{
    hl_report_free(f->report);
    f->report = NULL;
    assert_int_equal(hl_report_make(&f->task, &f->report, &f->err), HL_OK);
    if (!f->report)
        abort();
    return f->report->groups;
}

static void assert_refused(struct fixture *f, const char *sentence)
{
    assert_int_equal(hl_report_make(&f->task, &f->report, &f->err), HL_INVALID);
    assert_string_equal(f->err.msg, sentence);
    assert_null(f->report);
}

static void assert_figure(struct hl_figure figure, double value, uint64_t of)
{
    if (!(fabs(figure.value - value) < 1e-9) || figure.of != of)
        fail_msg("%.12f of %lu, wanted %.12f of %lu", figure.value,
                 (unsigned long)figure.of, value, (unsigned long)of);
}

static void assert_retrieval(struct hl_retrieval retrieval, double top1, double map,
                             uint64_t of)
{
    assert_figure(retrieval.top1, top1, of);
    assert_figure(retrieval.map, map, of);
    assert_figure(retrieval.recall10, 1, of);
}

/* A query finds its two at places 1 and 3, or at 2 and 3. */
static const double GOOD = (1.0 + 2.0 / 3) / 2, BAD = (1.0 / 2 + 2.0 / 3) / 2;

static void retrieval_is_measured_in_both_spaces_and_across(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_string_equal(all->name, "all");
    assert_retrieval(all->old_old, .5, (GOOD + BAD) / 2, 4);
    assert_retrieval(all->new_old, .75, (3 * GOOD + BAD) / 4, 4);
    assert_retrieval(all->new_new, 1, GOOD, 4);
}

static void old_queries_are_measured_among_new_items(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_retrieval(all->old_new, .75, (3 * GOOD + BAD) / 4, 4);
    assert_retrieval(all->old_mixed, .75, (3 * GOOD + BAD) / 4, 4);
    assert_figure(all->forward_top1_difference, -.25, 4);
    assert_figure(all->forward_map_difference, (BAD - GOOD) / 4, 4);
    assert_false(all->meets_forward);
}

/* New queries 15 and 108 put where they find another class first, as the old ones do not.
 */
static void forward_is_held_against_the_model_it_leaves(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *all;

    put(f->from, 0, 50 + 30);
    put(f->from, 3, 98 + 30);
    all = make(f);
    assert_retrieval(all->new_new, .5, (GOOD + BAD) / 2, 4);
    assert_figure(all->forward_top1_difference, .25, 4);
    assert_true(all->meets_forward);
    assert_true(all->forward_map_difference.value > 0);
}

static void gains_are_of_what_the_new_model_could_bring(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_figure(all->top1_difference, .25, 4);
    assert_figure(all->map_difference, (GOOD - BAD) / 4, 4);
    assert_figure(all->top1_gain, .5, 4);
    assert_figure(all->map_gain, .5, 4);
    assert_true(all->meets_top1 && all->meets_map);
}

static void flips_are_counted_both_ways(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_figure(all->negative_flips, .25, 4);
    assert_figure(all->positive_flips, .5, 4);
    assert_figure(all->relative_flips, .25 / (.5 * .25), 4);
}

/* The second item, at 60, lies nearer to the third. */
static void photographs_find_themselves_or_do_not(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_figure(all->self1, .75, 4);
    assert_figure(all->self10, 1, 4);
    assert_figure(all->overlap10, 1, 4);
}

static void what_the_old_head_does_not_know_is_a_group(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *groups;

    f->task.head = &f->head;
    groups = make(f);
    assert_int_equal(f->report->n_groups, 3);
    assert_string_equal(groups[1].name, "known");
    assert_string_equal(groups[2].name, "unknown");
    assert_retrieval(groups[1].old_old, .5, (GOOD + BAD) / 2, 2);
    assert_retrieval(groups[1].new_old, .5, (GOOD + BAD) / 2, 2);
    assert_false(groups[1].meets_top1 || groups[1].meets_map);
    assert_retrieval(groups[2].new_old, 1, GOOD, 2);
    assert_true(groups[2].meets_top1 && groups[2].meets_map);
    assert_figure(groups[1].self1, 1, 2);
    assert_figure(groups[2].self1, .5, 2);
}

/* Of class 0 the old head has old 5, 15, 0 right and 90 wrong, mapped 15, 5, 1 and not 95;
 * the new head, whose second row is class 0, the same. */
static void accuracy_is_over_rows_of_known_classes(void **state)
{
    static const int32_t own_classes[] = {7, 0};
    struct fixture *f = *state;
    const struct hl_report_group *groups;

    f->task.head = &f->head;
    f->task.own_head = &f->own_head;
    f->task.own_classes = own_classes;
    groups = make(f);
    assert_figure(groups[0].old_accuracy, .75, 4);
    assert_figure(groups[0].new_accuracy, .75, 4);
    assert_figure(groups[0].own_accuracy, .75, 4);
    assert_figure(groups[0].head_negative_flips, 0, 4);
    assert_figure(groups[2].old_accuracy, 0, 0);
    put(f->from, 0, 90 + 30);
    put(f->to, 6, 20);
    groups = make(f);
    assert_figure(groups[0].old_accuracy, 1, 4);
    assert_figure(groups[0].new_accuracy, .5, 4);
    assert_figure(groups[0].own_accuracy, .5, 4);
    assert_figure(groups[0].head_negative_flips, .5, 4);
    assert_figure(groups[0].head_positive_flips, 0, 4);
    assert_figure(groups[0].head_relative_flips, 1, 4);
}

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

static void text_and_images_are_groups(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *groups;

    f->modalities[2] = f->modalities[3] = HL_MODALITY_TEXT;
    groups = make(f);
    assert_int_equal(f->report->n_groups, 3);
    assert_string_equal(groups[1].name, "image");
    assert_string_equal(groups[2].name, "text");
    assert_retrieval(groups[1].new_old, .5, (GOOD + BAD) / 2, 2);
    assert_retrieval(groups[2].new_old, 1, GOOD, 2);
    assert_figure(groups[1].self1, .75, 4);
    assert_figure(groups[2].self1, 0, 0);
}

static void text_goes_its_own_way_where_it_has_one(void **state)
{
    struct fixture *f = *state;

    f->modalities[2] = f->modalities[3] = HL_MODALITY_TEXT;
    f->bridge->ways[HL_MODALITY_TEXT].faithful = turning(-30 + 180);
    assert_retrieval(make(f)[2].new_old, 0, (1.0 / 2 + 2.0 / 4) / 2, 2);
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
        CASE(retrieval_is_measured_in_both_spaces_and_across),
        CASE(old_queries_are_measured_among_new_items),
        CASE(forward_is_held_against_the_model_it_leaves),
        CASE(gains_are_of_what_the_new_model_could_bring),
        CASE(flips_are_counted_both_ways),
        CASE(photographs_find_themselves_or_do_not),
        CASE(what_the_old_head_does_not_know_is_a_group),
        CASE(accuracy_is_over_rows_of_known_classes),
        CASE(without_a_bridge_two_models_are_compared_as_they_are),
        CASE(without_labels_there_is_self_and_overlap),
        CASE(text_and_images_are_groups),
        CASE(text_goes_its_own_way_where_it_has_one),
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
