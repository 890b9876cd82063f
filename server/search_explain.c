/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"
#include "server/search_part.h"
#include "server/show.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* `"explain":{"plan":…,"hits":[…]}`, beside the points: the plan as it was followed, with
 * what was left out of it left out, and for each point the score before it was put on the
 * scale that is shown. */

static const struct hl_space *find_space(const struct hl_search *search, uint32_t id)
{
    return hl_layout_space(hl_look_layout(search->look), id);
}

/* Whose vectors are on a shelf. */
static void show_shelf(const struct hl_search *search, const struct hl_space *shelf,
                       struct hl_buf *out)
{
    hl_show_model(out, shelf->image.into ? find_space(search, shelf->image.from) : shelf);
}

static void show_float(struct hl_buf *out, const char *name, bool is_there, float value)
{
    hl_buf_print(out, ",\"%s\":", name);
    if (is_there)
        hl_encode_float(out, value);
    else
        hl_buf_add_text(out, "null");
}

static void show_scale(const struct hl_score_map *map, struct hl_buf *out)
{
    if (!map->is_affine) {
        hl_buf_add_text(out, "null");
        return;
    }
    hl_buf_add_text(out, "{\"factor\":");
    hl_encode_float(out, map->affine.factor);
    show_float(out, "shift", true, map->affine.shift);
    hl_buf_add_char(out, '}');
}

static void show_leg(const struct hl_search *search, const struct hl_aim_leg *leg,
                     struct hl_buf *out)
{
    const struct hl_leg *plan = leg->plan;

    hl_buf_add_text(out, "{\"space\":");
    hl_show_model(out, leg->space);
    hl_buf_add_text(out, ",\"through\":");
    hl_show_hops(out, hl_look_layout(search->look), plan ? plan->hops : NULL,
                 plan && leg->is_mapped ? plan->n_hops : 0);
    show_float(out, "fidelity", leg->is_mapped, leg->fidelity);
    hl_buf_add_text(out, ",\"without\":[");
    for (size_t i = 0; plan && i < plan->n_without; i++) {
        hl_buf_add_text(out, i > 0 ? "," : "");
        hl_show_model(out, find_space(search, plan->without[i]));
    }
    hl_buf_add_text(out, "],\"shelves\":[");
    for (size_t i = 0; i < leg->n_shelves; i++) {
        hl_buf_add_text(out, i > 0 ? "," : "");
        show_shelf(search, leg->shelves[i], out);
    }
    hl_buf_add_text(out, "],\"scales\":[");
    for (size_t i = 0; i < leg->n_shelves; i++) {
        hl_buf_add_text(out, i > 0 ? "," : "");
        show_scale(&leg->maps[i], out);
    }
    hl_buf_add_text(out, "]}");
}

/* Its points are not found, and somebody should hear why. */
static void show_left(const struct hl_left_leg *left, struct hl_buf *out)
{
    hl_buf_add_text(out, "{\"space\":");
    hl_show_model(out, left->space);
    hl_buf_add_text(out, ",\"example\":");
    hl_show_id(out, &left->example);
    hl_buf_add_text(out, ",\"why\":\"the example has neither a vector of this model nor an "
                         "image in its space\"}");
}

static void show_plan(const struct hl_search *search, const struct hl_aim *aim,
                      struct hl_buf *out)
{
    const struct hl_plans *plans = hl_plans_of(hl_look_layout(search->look));

    hl_buf_print(out, "{\"number\":%" PRIu64 ",\"model\":", plans ? plans->number : 0);
    hl_show_model(out, aim->space);
    hl_buf_add_text(out, ",\"strategy\":");
    if (aim->plan && aim->plan->strategy != HL_SERVING_AUTO)
        hl_buf_print(out, "\"%s\"", hl_serving_name(aim->plan->strategy));
    else
        hl_buf_add_text(out, "null");
    hl_buf_add_text(out, ",\"legs\":[");
    for (size_t i = 0; i < aim->n_legs; i++) {
        hl_buf_add_text(out, i > 0 ? "," : "");
        show_leg(search, &aim->legs[i], out);
    }
    hl_buf_add_text(out, "],\"left_out\":[");
    for (size_t i = 0; i < aim->n_left; i++) {
        hl_buf_add_text(out, i > 0 ? "," : "");
        show_left(&aim->left[i], out);
    }
    hl_buf_add_text(out, "]}");
}

void hl_search_explain(const struct hl_search *search, const struct hl_aim *aim,
                       const struct hl_hits *hits, struct hl_buf *out)
{
    hl_buf_add_text(out, ",\"explain\":{\"plan\":");
    if (aim->n_legs > 0)
        show_plan(search, aim, out);
    else
        hl_buf_add_text(out, "null");
    hl_buf_add_text(out, ",\"hits\":[");
    for (size_t i = 0; aim->n_legs > 0 && i < hits->n; i++) {
        const struct hl_pick *pick = &hits->items[i];

        hl_buf_print(out, "%s{\"leg\":%u", i > 0 ? "," : "", (unsigned)pick->leg);
        show_float(out, "raw", !isnan(pick->raw), pick->raw);
        hl_buf_add_text(out, ",\"shelf\":");
        show_shelf(search, aim->legs[pick->leg].shelves[pick->shelf], out);
        hl_buf_add_char(out, '}');
    }
    hl_buf_add_text(out, "]}");
}
