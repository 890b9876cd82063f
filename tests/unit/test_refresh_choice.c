/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/refresh_choice.h"
#include "tests/unit/changing.h"

#include <math.h>

/* Points of "c" lie on a circle, by degrees; "e" is the model they are embedded with anew.
 */
static void give(struct stand *s, int id, double degrees, const char *more)
{
    const char *body = hl_arena_print(
        s->arena,
        "{\"upsert\":{\"points\":[{\"id\":%d,\"payload\":{\"half\":%d},\"vector\":{"
        "\"c\":[%.6f,%.6f]%s}}]}}",
        id, id % 2, cos(degrees * M_PI / 180), sin(degrees * M_PI / 180), more);

    assert_true(change_points(s, body) > 0);
}

static void give_other(struct stand *s, int id, const char *vectors)
{
    assert_true(change_points(s, hl_arena_print(s->arena,
                                                "{\"upsert\":{\"points\":[{\"id\":%d,"
                                                "\"vector\":{%s}}]}}",
                                                id, vectors)) > 0);
}

/* Two that are alone, and between them a crowd from 91 to 105 degrees; one is done. */
static int set_up_circle(void **state)
{
    struct stand *s;

    if (set_up(state) != 0)
        return -1;
    s = *state;
    give(s, 1, 0, "");
    give(s, 2, 200, "");
    for (int i = 0; i < 15; i++)
        give(s, 10 + i, 91 + i, "");
    give(s, 40, 98, ",\"e\":[1,2]");
    return 0;
}

static struct hl_refresh_answer answer;

/* With "e", unless another one is said. */
static enum hl_code choose(struct stand *s, struct hl_refresh wanted)
{
    const struct hl_refresh_task task = {.collection = s->collection,
                                         .wanted = &wanted,
                                         .arena = s->arena,
                                         .deadline = &never};

    if (!wanted.to.text)
        wanted.to = (struct hl_text){"e", 1};
    return hl_refresh_choose(&task, &answer, &s->err);
}

/* The ids in their order, or the sentence. */
static const char *chosen(struct stand *s, struct hl_refresh wanted)
{
    char *text = hl_arena_alloc(s->arena, 1024);
    size_t len = 0;

    assert_non_null(text);
    text[0] = '\0';
    if (choose(s, wanted) != HL_OK)
        return s->err.msg;
    for (size_t i = 0; i < answer.n; i++)
        len += (size_t)snprintf(text + len, 1024 - len, "%s%d", i ? " " : "",
                                (int)hl_id_value(&answer.ids[i]));
    return text;
}

static void who_keeps_the_closest_company_comes_first(void **state)
{
    struct stand *s = *state;

    assert_string_equal(chosen(s, (struct hl_refresh){.limit = 1}), "17");
    assert_int_equal(answer.order, HL_REFRESH_UNCERTAIN);
    assert_string_equal(answer.by, "c");
    assert_int_equal(answer.n_considered, 17);
    chosen(s, (struct hl_refresh){.limit = 100});
    assert_int_equal(answer.n, 17);
    assert_int_equal(hl_id_value(&answer.ids[15]), 1);
    assert_int_equal(hl_id_value(&answer.ids[16]), 2);
}

static void coverage_goes_where_it_has_not_been(void **state)
{
    struct stand *s = *state;
    const struct hl_refresh wanted = {
        .limit = 2, .has_order = true, .order = HL_REFRESH_COVERAGE};

    assert_string_equal(chosen(s, wanted), "2 1");
    assert_int_equal(answer.order, HL_REFRESH_COVERAGE);
    assert_int_equal(answer.n_considered, 17);
}

static void chance_is_the_seeds(void **state)
{
    struct stand *s = *state;
    struct hl_refresh wanted = {
        .limit = 17, .has_order = true, .order = HL_REFRESH_RANDOM, .seed = 5};
    const char *first = chosen(s, wanted);

    assert_int_equal(answer.n, 17);
    assert_null(answer.by);
    assert_int_equal(answer.n_considered, 0);
    assert_string_equal(chosen(s, wanted), first);
    wanted.seed = 6;
    assert_string_not_equal(chosen(s, wanted), first);
    /* As many of them as are wanted, the first of all. */
    wanted.seed = 5;
    wanted.limit = 4;
    assert_memory_equal(chosen(s, wanted), first, strlen(chosen(s, wanted)));
}

