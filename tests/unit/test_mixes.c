/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/mixes.h"
#include "proto/fail.h"
#include "tests/unit/circle.h"

/* The circle of tests/unit/circle.h. Queries go straight to their old places. Items may go
 * 100 degrees astray: one that is new is then lost to its own query in the old space, and
 * to no other. */
static struct hl_mixes mixes;

/* Scores mean the same everywhere, and items go straight. */
static struct hl_bridge *make_bridge(void)
{
    struct hl_bridge *bridge = new_bridge();
    struct hl_bridge_way *way = &bridge->ways[HL_MODALITY_IMAGE];

    way->judged = send_all(0);
    way->faithful = send_all(0);
    bridge->from_own = (struct hl_scale){10, -5};
    way->old_items[0] = bridge->from_own;
    return bridge;
}

static int set_up(void **state)
{
    mixes = (struct hl_mixes){.chosen = HL_BRIDGE_BACKWARD};
    *state = new_fixture(make_bridge());
    return 0;
}

static void lead_items_astray(struct fixture *f)
{
    struct hl_bridge_way *way = &f->bridge->ways[HL_MODALITY_IMAGE];

    hl_map_free(way->faithful);
    way->faithful = send_all(100);
}

/* A query and its item are the same to the new model, where they were strangers. */
static void let_the_new_model_find(struct fixture *f)
{
    for (size_t row = HALF; row < N; row++) {
        f->from[N * row + row] = 0;
        f->from[N * row + row - HALF] = 1;
    }
}

static void choose(struct fixture *f)
{
    assert_int_equal(hl_mixes_choose(&f->task, f->bridge, &mixes, &f->err), HL_OK);
    assert_int_equal(mixes.chosen, f->bridge->strategy);
}

static void assert_figure(struct hl_figure figure, double value, uint64_t of)
{
    if (!(fabs(figure.value - value) < 1e-9) || figure.of != of)
        fail_msg("%f of %lu, wanted %f of %lu", figure.value, (unsigned long)figure.of,
                 value, (unsigned long)of);
}

/* Of the first thing found, at each mix. */
static void assert_first(bool is_dual, double a, double b, double c)
{
    const double wanted[HL_N_MIXES] = {a, b, c};

    for (size_t i = 0; i < HL_N_MIXES; i++) {
        const struct hl_mix *mix = &mixes.mixes[i];

        assert_figure((is_dual ? mix->dual : mix->backward).top1, wanted[i], HALF);
    }
}

static void mixes_are_a_quarter_a_half_and_three(void **state)
{
    struct fixture *f = *state;

    choose(f);
    for (size_t i = 0; i < HL_N_MIXES; i++)
        assert_true(fabs(mixes.mixes[i].share - .25 * (double)(i + 1)) < 1e-9);
}

/* Each item that is new is lost to its query in the old space, and found in the new one. */
static void where_items_go_astray_each_space_is_better_for_its_own(void **state)
{
    struct fixture *f = *state;

    lead_items_astray(f);
    let_the_new_model_find(f);
    choose(f);
    assert_int_equal(f->bridge->strategy, HL_BRIDGE_DUAL);
    assert_first(false, .75, .5, .25);
    assert_first(true, 1, 1, 1);
    assert_figure(mixes.mixes[2].dual.map, 1, HALF);
    assert_true(mixes.mixes[0].backward.map.value > mixes.mixes[2].backward.map.value);
}

/* To the new model all items are equally strange. */
/* Each class is one item here: the two ways round are two deals of four. */
static void the_same_is_counted_where_whole_classes_are_new(void **state)
{
    struct fixture *f = *state;
    const double wanted[HL_N_MIXES] = {.75, .5, .25};

    lead_items_astray(f);
    let_the_new_model_find(f);
    choose(f);
    for (size_t i = 0; i < HL_N_MIXES; i++) {
        assert_figure(mixes.mixes[i].backward.top1_by_class, wanted[i], N);
        assert_figure(mixes.mixes[i].dual.top1_by_class, 1, N);
    }
    assert_figure(mixes.lead, .5, HALF);
    assert_figure(mixes.lead_by_class, .5, HALF);
}

