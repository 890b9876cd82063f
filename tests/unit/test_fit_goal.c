/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/fit_part.h"
#include "compat/linalg.h"
#include "proto/alloc.h"
#include "proto/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIM ((size_t)5)
enum { N = 3, N_CLASSES = 300 };

/* Three rows before a head. */
struct scene {
    struct hl_fit_head head;
    struct hl_map *anchor;
    float x[N * DIM], e[N * DIM], u[N * DIM];
    int32_t labels[N];
    uint32_t hard[N * HL_GOAL_HARD];
    struct hl_fit_block block;
    struct hl_goal goal;
};

static void fill(float *values, size_t n, struct hl_random *random)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (float)hl_random_normal(random);
}

static struct scene *make_scene(size_t n_rows, size_t n_known)
{
    struct scene *s = hl_alloc_zeroed(1, sizeof *s);
    struct hl_random random = {5};
    struct hl_err err;

    if (!s || hl_map_new(DIM, DIM, 0, &s->anchor, &err) != HL_OK)
        abort();
    fill(s->anchor->p, DIM * DIM, &random);
    s->head = (struct hl_fit_head){
        .n_rows = n_rows, .n_known = n_known, .dim = DIM, .n_classes = N_CLASSES};
    s->head.weight = hl_alloc_zeroed(n_rows, DIM * sizeof(float));
    s->head.bias = hl_alloc_zeroed(n_rows, sizeof(float));
    s->head.row_of = hl_alloc_zeroed(N_CLASSES, sizeof(int32_t));
    if (!s->head.weight || !s->head.bias || !s->head.row_of)
        abort();
    fill(s->head.weight, n_rows * DIM, &random);
    fill(s->head.bias, n_rows, &random);
    for (size_t i = 0; i < N_CLASSES; i++)
        s->head.row_of[i] = i < n_rows ? (int32_t)i : -1;
    fill(s->x, sizeof s->x / sizeof *s->x, &random);
    fill(s->e, sizeof s->e / sizeof *s->e, &random);
    fill(s->u, sizeof s->u / sizeof *s->u, &random);
    hl_linalg_normalise(s->x, N, DIM, NULL);
    hl_linalg_normalise(s->e, N, DIM, NULL);
    for (size_t i = 0; i < N; i++)
        s->labels[i] = (int32_t)i - 1; /* the first is not known */
    for (size_t i = 0; i < N * (size_t)HL_GOAL_HARD; i++)
        s->hard[i] = (uint32_t)(i % HL_GOAL_HARD);
    s->block = (struct hl_fit_block){.n = N, .x = s->x, .e = s->e, .labels = s->labels};
    s->goal = (struct hl_goal){.dim = DIM, .head = &s->head, .tau = .7F};
    return s;
}

static void free_scene(struct scene *s)
{
    hl_map_free(s->anchor);
    hl_fit_head_done(&s->head);
    hl_free(s);
}

static double value_of(struct scene *s, float *gradient)
{
    struct hl_goal_room room;
    struct hl_err err;
    double value;

    assert_int_equal(hl_goal_room_init(&room, &s->goal, N, &err), HL_OK);
    value = hl_goal_block(&s->goal, &s->block, NULL, s->u, gradient, &room);
    hl_goal_room_done(&room);
    return value;
}

/* The gradient is what small steps find, and there is something to find. */
static void assert_slopes(struct scene *s)
{
    float gradient[N * DIM], unused[N * DIM];
    const float step = .02F;
    double size = 0;

    assert_true(isfinite(value_of(s, gradient)));
    for (size_t i = 0; i < N * DIM; i++) {
        float u = s->u[i];
        double above, below, slope;

        s->u[i] = u + step;
        above = value_of(s, unused);
        s->u[i] = u - step;
        below = value_of(s, unused);
        s->u[i] = u;
        slope = (above - below) / (2 * (double)step);
        assert_true(fabs(slope - (double)gradient[i]) < 2e-3 * (1 + fabs(slope)));
        size += fabs(slope);
    }
    assert_true(size > .1);
}

static void labels_pull_towards_their_rows(void **state)
{
    struct scene *s = make_scene(7, 4);

    (void)state;
    assert_slopes(s);
    s->goal.is_known_only = true;
    assert_slopes(s);
    free_scene(s);
}

