/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "tests/unit/changing.h"

#include <math.h>

/* Spaces "c" and "d" are as looking.h makes them; images lead from either into "k", which
 * has points of its own. Both ways turn (x, y) into (y, x), and count themselves. */
static int n_mappers;

static void turn(const struct hl_mapper *mapper, const float *in, float *out)
{
    float length = sqrtf(in[0] * in[0] + in[1] * in[1]);

    (void)mapper;
    out[0] = in[1] / length;
    out[1] = in[0] / length;
}

static void free_mapper(struct hl_mapper *mapper)
{
    n_mappers--;
    free(mapper);
}

static struct hl_mapper *new_mapper(void)
{
    struct hl_mapper *mapper = calloc(1, sizeof *mapper);

    assert_non_null(mapper);
    n_mappers++;
    atomic_init(&mapper->n_refs, 1);
    mapper->map = turn;
    mapper->free = free_mapper;
    return mapper;
}

static enum hl_code find_mapper(void *self, struct hl_reader *reader, const char *settings,
                                struct hl_mapper **ret_mapper, struct hl_err *err)
{
    (void)self;
    (void)reader;
    if (!strstr(settings, "\"by\":\"turning\""))
        return hl_fail(err, HL_DAMAGED, "who made %s", settings);
    *ret_mapper = new_mapper();
    return HL_OK;
}

static int set_up_images(void **state)
{
    struct stand *s;

    if (set_up(state) != 0)
        return -1;
    s = *state;
    close_stand(s);
    s->options.find_mapper = find_mapper;
    if (open_stand(s) != HL_OK)
        return -1;
    add_dense(s, "k", 2, "Cosine");
    return 0;
}

static int tear_down_images(void **state)
{
    (void)tear_down(state);
    return n_mappers == 0 ? 0 : -1;
}

static uint32_t id_of(const struct hl_layout *layout, const char *name)
{
    const struct hl_text text = {name, strlen(name)};

    return hl_layout_find(layout, &text)->id;
}

static enum hl_code add_from(struct hl_writing *writing, const char *name,
                             struct hl_err *err)
{
    const struct hl_layout *layout = hl_writing_layout(writing);
    const struct hl_text settings = {"\"turning\"", 9};
    struct hl_image image = {.into = id_of(layout, "k"),
                             .from = id_of(layout, name),
                             .n_hops = 1,
                             .revision = 7,
                             .mapper = new_mapper()};
    uint32_t space;
    enum hl_code code = hl_writing_add_image(writing, &image, &settings, &space, err);

    hl_mapper_unref(image.mapper);
    return code;
}

static enum hl_code serve(struct stand *s, struct hl_writing *writing, struct hl_err *err)
{
    (void)s;
    return hl_writing_serve_images(writing, id_of(hl_writing_layout(writing), "k"), err);
}

static enum hl_code add_from_c(struct stand *s, struct hl_writing *writing,
                               struct hl_err *err)
{
    (void)s;
    return add_from(writing, "c", err);
}

/* They are searched before they are whole. */
static enum hl_code serve_from_c(struct stand *s, struct hl_writing *writing,
                                 struct hl_err *err)
{
    enum hl_code code = add_from_c(s, writing, err);

    return code == HL_OK ? serve(s, writing, err) : code;
}

static enum hl_code add_from_both(struct stand *s, struct hl_writing *writing,
                                  struct hl_err *err)
{
    enum hl_code code = add_from_c(s, writing, err);

    return code == HL_OK ? add_from(writing, "d", err) : code;
}

static uint32_t next_number;

static enum hl_code express(struct stand *s, struct hl_writing *writing, struct hl_err *err)
{
    return hl_writing_express(writing, s->arena, &next_number, err);
}

static void express_all(struct stand *s)
{
    next_number = 0;
    do
        assert_int_equal(act_alone(s, express), HL_OK);
    while (next_number != 0);
}

static void give(struct stand *s, int id, const char *vectors)
{
    assert_true(change_points(s, hl_arena_print(s->arena,
                                                "{\"upsert\":{\"points\":[{\"id\":%d,"
                                                "\"vector\":{%s}}]}}",
                                                id, vectors)) > 0);
}

/* "id:score …" of what is found at (0, 1) among the images from a space. */
static const char *images(struct stand *s, const char *from)
{
    static const float at[2] = {0, 1};
    struct hl_find find = query(at, 2, 10);
    const struct hl_layout *layout;
    const struct hl_hit *hits = NULL;
    size_t n = 0, len = 0;
    char *text = hl_arena_alloc(s->arena, 4096);

    assert_non_null(text);
    text[0] = '\0';
    look(s, NULL);
    layout = hl_look_layout(s->look);
    find.deadline = &never;
    find.space = hl_layout_image(layout, id_of(layout, "k"), id_of(layout, from));
    if (!find.space)
        return "no such images";
    assert_int_equal(hl_look_find(s->look, &find, s->arena, &hits, &n, &s->err), HL_OK);
    for (size_t i = 0; i < n; i++) {
        const struct hl_id id = hl_look_id(s->look, hits[i].number);

        len += (size_t)snprintf(text + len, 4096 - len, "%s%d:%.2f", i ? " " : "",
                                (int)hl_id_value(&id), (double)hits[i].score);
    }
    return text;
}

