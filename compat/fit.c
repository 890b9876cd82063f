/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit.h"

#include "compat/fit_case.h"
#include "compat/fit_ways.h"
#include "compat/report.h"
#include "proto/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What is tried, measured on the holdout, and kept. */

struct candidate {
    enum hl_kind kind;
    size_t n; /* width or rank; 0: it has none */
};

/* By how much a wider or later map has to be better than what is there: less is chance,
 * and what is wide forgets which photograph it was. */
static const double margin = .003;

/* Above this share of photographs that find themselves among the first ten, self@10 tells
 * little apart and self@1 is looked at. */
static const double saturated = .9;

struct choice {
    struct hl_fitting *fitting;
    struct hl_fit_story *story;
    struct hl_bridge *bridge; /* what is measured; its maps are borrowed then */
    struct hl_map *best, *faithful;
    double best_score;
    bool best_passes;
    int best_trial;
    size_t n_steps, step; /* for the progress */
    bool is_by_opinion; /* the holdout's labels are the old model's own: no criterion, which
                           it would meet best itself */
};

static bool is_judged_kind(enum hl_kind kind)
{
    return kind == HL_KIND_INFLUENCE || kind == HL_KIND_ANCHORED ||
           kind == HL_KIND_RESIDUAL || kind == HL_KIND_LSQ;
}

/* ---- on the holdout ---- */

static enum hl_code measure(struct choice *c, struct hl_map *judged,
                            struct hl_map *faithful, struct hl_report **ret_report,
                            struct hl_err *err)
{
    const struct hl_fit *fit = c->fitting->fit;
    struct hl_report_task task = {
        .exam = fit->choose,
        .bridge = c->bridge,
        .head = fit->head,
        .is_brief = true,
        .errand = {.deadline = fit->errand.deadline},
    };
    enum hl_code code;

    c->bridge->ways[HL_MODALITY_IMAGE].judged = judged;
    c->bridge->ways[HL_MODALITY_IMAGE].faithful = faithful;
    code = hl_report_make(&task, ret_report, err);
    c->bridge->ways[HL_MODALITY_IMAGE] = (struct hl_bridge_way){0};
    return code;
}

static double self_of(const struct hl_report *report)
{
    const struct hl_report_group *all = &report->groups[0];

    return all->self10.value > saturated ? all->self1.value : all->self10.value;
}

/* What a map is chosen by: finding the same kind, or, where nobody can say what that is or
 * asks for it, the very photograph. */
static double score_of(const struct hl_fitting *f, const struct hl_report *report)
{
    bool is_same = f->fit->task == HL_TASK_SAME || !report->has_labels;

    return is_same ? self_of(report) : report->groups[0].new_old.map.value;
}

static void next_step(struct choice *c, const char *phase)
{
    struct hl_fit_pace *pace = &c->fitting->pace;

    pace->phase = phase;
    pace->done = .05 + .95 * (double)c->step / (double)c->n_steps;
    pace->share = .95 / (double)c->n_steps;
    c->step++;
    hl_fit_tell(pace, 0);
}

/* ---- the faithful map ---- */

struct faithful_try {
    size_t n_hidden;
    bool is_judged_too;
};

/* The one by which photographs find themselves best; of two that are as good, the one that
 * serves old clients better. */
static enum hl_code try_faithful(struct choice *c, const struct faithful_try *try,
                                 double *best_self, double *best_old, struct hl_err *err)
{
    struct hl_map *map = NULL;
    struct hl_report *report = NULL;
    enum hl_code code =
        hl_fitting_faithful(c->fitting, try->n_hidden, try->is_judged_too, &map, err);

    if (code == HL_OK && c->fitting->fit->choose)
        code = measure(c, NULL, map, &report, err);
    if (code == HL_OK) {
        double self = report ? self_of(report) : 0;
        double old =
            report && report->has_labels ? report->groups[0].old_new.top1.value : 0;
        bool is_better = self > *best_self + margin ||
                         (self > *best_self - margin && old > *best_old + margin);

        if (!c->faithful || is_better) {
            hl_map_free(c->faithful);
            c->faithful = map;
            map = NULL;
            *best_self = self;
            *best_old = old;
        }
    }
    hl_map_free(map);
    hl_report_free(report);
    return code;
}

static enum hl_code choose_faithful(struct choice *c, struct hl_err *err)
{
    static const struct faithful_try tries[] = {{0, false}, {256, false}, {256, true}};
    const struct hl_fitting *f = c->fitting;
    /* Without a holdout to compare on, a residual where there are rows enough for one. */
    bool is_given = f->has_pairs && !f->fit->choose;
    size_t first = is_given && f->n_rows >= 2000 ? 1 : 0;
    size_t end = !f->has_pairs ? 1 : is_given ? first + 1 : f->can_judge ? 3 : 2;
    double best_self = 0, best_old = 0;
    enum hl_code code = HL_OK;