/* Of two classes of two the items lie next to each other. A new item, at 0 to all, hides
 * behind any old one, at .1 and more: by chance its classmate may be the one. */
static void a_class_that_is_new_is_new_as_a_whole(void **state)
{
    struct fixture *f = *state;

    for (size_t row = 0; row < N; row++)
        f->labels[row] = (int32_t)(row % HALF / 2);
    f->bridge->ways[0].old_items[0].offset = -5 + 1;
    choose(f);
    assert_figure(mixes.mixes[1].dual.top1, .75, HALF);
    assert_figure(mixes.mixes[1].dual.top1_by_class, .5, N);
}

/* Of mAP dual has more in all of them. */
static void more_map_is_not_worth_what_is_found_at_once(void **state)
{
    static const struct {
        double high, high_by_class;
        uint64_t of_classes;
        enum hl_bridge_strategy wanted;
    } cases[] = {
        {.01, .01, 4, HL_BRIDGE_DUAL},       {0, 0, 4, HL_BRIDGE_DUAL},
        {-.001, .01, 4, HL_BRIDGE_BACKWARD}, {.01, -.001, 4, HL_BRIDGE_BACKWARD},
        {.01, -.001, 0, HL_BRIDGE_DUAL}, /* nothing was measured by class */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hl_mixes made = {
            .lead = {.value = -.02, .low = -.03, .high = cases[i].high, .of = 4},
            .lead_by_class = {-.02, -.03, cases[i].high_by_class, cases[i].of_classes}};

        for (size_t mix = 0; mix < HL_N_MIXES; mix++) {
            made.mixes[mix].backward.map = (struct hl_figure){.value = .5, .of = 4};
            made.mixes[mix].dual.map = (struct hl_figure){.value = .6, .of = 4};
        }
        assert_int_equal(hl_mixes_better(&made), cases[i].wanted);
        made.mixes[2].dual.map.of = 0;
        made.mixes[0].dual.map.of = 0;
        assert_int_equal(hl_mixes_better(&made), HL_BRIDGE_BACKWARD);
    }
}

static void images_are_brought_to_the_own_scale(void **state)
{
    struct fixture *f = *state;

    f->bridge->ways[0].new_items[0] = (struct hl_scale){10, -5 - 25};
    choose(f);
    assert_first(false, .75, .5, .25);
    f->bridge->from_own = (struct hl_scale){0};
    choose(f);
    assert_first(false, 1, 1, 1);
}

static void where_the_new_model_finds_nothing_all_go_back(void **state)
{
    struct fixture *f = *state;

    f->bridge->strategy = HL_BRIDGE_DUAL;
    choose(f);
    assert_int_equal(f->bridge->strategy, HL_BRIDGE_BACKWARD);
    assert_first(false, 1, 1, 1);
    assert_true(mixes.mixes[0].dual.top1.value < 1);
}

static void of_equal_strategies_it_is_backward(void **state)
{
    struct fixture *f = *state;

    let_the_new_model_find(f);
    choose(f);
    assert_int_equal(f->bridge->strategy, HL_BRIDGE_BACKWARD);
    assert_first(false, 1, 1, 1);
    assert_first(true, 1, 1, 1);
}

/* Shifted by -2 an old item at its place, at -1, is lost to any new stranger, at 0. */
static void old_items_are_brought_to_the_own_scale(void **state)
{
    struct fixture *f = *state;

    lead_items_astray(f);
    let_the_new_model_find(f);
    f->bridge->ways[0].old_items[0].offset = -5 - 20;
    choose(f);
    assert_first(true, .25, .5, .75);
}

static void queries_go_at_the_fidelity_that_is_served(void **state)
{
    struct fixture *f = *state;

    lead_items_astray(f);
    let_the_new_model_find(f);
    f->bridge->fidelity = 1;
    f->bridge->ways[0].old_items[10] = f->bridge->from_own;
    choose(f);
    assert_first(false, .25, .5, .75);
}

static void without_a_scale_nothing_is_said_of_dual(void **state)
{
    struct fixture *f = *state;

    lead_items_astray(f);
    let_the_new_model_find(f);
    f->bridge->from_own = (struct hl_scale){0};
    choose(f);
    assert_int_equal(f->bridge->strategy, HL_BRIDGE_BACKWARD);
    assert_first(false, .75, .5, .25);
    assert_int_equal(mixes.mixes[1].dual.map.of, 0);
}