static void progress_is_of_the_points_that_are_meant(void **state)
{
    struct stand *s = *state;
    struct hl_condition half = {.kind = HL_CONDITION_INTEGER,
                                .integers = {(const int64_t[]){1}, 1}};
    struct hl_filter filter = {.must = {&half, 1}};

    assert_int_equal(hl_path_parse("half", 4, s->arena, &half.path, &s->err), HL_OK);
    assert_string_equal(chosen(s, (struct hl_refresh){.limit = 0}), "");
    assert_int_equal(answer.n_points, 18);
    assert_int_equal(answer.n_have, 1);
    /* Among eight, all others are company. */
    assert_string_equal(chosen(s, (struct hl_refresh){.limit = 1, .filter = &filter}),
                        "11");
    assert_int_equal(answer.n_points, 8);
    assert_int_equal(answer.n_have, 0);
    assert_int_equal(answer.n_considered, 8);
}

static void points_that_no_order_was_found_for_come_behind(void **state)
{
    struct stand *s = *state;

    give_other(s, 50, "\"d\":[1,0]");
    give_other(s, 51, "");
    chosen(s, (struct hl_refresh){.limit = 100});
    assert_int_equal(answer.n, 19);
    assert_int_equal(answer.n_considered, 17);
    assert_true(hl_id_value(&answer.ids[17]) >= 50);
    assert_true(hl_id_value(&answer.ids[18]) >= 50);
}

/* ---- images: of "d" in "c", where they are ---- */

static void stay(const struct hl_mapper *mapper, const float *in, float *out)
{
    (void)mapper;
    out[0] = in[0];
    out[1] = in[1];
}

static void leave(struct hl_mapper *mapper)
{
    (void)mapper;
}

static struct hl_mapper mapper = {.n_refs = 1, .map = stay, .free = leave};

static uint32_t id_of(const struct hl_layout *layout, const char *name)
{
    const struct hl_text text = {name, 1};

    return hl_layout_find(layout, &text)->id;
}

static enum hl_code serve_images(struct stand *s, struct hl_writing *writing,
                                 struct hl_err *err)
{
    const struct hl_layout *layout = hl_writing_layout(writing);
    const uint32_t into = id_of(layout, "c");
    const struct hl_image image = {
        .into = into, .from = id_of(layout, "d"), .n_hops = 1, .mapper = &mapper};
    uint32_t space, next = 0;
    enum hl_code code =
        hl_writing_add_image(writing, &image, &(struct hl_text){"{}", 2}, &space, err);

    if (code == HL_OK)
        code = hl_writing_express(writing, s->arena, &next, err);
    return code == HL_OK ? hl_writing_serve_images(writing, into, err) : code;
}

static void points_of_other_models_are_compared_by_their_images(void **state)
{
    struct stand *s = *state;
    const double at = 98 * M_PI / 180;

    give_other(s, 60, hl_arena_print(s->arena, "\"d\":[%.6f,%.6f]", cos(at), sin(at)));
    assert_string_equal(chosen(s, (struct hl_refresh){.limit = 1}), "17");
    assert_int_equal(answer.n_considered, 17);
    assert_int_equal(act_alone(s, serve_images), HL_OK);
    assert_string_equal(chosen(s, (struct hl_refresh){.limit = 2}), "17 60");
    assert_int_equal(answer.n_considered, 18);
    assert_string_equal(answer.by, "c");
}

static void without_another_model_there_is_only_chance(void **state)
{
    struct stand *s = *state;

    give_other(s, 1, "");
    give_other(s, 2, "\"s\":{\"indices\":[1],\"values\":[1]}");
    chosen(s, (struct hl_refresh){.limit = 5});
    assert_int_equal(answer.n, 2);
    assert_int_equal(answer.order, HL_REFRESH_RANDOM);
    assert_string_equal(
        chosen(s, (struct hl_refresh){.limit = 5,
                                      .has_order = true,
                                      .order = HL_REFRESH_COVERAGE}),
        "no point without a vector of \"e\" has one of another dense model, so its "
        "\"order\" can only be \"random\"");
    assert_int_equal(s->err.code, HL_INVALID);
}

