/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include "proto/model_name.h"

#include <math.h>

/* What one space measures is not what another one does: a cosine of .6 may be the same
 * photograph here and anything there. Scores that came through a bridge are shown on the
 * scale of the query's own model, or of the one that `score_scale` names, by what was
 * measured when the bridge was learnt. */

static bool is_product(enum hl_distance distance)
{
    return distance == HL_COSINE || distance == HL_DOT;
}

bool hl_score_map_is_linear(const struct hl_score_map *map)
{
    return is_product(map->raw) && is_product(map->shown);
}

/* Of vectors of length 1 a distance says as much as a product. */
float hl_score_shown(const struct hl_score_map *map, float raw, float terms)
{
    float score = raw;

    if (!map->is_affine && is_product(map->raw) == is_product(map->shown))
        return raw;
    if (!is_product(map->raw))
        score = 1 - raw * raw / 2;
    if (map->is_affine)
        score = map->affine.factor * score + map->affine.shift * terms;
    if (!is_product(map->shown))
        score = score < 1 ? sqrtf(2 - 2 * score) : 0;
    return score;
}

/* ---- what was measured ---- */

/* Of a model's queries among its own items: any bridge from or to it has that. */
static struct hl_scale scale_in(const struct hl_way *way, uint32_t model)
{
    struct hl_scale scale = {0};

    for (size_t i = 0; i < way->n_hops && !hl_scale_is_measured(scale); i++) {
        if (way->hops[i].from == model)
            scale = way->bridges[i]->from_own;
        else if (way->hops[i].to == model)
            scale = way->bridges[i]->to_own;
    }
    return scale;
}

/* Those that the query goes through first, so that its scores stay what they are when
 * another bridge begins to be served. */
static struct hl_scale own_scale(const struct hl_plans *plans, const struct hl_aim *aim,
                                 uint32_t model)
{
    struct hl_scale scale = {0};

    for (size_t i = 0; aim->plan && i < aim->plan->n_legs; i++)
        if (aim->plan->legs[i].way && !hl_scale_is_measured(scale))
            scale = scale_in(aim->plan->legs[i].way, model);
    for (size_t i = 0; plans && i < plans->n_ways && !hl_scale_is_measured(scale); i++)
        scale = scale_in(plans->ways[i], model);
    return scale;
}

/* Of the scores on one shelf of a leg. An example that was not mapped, because it is there
 * itself, has those of a query of that space. Images by another model's bridge count as
 * those of the query's own, which were measured. */
static struct hl_scale shelf_scale(const struct hl_plans *plans, const struct hl_aim *aim,
                                   const struct hl_aim_leg *leg,
                                   const struct hl_space *shelf)
{
    const struct hl_bridge_way *way;
    struct hl_scale scale = {0};

    if (!leg->is_mapped)
        return own_scale(plans, aim, leg->space->id);
    way = hl_way_scales(leg->plan->way,
                        aim->query->params.is_text ? HL_MODALITY_TEXT : HL_MODALITY_IMAGE);
    if (way && shelf->image.into)
        scale = hl_scale_at(way->new_items, leg->fidelity);
    if (way && !hl_scale_is_measured(scale))
        scale = hl_scale_at(way->old_items, leg->fidelity);
    return scale;
}

/* On whose scale scores are shown; NULL: there is no such model. */
static const struct hl_space *find_shown(const struct hl_layout *layout,
                                         const struct hl_aim *aim, struct hl_err *err)
{
    const struct hl_text *name = &aim->query->params.score_scale;
    const struct hl_space *space = name->text ? hl_layout_find(layout, name) : aim->space;

    if (!space)
        hl_err_set(err, HL_UNKNOWN_VECTOR,
                   "Wrong input: Not existing vector name error: %.*s", (int)name->len,
                   name->text);
    return space;
}

/* Who says that scores must be comparable has to hear when they are not. */
static enum hl_code check_need(const struct hl_aim *aim, const struct hl_aim_leg *leg,
                               const struct hl_space *shown, struct hl_err *err)
{
    const struct hl_query *query = aim->query;
    const bool has_scale = query->params.score_scale.text != NULL;

    if (!has_scale && !query->has_threshold)
        return HL_OK;
    return hl_fail(err, HL_WRONG_INPUT,
                   "Wrong input: \"%s\" needs scores of \"%s\" in \"%s\" on the scale of "
                   "\"%s\", and that was not measured",
                   has_scale ? "score_scale" : "score_threshold",
                   hl_model_shown(aim->space->name), hl_model_shown(leg->space->name),
                   hl_model_shown(shown->name));
}

/* False: of one of them nothing was measured, and shelves of one leg are shown alike. */
static bool map_shelves(const struct hl_plans *plans, const struct hl_aim *aim,
                        const struct hl_aim_leg *leg, uint32_t shown,
                        struct hl_score_map *maps)
{
    const struct hl_scale to = own_scale(plans, aim, shown);
    bool is_measured = true;

    for (size_t i = 0; i < leg->n_shelves; i++)
        is_measured = hl_affine_between(shelf_scale(plans, aim, leg, leg->shelves[i]), to,
                                        &maps[i].affine) &&
                      is_measured;
    for (size_t i = 0; i < leg->n_shelves; i++)
        maps[i].is_affine = is_measured;
    return is_measured;
}

enum hl_code hl_score_maps_find(const struct hl_layout *layout, const struct hl_aim *aim,
                                const struct hl_aim_leg *leg, struct hl_score_map *maps,
                                struct hl_err *err)
{
    const struct hl_space *shown = find_shown(layout, aim, err);

    if (!shown)
        return hl_err_code(err);
    for (size_t i = 0; i < leg->n_shelves; i++)
        maps[i] =
            (struct hl_score_map){.raw = leg->space->distance, .shown = shown->distance};
    if (!leg->is_mapped && shown == leg->space)
        return HL_OK;
    return map_shelves(hl_plans_of(layout), aim, leg, shown->id, maps)
               ? HL_OK
               : check_need(aim, leg, shown, err);
}
