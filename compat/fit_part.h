/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_FIT_PART_H
#define HL_COMPAT_FIT_PART_H

#include "compat/fit.h"

/* What the files of a fit share. Not for anyone else.
 *
 * A fit goes: data -> statistics -> anchor and closed forms -> head in use -> judged map,
 * first linear, then with a residual -> faithful map, the same way -> a bridge. */

/* ---- how far it is, and whether to go on ---- */

/* A step of a fit is a share of the whole. */
struct hl_fit_pace {
    const struct hl_errand *errand;
    const char *phase;
    double done, share;
    double reached; /* of the whole: what was told is never taken back */
};

void hl_fit_tell(struct hl_fit_pace *pace, double progress); /* of the step: 0 … 1 */
enum hl_code hl_fit_go_on(struct hl_fit_pace *pace, struct hl_err *err);

/* ---- data (fit_data.c) ---- */

/* The rows of a lesson, of length 1: whole in memory where they fit, else a block at a
 * time. */
struct hl_fit_data {
    struct hl_lesson lesson;
    float *from, *to; /* whole, or room for one block */
    bool is_whole;
    size_t block; /* rows at once */
    struct hl_fit_pace *pace;
};

struct hl_fit_block {
    size_t first, n;
    const float *x, *e;    /* e NULL: no pairs */
    const int32_t *labels; /* of the block's rows; NULL: none */
};

enum hl_code hl_fit_data_init(struct hl_fit_data *data, const struct hl_lesson *lesson,
                              size_t max_bytes, struct hl_fit_pace *pace,
                              struct hl_err *err);
void hl_fit_data_done(struct hl_fit_data *data);

/* The block that begins at `first`, good until the next call. Asks whether to go on. */
enum hl_code hl_fit_data_block(struct hl_fit_data *data, size_t first,
                               struct hl_fit_block *ret_block, struct hl_err *err);

/* Some rows of a lesson, as a lesson of its own: at most `max_rows`, by the seed; with
 * `wanted`, only those for which it is true. HL_INVALID when there are none. */
struct hl_fit_sample {
    struct hl_lesson lesson;
    struct hl_lesson of; /* what it is a part of */
    struct hl_rows_pick from, to;
    uint32_t *numbers;
    int32_t *labels;
    uint8_t *modalities;
};

enum hl_code hl_fit_sample_init(struct hl_fit_sample *sample, const struct hl_lesson *of,
                                const bool *wanted, size_t max_rows, uint64_t seed,
                                struct hl_err *err);
void hl_fit_sample_done(struct hl_fit_sample *sample);

/* ---- statistics and what follows from them alone (fit_stats.c, fit_closed.c) ---- */

/* Sums over rows x of `from` and their targets t of `to`. */
struct hl_fit_stats {
    size_t dim_from, dim_to;
    double n;
    double *mean_x, *mean_t;
    double *xx;                /* dim_from x dim_from: covariance of x, by n */
    double *tx;                /* dim_to x dim_from: covariance of t with x, by n */
    double spread_x, spread_t; /* mean |x - mean_x|², and of t */
};

/* `targets` gives row i's target: its pair's vector, or, with `centres` (class by class,
 * dim_to each), that of its class. */
enum hl_code hl_fit_stats_take(struct hl_fit_data *data, size_t dim_to,
                               const float *centres, struct hl_fit_stats *ret_stats,
                               struct hl_err *err);
void hl_fit_stats_done(struct hl_fit_stats *stats);

/* The lower Cholesky factor of xx + share·(mean variance)·I, dim_from x dim_from. */
enum hl_code hl_fit_factor(const struct hl_fit_stats *stats, double share, double **ret_l,
                           struct hl_err *err);

enum hl_code hl_fit_procrustes(const struct hl_fit_stats *stats, struct hl_map **ret_map,
                               struct hl_err *err);
enum hl_code hl_fit_ridge(const struct hl_fit_stats *stats, double share,
                          struct hl_map **ret_map, struct hl_err *err);
enum hl_code hl_fit_lowrank(const struct hl_fit_stats *stats, size_t rank,
                            struct hl_map **ret_map, struct hl_err *err);

/* ---- the head in use (fit_head.c) ---- */

