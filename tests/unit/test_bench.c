/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/bench.h"

#include <math.h>

enum { MANY = 20000, SECOND = 1000000000 };

static struct hl_bench_arrivals arrive(double rate, bool is_poisson, uint64_t seed)
{
    const struct hl_bench bench = {.rate = rate, .is_poisson = is_poisson, .seed = seed};
    struct hl_bench_arrivals arrivals;

    hl_bench_arrivals_init(&arrivals, &bench);
    return arrivals;
}

static int64_t take(struct hl_bench_arrivals *arrivals)
{
    const int64_t next = hl_bench_arrivals_next(arrivals);

    assert_true(hl_bench_arrivals_next(arrivals) == next); /* looking takes nothing */
    hl_bench_arrivals_advance(arrivals);
    return next;
}

static void even_arrivals_never_drift(void **state)
{
    struct hl_bench_arrivals arrivals = arrive(3, false, 1);

    (void)state;
    for (int64_t i = 0; i < MANY; i++) {
        const int64_t next = take(&arrivals);

        assert_true(next >= i * SECOND / 3 - 1 && next <= i * SECOND / 3 + 1);
    }
}

static void
chance_arrivals_have_the_rate_and_the_spread_of_callers_who_do_not_know_each_other(
    void **state)
{
    struct hl_bench_arrivals arrivals = arrive(1000, true, 7);
    double sum = 0, squares = 0;
    int64_t before = take(&arrivals);

    (void)state;
    assert_int_equal(before, 0);
    for (int i = 0; i < MANY; i++) {
        const int64_t next = take(&arrivals);
        const double gap = (double)(next - before) / (SECOND / 1000.0);

        assert_true(next >= before);
        sum += gap;
        squares += gap * gap;
        before = next;
    }
    /* Of an exponential distribution mean and deviation are the same. */
    assert_true(fabs(sum / MANY - 1) < .03);
    assert_true(fabs(sqrt(squares / MANY - pow(sum / MANY, 2)) - 1) < .05);
}

static void one_seed_makes_the_same_arrivals_and_another_others(void **state)
{
    struct hl_bench_arrivals a = arrive(100, true, 3), b = arrive(100, true, 3),
                             c = arrive(100, true, 4);
    int n_same = 0;

    (void)state;
    (void)take(&c);
    (void)take(&a);
    (void)take(&b);
    for (int i = 0; i < 100; i++) {
        const int64_t next = take(&a);

        assert_true(take(&b) == next);
        n_same += take(&c) == next;
    }
    assert_true(n_same < 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(even_arrivals_never_drift),
        cmocka_unit_test(
            chance_arrivals_have_the_rate_and_the_spread_of_callers_who_do_not_know_each_other),
        cmocka_unit_test(one_seed_makes_the_same_arrivals_and_another_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
