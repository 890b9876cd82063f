/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_case.h"
#include "compat/linalg.h"

#include <math.h>
#include <string.h>

/* The maps of each kind. */

enum { LINEAR_ROUNDS = 12, LAST_ROUNDS = 4 };

bool hl_fitting_can(const struct hl_fitting *f, enum hl_kind kind, const char **why)
{
    switch (kind) {
    case HL_KIND_INFLUENCE:
    case HL_KIND_ANCHORED:
    case HL_KIND_RESIDUAL:
        *why = "labels, or the old model's head";
        return f->can_judge;
    case HL_KIND_LSQ:
        *why = "labelled pairs";
        return f->can_judge && f->has_labels && f->has_pairs;
    case HL_KIND_PROCRUSTES:
        *why = "pairs, or labelled items of the old model";
        return f->has_pairs || f->has_items;
    case HL_KIND_RIDGE:
    case HL_KIND_LOWRANK:
    case HL_KIND_FAITHFUL:
        *why = "pairs";
        return f->has_pairs;
    case HL_KIND_AUTO:
    case HL_N_KINDS:
        break;
    }
    *why = "to be a kind of bridge";
    return false;
}

static float temperature(const struct hl_fit_head *head)
{
    return (float)((1.7 + log((double)head->n_rows)) / head->mean_norm);
}

/* How much the anchor counts. With a few rows of each class the labels alone would be
 * learnt by heart; with more, a strong anchor only holds back. */
static float anchor_weight(const struct hl_fitting *f)
{
    if (!f->has_pairs && !f->has_items)
        return 0;
    return f->n_rows < 5 * f->head.n_rows ? 4 : 1;
}

static struct hl_goal judged_goal(const struct hl_fitting *f)
{
    return (struct hl_goal){
        .dim = f->dim_to,
        .head = &f->head,
        .tau = temperature(&f->head),
        .anchor = f->anchor,
        .anchor_weight = anchor_weight(f),
        .focal = f->fit->focal,
        .hard = f->hard,
    };
}

static enum hl_code copy_map(const struct hl_map *map, struct hl_map **ret_map,
                             struct hl_err *err)
{
    enum hl_code code = hl_map_new(map->dim_in, map->dim_out, 0, ret_map, err);

    if (code == HL_OK) {
        memcpy((*ret_map)->p, map->p, map->dim_in * map->dim_out * sizeof(float));
        memcpy((*ret_map)->c, map->c, map->dim_out * sizeof(float));
    }
    return code;
}

/* Where rows are few for the dimensions, what they say of most directions is chance. */
static double hold_of(const struct hl_fitting *f)
{
    double scarcity = (double)f->dim_from / (double)f->n_rows;

    return scarcity * scarcity;
}

/* From a start by a goal: on the rows in memory first, then, if there are more, on all. */
static enum hl_code descend(struct hl_fitting *f, const struct hl_goal *goal,
                            const struct hl_map *start, struct hl_map **ret_map,
                            struct hl_err *err)
{
    struct hl_map *map = NULL;
    struct hl_fit_linear task = {.data = hl_fitting_part(f),
                                 .stats = &f->stats,
                                 .l = f->factor,
                                 .goal = goal,
                                 .max_rounds = LINEAR_ROUNDS,
                                 .hold = hold_of(f)};
    enum hl_code code = copy_map(start, &map, err);

    if (code == HL_OK)
        code = hl_fit_linear(&task, map, err);
    if (code == HL_OK && task.data != &f->all && !goal->hard) {
        task.data = &f->all;
        task.max_rounds = LAST_ROUNDS;
        code = hl_fit_linear(&task, map, err);
    }
    if (code == HL_OK)
        *ret_map = map;
    else
        hl_map_free(map);
    return code;
}

/* The same, unless it was done before. */
static enum hl_code descend_once(struct hl_fitting *f, const struct hl_goal *goal,
                                 const struct hl_map *start, struct hl_map **kept,
                                 struct hl_err *err)
{
    return *kept ? HL_OK : descend(f, goal, start, kept, err);
}

/* The classical influence loss: the head as it is, and nothing to hold on to. */
static enum hl_code fit_influence(struct hl_fitting *f, struct hl_map **ret_map,
                                  struct hl_err *err)
{
    struct hl_goal goal = judged_goal(f);

    goal.tau = 1;
    goal.anchor_weight = 0;
    goal.is_known_only = f->head.n_known > 0;
    return descend(f, &goal, f->anchor, ret_map, err);
}

/* Some 800 steps, whatever there is: few rows are met often, of many each needs to be met
 * less. More steps with shorter strides were measured to be better than few long ones. */
static unsigned epochs_for(size_t n_rows)
{
    size_t epochs = (size_t)800 * 512 / n_rows;

    return epochs < 4 ? 4 : epochs > 40 ? 40 : (unsigned)epochs;
}

