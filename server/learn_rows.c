/* SPDX-License-Identifier: Apache-2.0 */
#include "server/learn_part.h"

#include "proto/alloc.h"

#include <math.h>

enum {
    MIN_IDENTITIES = 50, /* classes that can be split whole */
    MIN_TWINS = 500      /* rows of a model of which some can be spared */
};

enum { DATA, ITEMS };

enum hl_code hl_learn_part_init(struct hl_learn_part *part, const struct hl_lesson *of,
                                const uint32_t *numbers, size_t n, struct hl_err *err)
{
    *part = (struct hl_learn_part){
        .lesson = {.n_rows = n}, .from = {&of->from, numbers}, .to = {&of->to, numbers}};
    if (of->from.dim > 0)
        part->lesson.from = hl_rows_of_pick(&part->from, n);
    if (of->to.dim > 0)
        part->lesson.to = hl_rows_of_pick(&part->to, n);
    if (of->labels)
        part->labels = hl_alloc_zeroed(n, sizeof *part->labels);
    if (of->modalities)
        part->modalities = hl_alloc_zeroed(n, sizeof *part->modalities);
    if ((of->labels && !part->labels) || (of->modalities && !part->modalities)) {
        hl_learn_part_done(part);
        return hl_fail(err, HL_NO_MEMORY, "no memory for the labels of %zu rows", n);
    }
    for (size_t i = 0; i < n; i++) {
        if (part->labels)
            part->labels[i] = of->labels[numbers[i]];
        if (part->modalities)
            part->modalities[i] = of->modalities[numbers[i]];
    }
    part->lesson.labels = part->labels;
    part->lesson.modalities = part->modalities;
    return HL_OK;
}

void hl_learn_part_done(struct hl_learn_part *part)
{
    hl_free(part->labels);
    hl_free(part->modalities);
    *part = (struct hl_learn_part){0};
}

/* ---- twins ---- */

/* Rows of `to` by class: the first of each, and the next one of each. */
struct queue {
    uint32_t *first, *next;
};
#define NO_ROW UINT32_MAX

static enum hl_code line_up(const struct hl_lesson *to, size_t n_classes,
                            struct queue *queue, struct hl_err *err)
{
    queue->first = hl_alloc_zeroed(n_classes, sizeof *queue->first);
    queue->next = hl_alloc_zeroed((size_t)to->n_rows, sizeof *queue->next);
    if (!queue->first || !queue->next)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu classes", n_classes);
    for (size_t i = 0; i < n_classes; i++)
        queue->first[i] = NO_ROW;
    for (size_t row = (size_t)to->n_rows; row-- > 0;) {
        int32_t label = to->labels[row];

        if (label < 0)
            continue;
        queue->next[row] = queue->first[label];
        queue->first[label] = (uint32_t)row;
    }
    return HL_OK;
}

static size_t n_classes_of(const struct hl_lesson *a, const struct hl_lesson *b)
{
    int32_t most = 0;

    for (size_t i = 0; i < a->n_rows; i++)
        most = a->labels[i] > most ? a->labels[i] : most;
    for (size_t i = 0; i < b->n_rows; i++)
        most = b->labels[i] > most ? b->labels[i] : most;
    return (size_t)most + 1;
}

/* Fills `numbers`: rows of `from`, and, n_rows of `from` further on, their twins. */
static size_t match(const struct hl_lesson *from, struct queue *queue, uint32_t *numbers)
{
    uint32_t *others = numbers + from->n_rows;
    size_t n = 0;

    for (size_t row = 0; row < from->n_rows; row++) {
        int32_t label = from->labels[row];

        if (label < 0 || queue->first[label] == NO_ROW)
            continue;
        numbers[n] = (uint32_t)row;
        others[n++] = queue->first[label];
        queue->first[label] = queue->next[queue->first[label]];
    }
    return n;
}

