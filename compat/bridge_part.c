/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/bridge_part.h"

#include <stdio.h>

static const char *const piece_names[HL_N_PIECES] = {
    [HL_PIECE_WEIGHT] = "weight",           [HL_PIECE_BIAS] = "bias",
    [HL_PIECE_DOWN_WEIGHT] = "down.weight", [HL_PIECE_DOWN_BIAS] = "down.bias",
    [HL_PIECE_UP_WEIGHT] = "up.weight",     [HL_PIECE_SLOPE] = "slope",
};

void hl_bridge_name_piece(struct hl_bridge_place place, enum hl_bridge_piece piece,
                          char *name)
{
    snprintf(name, HL_BRIDGE_NAME, "%s%s.%s",
             place.modality == HL_MODALITY_TEXT ? "text." : "",
             place.is_judged ? "judged" : "faithful", piece_names[piece]);
}

float *hl_bridge_piece(struct hl_map *map, enum hl_bridge_piece piece,
                       struct hl_tensor *ret_shape)
{
    struct hl_tensor shape = {.type = HL_DTYPE_F32};
    float *values = NULL;

    if (piece >= HL_PIECE_DOWN_WEIGHT && map->n_hidden == 0)
        return NULL;
    switch (piece) {
    case HL_PIECE_WEIGHT:
        values = map->p;
        shape.n_dims = 2;
        shape.shape[0] = map->dim_out;
        shape.shape[1] = map->dim_in;
        break;
    case HL_PIECE_BIAS:
        values = map->c;
        shape.n_dims = 1;
        shape.shape[0] = map->dim_out;
        break;
    case HL_PIECE_DOWN_WEIGHT:
        values = map->a;
        shape.n_dims = 2;
        shape.shape[0] = map->n_hidden;
        shape.shape[1] = map->dim_in;
        break;
    case HL_PIECE_DOWN_BIAS:
        values = map->a_bias;
        shape.n_dims = 1;
        shape.shape[0] = map->n_hidden;
        break;
    case HL_PIECE_UP_WEIGHT:
        values = map->b;
        shape.n_dims = 2;
        shape.shape[0] = map->dim_out;
        shape.shape[1] = map->n_hidden;
        break;
    case HL_PIECE_SLOPE:
    case HL_N_PIECES:
    default:
        values = &map->slope;
        break;
    }
    *ret_shape = shape;
    return values;
}

const char *hl_bridge_scales(struct hl_bridge *bridge, size_t i,
                             struct hl_scale **ret_scales, size_t *ret_n)
{
    struct hl_bridge_way *image = &bridge->ways[HL_MODALITY_IMAGE];
    struct hl_bridge_way *text = &bridge->ways[HL_MODALITY_TEXT];
    const struct {
        const char *name;
        struct hl_scale *scales;
        size_t n;
    } rows[HL_N_BRIDGE_SCALES] = {
        {"scale.old_items", image->old_items, HL_N_FIDELITIES},
        {"scale.new_items", image->new_items, HL_N_FIDELITIES},
        {"text.scale.old_items", text->old_items, HL_N_FIDELITIES},
        {"text.scale.new_items", text->new_items, HL_N_FIDELITIES},
        {"scale.from_own", &bridge->from_own, 1},
        {"scale.to_own", &bridge->to_own, 1},
        {"scale.to_queries", &bridge->to_queries, 1},
    };

    *ret_scales = rows[i].scales;
    *ret_n = rows[i].n;
    return rows[i].name;
}
