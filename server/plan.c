/* SPDX-License-Identifier: Apache-2.0 */
#include "server/plan.h"

#include "proto/alloc.h"

#include <string.h>

/* The rules, in their order, for the queries of a model Q:
 *
 *   1. No active way touches Q: it has no plan.
 *   2. Something forward leads to Q: its own space with its images.
 *   3. Something leads from Q: the space T that most models get into, through the bridge; a
 *      chain over T where its end is reached by a model that T is not. Backward that is
 *      everything; dual it is what Q has not seen, beside Q's own rows in Q's own space.
 *   4. Else: its own space with its images.
 *   5. A model whose points no leg has found yet and that Q gets to: one more leg in its
 *      space. Then one more for what only has images where Q gets to, or in Q's own space.
 */
enum { PLANS_MEMORY = 64 << 20 };

struct compiling {
    const struct hl_layout *layout;
    const struct hl_activations *activations;
    struct hl_plans *plans;
    struct hl_models touched;
};

/* One plan as it grows. */
struct growing {
    const struct compiling *all;
    uint32_t model;
    struct hl_leg legs[HL_MOST_MODELS];
    size_t n_legs;
    struct hl_models covered; /* whose vectors the legs find */
};

/* ---- one leg ---- */

static enum hl_code fail_no_room(const struct growing *growing, struct hl_err *err)
{
    return hl_arena_fail(growing->all->plans->arena, err, "the plans of a collection");
}

/* The list of models, in the arena. */
static enum hl_code keep(const struct growing *growing, const struct hl_models *models,
                         const uint32_t **ret_ids, size_t *ret_n, struct hl_err *err)
{
    uint32_t *ids =
        hl_arena_array(growing->all->plans->arena, models->n ? models->n : 1, sizeof *ids);

    if (!ids)
        return fail_no_room(growing, err);
    memcpy(ids, models->ids, models->n * sizeof *ids);
    *ret_ids = ids;
    *ret_n = models->n;
    return HL_OK;
}

/* Images into the leg's space of all models but `but`. */
static enum hl_code add_images(struct growing *growing, struct hl_leg *leg,
                               const struct hl_models *but, struct hl_err *err)
{
    const struct compiling *all = growing->all;
    struct hl_models sources, images = {.n = 0};

    hl_reach_into(all->activations, leg->space, &sources);
    for (size_t i = 0; i < sources.n; i++) {
        const struct hl_space *space =
            hl_layout_image(all->layout, leg->space, sources.ids[i]);

        if (!space)
            return hl_fail(err, HL_DAMAGED, "the images by an active bridge are missing");
        if (hl_models_have(but, sources.ids[i]))
            continue;
        hl_models_add(&images, space->id);
        hl_models_add(&growing->covered, sources.ids[i]);
    }
    return keep(growing, &images, &leg->images, &leg->n_images, err);
}

static struct hl_leg *add_leg(struct growing *growing, uint32_t space)
{
    struct hl_leg *leg = &growing->legs[growing->n_legs++];

    *leg = (struct hl_leg){.space = space, .fidelity = -1.0f, .has_own = true};
    hl_models_add(&growing->covered, space);
    return leg;
}

/* Everything in a space but what `but` finds, the query through the way to there. */
static enum hl_code add_far_leg(struct growing *growing, uint32_t space,
                                const struct hl_models *but, struct hl_err *err)
{
    const struct compiling *all = growing->all;
    struct hl_leg *leg = add_leg(growing, space);
    const struct hl_space *image = hl_layout_image(all->layout, space, growing->model);
    const struct hl_active *first;
    struct hl_trail trail;
    enum hl_code code = add_images(growing, leg, but, err);

    if (code == HL_OK)
        code = keep(growing, but, &leg->without, &leg->n_without, err);
    if (code != HL_OK)
        return code;
    leg->has_own = !hl_models_have(but, space);
    trail = hl_reach_trail(all->activations, growing->model, space);
    memcpy(leg->hops, trail.hops, sizeof leg->hops);
    leg->n_hops = trail.n_hops;
    first = hl_activations_find(all->activations, growing->model, trail.hops[0].to);
    if (!first->is_auto)
        leg->fidelity = (float)first->fidelity;
    leg->way = hl_way_of(image->image.mapper);
    return HL_OK;
}

