/* SPDX-License-Identifier: Apache-2.0 */
#include "server/show.h"

#include "proto/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/fake_look.h"

/* One point with a dense and a sparse vector. */
struct fixture {
    struct hl_collection collection;
    struct hl_look *look;
    struct hl_arena *arena;
    struct hl_buf buf;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = hl_alloc_zeroed(1, sizeof *f);
    struct hl_collection *c = &f->collection;
    const struct hl_look_wish wish = {0};

    c->spaces[0] = (struct hl_space){.id = 1, .dim = 2, .name = ""};
    c->spaces[1] = (struct hl_space){.id = 2, .name = "s"};
    c->layout = (struct hl_layout){.n_spaces = 2, .spaces = c->spaces};
    c->n_points = 1;
    c->points[0] = (struct fake_point){.id = hl_id_number(1),
                                       .values = {1, -0.5f},
                                       .has_values = true,
                                       .weight = 2,
                                       .payload = "{\"a\": 1.50, \"b\":{\"c\":[2]}}"};
    f->arena = hl_arena_new(1 << 20);
    hl_buf_init(&f->buf, 1 << 20);
    *state = f;
    return hl_look_open(c, &wish, &f->look, &f->err) == HL_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_look_close(f->look);
    hl_arena_free(f->arena);
    hl_buf_done(&f->buf);
    hl_free(f);
    return 0;
}

static const char *content(struct fixture *f, struct hl_payload_select with_payload,
                           struct hl_vector_select with_vector)
{
    const struct hl_show show = {.layout = &f->collection.layout,
                                 .with_payload = &with_payload,
                                 .with_vector = &with_vector,
                                 .scratch = f->arena};
    struct hl_reader *reader;
    struct hl_store_point point;

    hl_buf_clear(&f->buf, 0);
    assert_int_equal(hl_look_reader(f->look, &reader, &f->err), HL_OK);
    assert_int_equal(hl_reader_get(reader, 0, &point, &f->err), HL_OK);
    assert_int_equal(hl_show_content(&show, reader, &point, &f->buf, &f->err), HL_OK);
    return f->buf.data;
}

static const struct hl_payload_select no_payload = {.kind = HL_SELECT_NONE};
static const struct hl_vector_select no_vector = {.kind = HL_SELECT_NONE};
static const struct hl_text names[] = {{"", 0}, {"s", 1}, {"t", 1}};

static void ids_are_numbers_or_texts(void **state)
{
    struct fixture *f = *state;
    struct hl_id id = hl_id_number(UINT64_MAX);

    hl_show_id(&f->buf, &id);
    assert_true(hl_id_parse_uuid("550e8400e29b41d4a716446655440000", 32, &id));
    hl_show_id(&f->buf, &id);
    assert_string_equal(f->buf.data,
                        "18446744073709551615\"550e8400-e29b-41d4-a716-446655440000\"");
}

static void payloads_are_shown_as_they_came_or_in_part(void **state)
{
    static const struct hl_path_step steps[] = {{.name = "b", .len = 1}};
    static const struct hl_path path = {
        .text = "b", .len = 1, .steps = steps, .n_steps = 1};
    struct fixture *f = *state;

    assert_string_equal(
        content(f, (struct hl_payload_select){.kind = HL_SELECT_ALL}, no_vector),
        ",\"payload\":{\"a\": 1.50, \"b\":{\"c\":[2]}}");
    assert_string_equal(
        content(f, (struct hl_payload_select){.kind = HL_SELECT_ONLY, .paths = {&path, 1}},
                no_vector),
        ",\"payload\":{\"b\":{\"c\":[2]}}");
    assert_string_equal(
        content(f, (struct hl_payload_select){.kind = HL_SELECT_BUT, .paths = {&path, 1}},
                no_vector),
        ",\"payload\":{\"a\":1.50}");
    f->collection.points[0].payload = NULL;
    assert_string_equal(
        content(f, (struct hl_payload_select){.kind = HL_SELECT_ALL}, no_vector),
        ",\"payload\":{}");
}

static void an_unnamed_vector_alone_is_bare(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        content(f, no_payload,
                (struct hl_vector_select){.kind = HL_SELECT_ONLY, .names = {names, 1}}),
        ",\"vector\":[1.0,-0.5]");
    f->collection.points[0].weight = 0;
    assert_string_equal(
        content(f, no_payload, (struct hl_vector_select){.kind = HL_SELECT_ALL}),
        ",\"vector\":[1.0,-0.5]");
}

static void other_vectors_have_their_names(void **state)
{
    static const char sparse[] = "{\"s\":{\"indices\":[7],\"values\":[2.0]}}";
    struct fixture *f = *state;
    char wanted[128];

    assert_string_equal(
        content(f, no_payload, (struct hl_vector_select){.kind = HL_SELECT_ALL}),
        ",\"vector\":{\"\":[1.0,-0.5],\"s\":{\"indices\":[7],\"values\":[2.0]}}");
    snprintf(wanted, sizeof wanted, ",\"vector\":%s", sparse);
    assert_string_equal(
        content(f, no_payload,
                (struct hl_vector_select){.kind = HL_SELECT_ONLY, .names = {names + 1, 2}}),
        wanted);
    f->collection.points[0].has_values = false;
    assert_string_equal(
        content(f, no_payload,
                (struct hl_vector_select){.kind = HL_SELECT_ONLY, .names = {names, 1}}),
        ",\"vector\":{}");
}

static void what_is_not_wanted_is_not_read(void **state)
{
    const struct hl_payload_select all = {.kind = HL_SELECT_ALL};

    (void)state;
    assert_false(hl_show_reads(&no_payload, &no_vector));
    assert_true(hl_show_reads(&all, &no_vector));
}

static void a_vector_that_is_not_there_cannot_be_wanted(void **state)
{
    const struct hl_vector_select some = {.kind = HL_SELECT_ONLY, .names = {names, 2}};
    const struct hl_vector_select more = {.kind = HL_SELECT_ONLY, .names = {names, 3}};
    struct fixture *f = *state;

    assert_int_equal(hl_show_check(&f->collection.layout, &some, &f->err), HL_OK);
    assert_int_equal(hl_show_check(&f->collection.layout, &more, &f->err),
                     HL_UNKNOWN_VECTOR);
    assert_string_equal(f->err.msg, "Wrong input: Not existing vector name error: t");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_are_numbers_or_texts),
        TEST(payloads_are_shown_as_they_came_or_in_part),
        TEST(an_unnamed_vector_alone_is_bare),
        TEST(other_vectors_have_their_names),
        TEST(what_is_not_wanted_is_not_read),
        TEST(a_vector_that_is_not_there_cannot_be_wanted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
