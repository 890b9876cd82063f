/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/gate.h"
#include "server/probes.h"
#include "tests/unit/activating.h"

/* The bridge from v2 to v1 has two revisions; the first is given a report. Of the two
 * probes, one is found by v1 and not by v2. */
#define FIGURE(value) "{\"value\":" value ",\"low\":0,\"high\":1,\"of\":200}"
#define PAIR(value)   "{\"top1\":" FIGURE(value) ",\"map\":" FIGURE(value) "}"
#define GROUP(old, new)                                                                         \
    "{\"old_old\":" PAIR(old) ",\"new_old\":" PAIR(new) ",\"served\":" PAIR(                    \
        new) ",\"new_new\":" PAIR("0.9") ",\"map_gain\":" FIGURE("0.5") ",\"negative_"          \
                                                                        "flips\":" FIGURE(      \
                                                                            "0.06") ",\"s"      \
                                                                                    "erve"      \
                                                                                    "d_"        \
                                                                                    "nega"      \
                                                                                    "tive"      \
                                                                                    "_fli"      \
                                                                                    "ps\""      \
                                                                                    ":" FIGURE( \
                                                                                        "0.05") "}"
#define REPORT(known)                                                                      \
    "{\"seed\":1,\"measured\":{\"has_labels\":true,\"has_bridge\":true,\"groups\":{"       \
    "\"all\":" GROUP("0.7", "0.8") ",\"known\":" GROUP("0.7", known) "}}}"

static const char better[] = REPORT("0.8"), worse[] = REPORT("0.6");
static const double absent = (double)NAN;

/* ---- what is there ---- */

static enum hl_code put_report(void *self, struct hl_writing *writing, struct hl_err *err)
{
    char key[HL_HOLDING_KEY];

    hl_holding_bridge_key(2, 1, 1, key);
    return hl_store_put_record(hl_writing_store(writing), HL_HOLDING_BRIDGE_REPORT, key,
                               self, strlen(self), err);
}

static void give_report(struct rig *rig, const char *report)
{
    char text[4000];

    (void)snprintf(text, sizeof text, "%s", report);
    assert_int_equal(change(rig, put_report, text), HL_OK);
}

static enum hl_code put_probes(void *self, struct hl_writing *writing, struct hl_err *err)
{
    static const struct hl_probe_model models[] = {{{"v1", 2}, 2, 2}, {{"v2", 2}, 2, 2}};
    const char *lines = self;
    const struct hl_probe_entry entry = {.name = "golden",
                                         .set = {.settings = hl_probe_settings_default(),
                                                 .n_queries = 2,
                                                 .models = models,
                                                 .n_models = 2},
                                         .text = {lines, strlen(lines)},
                                         .by = ""};
    uint64_t version;

    return hl_probes_put(writing, &entry, &version, err);
}

static void give_probes(struct rig *rig, const char *first, const char *second)
{
    char lines[400];

    (void)snprintf(lines, sizeof lines,
                   "{\"k\":10,\"flip_at\":1,\"every_s\":0}\n"
                   "{\"vectors\":{\"v1\":[1,0],\"v2\":[1,0]},\"relevant\":[%s]}\n"
                   "{\"vectors\":{\"v1\":[0,1],\"v2\":[1,0]},\"relevant\":[%s]}\n",
                   first, second);
    rig->config.limits.request_memory_mb = 16;
    assert_int_equal(change(rig, put_probes, lines), HL_OK);
}

/* ---- asking the gate ---- */

struct asked {
    struct hl_gates gates;
    uint64_t revision;
    const char *probes;
    const struct hl_guard_facts *facts;
    struct hl_baseline shadow;
    bool has_guard; /* a budget of .01, and at least 200 cases on each side */
};

struct said {
    enum hl_code code;
    char figures[8000];
    struct hl_baseline baseline;
};

static struct said check(struct rig *rig, const struct asked *asked)
{
    static const struct hl_guard_limits guard = {.excess_flips = .01, .min_samples = 200};
    struct hl_collection *collection = collection_of(rig);
    const struct hl_gate_task task = {.server = &rig->server,
                                      .collection = collection,
                                      .from = 1,
                                      .to = 2,
                                      .revision = asked->revision,
                                      .gates = &asked->gates,
                                      .probes = asked->probes,
                                      .facts = asked->facts,
                                      .by = "ops",
                                      .shadow = asked->shadow,
                                      .guard = asked->has_guard ? &guard : NULL,
                                      .errand = {.deadline = &never}};
    struct said said = {.baseline = {7, 7}};
    struct hl_buf figures;

