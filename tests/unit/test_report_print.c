/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/report.h"

#include <math.h>
#include <string.h>

struct fixture {
    struct hl_report report;
    struct hl_buf buf;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.report = {.n_rows = 8,
                                          .n_queries = 4,
                                          .n_gallery = 4,
                                          .n_ranked = 4,
                                          .n_groups = 1,
                                          .groups = {{.name = "all"}},
                                          .fidelity = .5F,
                                          .has_bridge = true}};
    for (size_t i = 0; i < HL_N_FIDELITIES; i++)
        fixture.report.sweep[i].fidelity = (float)i / 10;
    hl_buf_init(&fixture.buf, 1 << 20);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_buf_done(&f->buf);
    return 0;
}

static struct hl_figure figure(double value)
{
    return (struct hl_figure){value, value - .125, value + .125, 4};
}

static void assert_json_has(struct fixture *f, const char *wanted)
{
    hl_buf_clear(&f->buf, 0);
    hl_report_print(&f->report, &f->buf);
    if (!strstr(f->buf.data, wanted))
        fail_msg("no %s in %s", wanted, f->buf.data);
}

static void assert_table_has(struct fixture *f, const char *wanted)
{
    hl_buf_clear(&f->buf, 0);
    hl_report_print_table(&f->report, &f->buf);
    if (!strstr(f->buf.data, wanted))
        fail_msg("no %s in %s", wanted, f->buf.data);
}

static void a_figure_says_its_interval_and_what_it_is_of(void **state)
{
    struct fixture *f = *state;

    f->report.groups[0].new_old.map = figure(.5);
    f->report.groups[0].self10 = figure(.25);
    assert_json_has(f,
                    "\"new_old\":{\"top1\":null,\"recall10\":null,\"map\":{\"value\":0.5,"
                    "\"low\":0.375,\"high\":0.625,\"of\":4}}");
    assert_json_has(f, "\"self10\":{\"value\":0.25,\"low\":0.125,\"high\":0.375,\"of\":4}");
}

static void an_interval_of_one_case_is_null(void **state)
{
    struct fixture *f = *state;

    f->report.groups[0].self1 = (struct hl_figure){1, (double)NAN, (double)NAN, 1};
    assert_json_has(f, "\"self1\":{\"value\":1.0,\"low\":null,\"high\":null,\"of\":1}");
    assert_table_has(f, "  self@1                   1.0000");
}

static void what_cannot_be_said_is_null(void **state)
{
    struct fixture *f = *state;

    assert_json_has(f,
                    "{\"rows\":8,\"queries\":4,\"ranked\":4,\"gallery\":4,"
                    "\"has_labels\":false,\"has_head\":false,\"has_bridge\":true,"
                    "\"is_dealt\":false,\"groups\":{\"all\":{\"old_old\":{\"top1\":null,");
    assert_json_has(f, "\"meets_top1\":null,\"meets_map\":null,"
                       "\"meets_forward\":null}}");
    assert_json_has(f, "\"thresholds\":null,\"true_accepts\":null,\"strategies\":null}");
}

static void the_criterion_is_said_where_there_were_queries(void **state)
{
    struct fixture *f = *state;

    f->report.groups[0].old_old.top1 = f->report.groups[0].new_old.top1 = figure(.5);
    f->report.groups[0].meets_map = true;
    assert_json_has(f, "\"meets_top1\":false,\"meets_map\":null,");
    assert_table_has(f, "  criterion                not met in top1\n");
    f->report.groups[0].meets_top1 = true;
    assert_table_has(f, "  criterion                met\n");
}

static void the_dial_is_printed_step_by_step(void **state)
{
    struct fixture *f = *state;

    f->report.sweep[5].self10 = f->report.served.self10 = figure(.25);
    f->report.served.fidelity = .5F;
    assert_json_has(f, ",{\"fidelity\":0.3,\"top1\":null,");
    assert_json_has(f,
                    "{\"fidelity\":0.5,\"top1\":null,\"recall10\":null,\"map\":null,"
                    "\"negative_flips\":null,\"self1\":null,\"self10\":{\"value\":0.25,");
    assert_json_has(f, "\"served\":{\"fidelity\":0.5,");
    assert_table_has(f, "0.4                    -           -           -           -");
    assert_table_has(f, "0.5 auto               -           -           -           -"
                        "           -      0.2500           -\n");
}

