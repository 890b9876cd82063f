/* SPDX-License-Identifier: Apache-2.0 */
#include "server/guard.h"

#include "compat/evidence.h"
#include "proto/encode.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static const struct {
    const char *name;
    double alpha;
} guards[HL_N_GUARDS] = {
    [HL_GUARD_FLIPS] = {"flips", 0.02},
    [HL_GUARD_DISAGREEMENT] = {"disagreement", 0.02},
    [HL_GUARD_SLOWER] = {"slower", 0.005},
    [HL_GUARD_ERRORS] = {"errors", 0.005},
};

/* Of the comparisons, before `to` is the slower model. */
static const double HALF = 0.5;

const char *hl_guard_name(enum hl_guard guard)
{
    return guards[guard].name;
}

/* Values evenly from 0 to 1. */
struct histogram {
    const uint64_t *counts;
    size_t n_values;
};

static uint64_t sum_of(const struct histogram *histogram, double *ret_mean)
{
    uint64_t n = 0;
    double sum = 0;

    for (size_t i = 0; i < histogram->n_values; i++) {
        n += histogram->counts[i];
        sum += (double)histogram->counts[i] * (double)i;
    }
    *ret_mean = n > 0 ? sum / (double)n / (double)(histogram->n_values - 1) : (double)NAN;
    return n;
}

/* Where the stage's part is known already, and `budget`. */
static void compare(struct hl_guard_check *check, const struct histogram *stage,
                    const struct histogram *base)
{
    const size_t n = stage->n_values;

    check->bound = base ? hl_excess_at_least(base->counts, stage->counts, n, check->alpha)
                        : hl_mean_at_least(stage->counts, n, check->alpha);
    check->is_breached = !check->unarmed && check->bound > check->budget;
}

static struct hl_guard_check begin(enum hl_guard guard, double budget,
                                   const struct hl_guard_facts *facts,
                                   const struct histogram *stage)
{
    struct hl_guard_check check = {.budget = budget, .alpha = guards[guard].alpha};
    const enum hl_stage now = facts->rollout->stage;

    check.n = facts->stage ? sum_of(stage, &check.mean) : 0;
    if (check.n == 0)
        check.mean = (double)NAN;
    check.bound = (double)NAN;
    if (isnan(budget))
        check.unarmed = "it is off";
    else if (now != HL_STAGE_CANARY && now != HL_STAGE_LIVE)
        check.unarmed = "no caller is served by the new model";
    return check;
}

/* ---- with a baseline ---- */

static bool is_enough(const struct hl_guard_facts *facts, const struct histogram *base,
                      struct hl_guard_check *check, const char *name)
{
    double mean;
    const uint64_t n = sum_of(base, &mean);

    if (n == 0 || n < facts->rollout->guard.min_samples || n <= check->baseline_n)
        return false;
    check->baseline = name;
    check->baseline_n = n;
    check->baseline_mean = mean;
    return true;
}

static struct hl_guard_check look_at_flips(const struct hl_guard_facts *facts)
{
    static const uint64_t none[2] = {0, 0};
    const struct hl_baseline *gate = &facts->rollout->baseline;
    const uint64_t at_gate[2] = {gate->n - gate->flips, gate->flips};
    const struct histogram stage = {facts->stage ? facts->stage->flips : none, 2};
    const struct {
        const char *name;
        struct histogram base;
    } sources[] = {{"first_shadow", {facts->first ? facts->first->flips : none, 2}},
                   {"shadow", {facts->shadow ? facts->shadow->flips : none, 2}},
                   {"gate", {at_gate, 2}}};
    enum { N_SOURCES = sizeof sources / sizeof *sources };
    struct hl_guard_check check =
        begin(HL_GUARD_FLIPS, facts->rollout->guard.excess_flips, facts, &stage);
    const struct histogram *base = NULL;

