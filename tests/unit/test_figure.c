/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/figure.h"

#include <math.h>

static void assert_figure(struct hl_figure figure, double value, double low, double high,
                          uint64_t of)
{
    if (!(fabs(figure.value - value) < 1e-12 && fabs(figure.low - low) < 1e-12 &&
          fabs(figure.high - high) < 1e-12))
        fail_msg("%.15f (%.15f … %.15f), wanted %.15f (%.15f … %.15f)", figure.value,
                 figure.low, figure.high, value, low, high);
    assert_int_equal(figure.of, of);
}

static struct hl_tally tally_of(const double (*cases)[3], size_t n)
{
    struct hl_tally tally = {0};

    for (size_t i = 0; i < n; i++)
        hl_tally_add(&tally, cases[i][0], cases[i][1], cases[i][2]);
    return tally;
}

/* Of numpy, by the formulas of compat/README.md. */
static void a_share_has_the_interval_of_wilson(void **state)
{
    (void)state;
    assert_figure(hl_figure_share(3, 4), .75, 0.3006360524426366, 0.9544139373553637, 4);
    assert_figure(hl_figure_share(0, 10), 0, 0, 0.2775401687666165, 10);
    assert_figure(hl_figure_share(10, 10), 1, 0.7224598312333834, 1, 10);
}

static void no_share_is_below_none_or_above_all(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 1000; n++) {
        assert_true(hl_figure_share(0, n).low == 0);
        assert_true(hl_figure_share(n, n).high == 1);
    }
}

static void a_mean_has_the_interval_of_its_error(void **state)
{
    static const double cases[][3] = {{1}, {2}, {4}}, alike[][3] = {{3}, {3}};
    struct hl_tally tally = tally_of(cases, 3), same = tally_of(alike, 2);

    (void)state;
    assert_figure(hl_figure_mean(&tally), 7.0 / 3, 7.0 / 3 - 1.7285575232288657,
                  7.0 / 3 + 1.7285575232288657, 3);
    assert_figure(hl_figure_mean(&same), 3, 3, 3, 2);
}

static void a_ratio_has_the_interval_of_the_delta_method(void **state)
{
    static const double cases[][3] = {{1, 1}, {0, 1}, {1, 2}, {0, 0}};
    struct hl_tally tally = tally_of(cases, 4);

    (void)state;
    assert_figure(hl_figure_ratio(&tally), .5, .5 - 0.40008332465458574,
                  .5 + 0.40008332465458574, 4);
}

static void a_ratio_of_a_product_too(void **state)
{
    static const double cases[][3] = {{1, 1, 1}, {0, 1, 0}, {0, 1, 0}, {0, 0, 1}};
    struct hl_tally tally = tally_of(cases, 4);

    (void)state;
    assert_figure(hl_figure_ratio_of_product(&tally), 2.0 / 3, 2.0 / 3 - 0.754404351741111,
                  2.0 / 3 + 0.754404351741111, 4);
}

static void what_has_no_cases_cannot_be_said(void **state)
{
    static const double nothing_to_gain[][3] = {{1, -1, 1}, {1, 1, 0}};
    struct hl_tally none = {0}, flat = tally_of(nothing_to_gain, 2);

    (void)state;
    assert_figure(hl_figure_share(0, 0), 0, 0, 0, 0);
    assert_figure(hl_figure_mean(&none), 0, 0, 0, 0);
    assert_figure(hl_figure_ratio(&flat), 0, 0, 0, 0);
    assert_figure(hl_figure_ratio_of_product(&flat), 0, 0, 0, 0);
}

static void of_one_case_no_interval_can_be_said(void **state)
{
    static const double cases[][3] = {{.25, .5}};
    struct hl_tally tally = tally_of(cases, 1);
    struct hl_figure mean = hl_figure_mean(&tally), ratio = hl_figure_ratio(&tally);

    (void)state;
    assert_true(mean.of == 1 && fabs(mean.value - .25) < 1e-12);
    assert_true(isnan(mean.low) && isnan(mean.high));
    assert_true(fabs(ratio.value - .5) < 1e-12 && isnan(ratio.low) && isnan(ratio.high));
}

static void it_is_printed_with_its_interval_or_as_null(void **state)
{
    static const struct {
        struct hl_figure figure;
        const char *json;
    } rows[] = {
        {{.of = 0}, "null"},
        {{.5, .25, .75, 8}, "{\"value\":0.5,\"low\":0.25,\"high\":0.75,\"of\":8}"},
        {{.5, (double)NAN, (double)NAN, 1},
         "{\"value\":0.5,\"low\":null,\"high\":null,\"of\":1}"},
    };
    struct hl_buf buf;

    (void)state;
    hl_buf_init(&buf, 1000);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        hl_buf_clear(&buf, 1000);
        hl_figure_print(&rows[i].figure, &buf);
        assert_string_equal(buf.data, rows[i].json);
    }
    hl_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_has_the_interval_of_wilson),
        cmocka_unit_test(no_share_is_below_none_or_above_all),
        cmocka_unit_test(a_mean_has_the_interval_of_its_error),
        cmocka_unit_test(a_ratio_has_the_interval_of_the_delta_method),
        cmocka_unit_test(a_ratio_of_a_product_too),
        cmocka_unit_test(what_has_no_cases_cannot_be_said),
        cmocka_unit_test(of_one_case_no_interval_can_be_said),
        cmocka_unit_test(it_is_printed_with_its_interval_or_as_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
