/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/exam.h"
#include "proto/alloc.h"
#include "proto/fail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 6000 };

/* A lesson whose row i points in its own direction: (1, i) in `from`, (i, 1) in `to`, so
 * that the exam's rows can be told apart after they were brought to length 1. */
struct fixture {
    float from[MAX_ROWS * 2], to[MAX_ROWS * 2];
    int32_t labels[MAX_ROWS];
    uint8_t modalities[MAX_ROWS];
    struct hl_rows_memory from_memory, to_memory;
    struct hl_lesson lesson;
    struct hl_exam *exam;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = hl_alloc_zeroed(1, sizeof *f);

    if (!f)
        return -1;
    for (size_t i = 0; i < MAX_ROWS; i++) {
        f->from[2 * i] = f->to[2 * i + 1] = 1;
        f->from[2 * i + 1] = f->to[2 * i] = (float)i;
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_exam_free(f->exam);
    hl_free(f);
    return 0;
}

static void give(struct fixture *f, size_t n_rows)
{
    f->from_memory = (struct hl_rows_memory){f->from, 2};
    f->to_memory = (struct hl_rows_memory){f->to, 2};
    f->lesson = (struct hl_lesson){.n_rows = n_rows,
                                   .from = hl_rows_of_memory(&f->from_memory, n_rows, "v2"),
                                   .to = hl_rows_of_memory(&f->to_memory, n_rows, "v1")};
}

static enum hl_code load(struct fixture *f, size_t max_rows, uint64_t seed)
{
    hl_exam_free(f->exam);
    f->exam = NULL;
    return hl_exam_load(&f->lesson, max_rows, seed, &f->exam, &f->err);
}

static void load_well(struct fixture *f, size_t max_rows, uint64_t seed)
{
    assert_int_equal(load(f, max_rows, seed), HL_OK);
    if (!f->exam)
        abort(); /* what an analyser does not take from the line before */
}

/* Which row of the lesson the exam's row is, by either model's vector. */
static size_t row_of(const struct fixture *f, size_t row)
{
    const float *from = f->exam->from + 2 * row, *to = f->exam->to + 2 * row;
    double by_from = (double)from[1] / (double)from[0];
    double by_to = (double)to[0] / (double)to[1];

    assert_true(fabs(by_from - by_to) < .2);
    assert_true(fabs(hypot((double)to[0], (double)to[1]) - 1) < 1e-6);
    return (size_t)lround(by_from);
}

static void assert_rows(const struct fixture *f, const size_t *wanted, size_t n)
{
    assert_int_equal(f->exam->n_rows, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(row_of(f, i), wanted[i]);
}

static void the_first_half_asks_and_the_second_is_the_gallery(void **state)
{
    static const size_t wanted[] = {0, 1, 2, 3, 4, 5, 6};
    struct fixture *f = *state;

    give(f, 7);
    load_well(f, 100, 1);
    assert_rows(f, wanted, 7);
    assert_int_equal(f->exam->n_queries, 3);
    assert_int_equal(f->exam->n_ranked, 3);
    assert_int_equal(f->exam->dim_from, 2);
    assert_int_equal(f->exam->dim_to, 2);
    assert_null(f->exam->labels);
    assert_false(f->exam->is_dealt);
}

static void no_more_than_2500_queries_are_ranked(void **state)
{
    struct fixture *f = *state;

    give(f, 5200);
    load_well(f, 10000, 1);
    assert_int_equal(f->exam->n_queries, 2600);
    assert_int_equal(f->exam->n_ranked, 2500);
    for (size_t row = 0; row < 5200; row += 37)
        assert_int_equal(row_of(f, row), row);
}

static void of_too_many_rows_some_are_chosen_by_seed_in_their_order(void **state)
{
    struct fixture *f = *state;
    size_t first[40], n_alike = 0;

    give(f, 1000);
    load_well(f, 40, 5);
    assert_int_equal(f->exam->n_rows, 40);
    for (size_t i = 0; i < 40; i++) {
        first[i] = row_of(f, i);
        assert_true(i == 0 || first[i] > first[i - 1]);
    }
    assert_true(first[39] > 800 && first[0] < 200);
    load_well(f, 40, 5);
    assert_rows(f, first, 40);
    load_well(f, 40, 6);
    for (size_t i = 0; i < 40; i++)
        n_alike += row_of(f, i) == first[i];
    assert_true(n_alike < 20);
}

static void labels_go_with_their_rows(void **state)
{
    struct fixture *f = *state;

    give(f, 1000);
    for (size_t i = 0; i < 1000; i++)
        f->labels[i] = (int32_t)(i % 7) - 1;
    f->lesson.labels = f->labels;
    load_well(f, 50, 1);
    for (size_t i = 0; i < 50; i++)
        assert_int_equal(f->exam->labels[i], f->labels[row_of(f, i)]);
    assert_false(f->exam->is_dealt);
}

static void rows_sorted_by_label_are_dealt_out(void **state)
{
    static const size_t wanted[] = {0, 2, 4, 6, 8, 1, 3, 5, 7};
    struct fixture *f = *state;

    give(f, 9);
    for (size_t i = 0; i < 9; i++)
        f->labels[i] = (int32_t)(i / 3);
    f->lesson.labels = f->labels;
    load_well(f, 100, 1);
    assert_true(f->exam->is_dealt);
    assert_int_equal(f->exam->n_queries, 5);
    assert_rows(f, wanted, 9);
}

static void of_rows_dealt_out_every_class_is_ranked(void **state)
{
    struct fixture *f = *state;

    give(f, 6000);
    for (size_t i = 0; i < 6000; i++)
        f->labels[i] = (int32_t)(i / 100);
    f->lesson.labels = f->labels;
    load_well(f, 6000, 1);
    assert_true(f->exam->is_dealt);
    assert_int_equal(f->exam->n_queries, 3000);
    assert_int_equal(f->exam->n_ranked, 1500);
    for (size_t i = 0; i < 1500; i++)
        assert_int_equal(row_of(f, i), 4 * i);
    assert_int_equal(row_of(f, 1500), 2);
    assert_int_equal(row_of(f, 3000), 1);
}

/* Three of five find their label in the other half; every one would, if rows were dealt. */
static void halves_that_share_most_labels_stay_halves(void **state)
{
    static const int32_t labels[] = {0, 0, 1, 1, 0, 0, 0, 2, 2, 0};
    struct fixture *f = *state;

    give(f, 10);
    memcpy(f->labels, labels, sizeof labels);
    f->lesson.labels = f->labels;
    load_well(f, 100, 1);
    assert_false(f->exam->is_dealt);
}

static void labels_that_come_once_each_are_not_dealt_in_vain(void **state)
{
    struct fixture *f = *state;

    give(f, 20);
    for (size_t i = 0; i < 20; i++)
        f->labels[i] = (int32_t)i;
    f->lesson.labels = f->labels;
    load_well(f, 100, 1);
    assert_false(f->exam->is_dealt);
}

static void labels_none_of_which_is_known_are_none(void **state)
{
    struct fixture *f = *state;

    give(f, 8);
    memset(f->labels, -1, sizeof f->labels);
    f->lesson.labels = f->labels;
    load_well(f, 100, 1);
    assert_null(f->exam->labels);
}

/* Images 0 2 4 6 8 10, texts between them. */
static void text_asks_and_is_never_in_the_gallery(void **state)
{
    static const size_t wanted[] = {0, 2, 4, 1, 3, 5, 7, 9, 11, 6, 8, 10};
    struct fixture *f = *state;

    give(f, 12);
    for (size_t i = 0; i < 12; i++)
        f->modalities[i] = i % 2;
    f->lesson.modalities = f->modalities;
    load_well(f, 100, 1);
    assert_rows(f, wanted, 12);
    assert_int_equal(f->exam->n_queries, 9);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(f->exam->modalities[i], wanted[i] % 2);
}

static void both_kinds_of_queries_are_ranked(void **state)
{
    struct fixture *f = *state;

    give(f, 6000);
    memset(f->modalities + 5200, HL_MODALITY_TEXT, 800);
    f->lesson.modalities = f->modalities;
    load_well(f, 6000, 1);
    assert_int_equal(f->exam->n_ranked, 2500 + 800);
    assert_int_equal(f->exam->n_queries, 2600 + 800);
    assert_int_equal(row_of(f, 2499), 2499);
    assert_int_equal(row_of(f, 2500), 5200);
    assert_int_equal(row_of(f, 3300), 2500);
    assert_int_equal(row_of(f, 3400), 2600);
}

static void text_alone_is_halved_like_images(void **state)
{
    struct fixture *f = *state;

    give(f, 6);
    memset(f->modalities, HL_MODALITY_TEXT, 6);
    f->lesson.modalities = f->modalities;
    load_well(f, 100, 1);
    assert_int_equal(f->exam->n_queries, 3);
    assert_int_equal(row_of(f, 5), 5);
}

static void what_cannot_be_judged_on_is_refused(void **state)
{
    struct fixture *f = *state;

    give(f, 3);
    assert_int_equal(load(f, 100, 1), HL_INVALID);
    assert_string_equal(f->err.msg, "3 rows to judge on: at least 4 are needed");
    give(f, 9);
    memset(f->modalities + 1, HL_MODALITY_TEXT, 8);
    f->lesson.modalities = f->modalities;
    assert_int_equal(load(f, 100, 1), HL_INVALID);
    assert_string_equal(f->err.msg,
                        "1 images beside 8 texts to judge on: at least 2 are needed");
    give(f, 9);
    f->from[14] = f->from[15] = 0;
    assert_int_equal(load(f, 100, 1), HL_INVALID);
    assert_string_equal(f->err.msg,
                        "row 7 of \"v2\" is all zeros: a vector needs a direction");
}

static void a_model_that_has_not_seen_them_is_not_there(void **state)
{
    struct fixture *f = *state;

    give(f, 8);
    f->lesson.from.dim = 0;
    load_well(f, 100, 1);
    assert_null(f->exam->from);
    assert_non_null(f->exam->to);
}

static void loading_survives_the_lack_of_memory(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    int nth = 0;

    give(f, 8);
    f->lesson.labels = f->labels;
    f->lesson.modalities = f->modalities;
    while (code != HL_OK) {
        char rule[32];

        assert_true(++nth < 20);
        snprintf(rule, sizeof rule, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = load(f, 100, 1);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || (code == HL_NO_MEMORY && !f->exam));
    }
    assert_true(nth > 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(the_first_half_asks_and_the_second_is_the_gallery),
        CASE(no_more_than_2500_queries_are_ranked),
        CASE(of_too_many_rows_some_are_chosen_by_seed_in_their_order),
        CASE(labels_go_with_their_rows),
        CASE(rows_sorted_by_label_are_dealt_out),
        CASE(of_rows_dealt_out_every_class_is_ranked),
        CASE(halves_that_share_most_labels_stay_halves),
        CASE(labels_that_come_once_each_are_not_dealt_in_vain),
        CASE(labels_none_of_which_is_known_are_none),
        CASE(text_asks_and_is_never_in_the_gallery),
        CASE(both_kinds_of_queries_are_ranked),
        CASE(text_alone_is_halved_like_images),
        CASE(what_cannot_be_judged_on_is_refused),
        CASE(a_model_that_has_not_seen_them_is_not_there),
        CASE(loading_survives_the_lack_of_memory),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
