/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted of a rollout, and that its record says all of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/comparing.h"
#include "tests/unit/stepping.h"

static int new_trial(void **state)
{
    const struct hl_rollout shadow = rollout_in(HL_STAGE_SHADOW, 1);
    struct hl_trial *trial = hl_trial_new();

    *state = trial;
    hl_trial_follow(trial, &shadow);
    return 0;
}

static int free_trial(void **state)
{
    hl_trial_free(*state);
    return 0;
}

static bool compare(struct hl_trial *trial, const struct hl_rollout *rollout,
                    const char *query_id, const char *from, const char *to)
{
    const struct hl_comparison comparison = comparison_of(rollout, query_id, from, to);

    return hl_trial_add(trial, &comparison);
}

static const struct hl_counts *shadow_of(void **state)
{
    return hl_trial_counts(*state, HL_STAGE_SHADOW);
}

static void lists_are_counted_by_what_they_have_in_common(void **state)
{
    static const struct {
        const char *from, *to;
        size_t tenths;
        bool is_lost;
    } rows[] = {
        {"1 2 3 4 5 6 7 8 9 10", "10 9 8 7 6 5 4 3 2 1", 0, false},
        {"1 2 3 4 5 6 7 8 9 10", "1 2 3 4 5 6 7 8 9 11", 1, false},
        {"1 2 3 4 5 6 7 8 9 10", "2 3 4 5 6 7 8 9 10 11", 1, true},
        {"1 2 3 4 5 6 7 8 9 10", "11 12 13 14 15 16 17 18 19 20", 10, true},
        {"1 2", "2 1", 0, false},
        {"1 2", "2 3", 5, true},
        {"1", "", 10, true},
        {"", "1", 10, false},
        {"", "", 0, false},
    };
    const struct hl_rollout rollout = rollout_in(HL_STAGE_SHADOW, 1);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hl_counts before = *shadow_of(state);

        assert_true(compare(*state, &rollout, "q", rows[i].from, rows[i].to));
        assert_int_equal(shadow_of(state)->disagreement[rows[i].tenths],
                         before.disagreement[rows[i].tenths] + 1);
        assert_int_equal(shadow_of(state)->lost_tops, before.lost_tops + rows[i].is_lost);
    }
    assert_int_equal(hl_counts_compared(shadow_of(state)), sizeof rows / sizeof *rows);
}

static void feedback_says_who_was_right_and_counts_once(void **state)
{
    const struct hl_rollout rollout = rollout_in(HL_STAGE_SHADOW, 1);
    struct hl_verdict verdict;

    compare(*state, &rollout, "same", "1 2", "1 3");
    compare(*state, &rollout, "lost", "1 2", "2 1");
    compare(*state, &rollout, "won", "2 1", "1 2");
    assert_int_equal(judge(*state, "same", 1).flip, HL_FLIP_NONE);
    assert_int_equal(judge(*state, "lost", 1).flip, HL_FLIP_NEGATIVE);
    assert_int_equal(judge(*state, "won", 1).flip, HL_FLIP_POSITIVE);
    verdict = judge(*state, "lost", 1);
    assert_false(verdict.is_counted);
    assert_string_equal(verdict.why, "it was counted before");
    verdict = judge(*state, "other", 1);
    assert_true(verdict.is_unknown);
    assert_int_equal(shadow_of(state)->flips[0], 2);
    assert_int_equal(shadow_of(state)->flips[1], 1);
    assert_int_equal(shadow_of(state)->positive_flips, 1);
    assert_int_equal(shadow_of(state)->right[HL_SIDE_FROM], 2);
    assert_int_equal(shadow_of(state)->right[HL_SIDE_TO], 2);
}

static void a_query_is_right_within_as_many_hits_as_the_probes_say(void **state)
{
    const struct hl_rollout rollout = rollout_in(HL_STAGE_SHADOW, 1);
    struct hl_trial *trial = *state;

    trial->flip_at = 2;
    compare(trial, &rollout, "a", "1 2 3", "3 2 1");
    compare(trial, &rollout, "b", "1 2 3", "3 2 1");
    assert_int_equal(judge(trial, "a", 2).flip, HL_FLIP_NONE);
    assert_int_equal(judge(trial, "b", 1).flip, HL_FLIP_NEGATIVE);
}

