/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_FIGURE_H
#define HL_COMPAT_FIGURE_H

#include "compat/report.h"
#include "proto/buf.h"

/* Numbers with what they are a share of and a 95 % interval. Pure, any thread. */

/* Sums over cases of up to three numbers that belong together. */
struct hl_tally {
    uint64_t n;
    double a, b, c, aa, bb, cc, ab, ac, bc;
};
void hl_tally_add(struct hl_tally *tally, double a, double b, double c);

/* Share of `n` cases, Wilson's interval. */
struct hl_figure hl_figure_share(uint64_t hits, uint64_t n);

/* Mean of a over cases; ± 1.96 standard errors. */
struct hl_figure hl_figure_mean(const struct hl_tally *tally);

/* Sum of a over sum of b, and a·n / (b·c) for sums a, b, c; their intervals by the delta
 * method, case by case. `of` is n; cannot be said where what divides is not above 0. */
struct hl_figure hl_figure_ratio(const struct hl_tally *tally);
struct hl_figure hl_figure_ratio_of_product(const struct hl_tally *tally);

/* `{"value":v,"low":l,"high":h,"of":n}`; null where it cannot be said. */
void hl_figure_print(const struct hl_figure *figure, struct hl_buf *json);

#endif
