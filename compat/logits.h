/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_LOGITS_H
#define HL_COMPAT_LOGITS_H

#include <stddef.h>

/* What rows of a head say of vectors. Not for anyone outside compat/.
 *
 * Pure functions, any thread. */

/* Rows of a head that lie side by side; borrowed. */
struct hl_logits {
    const float *weight, *bias; /* n_rows x dim; one each, NULL: none */
    size_t n_rows, dim;
};

/* scale · (weight·v + bias) of n vectors v, n x n_rows. */
void hl_logits_take(const struct hl_logits *of, float scale, const float *vectors, size_t n,
                    float *logits);

/* Logits into probabilities, in place; returns the log of the sum of their exponentials, so
 * that the log of a probability is logit - it. At least one. */
float hl_logits_soften(float *logits, size_t n);

/* The row of the highest logit + bias, the first of equal ones; `bias` NULL: there is none.
 * At least one. */
size_t hl_logits_highest(const float *logits, const float *bias, size_t n);

#endif
