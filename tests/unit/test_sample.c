/* SPDX-License-Identifier: Apache-2.0 */
/* Points of a gallery as rows to learn from: who is chosen, and what is copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/fail.h"
#include "server/datasets.h"
#include "server/sample.h"
#include "tests/unit/looking.h"

enum { C = 1, E = 2 }; /* the spaces, in the order they are made */

struct fixture {
    struct stand *s;
    char path[80];
    struct hl_labels *labels;
    struct hl_path label;
    int32_t *classes;
    uint64_t n;
    struct hl_dataset *file;
};

static int begin(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;

    *f = (struct fixture){.n = 0};
    if (set_up((void **)&f->s) != 0)
        return -1;
    *state = f;
    snprintf(f->path, sizeof f->path, "%s/sample", f->s->folder);
    assert_int_equal(hl_labels_new(&f->labels, &f->s->err), HL_OK);
    return 0;
}

static void forget(struct fixture *f)
{
    hl_dataset_close(f->file);
    f->file = NULL;
    hl_free(f->classes);
    f->classes = NULL;
}

static int end(void **state)
{
    struct fixture *f = *state;

    forget(f);
    hl_labels_free(f->labels);
    return tear_down((void **)&f->s);
}

struct wish {
    const char *label;
    bool needs_label;
    uint64_t limit, seed;
};

static enum hl_code take(struct fixture *f, struct wish wish)
{
    const struct hl_errand errand = {.deadline = &never};
    const struct hl_sample_task task = {.collection = f->s->collection,
                                        .models = {{C, 2, "c"}, {E, 2, "e"}},
                                        .n_models = 2,
                                        .label = wish.label ? &f->label : NULL,
                                        .needs_label = wish.needs_label,
                                        .labels = f->labels,
                                        .limit = wish.limit,
                                        .seed = wish.seed,
                                        .path = f->path,
                                        .errand = &errand};
    enum hl_code code;

    forget(f);
    if (wish.label)
        assert_int_equal(hl_path_parse(wish.label, strlen(wish.label), f->s->arena,
                                       &f->label, &f->s->err),
                         HL_OK);
    code = hl_sample_take(&task, &f->n, &f->classes, &f->s->err);
    if (code == HL_OK)
        code = hl_dataset_load(f->path, &f->file, &f->s->err);
    return code;
}

/* "e" of row i is (point, 0), so that it tells which point it is. */
static int point_of(struct fixture *f, uint64_t row)
{
    float values[2] = {0, 0};

    assert_int_equal(hl_tensors_floats(f->file->tensors, hl_dataset_model(f->file, "e"),
                                       row, 1, values, &f->s->err),
                     HL_OK);
    return (int)values[0];
}

static void list(struct fixture *f, char text[256])
{
    size_t len = 0;

    text[0] = '\0';
    for (uint64_t i = 0; i < f->n; i++)
        len += (size_t)snprintf(text + len, 256 - len, "%d ", point_of(f, i));
}

static void every_point_that_has_both_vectors_is_a_row(void **state)
{
    struct fixture *f = *state;
    char text[256];

    fill(f->s, 1, 5);
    assert_true(change_points(f->s, "{\"upsert\":{\"points\":[{\"id\":9,\"vector\":{\"e\":"
                                    "[9,0]}}]}}") > 0);
    assert_int_equal(take(f, (struct wish){.limit = 100}), HL_OK);
    list(f, text);
    assert_string_equal(text, "1 2 3 4 5 ");
    assert_null(f->classes);
    assert_int_equal(f->file->n_rows, 5);
}

static void a_seed_chooses_the_same_points_and_another_others(void **state)
{
    struct fixture *f = *state;
    char first[256], again[256], other[256];

    fill(f->s, 1, 60);
    assert_int_equal(take(f, (struct wish){.limit = 20, .seed = 1}), HL_OK);
    assert_int_equal(f->n, 20);
    list(f, first);
    assert_int_equal(take(f, (struct wish){.limit = 20, .seed = 1}), HL_OK);
    list(f, again);
    assert_int_equal(take(f, (struct wish){.limit = 20, .seed = 2}), HL_OK);
    list(f, other);
    assert_string_equal(first, again);
    assert_string_not_equal(first, other);
    for (uint64_t i = 1; i < f->n; i++)
        assert_true(point_of(f, i) > point_of(f, i - 1));
}

static void labels_are_texts_and_whole_numbers(void **state)
{
    struct fixture *f = *state;
    char text[256];

    fill(f->s, 1, 4);
    assert_true(
        change_points(f->s, "{\"set_payload\":{\"payload\":{\"l\":\"7\"},\"points\":[1]}},"
                            "{\"set_payload\":{\"payload\":{\"l\":7},\"points\":[2]}},"
                            "{\"set_payload\":{\"payload\":{\"l\":7.5},\"points\":[3]}},"
                            "{\"set_payload\":{\"payload\":{\"l\":\"cat\"},\"points\":[4]}"
                            "}") > 0);
    assert_int_equal(take(f, (struct wish){"l", true, 100, 1}), HL_OK);
    list(f, text);
    assert_string_equal(text, "1 2 4 "); /* 7.5 names no class */
    assert_int_equal(f->classes[0], f->classes[1]);
    assert_string_equal(hl_labels_name(f->labels, f->classes[0]), "7");
    assert_string_equal(hl_labels_name(f->labels, f->classes[2]), "cat");
    assert_int_equal(take(f, (struct wish){"l", false, 100, 1}), HL_OK);
    assert_int_equal(f->n, 4);
    assert_int_equal(f->classes[2], -1);
}

static void where_nobody_has_what_is_wanted_it_is_said(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(take(f, (struct wish){.limit = 100}), HL_INVALID);
    assert_string_equal(f->s->err.msg, "no point has vectors of both models, \"c\" is one");
    fill(f->s, 1, 3);
    assert_int_equal(take(f, (struct wish){"nothing", true, 100, 1}), HL_INVALID);
    assert_int_equal(take(f, (struct wish){"nothing", false, 100, 1}), HL_INVALID);
    assert_string_equal(f->s->err.msg,
                        "none of 3 points has a text or a whole number as its label");
}

static void whatever_fails_fails_in_a_sentence(void **state)
{
    static const char *const points[] = {"alloc", "file.open", "file.write"};
    struct fixture *f = *state;

    fill(f->s, 1, 8);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        enum hl_code code = HL_IO;

        for (int n = 1; code != HL_OK; n++) {
            char rule[48];

            assert_true(n < 500);
            forget(f);
            unlink(f->path);
            snprintf(rule, sizeof rule, "%s=%d:fail", points[i], n);
            assert_int_equal(hl_failpoint_arm(rule, &f->s->err), HL_OK);
            code = take(f, (struct wish){"colour", true, 100, 1});
            hl_failpoint_disarm();
        }
        assert_int_equal(f->n, 8);
    }
}

#define RIGGED(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(every_point_that_has_both_vectors_is_a_row),
        RIGGED(a_seed_chooses_the_same_points_and_another_others),
        RIGGED(labels_are_texts_and_whole_numbers),
        RIGGED(where_nobody_has_what_is_wanted_it_is_said),
        RIGGED(whatever_fails_fails_in_a_sentence),
    };

    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
