/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

#include "proto/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/fake_look.h"

/* Points on a quarter of a circle, point i at i degrees: 0 to 39 are seen by the model "v"
 * alone, 40 to 59 by "w" too, 60 to 89 by "w" alone, which sees everything 90 degrees
 * further on. The bridge from "w" to "v" turns back. */
enum { OLD = 1, NEW = 3, IMAGES = 4, BOTH_FROM = 40, NEW_FROM = 60, N_POINTS = 90 };

struct fixture {
    struct hl_collection collection;
    struct hl_search search;
    struct hl_request request;
    struct hl_deadline deadline;
    struct hl_bridge *bridge;
    struct hl_applier *applier;
    struct hl_way way;
    struct hl_way *ways[1];
    struct hl_leg legs[6];
    struct hl_plan_cases models[2];
    struct hl_plans plans;
    const struct hl_filter *filters[1];
    struct hl_aim aim;
    struct hl_hits hits;
    char body[512], text[512];
    struct hl_err err;
};

static int64_t frozen(void *self)
{
    (void)self;
    return 1000000;
}
static const struct hl_clock still = {frozen, NULL};

static void put_at(float values[2], double degrees)
{
    const double angle = degrees * acos(-1) / 180;

    values[0] = (float)cos(angle);
    values[1] = (float)sin(angle);
}

static void make_way(struct fixture *f)
{
    const struct hl_applier_plan plan = {.modality = HL_MODALITY_IMAGE};
    struct hl_applier_plan with = plan;
    struct hl_bridge_way *way;

    assert_int_equal(hl_bridge_new("w", "v", &f->bridge, &f->err), HL_OK);
    f->bridge->dim_from = f->bridge->dim_to = 2;
    f->bridge->fidelity = 1;
    f->bridge->from_own = (struct hl_scale){10, -5};
    f->bridge->to_own = (struct hl_scale){20, -12};
    way = &f->bridge->ways[HL_MODALITY_IMAGE];
    for (size_t i = 0; i < HL_N_FIDELITIES; i++)
        way->old_items[i] = (struct hl_scale){16, -8};
    assert_int_equal(hl_map_new(2, 2, 0, &way->faithful, &f->err), HL_OK);
    way->faithful->p[1] = 1;
    way->faithful->p[2] = -1;
    with.bridge = f->bridge;
    assert_int_equal(hl_applier_new(&with, &f->applier, &f->err), HL_OK);
    f->way = (struct hl_way){.hops = {{NEW, OLD, 1}},
                             .n_hops = 1,
                             .dim_in = 2,
                             .dim_out = 2,
                             .bridges = {f->bridge},
                             .appliers = {f->applier, f->applier},
                             .old_weight = 0.5F};
    f->ways[0] = &f->way;
}

static const uint32_t images[] = {IMAGES}, new_ones[] = {NEW};

static void serve(struct fixture *f, enum hl_serving strategy)
{
    const struct hl_leg far = {.space = OLD,
                               .way = &f->way,
                               .hops = {{NEW, OLD, 1}},
                               .n_hops = 1,
                               .fidelity = -1,
                               .has_own = true,
                               .images = images,
                               .n_images = 1};
    struct hl_leg rest = far;

    rest.n_images = 0;
    rest.without = new_ones;
    rest.n_without = 1;
    f->legs[0] = (struct hl_leg){.space = NEW, .has_own = true};
    f->legs[1] = rest;
    f->legs[2] = far;
    f->legs[3] =
        (struct hl_leg){.space = OLD, .has_own = true, .images = images, .n_images = 1};
    for (size_t i = 0; i < HL_N_PLAN_CASES; i++) {
        f->models[0].of[i] = (struct hl_plan){OLD, HL_SERVING_AUTO, &f->legs[3], 1};
        f->models[1].of[i] = (struct hl_plan){NEW, strategy, &f->legs[2], 1};
    }
    f->models[1].of[HL_PLAN_ALL] = (struct hl_plan){NEW, strategy, &f->legs[0], 1};
    if (strategy == HL_SERVING_DUAL)
        f->models[1].of[HL_PLAN_SOME] = (struct hl_plan){NEW, strategy, &f->legs[0], 2};
    f->plans = (struct hl_plans){
        .number = 3, .models = f->models, .n_models = 2, .ways = f->ways, .n_ways = 1};
    f->collection.layout.companion = &f->plans.companion;
}

static void make_points(struct hl_collection *c)
{
    c->n_points = N_POINTS;
    for (uint32_t i = 0; i < N_POINTS; i++) {
        struct fake_point *point = &c->points[i];

        *point = (struct fake_point){.id = hl_id_number(i),
                                     .has_values = i < NEW_FROM,
                                     .has_others = {i >= BOTH_FROM, i >= NEW_FROM}};
        put_at(point->values, i);
        put_at(point->others[0], i + 90);
        put_at(point->others[1], i);
    }
}

