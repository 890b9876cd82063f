/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"
#include "server/offers.h"
#include "server/overseer_part.h"

/* ---- feedback ---- */

static void count_verdict(const struct hl_overseer *overseer,
                          const struct hl_verdict *verdict)
{
    static const enum hl_counter counters[] = {
        [HL_FLIP_NONE] = HL_METRIC_FLIPS_NONE,
        [HL_FLIP_NEGATIVE] = HL_METRIC_FLIPS_NEGATIVE,
        [HL_FLIP_POSITIVE] = HL_METRIC_FLIPS_POSITIVE};

    if (verdict->is_counted)
        hl_metrics_add(overseer->server->metrics, counters[verdict->flip], 1);
}

bool hl_overseer_judge_now(struct hl_overseer *overseer, struct hl_judging *judging)
{
    struct hl_watched *watched = hl_overseer_find(overseer, judging->collection);
    bool is_done = true;

    for (size_t i = 0; i < judging->n; i++) {
        struct hl_verdict *verdict = &judging->verdicts[i];

        if (verdict->is_counted || (verdict->why && !verdict->is_unknown))
            continue;
        *verdict = watched ? hl_trial_judge(watched->trial, &judging->feedback[i])
                           : (struct hl_verdict){.is_unknown = true,
                                                 .why = "nothing is compared here: no "
                                                        "rollout runs"};
        if (watched)
            watched->n_new += verdict->is_counted;
        count_verdict(overseer, verdict);
        is_done = is_done && !verdict->is_unknown;
    }
    return is_done;
}

/* Whether something is pending is asked before: what is compared in between is found. */
void hl_overseer_judge(struct hl_overseer *overseer, struct hl_judging *judging,
                       bool *ret_is_done)
{
    const bool is_pending = hl_offers_are_pending(overseer->server->offers);

    for (size_t i = 0; i < judging->n; i++)
        judging->verdicts[i] = (struct hl_verdict){.is_counted = false};
    pthread_mutex_lock(&overseer->lock);
    *ret_is_done = hl_overseer_judge_now(overseer, judging) || !is_pending;
    pthread_mutex_unlock(&overseer->lock);
}

enum hl_code hl_overseer_await(struct hl_overseer *overseer, struct hl_judging *judging,
                               struct hl_err *err)
{
    struct hl_judging **last = &overseer->waiting;
    bool is_closed;

    judging->next = NULL;
    pthread_mutex_lock(&overseer->lock);
    is_closed = overseer->is_closed;
    while (*last)
        last = &(*last)->next;
    if (!is_closed)
        *last = judging;
    pthread_mutex_unlock(&overseer->lock);
    if (is_closed)
        return hl_fail(err, HL_UNAVAILABLE, "the server is stopping");
    hl_offers_poke(overseer->server->offers);
    return HL_OK;
}

/* ---- figures ---- */

static void print_stage(struct hl_trial *trial, enum hl_stage stage, struct hl_buf *buf)
{
    const struct hl_counts *counts = hl_trial_counts(trial, stage);

    hl_encode_key(buf, hl_stage_name(stage));
    if (counts->begun > 0)
        hl_counts_print(counts, buf);
    else
        hl_encode_null(buf);
    hl_buf_add_char(buf, ',');
}

/* Without its lists. */
static struct hl_trial copy_trial(struct hl_overseer *overseer,
                                  struct hl_collection *collection,
                                  const struct hl_rollout *rollout)
{
    struct hl_trial trial = {.number = 0};
    struct hl_watched *watched;

    pthread_mutex_lock(&overseer->lock);
    watched = hl_overseer_find(overseer, collection);
    if (watched)
        trial = *watched->trial;
    pthread_mutex_unlock(&overseer->lock);
    trial.ring = NULL;
    hl_trial_follow(&trial, rollout); /* it may have gone on since the last second */
    return trial;
}

void hl_overseer_counts(struct hl_overseer *overseer, struct hl_collection *collection,
                        const struct hl_rollout *rollout, enum hl_stage stage,
                        struct hl_counts *ret_counts)
{
    const struct hl_counts *counts;
    struct hl_trial trial;

    *ret_counts = (struct hl_counts){0};
    if (!overseer)
        return;
    trial = copy_trial(overseer, collection, rollout);
    counts = hl_trial_counts(&trial, stage);
    if (counts)
        *ret_counts = *counts;
}

void hl_overseer_print(struct hl_overseer *overseer, struct hl_collection *collection,
                       const struct hl_rollout *rollout, struct hl_buf *buf)
{
    struct hl_guard_check checks[HL_N_GUARDS];
    struct hl_guard_facts facts = {.rollout = rollout};
    struct hl_trial trial = copy_trial(overseer, collection, rollout);

    facts.shadow = hl_trial_counts(&trial, HL_STAGE_SHADOW);
    facts.stage = hl_trial_counts(&trial, rollout->stage);
    hl_guard_look(&facts, checks);
    hl_buf_add_char(buf, '{');
    print_stage(&trial, HL_STAGE_SHADOW, buf);
    print_stage(&trial, HL_STAGE_CANARY, buf);
    print_stage(&trial, HL_STAGE_LIVE, buf);
    hl_buf_add_text(buf, "\"guards\":");
    hl_guard_checks_print(checks, buf);
    hl_buf_add_char(buf, '}');
}
