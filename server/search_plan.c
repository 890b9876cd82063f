/* SPDX-License-Identifier: Apache-2.0 */
#include "index/normal.h"
#include "server/search_part.h"

/* From a query and its plan to what is looked for: for each leg its shelves, and the
 * examples as they are in the leg's space. Without a plan there is one leg, the space of
 * the query's model, and nothing in it differs from what there would be without bridges. */

/* ---- whose carriers may be left out ---- */

static size_t add_spaces(const struct hl_plan *plan, uint32_t *spaces, size_t n,
                         size_t room)
{
    for (size_t i = 0; plan && i < plan->n_legs; i++) {
        const struct hl_leg *leg = &plan->legs[i];

        for (size_t j = 0; j < leg->n_without && n < room; j++) {
            size_t at = 0;

            while (at < n && spaces[at] != leg->without[j])
                at++;
            spaces[at] = leg->without[j];
            n += at == n;
        }
    }
    return n;
}

/* How many carry what is not known yet, so it is asked for every case. */
size_t hl_plan_leave_out(void *self, const struct hl_layout *layout, uint32_t *spaces,
                         size_t room)
{
    const struct hl_search *search = self;
    const struct hl_plans *plans = hl_plans_of(layout);
    size_t n = 0;

    for (size_t i = 0; plans && i < search->queries.n; i++) {
        const struct hl_query *query = &search->queries.items[i];
        const struct hl_space *space;
        struct hl_err ignored; /* the query says it when it is answered */

        if (query->kind == HL_QUERY_NONE || query->params.is_own_only ||
            hl_aim_model(layout, query, &space, &ignored) != HL_OK)
            continue;
        for (int which = 0; which < HL_N_PLAN_CASES; which++)
            n = add_spaces(hl_plan_in(plans, space->id, (enum hl_plan_case)which), spaces,
                           n, room);
    }
    return n;
}

/* ---- the plan ---- */

static size_t count_examples(const struct hl_examples *examples)
{
    return examples->n_positive + examples->n_negative;
}

/* The first that has no vector of the query's model; NULL: there is none. */
static const struct hl_example *find_lacking(const struct hl_examples *examples)
{
    for (size_t i = 0; i < count_examples(examples); i++)
        if (!examples->items[i].has_own)
            return &examples->items[i];
    return NULL;
}

static const struct hl_plan *choose_plan(const struct hl_search *search,
                                         const struct hl_examples *examples,
                                         const struct hl_aim *aim)
{
    const struct hl_plans *plans = hl_plans_of(hl_look_layout(search->look));
    const uint32_t model = aim->space->id;

    if (!plans || aim->query->params.is_own_only)
        return NULL;
    if (find_lacking(examples))
        return hl_plan_in(plans, model, HL_PLAN_NONE);
    return hl_plan_of(plans, model, hl_look_n_carriers(search->look, model),
                      hl_look_n_points(search->look));
}

static enum hl_code fail_lacking(const struct hl_examples *examples,
                                 const struct hl_space *space, struct hl_err *err)
{
    const struct hl_example *example = find_lacking(examples);
    char words[HL_ID_TEXT_SIZE];

    hl_id_print(&example->id, words);
    return hl_fail(err, HL_NOT_FOUND, "Not found: Vector with name \"%s\" for point %s",
                   space->name, words);
}

/* ---- through a way ---- */

struct draft {
    struct hl_search *search;
    const struct hl_examples *examples;
    struct hl_aim *aim;
};

static enum hl_code map_vector(struct draft *draft, struct hl_aim_leg *leg,
                               const struct hl_vector *vector, struct hl_vector *ret_vector,
                               struct hl_err *err)
{
    struct hl_search *search = draft->search;
    const struct hl_query *query = draft->aim->query;
    const struct hl_way *way = leg->plan->way;
    const struct hl_applier *applier =
        way->appliers[query->params.is_text ? HL_MODALITY_TEXT : HL_MODALITY_IMAGE];
    /* What the caller sent for the model of the leg's space as well. */
    const struct hl_vector *old = hl_query_sent(query, leg->space->name);
    const size_t dim = hl_applier_dim_out(applier);
    const int64_t begun_us = hl_clock_now(&search->clock);
    float *in = hl_arena_floats(search->arena, 1, vector->n);
    float *room = hl_arena_floats(search->arena, 1, hl_applier_room(applier) + dim);
    float *out = hl_arena_floats(search->arena, 1, dim);

