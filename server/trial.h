/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_TRIAL_H
#define HL_SERVER_TRIAL_H

#include "proto/feedback.h"
#include "server/compared.h"
#include "server/holdings.h"

/* What is known of the two models of a rollout by comparing what they answer.
 *
 * Counts alone, of each stage apart: what the guard says follows from them, so it says the
 * same after a restart. The counts of a stage begin anew whenever the stage does, but not
 * when the percentage changes. One thread at a time: its owner guards it. */

/* Disagreement of two lists, in tenths: 0 the same hits, 10 none in common. */
enum { HL_TENTHS = 11 };

/* Times are counted by their size, four spans to a doubling, from 8 microseconds on. */
enum { HL_SPANS = 96 };

/* Everything is a count, or `begun`; trial_record.c has a table of them. */
struct hl_counts {
    uint64_t begun;   /* the rollout's step it began with; 0: it never did */
    uint64_t dropped; /* sampled, and not compared: there was no room */
    uint64_t disagreement[HL_TENTHS]; /* of what both models answered */
    uint64_t lost_tops;               /* of those: the first hit of `from` is not in the
                                         first ten of `to` */
    uint64_t slower[2];               /* of those: no, yes */
    uint64_t errors[2];               /* `to` failed and `from` did not: no, yes */
    uint64_t failed[HL_N_SIDES];
    uint64_t flips[2];          /* of what was judged by feedback: negative? */
    uint64_t positive_flips;    /* likewise */
    uint64_t right[HL_N_SIDES]; /* likewise */
    uint64_t flips_served;      /* negative flips that a caller saw */
    uint64_t spans[HL_N_SIDES][HL_SPANS];
    uint64_t total_us[HL_N_SIDES];
};

enum {
    HL_N_TRIAL_STAGES = 3,              /* shadow, canary, live; */
    HL_TRIAL_FIRST = HL_N_TRIAL_STAGES, /* of the first shadow, once there is another, */
    HL_N_TRIAL_COUNTS                   /* what callers may be held against */
};

struct hl_trial {
    uint64_t number;     /* of the rollout */
    uint64_t step;       /* that was heard of last */
    enum hl_stage stage; /* then */
    uint32_t flip_at;    /* hits of which one must be relevant; 1 to HL_COMPARED_HITS */
    uint64_t probed_ms;  /* when its probe set was run by schedule, since 1970; 0: never */
    bool is_dirty;       /* the record does not say all of it */
    struct hl_counts counts[HL_N_TRIAL_COUNTS];
    struct hl_compared_ring *ring;
};

struct hl_trial *hl_trial_new(void);        /* NULL: no memory */
void hl_trial_free(struct hl_trial *trial); /* NULL is accepted */

/* NULL: nothing is counted in that stage. */
struct hl_counts *hl_trial_counts(struct hl_trial *trial, enum hl_stage stage);

/* Flips and disagreement of the first shadow of the rollout that said enough of them, and
 * nothing else; empty until it is over and another one began. A model that was taken back
 * is compared again from there on, and must not be measured by itself. */
const struct hl_counts *hl_trial_first(const struct hl_trial *trial);

/* Another rollout forgets everything; a stage that begins, its counts. What is older than
 * what was heard of changes nothing. */
void hl_trial_follow(struct hl_trial *trial, const struct hl_rollout *rollout);

/* One query, asked of both. */
struct hl_comparison {
    const struct hl_rollout *rollout; /* as it was when the query was answered */
    struct hl_compared item;          /* `begun` and `is_counted` are filled in */
    bool has_failed[HL_N_SIDES];
    int64_t took_us[HL_N_SIDES];
};

/* False when that stage is over and began anew, or the rollout is: it counts nowhere. */
bool hl_trial_add(struct hl_trial *trial, const struct hl_comparison *comparison);
void hl_trial_drop(struct hl_trial *trial, const struct hl_rollout *rollout, uint64_t n);

enum hl_flip { HL_FLIP_NONE, HL_FLIP_NEGATIVE, HL_FLIP_POSITIVE };

struct hl_verdict {
    bool is_counted;
    bool is_unknown; /* it is not, because no such query was compared */
    const char *why; /* it is not; a fixed text */
    enum hl_flip flip;
    bool is_right[HL_N_SIDES];
};

struct hl_verdict hl_trial_judge(struct hl_trial *trial,
                                 const struct hl_feedback *feedback);

/* Comparisons that both models answered, and all that were begun. */
uint64_t hl_counts_compared(const struct hl_counts *counts);
uint64_t hl_counts_begun(const struct hl_counts *counts);

/* The time that a share of them stayed below, in seconds; NaN when there are none. */
double hl_counts_quantile(const struct hl_counts *counts, enum hl_side side, double share);

/* ---- trial_record.c ---- */

/* The record of a collection. Another rollout's is none: the trial stays as it is. Reads
 * the disk. */
enum hl_code hl_trial_load(struct hl_trial *trial, const struct hl_holdings *holdings,
                           struct hl_err *err);

/* In a change. */
enum hl_code hl_trial_save(struct hl_writing *writing, const struct hl_trial *trial,
                           struct hl_err *err);

/* ---- trial_print.c ---- */

/* An object: what was counted in a stage. */
void hl_counts_print(const struct hl_counts *counts, struct hl_buf *buf);

#endif
