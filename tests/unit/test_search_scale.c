/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Models 1 "v1" of cosines, 2 "v2" of distances and 3 "v3"; a bridge from 1 to 2, and
 * another from 3 to 1 of which nothing was measured. */
struct fixture {
    struct hl_space spaces[3];
    struct hl_layout layout;
    struct hl_bridge bridges[2];
    struct hl_way ways[2];
    struct hl_way *both[2];
    struct hl_plans plans;
    struct hl_leg leg;
    struct hl_query query;
    struct hl_aim aim;
    struct hl_aim_leg aim_leg;
    const struct hl_space *shelves[2]; /* own rows, or images of the query's model */
    struct hl_score_map maps[2], map;  /* of the first */
    struct hl_err err;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){
        .spaces = {{.id = 1, .dim = 2, .name = "v1"},
                   {.id = 2, .dim = 2, .name = "v2", .distance = HL_EUCLID},
                   {.id = 3, .dim = 2, .name = "v3"}},
        .layout = {.n_spaces = 3, .spaces = f.spaces, .companion = &f.plans.companion},
        .bridges[0] = {.from_own = {10, -5}, .to_own = {20, -12}},
        .ways = {{.hops = {{1, 2, 1}}, .n_hops = 1, .bridges = {&f.bridges[0]}},
                 {.hops = {{3, 1, 1}}, .n_hops = 1, .bridges = {&f.bridges[1]}}},
        .both = {&f.ways[0], &f.ways[1]},
        .plans = {.ways = f.both, .n_ways = 2},
        .leg = {.space = 2, .way = &f.ways[0]},
        .aim = {.query = &f.query, .space = &f.spaces[0]},
        .aim_leg = {
            .plan = &f.leg, .space = &f.spaces[1], .is_mapped = true, .fidelity = 0.5F}};
    for (size_t i = 0; i < HL_N_FIDELITIES; i++)
        f.bridges[0].ways[HL_MODALITY_IMAGE].old_items[i] =
            (struct hl_scale){16 + (float)i, -8};
    *state = &f;
    return 0;
}

static enum hl_code find_map(struct fixture *f)
{
    enum hl_code code;

    if (!f->shelves[0] || !f->shelves[0]->image.into)
        f->shelves[0] = f->aim_leg.space;
    f->aim_leg.shelves = f->shelves;
    if (f->aim_leg.n_shelves == 0)
        f->aim_leg.n_shelves = 1;
    code = hl_score_maps_find(&f->layout, &f->aim, &f->aim_leg, f->maps, &f->err);
    f->map = f->maps[0];
    return code;
}

static void say_scale(struct fixture *f, const char *name)
{
    f->query.params.score_scale = (struct hl_text){name, strlen(name)};
}

static void assert_shows(const struct fixture *f, double raw, double shown)
{
    assert_float_equal(hl_score_shown(&f->map, (float)raw, 1), shown, 1e-5);
}

static void what_came_through_a_bridge_is_shown_on_the_querys_own_scale(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(find_map(f), HL_OK);
    assert_true(f->map.is_affine && f->map.raw == HL_EUCLID && f->map.shown == HL_COSINE);
    assert_false(hl_score_map_is_linear(&f->map));
    assert_shows(f, 0, (21.0 - 8 + 5) / 10);   /* a cosine of 1 */
    assert_shows(f, sqrt(2), (-8.0 + 5) / 10); /* of 0 */
    assert_shows(f, 2, (-21.0 - 8 + 5) / 10);  /* of -1 */
}

static void images_have_a_scale_of_their_own(void **state)
{
    const struct hl_space images = {.id = 9, .image = {.into = 2, .from = 1}};
    struct fixture *f = *state;

    f->shelves[1] = &images;
    f->aim_leg.n_shelves = 2;
    assert_int_equal(find_map(f),
                     HL_OK); /* by that of old items, where none was measured */
    assert_float_equal(hl_score_shown(&f->maps[1], 0, 1), (21.0 - 8 + 5) / 10, 1e-5);
    for (size_t i = 0; i < HL_N_FIDELITIES; i++)
        f->bridges[0].ways[HL_MODALITY_IMAGE].new_items[i] = (struct hl_scale){41, -28};
    assert_int_equal(find_map(f), HL_OK);
    assert_shows(f, 0, (21.0 - 8 + 5) / 10);
    assert_float_equal(hl_score_shown(&f->maps[1], 0, 1), (41.0 - 28 + 5) / 10, 1e-5);
}

