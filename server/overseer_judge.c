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

/* Whether something is pending is asked before: what is compared in between is found. Where
 * the overseer counts just now, or was kept from going on while it did, it judges itself.
 */
void hl_overseer_judge(struct hl_overseer *overseer, struct hl_judging *judging,
                       bool *ret_is_done)
{
    const bool is_pending = hl_offers_are_pending(overseer->server->offers);

    for (size_t i = 0; i < judging->n; i++)
        judging->verdicts[i] = (struct hl_verdict){.is_counted = false};
    *ret_is_done = false;
    if (pthread_mutex_trylock(&overseer->lock) != 0)
        return;
    *ret_is_done = hl_overseer_judge_now(overseer, judging) || !is_pending;
    pthread_mutex_unlock(&overseer->lock);
}

/* ---- who waits ---- */

enum hl_code hl_overseer_await(struct hl_overseer *overseer, struct hl_judging *judging,
                               struct hl_err *err)
{
    struct hl_judging *last = atomic_load(&overseer->waiting);

    do {
        if (last == &overseer->the_end)
            return hl_fail(err, HL_UNAVAILABLE, "the server is stopping");
        judging->next = last;
    } while (!atomic_compare_exchange_weak(&overseer->waiting, &last, judging));
    hl_offers_poke(overseer->server->offers);
    return HL_OK;
}

struct hl_judging *hl_overseer_take_waiting(struct hl_overseer *overseer, bool is_end)
{
    struct hl_judging *last =
        atomic_exchange(&overseer->waiting, is_end ? &overseer->the_end : NULL);
    struct hl_judging *first = NULL;

    while (last) {
        struct hl_judging *next = last->next;

        last->next = first;
        first = last;
        last = next;
    }
    return first;
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

void hl_overseer_count(struct hl_overseer *overseer, struct hl_collection *collection,
                       const struct hl_rollout *rollout, struct hl_trial *ret_trial)
{
    struct hl_watched *watched;

    *ret_trial = (struct hl_trial){.number = 0};
    if (!overseer)
        return;
    pthread_mutex_lock(&overseer->lock);
    watched = hl_overseer_find(overseer, collection);
    if (watched)
        *ret_trial = *watched->trial;
    pthread_mutex_unlock(&overseer->lock);
    ret_trial->ring = NULL;
    hl_trial_follow(ret_trial, rollout); /* it may have gone on since the last second */
}

void hl_overseer_print(struct hl_overseer *overseer, struct hl_collection *collection,
                       const struct hl_rollout *rollout, struct hl_buf *buf)
{
    struct hl_guard_check checks[HL_N_GUARDS];
    struct hl_guard_facts facts = {.rollout = rollout};
    struct hl_trial trial;

    hl_overseer_count(overseer, collection, rollout, &trial);
    facts.first = hl_trial_first(&trial);
    facts.shadow = hl_trial_counts(&trial, HL_STAGE_SHADOW);
    facts.stage = hl_trial_counts(&trial, rollout->stage);
    hl_guard_look(&facts, checks);
    hl_buf_add_char(buf, '{');
    print_stage(&trial, HL_STAGE_SHADOW, buf);
    print_stage(&trial, HL_STAGE_CANARY, buf);
    print_stage(&trial, HL_STAGE_LIVE, buf);
    hl_buf_add_text(buf, "\"guards\":");
    hl_guard_checks_print(checks, HL_N_GUARDS, buf);
    hl_buf_add_char(buf, '}');
}