    hl_buf_init(&figures, sizeof said.figures - 1);
    said.code = hl_gate_check(&task, &figures, &said.baseline, &rig->err);
    if (figures.len > 0)
        memcpy(said.figures, figures.data, figures.len);
    hl_buf_done(&figures);
    hl_collection_unref(collection);
    return said;
}

static struct asked nothing(void)
{
    return (struct asked){.gates = {false, absent, absent, absent}};
}

static struct said assert_met(struct rig *rig, const struct asked *asked)
{
    const struct said said = check(rig, asked);

    if (said.code != HL_OK)
        fail_msg("%s", rig->err.msg);
    if (!strstr(said.figures, "{\"met\":true,\"why\":null,"))
        fail_msg("%s", said.figures);
    return said;
}

static struct said assert_unmet(struct rig *rig, const struct asked *asked,
                                const char *sentence)
{
    const struct said said = check(rig, asked);
    char whole[HL_ERR_MSG_SIZE];

    (void)snprintf(whole, sizeof whole, "the gate from \"v1\" to \"v2\" is not met: %s",
                   sentence);
    assert_int_equal(said.code, HL_GATE_UNMET);
    assert_int_equal(rig->err.code, HL_GATE_UNMET);
    assert_string_equal(rig->err.msg, whole);
    if (!strstr(said.figures, "{\"met\":false,\"why\":\"the gate from "))
        fail_msg("%s", said.figures);
    return said;
}

static void assert_says_figures(const struct said *said, const char *words)
{
    if (!strstr(said->figures, words))
        fail_msg("\"%s\" is not in %s", words, said->figures);
}

/* ---- the report ---- */

static void a_report_that_meets_what_was_asked_passes(void **state)
{
    struct asked asked = {.gates = {true, .5, .06, absent}, .revision = 1};
    struct said said;

    give_report(*state, better);
    said = assert_met(*state, &asked);
    assert_says_figures(&said, "\"asked\":{\"criterion\":true,\"min_gain\":0.5,"
                               "\"max_negative_flips\":0.06,\"min_self\":null}");
    assert_says_figures(&said, "\"bridge\":{\"revision\":1,\"report\":{\"groups\":{\"all\":"
                               "{\"old_old\":{\"top1\":{\"value\":0.7,");
    assert_says_figures(
        &said, "\"probes\":null,\"shadow\":null,\"baseline\":{\"of\":\"report\",\"n\":200,"
               "\"flips\":10}}");
    assert_int_equal(said.baseline.n, 200);
    assert_int_equal(said.baseline.flips, 10);
}

static void everything_that_fails_is_in_one_sentence(void **state)
{
    struct asked asked = {
        .gates = {true, .6, .01, absent}, .revision = 1, .probes = "golden"};
    struct said said;

    give_report(*state, worse);
    give_probes(*state, "1", "2,4");
    said = assert_unmet(
        *state, &asked,
        "negative flips of the probes \"golden\" are 0.5000 (1 of 2), at most 0.0100 was "
        "asked; revision 1 of the bridge: top1 of known is 0.6000, and 0.7000 without the "
        "bridge; mAP of known is 0.6000, and 0.7000 without the bridge; the gain in mAP is "
        "0.5000, at least 0.6000 was asked; negative flips are 0.0600, at most 0.0100 was "
        "asked");
    assert_int_equal(said.baseline.n, 2);
}

static void without_a_revision_it_is_the_active_one(void **state)
{
    struct asked asked = nothing();

    asked.gates.criterion = true;
    give_report(*state, better);
    activate(*state, "v2/v1", "{\"revision\":1}");
    (void)assert_met(*state, &asked);
    activate(*state, "v2/v1", "{\"revision\":2}");
    (void)assert_unmet(*state, &asked,
                       "revision 2 of the bridge has no report to hold the "
                       "thresholds against");
}

static void a_bridge_the_other_way_is_not_the_one(void **state)
{
    struct asked asked = nothing();

    asked.gates.criterion = true;
    (void)assert_unmet(
        *state, &asked,
        "no bridge is active from \"v2\" to \"v1\", whose report would say them: where "
        "points have vectors of their own, ask no \"criterion\", \"min_gain\" or "
        "\"min_self\"");
}

