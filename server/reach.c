/* SPDX-License-Identifier: Apache-2.0 */
#include "server/reach.h"

#include <string.h>

static struct hl_hop hop_of(const struct hl_active *active)
{
    return (struct hl_hop){active->from, active->to, active->revision};
}

struct hl_trail hl_reach_trail(const struct hl_activations *activations, uint32_t from,
                               uint32_t to)
{
    const struct hl_active *direct = hl_activations_find(activations, from, to), *then;
    struct hl_trail trail = {.n_hops = 0};

    if (from == to)
        return trail;
    if (direct)
        return (struct hl_trail){{hop_of(direct)}, 1};
    for (size_t i = 0; i < activations->n; i++) {
        const struct hl_active *first = &activations->list[i];

        if (first->from != from || (trail.n_hops > 0 && first->to < trail.hops[0].to))
            continue;
        then = hl_activations_find(activations, first->to, to);
        if (then)
            trail = (struct hl_trail){{hop_of(first), hop_of(then)}, 2};
    }
    return trail;
}

bool hl_trail_is(const struct hl_trail *trail, const struct hl_trail *other)
{
    bool is_same = trail->n_hops == other->n_hops;

    for (size_t i = 0; is_same && i < trail->n_hops; i++)
        is_same = trail->hops[i].from == other->hops[i].from &&
                  trail->hops[i].to == other->hops[i].to &&
                  trail->hops[i].revision == other->hops[i].revision;
    return is_same;
}

bool hl_models_have(const struct hl_models *models, uint32_t id)
{
    for (size_t i = 0; i < models->n; i++)
        if (models->ids[i] == id)
            return true;
    return false;
}

void hl_models_add(struct hl_models *models, uint32_t id)
{
    size_t at = models->n;

    if (hl_models_have(models, id) || models->n == HL_MOST_MODELS)
        return;
    for (; at > 0 && models->ids[at - 1] > id; at--)
        models->ids[at] = models->ids[at - 1];
    models->ids[at] = id;
    models->n++;
}

void hl_reach_touched(const struct hl_activations *activations,
                      struct hl_models *ret_models)
{
    ret_models->n = 0;
    for (size_t i = 0; i < activations->n; i++) {
        hl_models_add(ret_models, activations->list[i].from);
        hl_models_add(ret_models, activations->list[i].to);
    }
}

void hl_reach_into(const struct hl_activations *activations, uint32_t into,
                   struct hl_models *ret_models)
{
    struct hl_models touched;

    hl_reach_touched(activations, &touched);
    ret_models->n = 0;
    for (size_t i = 0; i < touched.n; i++)
        if (hl_reach_trail(activations, touched.ids[i], into).n_hops > 0)
            hl_models_add(ret_models, touched.ids[i]);
}
