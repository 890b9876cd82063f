/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_case.h"

#include "compat/linalg.h"
#include "proto/alloc.h"

#include <math.h>
#include <string.h>

static const size_t default_bytes = (size_t)1 << 30;

enum {
    MAX_PART = 200000,     /* rows that a residual learns from */
    MAX_HARD_PART = 100000 /* with a head whose rows do not all compete */
};

/* ---- what there is ---- */

static enum hl_code check_labels(const struct hl_lesson *lesson, size_t n_classes,
                                 const char *what, struct hl_err *err)
{
    int32_t first = -1;
    bool has_two = false;

    for (size_t row = 0; row < lesson->n_rows; row++) {
        int32_t label = lesson->labels[row];

        if (label >= (int32_t)n_classes)
            return hl_fail(err, HL_INVALID,
                           "row %zu of \"%s\" has class number %d, there are %zu classes",
                           row, what, label, n_classes);
        has_two = has_two || (first >= 0 && label >= 0 && label != first);
        first = first < 0 ? label : first;
    }
    if (first < 0)
        return hl_fail(err, HL_INVALID,
                       "no row of \"%s\" has a known class: send labels that are not "
                       "negative, or none at all",
                       what);
    if (!has_two)
        return hl_fail(
            err, HL_INVALID,
            "all rows of \"%s\" are of one class: nothing can be told apart; send "
            "rows of at least two, or no labels at all",
            what);
    return HL_OK;
}

static enum hl_code check_rows(const struct hl_fit *fit, struct hl_err *err)
{
    const struct hl_lesson *pairs = &fit->pairs;

    if (pairs->n_rows == 0 || pairs->from.dim == 0)
        return hl_fail(
            err, HL_INVALID,
            "there are 0 rows of \"%s\" to learn from: embed photographs with it "
            "first, at least as many as it has dimensions",
            fit->from);
    if (pairs->n_rows > UINT32_MAX)
        return hl_fail(err, HL_INVALID, "there are more than 4294967295 rows: send fewer");
    if (pairs->n_rows < pairs->from.dim)
        return hl_fail(err, HL_INVALID,
                       "%llu rows cannot say where %zu dimensions of \"%s\" lead: send at "
                       "least %zu, better 2000",
                       (unsigned long long)pairs->n_rows, pairs->from.dim, fit->from,
                       pairs->from.dim);
    return HL_OK;
}

static enum hl_code check_fit(const struct hl_fit *fit, struct hl_err *err)
{
    const struct hl_lesson *pairs = &fit->pairs, *items = &fit->items;
    enum hl_code code = check_rows(fit, err);
    size_t dim_to = pairs->to.dim > 0 ? pairs->to.dim : items->to.dim;

    if (code == HL_OK && pairs->labels)
        code = check_labels(pairs, fit->n_classes, fit->from, err);
    if (code == HL_OK && items->n_rows > 0)
        code = check_labels(items, fit->n_classes, fit->to, err);
    if (code != HL_OK)
        return code;
    if (dim_to == 0 && !fit->head)
        return hl_fail(err, HL_INVALID,
                       "there are 0 rows of \"%s\" and no head: send pairs, labelled items "
                       "of \"%s\", or its head",
                       fit->to, fit->to);
    if (pairs->to.dim == 0 && !pairs->labels)
        return hl_fail(err, HL_INVALID,
                       "without pairs the rows of \"%s\" need labels: nothing else joins "
                       "them to \"%s\"",
                       fit->from, fit->to);
    if (fit->head && dim_to > 0 && fit->head->dim != dim_to)
        return hl_fail(
            err, HL_DIMENSION_MISMATCH,
            "the head is for vectors of %zu dimensions, those of \"%s\" have %zu",
            fit->head->dim, fit->to, dim_to);
    return HL_OK;
}

/* What would change nothing is refused, not passed over. */
static enum hl_code check_wishes(const struct hl_fit *fit, struct hl_err *err)
{
    const bool is_auto = fit->kind == HL_KIND_AUTO;
    const bool has_width =
        is_auto || fit->kind == HL_KIND_RESIDUAL || fit->kind == HL_KIND_FAITHFUL;
    const bool has_pairs = fit->pairs.to.dim > 0;

