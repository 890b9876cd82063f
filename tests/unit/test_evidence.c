/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/evidence.h"

#include "proto/random.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MAX_VALUES = 11, MAX_TOSSES = 150 };

/* A source of cases; each value as likely as its share of the whole. */
struct urn {
    size_t n_values;
    double shares[MAX_VALUES];
};

static struct urn coin(double mean)
{
    return (struct urn){2, {1 - mean, mean}};
}

/* As disagreement@10 is: around .6, wide. */
static const struct urn tenths = {11,
                                  {.02, .03, .05, .08, .12, .15, .17, .15, .12, .07, .04}};

static size_t draw(const struct urn *urn, struct hl_random *random)
{
    double unit = hl_random_unit(random);

    for (size_t i = 0; i + 1 < urn->n_values; i++) {
        if (unit < urn->shares[i])
            return i;
        unit -= urn->shares[i];
    }
    return urn->n_values - 1;
}

static double mean_of(const struct urn *urn)
{
    double sum = 0;

    for (size_t i = 0; i < urn->n_values; i++)
        sum += urn->shares[i] * (double)i / (double)(urn->n_values - 1);
    return sum;
}

static double counted(const uint64_t *counts, size_t n_values)
{
    double sum = 0, n = 0;

    for (size_t i = 0; i < n_values; i++) {
        sum += (double)counts[i] * (double)i / (double)(n_values - 1);
        n += (double)counts[i];
    }
    return n > 0 ? sum / n : 0;
}

/* A bound lies on its side of what was counted (a test below), so only there a look can be
 * wrong. */
static bool is_wrong(const uint64_t *counts, const struct urn *urn, bool is_lower)
{
    double mean = mean_of(urn);

    if ((counted(counts, urn->n_values) > mean) != is_lower)
        return false;
    return is_lower ? hl_mean_at_least(counts, urn->n_values, .1) > mean
                    : hl_mean_at_most(counts, urn->n_values, .1) < mean;
}

/* Of so many runs, how many bounds were wrong at any of `n` looks. */
static int wrong_bounds(const struct urn *urn, int n_runs, int n, bool is_lower)
{
    int n_wrong = 0;

    for (int run = 0; run < n_runs; run++) {
        struct hl_random random = {hl_random_mix((uint64_t)run)};
        uint64_t counts[MAX_VALUES] = {0};
        bool has_erred = false;

        for (int i = 0; i < n && !has_erred; i++) {
            counts[draw(urn, &random)]++;
            has_erred = is_wrong(counts, urn, is_lower);
        }
        n_wrong += has_erred;
    }
    return n_wrong;
}

/* What is asked of tosses: whether their mean is shown to be above a mark, by a bound from
 * below, by one from above (of the other side of the coin), or beside a base. */
struct question {
    double mark, alpha;
    bool is_above;
    int n_base, n_base_ones; /* 0: no base */
};

static bool is_shown(const struct question *question, int n, int ones)
{
    const uint64_t counts[2] = {(uint64_t)(n - ones), (uint64_t)ones};
    const uint64_t turned[2] = {counts[1], counts[0]};
    const uint64_t base[2] = {(uint64_t)(question->n_base - question->n_base_ones),
                              (uint64_t)question->n_base_ones};

    if (question->n_base > 0)
        return hl_excess_at_least(base, counts, 2, question->alpha) > question->mark;
    return question->is_above
               ? hl_mean_at_most(turned, 2, question->alpha) < 1 - question->mark
               : hl_mean_at_least(counts, 2, question->alpha) > question->mark;
}

/* The fewest ones among n tosses that show it: it grows with n, so that thousands of runs
 * ask for few bounds. */
struct bars {
    int fewest[MAX_TOSSES + 1]; /* n + 1: none */
    bool is_known;
};

static void find_bars(struct bars *bars, const struct question *question)
{
    int ones = 0;

    for (int n = 1; n <= MAX_TOSSES; n++) {
        while (ones <= n && !is_shown(question, n, ones))
            ones++;
        bars->fewest[n] = ones;
    }
    bars->is_known = true;
}

