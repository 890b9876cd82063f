/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_ways.h"

#include "compat/fit_part.h"
#include "compat/report.h"
#include "proto/alloc.h"

#include <string.h>

/* Captions and photographs of one model lie in different parts of its space: maps learnt on
 * one kind of rows alone may serve that kind better than maps learnt on all. Where the
 * holdout says so, they do. */

static const char *const group_names[HL_N_MODALITIES] = {"image", "text"};

enum { LEAST_ROWS = 500 };
static const double margin = .003;

static size_t count_rows(const struct hl_lesson *lesson, enum hl_modality modality)
{
    size_t n = 0;

    for (size_t row = 0; row < lesson->n_rows && lesson->modalities; row++)
        n += lesson->modalities[row] == modality;
    return n;
}

static bool is_enough(const struct hl_fit *fit, enum hl_modality modality)
{
    size_t n = count_rows(&fit->pairs, modality), dim = fit->pairs.from.dim;

    return fit->choose && n < fit->pairs.n_rows && n >= LEAST_ROWS && n >= 2 * dim;
}

/* How well a group of the holdout is served; below 0 where there is no such group. */
static enum hl_code score(const struct hl_fit *fit, const struct hl_bridge *bridge,
                          enum hl_modality modality, double *ret_score, struct hl_err *err)
{
    struct hl_report_task task = {.exam = fit->choose,
                                  .bridge = bridge,
                                  .head = fit->head,
                                  .is_brief = true,
                                  .errand = {.deadline = fit->errand.deadline}};
    struct hl_report *report = NULL;
    enum hl_code code = hl_report_make(&task, &report, err);

    if (code != HL_OK)
        return code;
    *ret_score = -1;
    for (size_t i = 0; i < report->n_groups; i++) {
        const struct hl_report_group *group = &report->groups[i];
        bool is_same = fit->task == HL_TASK_SAME || group->new_old.map.of == 0;

        if (strcmp(group->name, group_names[modality]) == 0)
            *ret_score = is_same ? group->self10.value : group->new_old.map.value;
    }
    hl_report_free(report);
    return HL_OK;
}

/* The same kind of maps, learnt on the rows of one modality. */
static enum hl_code learn_alone(const struct hl_fit *fit, const struct hl_bridge *bridge,
                                enum hl_modality modality, struct hl_bridge **ret_alone,
                                struct hl_err *err)
{
    const struct hl_bridge_way *shared = &bridge->ways[HL_MODALITY_IMAGE];
    const struct hl_map *map = shared->judged ? shared->judged : shared->faithful;
    size_t n = (size_t)fit->pairs.n_rows;
    struct hl_fit alone = *fit;
    struct hl_fit_sample sample;
    struct hl_fit_story story;
    bool *wanted = hl_alloc_zeroed(n, sizeof *wanted);
    enum hl_code code;

    if (!wanted)
        return hl_fail(err, HL_NO_MEMORY, "no memory to choose among %zu rows", n);
    for (size_t row = 0; row < n; row++)
        wanted[row] = fit->pairs.modalities[row] == modality;
    code = hl_fit_sample_init(&sample, &fit->pairs, wanted, n, fit->seed, err);
    hl_free(wanted);
    if (code != HL_OK)
        return code;
    alone.pairs = sample.lesson;
    alone.pairs.modalities = NULL;
    alone.choose = NULL;
    alone.kind = bridge->kind;
    alone.n_hidden = map->n_hidden;
    alone.errand.tell = NULL;
    code = hl_fit_bridge(&alone, ret_alone, &story, err);
    hl_fit_sample_done(&sample);
    return code;
}

static void swap_ways(struct hl_bridge_way *a, struct hl_bridge_way *b)
{
    struct hl_bridge_way way = *a;

    *a = *b;
    *b = way;
}

/* Text goes the images' way, unless it has its own: so its own is tried first, and images
 * get theirs only where text has one. */
static enum hl_code try_modality(const struct hl_fit *fit, struct hl_bridge *bridge,
                                 enum hl_modality modality, struct hl_err *err)
{
    struct hl_bridge *alone = NULL;
    double before = 0, after = 0;
    enum hl_code code = score(fit, bridge, modality, &before, err);

    if (code == HL_OK && before >= 0)
        code = learn_alone(fit, bridge, modality, &alone, err);
    if (code == HL_OK && alone) {
        swap_ways(&bridge->ways[modality], &alone->ways[HL_MODALITY_IMAGE]);
        code = score(fit, bridge, modality, &after, err);
        if (code != HL_OK || after < before + margin)
            swap_ways(&bridge->ways[modality], &alone->ways[HL_MODALITY_IMAGE]);
    }
    hl_bridge_free(alone);
    return code;
}

enum hl_code hl_fit_ways(const struct hl_fit *fit, struct hl_bridge *bridge,
                         struct hl_err *err)
{
    enum hl_code code = HL_OK;

    if (is_enough(fit, HL_MODALITY_TEXT))
        code = try_modality(fit, bridge, HL_MODALITY_TEXT, err);
    if (code == HL_OK && bridge->ways[HL_MODALITY_TEXT].faithful &&
        is_enough(fit, HL_MODALITY_IMAGE))
        code = try_modality(fit, bridge, HL_MODALITY_IMAGE, err);
    return code;
}
