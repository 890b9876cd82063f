/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/logistic.h"
#include "proto/alloc.h"

#include <math.h>

struct pair {
    float score;
    bool is_same;
};

static struct hl_scale fit(const struct pair *pairs, size_t n, size_t times)
{
    struct hl_logistic *logistic = hl_alloc_zeroed(1, sizeof *logistic);
    struct hl_scale scale;

    assert_non_null(logistic);
    for (size_t i = 0; i < n * times; i++)
        hl_logistic_add(logistic, pairs[i % n].score, pairs[i % n].is_same);
    scale = hl_logistic_fit(logistic);
    hl_free(logistic);
    return scale;
}

static void assert_scale(struct hl_scale scale, double slope, double offset)
{
    if (!(fabs((double)scale.slope - slope) < 2e-3 &&
          fabs((double)scale.offset - offset) < 2e-3))
        fail_msg("%f %f, wanted %f %f", (double)scale.slope, (double)scale.offset, slope,
                 offset);
}

/* Of numpy, by Newton's method on the six pairs themselves. */
static void the_likeliest_scale_is_found(void **state)
{
    static const struct pair pairs[] = {{-.5F, false}, {-.25F, false}, {0, true},
                                        {.25F, false}, {.5F, true},    {.75F, true}};

    (void)state;
    assert_scale(fit(pairs, 6, 1), 2.14203852, -0.26775482);
}

/* Targets of 2/3 and 1/3 at ±.5: a slope of 2·log 2. */
static void kinds_that_do_not_mix_get_a_finite_scale(void **state)
{
    static const struct pair pairs[] = {{-.5F, false}, {.5F, true}};
    struct hl_scale scale;

    (void)state;
    assert_scale(fit(pairs, 2, 1), 2 * log(2), 0);
    scale = fit(pairs, 2, 1000000);
    assert_true(isfinite(scale.slope) && scale.slope > 25 && scale.slope < 30);
}

static void rare_pairs_move_the_offset(void **state)
{
    static const struct pair pairs[] = {{.5F, true},   {.4F, false}, {.3F, false},
                                        {.45F, false}, {.2F, false}, {-.1F, false},
                                        {.55F, false}, {0, false},   {.35F, true}};
    struct hl_scale scale = fit(pairs, 9, 1000);
    double sum = 0;

    (void)state;
    for (size_t i = 0; i < 9; i++)
        sum += 1 / (1 + exp(-(double)(scale.slope * pairs[i].score + scale.offset)));
    assert_true(scale.slope > 0);
    assert_true(fabs(sum - 2) < 1e-2); /* as many as there are */
}

static void what_shows_nothing_is_not_measured(void **state)
{
    static const struct pair same[] = {{.5F, true}, {.2F, true}};
    static const struct pair backwards[] = {{-.5F, true}, {.5F, false}};
    static const struct pair nothing[] = {{NAN, true}, {.5F, false}};
    static const struct pair constant[] = {{.5F, true}, {.5F, false}};

    (void)state;
    assert_scale(fit(same, 2, 1), 0, 0);
    assert_scale(fit(backwards, 2, 5), 0, 0);
    assert_scale(fit(nothing, 2, 1), 0, 0);
    assert_scale(fit(constant, 2, 100), 0, 0);
}

static void scores_beyond_one_are_counted_at_the_ends(void **state)
{
    static const struct pair pairs[] = {{1.000001F, true}, {-1.000001F, false}};

    (void)state;
    assert_scale(fit(pairs, 2, 1), log(2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_likeliest_scale_is_found),
        cmocka_unit_test(kinds_that_do_not_mix_get_a_finite_scale),
        cmocka_unit_test(rare_pairs_move_the_offset),
        cmocka_unit_test(what_shows_nothing_is_not_measured),
        cmocka_unit_test(scores_beyond_one_are_counted_at_the_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