static void a_flip_that_a_caller_saw_is_counted_apart(void **state)
{
    const struct hl_rollout canary = rollout_in(HL_STAGE_CANARY, 2);
    struct hl_comparison comparison = comparison_of(&canary, "a", "1", "2");

    hl_trial_follow(*state, &canary);
    comparison.item.is_new_served = true;
    assert_true(hl_trial_add(*state, &comparison));
    assert_true(compare(*state, &canary, "b", "1", "2"));
    (void)judge(*state, "a", 1);
    (void)judge(*state, "b", 1);
    assert_int_equal(hl_trial_counts(*state, HL_STAGE_CANARY)->flips[1], 2);
    assert_int_equal(hl_trial_counts(*state, HL_STAGE_CANARY)->flips_served, 1);
}

static void an_overlap_is_of_ten_at_most(void **state)
{
    const struct hl_counts counts = {.begun = 1, .disagreement = {[0] = 150, [10] = 1}};
    struct hl_buf buf;

    (void)state;
    hl_buf_init(&buf, 1 << 16);
    hl_counts_print(&counts, &buf);
    assert_non_null(strstr(buf.data, "\"overlap10\":{\"value\":0.9933"));
    assert_non_null(strstr(buf.data, "\"high\":1.0,\"of\":151}"));
    hl_buf_done(&buf);
}

static void judge_all(struct hl_trial *trial, const struct hl_rollout *rollout, int n,
                      const char *to)
{
    char id[16];

    for (int i = 0; i < n; i++) {
        (void)snprintf(id, sizeof id, "%d", i);
        compare(trial, rollout, id, "1", to);
        (void)judge(trial, id, 1);
    }
}

static void the_first_shadow_that_said_enough_is_kept_when_another_begins(void **state)
{
    static const enum hl_stage way[] = {HL_STAGE_CANARY, HL_STAGE_SHADOW};
    struct hl_rollout rollout = rollout_in(HL_STAGE_SHADOW, 1);
    struct hl_trial *trial = *state;
    const struct hl_counts *first = hl_trial_first(trial);

    for (int round = 0; round < 3; round++) {
        judge_all(trial, &rollout, round == 0 ? 9 : 10, round < 2 ? "1" : "2");
        for (size_t i = 0; i < 2; i++) {
            rollout = rollout_in(way[i], rollout.step + 1);
            rollout.guard.min_samples = 10;
            hl_trial_follow(trial, &rollout);
        }
        assert_int_equal(shadow_of(state)->flips[0], 0);
        assert_int_equal(first->flips[0], round == 0 ? 0 : 10);
        assert_int_equal(first->disagreement[0], round == 0 ? 0 : 10);
        assert_int_equal(first->flips[1], 0);
    }
    rollout.number++;
    rollout.step++;
    hl_trial_follow(trial, &rollout);
    assert_int_equal(first->flips[0], 0);
}

static void what_fails_is_an_error_of_its_side_and_compares_nothing(void **state)
{
    const struct hl_rollout rollout = rollout_in(HL_STAGE_SHADOW, 1);

    for (int which = 0; which < 3; which++) {
        struct hl_comparison comparison = comparison_of(&rollout, "q", "1", "1");

        comparison.has_failed[HL_SIDE_FROM] = which != 0;
        comparison.has_failed[HL_SIDE_TO] = which != 1;
        assert_true(hl_trial_add(*state, &comparison));
    }
    assert_int_equal(shadow_of(state)->errors[0], 2);
    assert_int_equal(shadow_of(state)->errors[1], 1);
    assert_int_equal(shadow_of(state)->failed[HL_SIDE_FROM], 2);
    assert_int_equal(shadow_of(state)->failed[HL_SIDE_TO], 2);
    assert_int_equal(hl_counts_compared(shadow_of(state)), 0);
    assert_true(judge(*state, "q", 1).is_unknown);
}

static void slower_is_what_is_slower_by_the_ratio_and_by_more_than_noise(void **state)
{
    static const struct {
        int64_t from, to;
        bool is_slower;
    } rows[] = {
        {100, 149, false},     {100, 1000, false},   {100, 1101, true},
        {10000, 14999, false}, {10000, 15001, true}, {10000, 100, false},
    };
    const struct hl_rollout rollout = rollout_in(HL_STAGE_SHADOW, 1);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl_comparison comparison = comparison_of(&rollout, "q", "1", "1");
        const uint64_t before = shadow_of(state)->slower[1];

        comparison.took_us[HL_SIDE_FROM] = rows[i].from;
        comparison.took_us[HL_SIDE_TO] = rows[i].to;
        assert_true(hl_trial_add(*state, &comparison));
        assert_int_equal(shadow_of(state)->slower[1], before + rows[i].is_slower);
    }
}

