/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "tests/unit/changing.h"

static void reopen(struct stand *s)
{
    close_stand(s);
    if (open_stand(s) != HL_OK)
        fail_msg("%s", s->err.msg);
}

static struct hl_text text_of(const char *text)
{
    return (struct hl_text){text, strlen(text)};
}

static const struct hl_space *space_of(struct stand *s, const char *name)
{
    const struct hl_text text = text_of(name);

    look(s, NULL);
    return hl_layout_find(hl_look_layout(s->look), &text);
}

/* ---- spaces ---- */

static enum hl_code add_e_again(struct stand *s, struct hl_writing *writing,
                                struct hl_err *err)
{
    const struct hl_vector_config config = {
        .name = {"e", 1}, .size = 3, .distance = HL_DOT, .text = text_of("{\"size\":3}")};

    (void)s;
    return hl_writing_add_space(writing, &config, err);
}

static void a_space_cannot_be_made_twice(void **state)
{
    struct stand *s = *state;

    assert_int_equal(act_alone(s, add_e_again), HL_EXISTS);
    assert_int_equal(space_of(s, "e")->dim, 2);
}

static enum hl_code set_e(struct stand *s, struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_text name = text_of("e");
    const struct hl_text settings =
        text_of("{\"size\":2,\"distance\":\"Euclid\",\"on_disk\":true}");

    (void)s;
    return hl_writing_set_space(writing, &name, &settings, err);
}

static enum hl_code set_nobody(struct stand *s, struct hl_writing *writing,
                               struct hl_err *err)
{
    const struct hl_text name = text_of("nobody"), settings = text_of("{}");

    (void)s;
    return hl_writing_set_space(writing, &name, &settings, err);
}

static enum hl_code set_config(struct stand *s, struct hl_writing *writing,
                               struct hl_err *err)
{
    const struct hl_text config = text_of("{\"ours\":1}");

    (void)s;
    return hl_writing_set_config(writing, &config, err);
}

static void what_is_said_about_a_collection_stays_said(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 2);
    assert_int_equal(act_alone(s, set_nobody), HL_NOT_FOUND);
    assert_int_equal(act_alone(s, set_e), HL_OK);
    assert_int_equal(act_alone(s, set_config), HL_OK);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(space_of(s, "e")->settings,
                            "{\"size\":2,\"distance\":\"Euclid\",\"on_disk\":true}");
        assert_string_equal(hl_look_layout(s->look)->config, "{\"ours\":1}");
        assert_string_equal(scroll(s, NULL, 9), "1 2");
        reopen(s);
    }
}

static enum hl_code drop_e(struct stand *s, struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_text name = text_of("e");

    (void)s;
    return hl_writing_drop_space(writing, &name, err);
}

static void a_space_that_is_all_some_points_have_cannot_be_dropped(void **state)
{
    struct stand *s = *state;
    struct queue queue;
    struct waiting *drop;

    fill(s, 1, 3);
    assert_true(change_points(s, "{\"upsert\":{\"points\":["
                                 "{\"id\":7,\"vector\":{\"e\":[7,0]}},"
                                 "{\"id\":8,\"vector\":{\"e\":[8,0]}}]}}") > 0);
    begin_queue(&queue, s); /* it counts what the changes before it made, too */
    (void)put_points(&queue, "{\"upsert\":{\"points\":["
                             "{\"id\":9,\"vector\":{\"e\":[9,0]}}]}},"
                             "{\"delete\":{\"points\":[8]}}");
    drop = put_act(&queue, drop_e);
    end_queue(&queue);
    assert_int_equal(drop->base.code, HL_CONFLICT);
    assert_non_null(strstr(drop->base.err.msg, "2 points have no other vector"));
    assert_non_null(space_of(s, "e"));
    assert_string_equal(scroll(s, NULL, 9), "1 2 3 7 9");
}

static void a_space_goes_with_its_vectors_and_a_new_one_begins_empty(void **state)
{
    struct stand *s = *state;
    const float at[] = {0, 0};
    uint32_t old;

    fill(s, 1, 3);
    old = space_of(s, "e")->id;
    assert_int_equal(act_alone(s, drop_e), HL_OK);
    assert_null(space_of(s, "e"));
    assert_int_equal(act_alone(s, drop_e), HL_NOT_FOUND);
    add_dense(s, "e", 2, "Euclid");
    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(space_of(s, "e")->id, old);
        assert_string_equal(find(s, query(at, 2, 9), "e"), "");
        assert_string_equal(scroll(s, NULL, 9), "1 2 3");
        look(s, "{\"must\":[{\"has_vector\":\"e\"}]}");
        assert_string_equal(scroll(s, NULL, 9), "");
        reopen(s);
    }
    assert_true(change_points(s, "{\"update_vectors\":{\"points\":[{\"id\":2,"
                                 "\"vector\":{\"e\":[2,0]}}]}}") > 0);
    look(s, NULL);
    assert_string_equal(find(s, query(at, 2, 9), "e"), "2:2.000");
}

