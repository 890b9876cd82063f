/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_case.h"
#include "compat/logits.h"
#include "proto/alloc.h"

/* A holdout without labels, before a head: what the old model itself takes the old vectors
 * for stands for them, as it does in the fit. */

enum { BLOCK = 256 };

enum hl_code hl_fit_opinions(const struct hl_exam *exam, const struct hl_head *head,
                             int32_t **ret_labels, struct hl_err *err)
{
    const struct hl_logits rows = {head->weight, head->bias, head->n_rows, head->dim};
    float *logits = hl_alloc_zeroed(head->n_rows, BLOCK * sizeof *logits);
    int32_t *labels = hl_alloc_zeroed(exam->n_rows, sizeof *labels);

    if (!logits || !labels) {
        hl_free(logits);
        hl_free(labels);
        return hl_fail(err, HL_NO_MEMORY, "no memory for what a head says of %zu rows",
                       exam->n_rows);
    }
    for (size_t first = 0; first < exam->n_rows; first += BLOCK) {
        size_t n = exam->n_rows - first < BLOCK ? exam->n_rows - first : BLOCK;

        hl_logits_take(&rows, 1, exam->to + first * exam->dim_to, n, logits);
        for (size_t row = 0; row < n; row++)
            labels[first + row] =
                (int32_t)hl_logits_highest(logits + row * head->n_rows, NULL, head->n_rows);
    }
    hl_free(logits);
    *ret_labels = labels;
    return HL_OK;
}
