/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_BRIDGING_H
#define HL_TESTS_UNIT_BRIDGING_H

/* Bridges between vectors of two numbers that turn them, for tests of what is served
 * through bridges. Include it behind cmocka.h. */
#include "compat/bridge_file.h"

#include <math.h>

struct turning {
    const char *from, *to;
    float degrees; /* of the faithful map */
    float judged;  /* of the judged one, where it is not 0 */
    float text;    /* of the faithful map of texts, where it is not 0 */
    bool has_scales;
    enum hl_bridge_strategy strategy;
};

static inline struct hl_map *turning_map(float degrees)
{
    const float angle = degrees * 3.14159265f / 180;
    struct hl_map *map = NULL;
    struct hl_err err;

    assert_int_equal(hl_map_new(2, 2, 0, &map, &err), HL_OK);
    map->p[0] = map->p[3] = cosf(angle);
    map->p[1] = -sinf(angle);
    map->p[2] = sinf(angle);
    return map;
}

static inline void scale_all(struct hl_scale scales[HL_N_FIDELITIES], float offset)
{
    for (int i = 0; i < HL_N_FIDELITIES; i++)
        scales[i] = (struct hl_scale){2, offset};
}

static inline struct hl_bridge *turning_bridge(const struct turning *turning)
{
    struct hl_bridge *bridge = NULL;
    struct hl_bridge_way *way;
    struct hl_err err;

    assert_int_equal(hl_bridge_new(turning->from, turning->to, &bridge, &err), HL_OK);
    way = &bridge->ways[HL_MODALITY_IMAGE];
    bridge->dim_from = bridge->dim_to = 2;
    bridge->kind = HL_KIND_RIDGE;
    bridge->fidelity = 0.25f;
    bridge->old_weight = 0.5f;
    bridge->strategy = turning->strategy;
    way->faithful = turning_map(turning->degrees);
    if (turning->judged < 0 || turning->judged > 0)
        way->judged = turning_map(turning->judged);
    if (turning->text < 0 || turning->text > 0)
        bridge->ways[HL_MODALITY_TEXT].faithful = turning_map(turning->text);
    if (turning->has_scales) {
        scale_all(way->old_items, -1);
        scale_all(way->new_items, -1);
        bridge->from_own = bridge->to_own = (struct hl_scale){3, -2};
    }
    return bridge;
}

/* The file of one, into `buf`. */
static inline void print_turning(const struct turning *turning, struct hl_buf *buf)
{
    struct hl_bridge *bridge = turning_bridge(turning);
    struct hl_err err;

    assert_int_equal(hl_bridge_print(bridge, buf, &err), HL_OK);
    hl_bridge_free(bridge);
}

/* Where a vector points, in whole degrees from 0 on. */
static inline int degrees_of(const float *values)
{
    const float angle = atan2f(values[1], values[0]) * 180 / 3.14159265f;

    return ((int)lroundf(angle) + 360) % 360;
}

#endif
