/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/fit.h"
#include "proto/alloc.h"
#include "proto/fail.h"
#include "proto/random.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FROM ((size_t)8)
#define TO   ((size_t)5)
enum {
    N_ROWS = 64,
    N_CLASSES = 4,
    N_LARGE = 2100 /* rows of a head that not all compete */
};

/* Rows of four classes as both models see them, a head of the old one, and a holdout. */
struct scene {
    float x[N_ROWS * FROM], e[N_ROWS * TO];
    int32_t labels[N_ROWS];
    struct hl_rows_memory from, to;
    struct hl_head *head;
    struct hl_exam *exam;
    struct hl_fit fit;
};

static void fill_row(float *row, size_t dim, size_t label, struct hl_random *random)
{
    for (size_t i = 0; i < dim; i++)
        row[i] =
            .3F * (float)hl_random_normal(random) + (i % N_CLASSES == label ? 1.F : 0.F);
}

static struct hl_head *make_head(size_t n_rows)
{
    struct hl_random random = {17};
    struct hl_head *head = NULL;
    struct hl_err err;

    if (hl_head_new(n_rows, TO, true, &head, &err) != HL_OK || !head)
        abort();
    for (size_t row = 0; row < n_rows; row++) {
        fill_row(head->weight + row * TO, TO, row % N_CLASSES, &random);
        head->bias[row] = row < N_CLASSES ? 0 : -4; /* the first are of the classes */
    }
    return head;
}

static struct scene *make_scene(size_t n_head)
{
    struct scene *s = hl_alloc_zeroed(1, sizeof *s);
    struct hl_random random = {11};
    struct hl_err err;

    if (!s)
        abort();
    for (size_t row = 0; row < N_ROWS; row++) {
        s->labels[row] = (int32_t)(row % N_CLASSES);
        fill_row(s->x + row * FROM, FROM, row % N_CLASSES, &random);
        fill_row(s->e + row * TO, TO, row % N_CLASSES, &random);
        for (size_t i = 0; i < TO; i++)
            s->e[row * TO + i] += s->x[row * FROM + i];
    }
    s->from = (struct hl_rows_memory){s->x, FROM};
    s->to = (struct hl_rows_memory){s->e, TO};
    s->head = n_head > 0 ? make_head(n_head) : NULL;
    s->fit = (struct hl_fit){
        .from = "v2",
        .to = "v1",
        .pairs = {.n_rows = N_ROWS,
                  .from = hl_rows_of_memory(&s->from, N_ROWS, "v2"),
                  .to = hl_rows_of_memory(&s->to, N_ROWS, "v1"),
                  .labels = s->labels},
        .head = s->head,
        .n_classes = n_head > N_CLASSES ? n_head : N_CLASSES,
        .kind = HL_KIND_ANCHORED,
        .seed = 1,
    };
    assert_int_equal(hl_exam_load(&s->fit.pairs, N_ROWS, 1, &s->exam, &err), HL_OK);
    return s;
}

static void free_scene(struct scene *s)
{
    hl_head_free(s->head);
    hl_exam_free(s->exam);
    hl_free(s);
}

static struct hl_bridge *learn(const struct scene *s, struct hl_fit_story *story)
{
    struct hl_bridge *bridge = NULL;
    struct hl_err err;
    enum hl_code code = hl_fit_bridge(&s->fit, &bridge, story, &err);

    if (code != HL_OK)
        fail_msg("%s", err.msg);
    return bridge;
}

static size_t count_numbers(const struct hl_map *map)
{
    return map->dim_out * (map->dim_in + 1) +
           map->n_hidden * (map->dim_in + 1 + map->dim_out);
}

static bool is_finite(const struct hl_map *map)
{
    for (size_t i = 0; map && i < count_numbers(map); i++)
        if (!isfinite(map->p[i]))
            return false;
    return true;
}

/* How far apart the numbers of two maps are, at most. */
static double apart(const struct hl_map *a, const struct hl_map *b)
{
    double most = 0;

    assert_int_equal(!a, !b);
    if (!a || !b)
        return 0;
    for (size_t i = 0; i < count_numbers(a); i++)
        most = fmax(most, fabs((double)a->p[i] - (double)b->p[i]));
    return most;
}

