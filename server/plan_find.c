/* SPDX-License-Identifier: Apache-2.0 */
#include "server/plan.h"

const struct hl_plans *hl_plans_of(const struct hl_layout *layout)
{
    return (const struct hl_plans *)layout->companion;
}

const struct hl_plan *hl_plan_in(const struct hl_plans *plans, uint32_t model,
                                 enum hl_plan_case which)
{
    for (size_t i = 0; plans && i < plans->n_models; i++)
        if (plans->models[i].of[which].model == model)
            return &plans->models[i].of[which];
    return NULL;
}

const struct hl_plan *hl_plan_of(const struct hl_plans *plans, uint32_t model,
                                 uint64_t n_carriers, uint64_t n_points)
{
    if (n_carriers == 0)
        return hl_plan_in(plans, model, HL_PLAN_NONE);
    return hl_plan_in(plans, model, n_carriers < n_points ? HL_PLAN_SOME : HL_PLAN_ALL);
}