/* After how many tosses a look after each of them finds it; 0: never. */
static int found_after(const struct bars *bars, const struct urn *urn,
                       struct hl_random *random)
{
    int ones = 0;

    for (int n = 1; n <= MAX_TOSSES; n++) {
        ones += (int)draw(urn, random);
        if (ones >= bars->fewest[n])
            return n;
    }
    return 0;
}

static int times_found(const struct question *question, const struct urn *urn, int n_runs)
{
    struct bars bars;
    int n = 0;

    find_bars(&bars, question);
    for (int run = 0; run < n_runs; run++) {
        struct hl_random random = {hl_random_mix((uint64_t)run)};

        n += found_after(&bars, urn, &random) > 0;
    }
    return n;
}

/* The mark is the mean, so that each finding is a false one. alpha is .1, so that an error
 * in the mathematics shows. */
static void bounds_looked_at_after_every_case_keep_their_promise(void **state)
{
    static const double means[] = {.01, .05, .5, .9};

    (void)state;
    for (size_t i = 0; i < sizeof means / sizeof means[0]; i++) {
        struct question question = {.mark = means[i], .alpha = .1};
        struct urn urn = coin(means[i]);

        assert_in_range(times_found(&question, &urn, 4000), 40, 400);
        question.is_above = true;
        assert_in_range(times_found(&question, &urn, 4000), 40, 400);
    }
    assert_in_range(wrong_bounds(&tenths, 200, 80, true), 1, 20);
    assert_in_range(wrong_bounds(&tenths, 200, 80, false), 1, 20);
}

/* The budget is all of the excess there is; the base is another one in each run. */
static void an_excess_within_its_budget_is_seldom_found(void **state)
{
    enum { N_BASE = 60, N_RUNS = 4000 };
    struct bars *bars = calloc(N_BASE + 1, sizeof *bars);
    struct urn usual = coin(.05), more = coin(.06);
    int n_found = 0;

    (void)state;
    assert_non_null(bars);
    for (uint64_t run = 0; run < N_RUNS; run++) {
        struct hl_random random = {hl_random_mix(run)};
        struct question question = {.mark = .01, .alpha = .05, .n_base = N_BASE};

        for (int i = 0; i < N_BASE; i++)
            question.n_base_ones += (int)draw(&usual, &random);
        if (!bars[question.n_base_ones].is_known)
            find_bars(&bars[question.n_base_ones], &question);
        n_found += found_after(&bars[question.n_base_ones], &more, &random) > 0;
    }
    free(bars);
    assert_in_range(n_found, 1, N_RUNS / 20);
}

static void an_excess_above_its_budget_is_found_soon(void **state)
{
    const struct question question = {
        .mark = .01, .alpha = .02, .n_base = 2500, .n_base_ones = 125};
    struct urn doubled = coin(.2), broken = coin(.75);
    struct bars bars;
    int n_soon = 0;

    (void)state;
    find_bars(&bars, &question);
    for (uint64_t run = 0; run < 1000; run++) {
        struct hl_random random = {hl_random_mix(run)};
        int after = found_after(&bars, &doubled, &random);

        n_soon += after > 0 && after <= 100;
        assert_in_range(found_after(&bars, &broken, &random), 1, 20);
    }
    assert_in_range(n_soon, 700, 1000);
}

/* ---- what follows from counts alone ---- */

static void nothing_counted_says_nothing(void **state)
{
    const uint64_t none[2] = {0}, some[2] = {90, 10};

    (void)state;
    assert_true(hl_mean_at_least(none, 2, .05) <= 0);
    assert_true(hl_mean_at_most(none, 2, .05) >= 1);
    assert_true(hl_excess_at_least(none, some, 2, .05) <=
                -hl_mean_at_most(none, 2, .05) + .1);
    assert_true(hl_excess_at_least(none, none, 2, .05) <= -1 + 1e-6);
}