/* Items ask for themselves; to the new model nothing is like them but they. */
static void without_labels_the_photograph_is_what_is_looked_for(void **state)
{
    struct fixture *f = *state;

    lead_items_astray(f);
    f->exam.labels = NULL;
    choose(f);
    assert_int_equal(f->bridge->strategy, HL_BRIDGE_DUAL);
    assert_first(false, .75, .5, .25);
    assert_first(true, 1, 1, 1);
    assert_int_equal(mixes.mixes[1].dual.top1_by_class.of, 0);
    assert_int_equal(mixes.lead_by_class.of, 0);
    f->exam.labels = f->labels;
    f->labels[HALF] = f->labels[HALF + 1] = -1;
    f->bridge->task = HL_TASK_SAME;
    choose(f);
    assert_first(true, 1, 1, 1);
}

static void a_query_of_no_known_label_asks_nothing(void **state)
{
    struct fixture *f = *state;

    f->labels[0] = -1;
    f->labels[HALF + 3] = -1;
    choose(f);
    assert_figure(mixes.mixes[0].backward.top1, 1, 2);
}

static void a_report_measures_what_the_bridge_says_and_of_a_chain_nothing(void **state)
{
    struct fixture *f = *state;
    struct hl_bridge *then = NULL;
    struct hl_report *report = NULL;

    lead_items_astray(f);
    let_the_new_model_find(f);
    f->bridge->strategy = HL_BRIDGE_DUAL;
    f->task.bridge = f->bridge;
    assert_int_equal(hl_report_make(&f->task, &report, &f->err), HL_OK);
    mixes = report->mixes;
    hl_report_free(report);
    assert_int_equal(mixes.chosen, HL_BRIDGE_DUAL);
    assert_first(false, .75, .5, .25);
    assert_int_equal(hl_bridge_new("v1", "v0", &then, &f->err), HL_OK);
    then->dim_from = then->dim_to = DIM;
    assert_int_equal(hl_map_new(DIM, DIM, 0, &then->ways[0].faithful, &f->err), HL_OK);
    then->ways[0].faithful->p[0] = then->ways[0].faithful->p[3] = 1;
    f->task.then = then;
    assert_int_equal(hl_report_make(&f->task, &report, &f->err), HL_OK);
    assert_int_equal(report->mixes.mixes[0].backward.map.of, 0);
    hl_report_free(report);
    hl_bridge_free(then);
}

static void choosing_survives_the_lack_of_memory(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    int nth = 0;

    lead_items_astray(f);
    let_the_new_model_find(f);
    while (code != HL_OK) {
        char rule[32];

        assert_int_equal(f->bridge->strategy, HL_BRIDGE_BACKWARD);
        snprintf(rule, sizeof rule, "alloc=%d:fail", ++nth);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = hl_mixes_choose(&f->task, f->bridge, &mixes, &f->err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_int_equal(f->bridge->strategy, HL_BRIDGE_DUAL);
    assert_true(nth > 20 && nth < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(mixes_are_a_quarter_a_half_and_three),
        CASE(where_items_go_astray_each_space_is_better_for_its_own),
        CASE(the_same_is_counted_where_whole_classes_are_new),
        CASE(a_class_that_is_new_is_new_as_a_whole),
        CASE(more_map_is_not_worth_what_is_found_at_once),
        CASE(images_are_brought_to_the_own_scale),
        CASE(where_the_new_model_finds_nothing_all_go_back),
        CASE(of_equal_strategies_it_is_backward),
        CASE(old_items_are_brought_to_the_own_scale),
        CASE(queries_go_at_the_fidelity_that_is_served),
        CASE(without_a_scale_nothing_is_said_of_dual),
        CASE(without_labels_the_photograph_is_what_is_looked_for),
        CASE(a_query_of_no_known_label_asks_nothing),
        CASE(a_report_measures_what_the_bridge_says_and_of_a_chain_nothing),
        CASE(choosing_survives_the_lack_of_memory),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
