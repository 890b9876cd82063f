/* SPDX-License-Identifier: Apache-2.0 */
#include "server/trial.h"

#include "proto/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Below this a difference of times is the machine's own, however large the ratio: no caller
 * feels it. */
enum { NOISE_US = 1000 };

enum { SHORTEST_US = 8, SPANS_TO_A_DOUBLING = 4 };

struct hl_trial *hl_trial_new(void)
{
    struct hl_trial *trial = hl_alloc_zeroed(1, sizeof *trial);

    if (!trial)
        return NULL;
    trial->ring = hl_compared_ring_new();
    trial->flip_at = 1;
    if (trial->ring)
        return trial;
    hl_trial_free(trial);
    return NULL;
}

void hl_trial_free(struct hl_trial *trial)
{
    if (!trial)
        return;
    hl_compared_ring_free(trial->ring);
    hl_free(trial);
}

struct hl_counts *hl_trial_counts(struct hl_trial *trial, enum hl_stage stage)
{
    switch (stage) {
    case HL_STAGE_SHADOW:
        return &trial->counts[0];
    case HL_STAGE_CANARY:
        return &trial->counts[1];
    case HL_STAGE_LIVE:
        return &trial->counts[2];
    case HL_STAGE_NONE:
    case HL_STAGE_ABORTED:
    default:
        return NULL;
    }
}

const struct hl_counts *hl_trial_first(const struct hl_trial *trial)
{
    return &trial->counts[HL_TRIAL_FIRST];
}

