/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_FIT_CASE_H
#define HL_COMPAT_FIT_CASE_H

#include "compat/fit_part.h"

/* One fit under way: what there is to learn from, and what all its maps share. Not for
 * anyone but fit*.c. */
struct hl_fitting {
    const struct hl_fit *fit;
    size_t dim_from, dim_to, n_rows;
    bool has_pairs;  /* rows of both models */
    bool has_items;  /* labelled rows of `to` instead */
    bool has_labels; /* of the rows of `from` */
    bool can_judge;  /* there is a head, and something to say what is right */
    struct hl_fit_sample joined, sample;
    struct hl_fit_data all;  /* every row, in memory or not */
    struct hl_fit_data part; /* as many as fit in memory; not filled when `all` is whole */
    struct hl_fit_data old;  /* labelled rows of `to` */
    struct hl_fit_stats stats;
    double *factor; /* of stats, for whitening */
    struct hl_map *anchor, *ridge;
    struct hl_fit_head head; /* with rows for classes the old head does not know */
    float *centres;          /* targets of rows without pairs */
    uint32_t *hard;          /* of the rows of hl_fitting_part */
    /* Linear maps as far as they were learnt, from which those of every width grow; the
     * second faithful one by the head's judgement too. */
    struct hl_map *judged_linear, *faithful_linear[2];
    struct hl_fit_pace pace;
};

/* Fills everything, or leaves nothing. `story` is told the case. */
enum hl_code hl_fitting_init(struct hl_fitting *fitting, const struct hl_fit *fit,
                             struct hl_fit_story *story, struct hl_err *err);
void hl_fitting_done(struct hl_fitting *fitting);

/* The rows that are in memory: all, or a sample. */
struct hl_fit_data *hl_fitting_part(struct hl_fitting *fitting);

/* Whether a kind can be fitted with what there is; else `why` says what it needs. */
bool hl_fitting_can(const struct hl_fitting *fitting, enum hl_kind kind, const char **why);

/* The judged map of a kind, or its only one. `n` is the width or the rank. */
enum hl_code hl_fitting_judged(struct hl_fitting *fitting, enum hl_kind kind, size_t n,
                               struct hl_map **ret_map, struct hl_err *err);

/* The map for items. `n_hidden` 0: linear. */
enum hl_code hl_fitting_faithful(struct hl_fitting *fitting, size_t n_hidden,
                                 bool is_judged_too, struct hl_map **ret_map,
                                 struct hl_err *err);

/* The class that a head takes each old vector of an exam for. */
enum hl_code hl_fit_opinions(const struct hl_exam *exam, const struct hl_head *head,
                             int32_t **ret_labels, struct hl_err *err);

#endif
