/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/report.h"

#include "compat/applier.h"
#include "compat/logistic.h"
#include "compat/sitting.h"
#include "proto/alloc.h"

#include <string.h>

/* Scores of so many queries settle two numbers. */
enum { SCALE_QUERIES = 1000, N_OLD_WEIGHTS = 10, FEW = 200 };

/* A blend has to keep this share of how often the faithful map finds the photograph itself,
 * in the first ten, or at once where the first ten are too easy. */
static const double KEPT_SELF = .65, EASY_SELF = .9;

/* What the old vector weighs where nothing tells which is the better: the most that cost
 * nothing where it could be told. */
static const float PLAIN_OLD_WEIGHT = .3F;

struct tuning {
    struct hl_sitting *sitting;
    struct hl_bridge *bridge;
    struct hl_logistic *logistic;
    bool by_label;
    struct hl_asking asking[HL_N_MODALITIES];
    double self1[HL_N_FIDELITIES], self10[HL_N_FIDELITIES], flips[HL_N_FIDELITIES];
};

/* ---- scales ---- */

/* One pass of queries over a gallery. */
struct gauging {
    struct hl_logistic *logistic;
    const int32_t *query_labels, *gallery_labels; /* NULL: query i is the same as item i */
    size_t n_gallery;
};

static void gauge_query(void *self, size_t query, const float *scores)
{
    const struct gauging *gauging = self;
    const int32_t *labels = gauging->gallery_labels;

    for (size_t row = 0; !labels && row < gauging->n_gallery; row++)
        hl_logistic_add(gauging->logistic, scores[row], row == query);
    if (!labels || gauging->query_labels[query] < 0)
        return;
    for (size_t row = 0; row < gauging->n_gallery; row++)
        if (labels[row] >= 0)
            hl_logistic_add(gauging->logistic, scores[row],
                            labels[row] == gauging->query_labels[query]);
}

/* Rows of the exam, its queries and its gallery, in one space. */
struct space {
    const float *rows, *gallery;
    size_t dim;
};

static enum hl_code measure_scale(const struct tuning *tuning, enum hl_modality modality,
                                  const struct space *space, struct hl_scale *ret_scale,
                                  struct hl_err *err)
{
    const struct hl_sitting *sitting = tuning->sitting;
    const struct hl_exam *exam = sitting->exam;
    size_t first = tuning->asking[modality].first, n = tuning->asking[modality].n;
    struct gauging gauging = {.logistic = tuning->logistic,
                              .n_gallery = sitting->n_gallery};
    struct hl_scan scan = {space->rows + first * space->dim,
                           space->gallery,
                           n < SCALE_QUERIES ? n : SCALE_QUERIES,
                           sitting->n_gallery,
                           space->dim,
                           &sitting->task->errand};
    enum hl_code code;

    if (tuning->by_label) {
        gauging.query_labels = exam->labels + first;
        gauging.gallery_labels = exam->labels + exam->n_queries;
    }
    memset(tuning->logistic, 0, sizeof *tuning->logistic);
    code = hl_scan_each(&scan, gauge_query, &gauging, err);
    if (code == HL_OK)
        *ret_scale = hl_logistic_fit(tuning->logistic);
    return code;
}

/* Those of the maps as they now stand at a step. Text has scales of its own even where it
 * goes through the images' maps; of what nobody asked, nothing is measured. */
static enum hl_code measure_ways(const struct tuning *tuning, size_t step,
                                 struct hl_err *err)
{
    const struct hl_sitting *sitting = tuning->sitting;
    const struct hl_exam *exam = sitting->exam;
    struct space old = {sitting->mapped, exam->to + exam->n_queries * exam->dim_to,
                        exam->dim_to};
    struct space new = {sitting->mapped, sitting->images, exam->dim_to};
    enum hl_code code = HL_OK;