static void without_labels_the_old_heads_opinion_pulls(void **state)
{
    struct scene *s = make_scene(7, 7);

    (void)state;
    s->block.labels = NULL;
    assert_slopes(s);
    free_scene(s);
}

static void anchors_and_pairs_pull_too(void **state)
{
    struct scene *s = make_scene(7, 7);

    (void)state;
    s->goal.head = NULL;
    s->goal.anchor = s->anchor;
    s->goal.anchor_weight = 2;
    assert_slopes(s);
    s->goal.anchor_weight = 0;
    s->goal.pair_weight = 3;
    assert_slopes(s);
    free_scene(s);
}

static void focal_distillation_holds_on_to_the_old_logits(void **state)
{
    struct scene *s = make_scene(7, 4);

    (void)state;
    s->goal.tau = 0; /* that alone */
    s->goal.focal = (struct hl_focal){1, 2};
    assert_slopes(s);
    s->block.labels = NULL;
    assert_slopes(s);
    free_scene(s);
}

static void focal_distillation_asks_a_learnt_head_where_no_other_came(void **state)
{
    struct scene *s = make_scene(7, 0);

    (void)state;
    s->goal.tau = 0;
    s->goal.focal = (struct hl_focal){1, 2};
    assert_slopes(s);
    free_scene(s);
}

static void before_a_large_head_the_hardest_rows_alone_compete(void **state)
{
    struct scene *s = make_scene(N_CLASSES, N_CLASSES - 100);

    (void)state;
    s->goal.hard = s->hard;
    assert_slopes(s);
    s->goal.is_known_only = true;
    assert_slopes(s);
    free_scene(s);
}

static void without_labels_a_large_head_has_an_opinion_too(void **state)
{
    struct scene *s = make_scene(N_CLASSES, N_CLASSES);

    (void)state;
    s->goal.hard = s->hard;
    s->block.labels = NULL;
    assert_slopes(s);
    free_scene(s);
}

static void focal_distillation_of_a_large_head_is_over_its_hardest_rows(void **state)
{
    struct scene *s = make_scene(N_CLASSES, N_CLASSES);

    (void)state;
    s->goal.hard = s->hard;
    s->goal.focal = (struct hl_focal){1, 2};
    assert_slopes(s);
    free_scene(s);
}

/* 256 of 256 rows are all of them. */
static void all_rows_being_hard_is_as_all_competing(void **state)
{
    struct scene *s = make_scene(HL_GOAL_HARD, HL_GOAL_HARD);
    float dense[N * DIM], hard[N * DIM];
    double value;

    (void)state;
    s->goal.focal = (struct hl_focal){1, 2};
    value = value_of(s, dense);
    s->goal.hard = s->hard;
    assert_true(fabs(value_of(s, hard) - value) < 1e-4 * fabs(value));
    for (size_t i = 0; i < N * DIM; i++)
        assert_true(fabsf(dense[i] - hard[i]) < 1e-4F);
    free_scene(s);
}

static void a_vector_of_no_length_has_no_slope(void **state)
{
    float gradient[] = {1, 2, 3, 4}, u[] = {0, 0, 1, 0}, norms[] = {0, 2};

    (void)state;
    hl_goal_through_length(gradient, u, norms, 2, 2);
    assert_true(gradient[0] >= 0 && gradient[0] <= 0);
    assert_true(gradient[1] >= 0 && gradient[1] <= 0);
    assert_true(fabsf(gradient[2]) < 1e-6F);
    assert_true(fabsf(gradient[3] - 2) < 1e-6F);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_pull_towards_their_rows),
        cmocka_unit_test(without_labels_the_old_heads_opinion_pulls),
        cmocka_unit_test(anchors_and_pairs_pull_too),
        cmocka_unit_test(focal_distillation_holds_on_to_the_old_logits),
        cmocka_unit_test(focal_distillation_asks_a_learnt_head_where_no_other_came),
        cmocka_unit_test(before_a_large_head_the_hardest_rows_alone_compete),
        cmocka_unit_test(without_labels_a_large_head_has_an_opinion_too),
        cmocka_unit_test(focal_distillation_of_a_large_head_is_over_its_hardest_rows),
        cmocka_unit_test(all_rows_being_hard_is_as_all_competing),
        cmocka_unit_test(a_vector_of_no_length_has_no_slope),
    };

    return cmocka_run_group_tests_name("fit_goal", tests, NULL, NULL);
}
