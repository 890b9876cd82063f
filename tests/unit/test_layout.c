/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/layout.h"
#include "proto/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 4, N_PARTS = 4 };

struct fixture {
    struct hl_layout *layout;
    struct hl_part *parts[N_PARTS];
    char shape[N_PARTS + 1];
    struct hl_err err;
};

static struct hl_text text_of(const char *text)
{
    return (struct hl_text){text, strlen(text)};
}

static enum hl_code add(struct fixture *f, uint32_t id, const char *name,
                        enum hl_distance distance)
{
    const struct hl_vector_config config = {.name = text_of(name),
                                            .size = DIM,
                                            .distance = distance,
                                            .text = text_of("{\"as\":\"it came\"}")};

    return hl_layout_add_space(f->layout, id, &config, &f->err);
}

static enum hl_code add_sparse(struct fixture *f, uint32_t id, const char *name)
{
    const struct hl_vector_config config = {.name = text_of(name),
                                            .is_sparse = true,
                                            .distance = HL_DOT,
                                            .text = text_of("{}")};

    return hl_layout_add_space(f->layout, id, &config, &f->err);
}

static int set_up(void **state)
{
    const struct hl_tail_options options = {HL_METRIC_DOT, DIM, 8};
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f)
        return -1;
    f->layout = hl_layout_new();
    for (int i = 0; i < N_PARTS; i++) {
        struct hl_tail *tail = NULL;

        if (hl_tail_new(&options, &tail, &f->err) != HL_OK ||
            hl_part_of_tail(tail, &f->parts[i], &f->err) != HL_OK)
            return -1;
    }
    return f->layout ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_layout_unref(f->layout);
    for (int i = 0; i < N_PARTS; i++)
        hl_part_unref(f->parts[i]);
    free(f);
    return 0;
}

static const struct hl_space *find(const struct hl_layout *layout, const char *name)
{
    const struct hl_text text = text_of(name);

    return hl_layout_find(layout, &text);
}

/* The parts of space 1, as digits. */
static const char *shape(struct fixture *f, const struct hl_layout *layout)
{
    const struct hl_shelf *shelf = &hl_layout_space(layout, 1)->shelf;
    size_t n = 0;

    for (; n < shelf->n_parts && n < N_PARTS; n++)
        for (int i = 0; i < N_PARTS; i++)
            if (shelf->parts[n] == f->parts[i])
                f->shape[n] = (char)('0' + i);
    f->shape[n] = '\0';
    return f->shape;
}

static void fill(struct fixture *f, int n)
{
    assert_int_equal(add(f, 1, "", HL_COSINE), HL_OK);
    for (int i = 0; i < n; i++)
        assert_int_equal(hl_layout_add_part(f->layout, 1, f->parts[i], &f->err), HL_OK);
}

static enum hl_code swap(struct fixture *f, int first, size_t n, struct hl_part *part)
{
    return hl_layout_swap_parts(f->layout, 1, &f->parts[first], n, part, &f->err);
}

static void a_new_layout_has_no_spaces(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->layout->number, 1);
    assert_int_equal(f->layout->n_spaces, 0);
    assert_string_equal(f->layout->config, "");
    assert_null(find(f->layout, ""));
    assert_null(hl_layout_space(f->layout, 1));
}

static void spaces_are_found_by_name_and_by_id(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 7, "", HL_EUCLID), HL_OK);
    assert_int_equal(add_sparse(f, 3, "words"), HL_OK);
    assert_ptr_equal(find(f->layout, ""), hl_layout_space(f->layout, 7));
    assert_ptr_equal(find(f->layout, "words"), hl_layout_space(f->layout, 3));
    assert_null(find(f->layout, "word"));
    assert_null(find(f->layout, "words2"));
    assert_null(hl_layout_space(f->layout, 1));
    assert_int_equal(find(f->layout, "")->dim, DIM);
    assert_null(find(f->layout, "")->sparse);
    assert_string_equal(find(f->layout, "")->settings, "{\"as\":\"it came\"}");
    assert_int_equal(find(f->layout, "words")->dim, 0);
    assert_non_null(find(f->layout, "words")->sparse);
}

static void a_distance_says_how_its_shelf_is_searched(void **state)
{
    struct fixture *f = *state;
    static const enum hl_metric wanted[] = {[HL_COSINE] = HL_METRIC_DOT,
                                            [HL_EUCLID] = HL_METRIC_L2,
                                            [HL_DOT] = HL_METRIC_DOT,
                                            [HL_MANHATTAN] = HL_METRIC_L1};

    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(add(f, i + 1, hl_distance_name(i), i), HL_OK);
        assert_int_equal(hl_layout_space(f->layout, i + 1)->shelf.metric, wanted[i]);
        assert_int_equal(hl_layout_space(f->layout, i + 1)->shelf.dim, DIM);
        assert_int_equal(hl_layout_space(f->layout, i + 1)->distance, i);
    }
}

static void a_dropped_space_leaves_the_others_in_their_order(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(add(f, 1, "a", HL_DOT), HL_OK);
    assert_int_equal(add(f, 2, "b", HL_DOT), HL_OK);
    assert_int_equal(add(f, 3, "c", HL_DOT), HL_OK);
    hl_layout_drop_space(f->layout, 2);
    hl_layout_drop_space(f->layout, 9);
    assert_int_equal(f->layout->n_spaces, 2);
    assert_string_equal(f->layout->spaces[0].name, "a");
    assert_string_equal(f->layout->spaces[1].name, "c");
}