static uint64_t total(const uint64_t *counts, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

/* The first that says enough stays. */
static void keep_first(uint64_t *kept, const uint64_t *counts, size_t n, uint64_t enough)
{
    if (total(kept, n) == 0 && total(counts, n) >= enough)
        memcpy(kept, counts, n * sizeof *counts);
}

/* Callers were let on by what this shadow had shown. */
static void end_shadow(struct hl_trial *trial, const struct hl_rollout *rollout)
{
    const struct hl_counts *shadow = hl_trial_counts(trial, HL_STAGE_SHADOW);
    struct hl_counts *first = &trial->counts[HL_TRIAL_FIRST];
    const uint64_t enough = rollout->guard.min_samples;

    keep_first(first->flips, shadow->flips, 2, enough);
    keep_first(first->disagreement, shadow->disagreement, HL_TENTHS, enough);
}

static void begin_anew(struct hl_trial *trial)
{
    for (size_t i = 0; i < HL_N_TRIAL_COUNTS; i++)
        trial->counts[i] = (struct hl_counts){.begun = 0};
    trial->probed_ms = 0;
}

void hl_trial_follow(struct hl_trial *trial, const struct hl_rollout *rollout)
{
    struct hl_counts *counts = hl_trial_counts(trial, rollout->stage);

    if (rollout->number < trial->number || rollout->step <= trial->step)
        return;
    if (rollout->number != trial->number)
        begin_anew(trial);
    if (rollout->stage == HL_STAGE_SHADOW && counts->begun != rollout->stage_step)
        end_shadow(trial, rollout);
    if (counts && counts->begun != rollout->stage_step)
        *counts = (struct hl_counts){.begun = rollout->stage_step};
    trial->number = rollout->number;
    trial->step = rollout->step;
    trial->stage = rollout->stage;
    trial->is_dirty = true;
}

/* ---- one comparison ---- */

static size_t span_of(int64_t us)
{
    const double doublings = us > SHORTEST_US ? log2((double)us / SHORTEST_US) : 0;
    const double span = doublings * SPANS_TO_A_DOUBLING;

    return span < HL_SPANS - 1 ? (size_t)span : HL_SPANS - 1;
}

static bool has_hit(const struct hl_compared *item, enum hl_side side,
                    const struct hl_id *id)
{
    for (size_t i = 0; i < item->n[side]; i++)
        if (hl_id_compare(&item->hits[side][i], id) == 0)
            return true;
    return false;
}

/* Of as many hits as the longer list has: a filter may leave fewer than ten. */
static size_t disagreement_of(const struct hl_compared *item)
{
    const size_t most = item->n[HL_SIDE_FROM] > item->n[HL_SIDE_TO] ? item->n[HL_SIDE_FROM]
                                                                    : item->n[HL_SIDE_TO];
    size_t same = 0;

    for (size_t i = 0; i < item->n[HL_SIDE_FROM]; i++)
        same += has_hit(item, HL_SIDE_TO, &item->hits[HL_SIDE_FROM][i]);
    return most > 0 ? (size_t)lround(10.0 * (double)(most - same) / (double)most) : 0;
}

static void count_answers(struct hl_counts *counts, const struct hl_comparison *comparison)
{
    const struct hl_compared *item = &comparison->item;
    const double ratio = comparison->rollout->guard.latency_ratio;
    const double from = (double)comparison->took_us[HL_SIDE_FROM];
    const double to = (double)comparison->took_us[HL_SIDE_TO];

    counts->disagreement[disagreement_of(item)]++;
    counts->lost_tops += item->n[HL_SIDE_FROM] > 0 &&
                         !has_hit(item, HL_SIDE_TO, &item->hits[HL_SIDE_FROM][0]);
    if (!isnan(ratio))
        counts->slower[to > ratio * from && to - from > NOISE_US]++;
    for (int side = 0; side < HL_N_SIDES; side++) {
        counts->spans[side][span_of(comparison->took_us[side])]++;
        counts->total_us[side] += (uint64_t)comparison->took_us[side];
    }
}

/* NULL: that stage of it is over and began anew, or the rollout is. */
static struct hl_counts *find_counts(struct hl_trial *trial,
                                     const struct hl_rollout *rollout)
{
    struct hl_counts *counts = hl_trial_counts(trial, rollout->stage);

    return counts && rollout->number == trial->number &&
                   rollout->stage_step == counts->begun
               ? counts
               : NULL;
}

bool hl_trial_add(struct hl_trial *trial, const struct hl_comparison *comparison)
{
    const struct hl_rollout *rollout = comparison->rollout;
    const bool *has_failed = comparison->has_failed;
    struct hl_counts *counts = hl_trial_counts(trial, rollout->stage);
    struct hl_compared item = comparison->item;

    if (!counts || rollout->number != trial->number || rollout->stage_step != counts->begun)
        return false;
    trial->is_dirty = true;
    counts->errors[has_failed[HL_SIDE_TO] && !has_failed[HL_SIDE_FROM]]++;
    for (int side = 0; side < HL_N_SIDES; side++)
        counts->failed[side] += has_failed[side];
    if (has_failed[HL_SIDE_FROM] || has_failed[HL_SIDE_TO])
        return true;
    count_answers(counts, comparison);
    item.stage = rollout->stage;
    item.begun = counts->begun;
    item.is_counted = false;
    hl_compared_ring_add(trial->ring, &item);
    return true;
}

void hl_trial_drop(struct hl_trial *trial, const struct hl_rollout *rollout, uint64_t n)
{
    struct hl_counts *counts = find_counts(trial, rollout);

    if (!counts || n == 0)
        return;
    counts->dropped += n;
    trial->is_dirty = true;
}

/* ---- feedback ---- */

static int compare_ids(const void *a, const void *b)
{
    return hl_id_compare(a, b);
}

static bool is_right(const struct hl_trial *trial, const struct hl_compared *item,
                     enum hl_side side, const struct hl_ids *relevant)
{
    for (size_t i = 0; i < item->n[side] && i < trial->flip_at; i++)
        if (relevant->n > 0 && bsearch(&item->hits[side][i], relevant->items, relevant->n,
                                       sizeof *relevant->items, compare_ids))
            return true;
    return false;
}

static void count_verdict(struct hl_counts *counts, const struct hl_compared *item,
                          struct hl_verdict *verdict)
{
    const bool *is_right_by = verdict->is_right;

    if (is_right_by[HL_SIDE_FROM] != is_right_by[HL_SIDE_TO])
        verdict->flip = is_right_by[HL_SIDE_FROM] ? HL_FLIP_NEGATIVE : HL_FLIP_POSITIVE;
    counts->flips[verdict->flip == HL_FLIP_NEGATIVE]++;
    counts->positive_flips += verdict->flip == HL_FLIP_POSITIVE;
    counts->flips_served += verdict->flip == HL_FLIP_NEGATIVE && item->is_new_served;
    for (int side = 0; side < HL_N_SIDES; side++)
        counts->right[side] += is_right_by[side];
}

struct hl_verdict hl_trial_judge(struct hl_trial *trial, const struct hl_feedback *feedback)
{
    struct hl_compared *item =
        hl_compared_ring_find(trial->ring, &feedback->query_id, feedback->index);
    struct hl_counts *counts = item ? hl_trial_counts(trial, item->stage) : NULL;
    struct hl_verdict verdict = {.is_counted = false};

    if (!item) {
        verdict.is_unknown = true;
        verdict.why = "no query of that id was compared, or it is forgotten";
    } else if (item->is_counted) {
        verdict.why = "it was counted before";
    } else if (!counts || counts->begun != item->begun) {
        verdict.why = "the stage that it was asked in is over and began anew";
    } else {
        for (int side = 0; side < HL_N_SIDES; side++)
            verdict.is_right[side] =
                is_right(trial, item, (enum hl_side)side, &feedback->relevant);
        count_verdict(counts, item, &verdict);
        verdict.is_counted = item->is_counted = trial->is_dirty = true;
    }
    return verdict;
}

/* ---- sums ---- */

uint64_t hl_counts_compared(const struct hl_counts *counts)
{
    return total(counts->disagreement, HL_TENTHS);
}

uint64_t hl_counts_begun(const struct hl_counts *counts)
{
    return counts->errors[0] + counts->errors[1];
}

double hl_counts_quantile(const struct hl_counts *counts, enum hl_side side, double share)
{
    const uint64_t n = hl_counts_compared(counts);
    uint64_t below = 0;
    size_t span = 0;

    if (n == 0)
        return (double)NAN;
    while (span < HL_SPANS - 1) {
        below += counts->spans[side][span];
        if ((double)below >= share * (double)n)
            break;
        span++;
    }
    return SHORTEST_US / 1e6 * exp2((double)(span + 1) / SPANS_TO_A_DOUBLING);
}
