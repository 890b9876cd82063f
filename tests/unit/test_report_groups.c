/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/judged.h"

static void retrieval_is_measured_in_both_spaces_and_across(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_string_equal(all->name, "all");
    assert_retrieval(all->old_old, .5, (GOOD + BAD) / 2, 4);
    assert_retrieval(all->new_old, .75, (3 * GOOD + BAD) / 4, 4);
    assert_retrieval(all->new_new, 1, GOOD, 4);
}

static void old_queries_are_measured_among_new_items(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_retrieval(all->old_new, .75, (3 * GOOD + BAD) / 4, 4);
    assert_retrieval(all->old_mixed, .75, (3 * GOOD + BAD) / 4, 4);
    assert_figure(all->forward_top1_difference, -.25, 4);
    assert_figure(all->forward_map_difference, (BAD - GOOD) / 4, 4);
    assert_false(all->meets_forward);
}

/* New queries 15 and 108 put where they find another class first, as the old ones do not.
 */
static void forward_is_held_against_the_model_it_leaves(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *all;

    put(f->from, 0, 50 + 30);
    put(f->from, 3, 98 + 30);
    all = make(f);
    assert_retrieval(all->new_new, .5, (GOOD + BAD) / 2, 4);
    assert_figure(all->forward_top1_difference, .25, 4);
    assert_true(all->meets_forward);
    assert_true(all->forward_map_difference.value > 0);
}

static void gains_are_of_what_the_new_model_could_bring(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_figure(all->top1_difference, .25, 4);
    assert_figure(all->map_difference, (GOOD - BAD) / 4, 4);
    assert_figure(all->top1_gain, .5, 4);
    assert_figure(all->map_gain, .5, 4);
    assert_true(all->meets_top1 && all->meets_map);
}

static void flips_are_counted_both_ways(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_figure(all->negative_flips, .25, 4);
    assert_figure(all->positive_flips, .5, 4);
    assert_figure(all->relative_flips, .25 / (.5 * .25), 4);
}

/* The second item, at 60, lies nearer to the third. */
static void photographs_find_themselves_or_do_not(void **state)
{
    const struct hl_report_group *all = make(*state);

    assert_figure(all->self1, .75, 4);
    assert_figure(all->self10, 1, 4);
    assert_figure(all->overlap10, 1, 4);
}

static void what_the_old_head_does_not_know_is_a_group(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *groups;

    f->task.head = &f->head;
    groups = make(f);
    assert_int_equal(f->report->n_groups, 3);
    assert_string_equal(groups[1].name, "known");
    assert_string_equal(groups[2].name, "unknown");
    assert_retrieval(groups[1].old_old, .5, (GOOD + BAD) / 2, 2);
    assert_retrieval(groups[1].new_old, .5, (GOOD + BAD) / 2, 2);
    assert_false(groups[1].meets_top1 || groups[1].meets_map);
    assert_retrieval(groups[2].new_old, 1, GOOD, 2);
    assert_true(groups[2].meets_top1 && groups[2].meets_map);
    assert_figure(groups[1].self1, 1, 2);
    assert_figure(groups[2].self1, .5, 2);
}

/* Of class 0 the old head has old 5, 15, 0 right and 90 wrong, mapped 15, 5, 1 and not 95;
 * the new head, whose second row is class 0, the same. */
static void accuracy_is_over_rows_of_known_classes(void **state)
{
    static const int32_t own_classes[] = {7, 0};
    struct fixture *f = *state;
    const struct hl_report_group *groups;

    f->task.head = &f->head;
    f->task.own_head = &f->own_head;
    f->task.own_classes = own_classes;
    groups = make(f);
    assert_figure(groups[0].old_accuracy, .75, 4);
    assert_figure(groups[0].new_accuracy, .75, 4);
    assert_figure(groups[0].own_accuracy, .75, 4);
    assert_figure(groups[0].head_negative_flips, 0, 4);
    assert_figure(groups[2].old_accuracy, 0, 0);
    put(f->from, 0, 90 + 30);
    put(f->to, 6, 20);
    groups = make(f);
    assert_figure(groups[0].old_accuracy, 1, 4);
    assert_figure(groups[0].new_accuracy, .5, 4);
    assert_figure(groups[0].own_accuracy, .5, 4);
    assert_figure(groups[0].head_negative_flips, .5, 4);
    assert_figure(groups[0].head_positive_flips, 0, 4);
    assert_figure(groups[0].head_relative_flips, 1, 4);
}

