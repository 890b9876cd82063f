/* SPDX-License-Identifier: Apache-2.0 */
#include "server/coverage.h"

#include "server/plan.h"

#include <string.h>

static struct hl_text name_of(const struct hl_holdings *holdings, uint32_t id)
{
    const char *name = hl_layout_space(holdings->layout, id)->name;

    return (struct hl_text){name, strlen(name)};
}

static enum hl_code count(const struct hl_holdings *holdings,
                          const struct hl_filter *filter, uint64_t *ret_n,
                          struct hl_err *err)
{
    const struct hl_look_wish wish = {.filters = &filter, .n_filters = 1};
    struct hl_look *look = NULL;
    enum hl_code code = hl_look_open(holdings->collection, &wish, &look, err);

    if (code == HL_OK)
        *ret_n = hl_look_count(look, 0);
    hl_look_close(look);
    return code;
}

enum hl_code hl_coverage_count(const struct hl_holdings *holdings,
                               const struct hl_models *models, bool is_of_all,
                               struct hl_arena *arena, uint64_t *ret_n, struct hl_err *err)
{
    struct hl_condition *conditions = hl_arena_array(arena, models->n, sizeof *conditions);
    struct hl_text *names = hl_arena_array(arena, models->n, sizeof *names);
    struct hl_filter filter = {.should = {conditions, models->n}};

    if (!conditions || !names)
        return hl_arena_fail(arena, err, "the models of a collection");
    for (size_t i = 0; i < models->n; i++) {
        names[i] = name_of(holdings, models->ids[i]);
        conditions[i] =
            (struct hl_condition){.kind = HL_CONDITION_HAS_VECTOR, .texts = {&names[i], 1}};
    }
    if (is_of_all)
        filter = (struct hl_filter){.must = {conditions, models->n}};
    return count(holdings, &filter, ret_n, err);
}

enum hl_code hl_coverage_left(const struct hl_holdings *holdings, uint32_t from,
                              uint32_t to, uint64_t *ret_n, struct hl_err *err)
{
    const struct hl_text names[] = {name_of(holdings, from), name_of(holdings, to)};
    struct hl_condition conditions[] = {
        {.kind = HL_CONDITION_HAS_VECTOR, .texts = {&names[0], 1}},
        {.kind = HL_CONDITION_HAS_VECTOR, .texts = {&names[1], 1}}};
    const struct hl_filter filter = {.must = {&conditions[0], 1},
                                     .must_not = {&conditions[1], 1}};

    return count(holdings, &filter, ret_n, err);
}

enum hl_code hl_coverage_take(const struct hl_holdings *holdings, uint32_t space,
                              struct hl_arena *arena, struct hl_coverage *ret_coverage,
                              struct hl_err *err)
{
    const struct hl_models own = {{space}, 1};
    struct hl_coverage coverage = {.n_points = hl_look_n_points(holdings->look)};
    const struct hl_plan *plan;
    struct hl_models found = own;
    enum hl_code code =
        hl_coverage_count(holdings, &own, false, arena, &coverage.n_own, err);

    plan =
        hl_plan_of(hl_plans_of(holdings->layout), space, coverage.n_own, coverage.n_points);
    if (plan)
        hl_plan_found(plan, holdings->layout, &found);
    if (code == HL_OK)
        code = hl_coverage_count(holdings, &found, false, arena, &coverage.n_reached, err);
    if (code == HL_OK)
        *ret_coverage = coverage;
    return code;
}
