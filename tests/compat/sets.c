/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/compat/sets.h"

#include "proto/alloc.h"
#include "proto/file.h"
#include "proto/npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void want(enum hl_code code, const char *what, const struct hl_err *err)
{
    if (code == HL_OK)
        return;
    fprintf(stderr, "%s: %s\n", what, err->msg);
    exit(1);
}

static void *must(void *memory)
{
    if (memory)
        return memory;
    fprintf(stderr, "no memory\n");
    exit(1);
}

static const char *const names[] = {"", ", 500 pairs", ", no pairs", ", pairs alone",
                                    ", focal"};

const char *lesson_name(enum lesson_kind kind)
{
    return names[kind];
}

bool lesson_is(const struct lesson *a, const struct lesson *b)
{
    return strcmp(a->set, b->set) == 0 && strcmp(a->from, b->from) == 0 &&
           strcmp(a->to, b->to) == 0 && strcmp(a->kind, b->kind) == 0 &&
           a->lesson == b->lesson && a->draw == b->draw;
}

/* ---- files ---- */

struct place {
    const char *folder, *set;
};

static struct hl_file *open_part(const struct place *place, const char *name,
                                 const char *part, struct hl_source *ret_source)
{
    char path[512];
    struct hl_file *file;
    struct hl_err err;

    snprintf(path, sizeof path, "%s/%s/%s_%s", place->folder, place->set, name, part);
    want(hl_file_open(path, HL_FILE_READ, &file, &err), path, &err);
    want(hl_source_of_file(file, ret_source, &err), path, &err);
    return file;
}

struct vectors {
    float *values;
    struct hl_rows_memory memory;
    struct hl_rows rows;
};

static void load_vectors(const struct place *place, const char *model, const char *part,
                         struct vectors *ret_vectors)
{
    struct hl_source source;
    struct hl_npy npy;
    struct hl_err err;
    struct hl_file *file = open_part(place, model, part, &source);

    want(hl_npy_init(&source, &npy, &err), model, &err);
    ret_vectors->values =
        must(hl_alloc_zeroed((size_t)npy.n_rows, npy.dim * sizeof(float)));
    want(hl_npy_floats(&npy, 0, (size_t)npy.n_rows, ret_vectors->values, &err), model,
         &err);
    ret_vectors->memory = (struct hl_rows_memory){ret_vectors->values, npy.dim};
    ret_vectors->rows = hl_rows_of_memory(&ret_vectors->memory, npy.n_rows, model);
    hl_file_close(file);
}

static int32_t *load_labels(const struct place *place, const char *part)
{
    struct hl_source source;
    struct hl_npy npy;
    struct hl_err err;
    struct hl_file *file = open_part(place, "labels", part, &source);
    int64_t *wide;
    int32_t *labels;

    want(hl_npy_init(&source, &npy, &err), part, &err);
    wide = must(hl_alloc_zeroed((size_t)npy.n_rows, sizeof *wide));
    labels = must(hl_alloc_zeroed((size_t)npy.n_rows, sizeof *labels));
    want(hl_npy_i64(&npy, 0, (size_t)npy.n_rows, wide, &err), part, &err);
    for (size_t i = 0; i < npy.n_rows; i++)
        labels[i] = (int32_t)wide[i];
    hl_free(wide);
    hl_file_close(file);
    return labels;
}

/* Its classes are 0, 1, … as the labels are. */
static struct hl_head *load_head(const struct place *place, const char *model)
{
    struct hl_source source;
    struct hl_head *head;
    struct hl_err err;
    struct hl_file *file = open_part(place, model, "head.safetensors", &source);

    want(hl_head_load(&source, 0, &head, &err), model, &err);
    hl_file_close(file);
    return head;
}

/* ---- a part of a set, as two models see it ---- */

struct part {
    struct vectors from, to;
    int32_t *labels;
    struct hl_lesson lesson;
};

static void load_part(const struct place *place, const struct lesson *lesson,
                      const char *name, struct part *ret_part)
{
    char file[64];

    snprintf(file, sizeof file, "%s.npy", name);
    load_vectors(place, lesson->from, file, &ret_part->from);
    load_vectors(place, lesson->to, file, &ret_part->to);
    ret_part->labels = load_labels(place, file);
    ret_part->lesson = (struct hl_lesson){.n_rows = ret_part->from.rows.n_rows,
                                          .from = ret_part->from.rows,
                                          .to = ret_part->to.rows,
                                          .labels = ret_part->labels};
}