static void times_are_known_to_a_fifth(void **state)
{
    const struct hl_rollout rollout = rollout_in(HL_STAGE_SHADOW, 1);

    assert_true(isnan(hl_counts_quantile(shadow_of(state), HL_SIDE_TO, 0.5)));
    for (int i = 0; i < 100; i++) {
        struct hl_comparison comparison = comparison_of(&rollout, "q", "1", "1");

        comparison.took_us[HL_SIDE_TO] = i < 98 ? 1000 : 900000000;
        assert_true(hl_trial_add(*state, &comparison));
    }
    assert_in_range((int64_t)(1e6 * hl_counts_quantile(shadow_of(state), HL_SIDE_TO, 0.5)),
                    1000, 1190);
    assert_true(hl_counts_quantile(shadow_of(state), HL_SIDE_TO, 0.99) > 100);
}

static void a_stage_that_begins_again_counts_anew_and_a_percentage_does_not(void **state)
{
    struct hl_rollout canary = rollout_in(HL_STAGE_CANARY, 2);
    const struct hl_rollout shadow = rollout_in(HL_STAGE_SHADOW, 1);
    const struct hl_counts *counts = hl_trial_counts(*state, HL_STAGE_CANARY);

    assert_true(compare(*state, &shadow, "s", "1", "1"));
    hl_trial_follow(*state, &canary);
    assert_true(compare(*state, &canary, "a", "1", "1"));
    canary.step = 3; /* another percentage */
    hl_trial_follow(*state, &canary);
    assert_true(compare(*state, &canary, "b", "1", "1"));
    assert_int_equal(hl_counts_compared(counts), 2);
    assert_true(compare(*state, &shadow, "late", "1", "1"));
    assert_int_equal(hl_counts_compared(shadow_of(state)), 2);
    canary.step = canary.stage_step = 5; /* back and forth, and nobody looked */
    hl_trial_follow(*state, &canary);
    assert_int_equal(hl_counts_compared(counts), 0);
    assert_int_equal(hl_counts_compared(shadow_of(state)), 2);
}

static void what_belongs_to_a_stage_that_is_over_counts_nowhere(void **state)
{
    const struct hl_rollout first = rollout_in(HL_STAGE_CANARY, 2);
    const struct hl_rollout second = rollout_in(HL_STAGE_CANARY, 4);
    struct hl_rollout other = rollout_in(HL_STAGE_SHADOW, 7);

    hl_trial_follow(*state, &first);
    assert_true(compare(*state, &first, "a", "1", "2"));
    hl_trial_follow(*state, &second);
    hl_trial_follow(*state, &first); /* what is older changes nothing */
    assert_false(compare(*state, &first, "b", "1", "2"));
    hl_trial_drop(*state, &first, 5);
    assert_int_equal(hl_trial_counts(*state, HL_STAGE_CANARY)->dropped, 0);
    assert_string_equal(judge(*state, "a", 1).why,
                        "the stage that it was asked in is over and began anew");
    other.number = 2;
    hl_trial_follow(*state, &other);
    assert_false(compare(*state, &second, "c", "1", "2"));
    assert_int_equal(hl_trial_counts(*state, HL_STAGE_CANARY)->begun, 0);
    assert_int_equal(shadow_of(state)->begun, 7);
}

/* ---- the record ---- */

static void fill_counts(struct hl_trial *trial)
{
    uint64_t next = 1;

    trial->number = 3;
    trial->step = UINT64_MAX;
    trial->probed_ms = 1763000000000;
    for (size_t i = 0; i < HL_N_TRIAL_COUNTS; i++) {
        uint64_t *values = (uint64_t *)(void *)&trial->counts[i];

        for (size_t j = 0; j < sizeof trial->counts[i] / sizeof *values; j++)
            values[j] = next++ % 7 == 0 ? 0 : next;
    }
}

static enum hl_code save(void *self, struct hl_writing *writing, struct hl_err *err)
{
    return hl_trial_save(writing, self, err);
}