static void a_gallery_that_is_done_has_nothing_left(void **state)
{
    struct stand *s = *state;

    give_other(s, 1, "\"e\":[1,2]");
    assert_string_equal(chosen(s, (struct hl_refresh){.limit = 5,
                                                      .has_order = true,
                                                      .order = HL_REFRESH_UNCERTAIN}),
                        "");
    assert_int_equal(answer.order, HL_REFRESH_UNCERTAIN);
    assert_int_equal(answer.n_points, 1);
    assert_int_equal(answer.n_have, 1);
    chosen(s, (struct hl_refresh){
                  .limit = 5, .has_order = true, .order = HL_REFRESH_COVERAGE});
    assert_int_equal(answer.order, HL_REFRESH_COVERAGE);
    chosen(s, (struct hl_refresh){.limit = 5});
    assert_int_equal(answer.order, HL_REFRESH_UNCERTAIN);
}

static void a_model_must_be_there_and_dense(void **state)
{
    struct stand *s = *state;

    assert_string_equal(chosen(s, (struct hl_refresh){.to = {"x", 1}, .limit = 1}),
                        "Not found: the collection has no vector \"x\"");
    assert_string_equal(chosen(s, (struct hl_refresh){.to = {"@default", 8}, .limit = 1}),
                        "Not found: the collection has no vector \"@default\"");
    assert_string_equal(chosen(s, (struct hl_refresh){.to = {"s", 1}, .limit = 1}),
                        "the vector \"s\" is sparse: nothing leads to it");
}

static void nobody_waits_for_what_was_cancelled(void **state)
{
    struct stand *s = *state;
    const atomic_bool cancelled = true;
    const struct hl_deadline deadline = {&hl_still, HL_DEADLINE_NEVER, &cancelled};
    static const enum hl_refresh_order orders[] = {HL_REFRESH_UNCERTAIN,
                                                   HL_REFRESH_COVERAGE, HL_REFRESH_RANDOM};

    for (size_t i = 0; i < 3; i++) {
        const struct hl_refresh wanted = {
            .to = {"e", 1}, .limit = 3, .has_order = true, .order = orders[i]};
        const struct hl_refresh_task task = {.collection = s->collection,
                                             .wanted = &wanted,
                                             .arena = s->arena,
                                             .deadline = &deadline};

        assert_int_equal(hl_refresh_choose(&task, &answer, &s->err), HL_CANCELLED);
    }
}

static void fails_at(struct stand *s, enum hl_refresh_order order)
{
    const struct hl_refresh wanted = {
        .to = {"e", 1}, .limit = 3, .has_order = true, .order = order};
    enum hl_code code = HL_NO_MEMORY;
    int n_refused = -1;

    for (int n = 1; code != HL_OK; n++, n_refused++) {
        struct hl_refresh_task task = {
            .collection = s->collection, .wanted = &wanted, .deadline = &never};
        char rule[32];

        task.arena = hl_arena_new(1 << 24);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
        code = hl_refresh_choose(&task, &answer, &s->err);
        hl_failpoint_disarm();
        if (code != HL_OK && code != HL_NO_MEMORY)
            fail_msg("%s: %s", rule, s->err.msg);
        assert_true(code != HL_OK || answer.n == 3);
        hl_arena_free(task.arena);
    }
    assert_true(n_refused > 3);
}

static void a_choice_without_memory_says_so(void **state)
{
    struct stand *s = *state;

    fails_at(s, HL_REFRESH_UNCERTAIN);
    fails_at(s, HL_REFRESH_COVERAGE);
    fails_at(s, HL_REFRESH_RANDOM);
}

#define CIRCLE(name) cmocka_unit_test_setup_teardown(name, set_up_circle, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CIRCLE(who_keeps_the_closest_company_comes_first),
        CIRCLE(coverage_goes_where_it_has_not_been),
        CIRCLE(chance_is_the_seeds),
        CIRCLE(progress_is_of_the_points_that_are_meant),
        CIRCLE(points_that_no_order_was_found_for_come_behind),
        CIRCLE(points_of_other_models_are_compared_by_their_images),
        TEST(without_another_model_there_is_only_chance),
        TEST(a_gallery_that_is_done_has_nothing_left),
        CIRCLE(a_model_must_be_there_and_dense),
        CIRCLE(nobody_waits_for_what_was_cancelled),
        CIRCLE(a_choice_without_memory_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
