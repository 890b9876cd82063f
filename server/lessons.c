/* SPDX-License-Identifier: Apache-2.0 */
#include "server/lessons.h"

#include "proto/alloc.h"
#include "server/learn.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 4096, NORMS = 256 };

static enum hl_code fail_no_memory(const struct hl_dataset *dataset, struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for what %llu rows are labelled with",
                   (unsigned long long)dataset->n_rows);
}

static enum hl_code read_labels(struct hl_lesson_rows *rows, struct hl_labels *labels,
                                struct hl_err *err)
{
    const struct hl_dataset *dataset = rows->dataset;
    int64_t block[BLOCK];
    enum hl_code code = HL_OK;

    rows->labels = hl_alloc_zeroed((size_t)dataset->n_rows, sizeof *rows->labels);
    if (!rows->labels)
        return fail_no_memory(dataset, err);
    for (uint64_t at = 0; code == HL_OK && at < dataset->n_rows; at += BLOCK) {
        const size_t n =
            (size_t)(dataset->n_rows - at < BLOCK ? dataset->n_rows - at : BLOCK);

        code = hl_tensors_i64(dataset->tensors, dataset->labels, at, n, block, err);
        if (code == HL_OK)
            code = hl_learn_add_labels(labels, block, n, rows->labels + at, err);
    }
    rows->lesson.labels = rows->labels;
    return code;
}

static enum hl_code read_modalities(struct hl_lesson_rows *rows, struct hl_err *err)
{
    const struct hl_dataset *dataset = rows->dataset;
    int64_t block[BLOCK];
    enum hl_code code = HL_OK;

    rows->modalities = hl_alloc_zeroed((size_t)dataset->n_rows, sizeof *rows->modalities);
    if (!rows->modalities)
        return fail_no_memory(dataset, err);
    for (uint64_t at = 0; code == HL_OK && at < dataset->n_rows; at += BLOCK) {
        const size_t n =
            (size_t)(dataset->n_rows - at < BLOCK ? dataset->n_rows - at : BLOCK);

        code = hl_tensors_i64(dataset->tensors, dataset->modalities, at, n, block, err);
        for (size_t i = 0; code == HL_OK && i < n; i++)
            rows->modalities[at + i] = block[i] ? HL_MODALITY_TEXT : HL_MODALITY_IMAGE;
    }
    rows->lesson.modalities = rows->modalities;
    return code;
}

/* Cosine models mean directions; the others must be given as they are compared. */
static enum hl_code check_norms(const struct hl_rows *rows, const struct hl_model *model,
                                struct hl_err *err)
{
    const size_t n = rows->n_rows < NORMS ? (size_t)rows->n_rows : NORMS;
    size_t n_off = 0;
    float *values;
    enum hl_code code;

    if (model->distance == HL_COSINE || rows->dim == 0)
        return HL_OK;
    values = hl_alloc_zeroed(n * rows->dim, sizeof *values);
    if (!values)
        return hl_fail(err, HL_NO_MEMORY, "no memory to look at %zu rows", n);
    code = rows->read(rows->self, 0, n, values, err);
    for (size_t i = 0; code == HL_OK && i < n; i++) {
        double sum = 0;

        for (size_t j = 0; j < rows->dim; j++)
            sum += (double)values[i * rows->dim + j] * (double)values[i * rows->dim + j];
        n_off += fabs(sqrt(sum) - 1) > 1e-3;
    }
    hl_free(values);
    if (code == HL_OK && n_off > 0)
        return hl_fail(err, HL_INVALID,
                       "%zu of the first %zu rows of \"%.200s\" are not of length 1: "
                       "bridges join Cosine vectors, and Dot and Euclid ones of length 1",
                       n_off, n, model->shown);
    return code;
}

static void view(struct hl_dataset_view *to, struct hl_rows *rows,
                 const struct hl_dataset *dataset, const struct hl_model *model)
{
    *to = (struct hl_dataset_view){dataset, hl_dataset_model(dataset, model->name)};
    if (to->tensor)
        *rows = hl_dataset_rows(to);
}

enum hl_code hl_lesson_rows_init(struct hl_lesson_rows *rows, struct hl_dataset *dataset,
                                 const struct hl_model *from, const struct hl_model *to,
                                 struct hl_labels *labels, struct hl_err *err)
{
    enum hl_code code;

    *rows =
        (struct hl_lesson_rows){.dataset = dataset, .lesson = {.n_rows = dataset->n_rows}};
    view(&rows->from, &rows->lesson.from, dataset, from);
    view(&rows->to, &rows->lesson.to, dataset, to);
    code = check_norms(&rows->lesson.from, from, err);
    if (code == HL_OK)
        code = check_norms(&rows->lesson.to, to, err);
    if (code == HL_OK && dataset->labels)
        code = read_labels(rows, labels, err);
    if (code == HL_OK && dataset->modalities)
        code = read_modalities(rows, err);
    if (code != HL_OK)
        hl_lesson_rows_done(rows);
    return code;
}

void hl_lesson_rows_done(struct hl_lesson_rows *rows)
{
    hl_dataset_close(rows->dataset);
    hl_free(rows->labels);
    hl_free(rows->modalities);
    *rows = (struct hl_lesson_rows){.dataset = NULL};
}
