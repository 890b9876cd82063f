/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/refresh_estimate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FIGURES(top1, map)                                                                 \
    "{\"top1\":{\"value\":" top1 ",\"of\":9},\"map\":{\"of\":9,\"value\":" map "}}"
#define MIX(share, backward, dual)                                                         \
    "{\"share\":" share                                                                    \
    ",\"backward\":" FIGURES(backward, "0.5") ",\"dual\":" FIGURES(dual, "0.6") "}"
#define REPORT(mixes)                                                                      \
    "{\"kind\":\"ridge\",\"strategies\":{\"mixes\":[]},\"measured\":{\"rows\":9,"          \
    "\"groups\":{\"known\":{\"served\":1},\"all\":{\"served\":" FIGURES(                   \
        "0.2", "0.1") ","                                                                  \
                      "\"new_new\":" FIGURES("0.9", "0.8") "}},\"strategies\":" mixes "}}"
#define MIXES                                                                              \
    "{\"auto\":\"dual\",\"mixes\":[" MIX("0.25", "0.3", "0.4") "," MIX(                    \
        "0.5", "0.5", "0.6") "," MIX("0.75", "0.6", "0.7") "]}"

static struct hl_arena *arena;
static struct hl_err err;

static int set_up(void **state)
{
    (void)state;
    arena = hl_arena_new(1 << 20);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hl_arena_free(arena);
    return 0;
}

static enum hl_code read_curve(const char *report, enum hl_serving strategy,
                               const char *figure, bool *has, struct hl_curve *curve)
{
    const struct hl_curve_wish wish = {.report = {report, strlen(report)},
                                       .strategy = strategy,
                                       .figure = figure,
                                       .arena = arena};

    return hl_curve_read(&wish, has, curve, &err);
}

static struct hl_curve curve_of(enum hl_serving strategy, const char *figure)
{
    struct hl_curve curve = {.all = -1};
    bool has = false;

    assert_int_equal(read_curve(REPORT(MIXES), strategy, figure, &has, &curve), HL_OK);
    assert_true(has);
    return curve;
}

static void assert_at(const struct hl_curve *curve, double share, double wanted)
{
    const double value = hl_curve_at(curve, share);

    if (!(fabs(value - wanted) < 1e-9))
        fail_msg("at %g it is %g, %g was wanted", share, value, wanted);
}

static void between_measurements_it_is_straight(void **state)
{
    const struct hl_curve top1 = curve_of(HL_SERVING_DUAL, "top1");
    const struct hl_curve map = curve_of(HL_SERVING_DUAL, "map");

    (void)state;
    assert_at(&top1, 0, .2);
    assert_at(&top1, .125, .3);
    assert_at(&top1, .25, .4);
    assert_at(&top1, .3, .44);
    assert_at(&top1, .75, .7);
    assert_at(&map, 0, .1);
    assert_at(&map, .6, .6);
}

static void by_dual_it_leads_to_the_end(void **state)
{
    const struct hl_curve curve = curve_of(HL_SERVING_DUAL, "top1");

    (void)state;
    assert_at(&curve, .875, .8);
    assert_at(&curve, 1, .9);
}

static void in_the_old_space_it_goes_on_as_before_until_the_last_point(void **state)
{
    const struct hl_curve curve = curve_of(HL_SERVING_BACKWARD, "top1");
    struct hl_curve high = curve;

    (void)state;
    assert_at(&curve, .5, .5);
    assert_at(&curve, .875, .65);
    assert_at(&curve, 1, .9);
    high.values[HL_CURVE_KNOTS - 1] = .99;
    assert_at(&high, .99, 1); /* no share is more than all */
}

static void a_report_that_does_not_say_has_no_curve(void **state)
{
    static const char *const reports[] = {
        "{}",
        "{\"measured\":null}",
        REPORT("null"),
        REPORT("{\"mixes\":null}"),
        REPORT("{\"mixes\":[]}"),
        REPORT("{\"mixes\":[" MIX("0.25", "0.3", "0.4") "]}"),
        REPORT("{\"mixes\":[" MIX("0.25", "0.3", "null") "," MIX(
            "0.5", "0.5", "0.6") "," MIX("0.75", "0.6", "0.7") "]}"),
        REPORT("{\"mixes\":[" MIX("0.25", "0.3", "0.4") "," MIX(
            "0.25", "0.5", "0.6") "," MIX("0.75", "0.6", "0.7") "]}"),
        REPORT("{\"mixes\":[" MIX("0.25", "0.3", "0.4") "," MIX(
            "0.5", "0.5", "0.6") "," MIX("1.0", "0.6", "0.7") "]}"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof reports / sizeof reports[0]; i++) {
        struct hl_curve curve;
        bool has = true;

        assert_int_equal(read_curve(reports[i], HL_SERVING_DUAL, "top1", &has, &curve),
                         HL_OK);
        if (has)
            fail_msg("%s has a curve", reports[i]);
    }
}

static void a_report_that_is_none_is_damaged(void **state)
{
    struct hl_curve curve;
    bool has;

    (void)state;
    assert_int_equal(read_curve("{\"measured\":", HL_SERVING_DUAL, "top1", &has, &curve),
                     HL_DAMAGED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(between_measurements_it_is_straight),
        TEST(by_dual_it_leads_to_the_end),
        TEST(in_the_old_space_it_goes_on_as_before_until_the_last_point),
        TEST(a_report_that_does_not_say_has_no_curve),
        TEST(a_report_that_is_none_is_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