    for (size_t i = first; i < end && code == HL_OK; i++) {
        next_step(c, "faithful map");
        code = try_faithful(c, &tries[i], &best_self, &best_old, err);
    }
    return code;
}

/* ---- the judged map ---- */

static void note_passing(const struct choice *c, struct hl_fit_trial *trial,
                         const struct hl_report *report)
{
    struct hl_gates gates = {.criterion = true,
                             .min_gain = (double)NAN,
                             .max_negative_flips = (double)NAN,
                             .min_self = (double)NAN};
    struct hl_err why;

    trial->passes = true;
    if (report->has_labels && !c->is_by_opinion &&
        hl_gates_check(&gates, report, &why) != HL_OK) {
        trial->passes = false;
        snprintf(trial->why, sizeof trial->why, "%.150s", why.msg);
    }
}

static void note_figures(struct hl_fit_trial *trial, const struct hl_report *report)
{
    const struct hl_report_group *all = &report->groups[0];

    trial->top1 = report->has_labels ? all->new_old.top1.value : (double)NAN;
    trial->map = report->has_labels ? all->new_old.map.value : (double)NAN;
    trial->self1 = all->self1.value;
    trial->self10 = all->self10.value;
}

/* Takes the map if it is better than what there is. */
static void take_if_better(struct choice *c, struct hl_fit_trial *trial, double score,
                           struct hl_map **map)
{
    bool is_better = !c->best || (trial->passes && !c->best_passes) ||
                     (trial->passes == c->best_passes && score > c->best_score + margin);

    if (!is_better) {
        if (trial->passes)
            snprintf(trial->why, sizeof trial->why, "another was as good or better");
        return;
    }
    hl_map_free(c->best);
    c->best = *map;
    *map = NULL;
    c->best_score = score;
    c->best_passes = trial->passes;
    c->best_trial = (int)(trial - c->story->trials);
}

static enum hl_code try_candidate(struct choice *c, const struct candidate *candidate,
                                  struct hl_err *err)
{
    struct hl_fit_trial *trial = &c->story->trials[c->story->n_trials];
    struct hl_map *map = NULL;
    struct hl_report *report = NULL;
    double score = 0;
    enum hl_code code =
        hl_fitting_judged(c->fitting, candidate->kind, candidate->n, &map, err);

    *trial = (struct hl_fit_trial){.kind = candidate->kind,
                                   .top1 = (double)NAN,
                                   .map = (double)NAN,
                                   .self1 = (double)NAN,
                                   .self10 = (double)NAN,
                                   .passes = true};
    if (candidate->kind == HL_KIND_LOWRANK)
        trial->rank = candidate->n;
    else
        trial->n_hidden = candidate->n;
    if (code == HL_OK && c->fitting->fit->choose)
        code = measure(c, map, map, &report, err);
    if (code == HL_OK && report) {
        note_figures(trial, report);
        note_passing(c, trial, report);
        score = score_of(c->fitting, report);
    }
    if (code == HL_OK) {
        c->story->n_trials++;
        take_if_better(c, trial, score, &map);
    }
    hl_map_free(map);
    hl_report_free(report);
    return code;
}

/* ---- which are tried ---- */

enum { MAX_CANDIDATES = 16 };

struct candidates {
    size_t n;
    struct candidate list[MAX_CANDIDATES];
};

static void add(struct candidates *c, enum hl_kind kind, size_t n)
{
    c->list[c->n++] = (struct candidate){kind, n};
}

/* A kind with the widths or ranks that come into question. Without a holdout nothing can
 * be compared, so one is taken that has done well everywhere. */
static void add_kind(struct candidates *c, const struct hl_fitting *f, enum hl_kind kind)
{
    static const size_t widths[] = {32, 128, 512};
    bool has_width = kind == HL_KIND_RESIDUAL || kind == HL_KIND_FAITHFUL;
    size_t least = f->dim_from < f->dim_to ? f->dim_from : f->dim_to;

    if (kind == HL_KIND_LOWRANK && f->fit->rank > 0)
        add(c, kind, f->fit->rank < least ? f->fit->rank : least);
    else if (kind == HL_KIND_LOWRANK && !f->fit->choose)
        add(c, kind, least * 3 / 4 + 1 < least ? least * 3 / 4 + 1 : least);
    else if (kind == HL_KIND_LOWRANK)
        for (size_t rank = least / 4 + 1; rank <= least; rank += least / 4 + 1)
            add(c, kind, rank);
    else if (has_width && f->fit->n_hidden > 0)
        add(c, kind, f->fit->n_hidden);
    else if (has_width && !f->fit->choose)
        add(c, kind, 128);
    else
        for (size_t i = 0; i < (has_width ? 3 : 1); i++)
            add(c, kind, has_width ? widths[i] : 0);
}

static void add_all(struct candidates *c, const struct hl_fitting *f)
{
    static const enum hl_kind kinds[] = {
        HL_KIND_PROCRUSTES, HL_KIND_RIDGE,    HL_KIND_LOWRANK,  HL_KIND_LSQ,
        HL_KIND_INFLUENCE,  HL_KIND_ANCHORED, HL_KIND_RESIDUAL, HL_KIND_FAITHFUL};
    const char *why;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (hl_fitting_can(f, kinds[i], &why))
            add_kind(c, f, kinds[i]);
}