static void check_kind(struct scene *s, enum hl_kind kind)
{
    struct hl_fit_story story;
    struct hl_bridge *bridge, *again;
    const struct hl_bridge_way *way, *second;

    s->fit.kind = kind;
    bridge = learn(s, &story);
    again = learn(s, &story);
    way = &bridge->ways[HL_MODALITY_IMAGE];
    second = &again->ways[HL_MODALITY_IMAGE];
    assert_non_null(way->faithful);
    assert_true(is_finite(way->judged) && is_finite(way->faithful));
    assert_true(apart(way->faithful, second->faithful) <= 0);
    assert_true(apart(way->judged, second->judged) <= 0);
    hl_bridge_free(bridge);
    hl_bridge_free(again);
}

static void check_kinds(struct scene *s, bool has_pairs)
{
    static const enum hl_kind kinds[] = {
        HL_KIND_INFLUENCE, HL_KIND_ANCHORED, HL_KIND_RESIDUAL, HL_KIND_PROCRUSTES,
        HL_KIND_RIDGE,     HL_KIND_LOWRANK,  HL_KIND_FAITHFUL, HL_KIND_LSQ};
    bool can_judge = s->fit.head || s->fit.items.n_rows > 0 || s->fit.pairs.labels;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        bool is_judged = kinds[i] <= HL_KIND_RESIDUAL;

        if ((is_judged && !can_judge) ||
            (!has_pairs && !is_judged && kinds[i] != HL_KIND_PROCRUSTES) ||
            (kinds[i] == HL_KIND_LSQ && !s->fit.pairs.labels))
            continue;
        check_kind(s, kinds[i]);
    }
}

static void every_kind_learns_the_same_finite_map_twice(void **state)
{
    static const size_t heads[] = {0, N_CLASSES, 2, N_LARGE};

    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct scene *s = make_scene(heads[i]);

        check_kinds(s, true);
        s->fit.focal = (struct hl_focal){1, 1};
        check_kinds(s, true);
        s->fit.pairs.labels = NULL;
        if (!s->head) /* nobody has an opinion to be held to */
            s->fit.focal = (struct hl_focal){0};
        check_kinds(s, true);
        free_scene(s);
    }
}

static void rows_without_pairs_learn_from_items_or_from_a_head(void **state)
{
    struct scene *s = make_scene(N_CLASSES);

    (void)state;
    s->fit.items =
        (struct hl_lesson){.n_rows = N_ROWS, .to = s->fit.pairs.to, .labels = s->labels};
    s->fit.pairs.to = (struct hl_rows){0};
    check_kinds(s, false);
    s->fit.head = NULL;
    check_kinds(s, false);
    s->fit.head = s->head;
    s->fit.items = (struct hl_lesson){0};
    check_kind(s, HL_KIND_ANCHORED);
    free_scene(s);
}

static void a_large_head_teaches_without_labels(void **state)
{
    struct scene *s = make_scene(N_LARGE);
    struct hl_fit_story story;
    struct hl_bridge *anchored, *procrustes;
    const struct hl_map *map;

    (void)state;
    s->fit.pairs.labels = NULL;
    anchored = learn(s, &story);
    s->fit.kind = HL_KIND_PROCRUSTES;
    procrustes = learn(s, &story);
    map = anchored->ways[HL_MODALITY_IMAGE].judged;
    assert_true(apart(map, procrustes->ways[HL_MODALITY_IMAGE].faithful) > 1e-3);
    hl_bridge_free(anchored);
    hl_bridge_free(procrustes);
    free_scene(s);
}

static void little_memory_makes_nearly_the_same_map(void **state)
{
    struct scene *s = make_scene(N_CLASSES);
    struct hl_fit_story story;
    struct hl_bridge *whole, *part;

    (void)state;
    s->fit.kind = HL_KIND_RIDGE;
    whole = learn(s, &story);
    s->fit.max_bytes = 40 * (FROM + TO) * sizeof(float);
    part = learn(s, &story);
    assert_true(apart(whole->ways[HL_MODALITY_IMAGE].faithful,
                      part->ways[HL_MODALITY_IMAGE].faithful) < 1e-5);
    hl_bridge_free(whole);
    hl_bridge_free(part);
    s->fit.kind = HL_KIND_RESIDUAL;
    check_kind(s, HL_KIND_RESIDUAL);
    free_scene(s);
}

