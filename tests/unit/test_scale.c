/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/scale.h"

#include <float.h>
#include <math.h>

/* Step i is of slope 10 + i² and offset -i. */
static void fill(struct hl_scale steps[HL_N_FIDELITIES])
{
    for (size_t i = 0; i < HL_N_FIDELITIES; i++)
        steps[i] = (struct hl_scale){10 + (float)(i * i), -(float)i};
}

static void assert_scale(struct hl_scale scale, double slope, double offset)
{
    assert_true(fabs((double)scale.slope - slope) < 1e-4);
    assert_true(fabs((double)scale.offset - offset) < 1e-4);
}

static double likelihood(struct hl_scale scale, double score)
{
    return 1 / (1 + exp(-((double)scale.slope * score + (double)scale.offset)));
}

static void a_step_of_the_dial_is_what_was_measured_there(void **state)
{
    struct hl_scale steps[HL_N_FIDELITIES];
    static const float fidelities[] = {0, .1F, .2F, .3F, .4F, .5F, .6F, .7F, .8F, .9F, 1};

    (void)state;
    fill(steps);
    for (size_t i = 0; i < HL_N_FIDELITIES; i++) {
        struct hl_scale scale = hl_scale_at(steps, fidelities[i]);

        assert_memory_equal(&scale, &steps[i], sizeof scale);
    }
}

static void between_steps_both_count_by_nearness(void **state)
{
    struct hl_scale steps[HL_N_FIDELITIES];

    (void)state;
    fill(steps);
    assert_scale(hl_scale_at(steps, .05F), 10.5, -.5);
    assert_scale(hl_scale_at(steps, .325F), 19 + .25 * 7, -3.25);
    assert_scale(hl_scale_at(steps, .99F), 91 + .9 * 19, -9.9);
}

static void beyond_the_dial_is_its_end(void **state)
{
    struct hl_scale steps[HL_N_FIDELITIES];

    (void)state;
    fill(steps);
    assert_scale(hl_scale_at(steps, -3), 10, 0);
    assert_scale(hl_scale_at(steps, 1.5F), 110, -10);
    assert_scale(hl_scale_at(steps, INFINITY), 110, -10);
    assert_scale(hl_scale_at(steps, NAN), 10, 0);
}

/* Step 4 is missing: it, and all between 3 and 5. */
static void nothing_is_said_beside_a_step_that_was_not_measured(void **state)
{
    struct hl_scale steps[HL_N_FIDELITIES];

    (void)state;
    fill(steps);
    steps[4] = (struct hl_scale){0};
    assert_false(hl_scale_is_measured(hl_scale_at(steps, .4F)));
    assert_false(hl_scale_is_measured(hl_scale_at(steps, .35F)));
    assert_false(hl_scale_is_measured(hl_scale_at(steps, .45F)));
    assert_true(hl_scale_is_measured(hl_scale_at(steps, .3F)));
    assert_true(hl_scale_is_measured(hl_scale_at(steps, .5F)));
}

static void a_score_and_its_likeness_are_as_likely_the_same(void **state)
{
    static const struct hl_scale scales[] = {{12, -7}, {30, -14}, {4.5F, .5F}};

    (void)state;
    for (size_t i = 0; i < 9; i++) {
        struct hl_scale from = scales[i / 3], to = scales[i % 3];
        struct hl_affine affine = {0};

        assert_true(hl_affine_between(from, to, &affine));
        assert_true(affine.factor > 0);
        for (int score = -10; score <= 10; score++) {
            float before = (float)score / 10, after = hl_affine_apply(affine, before);

            assert_true(fabs(likelihood(from, (double)before) -
                             likelihood(to, (double)after)) < 1e-5);
        }
    }
}

static void equal_scales_leave_scores_as_they_are_to_the_bit(void **state)
{
    struct hl_scale scale = {17.3F, -9.1F};
    struct hl_affine affine = {0};

    (void)state;
    assert_true(hl_affine_between(scale, scale, &affine));
    for (int i = -1000; i <= 1000; i++) {
        float score = (float)i / 1000, after = hl_affine_apply(affine, score);

        assert_memory_equal(&after, &score, sizeof after);
    }
}

static void scales_that_were_not_measured_are_not_compared(void **state)
{
    static const struct hl_scale none, one = {12, -7}, tiny = {FLT_MIN, 0},
                                       huge = {FLT_MAX, 0}, far = {1, FLT_MAX};
    struct hl_affine affine = {3, 4};

    (void)state;
    assert_false(hl_affine_between(none, one, &affine));
    assert_false(hl_affine_between(one, none, &affine));
    assert_false(hl_affine_between(tiny, huge, &affine));
    assert_false(hl_affine_between(huge, tiny, &affine));
    assert_false(hl_affine_between(far, (struct hl_scale){.1F, 0}, &affine));
    assert_true(affine.factor > 2.9F && affine.shift > 3.9F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_of_the_dial_is_what_was_measured_there),
        cmocka_unit_test(between_steps_both_count_by_nearness),
        cmocka_unit_test(beyond_the_dial_is_its_end),
        cmocka_unit_test(nothing_is_said_beside_a_step_that_was_not_measured),
        cmocka_unit_test(a_score_and_its_likeness_are_as_likely_the_same),
        cmocka_unit_test(equal_scales_leave_scores_as_they_are_to_the_bit),
        cmocka_unit_test(scales_that_were_not_measured_are_not_compared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