static void points_that_were_there_get_images(void **state)
{
    struct stand *s = *state;

    give(s, 1, "\"k\":[1,0]");
    give(s, 2, "\"c\":[1,0]");
    give(s, 3, "\"c\":[1,0],\"k\":[0,1]");
    give(s, 4, "\"c\":[0,1]");
    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    assert_string_equal(images(s, "c"), "");
    express_all(s);
    assert_string_equal(images(s, "c"), "2:1.00 4:0.00");
    express_all(s);
    assert_string_equal(images(s, "c"), "2:1.00 4:0.00");
}

static void images_follow_what_they_are_of(void **state)
{
    struct stand *s = *state;

    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    give(s, 1, "\"c\":[1,0]");
    assert_string_equal(images(s, "c"), "1:1.00");
    assert_true(change_points(s, "{\"update_vectors\":{\"points\":[{\"id\":1,\"vector\":{"
                                 "\"c\":[3,4]}}]}}") > 0);
    assert_string_equal(images(s, "c"), "1:0.60");
    assert_true(change_points(s, "{\"update_vectors\":{\"points\":[{\"id\":1,\"vector\":{"
                                 "\"k\":[1,0]}}]}}") > 0);
    assert_string_equal(images(s, "c"), "");
    assert_true(
        change_points(s, "{\"delete_vectors\":{\"points\":[1],\"vector\":[\"k\"]}}") > 0);
    assert_string_equal(images(s, "c"), "1:0.60");
    assert_true(
        change_points(s, "{\"set_payload\":{\"points\":[1],\"payload\":{\"a\":1}}}") > 0);
    assert_string_equal(images(s, "c"), "1:0.60");
    give(s, 1, "\"c\":[1,0]");
    assert_string_equal(images(s, "c"), "1:1.00");
    give(s, 1, "\"e\":[1,0]");
    assert_string_equal(images(s, "c"), "");
    give(s, 1, "\"c\":[1,0]");
    assert_true(change_points(s, "{\"delete\":{\"points\":[1]}}") > 0);
    assert_string_equal(images(s, "c"), "");
}

static void several_changes_of_a_point_at_once_leave_one_image(void **state)
{
    struct stand *s = *state;

    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    assert_true(
        change_points(s, "{\"upsert\":{\"points\":[{\"id\":1,\"vector\":{\"c\":[0,1]}},"
                         "{\"id\":2,\"vector\":{\"c\":[1,0]}},"
                         "{\"id\":1,\"vector\":{\"c\":[1,0]}}]}},"
                         "{\"delete\":{\"points\":[2]}}") > 0);
    assert_string_equal(images(s, "c"), "1:1.00");
}

static void a_point_has_one_image_and_the_newest_model_makes_it(void **state)
{
    struct stand *s = *state;

    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    give(s, 1, "\"c\":[1,0],\"d\":[0,1]");
    give(s, 2, "\"c\":[1,0]");
    assert_int_equal(act_alone(s, add_from_both), HL_OK);
    express_all(s);
    assert_string_equal(images(s, "c"), "1:1.00 2:1.00"); /* those served so far */
    assert_int_equal(act_alone(s, serve), HL_OK);
    assert_string_equal(images(s, "c"), "2:1.00");
    assert_string_equal(images(s, "d"), "1:0.00");
    assert_true(
        change_points(s, "{\"delete_vectors\":{\"points\":[1],\"vector\":[\"d\"]}}") > 0);
    assert_string_equal(images(s, "c"), "1:1.00 2:1.00");
    assert_string_equal(images(s, "d"), "");
}

static void images_are_there_after_a_restart(void **state)
{
    struct stand *s = *state;

    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    for (int i = 1; i <= 200; i++) /* tails are sealed meanwhile */
        give(s, i, "\"c\":[1,0]");
    assert_true(change_points(s, "{\"delete\":{\"filter\":{\"must_not\":[{\"has_id\":["
                                 "150,170]}]}}}") > 0);
    close_stand(s);
    assert_int_equal(open_stand(s), HL_OK);
    assert_string_equal(images(s, "c"), "150:1.00 170:1.00");
    give(s, 1, "\"c\":[0,1]");
    assert_string_equal(images(s, "c"), "150:1.00 170:1.00 1:0.00");
}

static enum hl_code drop_c(struct stand *s, struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_text name = {"c", 1};

    (void)s;
    return hl_writing_drop_space(writing, &name, err);
}

static void an_image_does_not_keep_a_point(void **state)
{
    struct stand *s = *state;

    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    give(s, 1, "\"c\":[1,0]");
    assert_int_equal(act_alone(s, drop_c), HL_CONFLICT);
    give(s, 1, "\"c\":[1,0],\"d\":[0,1]");
    assert_int_equal(act_alone(s, drop_c), HL_OK);
    look(s, NULL);
    assert_int_equal(hl_look_layout(s->look)->n_images, 0);
    close_stand(s);
    assert_int_equal(open_stand(s), HL_OK);
    look(s, NULL);
    assert_int_equal(hl_look_layout(s->look)->n_images, 0);
}