static void assert_refused(const struct scene *s, const char *sentence)
{
    struct hl_bridge *bridge = NULL;
    struct hl_fit_story story;
    struct hl_err err;

    assert_int_equal(hl_fit_bridge(&s->fit, &bridge, &story, &err), HL_INVALID);
    assert_non_null(strstr(err.msg, sentence));
    assert_null(bridge);
}

static void what_nothing_can_be_learnt_from_is_refused(void **state)
{
    struct scene *s = make_scene(N_CLASSES);

    (void)state;
    s->fit.pairs.n_rows = FROM - 1;
    assert_refused(s, "7 rows cannot say where 8 dimensions of \"v2\" lead");
    s->fit.pairs.n_rows = N_ROWS;
    s->labels[5] = N_CLASSES;
    assert_refused(s, "row 5 of \"v2\" has class number 4, there are 4 classes");
    for (size_t row = 0; row < N_ROWS; row++)
        s->labels[row] = 2;
    assert_refused(s, "all rows of \"v2\" are of one class");
    s->fit.pairs.labels = NULL;
    s->x[8 * FROM] = NAN;
    assert_refused(s, "row 8 of \"v2\" holds a number that is not finite");
    for (size_t i = 0; i < N_ROWS * FROM; i++)
        s->x[i] = (float)(i % FROM);
    assert_refused(s, "all vectors of \"v2\" are the same");
    for (size_t i = 0; i < N_ROWS * TO; i++)
        s->e[i] = (float)(i % TO);
    assert_refused(s, "all vectors of \"v1\" are the same");
    free_scene(s);
}

/* ---- cancelling, and running out of memory ---- */

struct patience {
    atomic_bool is_over;
    unsigned left;
};

static void lose_patience(void *self, const char *phase, double progress)
{
    struct patience *patience = self;

    (void)phase;
    assert_true(progress >= 0 && progress <= 1.0001);
    if (patience->left > 0 && --patience->left == 0)
        patience->is_over = true;
}

/* From the tell at which it is cancelled to the end there is none, or hardly any, more. */
static void a_fit_can_be_cancelled_wherever_it_is(void **state)
{
    struct scene *s = make_scene(N_CLASSES);
    enum hl_code code = HL_CANCELLED;
    unsigned told = 0;

    (void)state;
    s->fit.choose = s->exam;
    s->fit.kind = HL_KIND_RESIDUAL;
    for (unsigned at = 1; code == HL_CANCELLED; at += 1 + at / 2) {
        struct patience patience = {.left = at};
        struct hl_deadline deadline = {.at_us = HL_DEADLINE_NEVER,
                                       .cancelled = &patience.is_over};
        struct hl_bridge *bridge = NULL;
        struct hl_fit_story story;
        struct hl_err err;

        s->fit.errand = (struct hl_errand){&deadline, lose_patience, &patience};
        code = hl_fit_bridge(&s->fit, &bridge, &story, &err);
        assert_true(code == HL_CANCELLED || !patience.is_over);
        hl_bridge_free(bridge);
        told = at;
    }
    assert_int_equal(code, HL_OK);
    assert_true(told > 20);
    free_scene(s);
}

static void without_memory_nothing_is_learnt_and_nothing_kept(void **state)
{
    struct scene *s = make_scene(2);
    enum hl_code code = HL_NO_MEMORY;
    unsigned nth = 0;

    (void)state;
    s->fit.choose = s->exam;
    while (code != HL_OK) {
        struct hl_bridge *bridge = NULL;
        struct hl_fit_story story;
        char rule[40];
        struct hl_err err;

        snprintf(rule, sizeof rule, "alloc=%u:fail", ++nth);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_fit_bridge(&s->fit, &bridge, &story, &err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_int_equal(code == HL_OK, bridge != NULL);
        hl_bridge_free(bridge);
    }
    assert_true(nth > 40);
    free_scene(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_learns_the_same_finite_map_twice),
        cmocka_unit_test(rows_without_pairs_learn_from_items_or_from_a_head),
        cmocka_unit_test(a_large_head_teaches_without_labels),
        cmocka_unit_test(little_memory_makes_nearly_the_same_map),
        cmocka_unit_test(what_nothing_can_be_learnt_from_is_refused),
        cmocka_unit_test(a_fit_can_be_cancelled_wherever_it_is),
        cmocka_unit_test(without_memory_nothing_is_learnt_and_nothing_kept),
    };

    return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
