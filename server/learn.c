/* SPDX-License-Identifier: Apache-2.0 */
#include "server/learn_part.h"

#include "compat/mixes.h"
#include "proto/alloc.h"
#include "proto/encode.h"

#include <stdio.h>
#include <string.h>

/* A report is some 60 KB; with a fit's story it is little more. */
static const size_t most_json = (size_t)4 << 20;

/* ---- labels ---- */

enum hl_code hl_learn_add_head(struct hl_labels *labels, const struct hl_head *head,
                               struct hl_err *err)
{
    enum hl_code code = HL_OK;
    int32_t label;

    for (size_t i = 0; i < head->n_rows && code == HL_OK; i++)
        code =
            hl_labels_add(labels, head->classes[i], strlen(head->classes[i]), &label, err);
    return code;
}

enum hl_code hl_learn_add_labels(struct hl_labels *labels, const int64_t *names, size_t n,
                                 int32_t *classes, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < n && code == HL_OK; i++) {
        classes[i] = -1;
        if (names[i] >= 0)
            code = hl_labels_add_number(labels, names[i], &classes[i], err);
    }
    return code;
}

size_t hl_learn_count_classes(const struct hl_learn_source *source)
{
    return source->labels ? hl_labels_count(source->labels) : 0;
}

/* The classes of the new model's own head, which may know others than the old one. */
static enum hl_code find_own_classes(const struct hl_learn_source *source,
                                     int32_t **ret_classes, struct hl_err *err)
{
    const struct hl_head *head = source->own_head;
    enum hl_code code = HL_OK;
    int32_t *classes;

    if (!head || !source->labels)
        return HL_OK;
    classes = hl_alloc_zeroed(head->n_rows, sizeof *classes);
    if (!classes)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu classes", head->n_rows);
    for (size_t i = 0; i < head->n_rows && code == HL_OK; i++)
        code = hl_labels_add(source->labels, head->classes[i], strlen(head->classes[i]),
                             &classes[i], err);
    if (code == HL_OK)
        *ret_classes = classes;
    else
        hl_free(classes);
    return code;
}

/* ---- stages ---- */

/* A share of the whole that tells as if it were the whole. A step of a fit that starts from
 * another's end tells its way twice: what was told once is not taken back. */
struct stage {
    const struct hl_errand *errand;
    double done, share, most;
};

static void tell_stage(void *self, const char *phase, double progress)
{
    struct stage *stage = self;

    if (progress > stage->most)
        stage->most = progress;
    if (stage->errand->tell)
        stage->errand->tell(stage->errand->self, phase,
                            stage->done + stage->share * stage->most);
}

static struct hl_errand errand_of(struct stage *stage)
{
    return (struct hl_errand){
        .deadline = stage->errand->deadline, .tell = tell_stage, .self = stage};
}

/* ---- one learning ---- */

struct learning {
    const struct hl_learn *learn;
    struct hl_learn_rows rows;
    struct hl_exam *chooser, *judge;
    int32_t *own_classes;
    struct hl_learnt learnt;
};

static enum hl_code load_exams(struct learning *l, struct hl_err *err)
{
    uint64_t seed = l->learn->seed;
    enum hl_code code = HL_OK;

    if (l->rows.choose.n_rows > 0) {
        code = hl_exam_load(&l->rows.choose, HL_SPLIT_MAX, seed, &l->chooser, err);
        if (code != HL_OK)
            return hl_fail_in(err, "the rows to choose by");
    }
    if (l->rows.report.n_rows > 0) {
        code = hl_exam_load(&l->rows.report, HL_SPLIT_MAX, seed, &l->judge, err);
        if (code != HL_OK)
            return hl_fail_in(err, "the rows to report on");
    }
    return code;
}

static enum hl_code fit(struct learning *l, struct hl_err *err)
{
    const struct hl_learn *learn = l->learn;
    struct stage stage = {.errand = &learn->errand, .done = 0, .share = .8};
    struct hl_fit task = {.from = learn->from,
                          .to = learn->to,
                          .pairs = l->rows.fit,
                          .items = l->rows.items,
                          .choose = l->chooser,
                          .head = learn->source.head,
                          .n_classes = hl_learn_count_classes(&learn->source),
                          .kind = learn->kind,
                          .task = learn->task,
                          .focal = learn->focal,
                          .n_hidden = learn->n_hidden,
                          .rank = learn->rank,
                          .seed = learn->seed,
                          .max_bytes = learn->max_bytes,
                          .errand = errand_of(&stage)};

    return hl_fit_bridge(&task, &l->learnt.bridge, &l->learnt.story, err);
}

/* Where no row of the one model is the photograph of a row of the other, the dial stays
 * where the most of the same kind is found: what it trades that for cannot be measured. */
static void forget_pairs(struct learning *l)
{
    if (!l->rows.are_twins)
        return;
    l->learnt.bridge->fidelity = 0;
    l->learnt.bridge->old_weight = 0;
    hl_learn_forget_pairs(&l->learnt.story, l->learnt.report);
}

static enum hl_code tune_and_judge(struct learning *l, struct hl_err *err)
{
    struct stage tuning = {.errand = &l->learn->errand, .done = .8, .share = .1};
    struct stage judging = {.errand = &l->learn->errand, .done = .9, .share = .1};
    struct hl_report_task task = {
        .exam = l->chooser, .head = l->learn->source.head, .errand = errand_of(&tuning)};
    enum hl_code code = HL_OK;

