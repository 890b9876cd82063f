/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/fit_case.h"
#include "compat/linalg.h"
#include "proto/alloc.h"

/* A holdout without labels, before a head: what the old model itself takes the old vectors
 * for stands for them, as it does in the fit. */

enum { BLOCK = 256 };

static int32_t most_likely(const float *logits, const struct hl_head *head)
{
    size_t best = 0;
    float most = 0;

    for (size_t row = 0; row < head->n_rows; row++) {
        float logit = logits[row] + (head->bias ? head->bias[row] : 0);

        if (row == 0 || logit > most) {
            most = logit;
            best = row;
        }
    }
    return (int32_t)best;
}

enum hl_code hl_fit_opinions(const struct hl_exam *exam, const struct hl_head *head,
                             int32_t **ret_labels, struct hl_err *err)
{
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

        hl_linalg_multiply(
            &(struct hl_product){
                .m = n, .n = head->n_rows, .k = head->dim, .is_b_turned = true, .alpha = 1},
            exam->to + first * exam->dim_to, head->weight, logits);
        for (size_t row = 0; row < n; row++)
            labels[first + row] = most_likely(logits + row * head->n_rows, head);
    }
    hl_free(logits);
    *ret_labels = labels;
    return HL_OK;
}