static void what_is_not_asked_is_not_missed(void **state)
{
    struct asked asked = nothing();
    const struct said said = assert_met(*state, &asked);

    assert_says_figures(
        &said, "\"bridge\":null,\"probes\":null,\"shadow\":null,\"baseline\":null}");
    assert_int_equal(said.baseline.n, 0);
    asked.revision = 2;
    (void)assert_met(*state, &asked);
}

static void flips_that_nothing_says_are_not_met(void **state)
{
    struct asked asked = nothing();

    asked.gates.max_negative_flips = .9;
    (void)assert_unmet(*state, &asked,
                       "negative flips cannot be said: there is neither a bridge with a "
                       "report nor a probe set");
    asked.revision = 2;
    (void)assert_unmet(*state, &asked,
                       "revision 2 of the bridge has no report to hold the "
                       "thresholds against");
}

static void a_report_that_cannot_be_read_is_as_good_as_none(void **state)
{
    static const char *const reports[] = {"{}", "[]", "{\"measured\":null}",
                                          "{\"measured\":{\"groups\":7}}"};
    struct asked asked = {.gates = {true, absent, absent, absent}, .revision = 1};

    for (size_t i = 0; i < sizeof reports / sizeof *reports; i++) {
        give_report(*state, reports[i]);
        (void)assert_unmet(*state, &asked,
                           "revision 1 of the bridge has no report to hold the thresholds "
                           "against");
    }
}

/* ---- the probes ---- */

/* Stored vectors are healthy though those that are sent now are not. */
static void what_shadow_shows_again_is_held_against_the_first_one(void **state)
{
    struct hl_rollout rollout = hl_rollout_default();
    const struct hl_counts first = {.flips = {950, 50}};
    struct hl_counts shadow = {.flips = {950, 50}};
    const struct hl_guard_facts facts = {
        .rollout = &rollout, .first = &first, .shadow = &shadow};
    struct asked asked = nothing();
    struct said said;

    asked.facts = &facts;
    said = assert_met(*state, &asked);
    assert_says_figures(&said, "\"again\":{\"flips\":{\"armed\":true,");
    assert_says_figures(&said, "\"disagreement\":{\"armed\":false,");
    shadow.flips[1] = 400;
    assert_int_equal(check(*state, &asked).code, HL_GATE_UNMET);
    assert_non_null(strstr(((struct rig *)*state)->err.msg,
                           "in shadow, negative flips: 0.2963 of 1350, 0.0500 of 1000 were "
                           "accepted (first_shadow): at least 0."));
    rollout.guard.excess_flips = absent;
    (void)assert_met(*state, &asked);
}

static void probes_alone_will_do_where_points_have_their_own_vectors(void **state)
{
    struct asked asked = nothing();
    struct said said;

    asked.gates.max_negative_flips = .5;
    asked.probes = "golden";
    give_probes(*state, "1", "2,4");
    said = assert_met(*state, &asked);
    assert_says_figures(&said, "\"baseline\":{\"of\":\"probes\",\"n\":2,\"flips\":1}}");
    assert_int_equal(said.baseline.n, 2);
    assert_int_equal(said.baseline.flips, 1);
}

static void what_the_probes_flip_comes_before_what_the_report_says(void **state)
{
    struct asked asked = nothing();

    asked.revision = 1;
    asked.probes = "golden";
    give_report(*state, better);
    give_probes(*state, "1", "2,4");
    assert_int_equal(assert_met(*state, &asked).baseline.n, 2);
}

static void probes_that_find_nothing_to_judge_do_not_meet_a_threshold(void **state)
{
    struct asked asked = nothing();

    asked.gates.max_negative_flips = 1;
    asked.probes = "golden";
    give_probes(*state, "77", "78");
    (void)assert_unmet(
        *state, &asked,
        "negative flips of the probes \"golden\" cannot be said: none of its "
        "2 queries could be judged");
}

/* ---- shadow ---- */

/* The report says 10 of 200. */
static struct asked after_shadow(uint64_t n, uint64_t flips)
{
    return (struct asked){.gates = {true, absent, absent, absent},
                          .revision = 1,
                          .shadow = {n, flips},
                          .has_guard = true};
}