static int set_up(void **state)
{
    struct fixture *f = hl_alloc_zeroed(1, sizeof *f);
    struct hl_collection *c = &f->collection;

    c->name = "c";
    c->spaces[0] = (struct hl_space){.id = OLD, .dim = 2, .name = "v"};
    c->spaces[1] = (struct hl_space){.id = 2, .name = "s", .distance = HL_DOT};
    c->spaces[2] = (struct hl_space){.id = NEW, .dim = 2, .name = "w"};
    c->spaces[3] = (struct hl_space){
        .id = IMAGES, .dim = 2, .name = "", .image = {OLD, NEW, 1, 1, true, NULL}};
    c->layout = (struct hl_layout){.n_spaces = 3, .n_images = 1, .spaces = c->spaces};
    make_points(c);
    make_way(f);
    serve(f, HL_SERVING_BACKWARD);
    f->deadline = (struct hl_deadline){.clock = &still, .at_us = HL_DEADLINE_NEVER};
    f->request.arena = hl_arena_new(8 << 20);
    f->request.content_type = "application/json";
    f->search = (struct hl_search){.arena = f->request.arena,
                                   .scratch_bytes = 8 << 20,
                                   .deadline = &f->deadline,
                                   .clock = still,
                                   .collection = c};
    *state = f;
    return f->request.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_look_close(f->search.look);
    hl_arena_free(f->request.arena);
    hl_applier_free(f->applier);
    hl_bridge_free(f->bridge);
    hl_free(f);
    return 0;
}

/* ---- one query ---- */

static enum hl_code take(struct fixture *f)
{
    const struct hl_search_call call = {HL_FORM_QUERY, false, false};
    const struct hl_look_wish wish = {.filters = f->filters, .n_filters = 1};
    enum hl_code code;

    f->request.body = (struct hl_span){f->body, strlen(f->body)};
    f->request.arena = f->search.arena;
    code = hl_search_decode(&f->request, &call, &f->search.queries, &f->err);
    if (code != HL_OK)
        return code;
    f->filters[0] = f->search.queries.items[0].filter;
    hl_look_close(f->search.look);
    f->search.look = NULL;
    code = hl_look_open(&f->collection, &wish, &f->search.look, &f->err);
    return code == HL_OK ? hl_aim_take(&f->search, 0, &f->aim, &f->err) : code;
}

static enum hl_code answer(struct fixture *f)
{
    enum hl_code code = take(f);

    return code == HL_OK
               ? hl_aim_find(&f->search, &f->aim, f->search.queries.items[0].limit,
                             f->search.arena, &f->hits, &f->err)
               : code;
}

/* The numbers of the hits, or the sentence. */
static const char *found(struct fixture *f)
{
    size_t len = 0;

    if (answer(f) != HL_OK)
        return f->err.msg;
    f->text[0] = '\0';
    for (size_t i = 0; i < f->hits.n; i++)
        len += (size_t)snprintf(f->text + len, sizeof f->text - len, "%s%" PRIu32,
                                i > 0 ? " " : "", f->hits.items[i].number);
    return f->text;
}

/* What a model sees of something that is at so many degrees. */
static const char *near(struct fixture *f, const char *model, double degrees,
                        const char *more)
{
    float at[2];

    put_at(at, degrees + (strcmp(model, "w") == 0 ? 90 : 0));
    (void)snprintf(f->body, sizeof f->body, "{\"query\":[%.7f,%.7f],\"using\":\"%s\",%s}",
                   (double)at[0], (double)at[1], model, more);
    return found(f);
}

static const char *ask(struct fixture *f, const char *body)
{
    (void)snprintf(f->body, sizeof f->body, "%s", body);
    return found(f);
}

static void a_query_is_searched_where_its_bridge_leads(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(near(f, "w", 0.2, "\"limit\":3"), "0 1 2");
    assert_string_equal(near(f, "w", 59.4, "\"limit\":4"), "59 60 58 61");
    assert_true(f->aim.is_mapped);
    assert_float_equal(f->hits.items[0].score, 1.6F * f->hits.items[0].raw - 0.3F, 1e-5);
    assert_int_equal(f->hits.items[0].shelf, 0);
    assert_int_equal(f->hits.items[1].shelf, 1);
    assert_string_equal(near(f, "v", 70.3, "\"limit\":3"), "70 71 69");
    assert_false(f->aim.is_mapped);
    assert_true(f->hits.items[0].score == f->hits.items[0].raw);
}