    if (!in || !room || !out)
        return hl_arena_fail(search->arena, err, "a query through a bridge");
    hl_normalise(vector->values, vector->n, in);
    hl_applier_query(applier, leg->fidelity, in, room, out);
    if (old) {
        hl_normalise(old->values, old->n, room);
        hl_applier_lean(out, room, dim, way->old_weight);
    }
    *ret_vector = (struct hl_vector){.values = out, .n = dim};
    leg->is_mapped = draft->aim->is_mapped = true;
    draft->aim->map_us += hl_clock_now(&search->clock) - begun_us;
    return HL_OK;
}

/* Of a point that has no vector of the query's model: its own one in the leg's space, or
 * its image there. */
static enum hl_code load_there(struct hl_search *search, const struct hl_aim_leg *leg,
                               const struct hl_id *id, struct hl_vector *ret_vector,
                               bool *ret_has, struct hl_err *err)
{
    const struct hl_layout *layout = hl_look_layout(search->look);
    enum hl_code code = hl_aim_load(search, id, leg->space, ret_vector, ret_has, err);

    for (size_t i = layout->n_spaces;
         i < hl_layout_n_all(layout) && code == HL_OK && !*ret_has; i++) {
        const struct hl_space *space = &layout->spaces[i];

        if (space->image.into == leg->space->id && space->image.is_served)
            code = hl_aim_load(search, id, space, ret_vector, ret_has, err);
    }
    return code;
}

/* `*ret_missing` is the example that is not there, NULL where all are. */
static enum hl_code take_vectors(struct draft *draft, struct hl_aim_leg *leg,
                                 const struct hl_example **ret_missing, struct hl_err *err)
{
    struct hl_search *search = draft->search;
    const struct hl_examples *examples = draft->examples;
    const size_t n = count_examples(examples);
    struct hl_vector *vectors = hl_arena_array(search->arena, n, sizeof *vectors);
    enum hl_code code = HL_OK;

    if (!vectors)
        return hl_arena_fail(search->arena, err, "%zu examples", n);
    for (size_t i = 0; i < n && code == HL_OK && !*ret_missing; i++) {
        const struct hl_example *example = &examples->items[i];
        bool is_there = true;

        vectors[i] = example->vector;
        if (!example->has_own)
            code = load_there(search, leg, &example->id, &vectors[i], &is_there, err);
        else if (leg->plan && leg->plan->way)
            code = map_vector(draft, leg, &example->vector, &vectors[i], err);
        if (!is_there)
            *ret_missing = example;
        if (code == HL_OK && n > 1)
            code = hl_deadline_check(search->deadline, "the search", err);
    }
    leg->vector = vectors[0];
    leg->positive = vectors;
    leg->n_positive = examples->n_positive;
    leg->negative = vectors + examples->n_positive;
    leg->n_negative = examples->n_negative;
    return code;
}

/* ---- what it comes to ---- */

/* A sum of scalar products is the product with the sum; of distances nothing like it is
 * true. */
static enum hl_code mix(struct hl_search *search, const struct hl_query *query,
                        struct hl_aim_leg *leg, struct hl_err *err)
{
    leg->kind = HL_AIM_VECTOR;
    leg->scale = 1;
    leg->terms = 1;
    if (query->kind == HL_QUERY_NEAREST)
        return HL_OK; /* the only one */
    if (query->strategy == HL_STRATEGY_AVERAGE)
        return hl_mix_average(search->arena, leg, &leg->vector, err);
    if (query->strategy == HL_STRATEGY_SUM && hl_score_map_is_linear(&leg->maps[0])) {
        leg->terms = (float)leg->n_positive - (float)leg->n_negative;
        return hl_mix_sum(search->arena, leg, leg->space->distance == HL_COSINE,
                          &leg->vector, &leg->scale, err);
    }
    leg->kind = HL_AIM_RANK;
    return HL_OK;
}

static enum hl_code take_shelves(struct hl_search *search, struct hl_aim_leg *leg,
                                 struct hl_err *err)
{
    const struct hl_layout *layout = hl_look_layout(search->look);
    const size_t n_images = leg->plan ? leg->plan->n_images : 0;
    const struct hl_space **shelves =
        hl_arena_array(search->arena, n_images + 1, sizeof(const struct hl_space *));
    size_t n = 0;

