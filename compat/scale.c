/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/scale.h"

#include <math.h>

/* A fidelity that came as a decimal is on its step but for what a float leaves out. */
static const float CLOSE = 1e-5F;

bool hl_scale_is_measured(struct hl_scale scale)
{
    return scale.slope > 0;
}

bool hl_scales_are_measured(const struct hl_scale steps[HL_N_FIDELITIES])
{
    bool is_measured = true;

    for (size_t i = 0; i < HL_N_FIDELITIES; i++)
        is_measured = is_measured && hl_scale_is_measured(steps[i]);
    return is_measured;
}

static struct hl_scale between(struct hl_scale first, struct hl_scale second, float part)
{
    return (struct hl_scale){(1 - part) * first.slope + part * second.slope,
                             (1 - part) * first.offset + part * second.offset};
}

struct hl_scale hl_scale_at(const struct hl_scale steps[HL_N_FIDELITIES], float fidelity)
{
    float place = fidelity > 0 ? fidelity * (HL_N_FIDELITIES - 1) : 0; /* a NaN is 0 */
    size_t step;
    float part;

    if (place > HL_N_FIDELITIES - 1)
        place = HL_N_FIDELITIES - 1;
    step = (size_t)(place + CLOSE);
    part = place - (float)step;
    if (part <= CLOSE)
        return steps[step];
    if (!hl_scale_is_measured(steps[step]) || !hl_scale_is_measured(steps[step + 1]))
        return (struct hl_scale){0};
    return between(steps[step], steps[step + 1], part);
}

bool hl_affine_between(struct hl_scale from, struct hl_scale to,
                       struct hl_affine *ret_affine)
{
    struct hl_affine affine;

    if (!hl_scale_is_measured(from) || !hl_scale_is_measured(to))
        return false;
    affine.factor = from.slope / to.slope;
    affine.shift = (from.offset - to.offset) / to.slope;
    /* Scales of a file made elsewhere may lie further apart than floats reach. */
    if (!(affine.factor > 0) || !isfinite(affine.factor) || !isfinite(affine.shift))
        return false;
    *ret_affine = affine;
    return true;
}