/* Q's own rows, with their images or alone. */
static enum hl_code add_near_leg(struct growing *growing, bool has_images,
                                 struct hl_err *err)
{
    static const struct hl_models none = {.n = 0};
    struct hl_leg *leg = add_leg(growing, growing->model);

    return has_images ? add_images(growing, leg, &none, err) : HL_OK;
}

/* ---- where queries go ---- */

static size_t count_reached(const struct hl_activations *activations, uint32_t space)
{
    struct hl_models sources;

    hl_reach_into(activations, space, &sources);
    return sources.n;
}

static bool reaches_more(const struct hl_activations *activations, uint32_t space,
                         uint32_t than)
{
    struct hl_models there, here;

    hl_reach_into(activations, space, &there);
    hl_reach_into(activations, than, &here);
    hl_models_add(&there, space);
    hl_models_add(&here, than);
    for (size_t i = 0; i < there.n; i++)
        if (!hl_models_have(&here, there.ids[i]))
            return true;
    return false;
}

/* The activation that takes Q's queries elsewhere; NULL: none does. */
static const struct hl_active *choose_active(const struct hl_activations *activations,
                                             uint32_t model)
{
    const struct hl_active *best = NULL;
    size_t most = 0;

    for (size_t i = 0; i < activations->n; i++) {
        const struct hl_active *active = &activations->list[i];
        const size_t n = count_reached(activations, active->to);

        if (active->from != model || active->serving == HL_SERVING_FORWARD)
            continue;
        if (!best || n > most || (n == most && strcmp(active->at, best->at) > 0)) {
            best = active;
            most = n;
        }
    }
    return best;
}

/* The end of a chain over the space the activation leads to, or that space. */
static uint32_t choose_space(const struct hl_activations *activations,
                             const struct hl_active *active)
{
    uint32_t space = active->to;
    size_t most = 0;

    for (size_t i = 0; i < activations->n; i++) {
        const struct hl_active *then = &activations->list[i];
        const size_t n = count_reached(activations, then->to);

        if (then->from == active->to && then->to != active->from && n > most &&
            !hl_activations_find(activations, active->from, then->to) &&
            reaches_more(activations, then->to, active->to)) {
            space = then->to;
            most = n;
        }
    }
    return space;
}

static bool is_forward(const struct hl_activations *activations, uint32_t model)
{
    for (size_t i = 0; i < activations->n; i++)
        if (activations->list[i].to == model &&
            activations->list[i].serving == HL_SERVING_FORWARD)
            return true;
    return false;
}

uint32_t hl_plan_goal(const struct hl_activations *activations, uint32_t model)
{
    const struct hl_active *active = choose_active(activations, model);

    return active && !is_forward(activations, model) ? choose_space(activations, active)
                                                     : 0;
}

/* ---- one plan ---- */

/* Rule 3. */
static enum hl_code go_far(struct growing *growing, uint32_t space, bool is_dual,
                           struct hl_err *err)
{
    struct hl_models own = {.n = 0};
    enum hl_code code = HL_OK;

    if (is_dual) {
        hl_models_add(&own, growing->model);
        code = add_near_leg(growing, false, err);
    }
    return code == HL_OK ? add_far_leg(growing, space, &own, err) : code;
}

static bool has_more(const struct growing *growing, uint32_t space)
{
    struct hl_models sources;

    hl_reach_into(growing->all->activations, space, &sources);
    for (size_t i = 0; i < sources.n; i++)
        if (!hl_models_have(&growing->covered, sources.ids[i]))
            return true;
    return false;
}

/* Images in Q's own space that no leg has found. */
static enum hl_code find_more_near(struct growing *growing, struct hl_err *err)
{
    const struct hl_models but = growing->covered;
    struct hl_leg *leg;
    enum hl_code code;

    if (!has_more(growing, growing->model))
        return HL_OK;
    leg = add_leg(growing, growing->model);
    leg->has_own = false;
    code = add_images(growing, leg, &but, err);
    return code == HL_OK ? keep(growing, &but, &leg->without, &leg->n_without, err) : code;
}

/* Spaces that so many bridges lead to: of models that no leg has found, or else those where
 * such models have images. */
