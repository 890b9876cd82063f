/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets as rows to learn from: vectors, classes, modalities, lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dir.h"
#include "proto/fail.h"
#include "server/lessons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 5000 }; /* more than one block of labels */

struct fixture {
    char folder[48], path[80];
    struct hl_labels *labels;
    struct hl_model from, to;
    struct hl_lesson_rows rows;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-lessons-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/rows", f->folder);
    f->from =
        (struct hl_model){.dim = 2, .distance = HL_COSINE, .name = "v2", .shown = "v2"};
    f->to =
        (struct hl_model){.dim = 1, .distance = HL_EUCLID, .name = "", .shown = "@default"};
    assert_int_equal(hl_labels_new(&f->labels, &f->err), HL_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_lesson_rows_done(&f->rows);
    hl_labels_free(f->labels);
    assert_int_equal(hl_dir_remove(f->folder, &f->err), HL_OK);
    free(f);
    return 0;
}

/* Row i: v2 is (i, 1), @default is `length`; label i % 7 - 1; text when i is odd. */
static void write_rows(struct fixture *f, float length)
{
    const struct hl_tensor tensors[] = {
        {.name = "v2", .type = HL_DTYPE_F32, .n_dims = 2, .shape = {ROWS, 2}},
        {.name = "@default", .type = HL_DTYPE_F32, .n_dims = 2, .shape = {ROWS, 1}},
        {.name = "labels", .type = HL_DTYPE_I64, .n_dims = 1, .shape = {ROWS}},
        {.name = "modality", .type = HL_DTYPE_U8, .n_dims = 1, .shape = {ROWS}}};
    const struct hl_tensors_plan plan = {.tensors = tensors, .n_tensors = 4};
    struct hl_tensors_writer *writer;
    int64_t whole;

    assert_int_equal(hl_tensors_writer_open(f->path, &plan, &writer, &f->err), HL_OK);
    for (int i = 0; i < ROWS; i++) {
        const float row[2] = {(float)i, 1};

        assert_int_equal(hl_tensors_writer_add_floats(writer, row, 2, &f->err), HL_OK);
    }
    for (int i = 0; i < ROWS; i++)
        assert_int_equal(hl_tensors_writer_add_floats(writer, &length, 1, &f->err), HL_OK);
    for (int i = 0; i < ROWS; i++) {
        whole = i % 7 - 1;
        assert_int_equal(hl_tensors_writer_add_i64(writer, &whole, 1, &f->err), HL_OK);
    }
    for (int i = 0; i < ROWS; i++) {
        whole = i % 2;
        assert_int_equal(hl_tensors_writer_add_i64(writer, &whole, 1, &f->err), HL_OK);
    }
    assert_int_equal(hl_tensors_writer_commit(writer, &f->err), HL_OK);
}

static enum hl_code read_rows(struct fixture *f)
{
    struct hl_dataset *dataset;
    enum hl_code code = hl_dataset_load(f->path, &dataset, &f->err);

    return code == HL_OK ? hl_lesson_rows_init(&f->rows, dataset, &f->from, &f->to,
                                               f->labels, &f->err)
                         : code;
}

static void a_dataset_becomes_a_lesson(void **state)
{
    struct fixture *f = *state;
    const struct hl_lesson *lesson = &f->rows.lesson;
    float values[4];

    write_rows(f, 1);
    assert_int_equal(read_rows(f), HL_OK);
    assert_int_equal(lesson->n_rows, ROWS);
    assert_int_equal(lesson->from.dim, 2);
    assert_int_equal(lesson->to.dim, 1);
    assert_int_equal(lesson->from.read(lesson->from.self, ROWS - 2, 2, values, &f->err),
                     HL_OK);
    assert_float_equal(values[2], ROWS - 1, 0);
    for (int i = 0; i < ROWS; i++) {
        char name[8];

        assert_int_equal(lesson->modalities[i],
                         i % 2 ? HL_MODALITY_TEXT : HL_MODALITY_IMAGE);
        if (i % 7 == 0) {
            assert_int_equal(lesson->labels[i], -1);
            continue;
        }
        snprintf(name, sizeof name, "%d", i % 7 - 1);
        assert_string_equal(hl_labels_name(f->labels, lesson->labels[i]), name);
    }
}

static void a_model_that_has_not_seen_the_rows_has_none(void **state)
{
    struct fixture *f = *state;

    write_rows(f, 1);
    f->to.name = f->to.shown = "v9";
    assert_int_equal(read_rows(f), HL_OK);
    assert_int_equal(f->rows.lesson.to.dim, 0);
    assert_int_equal(f->rows.lesson.from.dim, 2);
}

static void rows_that_are_compared_as_they_are_must_be_of_length_1(void **state)
{
    struct fixture *f = *state;

    write_rows(f, 1.5F);
    assert_int_equal(read_rows(f), HL_INVALID);
    assert_string_equal(f->err.msg,
                        "256 of the first 256 rows of \"@default\" are not of length 1: "
                        "bridges join Cosine vectors, and Dot and Euclid ones of length 1");
    f->to.distance = HL_COSINE;
    assert_int_equal(read_rows(f), HL_OK);
}

static void whatever_fails_leaves_nothing(void **state)
{
    static const char *const points[] = {"alloc", "file.read"};
    struct fixture *f = *state;

    write_rows(f, 1);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        enum hl_code code = HL_IO;

        for (int n = 1; code != HL_OK; n++) {
            char rule[32];

            assert_true(n < 200);
            hl_lesson_rows_done(&f->rows);
            snprintf(rule, sizeof rule, "%s=%d:fail", points[i], n);
            assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
            code = read_rows(f);
            hl_failpoint_disarm();
            assert_true(code == HL_OK || !f->rows.dataset);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dataset_becomes_a_lesson),
        TEST(a_model_that_has_not_seen_the_rows_has_none),
        TEST(rows_that_are_compared_as_they_are_must_be_of_length_1),
        TEST(whatever_fails_leaves_nothing),
    };

    return cmocka_run_group_tests_name("lessons", tests, NULL, NULL);
}
