/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_EVIDENCE_H
#define HL_COMPAT_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

/* What counts say of a mean, however often one looks.
 *
 * Cases have one of `n_values` values (at least 2), evenly from 0 to 1: counts[j] of them
 * had j/(n_values-1). A bound here is anytime-valid: the chance that it is wrong at any
 * one of the moments at which one could have looked, all together, is at most `alpha`, be
 * cases as they may as long as their means, each given those before it, are on the side
 * that the bound speaks of. Nothing is kept between looks: a bound follows from counts, so
 * that it is the same after a restart. Pure, any thread. */

/* The mean is at least so much; 0 when nothing can be said. And at most; 1 when nothing. */
double hl_mean_at_least(const uint64_t *counts, size_t n_values, double alpha);
double hl_mean_at_most(const uint64_t *counts, size_t n_values, double alpha);

/* The mean of `counts` is above that of `base` by at least so much, -1 to 1; -1 when
 * nothing can be said. What both say counts together, which finds an excess with fewer
 * cases than the difference of two bounds of half the `alpha` does. */
double hl_excess_at_least(const uint64_t *base, const uint64_t *counts, size_t n_values,
                          double alpha);

#endif