    if (l->chooser)
        code = hl_report_tune(&task, l->learnt.bridge, err);
    if (code == HL_OK)
        forget_pairs(l); /* before what looks at the dial */
    if (code == HL_OK && l->chooser)
        code = hl_mixes_choose(&task, l->learnt.bridge, &l->learnt.mixes, err);
    if (code == HL_OK)
        code = find_own_classes(&l->learn->source, &l->own_classes, err);
    if (code != HL_OK || !l->judge)
        return code;
    task.exam = l->judge;
    task.bridge = l->learnt.bridge;
    task.own_head = l->learn->source.own_head;
    task.own_classes = l->own_classes;
    task.errand = errand_of(&judging);
    code = hl_report_make(&task, &l->learnt.report, err);
    if (code == HL_OK)
        forget_pairs(l);
    return code;
}

/* What the bridge carries with it. */
static enum hl_code furnish(struct learning *l, int64_t started_us, struct hl_err *err)
{
    const struct hl_learn *learn = l->learn;
    struct hl_bridge *bridge = l->learnt.bridge;
    struct hl_buf json;
    enum hl_code code;
    size_t len;

    snprintf(bridge->from_print, sizeof bridge->from_print, "%s", learn->from_print);
    snprintf(bridge->to_print, sizeof bridge->to_print, "%s", learn->to_print);
    l->learnt.n_fit = (size_t)l->rows.fit.n_rows;
    l->learnt.n_choose = l->chooser ? l->chooser->n_rows : 0;
    l->learnt.n_report = l->judge ? l->judge->n_rows : 0;
    l->learnt.seconds =
        (double)(hl_clock_now(learn->errand.deadline->clock) - started_us) / 1e6;
    hl_buf_init(&json, most_json);
    hl_learn_print(learn, &l->learnt, l->rows.split_by, &json);
    code = hl_buf_check(&json, "a bridge's report", err);
    if (code == HL_OK)
        bridge->report = hl_buf_take(&json, &len);
    hl_buf_done(&json);
    return code;
}

enum hl_code hl_learn_bridge(const struct hl_learn *learn, struct hl_learnt *ret_learnt,
                             struct hl_err *err)
{
    struct learning l = {.learn = learn};
    int64_t started_us = hl_clock_now(learn->errand.deadline->clock);
    enum hl_code code = hl_learn_check(learn, err);

    if (code == HL_OK)
        code = hl_learn_rows_init(&l.rows, learn, err);
    if (code == HL_OK)
        code = load_exams(&l, err);
    if (code == HL_OK)
        code = fit(&l, err);
    if (code == HL_OK)
        code = tune_and_judge(&l, err);
    if (code == HL_OK)
        code = furnish(&l, started_us, err);
    hl_learn_rows_done(&l.rows);
    hl_exam_free(l.chooser);
    hl_exam_free(l.judge);
    hl_free(l.own_classes);
    if (code == HL_OK)
        *ret_learnt = l.learnt;
    else
        hl_learnt_done(&l.learnt);
    return code;
}

void hl_learnt_done(struct hl_learnt *learnt)
{
    hl_bridge_free(learnt->bridge);
    hl_report_free(learnt->report);
    learnt->bridge = NULL;
    learnt->report = NULL;
}

/* ---- judging ---- */

enum hl_code hl_learn_judge(const struct hl_judging *judging, struct hl_report **ret_report,
                            struct hl_buf *json, struct hl_err *err)
{
    struct hl_report_task task = {.bridge = judging->bridge,
                                  .then = judging->then,
                                  .head = judging->source.head,
                                  .own_head = judging->source.own_head,
                                  .errand = judging->errand};
    const struct hl_clock *clock = judging->errand.deadline->clock;
    int64_t started_us = hl_clock_now(clock);
    struct hl_report *report = NULL;
    struct hl_exam *exam = NULL;
    int32_t *own_classes = NULL;
    enum hl_code code = hl_learn_check_judging(judging, err);

    if (code == HL_OK)
        code = hl_exam_load(&judging->data, HL_SPLIT_MAX, judging->seed, &exam, err);
    if (code == HL_OK)
        code = find_own_classes(&judging->source, &own_classes, err);
    task.exam = exam;
    task.own_classes = own_classes;
    if (code == HL_OK)
        code = hl_report_make(&task, &report, err);
    if (code == HL_OK) {
        hl_buf_print(json,
                     "{\"seed\":%llu,\"seconds\":", (unsigned long long)judging->seed);
        hl_encode_double(json, (double)(hl_clock_now(clock) - started_us) / 1e6);
        hl_buf_print(json, ",\"rows\":{\"report\":%zu},", exam->n_rows);
        hl_learn_print_inputs(&judging->source, json);
        hl_buf_add_text(json, ",\"measured\":");
        hl_report_print(report, json);
        hl_buf_add_char(json, '}');
        code = hl_buf_check(json, "a report", err);
    }
    hl_exam_free(exam);
    hl_free(own_classes);
    if (code == HL_OK)
        *ret_report = report;
    else
        hl_report_free(report);
    return code;
}