static enum hl_code list_candidates(const struct hl_fitting *f, struct candidates *c,
                                    struct hl_err *err)
{
    enum hl_kind kind = f->fit->kind;
    const char *why;

    if (kind == HL_KIND_AUTO && f->fit->choose) {
        add_all(c, f);
        return HL_OK;
    }
    if (kind == HL_KIND_AUTO)
        kind = f->can_judge ? HL_KIND_ANCHORED : HL_KIND_PROCRUSTES;
    if (!hl_fitting_can(f, kind, &why))
        return hl_fail(err, HL_INVALID,
                       "a bridge of kind \"%s\" needs %s, which were not sent",
                       hl_kind_name(kind), why);
    add_kind(c, f, kind);
    return HL_OK;
}

/* ---- the bridge ---- */

static void end_story(struct choice *c)
{
    struct hl_fit_trial *best = &c->story->trials[c->best_trial];

    best->is_best = true;
    if (!c->fitting->fit->choose)
        snprintf(best->why, sizeof best->why,
                 "there is no holdout of pairs: nothing was compared");
    else if (c->best_passes)
        snprintf(best->why, sizeof best->why, "the best that passes");
}

/* Gives the maps to the bridge. A kind without a head's judgement has one map for both. */
static void furnish(struct choice *c)
{
    struct hl_bridge *bridge = c->bridge;
    struct hl_bridge_way *way = &bridge->ways[HL_MODALITY_IMAGE];
    const struct hl_fit *fit = c->fitting->fit;

    bridge->kind = c->story->trials[c->best_trial].kind;
    bridge->task = fit->task;
    bridge->seed = fit->seed;
    bridge->fidelity = fit->task == HL_TASK_SAME ? 1 : 0;
    if (is_judged_kind(bridge->kind)) {
        way->judged = c->best;
        way->faithful = c->faithful;
        c->faithful = NULL;
    } else {
        way->faithful = c->best;
    }
    c->best = NULL;
}

static enum hl_code choose_maps(struct choice *c, struct hl_err *err)
{
    struct candidates candidates = {0};
    bool needs_faithful = false;
    enum hl_code code = list_candidates(c->fitting, &candidates, err);

    c->n_steps = candidates.n + 3;
    for (size_t i = 0; i < candidates.n && code == HL_OK; i++) {
        next_step(c, hl_kind_name(candidates.list[i].kind));
        code = try_candidate(c, &candidates.list[i], err);
    }
    if (code == HL_OK)
        needs_faithful = is_judged_kind(c->story->trials[c->best_trial].kind);
    if (code == HL_OK && needs_faithful)
        code = choose_faithful(c, err);
    return code;
}

static enum hl_code learn(const struct hl_fit *fit, bool is_by_opinion,
                          struct hl_bridge **ret_bridge, struct hl_fit_story *ret_story,
                          struct hl_err *err)
{
    struct hl_fit_story story = {0};
    struct hl_fitting fitting;
    struct choice choice = {
        .fitting = &fitting, .story = &story, .is_by_opinion = is_by_opinion};
    enum hl_code code = hl_fitting_init(&fitting, fit, &story, err);

    if (code != HL_OK)
        return code;
    code = hl_bridge_new(fit->from, fit->to, &choice.bridge, err);
    if (code == HL_OK) {
        choice.bridge->dim_from = fitting.dim_from;
        choice.bridge->dim_to = fitting.dim_to;
        code = choose_maps(&choice, err);
    }
    if (code == HL_OK) {
        end_story(&choice);
        furnish(&choice);
        code = hl_fit_ways(fit, choice.bridge, err);
    }
    if (code == HL_OK) {
        *ret_story = story;
        *ret_bridge = choice.bridge;
        choice.bridge = NULL;
    }
    hl_map_free(choice.best);
    hl_map_free(choice.faithful);
    hl_bridge_free(choice.bridge);
    hl_fitting_done(&fitting);
    return code;
}

enum hl_code hl_fit_bridge(const struct hl_fit *fit, struct hl_bridge **ret_bridge,
                           struct hl_fit_story *ret_story, struct hl_err *err)
{
    const struct hl_exam *choose = fit->choose;
    struct hl_exam judged;
    struct hl_fit own = *fit;
    int32_t *opinions = NULL;
    enum hl_code code = HL_OK;

    if (choose && !choose->labels && choose->to && fit->head &&
        fit->head->dim == choose->dim_to) {
        code = hl_fit_opinions(choose, fit->head, &opinions, err);
        judged = *choose;
        judged.labels = opinions;
        own.choose = &judged;
    }
    if (code == HL_OK)
        code = learn(&own, opinions != NULL, ret_bridge, ret_story, err);
    hl_free(opinions);
    return code;
}