/* The old head's rows, and behind them rows learnt for classes that it does not know. */
struct hl_fit_head {
    size_t n_rows, n_known, dim;
    float *weight, *bias; /* bias: one each, zeros where the head has none */
    int32_t *row_of;      /* of each class; -1: none */
    size_t n_classes;
    double mean_norm;
};

/* `old` are rows of `to` with labels. Without `head` all rows are learnt. Classes without a
 * row in `old` get none. */
enum hl_code hl_fit_head_learn(const struct hl_head *head, struct hl_fit_data *old,
                               size_t n_classes, struct hl_fit_head *ret_head,
                               struct hl_err *err);

/* The old rows alone. */
enum hl_code hl_fit_head_copy(const struct hl_head *head, size_t n_classes,
                              struct hl_fit_head *ret_head, struct hl_err *err);
void hl_fit_head_done(struct hl_fit_head *head);

/* The mean old vector of each class (zeros where there is none), for rows without pairs. */
enum hl_code hl_fit_centres(struct hl_fit_data *old, size_t n_classes, float **ret_centres,
                            struct hl_err *err);

/* ---- what a map is to achieve (fit_goal.c) ---- */

/* By row: cross-entropy of the head's logits at tau, + anchor_weight·|u - t|²,
 * + pair_weight·|u - e|², + the focal term; u is the mapped vector, t the anchor's. */
struct hl_goal {
    size_t dim;                     /* of u */
    const struct hl_fit_head *head; /* NULL: no cross-entropy */
    float tau;
    bool is_known_only; /* rows of the old head alone */
    float anchor_weight, pair_weight;
    const struct hl_map *anchor; /* used where anchor_weight is not 0 */
    struct hl_focal focal;
    const uint32_t *hard; /* HL_GOAL_HARD rows of the head for each row of the data that
                             compete with its own; NULL: all do */
};

enum { HL_GOAL_HARD = 256, HL_GOAL_DENSE = 2000 /* rows of head that all compete */ };

/* Room for blocks of up to `n` rows. */
struct hl_goal_room {
    size_t n;
    float *logits, *opinion, *t;
};

enum hl_code hl_goal_room_init(struct hl_goal_room *room, const struct hl_goal *goal,
                               size_t n, struct hl_err *err);
void hl_goal_room_done(struct hl_goal_room *room);

/* The sum over the block's rows, and its gradient by each u (n x dim). `numbers` are the
 * rows' own numbers where they are not neighbours. */
double hl_goal_block(const struct hl_goal *goal, const struct hl_fit_block *block,
                     const uint32_t *numbers, const float *u, float *gradient,
                     struct hl_goal_room *room);

/* z -> u = z/|z| backwards: gradient := (gradient - u (u·gradient)) / |z|. */
void hl_goal_through_length(float *gradient, const float *u, const float *norms, size_t n,
                            size_t dim);

/* For each row of whole data the rows of the head that its anchor is most easily taken for.
 */
enum hl_code hl_fit_hard(struct hl_fit_data *data, const struct hl_fit_head *head,
                         const struct hl_map *anchor, uint32_t **ret_hard,
                         struct hl_err *err);

/* The closed form of the squared loss to the head's targets (fit_lsq.c). */
enum hl_code hl_fit_lsq(struct hl_fit_data *data, const struct hl_fit_stats *stats,
                        const struct hl_fit_head *head, struct hl_map **ret_map,
                        struct hl_err *err);

/* ---- maps by descent (fit_linear.c, fit_residual.c) ---- */

/* Whitened L-BFGS from `map`, which it changes. `l` is hl_fit_factor's. */
struct hl_fit_linear {
    struct hl_fit_data *data;
    const struct hl_fit_stats *stats;
    const double *l;
    const struct hl_goal *goal;
    unsigned max_rounds;
    double hold; /* how much each step away from `map` costs, whitened */
};
enum hl_code hl_fit_linear(const struct hl_fit_linear *task, struct hl_map *map,
                           struct hl_err *err);

/* Adam from `start`, plus a residual that begins as nothing. */
struct hl_fit_residual {
    struct hl_fit_data *data; /* whole */
    const struct hl_goal *goal;
    size_t n_hidden;
    unsigned epochs;
    float rate;
    uint64_t seed;
};
enum hl_code hl_fit_residual(const struct hl_fit_residual *task, const struct hl_map *start,
                             struct hl_map **ret_map, struct hl_err *err);

#endif