/* What was measured of own rows and of images puts both lists on one scale. */
static void images_are_shown_on_a_scale_of_their_own(void **state)
{
    struct fixture *f = *state;
    struct hl_bridge_way *way = &f->bridge->ways[HL_MODALITY_IMAGE];
    size_t n_images = 0;

    for (size_t i = 0; i < HL_N_FIDELITIES; i++)
        way->new_items[i] = (struct hl_scale){31, -23};
    (void)near(f, "w", 59.4, "\"limit\":90");
    for (size_t i = 0; i < f->hits.n; i++) {
        const struct hl_pick *pick = &f->hits.items[i];
        const bool is_image = pick->shelf == 1;

        n_images += is_image;
        assert_float_equal(pick->score,
                           is_image ? 3.1F * pick->raw - 1.8F : 1.6F * pick->raw - 0.3F,
                           1e-5);
        assert_true(i == 0 || pick->score <= pick[-1].score);
    }
    assert_true(n_images > 0 && n_images < f->hits.n);
}

static void who_stays_at_home_has_a_plan_of_nobody(void **state)
{
    static const char own[] = "\"limit\":3,\"params\":{\"across\":false}";
    struct fixture *f = *state;

    assert_string_equal(near(f, "w", 10, own), "40 41 42");
    assert_null(f->aim.plan);
    assert_string_equal(near(f, "v", 89, own), "59 58 57");
    f->collection.layout.companion = NULL;
    assert_string_equal(near(f, "w", 10, "\"limit\":3"), "40 41 42");
    assert_null(f->aim.plan);
}

static void two_spaces_merge_on_one_scale(void **state)
{
    struct fixture *f = *state;

    serve(f, HL_SERVING_DUAL);
    assert_string_equal(near(f, "w", 50.2, "\"limit\":3"), "39 38 37");
    assert_int_equal(f->hits.items[0].leg, 1);
    assert_string_equal(near(f, "w", 50.2, "\"limit\":99,\"score_threshold\":1.2"),
                        "39 38 37 36 35 34 33 32 31 30");
    assert_string_equal(near(f, "w", 89, "\"limit\":3"), "89 88 87");
    assert_int_equal(f->hits.items[0].leg, 0);
    assert_true(f->hits.items[0].score == f->hits.items[0].raw);
    (void)near(f, "w", 30, "\"limit\":99");
    assert_int_equal(f->hits.n, N_POINTS);
}

static void how_many_carry_a_vector_decides(void **state)
{
    struct fixture *f = *state;

    serve(f, HL_SERVING_DUAL);
    for (size_t i = 0; i < N_POINTS; i++)
        f->collection.points[i].has_others[0] = false;
    assert_string_equal(near(f, "w", 0.2, "\"limit\":2"), "0 1");
    assert_int_equal(f->aim.n_legs, 1);
    assert_int_equal(f->aim.legs[0].space->id, OLD);
    for (size_t i = 0; i < N_POINTS; i++)
        f->collection.points[i].has_others[0] = true;
    assert_string_equal(near(f, "w", 0.2, "\"limit\":2"), "0 1");
    assert_int_equal(f->aim.n_legs, 1);
    assert_int_equal(f->aim.legs[0].space->id, NEW);
    assert_false(f->aim.is_mapped);
}

static void examples_are_taken_where_they_are(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(ask(f, "{\"query\":0,\"using\":\"w\",\"limit\":2}"), "1 2");
    assert_string_equal(ask(f, "{\"query\":89,\"using\":\"v\",\"limit\":2}"), "88 87");
    serve(f, HL_SERVING_DUAL);
    assert_string_equal(ask(f, "{\"query\":0,\"using\":\"w\",\"limit\":2}"), "1 2");
    assert_int_equal(f->aim.n_legs, 1);
    assert_string_equal(ask(f, "{\"query\":89,\"using\":\"w\",\"limit\":2}"), "88 87");
    assert_int_equal(f->aim.n_legs, 2);
    f->collection.points[7].has_values = false;
    assert_string_equal(ask(f, "{\"query\":7,\"using\":\"w\",\"limit\":2}"),
                        "Not found: Vector with name \"w\" for point 7");
}

static void what_several_models_see_is_leant_on(void **state)
{
    struct fixture *f = *state;
    float seen[2], turned[2];

    put_at(seen, 20.2);
    put_at(turned, 40.2 + 90);
    (void)snprintf(f->body, sizeof f->body,
                   "{\"query\":{\"vectors\":{\"v\":[%.7f,%.7f],\"w\":[%.7f,%.7f]}},"
                   "\"limit\":3}",
                   (double)seen[0] * 9, (double)seen[1] * 9, (double)turned[0],
                   (double)turned[1]);
    assert_string_equal(found(f), "30 31 29");
}