enum hl_code hl_learn_twins_init(struct hl_learn_twins *twins, const struct hl_lesson *from,
                                 const struct hl_lesson *to, struct hl_err *err)
{
    struct queue queue = {0};
    size_t n = 0;
    enum hl_code code = line_up(to, n_classes_of(from, to), &queue, err);

    *twins = (struct hl_learn_twins){0};
    if (code == HL_OK) {
        twins->numbers = hl_alloc_zeroed((size_t)from->n_rows, 2 * sizeof *twins->numbers);
        if (!twins->numbers)
            code = hl_fail(err, HL_NO_MEMORY, "no memory to match rows by class");
    }
    if (code == HL_OK) {
        n = match(from, &queue, twins->numbers);
        code = hl_learn_part_init(&twins->from, from, twins->numbers, n, err);
    }
    if (code == HL_OK)
        code = hl_learn_part_init(&twins->to, to, twins->numbers + from->n_rows, n, err);
    if (code == HL_OK) {
        twins->lesson = twins->from.lesson;
        twins->lesson.to = twins->to.lesson.to;
    }
    hl_free(queue.first);
    hl_free(queue.next);
    if (code != HL_OK)
        hl_learn_twins_done(twins);
    return code;
}

void hl_learn_twins_done(struct hl_learn_twins *twins)
{
    hl_learn_part_done(&twins->from);
    hl_learn_part_done(&twins->to);
    hl_free(twins->numbers);
    *twins = (struct hl_learn_twins){0};
}

/* ---- splits ---- */

/* Faces: a person is whole in one part. Rows of unknown class go each its own way. */
static enum hl_code list_classes(const struct hl_lesson *data, int32_t **ret_classes,
                                 struct hl_err *err)
{
    int32_t *classes = hl_alloc_zeroed((size_t)data->n_rows, sizeof *classes);

    if (!classes)
        return hl_fail(err, HL_NO_MEMORY, "no memory to split rows");
    for (size_t i = 0; i < data->n_rows; i++)
        classes[i] = data->labels[i] >= 0 ? data->labels[i] : (int32_t)(-1 - (int64_t)i);
    *ret_classes = classes;
    return HL_OK;
}

static enum hl_code split(struct hl_learn_rows *rows, int which,
                          const struct hl_lesson *data, const struct hl_split_task *task,
                          struct hl_err *err)
{
    enum hl_code code = hl_split_make(task, &rows->splits[which], err);

    for (int i = 0; i < HL_N_SPLIT_PARTS && code == HL_OK; i++)
        code =
            hl_learn_part_init(&rows->parts[which][i], data, rows->splits[which]->rows[i],
                               rows->splits[which]->n[i], err);
    return code;
}

static struct hl_split_task task_of(const struct hl_learn *learn,
                                    const struct hl_lesson *data)
{
    return (struct hl_split_task){.n_rows = (size_t)data->n_rows,
                                  .needs_choose = learn->choose.n_rows == 0,
                                  .needs_report = learn->report.n_rows == 0,
                                  .seed = learn->seed};
}

static enum hl_code split_pairs(struct hl_learn_rows *rows, const struct hl_learn *learn,
                                struct hl_err *err)
{
    const struct hl_lesson *data = &learn->data;
    struct hl_split_task task = task_of(learn, data);
    bool is_by_class = learn->task == HL_TASK_SAME && data->labels &&
                       hl_learn_count_classes(&learn->source) >= MIN_IDENTITIES;
    int32_t *classes = NULL;
    enum hl_code code = HL_OK;

    if (is_by_class)
        code = list_classes(data, &classes, err);
    task.labels = classes;
    if (code == HL_OK)
        code = split(rows, DATA, data, &task, err);
    hl_free(classes);
    if (code != HL_OK)
        return code;
    rows->split_by = is_by_class ? "class" : "row";
    rows->fit = rows->parts[DATA][HL_SPLIT_FIT].lesson;
    if (task.needs_choose)
        rows->choose = rows->parts[DATA][HL_SPLIT_CHOOSE].lesson;
    if (task.needs_report)
        rows->report = rows->parts[DATA][HL_SPLIT_REPORT].lesson;
    return HL_OK;
}

/* Labelled rows of both models that are no pairs: what looks at classes alone can still be
 * measured. */