static enum hl_code grow(struct hl_fitting *f, const struct hl_goal *goal,
                         const struct hl_map *start, size_t n_hidden,
                         struct hl_map **ret_map, struct hl_err *err)
{
    struct hl_fit_data *part = hl_fitting_part(f);
    struct hl_fit_residual task = {
        .data = part,
        .goal = goal,
        .n_hidden = n_hidden,
        .epochs = epochs_for((size_t)part->lesson.n_rows),
        .rate = 2e-3F,
        .seed = f->fit->seed,
    };

    return hl_fit_residual(&task, start, ret_map, err);
}

/* n_hidden 0: linear. */
static enum hl_code fit_anchored(struct hl_fitting *f, size_t n_hidden,
                                 struct hl_map **ret_map, struct hl_err *err)
{
    struct hl_goal goal = judged_goal(f);
    enum hl_code code = descend_once(f, &goal, f->anchor, &f->judged_linear, err);

    if (code != HL_OK)
        return code;
    return n_hidden ? grow(f, &goal, f->judged_linear, n_hidden, ret_map, err)
                    : copy_map(f->judged_linear, ret_map, err);
}

static bool has_focal(const struct hl_fitting *f)
{
    return f->fit->focal.alpha > 0 || f->fit->focal.beta > 0;
}

/* A map that was found in closed form, held where it is and to the old model's opinions. */
static enum hl_code hold_to_old(struct hl_fitting *f, struct hl_map **map,
                                struct hl_err *err)
{
    struct hl_goal goal = {.dim = f->dim_to,
                           .head = &f->head,
                           .anchor = *map,
                           .anchor_weight = 1,
                           .focal = f->fit->focal};
    struct hl_map *held = NULL;
    enum hl_code code;

    if (!has_focal(f))
        return HL_OK;
    code = descend(f, &goal, *map, &held, err);
    hl_map_free(*map);
    *map = held;
    return code;
}

static enum hl_code fit_closed(struct hl_fitting *f, enum hl_kind kind, size_t rank,
                               struct hl_map **ret_map, struct hl_err *err)
{
    struct hl_map *map = NULL;
    enum hl_code code;

    if (kind == HL_KIND_PROCRUSTES)
        code = copy_map(f->anchor, &map, err);
    else if (kind == HL_KIND_RIDGE)
        code = copy_map(f->ridge, &map, err);
    else if (kind == HL_KIND_LOWRANK)
        code = hl_fit_lowrank(&f->stats, rank, &map, err);
    else
        code = hl_fit_lsq(&f->all, &f->stats, &f->head, &map, err);
    if (code == HL_OK)
        code = hold_to_old(f, &map, err);
    if (code == HL_OK)
        *ret_map = map;
    return code;
}

enum hl_code hl_fitting_judged(struct hl_fitting *f, enum hl_kind kind, size_t n,
                               struct hl_map **ret_map, struct hl_err *err)
{
    switch (kind) {
    case HL_KIND_INFLUENCE:
        return fit_influence(f, ret_map, err);
    case HL_KIND_ANCHORED:
        return fit_anchored(f, 0, ret_map, err);
    case HL_KIND_RESIDUAL:
        return fit_anchored(f, n, ret_map, err);
    case HL_KIND_PROCRUSTES:
    case HL_KIND_RIDGE:
    case HL_KIND_LOWRANK:
    case HL_KIND_LSQ:
        return fit_closed(f, kind, n, ret_map, err);
    case HL_KIND_FAITHFUL:
        return hl_fitting_faithful(f, n, false, ret_map, err);
    case HL_KIND_AUTO:
    case HL_N_KINDS:
        break;
    }
    return hl_fail(err, HL_INVALID, "no bridge is of kind %d", (int)kind);
}

enum hl_code hl_fitting_faithful(struct hl_fitting *f, size_t n_hidden, bool is_judged_too,
                                 struct hl_map **ret_map, struct hl_err *err)
{
    struct hl_goal goal = {.dim = f->dim_to, .pair_weight = is_judged_too ? 4 : 1};
    struct hl_map **linear = &f->faithful_linear[is_judged_too];
    enum hl_code code;

    if (!f->has_pairs)
        return copy_map(f->anchor, ret_map, err);
    if (is_judged_too) {
        goal.head = &f->head;
        goal.tau = 1;
        goal.is_known_only = f->head.n_known > 0;
        goal.hard = f->hard;
    }
    if (f->fit->kind == HL_KIND_FAITHFUL && has_focal(f)) {
        goal.head = &f->head;
        goal.focal = f->fit->focal;
    }
    code = descend_once(f, &goal, f->ridge, linear, err);
    if (code != HL_OK)
        return code;
    return n_hidden ? grow(f, &goal, *linear, n_hidden, ret_map, err)
                    : copy_map(*linear, ret_map, err);
}