static void an_example_that_leads_nowhere_in_one_space_leaves_it_out(void **state)
{
    struct fixture *f = *state;
    struct hl_buf told;

    serve(f, HL_SERVING_DUAL);
    f->models[1].of[HL_PLAN_NONE] = (struct hl_plan){NEW, HL_SERVING_DUAL, f->legs, 2};
    assert_string_equal(ask(f, "{\"query\":0,\"using\":\"w\",\"limit\":2}"), "1 2");
    assert_int_equal(f->aim.n_legs, 1);
    assert_int_equal(f->aim.legs[0].space->id, OLD);
    assert_int_equal(f->aim.n_left, 1);
    assert_int_equal(f->aim.left[0].space->id, NEW);
    assert_int_equal(hl_id_value(&f->aim.left[0].example), 0);
    hl_buf_init(&told, 1 << 12);
    hl_search_explain(&f->search, &f->aim, &(struct hl_hits){.n = 0}, &told);
    hl_buf_add(&told, "", 1);
    assert_non_null(strstr(
        told.data, "\"left_out\":[{\"space\":\"w\",\"example\":0,\"why\":\"the example has "
                   "neither a vector of this model nor an image in its space\"}]}"));
    hl_buf_done(&told);
}

/* ---- who is left out ---- */

static void carriers_that_may_be_left_out_are_named_once(void **state)
{
    struct fixture *f = *state;
    struct hl_query queries[] = {
        {.kind = HL_QUERY_NEAREST, .using_name = {"w", 1}},
        {.kind = HL_QUERY_NEAREST, .using_name = {"w", 1}},
        {.kind = HL_QUERY_NEAREST, .using_name = {"v", 1}},
        {.kind = HL_QUERY_NEAREST, .using_name = {"nobody", 6}},
        {.kind = HL_QUERY_NONE},
    };
    uint32_t spaces[2];

    f->search.queries = (struct hl_queries){queries, 5};
    assert_int_equal(hl_plan_leave_out(&f->search, &f->collection.layout, spaces, 2), 0);
    serve(f, HL_SERVING_DUAL);
    assert_int_equal(hl_plan_leave_out(&f->search, &f->collection.layout, spaces, 2), 1);
    assert_int_equal(spaces[0], NEW);
    assert_int_equal(hl_plan_leave_out(&f->search, &f->collection.layout, spaces, 0), 0);
    queries[0].params.is_own_only = queries[1].params.is_own_only = true;
    assert_int_equal(hl_plan_leave_out(&f->search, &f->collection.layout, spaces, 2), 0);
    f->collection.layout.companion = NULL;
    queries[0].params.is_own_only = false;
    assert_int_equal(hl_plan_leave_out(&f->search, &f->collection.layout, spaces, 2), 0);
}

/* ---- too little room ---- */

static void assert_room_is_asked_for(struct fixture *f, const char *body)
{
    enum hl_code code = HL_NO_MEMORY;

    (void)snprintf(f->body, sizeof f->body, "%s", body);
    for (size_t room = 1024; code != HL_OK; room += 256) {
        struct hl_arena *arena = hl_arena_new(room);

        assert_true(room < 1 << 20);
        f->search.arena = arena;
        f->search.scratch_bytes = room;
        code = answer(f);
        if (code != HL_OK && code != HL_TOO_LARGE && code != HL_NO_MEMORY)
            fail_msg("%zu bytes: %s", room, f->err.msg);
        hl_arena_free(arena);
    }
    f->search.arena = NULL;
    f->request.arena = NULL;
}

static void a_plan_without_room_is_refused_in_a_sentence(void **state)
{
    struct fixture *f = *state;

    hl_arena_free(f->request.arena);
    serve(f, HL_SERVING_DUAL);
    assert_room_is_asked_for(
        f, "{\"query\":{\"vectors\":{\"v\":[1,0],\"w\":[0,1]}},\"limit\":9}");
    assert_room_is_asked_for(
        f, "{\"query\":{\"recommend\":{\"positive\":[50,[1,0]],\"negative\":[70],"
           "\"strategy\":\"best_score\"}},\"using\":\"w\",\"limit\":9}");
    assert_room_is_asked_for(f, "{\"query\":{\"recommend\":{\"positive\":[3,70]}},"
                                "\"using\":\"w\",\"limit\":9}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_query_is_searched_where_its_bridge_leads),
        TEST(images_are_shown_on_a_scale_of_their_own),
        TEST(who_stays_at_home_has_a_plan_of_nobody),
        TEST(two_spaces_merge_on_one_scale),
        TEST(how_many_carry_a_vector_decides),
        TEST(examples_are_taken_where_they_are),
        TEST(what_several_models_see_is_leant_on),
        TEST(an_example_that_leads_nowhere_in_one_space_leaves_it_out),
        TEST(carriers_that_may_be_left_out_are_named_once),
        TEST(a_plan_without_room_is_refused_in_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
