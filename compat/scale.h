/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_SCALE_H
#define HL_COMPAT_SCALE_H

#include "compat/bridge.h"

#include <stdbool.h>

/* From the scores of one comparison to those of another: what means as much on either.
 *
 * Pure functions over plain data, any thread. */

/* Whether it was measured at all; of one that was not, nothing can be said. */
bool hl_scale_is_measured(struct hl_scale scale);
bool hl_scales_are_measured(const struct hl_scale steps[HL_N_FIDELITIES]);

/* Between two of the steps of the dial, in proportion to both. Not measured where one of
 * the steps needed was not. A fidelity outside 0 … 1 is the nearer end. */
struct hl_scale hl_scale_at(const struct hl_scale steps[HL_N_FIDELITIES], float fidelity);

/* y = factor·x + shift, factor above 0: order never changes, though two scores that lie
 * closer than floats can tell may become one. */
struct hl_affine {
    float factor, shift;
};

/* The score on `to` that is as likely to mean "the same" as one on `from`. False, and
 * nothing set, where either was not measured. Between equal scales it is the identity, to
 * the bit. */
bool hl_affine_between(struct hl_scale from, struct hl_scale to,
                       struct hl_affine *ret_affine);

static inline float hl_affine_apply(struct hl_affine affine, float score)
{
    return affine.factor * score + affine.shift;
}

#endif
