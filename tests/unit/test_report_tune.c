/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "tests/unit/circle.h"

#include <string.h>

/* The circle of tests/unit/circle.h. A photograph that goes `off` degrees astray at one end
 * of the dial crosses to the next item, 45 degrees on, somewhere on the way: of 100 degrees
 * where the astray map weighs .463, of 58.6 where it weighs .75. */

/* On the judged side two items of four are astray below .6, on the faithful side one query
 * from .5 and another from .8 on. */
static struct hl_bridge *make_bridge(void)
{
    struct hl_bridge *bridge = new_bridge();
    struct hl_bridge_way *way = &bridge->ways[HL_MODALITY_IMAGE];

    way->judged = send_all(0);
    way->faithful = send_all(0);
    send_to(way->judged, HALF + 0, place_of(0) + 100);
    send_to(way->judged, HALF + 1, place_of(1) + 100);
    send_to(way->faithful, 0, place_of(0) + 100);
    send_to(way->faithful, 1, place_of(1) + 58.6);
    return bridge;
}

static int set_up(void **state)
{
    *state = new_fixture(make_bridge());
    return 0;
}

static void tune(struct fixture *f)
{
    assert_int_equal(hl_report_tune(&f->task, f->bridge, &f->err), HL_OK);
}

static void assert_near(float value, float wanted)
{
    if (!(fabsf(value - wanted) < 1e-6F))
        fail_msg("%f, wanted %f", (double)value, (double)wanted);
}

static bool is_measured(struct hl_scale scale)
{
    return scale.slope > 0;
}

/* Found themselves: 2 of 4 below .6, 4 from there. Flips: 0 below .5, 1 below .8, then 2.
 * So .6 and .7 are the best that keep enough of themselves. */
static void the_blend_with_fewest_flips_that_finds_itself_is_chosen(void **state)
{
    struct fixture *f = *state;

    tune(f);
    assert_near(f->bridge->fidelity, .7F);
}

/* Three items of four are .75, which is enough. */
static void what_keeps_enough_of_itself_may_go_further(void **state)
{
    struct fixture *f = *state;

    send_to(f->bridge->ways[0].judged, HALF + 1, place_of(1));
    tune(f);
    assert_near(f->bridge->fidelity, .4F);
}

/* At .7 the first query lies at 75.5 degrees; the old vector at 0 brings it below 45 from
 * .5 on. */
static void the_old_vector_weighs_what_saves_most(void **state)
{
    struct fixture *f = *state;

    tune(f);
    assert_near(f->bridge->old_weight, .5F);
}

static void where_nothing_is_lost_the_old_vector_weighs_nothing(void **state)
{
    struct fixture *f = *state;

    send_to(f->bridge->ways[0].faithful, 0, place_of(0));
    send_to(f->bridge->ways[0].faithful, 1, place_of(1));
    tune(f);
    assert_near(f->bridge->fidelity, 1);
    assert_near(f->bridge->old_weight, 0);
}

/* The first query is 100 degrees astray and comes home at .6; there two others, whose old
 * vectors find another class, are lost. */
static void a_weight_that_finds_less_is_not_taken(void **state)
{
    struct fixture *f = *state;
    struct hl_bridge_way *way = &f->bridge->ways[0];

    hl_map_free(way->judged);
    hl_map_free(way->faithful);
    way->judged = NULL;
    way->faithful = send_all(0);
    send_to(way->faithful, 0, place_of(0) + 100);
    for (size_t row = 2; row < HALF; row++) {
        f->to[DIM * row] = (float)cos((place_of(row) + 85) * M_PI / 180);
        f->to[DIM * row + 1] = (float)sin((place_of(row) + 85) * M_PI / 180);
    }
    tune(f);
    assert_near(f->bridge->old_weight, 0);
}

static void the_very_photograph_is_served_faithfully(void **state)
{
    struct fixture *f = *state;

    f->bridge->task = HL_TASK_SAME;
    tune(f);
    assert_near(f->bridge->fidelity, 1);
    assert_near(f->bridge->old_weight, .3F);
    assert_true(is_measured(f->bridge->ways[0].old_items[10]));
    f->bridge->task = HL_TASK_SIMILAR;
    f->exam.labels = NULL;
    f->bridge->fidelity = 0;
    tune(f);
    assert_near(f->bridge->fidelity, 1);
}

static void one_map_is_served_at_any_fidelity(void **state)
{
    struct fixture *f = *state;
    struct hl_bridge_way *way = &f->bridge->ways[0];

    hl_map_free(way->judged);
    way->judged = NULL;
    tune(f);
    assert_near(f->bridge->fidelity, 1);
    for (size_t step = 0; step < HL_N_FIDELITIES; step++) {
        assert_near(way->old_items[step].slope, way->old_items[0].slope);
        assert_near(way->new_items[step].offset, way->new_items[0].offset);
        assert_true(is_measured(way->old_items[step]));
    }
}

/* Old queries stand where their items do, 4 pairs at 1, 8 at 0 and 4 at -1: by numpy, with
 * targets of 5/6 and 1/14. */
static void scales_are_those_of_the_scores(void **state)
{
    struct fixture *f = *state;

    tune(f);
    if (!(fabsf(f->bridge->to_own.slope - 3.0568F) < .01F &&
          fabsf(f->bridge->to_own.offset + 1.8529F) < .01F))
        fail_msg("%f %f", (double)f->bridge->to_own.slope,
                 (double)f->bridge->to_own.offset);
    assert_near(f->bridge->to_queries.slope, f->bridge->to_own.slope);
}

static void text_has_scales_of_its_own(void **state)
{
    struct fixture *f = *state;
    const struct hl_bridge_way *text = &f->bridge->ways[HL_MODALITY_TEXT];

    tune(f);
    assert_false(is_measured(text->old_items[0]) || is_measured(text->new_items[10]));
    f->modalities[2] = f->modalities[3] = HL_MODALITY_TEXT;
    tune(f);
    assert_true(is_measured(text->old_items[0]) && is_measured(text->new_items[10]));
}

static void tuning_is_refused_where_judging_is(void **state)
{
    struct fixture *f = *state;

    f->exam.from = NULL;
    assert_int_equal(hl_report_tune(&f->task, f->bridge, &f->err), HL_INVALID);
    assert_string_equal(f->err.msg, "there are no vectors of the new model to judge on: "
                                    "every row needs those of both models");
}

static void tuning_survives_the_lack_of_memory(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    int nth = 0;

    while (code != HL_OK) {
        char rule[32];

        assert_true(++nth < 400);
        snprintf(rule, sizeof rule, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = hl_report_tune(&f->task, f->bridge, &f->err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_true(nth > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(the_blend_with_fewest_flips_that_finds_itself_is_chosen),
        CASE(what_keeps_enough_of_itself_may_go_further),
        CASE(the_old_vector_weighs_what_saves_most),
        CASE(where_nothing_is_lost_the_old_vector_weighs_nothing),
        CASE(a_weight_that_finds_less_is_not_taken),
        CASE(the_very_photograph_is_served_faithfully),
        CASE(one_map_is_served_at_any_fidelity),
        CASE(scales_are_those_of_the_scores),
        CASE(text_has_scales_of_its_own),
        CASE(tuning_is_refused_where_judging_is),
        CASE(tuning_survives_the_lack_of_memory),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