/* Of 100,000 classes 2,684 rows are 2^28 logits. The vectors are of one number, and the
 * head's last row alone is positive. */
enum { MANY_CLASSES = 100000, MANY_ROWS = 2800, ASKED_ROWS = (1 << 28) / MANY_CLASSES };

static void of_very_many_classes_the_first_rows_are_asked(void **state)
{
    struct fixture *f = *state;
    float *rows = calloc(MANY_ROWS, sizeof *rows);
    float *weight = calloc(MANY_CLASSES, sizeof *weight);
    int32_t *labels = calloc(MANY_ROWS, sizeof *labels);
    uint8_t *modalities = calloc(MANY_ROWS, sizeof *modalities);

    if (!rows || !weight || !labels || !modalities)
        abort();
    for (size_t row = 0; row < MANY_ROWS; row++) {
        rows[row] = 1;
        labels[row] = row % 4 == 0 ? MANY_CLASSES - 1 : 0;
    }
    weight[MANY_CLASSES - 1] = 1;
    f->head = (struct hl_head){.n_rows = MANY_CLASSES, .dim = 1, .weight = weight};
    f->exam = (struct hl_exam){.n_rows = MANY_ROWS,
                               .n_queries = MANY_ROWS / 2,
                               .dim_from = 1,
                               .dim_to = 1,
                               .from = rows,
                               .to = rows,
                               .labels = labels,
                               .modalities = modalities};
    f->task = (struct hl_report_task){.exam = &f->exam, .head = &f->head, .is_brief = true};
    assert_figure(make(f)->old_accuracy, .25, ASKED_ROWS);
    free(rows);
    free(weight);
    free(labels);
    free(modalities);
}

static void text_and_images_are_groups(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *groups;

    f->modalities[2] = f->modalities[3] = HL_MODALITY_TEXT;
    groups = make(f);
    assert_int_equal(f->report->n_groups, 3);
    assert_string_equal(groups[1].name, "image");
    assert_string_equal(groups[2].name, "text");
    assert_retrieval(groups[1].new_old, .5, (GOOD + BAD) / 2, 2);
    assert_retrieval(groups[2].new_old, 1, GOOD, 2);
    assert_figure(groups[1].self1, .75, 4);
    assert_figure(groups[2].self1, 0, 0);
}

static void text_goes_its_own_way_where_it_has_one(void **state)
{
    struct fixture *f = *state;

    f->modalities[2] = f->modalities[3] = HL_MODALITY_TEXT;
    f->bridge->ways[HL_MODALITY_TEXT].faithful = turning(-30 + 180);
    assert_retrieval(make(f)[2].new_old, 0, (1.0 / 2 + 2.0 / 4) / 2, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        CASE(retrieval_is_measured_in_both_spaces_and_across),
        CASE(old_queries_are_measured_among_new_items),
        CASE(forward_is_held_against_the_model_it_leaves),
        CASE(gains_are_of_what_the_new_model_could_bring),
        CASE(flips_are_counted_both_ways),
        CASE(photographs_find_themselves_or_do_not),
        CASE(what_the_old_head_does_not_know_is_a_group),
        CASE(accuracy_is_over_rows_of_known_classes),
        CASE(of_very_many_classes_the_first_rows_are_asked),
        CASE(text_and_images_are_groups),
        CASE(text_goes_its_own_way_where_it_has_one),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
