/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_FIT_H
#define HL_COMPAT_FIT_H

#include "compat/bridge.h"
#include "compat/exam.h"
#include "compat/head.h"
#include "compat/lesson.h"

/* Learning a bridge. What is there decides how: pairs, labels, the old model's head, old
 * items without pairs.
 *
 * One thread, bounded memory: rows are read in blocks, again in each round. Deterministic
 * for a seed on one machine. */

struct hl_focal {
    double alpha, beta; /* both 0: none. Weight of the old logits, and more where the old
                           model was right */
};

struct hl_fit {
    const char *from, *to;  /* names, for the bridge and for sentences */
    struct hl_lesson pairs; /* rows of `from`; with `to`: pairs; with labels: judged */
    struct hl_lesson items; /* rows of `to` alone, with labels; n_rows 0: none */
    const struct hl_exam *choose; /* a holdout: both models' vectors, labels where known */
    const struct hl_head *head;   /* of `to`; NULL: one is learnt, if there are labels */
    size_t n_classes;             /* labels are below this */
    enum hl_kind kind;
    enum hl_task task;
    struct hl_focal focal;
    size_t n_hidden; /* of residual maps; 0: chosen on the holdout */
    size_t rank;     /* of `lowrank`; 0: chosen on the holdout */
    uint64_t seed;
    size_t max_bytes; /* of working memory, the head not counted; 0: 1 GiB */
    struct hl_errand errand;
};

/* What was tried, in the order of trying; the first that is `is_best` became the bridge. */
struct hl_fit_trial {
    enum hl_kind kind;
    size_t n_hidden, rank;
    double top1, map, self1, self10; /* on the holdout; NaN: cannot be said */
    bool passes, is_best;
    char why[160]; /* not, or why it is best */
};

enum { HL_FIT_TRIALS = 24 };

struct hl_fit_story {
    const char *what;       /* "labelled pairs and a head", … : the case, for people */
    const char *cannot_say; /* the figures it cannot give; "" */
    bool is_head_learnt;
    size_t n_extended; /* rows learnt for classes the head does not know */
    size_t n_trials;
    struct hl_fit_trial trials[HL_FIT_TRIALS];
};

enum hl_code hl_fit_bridge(const struct hl_fit *fit, struct hl_bridge **ret_bridge,
                           struct hl_fit_story *ret_story, struct hl_err *err);

#endif