    if (!shelves)
        return hl_arena_fail(search->arena, err, "%zu shelves", n_images + 1);
    if (!leg->plan || leg->plan->has_own)
        shelves[n++] = leg->space;
    for (size_t i = 0; i < n_images; i++) {
        const struct hl_space *space = hl_layout_space(layout, leg->plan->images[i]);

        if (space)
            shelves[n++] = space;
    }
    leg->shelves = shelves;
    leg->n_shelves = n;
    return HL_OK;
}

static enum hl_code map_scores(struct draft *draft, struct hl_aim_leg *leg,
                               struct hl_err *err)
{
    struct hl_score_map *maps =
        hl_arena_array(draft->search->arena, leg->n_shelves, sizeof *maps);

    if (!maps)
        return hl_arena_fail(draft->search->arena, err, "%zu shelves", leg->n_shelves);
    leg->maps = maps;
    return hl_score_maps_find(hl_look_layout(draft->search->look), draft->aim, leg, maps,
                              err);
}

static float choose_fidelity(const struct hl_query_params *params,
                             const struct hl_leg *plan)
{
    float fidelity = plan->fidelity;

    if (params->dial == HL_DIAL_SET)
        fidelity = params->fidelity;
    else if (params->dial == HL_DIAL_AUTO)
        fidelity = -1;
    else if (params->task == HL_QUERY_TASK_SAME)
        fidelity = 1;
    return hl_way_fidelity(plan->way, fidelity);
}

/* `*ret_missing` is an example that cannot be brought to the leg's space, or NULL. */
static enum hl_code make_leg(struct draft *draft, const struct hl_leg *plan,
                             struct hl_aim_leg *ret_leg,
                             const struct hl_example **ret_missing, struct hl_err *err)
{
    const struct hl_layout *layout = hl_look_layout(draft->search->look);
    const struct hl_query *query = draft->aim->query;
    struct hl_aim_leg leg = {.plan = plan, .space = draft->aim->space};
    enum hl_code code;

    *ret_missing = NULL;
    if (plan)
        leg.space = hl_layout_space(layout, plan->space);
    if (plan && plan->way)
        leg.fidelity = choose_fidelity(&query->params, plan);
    code = take_shelves(draft->search, &leg, err);
    if (code == HL_OK)
        code = take_vectors(draft, &leg, ret_missing, err);
    if (code == HL_OK && !*ret_missing)
        code = map_scores(draft, &leg, err);
    if (code == HL_OK && !*ret_missing)
        code = mix(draft->search, query, &leg, err);
    if (code == HL_OK)
        *ret_leg = leg;
    return code;
}

/* Scores for several examples are no distances, whatever the space measures. */
static enum hl_distance choose_order(const struct hl_query *query,
                                     const struct hl_aim_leg *leg)
{
    return query->kind == HL_QUERY_RECOMMEND && query->strategy != HL_STRATEGY_AVERAGE
               ? HL_DOT
               : leg->maps[0].shown;
}

enum hl_code hl_plan_legs(struct hl_search *search, const struct hl_examples *examples,
                          struct hl_aim *aim, struct hl_err *err)
{
    const struct hl_plan *plan = choose_plan(search, examples, aim);
    const size_t n = plan ? plan->n_legs : 1;
    struct hl_aim_leg *legs = hl_arena_array(search->arena, n, sizeof *legs);
    struct hl_left_leg *left = hl_arena_array(search->arena, n, sizeof *left);
    struct draft draft = {search, examples, aim};
    enum hl_code code = HL_OK;

    if (!legs || !left)
        return hl_arena_fail(search->arena, err, "%zu searches", n);
    if (!plan && find_lacking(examples))
        return fail_lacking(examples, aim->space, err);
    aim->plan = plan;
    aim->legs = legs;
    aim->left = left;
    for (size_t i = 0; i < n && code == HL_OK; i++) {
        struct hl_aim_leg *leg = &legs[aim->n_legs];
        const struct hl_example *missing = NULL;

        code = make_leg(&draft, plan ? &plan->legs[i] : NULL, leg, &missing, err);
        /* What an example cannot be brought to is left out, unless nothing is left. */
        if (code == HL_OK && missing)
            left[aim->n_left++] = (struct hl_left_leg){leg->space, missing->id};
        else if (code == HL_OK)
            aim->n_legs++;
    }
    if (code == HL_OK && aim->n_legs == 0)
        return fail_lacking(examples, aim->space, err);
    if (code == HL_OK)
        aim->order = choose_order(aim->query, legs);
    return code;
}
