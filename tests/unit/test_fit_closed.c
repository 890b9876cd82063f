/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/fit_part.h"
#include "compat/linalg.h"
#include "proto/alloc.h"
#include "proto/fail.h"
#include "proto/random.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FROM = 6, TO = 4, MOST = 5000 };

static const struct hl_errand errand = {0};
static struct hl_fit_pace pace = {.errand = &errand, .phase = "testing", .share = 1};

/* Rows of both models, statistics of them. */
struct scene {
    float *x, *e;
    struct hl_rows_memory from, to;
    struct hl_lesson lesson;
    struct hl_fit_data data;
    struct hl_fit_stats stats;
};

static struct scene *make_scene(size_t n_rows)
{
    struct scene *s = hl_alloc_zeroed(1, sizeof *s);

    if (!s)
        abort();
    s->x = hl_alloc_zeroed(n_rows, FROM * sizeof(float));
    s->e = hl_alloc_zeroed(n_rows, TO * sizeof(float));
    if (!s->x || !s->e)
        abort();
    s->from = (struct hl_rows_memory){s->x, FROM};
    s->to = (struct hl_rows_memory){s->e, TO};
    s->lesson = (struct hl_lesson){.n_rows = n_rows,
                                   .from = hl_rows_of_memory(&s->from, n_rows, "new"),
                                   .to = hl_rows_of_memory(&s->to, n_rows, "old")};
    return s;
}

static void free_scene(struct scene *s)
{
    hl_fit_stats_done(&s->stats);
    hl_fit_data_done(&s->data);
    hl_free(s->x);
    hl_free(s->e);
    hl_free(s);
}

static enum hl_code measure(struct scene *s, size_t max_bytes, struct hl_err *err)
{
    enum hl_code code = hl_fit_data_init(&s->data, &s->lesson, max_bytes, &pace, err);

    return code == HL_OK ? hl_fit_stats_take(&s->data, TO, NULL, &s->stats, err) : code;
}

/* x is random; e its first four numbers, turned into one another, so that both are unit
 * vectors: the last two of x are nothing. */
static struct scene *make_turned(size_t n_rows)
{
    static const size_t to_from[TO] = {2, 0, 3, 1};
    struct scene *s = make_scene(n_rows);
    struct hl_random random = {3};
    struct hl_err err;

    for (size_t row = 0; row < n_rows; row++)
        for (size_t i = 0; i < TO; i++)
            s->x[row * FROM + i] = (float)hl_random_normal(&random) + (i == 0 ? 1.F : 0.F);
    hl_linalg_normalise(s->x, n_rows, FROM, NULL);
    for (size_t row = 0; row < n_rows; row++)
        for (size_t i = 0; i < TO; i++)
            s->e[row * TO + i] = s->x[row * FROM + to_from[i]];
    assert_int_equal(measure(s, (size_t)1 << 30, &err), HL_OK);
    return s;
}

/* How far the map's images are from where they should be, at most. */
static double error_of(const struct scene *s, const struct hl_map *map)
{
    double most = 0;

    for (size_t row = 0; row < s->lesson.n_rows; row++) {
        float out[TO];

        hl_map_rows(map, s->x + row * FROM, 1, NULL, out);
        for (size_t i = 0; i < TO; i++) {
            double apart = fabs((double)out[i] - (double)s->e[row * TO + i]);

            most = apart > most || isnan(apart) ? apart : most;
        }
    }
    return most;
}

static void a_turn_is_found_by_every_closed_form(void **state)
{
    struct scene *s = make_turned(1000);
    struct hl_map *map = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_fit_procrustes(&s->stats, &map, &err), HL_OK);
    assert_true(error_of(s, map) < 1e-5);
    hl_map_free(map);
    assert_int_equal(hl_fit_ridge(&s->stats, 1e-9, &map, &err), HL_OK);
    assert_true(error_of(s, map) < 1e-3);
    hl_map_free(map);
    assert_int_equal(hl_fit_lowrank(&s->stats, TO, &map, &err), HL_OK);
    assert_true(error_of(s, map) < 1e-2);
    hl_map_free(map);
    free_scene(s);
}