    if (fit->n_hidden > 0 && !has_width)
        return hl_fail(err, HL_INVALID,
                       "a bridge of kind \"%s\" has no hidden units: ask for residual or "
                       "faithful, or leave them out",
                       hl_kind_name(fit->kind));
    if (fit->rank > 0 && !is_auto && fit->kind != HL_KIND_LOWRANK)
        return hl_fail(err, HL_INVALID,
                       "a bridge of kind \"%s\" has no rank: ask for lowrank, or leave it "
                       "out",
                       hl_kind_name(fit->kind));
    if (fit->rank > fit->pairs.from.dim)
        return hl_fail(err, HL_INVALID,
                       "a rank of %zu is more than the %zu dimensions of \"%s\"", fit->rank,
                       fit->pairs.from.dim, fit->from);
    if ((fit->focal.alpha > 0 || fit->focal.beta > 0) &&
        (!has_pairs || (!fit->head && !fit->pairs.labels)))
        return hl_fail(
            err, HL_INVALID,
            "\"focal\" holds a bridge to the old model's opinions: it needs pairs, "
            "and a head or labels to learn one by");
    return HL_OK;
}

static void tell_story(const struct hl_fitting *f, struct hl_fit_story *story)
{
    bool has_head = f->fit->head != NULL;

    story->is_head_learnt = !has_head && f->can_judge;
    story->n_extended = has_head && f->can_judge ? f->head.n_rows - f->head.n_known : 0;
    story->cannot_say = "";
    if (f->has_pairs && f->has_labels)
        story->what = has_head ? "labelled pairs and the old model's head"
                               : "labelled pairs; a head was learnt on old vectors";
    else if (f->has_pairs && has_head) {
        story->what = "pairs and the old model's head, whose opinion stands for labels";
        story->cannot_say = "top1, recall, mAP, the criterion, flips: there are no labels";
    } else if (f->has_pairs) {
        story->what = "pairs alone";
        story->cannot_say = "top1, recall, mAP, the criterion, flips, accuracy: there are "
                            "no labels and no head";
    } else if (f->has_items) {
        story->what = has_head ? "labelled new rows, labelled old items, the old head"
                               : "labelled new rows and labelled old items; a head was "
                                 "learnt on the items";
        story->cannot_say = "self@k: there are no pairs";
    } else {
        story->what = "labelled new rows and the old model's head";
        story->cannot_say = "self@k: there are no vectors of the old model";
    }
}

/* ---- getting ready ---- */

/* Rows without pairs: of what their class is. Without items that is the head's row. */
static enum hl_code find_centres(struct hl_fitting *f, struct hl_err *err)
{
    size_t n = f->fit->n_classes, dim = f->dim_to;

    if (f->has_items)
        return hl_fit_centres(&f->old, n, &f->centres, err);
    n = n > f->fit->head->n_rows ? n : f->fit->head->n_rows;
    f->centres = hl_alloc_zeroed(n, dim * sizeof(float));
    if (!f->centres)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu classes", n);
    memcpy(f->centres, f->fit->head->weight, f->fit->head->n_rows * dim * sizeof(float));
    hl_linalg_normalise(f->centres, f->fit->head->n_rows, dim, NULL);
    return HL_OK;
}

static bool has_centre(const struct hl_fitting *f, int32_t label)
{
    const float *centre;

    if (label < 0)
        return false;
    centre = f->centres + (size_t)label * f->dim_to;
    return hl_linalg_dot(centre, centre, f->dim_to) > 0;
}

/* Leaves out the rows whose class has no centre. */
static enum hl_code join_by_class(struct hl_fitting *f, struct hl_err *err)
{
    const struct hl_lesson *pairs = &f->fit->pairs;
    bool *wanted = hl_alloc_zeroed((size_t)pairs->n_rows, sizeof *wanted);
    enum hl_code code;

    if (!wanted)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %llu rows",
                       (unsigned long long)pairs->n_rows);
    for (size_t row = 0; row < pairs->n_rows; row++)
        wanted[row] = has_centre(f, pairs->labels[row]);
    code = hl_fit_sample_init(&f->joined, pairs, wanted, SIZE_MAX, 0, err);
    hl_free(wanted);
    return code;
}

static enum hl_code load_old(struct hl_fitting *f, size_t bytes, struct hl_err *err)
{
    struct hl_lesson old = f->fit->items;

    if (f->has_pairs && f->has_labels) {
        old = f->fit->pairs;
        old.from = (struct hl_rows){0};
    } else if (!f->has_items) {
        return HL_OK;
    }
    return hl_fit_data_init(&f->old, &old, bytes / 4, &f->pace, err);
}

static enum hl_code learn_head(struct hl_fitting *f, struct hl_err *err)
{
    bool has_old_labels = f->has_items || (f->has_pairs && f->has_labels);

    f->can_judge = f->fit->head || has_old_labels;
    if (!f->can_judge)
        return HL_OK;
    if (has_old_labels)
        return hl_fit_head_learn(f->fit->head, &f->old, f->fit->n_classes, &f->head, err);
    return hl_fit_head_copy(f->fit->head, f->fit->n_classes, &f->head, err);
}