static void free_part(struct part *part)
{
    hl_free(part->from.values);
    hl_free(part->to.values);
    hl_free(part->labels);
}

static struct hl_exam *load_exam(const struct place *place, const struct lesson *lesson,
                                 const char *name, bool has_labels)
{
    struct part part;
    struct hl_exam *exam;
    struct hl_err err;

    load_part(place, lesson, name, &part);
    if (!has_labels)
        part.lesson.labels = NULL;
    want(hl_exam_load(&part.lesson, 20000, 1, &exam, &err), name, &err);
    free_part(&part);
    return exam;
}

/* ---- learning ---- */

enum { FEW_ROWS = 500, MAX_ITEMS = 5000, N_CLASSES = 450 };

static void narrow(struct hl_fit *fit, struct part *part, const struct lesson *lesson)
{
    struct hl_lesson *pairs = &fit->pairs;
    size_t first = (size_t)lesson->draw * FEW_ROWS;

    switch (lesson->lesson) {
    case ALL:
        break;
    case FEW:
        part->from.memory.values += first * part->from.memory.dim;
        part->to.memory.values += first * part->to.memory.dim;
        pairs->labels += first;
        pairs->n_rows = pairs->from.n_rows = pairs->to.n_rows = FEW_ROWS;
        break;
    case UNPAIRED:
        fit->items = *pairs;
        fit->items.from = (struct hl_rows){0};
        if (fit->items.n_rows > MAX_ITEMS)
            fit->items.n_rows = fit->items.to.n_rows = MAX_ITEMS;
        pairs->to = (struct hl_rows){.name = pairs->to.name};
        break;
    case PAIRS_ALONE:
        pairs->labels = NULL;
        fit->head = NULL;
        break;
    case FOCAL:
        fit->focal = (struct hl_focal){.alpha = .1, .beta = .2};
        break;
    }
}

static void report(const struct place *place, const struct lesson *lesson,
                   const struct hl_bridge *bridge, const struct hl_bridge *then,
                   struct hl_report **ret_report)
{
    struct hl_exam *exam = load_exam(place, lesson, "test", true);
    struct hl_head *head = load_head(place, lesson->to);
    struct hl_head *own = load_head(place, lesson->from);
    struct hl_report_task task = {
        .exam = exam, .bridge = bridge, .then = then, .head = head, .own_head = own};
    struct hl_err err;

    want(hl_report_make(&task, ret_report, &err), "report", &err);
    hl_exam_free(exam);
    hl_head_free(head);
    hl_head_free(own);
}

void learnt_make(const char *folder, const struct lesson *lesson, uint64_t seed,
                 struct learnt *ret_learnt)
{
    struct place place = {folder, lesson->set};
    struct part part;
    struct hl_head *head = load_head(&place, lesson->to);
    struct hl_fit fit = {.from = lesson->from,
                         .to = lesson->to,
                         .head = head,
                         .n_classes = N_CLASSES,
                         .seed = seed};
    struct hl_report_task task = {.head = head};
    struct hl_fit_story story;
    struct hl_exam *choose =
        load_exam(&place, lesson, "val", lesson->lesson != PAIRS_ALONE);
    struct hl_err err;

    load_part(&place, lesson, "fit", &part);
    fit.pairs = part.lesson;
    fit.choose = task.exam = choose;
    if (!hl_kind_find(lesson->kind, strlen(lesson->kind), &fit.kind))
        abort();
    narrow(&fit, &part, lesson);
    ret_learnt->lesson = *lesson;
    want(hl_fit_bridge(&fit, &ret_learnt->bridge, &story, &err), lesson->kind, &err);
    task.bridge = ret_learnt->bridge;
    want(hl_report_tune(&task, ret_learnt->bridge, &err), "tune", &err);
    report(&place, lesson, ret_learnt->bridge, NULL, &ret_learnt->report);
    hl_exam_free(choose);
    hl_head_free(head);
    free_part(&part);
}

void learnt_done(struct learnt *learnt)
{
    hl_bridge_free(learnt->bridge);
    hl_report_free(learnt->report);
}

void learnt_chain(const char *folder, const struct learnt *first,
                  const struct learnt *second, struct hl_report **ret_report)
{
    struct place place = {folder, first->lesson.set};
    struct lesson ends = first->lesson;

    ends.to = second->lesson.to;
    report(&place, &ends, first->bridge, second->bridge, ret_report);
}