static enum hl_code split_strangers(struct hl_learn_rows *rows,
                                    const struct hl_learn *learn, struct hl_err *err)
{
    struct hl_split_task data = task_of(learn, &learn->data);
    struct hl_split_task items = task_of(learn, &learn->items);
    enum hl_code code = split(rows, DATA, &learn->data, &data, err);

    if (code == HL_OK)
        code = split(rows, ITEMS, &learn->items, &items, err);
    for (int i = HL_SPLIT_CHOOSE; i <= HL_SPLIT_REPORT && code == HL_OK; i++)
        code = hl_learn_twins_init(&rows->twins[i - HL_SPLIT_CHOOSE],
                                   &rows->parts[DATA][i].lesson,
                                   &rows->parts[ITEMS][i].lesson, err);
    if (code != HL_OK)
        return code;
    rows->split_by = "row";
    rows->are_twins = true;
    rows->fit = rows->parts[DATA][HL_SPLIT_FIT].lesson;
    rows->items = rows->parts[ITEMS][HL_SPLIT_FIT].lesson;
    rows->choose = rows->twins[0].lesson;
    rows->report = rows->twins[1].lesson;
    return HL_OK;
}

static bool can_twin(const struct hl_learn *learn)
{
    return learn->task == HL_TASK_SIMILAR && learn->data.to.dim == 0 &&
           learn->data.labels && learn->items.labels && learn->choose.n_rows == 0 &&
           learn->report.n_rows == 0 && learn->data.n_rows >= MIN_TWINS &&
           learn->items.n_rows >= MIN_TWINS;
}

enum hl_code hl_learn_rows_init(struct hl_learn_rows *rows, const struct hl_learn *learn,
                                struct hl_err *err)
{
    bool is_pairs = learn->data.from.dim > 0 && learn->data.to.dim > 0;

    *rows = (struct hl_learn_rows){.fit = learn->data,
                                   .items = learn->items,
                                   .choose = learn->choose,
                                   .report = learn->report};
    if (is_pairs && (learn->choose.n_rows == 0 || learn->report.n_rows == 0))
        return split_pairs(rows, learn, err);
    return can_twin(learn) ? split_strangers(rows, learn, err) : HL_OK;
}

void hl_learn_rows_done(struct hl_learn_rows *rows)
{
    for (int i = 0; i < 2; i++) {
        for (int part = 0; part < HL_N_SPLIT_PARTS; part++)
            hl_learn_part_done(&rows->parts[i][part]);
        hl_learn_twins_done(&rows->twins[i]);
        hl_split_free(rows->splits[i]);
    }
    *rows = (struct hl_learn_rows){0};
}

/* ---- what only pairs can say ---- */

static void forget(struct hl_figure *figure)
{
    *figure = (struct hl_figure){(double)NAN, (double)NAN, (double)NAN, 0};
}

static void forget_group(struct hl_report_group *group)
{
    struct hl_figure *figures[] = {
        &group->negative_flips,
        &group->positive_flips,
        &group->relative_flips,
        &group->head_negative_flips,
        &group->head_positive_flips,
        &group->head_relative_flips,
        &group->self1,
        &group->self10,
        &group->overlap10,
        &group->old_overlap10,
        &group->served_negative_flips,
        NULL,
    };

    for (size_t i = 0; figures[i]; i++)
        forget(figures[i]);
}

static void forget_step(struct hl_report_step *step)
{
    forget(&step->negative_flips);
    forget(&step->self1);
    forget(&step->self10);
    forget(&step->overlap10);
}

void hl_learn_forget_pairs(struct hl_fit_story *story, struct hl_report *report)
{
    story->cannot_say = "self@k, flips, overlap: there are no pairs";
    for (size_t i = 0; i < story->n_trials; i++)
        story->trials[i].self1 = story->trials[i].self10 = (double)NAN;
    for (size_t i = 0; report && i < report->n_groups; i++)
        forget_group(&report->groups[i]);
    for (size_t i = 0; report && i < HL_N_FIDELITIES; i++)
        forget_step(&report->sweep[i]);
    if (report)
        forget_step(&report->served);
}