    /* Few say little of a rate, and an excess of 1 % is nothing beside what 200 leave open;
     * the gate has seen to it that both say the same (gate.h). A later shadow is none where
     * the first one said enough. */
    for (size_t i = 0; i < N_SOURCES; i++)
        if (!(i == 1 && base) &&
            is_enough(facts, &sources[i].base, &check, sources[i].name))
            base = &sources[i].base;
    if (!base && !check.unarmed)
        check.unarmed = "nothing says how many flips were accepted: too little feedback in "
                        "shadow, too few probes at the gate";
    if (base)
        compare(&check, &stage, base);
    return check;
}

static struct hl_guard_check look_at_disagreement(const struct hl_guard_facts *facts)
{
    static const uint64_t none[HL_TENTHS] = {0};
    const struct histogram stage = {facts->stage ? facts->stage->disagreement : none,
                                    HL_TENTHS};
    const struct histogram first = {facts->first ? facts->first->disagreement : none,
                                    HL_TENTHS};
    const struct histogram base = {facts->shadow ? facts->shadow->disagreement : none,
                                   HL_TENTHS};
    struct hl_guard_check check = begin(
        HL_GUARD_DISAGREEMENT, facts->rollout->guard.excess_disagreement, facts, &stage);

    if (is_enough(facts, &first, &check, "first_shadow"))
        compare(&check, &stage, &first);
    else if (is_enough(facts, &base, &check, "shadow"))
        compare(&check, &stage, &base);
    else if (!check.unarmed)
        check.unarmed = "too little was compared in shadow";
    return check;
}

/* ---- without one ---- */

static struct hl_guard_check look_at_slower(const struct hl_guard_facts *facts)
{
    static const uint64_t none[2] = {0, 0};
    const struct histogram stage = {facts->stage ? facts->stage->slower : none, 2};
    const double ratio = facts->rollout->guard.latency_ratio;
    struct hl_guard_check check =
        begin(HL_GUARD_SLOWER, isnan(ratio) ? ratio : HALF, facts, &stage);

    compare(&check, &stage, NULL);
    return check;
}

static struct hl_guard_check look_at_errors(const struct hl_guard_facts *facts)
{
    static const uint64_t none[2] = {0, 0};
    const struct histogram stage = {facts->stage ? facts->stage->errors : none, 2};
    struct hl_guard_check check =
        begin(HL_GUARD_ERRORS, facts->rollout->guard.error_rate, facts, &stage);

    compare(&check, &stage, NULL);
    return check;
}

void hl_guard_look(const struct hl_guard_facts *facts,
                   struct hl_guard_check ret_checks[HL_N_GUARDS])
{
    ret_checks[HL_GUARD_FLIPS] = look_at_flips(facts);
    ret_checks[HL_GUARD_DISAGREEMENT] = look_at_disagreement(facts);
    ret_checks[HL_GUARD_SLOWER] = look_at_slower(facts);
    ret_checks[HL_GUARD_ERRORS] = look_at_errors(facts);
}

/* ---- shadow, for the gate ---- */

/* Anything is enough: the bound says how much it is worth. */
static struct hl_guard_check hold(enum hl_guard guard, double budget,
                                  const struct hl_guard_facts *facts,
                                  const struct histogram *shadow,
                                  const struct histogram *first)
{
    const struct hl_guard_facts of = {.rollout = facts->rollout, .stage = facts->shadow};
    struct hl_guard_check check = begin(guard, budget, &of, shadow);

    if (isnan(budget))
        return check;
    check.unarmed = NULL;
    check.baseline_n = sum_of(first, &check.baseline_mean);
    if (check.baseline_n > 0)
        check.baseline = "first_shadow";
    if (!check.baseline || check.n == 0)
        check.unarmed = "there is nothing to hold it against";
    else
        compare(&check, shadow, first);
    return check;
}

void hl_guard_look_at_shadow(const struct hl_guard_facts *facts,
                             struct hl_guard_check ret_checks[HL_N_SHADOW_GUARDS])
{
    const struct hl_guard_limits *limits = &facts->rollout->guard;
    const struct hl_counts *shadow = facts->shadow, *first = facts->first;

