/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_CIRCLE_H
#define HL_TESTS_UNIT_CIRCLE_H

/* Four queries and their four items at 0, 90, 180 and 270 degrees in the old space, each of
 * a class of its own. In the new space a photograph has a 1 in a place of its own, so that
 * a map is a list of where each goes. Include it behind cmocka.h. */
#include "compat/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 8, HALF = 4, DIM = 2 };

struct fixture {
    float from[N * N], to[N * DIM];
    int32_t labels[N];
    uint8_t modalities[N];
    struct hl_exam exam;
    struct hl_bridge *bridge;
    struct hl_report_task task;
    struct hl_err err;
};

static inline double place_of(size_t row)
{
    return 90.0 * (double)(row % HALF);
}

static inline void send_to(struct hl_map *map, size_t row, double degrees)
{
    map->p[row] = (float)cos(degrees * M_PI / 180);
    map->p[N + row] = (float)sin(degrees * M_PI / 180);
}

/* A map that leads everything as far from its place. */
static inline struct hl_map *send_all(double astray)
{
    struct hl_map *map = NULL;
    struct hl_err err;

    if (hl_map_new(N, DIM, 0, &map, &err) != HL_OK)
        abort();
    for (size_t row = 0; row < N; row++)
        send_to(map, row, place_of(row) + astray);
    return map;
}

/* Without maps. */
static inline struct hl_bridge *new_bridge(void)
{
    struct hl_bridge *bridge = NULL;
    struct hl_err err;

    if (hl_bridge_new("v2", "v1", &bridge, &err) != HL_OK)
        abort();
    bridge->dim_from = N;
    bridge->dim_to = DIM;
    return bridge;
}

/* The bridge is its own from now on. */
static inline struct fixture *new_fixture(struct hl_bridge *bridge)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        abort();
    for (size_t row = 0; row < N; row++) {
        f->from[N * row + row] = 1;
        f->to[DIM * row] = (float)cos(place_of(row) * M_PI / 180);
        f->to[DIM * row + 1] = (float)sin(place_of(row) * M_PI / 180);
        f->labels[row] = (int32_t)(row % HALF);
    }
    f->exam = (struct hl_exam){.n_rows = N,
                               .n_queries = HALF,
                               .n_ranked = HALF,
                               .dim_from = N,
                               .dim_to = DIM,
                               .from = f->from,
                               .to = f->to,
                               .labels = f->labels,
                               .modalities = f->modalities};
    f->bridge = bridge;
    f->task = (struct hl_report_task){.exam = &f->exam};
    return f;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_bridge_free(f->bridge);
    free(f);
    return 0;
}

#endif