    for (enum hl_modality m = 0; m < HL_N_MODALITIES && code == HL_OK; m++) {
        struct hl_bridge_way *way = &tuning->bridge->ways[m];

        code = measure_scale(tuning, m, &old, &way->old_items[step], err);
        if (code == HL_OK)
            code = measure_scale(tuning, m, &new, &way->new_items[step], err);
    }
    return code;
}

/* Those of models that go through no map. */
static enum hl_code measure_models(const struct tuning *tuning, struct hl_err *err)
{
    const struct hl_sitting *sitting = tuning->sitting;
    const struct hl_exam *exam = sitting->exam;
    struct hl_bridge *bridge = tuning->bridge;
    struct space from = {exam->from, exam->from + exam->n_queries * exam->dim_from,
                         exam->dim_from};
    struct space to = {exam->to, exam->to + exam->n_queries * exam->dim_to, exam->dim_to};
    struct space images = {exam->to, sitting->images, exam->dim_to};
    enum hl_code code =
        measure_scale(tuning, HL_MODALITY_IMAGE, &from, &bridge->from_own, err);

    if (code == HL_OK)
        code = measure_scale(tuning, HL_MODALITY_IMAGE, &to, &bridge->to_own, err);
    if (code == HL_OK)
        code = measure_scale(tuning, HL_MODALITY_IMAGE, &images, &bridge->to_queries, err);
    return code;
}

/* ---- the dial ---- */

static size_t count_flips(const struct hl_sitting *sitting, size_t *ret_top1)
{
    size_t flips = 0, top1 = 0;

    for (size_t query = 0; query < sitting->exam->n_queries; query++) {
        if (!sitting->old_old[query].is_asked)
            continue;
        top1 += sitting->new_old[query].top1;
        flips += sitting->old_old[query].top1 && !sitting->new_old[query].top1;
    }
    *ret_top1 = top1;
    return flips;
}

static double share_of_selves(const struct hl_sitting *sitting, size_t k)
{
    size_t hits = 0;

    for (size_t row = 0; row < sitting->n_gallery; row++)
        hits += sitting->places[row] < k;
    return (double)hits / (double)sitting->n_gallery;
}

static enum hl_code answer_mapped(struct hl_sitting *sitting, struct hl_err *err)
{
    const struct hl_exam *exam = sitting->exam;

    return hl_sitting_answer(sitting, sitting->mapped,
                             exam->to + exam->n_queries * exam->dim_to, exam->dim_to,
                             sitting->new_old, err);
}

static enum hl_code measure_step(struct tuning *tuning, size_t step, struct hl_err *err)
{
    struct hl_sitting *sitting = tuning->sitting;
    size_t top1;
    enum hl_code code;

    hl_sitting_map(sitting, (float)step / (HL_N_FIDELITIES - 1));
    code = answer_mapped(sitting, err);
    if (code == HL_OK)
        code = hl_sitting_find_selves(sitting, err);
    if (code == HL_OK)
        code = measure_ways(tuning, step, err);
    if (code != HL_OK)
        return code;
    tuning->flips[step] = (double)count_flips(sitting, &top1);
    tuning->self1[step] = share_of_selves(sitting, 1);
    tuning->self10[step] = share_of_selves(sitting, HL_TOP);
    return HL_OK;
}

static void copy_step(struct tuning *tuning, size_t step)
{
    tuning->flips[step] = tuning->flips[0];
    tuning->self1[step] = tuning->self1[0];
    tuning->self10[step] = tuning->self10[0];
    for (size_t m = 0; m < HL_N_MODALITIES; m++) {
        struct hl_bridge_way *way = &tuning->bridge->ways[m];

        way->old_items[step] = way->old_items[0];
        way->new_items[step] = way->new_items[0];
    }
}

static enum hl_code measure_steps(struct tuning *tuning, struct hl_err *err)
{
    bool has_dial = hl_sitting_has_dial(tuning->sitting);
    enum hl_code code = HL_OK;

    for (size_t step = 0; step < HL_N_FIDELITIES && code == HL_OK; step++) {
        if (step == 0 || has_dial)
            code = measure_step(tuning, step, err);
        else
            copy_step(tuning, step);
    }
    return code;
}