static void bounds_lie_around_what_was_counted(void **state)
{
    struct hl_random random = {hl_random_mix(1)};

    (void)state;
    for (int i = 0; i < 200; i++) {
        uint64_t base[MAX_VALUES] = {0}, counts[MAX_VALUES] = {0};
        size_t n_values = 2 + hl_random_below(&random, MAX_VALUES - 1);
        double excess;

        for (size_t j = 0; j < n_values; j++) {
            base[j] = hl_random_below(&random, 300);
            counts[j] = hl_random_below(&random, 300);
        }
        excess = counted(counts, n_values) - counted(base, n_values);
        assert_true(hl_mean_at_least(counts, n_values, .5) < counted(counts, n_values));
        assert_true(hl_mean_at_most(counts, n_values, .5) > counted(counts, n_values));
        assert_true(hl_excess_at_least(base, counts, n_values, .5) < excess);
    }
}

static void more_of_the_same_draws_bounds_closer(void **state)
{
    double low = 0, high = 1, excess = -1;

    (void)state;
    for (uint64_t n = 100; n < 200000000; n *= 10) {
        const uint64_t base[2] = {n * 95 / 100, n * 5 / 100},
                       counts[2] = {n * 9 / 10, n / 10};
        double next_low = hl_mean_at_least(counts, 2, .01),
               next_high = hl_mean_at_most(counts, 2, .01),
               next_excess = hl_excess_at_least(base, counts, 2, .02);

        assert_true(next_low > low && next_high < high && next_excess > excess);
        low = next_low;
        high = next_high;
        excess = next_excess;
    }
    assert_true(low > .098 && high < .102 && excess > .048);
}

static void a_smaller_alpha_says_less(void **state)
{
    const uint64_t base[2] = {950, 50}, counts[2] = {800, 200};

    (void)state;
    assert_true(hl_mean_at_least(counts, 2, .01) < hl_mean_at_least(counts, 2, .1));
    assert_true(hl_mean_at_most(counts, 2, .01) > hl_mean_at_most(counts, 2, .1));
    assert_true(hl_excess_at_least(base, counts, 2, .01) <
                hl_excess_at_least(base, counts, 2, .1));
}

/* Seen in a mirror, a bound from below is one from above. */
static void ends_are_treated_alike(void **state)
{
    const uint64_t counts[3] = {700, 200, 100}, mirrored[3] = {100, 200, 700};

    (void)state;
    assert_true(fabs(hl_mean_at_least(counts, 3, .05) + hl_mean_at_most(mirrored, 3, .05) -
                     1) < 1e-9);
}

/* Ten of ten: wealth at the least share is 1.005^10/m^…; by hand, from the one share that
 * matters at so few cases, the mean is above .4 at 5 % and below 1. */
static void certain_cases_are_bounded_all_the_same(void **state)
{
    const uint64_t all[2] = {0, 10}, none[2] = {10, 0};

    (void)state;
    assert_true(hl_mean_at_least(all, 2, .05) > .4 && hl_mean_at_least(all, 2, .05) < .75);
    assert_true(hl_mean_at_most(none, 2, .05) < .6 && hl_mean_at_most(none, 2, .05) > .25);
}

/* What counts say together is more than what their two bounds say. */
static void two_counts_are_weighed_together(void **state)
{
    const uint64_t base[2] = {2375, 125}, counts[2] = {262, 38};
    double apart = hl_mean_at_least(counts, 2, .01) - hl_mean_at_most(base, 2, .01),
           together = hl_excess_at_least(base, counts, 2, .02);

    (void)state;
    assert_true(together > apart + .01);
    assert_true(together < 38.0 / 300 - .05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_looked_at_after_every_case_keep_their_promise),
        cmocka_unit_test(an_excess_within_its_budget_is_seldom_found),
        cmocka_unit_test(an_excess_above_its_budget_is_found_soon),
        cmocka_unit_test(nothing_counted_says_nothing),
        cmocka_unit_test(bounds_lie_around_what_was_counted),
        cmocka_unit_test(more_of_the_same_draws_bounds_closer),
        cmocka_unit_test(a_smaller_alpha_says_less),
        cmocka_unit_test(ends_are_treated_alike),
        cmocka_unit_test(certain_cases_are_bounded_all_the_same),
        cmocka_unit_test(two_counts_are_weighed_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