static void a_lower_rank_says_less(void **state)
{
    struct scene *s = make_turned(1000);
    double before = 0;

    (void)state;
    for (size_t rank = TO; rank > 0; rank--) {
        struct hl_map *map = NULL;
        struct hl_err err;

        assert_int_equal(hl_fit_lowrank(&s->stats, rank, &map, &err), HL_OK);
        assert_true(error_of(s, map) > before);
        before = error_of(s, map);
        hl_map_free(map);
    }
    free_scene(s);
}

static void fewer_rows_than_dimensions_give_finite_maps(void **state)
{
    struct scene *s = make_turned(3);
    struct hl_map *map = NULL;
    double *l = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_fit_factor(&s->stats, 1e-3, &l, &err), HL_OK);
    hl_free(l);
    assert_int_equal(hl_fit_procrustes(&s->stats, &map, &err), HL_OK);
    assert_true(error_of(s, map) < .1);
    hl_map_free(map);
    assert_int_equal(hl_fit_ridge(&s->stats, 1e-4, &map, &err), HL_OK);
    assert_true(error_of(s, map) < .01);
    hl_map_free(map);
    free_scene(s);
}

static void rows_that_are_all_the_same_have_no_spread(void **state)
{
    struct scene *s = make_scene(MOST);
    struct hl_err err;

    (void)state;
    for (size_t row = 0; row < MOST; row++) {
        for (size_t i = 0; i < FROM; i++)
            s->x[row * FROM + i] = .1F + (float)i;
        for (size_t i = 0; i < TO; i++)
            s->e[row * TO + i] = .7F - (float)i;
    }
    assert_int_equal(measure(s, (size_t)1 << 30, &err), HL_OK);
    assert_true(fabs(s->stats.spread_x) < 1e-12);
    assert_true(fabs(s->stats.spread_t) < 1e-12);
    free_scene(s);
}

static void rows_read_in_blocks_add_up_to_the_same(void **state)
{
    struct scene *whole = make_turned(MOST), *part = make_turned(MOST);
    size_t n = FROM + TO + FROM * FROM + TO * FROM;
    struct hl_err err;

    (void)state;
    hl_fit_stats_done(&part->stats);
    hl_fit_data_done(&part->data);
    assert_int_equal(measure(part, 1000, &err), HL_OK);
    assert_true(whole->data.is_whole);
    assert_false(part->data.is_whole);
    for (size_t i = 0; i < n; i++)
        assert_true(fabs(whole->stats.mean_x[i] - part->stats.mean_x[i]) < 1e-15);
    free_scene(whole);
    free_scene(part);
}

