/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_LOGISTIC_H
#define HL_COMPAT_LOGISTIC_H

#include "compat/bridge.h"

#include <stdint.h>

/* How likely a score means "the same", learnt from pairs that are known to be or not to be.
 *
 * Scores are counted in bins so fine that a fit of millions of pairs costs what one of the
 * bins costs. Plain data of 1 MiB; one thread. */
enum { HL_LOGISTIC_BINS = 1 << 16 };

struct hl_logistic {
    uint64_t same[HL_LOGISTIC_BINS], other[HL_LOGISTIC_BINS]; /* from -1 to 1 */
};

void hl_logistic_add(struct hl_logistic *logistic, float score, bool is_same);

/* The likeliest scale of two numbers, by Newton's method with Platt's targets, which keep
 * it finite where the two kinds do not mix. Not measured (0, 0) where one kind is missing,
 * or where the same does not score higher. */
struct hl_scale hl_logistic_fit(const struct hl_logistic *logistic);

#endif
