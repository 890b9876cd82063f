/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_JUDGED_H
#define HL_TESTS_UNIT_JUDGED_H

/* Photographs on a circle whose every figure can be worked out by hand. For test files that
 * judge; cmocka is included before. */
#include "compat/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Eight photographs on a circle, by degrees. The first four ask. Those of class 0 the old
 * head knows, those of class 7 it does not. The bridge turns new vectors back by 30
 * degrees.
 *
 *                    q0   q1   q2   q3 |  g0   g1   g2   g3
 *     class           0    0    7    7 |   0    7    0    7
 *     old             5   15  104   92 |   0   20   90  110
 *     new, mapped    15    5  104  108 |   1   60   95  111 */
enum { N = 8, HALF = 4, DIM = 2 };

static const double old_degrees[N] = {5, 15, 104, 92, 0, 20, 90, 110};
static const double new_degrees[N] = {15, 5, 104, 108, 1, 60, 95, 111};
static const int32_t classes[N] = {0, 0, 7, 7, 0, 7, 0, 7};

struct fixture {
    float from[N * DIM], to[N * DIM];
    int32_t labels[N];
    uint8_t modalities[N];
    float head_weight[2 * DIM], own_weight[2 * DIM];
    struct hl_head head, own_head;
    struct hl_exam exam;
    struct hl_bridge *bridge, *then;
    struct hl_report_task task;
    struct hl_report *report;
    struct hl_err err;
};

static inline void put(float *rows, size_t row, double degrees)
{
    rows[DIM * row] = (float)cos(degrees * M_PI / 180);
    rows[DIM * row + 1] = (float)sin(degrees * M_PI / 180);
}

static inline struct hl_map *turning(double degrees)
{
    struct hl_map *map = NULL;
    struct hl_err err;

    if (hl_map_new(DIM, DIM, 0, &map, &err) != HL_OK)
        abort();
    put(map->p, 0, -degrees); /* (cos, -sin), (sin, cos) */
    put(map->p, 1, 90 - degrees);
    return map;
}

static inline struct hl_bridge *bridge_of(double judged, double faithful)
{
    struct hl_bridge *bridge = NULL;
    struct hl_err err;

    if (hl_bridge_new("v2", "v1", &bridge, &err) != HL_OK)
        abort();
    bridge->dim_from = bridge->dim_to = DIM;
    bridge->ways[HL_MODALITY_IMAGE].judged = turning(judged);
    bridge->ways[HL_MODALITY_IMAGE].faithful = turning(faithful);
    return bridge;
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (!f)
        return -1;
    for (size_t row = 0; row < N; row++) {
        put(f->to, row, old_degrees[row]);
        put(f->from, row, new_degrees[row] + 30);
    }
    memcpy(f->labels, classes, sizeof classes);
    put(f->head_weight, 0, 10);
    put(f->head_weight, 1, 60);
    put(f->own_weight, 0, 100 + 30);
    put(f->own_weight, 1, 10 + 30);
    f->head = (struct hl_head){.n_rows = 2, .dim = DIM, .weight = f->head_weight};
    f->own_head = (struct hl_head){.n_rows = 2, .dim = DIM, .weight = f->own_weight};
    f->exam = (struct hl_exam){.n_rows = N,
                               .n_queries = HALF,
                               .n_ranked = HALF,
                               .dim_from = DIM,
                               .dim_to = DIM,
                               .from = f->from,
                               .to = f->to,
                               .labels = f->labels,
                               .modalities = f->modalities};
    f->bridge = bridge_of(-30, -30);
    f->task = (struct hl_report_task){.exam = &f->exam, .bridge = f->bridge};
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_report_free(f->report);
    hl_bridge_free(f->bridge);
    hl_bridge_free(f->then);
    free(f);
    return 0;
}

static inline const struct hl_report_group *make(struct fixture *f)
{
    hl_report_free(f->report);
    f->report = NULL;
    assert_int_equal(hl_report_make(&f->task, &f->report, &f->err), HL_OK);
    if (!f->report)
        abort();
    return f->report->groups;
}

static inline void assert_refused(struct fixture *f, const char *sentence)
{
    assert_int_equal(hl_report_make(&f->task, &f->report, &f->err), HL_INVALID);
    assert_string_equal(f->err.msg, sentence);
    assert_null(f->report);
}

static inline void assert_figure(struct hl_figure figure, double value, uint64_t of)
{
    if (!(fabs(figure.value - value) < 1e-9) || figure.of != of)
        fail_msg("%.12f of %lu, wanted %.12f of %lu", figure.value,
                 (unsigned long)figure.of, value, (unsigned long)of);
}

static inline void assert_retrieval(struct hl_retrieval retrieval, double top1, double map,
                                    uint64_t of)
{
    assert_figure(retrieval.top1, top1, of);
    assert_figure(retrieval.map, map, of);
    assert_figure(retrieval.recall10, 1, of);
}

/* A query finds its two at places 1 and 3, or at 2 and 3. */
static const double GOOD = (1.0 + 2.0 / 3) / 2, BAD = (1.0 / 2 + 2.0 / 3) / 2;

#endif