static void a_row_without_direction_is_refused_with_its_number(void **state)
{
    static const struct {
        float value;
        const char *sentence;
    } cases[] = {
        {0, "row 4321 of \"old\" is all zeros: a vector needs a direction"},
        {NAN, "row 4321 of \"old\" holds a number that is not finite or too large: a "
              "vector needs a direction"},
        {INFINITY, "row 4321 of \"old\" holds a number that is not finite or too large: a "
                   "vector needs a direction"},
        {3e30F, "row 4321 of \"old\" holds a number that is not finite or too large: a "
                "vector needs a direction"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene *s = make_turned(MOST);
        struct hl_err err;

        hl_fit_stats_done(&s->stats);
        hl_fit_data_done(&s->data);
        for (size_t at = 0; at < TO; at++)
            s->e[(size_t)4321 * TO + at] = cases[i].value;
        assert_int_equal(measure(s, (size_t)1 << 30, &err), HL_INVALID);
        assert_string_equal(err.msg, cases[i].sentence);
        free_scene(s);
    }
}

static void a_picked_row_is_named_as_who_sent_it_numbers_it(void **state)
{
    static const float values[] = {1, 1, 2, 2, 3, 3, 0, 0, 5, 5};
    static const uint32_t numbers[] = {0, 2, 3, 4}, again[] = {1, 2};
    const struct hl_rows_memory memory = {values, 2};
    const struct hl_rows all = hl_rows_of_memory(&memory, 5, "photos");
    const struct hl_rows_pick pick = {&all, numbers};
    const struct hl_rows some = hl_rows_of_pick(&pick, 4);
    const struct hl_rows_pick deeper = {&some, again};
    const struct hl_rows few = hl_rows_of_pick(&deeper, 2);
    float read[8];
    struct hl_err err;

    (void)state;
    assert_int_equal(some.read(some.self, 1, 3, read, &err), HL_OK);
    assert_true(fabsf(read[0] - 3) < 1e-6F);
    assert_true(fabsf(read[2]) < 1e-6F);
    assert_true(fabsf(read[4] - 5) < 1e-6F);
    assert_int_equal(hl_rows_read_unit(&few, 0, 2, read, &err), HL_INVALID);
    assert_string_equal(err.msg,
                        "row 3 of \"photos\" is all zeros: a vector needs a direction");
}

static void a_cancelled_fit_reads_no_more(void **state)
{
    const atomic_bool is_cancelled = true;
    const struct hl_deadline over = {.at_us = HL_DEADLINE_NEVER,
                                     .cancelled = &is_cancelled};
    const struct hl_errand late = {.deadline = &over};
    struct hl_fit_pace hurried = {.errand = &late, .phase = "reading", .share = 1};
    struct scene *s = make_scene(10);
    struct hl_err err;

    (void)state;
    assert_int_equal(
        hl_fit_data_init(&s->data, &s->lesson, (size_t)1 << 30, &hurried, &err),
        HL_CANCELLED);
    assert_int_equal(hl_fit_data_init(&s->data, &s->lesson, 100, &hurried, &err), HL_OK);
    assert_int_equal(hl_fit_stats_take(&s->data, TO, NULL, &s->stats, &err), HL_CANCELLED);
    free_scene(s);
}

/* What a fit does up to its maps, with every allocation failing in turn. */
static enum hl_code go_through(struct scene *s, struct hl_err *err)
{
    struct hl_map *maps[3] = {NULL};
    enum hl_code code = measure(s, (size_t)1 << 30, err);

    if (code == HL_OK)
        code = hl_fit_procrustes(&s->stats, &maps[0], err);
    if (code == HL_OK)
        code = hl_fit_ridge(&s->stats, 1e-3, &maps[1], err);
    if (code == HL_OK)
        code = hl_fit_lowrank(&s->stats, 2, &maps[2], err);
    for (size_t i = 0; i < 3; i++)
        hl_map_free(maps[i]);
    return code;
}

static void without_memory_nothing_is_kept(void **state)
{
    enum hl_code code = HL_NO_MEMORY;
    unsigned nth = 0;

    (void)state;
    while (code != HL_OK) {
        struct scene *s = make_turned(20);
        char rule[40];
        struct hl_err err;

        hl_fit_stats_done(&s->stats);
        hl_fit_data_done(&s->data);
        snprintf(rule, sizeof rule, "alloc=%u:fail", ++nth);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = go_through(s, &err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        free_scene(s);
    }
    assert_true(nth > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_is_found_by_every_closed_form),
        cmocka_unit_test(a_lower_rank_says_less),
        cmocka_unit_test(fewer_rows_than_dimensions_give_finite_maps),
        cmocka_unit_test(rows_that_are_all_the_same_have_no_spread),
        cmocka_unit_test(rows_read_in_blocks_add_up_to_the_same),
        cmocka_unit_test(a_row_without_direction_is_refused_with_its_number),
        cmocka_unit_test(a_picked_row_is_named_as_who_sent_it_numbers_it),
        cmocka_unit_test(a_cancelled_fit_reads_no_more),
        cmocka_unit_test(without_memory_nothing_is_kept),
    };

    return cmocka_run_group_tests_name("fit_closed", tests, NULL, NULL);
}