    ret_checks[HL_GUARD_FLIPS] =
        hold(HL_GUARD_FLIPS, limits->excess_flips, facts,
             &(struct histogram){shadow->flips, 2}, &(struct histogram){first->flips, 2});
    ret_checks[HL_GUARD_DISAGREEMENT] =
        hold(HL_GUARD_DISAGREEMENT, limits->excess_disagreement, facts,
             &(struct histogram){shadow->disagreement, HL_TENTHS},
             &(struct histogram){first->disagreement, HL_TENTHS});
}

/* ---- words ---- */

static void print_real(const char *name, double value, struct hl_buf *buf)
{
    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    hl_encode_double(buf, value); /* NaN: null */
}

static void print_check(const struct hl_guard_check *check, struct hl_buf *buf)
{
    hl_buf_add_text(buf, "{\"armed\":");
    hl_encode_bool(buf, !check->unarmed);
    hl_buf_add_text(buf, ",\"why_not\":");
    if (check->unarmed)
        hl_encode_string(buf, check->unarmed);
    else
        hl_encode_null(buf);
    hl_buf_add_text(buf, ",\"breached\":");
    hl_encode_bool(buf, check->is_breached);
    print_real("budget", check->budget, buf);
    print_real("bound", check->bound, buf);
    print_real("alpha", check->alpha, buf);
    hl_buf_add_text(buf, ",\"n\":");
    hl_encode_u64(buf, check->n);
    print_real("mean", check->mean, buf);
    hl_buf_add_text(buf, ",\"baseline\":");
    if (check->baseline) {
        hl_buf_add_text(buf, "{\"of\":");
        hl_encode_string(buf, check->baseline);
        hl_buf_add_text(buf, ",\"n\":");
        hl_encode_u64(buf, check->baseline_n);
        print_real("mean", check->baseline_mean, buf);
        hl_buf_add_char(buf, '}');
    } else {
        hl_encode_null(buf);
    }
    hl_buf_add_char(buf, '}');
}

void hl_guard_checks_print(const struct hl_guard_check *checks, int n, struct hl_buf *buf)
{
    for (int i = 0; i < n; i++) {
        hl_buf_add_char(buf, i > 0 ? ',' : '{');
        hl_encode_key(buf, guards[i].name);
        print_check(&checks[i], buf);
    }
    hl_buf_add_char(buf, '}');
}

void hl_guard_describe_drift(const char *model, const struct hl_drift *drift,
                             char words[HL_GUARD_WORDS])
{
    (void)snprintf(words, HL_GUARD_WORDS,
                   "drift: %zu of %zu photographs of \"%.80s\" are further than %g from "
                   "what they were, \"%.80s\" by %g, at %s",
                   drift->n_drifted, drift->n_compared, model, drift->tolerance,
                   drift->photograph, drift->worst, drift->at);
}

void hl_guard_describe(enum hl_guard guard, const struct hl_guard_check *check,
                       char words[HL_GUARD_WORDS])
{
    static const char *const of[HL_N_GUARDS] = {
        [HL_GUARD_FLIPS] = "negative flips",
        [HL_GUARD_DISAGREEMENT] = "disagreement at 10",
        [HL_GUARD_SLOWER] = "answers that are slower",
        [HL_GUARD_ERRORS] = "errors",
    };

    if (check->baseline)
        (void)snprintf(words, HL_GUARD_WORDS,
                       "%s: %.4f of %" PRIu64 ", %.4f of %" PRIu64
                       " were accepted (%s): at least %.4f more, the budget is %.4f",
                       of[guard], check->mean, check->n, check->baseline_mean,
                       check->baseline_n, check->baseline, check->bound, check->budget);
    else
        (void)snprintf(words, HL_GUARD_WORDS,
                       "%s: %.4f of %" PRIu64 ": at least %.4f, the budget is %.4f",
                       of[guard], check->mean, check->n, check->bound, check->budget);
}
