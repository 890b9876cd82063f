/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_COMPARING_H
#define HL_TESTS_UNIT_COMPARING_H

/* Comparisons in words, for tests of what is counted of a rollout. Include it behind
 * cmocka.h. */
#include "server/trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rollout 1, begun with step 1, in a stage since a step. */
static inline struct hl_rollout rollout_in(enum hl_stage stage, uint64_t since)
{
    struct hl_rollout rollout = hl_rollout_default();

    rollout.number = 1;
    rollout.step = rollout.stage_step = since;
    rollout.stage = stage;
    rollout.from = 1;
    rollout.to = 2;
    return rollout;
}

static inline void take_hits(struct hl_compared *item, enum hl_side side, const char *hits)
{
    char *end;

    for (; *hits; hits = *end == ' ' ? end + 1 : end)
        item->hits[side][item->n[side]++] = hl_id_number(strtoull(hits, &end, 10));
}

/* What each side found, "1 2 3". */
static inline struct hl_comparison comparison_of(const struct hl_rollout *rollout,
                                                 const char *query_id, const char *from,
                                                 const char *to)
{
    struct hl_comparison comparison = {.rollout = rollout, .took_us = {100, 100}};

    (void)snprintf(comparison.item.query_id, sizeof comparison.item.query_id, "%s",
                   query_id);
    take_hits(&comparison.item, HL_SIDE_FROM, from);
    take_hits(&comparison.item, HL_SIDE_TO, to);
    return comparison;
}

static inline struct hl_verdict judge(struct hl_trial *trial, const char *query_id,
                                      uint64_t relevant)
{
    const struct hl_id id = hl_id_number(relevant);
    const struct hl_feedback feedback = {.query_id = {query_id, strlen(query_id)},
                                         .relevant = {&id, 1}};

    return hl_trial_judge(trial, &feedback);
}

#endif