static void or_on_the_one_that_is_named(void **state)
{
    struct fixture *f = *state;

    say_scale(f, "v2");
    assert_int_equal(find_map(f), HL_OK);
    assert_true(f->map.shown == HL_EUCLID);
    assert_shows(f, 2, sqrt(2 - 2 * (-21.0 - 8 + 12) / 20));
    assert_shows(f, 0, 0); /* nothing is nearer than that */
}

static void a_models_own_scores_stay_as_they_are(void **state)
{
    struct fixture *f = *state;

    f->aim_leg.is_mapped = false;
    f->aim_leg.space = &f->spaces[0];
    assert_int_equal(find_map(f), HL_OK);
    assert_false(f->map.is_affine);
    assert_true(hl_score_shown(&f->map, 0.3F, 1) == 0.3F);
    assert_true(hl_score_map_is_linear(&f->map));
    f->query.has_threshold = true;
    say_scale(f, "v1");
    assert_int_equal(find_map(f), HL_OK);
    assert_false(f->map.is_affine);
    say_scale(f, "v2");
    assert_int_equal(find_map(f), HL_OK);
    assert_shows(f, 0.5, sqrt(2 - 2 * (10 * 0.5 - 5 + 12) / 20));
}

static void an_example_that_is_there_itself_has_the_scores_of_that_space(void **state)
{
    struct fixture *f = *state;

    f->aim_leg.is_mapped = false;
    assert_int_equal(find_map(f), HL_OK);
    assert_shows(f, sqrt(2), (-12.0 + 5) / 10);
    say_scale(f, "v2");
    assert_int_equal(find_map(f), HL_OK);
    assert_false(f->map.is_affine);
    assert_true(hl_score_shown(&f->map, 0.3F, 1) == 0.3F);
}

static void what_was_not_measured_is_shown_raw_or_refused(void **state)
{
    struct fixture *f = *state;

    f->leg.way = &f->ways[1];
    f->aim.space = &f->spaces[2];
    f->aim_leg.space = &f->spaces[0];
    assert_int_equal(find_map(f), HL_OK);
    assert_false(f->map.is_affine);
    assert_true(hl_score_shown(&f->map, 0.3F, 1) == 0.3F);
    f->query.has_threshold = true;
    assert_int_equal(find_map(f), HL_WRONG_INPUT);
    assert_string_equal(f->err.msg,
                        "Wrong input: \"score_threshold\" needs scores of \"v3\" in \"v1\" "
                        "on the scale of \"v3\", and that was not measured");
    f->query.has_threshold = false;
    say_scale(f, "v1");
    assert_int_equal(find_map(f), HL_WRONG_INPUT);
    say_scale(f, "v9");
    assert_int_equal(find_map(f), HL_UNKNOWN_VECTOR);
    assert_string_equal(f->err.msg, "Wrong input: Not existing vector name error: v9");
}

static void of_text_only_its_own_measure_counts(void **state)
{
    struct fixture *f = *state;

    f->query.params.is_text = true;
    assert_int_equal(find_map(f), HL_OK);
    assert_false(f->map.is_affine);
    assert_shows(f, sqrt(2), 0); /* a product all the same, as the query's model has */
}

static void a_sum_has_the_shift_of_each_of_its_terms(void **state)
{
    const struct hl_score_map map = {HL_COSINE, HL_DOT, true, {2, 0.5F}};

    (void)state;
    assert_float_equal(hl_score_shown(&map, 0.5F, 3), 2.5, 1e-6);
    assert_float_equal(hl_score_shown(&map, 0.5F, -1), 0.5, 1e-6);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_came_through_a_bridge_is_shown_on_the_querys_own_scale),
        TEST(images_have_a_scale_of_their_own),
        TEST(or_on_the_one_that_is_named),
        TEST(a_models_own_scores_stay_as_they_are),
        TEST(an_example_that_is_there_itself_has_the_scores_of_that_space),
        TEST(what_was_not_measured_is_shown_raw_or_refused),
        TEST(of_text_only_its_own_measure_counts),
        TEST(a_sum_has_the_shift_of_each_of_its_terms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
