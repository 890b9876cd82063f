/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/bridge.h"

#include "proto/alloc.h"

#include <string.h>

static const char *const kind_names[HL_N_KINDS] = {
#define HL_KIND_NAME(kind, name) name,
    HL_KIND_TABLE(HL_KIND_NAME)
#undef HL_KIND_NAME
};

const char *hl_kind_name(enum hl_kind kind)
{
    return kind_names[kind];
}

bool hl_kind_find(const char *name, size_t len, enum hl_kind *ret_kind)
{
    for (int kind = 0; kind < HL_N_KINDS; kind++) {
        if (strlen(kind_names[kind]) == len && memcmp(kind_names[kind], name, len) == 0) {
            *ret_kind = (enum hl_kind)kind;
            return true;
        }
    }
    return false;
}

static const char *const task_names[] = {"similar", "same"};

const char *hl_task_name(enum hl_task task)
{
    return task_names[task];
}

bool hl_task_find(const char *name, size_t len, enum hl_task *ret_task)
{
    for (int task = HL_TASK_SIMILAR; task <= HL_TASK_SAME; task++) {
        if (strlen(task_names[task]) == len && memcmp(task_names[task], name, len) == 0) {
            *ret_task = (enum hl_task)task;
            return true;
        }
    }
    return false;
}

static const char *const strategy_names[] = {"backward", "dual"};

const char *hl_bridge_strategy_name(enum hl_bridge_strategy strategy)
{
    return strategy_names[strategy];
}

bool hl_bridge_strategy_find(const char *name, size_t len,
                             enum hl_bridge_strategy *ret_strategy)
{
    for (int strategy = HL_BRIDGE_BACKWARD; strategy <= HL_BRIDGE_DUAL; strategy++) {
        if (strlen(strategy_names[strategy]) == len &&
            memcmp(strategy_names[strategy], name, len) == 0) {
            *ret_strategy = (enum hl_bridge_strategy)strategy;
            return true;
        }
    }
    return false;
}

enum hl_code hl_bridge_new(const char *from, const char *to, struct hl_bridge **ret_bridge,
                           struct hl_err *err)
{
    struct hl_bridge *bridge = hl_alloc_zeroed(1, sizeof *bridge);

    if (bridge) {
        bridge->from = hl_strdup(from);
        bridge->to = hl_strdup(to);
    }
    if (!bridge || !bridge->from || !bridge->to) {
        hl_bridge_free(bridge);
        return hl_fail(err, HL_NO_MEMORY, "no memory for a bridge from \"%s\" to \"%s\"",
                       from, to);
    }
    *ret_bridge = bridge;
    return HL_OK;
}

void hl_bridge_free(struct hl_bridge *bridge)
{
    if (!bridge)
        return;
    for (int way = 0; way < HL_N_MODALITIES; way++) {
        hl_map_free(bridge->ways[way].judged);
        hl_map_free(bridge->ways[way].faithful);
    }
    hl_free(bridge->from);
    hl_free(bridge->to);
    hl_free(bridge->report);
    hl_free(bridge);
}

const struct hl_bridge_way *hl_bridge_way(const struct hl_bridge *bridge,
                                          enum hl_modality modality)
{
    const struct hl_bridge_way *own = &bridge->ways[modality];

    return own->faithful ? own : &bridge->ways[HL_MODALITY_IMAGE];
}

static size_t max(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t width_of(const struct hl_map *map)
{
    return map ? map->n_hidden : 0;
}

size_t hl_bridge_room(const struct hl_bridge *bridge, size_t n)
{
    size_t width = 0;

    for (int way = 0; way < HL_N_MODALITIES; way++) {
        width = max(width, width_of(bridge->ways[way].judged));
        width = max(width, width_of(bridge->ways[way].faithful));
    }
    return n * (width + bridge->dim_to);
}

void hl_bridge_queries(const struct hl_bridge_way *way, float fidelity, const float *in,
                       size_t n, float *room, float *out)
{
    size_t dim = way->faithful->dim_out;
    float *hidden = room + n * dim;

    if (!way->judged || fidelity >= 1) {
        hl_map_rows(way->faithful, in, n, hidden, out);
        return;
    }
    hl_map_rows(way->judged, in, n, hidden, out);
    if (fidelity > 0) {
        hl_map_rows(way->faithful, in, n, hidden, room);
        hl_map_blend(out, room, n, dim, fidelity);
    }
}