/* With the failpoint armed. */
static enum hl_code load_while(struct rig *rig, struct hl_trial *trial, const char *spec)
{
    struct hl_collection *collection = collection_of(rig);
    struct hl_holdings holdings;
    enum hl_code code;

    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    assert_int_equal(hl_failpoint_arm(spec, &rig->err), HL_OK);
    code = hl_trial_load(trial, &holdings, &rig->err);
    hl_failpoint_disarm();
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
    return code;
}

static enum hl_code load(struct rig *rig, struct hl_trial *trial)
{
    return load_while(rig, trial, "");
}

static void the_record_says_every_count_after_a_restart(void **state)
{
    struct rig *rig = *state;
    struct hl_trial *saved = hl_trial_new(), *loaded = hl_trial_new();

    assert_int_equal(load(rig, loaded), HL_OK); /* there is none */
    assert_int_equal(loaded->number, 0);
    fill_counts(saved);
    assert_int_equal(change(rig, save, saved), HL_OK);
    open_again(rig);
    assert_int_equal(load(rig, loaded), HL_OK);
    assert_int_equal(loaded->number, 3);
    assert_true(loaded->step == UINT64_MAX);
    assert_int_equal(loaded->probed_ms, 1763000000000);
    assert_memory_equal(loaded->counts, saved->counts, sizeof saved->counts);
    hl_trial_free(saved);
    hl_trial_free(loaded);
}

struct raw {
    const char *text;
};

static enum hl_code put_raw(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct raw *raw = self;

    return hl_store_put_record(hl_writing_store(writing), HL_HOLDING_TRIAL, "now",
                               raw->text, strlen(raw->text), err);
}

static void a_record_that_is_none_changes_nothing(void **state)
{
    static struct raw raws[] = {
        {""},
        {"{}"},
        {"{\"number\":1,\"step\":1,\"counts\":[{},{},{},{},{}]}"},
        {"{\"number\":1,\"step\":1,\"counts\":[{\"flips\":[1,2,3]}]}"},
        {"{\"number\":1,\"step\":1,\"counts\":[{\"flips\":[-1]}]}"},
    };
    struct hl_trial *trial = hl_trial_new();

    for (size_t i = 0; i < sizeof raws / sizeof *raws; i++) {
        assert_int_equal(change(*state, put_raw, &raws[i]), HL_OK);
        assert_int_equal(load(*state, trial), HL_DAMAGED);
        assert_int_equal(trial->number, 0);
        assert_int_equal(trial->counts[0].flips[0], 0);
    }
    hl_trial_free(trial);
}

static void without_memory_it_is_said_and_nothing_is_left(void **state)
{
    struct rig *rig = *state;
    struct hl_trial *trial = NULL;
    enum hl_code code = HL_NO_MEMORY;
    char spec[40];
    int n = 0;

    while (!trial) {
        (void)snprintf(spec, sizeof spec, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(spec, &rig->err), HL_OK);
        trial = hl_trial_new();
        hl_failpoint_disarm();
    }
    assert_int_equal(n, 3);
    fill_counts(trial);
    assert_int_equal(change(rig, save, trial), HL_OK);
    for (n = 1; code != HL_OK; n++) {
        trial->number = 0;
        (void)snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        code = load_while(rig, trial, spec);
        assert_int_equal(trial->number, code == HL_OK ? 3 : 0);
    }
    hl_trial_free(trial);
}

#define COUNTED(test) cmocka_unit_test_setup_teardown(test, new_trial, free_trial)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNTED(lists_are_counted_by_what_they_have_in_common),
        COUNTED(feedback_says_who_was_right_and_counts_once),
        COUNTED(a_query_is_right_within_as_many_hits_as_the_probes_say),
        COUNTED(a_flip_that_a_caller_saw_is_counted_apart),
        COUNTED(an_overlap_is_of_ten_at_most),
        COUNTED(the_first_shadow_that_said_enough_is_kept_when_another_begins),
        COUNTED(what_fails_is_an_error_of_its_side_and_compares_nothing),
        COUNTED(slower_is_what_is_slower_by_the_ratio_and_by_more_than_noise),
        COUNTED(times_are_known_to_a_fifth),
        COUNTED(a_stage_that_begins_again_counts_anew_and_a_percentage_does_not),
        COUNTED(what_belongs_to_a_stage_that_is_over_counts_nowhere),
        RIGGED(the_record_says_every_count_after_a_restart),
        RIGGED(a_record_that_is_none_changes_nothing),
        RIGGED(without_memory_it_is_said_and_nothing_is_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