static void strategies_stand_beside_each_other(void **state)
{
    struct fixture *f = *state;
    struct hl_mixes *mixes = &f->report.mixes;

    mixes->chosen = HL_BRIDGE_DUAL;
    for (size_t i = 0; i < HL_N_MIXES; i++)
        mixes->mixes[i] =
            (struct hl_mix){.share = .25 * (double)(i + 1),
                            .backward = {.top1 = figure(.75), .map = figure(.5)},
                            .dual = {.map = figure(i == 2 ? .625 : .25)}};
    mixes->lead_by_class = figure(-.125);
    assert_json_has(f, ",\"strategies\":{\"auto\":\"dual\",\"lead\":null,\"lead_by_class\":"
                       "{\"value\":-0.125,");
    assert_json_has(f,
                    ",\"mixes\":[{\"share\":0.25,\"backward\":{\"top1\":{\"value\":0.75,");
    assert_json_has(f, "\"dual\":{\"top1\":null,\"map\":{\"value\":0.25,\"low\":0.125,"
                       "\"high\":0.375,\"of\":4},\"top1_by_class\":null}},{\"share\":0.5,");
    assert_json_has(f, "\"map\":{\"value\":0.625,\"low\":0.5,\"high\":0.75,\"of\":4},"
                       "\"top1_by_class\":null}}]}}");
    assert_table_has(f, "\nnew served by             top1         mAP    by class\n"
                        "0.25 backward           0.7500      0.5000           -\n"
                        "0.25 dual     auto           -      0.2500           -\n");
    assert_table_has(f, "\ndual over backward           -           -     -0.1250\n");
}

static void a_brief_report_and_one_without_a_bridge_have_no_dial(void **state)
{
    struct fixture *f = *state;

    f->report.is_brief = true;
    assert_json_has(f, "\"sweep\":null");
    f->report.is_brief = false;
    f->report.has_bridge = false;
    assert_json_has(f, "\"served\":null,\"sweep\":null");
    assert_table_has(f, "no bridge: two models as they are\n");
}

static void a_chain_of_two_dials_has_no_one_fidelity(void **state)
{
    struct fixture *f = *state;

    f->report.fidelity = f->report.served.fidelity = NAN;
    assert_json_has(f, "\"served\":{\"fidelity\":null,");
}

static void thresholds_are_printed_where_there_are_labels(void **state)
{
    struct fixture *f = *state;

    f->report.has_labels = true;
    f->report.thresholds[0] = (struct hl_report_threshold){-1, figure(.25), figure(1)};
    f->report.thresholds[30] = (struct hl_report_threshold){.5, figure(.75), figure(.5)};
    f->report.fars[1] =
        (struct hl_report_far){.false_accepts = .001, .new_old = figure(.5)};
    assert_json_has(f, "{\"threshold\":0.5,\"precision\":{\"value\":0.75,");
    assert_json_has(
        f, "{\"false_accepts\":0.001,\"old_old\":null,\"new_old\":{\"value\":0.5,");
    assert_table_has(f, "0.50              0.7500      0.5000\n");
    assert_table_has(f, "0.001                   -      0.5000           -\n");
}

static void a_table_says_what_is_missing(void **state)
{
    struct fixture *f = *state;

    assert_table_has(f, "8 rows: 4 queries, 4 of them ranked whole, in a gallery of 4\n");
    assert_table_has(f, "no labels: top1, recall@10, mAP, flips, accuracy and thresholds "
                        "cannot be said\n");
    f->report.has_labels = true;
    f->report.is_dealt = true;
    assert_table_has(f, "a gallery of 4; rows lie sorted by label, so every second one "
                        "asks\n");
    assert_table_has(f, "no head of the old model: ");
}

static void a_table_shows_figures_with_their_denominators(void **state)
{
    struct fixture *f = *state;
    struct hl_report_group *all = &f->report.groups[0];

    all->old_old = (struct hl_retrieval){figure(.5), figure(.75), figure(.25)};
    all->negative_flips = figure(.125);
    assert_table_has(f, "\n  old > old                0.5000 (0.3750 to 0.6250)   0.7500 "
                        "(0.6250 to 0.8750)   0.2500 (0.1250 to 0.3750)\n");
    assert_table_has(f, "\n  negative flips           0.1250 (0.0000 to 0.2500)  of 4\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(a_figure_says_its_interval_and_what_it_is_of),
        CASE(an_interval_of_one_case_is_null),
        CASE(what_cannot_be_said_is_null),
        CASE(the_criterion_is_said_where_there_were_queries),
        CASE(the_dial_is_printed_step_by_step),
        CASE(strategies_stand_beside_each_other),
        CASE(a_brief_report_and_one_without_a_bridge_have_no_dial),
        CASE(a_chain_of_two_dials_has_no_one_fidelity),
        CASE(thresholds_are_printed_where_there_are_labels),
        CASE(a_table_says_what_is_missing),
        CASE(a_table_shows_figures_with_their_denominators),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