static enum hl_code load_rows(struct hl_fitting *f, size_t bytes, struct hl_err *err)
{
    const struct hl_lesson *lesson = f->has_pairs ? &f->fit->pairs : &f->joined.lesson;
    size_t most = f->head.n_rows > HL_GOAL_DENSE ? MAX_HARD_PART : MAX_PART;
    size_t row_bytes = (f->dim_from + f->dim_to) * sizeof(float);
    enum hl_code code = hl_fit_data_init(&f->all, lesson, bytes / 2, &f->pace, err);

    f->n_rows = (size_t)lesson->n_rows;
    if (code != HL_OK || (f->all.is_whole && f->n_rows <= most))
        return code;
    most = most < bytes / 4 / row_bytes ? most : bytes / 4 / row_bytes;
    code = hl_fit_sample_init(&f->sample, lesson, NULL, most, f->fit->seed, err);
    if (code == HL_OK)
        code = hl_fit_data_init(&f->part, &f->sample.lesson, bytes, &f->pace, err);
    return code;
}

struct hl_fit_data *hl_fitting_part(struct hl_fitting *f)
{
    return f->part.from ? &f->part : &f->all;
}

static enum hl_code take_statistics(struct hl_fitting *f, struct hl_err *err)
{
    enum hl_code code = hl_fit_stats_take(&f->all, f->dim_to,
                                          f->has_pairs ? NULL : f->centres, &f->stats, err);

    if (code == HL_OK && !(f->stats.spread_t > 1e-9))
        code = hl_fail(err, HL_INVALID, "all vectors of \"%s\" are the same", f->fit->to);
    if (code == HL_OK && !(f->stats.spread_x > 1e-9))
        code = hl_fail(err, HL_INVALID, "all vectors of \"%s\" are the same", f->fit->from);
    if (code == HL_OK)
        code = hl_fit_factor(&f->stats, 1e-3, &f->factor, err);
    if (code == HL_OK)
        code = hl_fit_procrustes(&f->stats, &f->anchor, err);
    if (code == HL_OK && f->has_pairs)
        code = hl_fit_ridge(&f->stats, f->n_rows < 10 * f->dim_from ? 1e-2 : 1e-4,
                            &f->ridge, err);
    if (code == HL_OK && f->head.n_rows > HL_GOAL_DENSE)
        code = hl_fit_hard(hl_fitting_part(f), &f->head, f->anchor, &f->hard, err);
    return code;
}

enum hl_code hl_fitting_init(struct hl_fitting *f, const struct hl_fit *fit,
                             struct hl_fit_story *story, struct hl_err *err)
{
    size_t bytes = fit->max_bytes > 0 ? fit->max_bytes : default_bytes;
    enum hl_code code = check_fit(fit, err);

    if (code == HL_OK)
        code = check_wishes(fit, err);
    *f = (struct hl_fitting){
        .fit = fit,
        .dim_from = fit->pairs.from.dim,
        .has_pairs = fit->pairs.to.dim > 0,
        .has_labels = fit->pairs.labels != NULL,
        .pace = {.errand = &fit->errand, .phase = "reading", .share = .05},
    };
    f->has_items = !f->has_pairs && fit->items.n_rows > 0;
    f->dim_to = f->has_pairs   ? fit->pairs.to.dim
                : f->has_items ? fit->items.to.dim
                : fit->head    ? fit->head->dim
                               : 0;
    if (code == HL_OK)
        code = load_old(f, bytes, err);
    if (code == HL_OK && !f->has_pairs)
        code = find_centres(f, err);
    if (code == HL_OK && !f->has_pairs)
        code = join_by_class(f, err);
    if (code == HL_OK)
        code = learn_head(f, err);
    hl_fit_data_done(&f->old); /* nothing else asks for it */
    if (code == HL_OK)
        code = load_rows(f, bytes, err);
    if (code == HL_OK)
        code = take_statistics(f, err);
    if (code == HL_OK)
        tell_story(f, story);
    else
        hl_fitting_done(f);
    return code;
}

void hl_fitting_done(struct hl_fitting *f)
{
    hl_fit_data_done(&f->all);
    hl_fit_data_done(&f->part);
    hl_fit_data_done(&f->old);
    hl_fit_sample_done(&f->joined);
    hl_fit_sample_done(&f->sample);
    hl_fit_stats_done(&f->stats);
    hl_fit_head_done(&f->head);
    hl_map_free(f->anchor);
    hl_map_free(f->ridge);
    hl_map_free(f->judged_linear);
    hl_map_free(f->faithful_linear[0]);
    hl_map_free(f->faithful_linear[1]);
    hl_free(f->factor);
    hl_free(f->centres);
    hl_free(f->hard);
}
