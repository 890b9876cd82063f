/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/worth.h"
#include "proto/fail.h"

#include <math.h>
#include <stdio.h>

/* Photographs on a circle, by degrees. */
enum { MOST = 400, DIM = 2 };

static void place(float *rows, const double *degrees, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rows[DIM * i] = (float)cos(degrees[i] * M_PI / 180);
        rows[DIM * i + 1] = (float)sin(degrees[i] * M_PI / 180);
    }
}

/* What the rows are worth before that sample. */
static void weigh(const double *sample, size_t n_sample, const double *rows, size_t n,
                  float *worths)
{
    static float sample_rows[DIM * MOST], own_rows[DIM * MOST];
    struct hl_worth *worth = NULL;
    struct hl_err err;

    place(sample_rows, sample, n_sample);
    place(own_rows, rows, n);
    assert_int_equal(hl_worth_new(sample_rows, n_sample, DIM, &worth, &err), HL_OK);
    assert_int_equal(hl_worth_of(worth, own_rows, n, worths, &err), HL_OK);
    hl_worth_free(worth);
}

static double cosine(double degrees)
{
    return cos(degrees * M_PI / 180);
}

static void assert_near(float value, double wanted)
{
    if (!(fabs((double)value - wanted) < 1e-5))
        fail_msg("%f, wanted %f", (double)value, wanted);
}

/* Twelve at 0, 1 … 11 degrees. From 0 the nearest, at 0, is left out, and the farthest is
 * one too many: 1 to 10 degrees away. From
 * 90 that is 80 to 89 degrees, without the 79 of the nearest. */
static void an_item_is_worth_its_ten_nearest_but_one(void **state)
{
    static const double sample[] = {7, 0, 11, 3, 1, 9, 2, 10, 4, 8, 5, 6}, rows[] = {0, 90};
    double near = 0, far = 0;
    float worths[2];

    (void)state;
    weigh(sample, 12, rows, 2, worths);
    for (int i = 1; i <= 10; i++) {
        near += cosine(i) / 10;
        far += cosine(79 + i) / 10;
    }
    assert_near(worths[0], near);
    assert_near(worths[1], far);
}

static void a_small_sample_is_all_company_there_is(void **state)
{
    static const double sample[] = {0, 60, 180}, rows[] = {0, 180};
    float worths[2];

    (void)state;
    weigh(sample, 3, rows, 2, worths);
    assert_near(worths[0], (.5 - 1) / 2);
    assert_near(worths[1], (-.5 - 1) / 2);
    weigh(sample, 1, rows, 2, worths);
    assert_near(worths[0], 1);
    assert_near(worths[1], -1);
}

/* A crowd at 0 to 19 degrees, a few at 180. */
static void who_is_in_a_crowd_comes_before_who_is_alone(void **state)
{
    static const double rows[] = {10, 182, 100, 0, 19};
    double sample[24];
    float worths[5];

    (void)state;
    for (size_t i = 0; i < 24; i++)
        sample[i] = i < 20 ? (double)i : 160 + (double)i;
    weigh(sample, 24, rows, 5, worths);
    assert_true(worths[0] > worths[3] && worths[3] > worths[2] && worths[2] > worths[1]);
    assert_near(worths[3], (double)worths[4]);
}

/* More than go into a block, in another order and by other numbers. */
static void worth_does_not_depend_on_company_in_the_call(void **state)
{
    double sample[40], rows[MOST];
    float worths[MOST], alone;

    (void)state;
    for (size_t i = 0; i < 40; i++)
        sample[i] = 9.0 * (double)i * (double)(i % 3);
    for (size_t i = 0; i < MOST; i++)
        rows[i] = 1.7 * (double)i;
    weigh(sample, 40, rows, MOST, worths);
    for (size_t i = 0; i < MOST; i += 57) {
        weigh(sample, 40, rows + i, 1, &alone);
        assert_near(alone, (double)worths[i]);
    }
}

static void nothing_asked_is_nothing_done(void **state)
{
    static const double sample[] = {0, 60};
    float untouched = 7;

    (void)state;
    weigh(sample, 2, sample, 0, &untouched);
    assert_near(untouched, 7);
}

static enum hl_code try_all(struct hl_err *err)
{
    static const float rows[] = {1, 0, 0, 1};
    struct hl_worth *worth = NULL;
    float worths[2];
    enum hl_code code = hl_worth_new(rows, 2, DIM, &worth, err);

    if (code == HL_OK)
        code = hl_worth_of(worth, rows, 2, worths, err);
    hl_worth_free(worth);
    return code;
}

static void the_lack_of_memory_is_told(void **state)
{
    struct hl_err err;
    enum hl_code code = HL_NO_MEMORY;
    int nth = 0;

    (void)state;
    while (code != HL_OK) {
        char rule[32];

        snprintf(rule, sizeof rule, "alloc=%d:fail", ++nth);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = try_all(&err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_int_equal(nth, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_is_worth_its_ten_nearest_but_one),
        cmocka_unit_test(a_small_sample_is_all_company_there_is),
        cmocka_unit_test(who_is_in_a_crowd_comes_before_who_is_alone),
        cmocka_unit_test(worth_does_not_depend_on_company_in_the_call),
        cmocka_unit_test(nothing_asked_is_nothing_done),
        cmocka_unit_test(the_lack_of_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