static enum hl_code drop_unserved(struct stand *s, struct hl_writing *writing,
                                  struct hl_err *err)
{
    (void)s;
    return hl_writing_drop_unserved(writing, err);
}

static size_t count_images(struct stand *s)
{
    look(s, NULL);
    return hl_look_layout(s->look)->n_images;
}

static void images_that_are_made_do_not_touch_those_that_are_served(void **state)
{
    struct stand *s = *state;

    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    give(s, 1, "\"c\":[1,0]");
    assert_int_equal(act_alone(s, add_from_c), HL_OK);
    give(s, 2, "\"c\":[1,0]");
    assert_int_equal(count_images(s), 2);
    assert_string_equal(images(s, "c"), "1:1.00 2:1.00");
    assert_int_equal(act_alone(s, drop_unserved), HL_OK);
    assert_int_equal(count_images(s), 1);
    assert_string_equal(images(s, "c"), "1:1.00 2:1.00");
    assert_int_equal(act_alone(s, add_from_c), HL_OK);
    express_all(s);
    assert_int_equal(act_alone(s, serve), HL_OK);
    assert_int_equal(count_images(s), 1);
    assert_string_equal(images(s, "c"), "1:1.00 2:1.00");
    give(s, 3, "\"c\":[1,0]");
    assert_string_equal(images(s, "c"), "1:1.00 2:1.00 3:1.00");
}

static void what_was_not_served_goes_when_the_collection_is_opened(void **state)
{
    struct stand *s = *state;

    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    assert_int_equal(act_alone(s, add_from_both), HL_OK);
    for (int i = 1; i <= 200; i++)
        give(s, i, i == 60 ? "\"c\":[1,0]" : "\"d\":[1,0]");
    assert_int_equal(count_images(s), 3);
    close_stand(s);
    assert_int_equal(open_stand(s), HL_OK);
    give(s, 60, "\"c\":[0,1]");
    assert_int_equal(count_images(s), 1);
    assert_string_equal(images(s, "c"), "60:0.00");
}

static void images_go_when_nobody_wants_them(void **state)
{
    struct stand *s = *state;
    struct hl_arena *arena = hl_arena_new(1 << 20);
    struct hl_collection_info info;

    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    give(s, 1, "\"c\":[1,0]");
    assert_int_equal(hl_collection_info(s->collection, arena, &info, &s->err), HL_OK);
    assert_int_equal(info.n_vectors, 1);
    assert_int_equal(info.n_spaces, 6);
    hl_layout_unref(info.layout);
    hl_arena_free(arena);
    assert_int_equal(act_alone(s, serve), HL_OK);
    give(s, 2, "\"c\":[1,0]");
    assert_string_equal(images(s, "c"), "no such images");
}

/* Where memory ran out behind a commit the collection says so, and is opened anew. */
static void every_allocation_of_a_change_with_images_may_fail(void **state)
{
    struct stand *s = *state;
    uint64_t commit = 0;
    int n = 0;

    assert_int_equal(act_alone(s, serve_from_c), HL_OK);
    while (commit == 0) {
        const char *found;
        char spec[32];

        hl_arena_reset(s->arena);
        snprintf(spec, sizeof spec, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(spec, &s->err), HL_OK);
        commit = change_points(s, "{\"upsert\":{\"points\":[{\"id\":1,\"vector\":{"
                                  "\"c\":[1,0]}}]}}");
        hl_failpoint_disarm();
        if (change_points(s, "{\"delete\":{\"points\":[99]}}") == 0) {
            assert_int_equal(s->err.code, HL_NO_MEMORY);
            close_stand(s);
            assert_int_equal(open_stand(s), HL_OK);
        }
        found = images(s, "c");
        assert_string_equal(found, hl_look_n_points(s->look) > 0 ? "1:1.00" : "");
        assert_true(commit == 0 || hl_look_n_points(s->look) == 1);
        assert_true(change_points(s, "{\"delete\":{\"points\":[1]}}") > 0);
        assert_true(n < 5000);
    }
    assert_true(n > 10);
}

int main(void)
{
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_images, tear_down_images)
    const struct CMUnitTest tests[] = {
        TEST(points_that_were_there_get_images),
        TEST(images_follow_what_they_are_of),
        TEST(several_changes_of_a_point_at_once_leave_one_image),
        TEST(a_point_has_one_image_and_the_newest_model_makes_it),
        TEST(images_are_there_after_a_restart),
        TEST(an_image_does_not_keep_a_point),
        TEST(images_that_are_made_do_not_touch_those_that_are_served),
        TEST(what_was_not_served_goes_when_the_collection_is_opened),
        TEST(images_go_when_nobody_wants_them),
        TEST(every_allocation_of_a_change_with_images_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
