/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/changing.h"

/* What the server publishes with a layout, and searches that leave points out. Spaces "c"
 * and "d" are as looking.h makes them. */
static uint32_t id_of(const struct hl_layout *layout, const char *name)
{
    const struct hl_text text = {name, strlen(name)};

    return hl_layout_find(layout, &text)->id;
}

static void give(struct stand *s, int id, const char *vectors)
{
    assert_true(change_points(s, hl_arena_print(s->arena,
                                                "{\"upsert\":{\"points\":[{\"id\":%d,"
                                                "\"vector\":{%s}}]}}",
                                                id, vectors)) > 0);
}

static int n_companions;

static void free_companion(struct hl_companion *companion)
{
    n_companions--;
    free(companion);
}

static enum hl_code compile(void *self, struct hl_reader *reader,
                            const struct hl_layout *layout,
                            struct hl_companion **ret_companion, struct hl_err *err)
{
    struct hl_companion *companion = calloc(1, sizeof *companion);

    (void)self;
    (void)reader;
    (void)layout;
    (void)err;
    assert_non_null(companion);
    atomic_init(&companion->n_refs, 1);
    companion->free = free_companion;
    n_companions++;
    *ret_companion = companion;
    return HL_OK;
}

static enum hl_code set_companion(struct stand *s, struct hl_writing *writing,
                                  struct hl_err *err)
{
    struct hl_companion *companion = NULL;
    enum hl_code code = compile(NULL, NULL, NULL, &companion, err);

    (void)s;
    if (code == HL_OK)
        code = hl_writing_set_companion(writing, companion, err);
    hl_companion_unref(companion);
    return code;
}

static void a_companion_is_published_with_the_layout(void **state)
{
    struct stand *s = *state;

    give(s, 1, "\"c\":[1,0]");
    give(s, 2, "\"c\":[1,0],\"d\":[1,0]");
    look(s, NULL);
    assert_null(hl_look_layout(s->look)->companion);
    assert_true(hl_look_n_carriers(s->look, id_of(hl_look_layout(s->look), "c")) == 0);
    assert_int_equal(act_alone(s, set_companion), HL_OK);
    look(s, NULL);
    assert_non_null(hl_look_layout(s->look)->companion);
    assert_true(hl_look_n_carriers(s->look, id_of(hl_look_layout(s->look), "c")) == 2);
    assert_true(hl_look_n_carriers(s->look, id_of(hl_look_layout(s->look), "d")) == 1);
    close_stand(s);
    s->options.compile = compile;
    assert_int_equal(open_stand(s), HL_OK);
    look(s, NULL);
    assert_non_null(hl_look_layout(s->look)->companion);
    close_stand(s);
    assert_int_equal(n_companions, 0);
    assert_int_equal(open_stand(s), HL_OK);
}

static size_t leave_out_d(void *self, const struct hl_layout *layout, uint32_t *spaces,
                          size_t room)
{
    (void)self;
    assert_true(room > 0);
    spaces[0] = id_of(layout, "d");
    return 1;
}

static const char *others(struct stand *s, const struct hl_filter *filter)
{
    static const float at[2] = {1, 0};
    const struct hl_look_wish wish = {
        .filters = &filter, .n_filters = 1, .leave_out = leave_out_d};
    struct hl_find find = query(at, 2, 10);
    const struct hl_hit *hits = NULL;
    size_t n = 0, len = 0;
    char *text = hl_arena_alloc(s->arena, 4096);

    text[0] = '\0';
    hl_look_close(s->look);
    s->look = NULL;
    assert_int_equal(hl_look_open(s->collection, &wish, &s->look, &s->err), HL_OK);
    find.deadline = &never;
    find.space = hl_layout_find(hl_look_layout(s->look), &(struct hl_text){"c", 1});
    find.without = &(uint32_t){id_of(hl_look_layout(s->look), "d")};
    find.n_without = 1;
    assert_int_equal(hl_look_find(s->look, &find, s->arena, &hits, &n, &s->err), HL_OK);
    for (size_t i = 0; i < n; i++) {
        const struct hl_id id = hl_look_id(s->look, hits[i].number);

        len += (size_t)snprintf(text + len, 4096 - len, "%s%d", i ? " " : "",
                                (int)hl_id_value(&id));
    }
    return text;
}

static void points_that_another_model_has_seen_can_be_left_out(void **state)
{
    struct stand *s = *state;
    struct hl_find find;

    give(s, 1, "\"c\":[1,0]");
    give(s, 2, "\"c\":[1,0],\"d\":[1,0]");
    give(s, 3, "\"c\":[1,0],\"d\":[1,0]");
    give(s, 4, "\"c\":[1,0]");
    assert_string_equal(others(s, NULL), "1 4");
    assert_string_equal(others(s, filter_of(s, "{\"must\":[{\"has_id\":[2,4]}]}")), "4");
    assert_true(
        change_points(s, "{\"delete_vectors\":{\"points\":[2],\"vector\":[\"d\"]}}") > 0);
    assert_string_equal(others(s, NULL), "1 2 4");

    look(s, NULL); /* that did not wish for it */
    find = query((const float[2]){1, 0}, 2, 10);
    find.space = hl_layout_find(hl_look_layout(s->look), &(struct hl_text){"c", 1});
    find.without = &(uint32_t){77};
    find.n_without = 1;
    assert_int_equal(hl_look_find(s->look, &find, s->arena, &(const struct hl_hit *){NULL},
                                  &(size_t){0}, &s->err),
                     HL_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_companion_is_published_with_the_layout),
        TEST(points_that_another_model_has_seen_can_be_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