static enum hl_code find_more_far(struct growing *growing, size_t n_hops, bool is_own,
                                  struct hl_err *err)
{
    const struct compiling *all = growing->all;
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < all->touched.n; i++) {
        const uint32_t space = all->touched.ids[i];
        const struct hl_models but = growing->covered;

        if (hl_reach_trail(all->activations, growing->model, space).n_hops == n_hops &&
            (is_own ? !hl_models_have(&but, space) : has_more(growing, space)))
            code = add_far_leg(growing, space, &but, err);
    }
    return code;
}

/* Rule 5. Bridges before chains: what they find needs no chain. */
static enum hl_code find_the_rest(struct growing *growing, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t n_hops = 1; code == HL_OK && n_hops <= HL_WAY_HOPS; n_hops++)
        code = find_more_far(growing, n_hops, true, err);
    if (code == HL_OK)
        code = find_more_near(growing, err);
    for (size_t n_hops = 1; code == HL_OK && n_hops <= HL_WAY_HOPS; n_hops++)
        code = find_more_far(growing, n_hops, false, err);
    return code;
}

/* Over a chain nothing was measured, so there is no scale to merge two lists on. */
enum hl_serving hl_plan_serving(const struct hl_activations *activations,
                                const struct hl_active *active)
{
    return active->serving == HL_SERVING_FORWARD ||
                   choose_space(activations, active) == active->to
               ? active->serving
               : HL_SERVING_BACKWARD;
}

static enum hl_serving choose_strategy(const struct hl_activations *activations,
                                       uint32_t model)
{
    const struct hl_active *active = choose_active(activations, model);

    if (is_forward(activations, model))
        return HL_SERVING_FORWARD;
    return active ? hl_plan_serving(activations, active) : HL_SERVING_AUTO;
}

static enum hl_code grow(struct growing *growing, enum hl_plan_case which,
                         enum hl_serving strategy, struct hl_err *err)
{
    const uint32_t goal = hl_plan_goal(growing->all->activations, growing->model);
    const bool is_dual = strategy == HL_SERVING_DUAL && which != HL_PLAN_NONE;
    enum hl_code code;

    if (which == HL_PLAN_ALL)
        return add_near_leg(growing, false, err);
    code = goal ? go_far(growing, goal, is_dual, err) : add_near_leg(growing, true, err);
    return code == HL_OK ? find_the_rest(growing, err) : code;
}

static enum hl_code make_plan(const struct compiling *all, uint32_t model,
                              enum hl_plan_case which, struct hl_plan *plan,
                              struct hl_err *err)
{
    struct growing growing = {.all = all, .model = model};
    struct hl_leg *legs;
    enum hl_code code;

    plan->strategy = choose_strategy(all->activations, model);
    code = grow(&growing, which, plan->strategy, err);
    if (code != HL_OK)
        return code;
    legs = hl_arena_array(all->plans->arena, growing.n_legs, sizeof *legs);
    if (!legs)
        return fail_no_room(&growing, err);
    memcpy(legs, growing.legs, growing.n_legs * sizeof *legs);
    plan->model = model;
    plan->legs = legs;
    plan->n_legs = growing.n_legs;
    return HL_OK;
}

/* ---- all of them ---- */

static enum hl_code make_plans(struct compiling *all, struct hl_err *err)
{
    struct hl_plan_cases *models =
        hl_arena_array(all->plans->arena, all->touched.n + 1, sizeof *models);
    enum hl_code code = HL_OK;

    if (!models)
        return hl_arena_fail(all->plans->arena, err, "the plans of a collection");
    for (size_t i = 0; i < all->touched.n; i++)
        for (size_t which = 0; code == HL_OK && which < HL_N_PLAN_CASES; which++)
            code = make_plan(all, all->touched.ids[i], (enum hl_plan_case)which,
                             &models[i].of[which], err);
    all->plans->models = models;
    all->plans->n_models = all->touched.n;
    return code;
}

/* Layouts come and go; a leg's way stays as long as the plans. */
static enum hl_code hold_ways(struct compiling *all, struct hl_err *err)
{
    const struct hl_layout *layout = all->layout;
    struct hl_plans *plans = all->plans;