static void texts_are_replaced(void **state)
{
    struct fixture *f = *state;
    const struct hl_text settings = text_of("{\"on_disk\":true}"), config = text_of("{}");

    assert_int_equal(add(f, 1, "a", HL_DOT), HL_OK);
    assert_int_equal(hl_layout_set_space(f->layout, 1, &settings, &f->err), HL_OK);
    assert_int_equal(hl_layout_set_config(f->layout, &config, &f->err), HL_OK);
    assert_string_equal(f->layout->spaces[0].settings, "{\"on_disk\":true}");
    assert_string_equal(f->layout->config, "{}");
}

static void a_copy_is_the_next_one_and_its_changes_are_its_own(void **state)
{
    struct fixture *f = *state;
    struct hl_layout *before;

    fill(f, 2);
    assert_int_equal(add_sparse(f, 2, "words"), HL_OK);
    before = f->layout;
    f->layout = hl_layout_copy(before);
    assert_non_null(f->layout);
    assert_int_equal(f->layout->number, 2);
    assert_ptr_equal(find(f->layout, "words")->sparse, find(before, "words")->sparse);
    assert_int_equal(hl_layout_add_part(f->layout, 1, f->parts[2], &f->err), HL_OK);
    hl_layout_drop_space(f->layout, 2);
    assert_string_equal(shape(f, before), "01");
    assert_non_null(find(before, "words"));
    assert_string_equal(shape(f, f->layout), "012");
    hl_layout_unref(before);
    assert_string_equal(shape(f, f->layout), "012");
}

static void a_reference_keeps_it(void **state)
{
    struct fixture *f = *state;

    fill(f, 1);
    assert_ptr_equal(hl_layout_ref(f->layout), f->layout);
    hl_layout_unref(f->layout);
    assert_string_equal(shape(f, f->layout), "0");
    hl_layout_unref(NULL);
}

static void a_part_takes_the_place_of_its_neighbours(void **state)
{
    struct fixture *f = *state;

    fill(f, 3);
    assert_int_equal(swap(f, 1, 2, f->parts[3]), HL_OK);
    assert_string_equal(shape(f, f->layout), "03");
    assert_int_equal(swap(f, 0, 1, f->parts[2]), HL_OK);
    assert_string_equal(shape(f, f->layout), "23");
}

static void nothing_can_take_the_place_of_parts(void **state)
{
    struct fixture *f = *state;

    fill(f, 4);
    assert_int_equal(swap(f, 1, 2, NULL), HL_OK);
    assert_string_equal(shape(f, f->layout), "03");
    assert_int_equal(swap(f, 3, 1, NULL), HL_OK);
    assert_int_equal(swap(f, 0, 1, NULL), HL_OK);
    assert_string_equal(shape(f, f->layout), "");
}

static void parts_that_are_not_there_are_not_replaced(void **state)
{
    struct fixture *f = *state;

    fill(f, 2);
    assert_int_equal(swap(f, 2, 1, f->parts[3]), HL_CONFLICT);
    assert_int_equal(swap(f, 1, 2, f->parts[3]), HL_CONFLICT);
    assert_string_equal(shape(f, f->layout), "01");
}

static enum hl_code change_everything(struct fixture *f, struct hl_layout *layout)
{
    const struct hl_vector_config config = {
        .name = text_of("n"), .size = DIM, .distance = HL_DOT, .text = text_of("{}")};
    const struct hl_vector_config sparse = {
        .name = text_of("s"), .is_sparse = true, .text = text_of("{}")};
    const struct hl_text text = text_of("{\"x\":1}");
    enum hl_code code = hl_layout_add_space(layout, 8, &config, &f->err);

    if (code == HL_OK)
        code = hl_layout_add_space(layout, 9, &sparse, &f->err);
    if (code == HL_OK)
        code = hl_layout_set_space(layout, 8, &text, &f->err);
    if (code == HL_OK)
        code = hl_layout_set_config(layout, &text, &f->err);
    if (code == HL_OK)
        code = hl_layout_add_part(layout, 1, f->parts[3], &f->err);
    return code;
}

static void without_memory_there_is_an_error_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    int n_failed = -1;

    fill(f, 3);
    for (int n = 1; code != HL_OK; n++) {
        struct hl_layout *copy;
        char spec[32];

        snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(spec, &f->err), HL_OK);
        copy = hl_layout_copy(f->layout);
        code = copy ? change_everything(f, copy) : HL_NO_MEMORY;
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        hl_layout_unref(copy);
        assert_string_equal(shape(f, f->layout), "012");
        n_failed++;
        assert_true(n < 100);
    }
    assert_true(n_failed >= 10);
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &f->err), HL_OK);
    assert_null(hl_layout_new());
    hl_failpoint_disarm();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_layout_has_no_spaces),
        TEST(spaces_are_found_by_name_and_by_id),
        TEST(a_distance_says_how_its_shelf_is_searched),
        TEST(a_dropped_space_leaves_the_others_in_their_order),
        TEST(texts_are_replaced),
        TEST(a_copy_is_the_next_one_and_its_changes_are_its_own),
        TEST(a_reference_keeps_it),
        TEST(a_part_takes_the_place_of_its_neighbours),
        TEST(nothing_can_take_the_place_of_parts),
        TEST(parts_that_are_not_there_are_not_replaced),
        TEST(without_memory_there_is_an_error_and_nothing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