static void shadow_that_flips_as_often_as_accepted_passes(void **state)
{
    struct asked asked = after_shadow(1000, 60);
    struct said said;

    give_report(*state, better);
    said = assert_met(*state, &asked);
    assert_says_figures(&said, "\"shadow\":{\"n\":1000,\"flips\":60,\"excess\":-0.0");
    assert_int_equal(said.baseline.n, 200);
}

static void a_model_that_was_bad_from_the_start_is_not_shown_to_callers(void **state)
{
    struct asked asked = after_shadow(1000, 200);
    struct said said;

    give_report(*state, better);
    said = check(*state, &asked);
    assert_int_equal(said.code, HL_GATE_UNMET);
    assert_non_null(strstr(((struct rig *)*state)->err.msg,
                           "is not met: negative flips in shadow are 0.2000 (200 of 1000), "
                           "at least 0.0"));
    assert_non_null(
        strstr(((struct rig *)*state)->err.msg,
               " more than the 0.0500 of the report, 0.0100 more is the budget"));
    assert_says_figures(&said, "\"baseline\":{\"of\":\"shadow\",\"n\":1000,\"flips\":200}");
    assert_int_equal(said.baseline.flips, 200);
}

static void little_feedback_says_nothing_against_it(void **state)
{
    struct asked asked = after_shadow(199, 100);

    give_report(*state, better);
    (void)assert_met(*state, &asked);
    asked = after_shadow(200, 100);
    asked.has_guard = false;
    (void)assert_met(*state, &asked);
}

static void shadow_has_to_meet_the_threshold_of_flips_too(void **state)
{
    struct asked asked = after_shadow(2000, 400);

    asked.has_guard = false;
    asked.gates.max_negative_flips = .1;
    give_report(*state, better);
    (void)assert_unmet(*state, &asked,
                       "negative flips in shadow are 0.2000 (400 of 2000), "
                       "at most 0.1000 was asked");
    asked.shadow = (struct hl_baseline){2000, 210}; /* which may be chance */
    (void)assert_met(*state, &asked);
}

static void a_set_that_is_gone_is_no_matter_of_figures(void **state)
{
    struct rig *rig = *state;
    struct asked asked = nothing();
    struct said said;

    asked.probes = "golden";
    said = check(rig, &asked);
    assert_int_equal(said.code, HL_NOT_FOUND);
    assert_string_equal(said.figures, "");
    assert_int_equal(said.baseline.n, 7);
}

static void a_failed_allocation_fails_the_gate_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    struct asked asked = {.gates = {true, absent, absent, absent}, .revision = 1};
    enum hl_code code = HL_NO_MEMORY;
    char rules[40];
    int n = 1;

    give_report(rig, better);
    for (; code != HL_OK; n++) {
        (void)snprintf(rules, sizeof rules, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rules, &rig->err), HL_OK);
        code = check(rig, &asked).code;
        hl_failpoint_disarm();
        if (code != HL_OK)
            assert_int_equal(code, HL_NO_MEMORY);
    }
    assert_true(n > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(a_report_that_meets_what_was_asked_passes),
        RIGGED(everything_that_fails_is_in_one_sentence),
        RIGGED(without_a_revision_it_is_the_active_one),
        RIGGED(a_bridge_the_other_way_is_not_the_one),
        RIGGED(what_is_not_asked_is_not_missed),
        RIGGED(flips_that_nothing_says_are_not_met),
        RIGGED(a_report_that_cannot_be_read_is_as_good_as_none),
        RIGGED(what_shadow_shows_again_is_held_against_the_first_one),
        RIGGED(probes_alone_will_do_where_points_have_their_own_vectors),
        RIGGED(what_the_probes_flip_comes_before_what_the_report_says),
        RIGGED(probes_that_find_nothing_to_judge_do_not_meet_a_threshold),
        RIGGED(shadow_that_flips_as_often_as_accepted_passes),
        RIGGED(a_model_that_was_bad_from_the_start_is_not_shown_to_callers),
        RIGGED(little_feedback_says_nothing_against_it),
        RIGGED(shadow_has_to_meet_the_threshold_of_flips_too),
        RIGGED(a_set_that_is_gone_is_no_matter_of_figures),
        RIGGED(a_failed_allocation_fails_the_gate_and_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