    plans->ways =
        hl_arena_array(plans->arena, layout->n_images + 1, sizeof(struct hl_way *));
    if (!plans->ways)
        return hl_arena_fail(plans->arena, err, "the plans of a collection");
    for (size_t i = layout->n_spaces; i < hl_layout_n_all(layout); i++) {
        struct hl_way *way = hl_way_of(layout->spaces[i].image.mapper);

        if (way && layout->spaces[i].image.is_served)
            plans->ways[plans->n_ways++] = hl_way_ref(way);
    }
    return HL_OK;
}

static void free_plans(struct hl_companion *companion)
{
    struct hl_plans *plans = (struct hl_plans *)companion;

    for (size_t i = 0; i < plans->n_ways; i++)
        hl_way_unref(plans->ways[i]);
    hl_arena_free(plans->arena);
    hl_free(plans);
}

void hl_plans_unref(struct hl_plans *plans)
{
    hl_companion_unref(plans ? &plans->companion : NULL);
}

static struct hl_plans *new_plans(const struct hl_activations *activations)
{
    struct hl_plans *plans = hl_alloc_zeroed(1, sizeof *plans);

    if (!plans)
        return NULL;
    atomic_init(&plans->companion.n_refs, 1);
    plans->companion.free = free_plans;
    plans->number = activations->number;
    plans->activations = *activations;
    plans->arena = hl_arena_new(PLANS_MEMORY);
    if (plans->arena)
        return plans;
    hl_free(plans);
    return NULL;
}

enum hl_code hl_plans_compile(const struct hl_layout *layout,
                              const struct hl_activations *activations,
                              const struct hl_rollout *rollout, struct hl_plans **ret_plans,
                              struct hl_err *err)
{
    struct compiling all = {.layout = layout, .activations = activations};
    enum hl_code code;

    if (activations->n == 0 && rollout->number == 0) {
        *ret_plans = NULL;
        return HL_OK;
    }
    all.plans = new_plans(activations);
    if (!all.plans)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the plans of a collection");
    all.plans->rollout = *rollout;
    hl_reach_touched(activations, &all.touched);
    code = hold_ways(&all, err);
    if (code == HL_OK)
        code = make_plans(&all, err);
    if (code == HL_OK)
        *ret_plans = all.plans;
    else
        hl_plans_unref(all.plans);
    return code;
}

static enum hl_code compile_records(struct hl_reader *reader,
                                    const struct hl_layout *layout, uint64_t *ret_number,
                                    struct hl_plans **ret_plans, struct hl_err *err)
{
    struct hl_activations activations;
    struct hl_rollout rollout;
    enum hl_code code = hl_activations_load(reader, &activations, err);

    if (code == HL_OK)
        code = hl_rollout_load(reader, &rollout, err);
    if (code != HL_OK)
        return code;
    *ret_number = activations.number;
    return hl_plans_compile(layout, &activations, &rollout, ret_plans, err);
}

enum hl_code hl_plans_open(void *self, struct hl_reader *reader,
                           const struct hl_layout *layout,
                           struct hl_companion **ret_companion, struct hl_err *err)
{
    struct hl_plans *plans = NULL;
    uint64_t number;
    enum hl_code code = compile_records(reader, layout, &number, &plans, err);

    (void)self;
    if (code == HL_OK)
        *ret_companion = plans ? &plans->companion : NULL;
    return code;
}

enum hl_code hl_plans_publish(struct hl_writing *writing, uint64_t *ret_number,
                              struct hl_err *err)
{
    struct hl_plans *plans = NULL;
    enum hl_code code =
        compile_records(hl_store_inside(hl_writing_store(writing)),
                        hl_writing_layout(writing), ret_number, &plans, err);

    if (code == HL_OK)
        code = hl_writing_set_companion(writing, plans ? &plans->companion : NULL, err);
    hl_plans_unref(plans);
    return code;
}

/* ---- what it reaches ---- */

void hl_plan_found(const struct hl_plan *plan, const struct hl_layout *layout,
                   struct hl_models *ret_models)
{
    ret_models->n = 0;
    for (size_t i = 0; i < plan->n_legs; i++) {
        const struct hl_leg *leg = &plan->legs[i];

        hl_models_add(ret_models, leg->space);
        for (size_t k = 0; k < leg->n_images; k++)
            hl_models_add(ret_models, hl_layout_space(layout, leg->images[k])->image.from);
    }
}
