/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_LESSONS_H
#define HL_SERVER_LESSONS_H

#include "compat/labels.h"
#include "compat/lesson.h"
#include "server/datasets.h"
#include "server/holdings.h"

/* Rows of a dataset as compat/ takes them. Its vectors stay in the file; labels and
 * modalities are in memory. One thread; does not move while its lesson is used. */
struct hl_lesson_rows {
    struct hl_dataset *dataset;
    struct hl_dataset_view from, to;
    int32_t *labels;
    uint8_t *modalities;
    struct hl_lesson lesson;
};

/* The dataset belongs to the rows from now on, after a failure too. Labels are numbered in
 * `labels`. HL_INVALID where the rows of a Dot or Euclid model are not of length 1. */
enum hl_code hl_lesson_rows_init(struct hl_lesson_rows *rows, struct hl_dataset *dataset,
                                 const struct hl_model *from, const struct hl_model *to,
                                 struct hl_labels *labels, struct hl_err *err);
void hl_lesson_rows_done(struct hl_lesson_rows *rows); /* zeros are accepted */

#endif