/* ---- payload indexes ---- */

static enum hl_code drop_colour(struct stand *s, struct hl_writing *writing,
                                struct hl_err *err)
{
    const struct hl_text path = text_of("colour");
    bool existed = false;
    enum hl_code code = hl_writing_drop_index(writing, &path, &existed, err);

    (void)s;
    return code == HL_OK && !existed ? hl_fail(err, HL_NOT_FOUND, "there was none") : code;
}

static void an_index_answers_from_its_commit_on_until_it_is_dropped(void **state)
{
    struct stand *s = *state;

    fill(s, 1, 6);
    look(s, red);
    assert_false(hl_look_is_settled(s->look, 0));
    add_index(s, "colour", "keyword");
    for (int i = 0; i < 2; i++) {
        look(s, red);
        assert_true(hl_look_is_settled(s->look, 0));
        assert_string_equal(scroll(s, NULL, 9), "3 6");
        reopen(s);
    }
    assert_int_equal(act_alone(s, drop_colour), HL_OK);
    assert_int_equal(act_alone(s, drop_colour), HL_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        look(s, red);
        assert_false(hl_look_is_settled(s->look, 0));
        assert_string_equal(scroll(s, NULL, 9), "3 6");
        reopen(s);
    }
}

static void an_index_made_beside_points_knows_them_all_once(void **state)
{
    struct stand *s = *state;
    struct queue queue;

    fill(s, 1, 4);
    begin_queue(&queue, s);
    (void)put_points(&queue, "{\"set_payload\":{\"payload\":{\"colour\":\"red\"},"
                             "\"points\":[1]}}");
    (void)put_index(&queue, "colour", "keyword");
    (void)put_points(&queue, "{\"set_payload\":{\"payload\":{\"colour\":\"blue\"},"
                             "\"points\":[3]}},{\"delete\":{\"points\":[4]}}");
    (void)put_index(&queue, "i", "integer");
    (void)put_index(&queue, "i", "float"); /* takes the place of the one before */
    (void)put_index(&queue, "odd", "bool");
    end_queue(&queue);
    for (size_t i = 0; i < queue.n; i++)
        assert_int_equal(queue.all[i].base.code, HL_OK);
    for (int i = 0; i < 2; i++) {
        struct hl_collection_info info;

        look(s, red);
        assert_true(hl_look_is_settled(s->look, 0));
        assert_string_equal(scroll(s, NULL, 9), "1");
        assert_int_equal(hl_collection_info(s->collection, s->arena, &info, &s->err),
                         HL_OK);
        hl_layout_unref(info.layout);
        assert_int_equal(info.n_indexes, 3);
        assert_int_equal(info.indexes[1].index.type, HL_INDEX_FLOAT);
        assert_int_equal(info.indexes[1].n_points, 3);
        reopen(s);
    }
}

/* ---- no memory ---- */

/* Each is undone alone, and goes when there is memory again. */
static void no_shape_is_half_made_when_memory_runs_out(void **state)
{
    static enum hl_code (*const acts[])(struct stand *, struct hl_writing *,
                                        struct hl_err *) = {drop_e, set_config};
    struct stand *s = *state;
    struct hush hush;

    fill(s, 1, 3);
    begin_hush(&hush, s);
    for (size_t i = 0; i < 2; i++) {
        enum hl_code code = HL_NO_MEMORY;
        int n = 0;

        while (code != HL_OK) {
            struct queue queue;
            struct waiting *waiting;
            char rule[32];

            snprintf(rule, sizeof rule, "alloc=%d+:fail", ++n);
            begin_queue(&queue, s);
            waiting = put_act(&queue, acts[i]);
            assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
            end_queue(&queue);
            hl_failpoint_disarm();
            code = waiting->base.code;
            if (code != HL_OK && code != HL_NO_MEMORY)
                fail_msg("%s: %s", rule, waiting->base.err.msg);
            if (i == 0)
                assert_true((space_of(s, "e") == NULL) == (code == HL_OK));
            assert_true(n < 4000);
        }
        assert_true(n > 3);
    }
    end_hush(&hush);
    assert_null(space_of(s, "e"));
    assert_string_equal(hl_look_layout(s->look)->config, "{\"ours\":1}");
    assert_string_equal(scroll(s, NULL, 9), "1 2 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_space_cannot_be_made_twice),
        TEST(what_is_said_about_a_collection_stays_said),
        TEST(a_space_that_is_all_some_points_have_cannot_be_dropped),
        TEST(a_space_goes_with_its_vectors_and_a_new_one_begins_empty),
        TEST(an_index_answers_from_its_commit_on_until_it_is_dropped),
        TEST(an_index_made_beside_points_knows_them_all_once),
        TEST(no_shape_is_half_made_when_memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