/* Of the blends that still find the photograph, the one that loses fewest answers; of equal
 * ones the more faithful. Where "the same" is the photograph, the faithful map itself. */
static float choose_fidelity(const struct tuning *tuning)
{
    size_t best = HL_N_FIDELITIES - 1;
    bool is_easy = tuning->self10[best] > EASY_SELF;
    const double *self = is_easy ? tuning->self1 : tuning->self10;

    for (size_t step = best; tuning->by_label && step-- > 0;)
        if (self[step] >= KEPT_SELF * self[HL_N_FIDELITIES - 1] &&
            tuning->flips[step] < tuning->flips[best])
            best = step;
    return (float)best / (HL_N_FIDELITIES - 1);
}

/* ---- both vectors ---- */

/* The weight that loses fewest answers among those that find as much at once as the mapped
 * query alone, but for one query in FEW; of equal ones the lightest. */
static enum hl_code choose_old_weight(struct tuning *tuning, struct hl_err *err)
{
    struct hl_sitting *sitting = tuning->sitting;
    const struct hl_exam *exam = sitting->exam;
    size_t fewest = SIZE_MAX, floor = 0, top1, flips;
    enum hl_code code = HL_OK;

    tuning->bridge->old_weight = PLAIN_OLD_WEIGHT;
    for (size_t i = 0; tuning->by_label && i < N_OLD_WEIGHTS && code == HL_OK; i++) {
        float weight = (float)i / N_OLD_WEIGHTS;

        hl_sitting_map_rows(sitting, HL_OWN_FIDELITY, 0, exam->n_queries, sitting->mapped);
        for (size_t row = 0; i > 0 && row < exam->n_queries; row++)
            hl_applier_lean(sitting->mapped + row * exam->dim_to,
                            exam->to + row * exam->dim_to, exam->dim_to, weight);
        code = answer_mapped(sitting, err);
        if (code != HL_OK)
            break;
        flips = count_flips(sitting, &top1);
        floor = i == 0 ? top1 : floor;
        if (top1 + exam->n_queries / FEW < floor || flips >= fewest)
            continue;
        fewest = flips;
        tuning->bridge->old_weight = weight;
    }
    return code;
}

/* ---- all of it ---- */

static enum hl_code tune(struct tuning *tuning, struct hl_err *err)
{
    struct hl_sitting *sitting = tuning->sitting;
    const struct hl_exam *exam = sitting->exam;
    enum hl_code code;

    sitting->n_ranked = 0; /* nothing here looks at whole rankings */
    hl_sitting_find_asking(sitting, tuning->asking);
    code = hl_sitting_answer(sitting, exam->to, exam->to + exam->n_queries * exam->dim_to,
                             exam->dim_to, sitting->old_old, err);
    if (code == HL_OK)
        code = measure_steps(tuning, err);
    if (code == HL_OK)
        code = measure_models(tuning, err);
    if (code != HL_OK)
        return code;
    tuning->bridge->fidelity = choose_fidelity(tuning);
    return choose_old_weight(tuning, err);
}

enum hl_code hl_report_tune(const struct hl_report_task *task, struct hl_bridge *bridge,
                            struct hl_err *err)
{
    struct hl_report_task own = *task;
    struct tuning tuning = {.bridge = bridge};
    enum hl_code code;

    own.bridge = bridge;
    own.then = NULL;
    code =
        hl_sitting_new(&own, 1 + 2 * HL_N_FIDELITIES + N_OLD_WEIGHTS, &tuning.sitting, err);
    if (code != HL_OK)
        return code;
    tuning.by_label = hl_sitting_is_by_label(tuning.sitting);
    tuning.logistic = hl_alloc_zeroed(1, sizeof *tuning.logistic);
    if (tuning.logistic)
        code = tune(&tuning, err);
    else
        code = hl_fail(err, HL_NO_MEMORY, "no memory to measure scales");
    hl_sitting_free(tuning.sitting);
    hl_free(tuning.logistic);
    return code;
}
