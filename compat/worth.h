/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_WORTH_H
#define HL_COMPAT_WORTH_H

#include "proto/err.h"

#include <stddef.h>

/* Which items of an old gallery to embed anew first.
 *
 * What an item is worth is how close company it keeps: the mean cosine of its nearest ones
 * in a sample of the gallery. Those are found most often, so that a true place for them
 * mends the most answers. compat/README.md has what this was measured against: how unsure
 * the old head is of an item is an order about as good as chance.
 *
 * Immutable once made, any thread. */
struct hl_worth;

/* A thousand rows are enough, and more of a sample costs more of every item; below a dozen
 * an order means little. */
enum { HL_WORTH_SAMPLE = 1000, HL_WORTH_NEAREST = 10 };

/* Of rows of length 1, chosen from the gallery by chance, in the old model's space; copied.
 * At least one. */
enum hl_code hl_worth_new(const float *sample, size_t n, size_t dim,
                          struct hl_worth **ret_worth, struct hl_err *err);
void hl_worth_free(struct hl_worth *worth); /* NULL is accepted */

/* What n rows of length 1 are worth, from -1 to 1, the highest first to be refreshed. Does
 * not depend on which rows are asked together. */
enum hl_code hl_worth_of(const struct hl_worth *worth, const float *rows, size_t n,
                         float *worths, struct hl_err *err);

#endif
