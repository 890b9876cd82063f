/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/fail.h"
#include "server/learn.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 1000, FROM = 6, TO = 4 };

/* Rows of two models: `to` sees four of the six numbers that `from` sees, a little blurred.
 * The label is which of the four is the largest. */
struct fixture {
    float from[MAX_ROWS * FROM], to[MAX_ROWS * TO];
    int32_t labels[MAX_ROWS];
    struct hl_rows_memory from_memory, to_memory;
    struct hl_labels *names;
    struct hl_learn learn;
    struct hl_learnt learnt;
    struct hl_deadline deadline;
    atomic_bool is_cancelled;
    double told;    /* the last share */
    bool fell_back; /* a share was below the one before it */
    struct hl_err err;
};

static int64_t no_time(void *self)
{
    (void)self;
    return 0;
}

static void hear(void *self, const char *phase, double progress)
{
    struct fixture *f = self;

    assert_true(strlen(phase) > 0);
    assert_true(progress >= 0 && progress <= 1);
    f->fell_back = f->fell_back || progress < f->told;
    f->told = progress;
}

/* Evenly spread over -1 … 1, the same in every run. */
static float draw(uint32_t *state)
{
    *state = *state * 1664525U + 1013904223U;
    return (float)(*state >> 8) / (float)(1 << 23) - 1;
}

static void make_rows(struct fixture *f)
{
    uint32_t state = 1;

    for (size_t i = 0; i < MAX_ROWS; i++) {
        for (size_t j = 0; j < FROM; j++)
            f->from[i * FROM + j] = draw(&state);
        for (size_t j = 0; j < TO; j++) {
            f->to[i * TO + j] = f->from[i * FROM + j] + .1F * draw(&state);
            if (f->to[i * TO + j] > f->to[i * TO + (size_t)f->labels[i]])
                f->labels[i] = (int32_t)j;
        }
    }
}

static int set_up(void **state)
{
    static const struct hl_clock clock = {.now_us = no_time};
    struct fixture *f = hl_alloc_zeroed(1, sizeof *f);
    int32_t label;

    if (!f || hl_labels_new(&f->names, &f->err) != HL_OK)
        return -1;
    for (int64_t i = 0; i < TO; i++)
        if (hl_labels_add_number(f->names, i, &label, &f->err) != HL_OK)
            return -1;
    make_rows(f);
    f->from_memory = (struct hl_rows_memory){f->from, FROM};
    f->to_memory = (struct hl_rows_memory){f->to, TO};
    f->deadline = (struct hl_deadline){&clock, HL_DEADLINE_NEVER, &f->is_cancelled};
    f->learn = (struct hl_learn){
        .from = "v2",
        .to = "",
        .from_print = "aa",
        .to_print = "",
        .source = {.inputs = {{"rows", NULL}}, .n_inputs = 1, .labels = f->names},
        .kind = HL_KIND_RIDGE,
        .seed = 3,
        .errand = {&f->deadline, hear, f}};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_learnt_done(&f->learnt);
    hl_labels_free(f->names);
    hl_free(f);
    return 0;
}

/* Pairs with labels. */
static struct hl_lesson rows(struct fixture *f, size_t n)
{
    return (struct hl_lesson){.n_rows = n,
                              .from = hl_rows_of_memory(&f->from_memory, n, "v2"),
                              .to = hl_rows_of_memory(&f->to_memory, n, "v1"),
                              .labels = f->labels};
}

/* The last `n` rows. */
static struct hl_lesson last_rows(struct fixture *f, struct hl_rows_memory memories[2],
                                  size_t n)
{
    const size_t first = MAX_ROWS - n;

    memories[0] = (struct hl_rows_memory){f->from + first * FROM, FROM};
    memories[1] = (struct hl_rows_memory){f->to + first * TO, TO};
    return (struct hl_lesson){.n_rows = n,
                              .from = hl_rows_of_memory(&memories[0], n, "v2"),
                              .to = hl_rows_of_memory(&memories[1], n, "v1"),
                              .labels = f->labels + first};
}

static void learn_well(struct fixture *f)
{
    hl_learnt_done(&f->learnt);
    f->told = 0;
    if (hl_learn_bridge(&f->learn, &f->learnt, &f->err) != HL_OK)
        fail_msg("%s", f->err.msg);
    if (!f->learnt.bridge)
        abort(); /* what an analyser does not take from the line before */
}

static void assert_told(const struct fixture *f, const char *piece)
{
    if (!strstr(f->learnt.bridge->report, piece))
        fail_msg("%s is not in %s", piece, f->learnt.bridge->report);
}

static void rows_are_split_and_the_bridge_carries_its_report(void **state)
{
    struct fixture *f = *state;
    const struct hl_learnt *learnt = &f->learnt;

    f->learn.data = rows(f, MAX_ROWS);
    learn_well(f);
    assert_int_equal(learnt->n_fit + learnt->n_choose + learnt->n_report, MAX_ROWS);
    assert_in_range(learnt->n_choose, 60, 140);
    assert_in_range(learnt->n_report, 60, 140);
    assert_string_equal(learnt->bridge->from, "v2");
    assert_string_equal(learnt->bridge->to, "");
    assert_string_equal(learnt->bridge->from_print, "aa");
    assert_int_equal(learnt->bridge->kind, HL_KIND_RIDGE);
    assert_int_equal(learnt->report->n_rows, learnt->n_report);
    assert_true(learnt->report->groups[0].self10.value > .9);
    assert_told(f, "\"split_by\":\"row\"");
    assert_told(f, "\"inputs\":[{\"name\":\"rows\",\"sha256\":null}]");
    assert_told(f, "\"seed\":3");
    assert_told(f, "\"measured\":{");
    assert_false(f->fell_back);
    assert_true(f->told > .9);
}

static void what_was_told_of_the_way_is_never_taken_back(void **state)
{
    struct fixture *f = *state;

    f->learn.data = rows(f, MAX_ROWS);
    f->learn.kind = HL_KIND_RESIDUAL;
    learn_well(f);
    assert_false(f->fell_back);
    assert_true(f->told > .9);
}

static void rows_to_choose_by_and_to_report_on_leave_all_others_to_learn_from(void **state)
{
    struct hl_rows_memory choose[2], report[2];
    struct fixture *f = *state;

    f->learn.data = rows(f, 500);
    f->learn.choose = last_rows(f, choose, 100);
    f->learn.report = last_rows(f, report, 80);
    learn_well(f);
    assert_int_equal(f->learnt.n_fit, 500);
    assert_int_equal(f->learnt.n_choose, 100);
    assert_int_equal(f->learnt.n_report, 80);
    assert_told(f, "\"rows\":{\"fit\":500,\"choose\":100,\"report\":80,\"split_by\":null}");
}

static void assert_refused(struct fixture *f, const char *piece)
{
    assert_int_equal(hl_learn_bridge(&f->learn, &f->learnt, &f->err), HL_INVALID);
    if (!strstr(f->err.msg, piece))
        fail_msg("%s is not in %s", piece, f->err.msg);
}

static void rows_that_taught_a_bridge_cannot_measure_it(void **state)
{
    struct hl_rows_memory choose[2], report[2];
    struct fixture *f = *state;

    f->learn.data = rows(f, 500);
    f->learn.choose = rows(f, 100);
    assert_refused(f, "the rows to choose by are those to learn from");
    f->learn.choose = last_rows(f, choose, 100);
    f->learn.report = rows(f, 80);
    assert_refused(f, "the rows to report on are those to learn from");
    f->learn.report = last_rows(f, report, 100);
    assert_refused(f, "the rows to report on are those to choose by");
}

static void the_same_seed_makes_the_same_bridge_and_another_one_another(void **state)
{
    struct fixture *f = *state;
    float first[TO * FROM];
    const struct hl_map *map;

    f->learn.data = rows(f, MAX_ROWS);
    learn_well(f);
    memcpy(first, f->learnt.bridge->ways[0].faithful->p, sizeof first);
    learn_well(f);
    map = f->learnt.bridge->ways[0].faithful;
    assert_memory_equal(map->p, first, sizeof first);
    f->learn.seed = 4;
    learn_well(f);
    map = f->learnt.bridge->ways[0].faithful;
    assert_memory_not_equal(map->p, first, sizeof first);
}

/* Labelled rows of either model alone. */
static void give_strangers(struct fixture *f, size_t n_from, size_t n_to)
{
    f->learn.data = rows(f, n_from);
    f->learn.data.to = (struct hl_rows){0};
    f->learn.items = rows(f, n_to);
    f->learn.items.from = (struct hl_rows){0};
    f->learn.kind = HL_KIND_AUTO;
}

static void of_a_few_rows_that_are_no_pairs_nothing_is_measured(void **state)
{
    struct fixture *f = *state;

    give_strangers(f, 400, MAX_ROWS);
    learn_well(f);
    assert_int_equal(f->learnt.n_fit, 400);
    assert_null(f->learnt.report);
    assert_told(f, "\"measured\":null");
    assert_told(f, "\"head\":\"learnt\"");
}

static void rows_that_are_no_pairs_are_judged_by_their_classes(void **state)
{
    struct fixture *f = *state;
    const struct hl_report_group *all;

    give_strangers(f, MAX_ROWS, 600);
    learn_well(f);
    assert_non_null(f->learnt.report);
    assert_in_range(f->learnt.n_report, 30, 90); /* as many as there are of the fewer */
    all = &f->learnt.report->groups[0];
    assert_int_equal(all->new_old.map.of, f->learnt.n_report / 2);
    assert_true(all->new_old.map.value > .5);
    assert_int_equal(all->self10.of, 0);
    assert_int_equal(all->negative_flips.of, 0);
    assert_int_equal(f->learnt.report->sweep[3].overlap10.of, 0);
    assert_true(fabsf(f->learnt.bridge->fidelity) < 1e-6F);
    assert_true(fabsf(f->learnt.report->fidelity) < 1e-6F);
    assert_true(isnan(f->learnt.story.trials[0].self10));
    assert_told(f, "\"cannot_say\":\"self@k, flips, overlap: there are no pairs\"");
}

/* Fifty classes: people. */
static void of_faces_a_person_is_whole_in_one_part(void **state)
{
    struct fixture *f = *state;
    int32_t label;

    for (size_t i = 0; i < MAX_ROWS; i++) {
        f->labels[i] = (int32_t)(i % 50);
        assert_int_equal(hl_labels_add_number(f->names, (int64_t)i % 50, &label, &f->err),
                         HL_OK);
    }
    f->learn.task = HL_TASK_SAME;
    f->learn.data = rows(f, MAX_ROWS);
    learn_well(f);
    assert_told(f, "\"split_by\":\"class\"");
    assert_int_equal(f->learnt.n_choose % 20, 0);
    assert_int_equal(f->learnt.n_report % 20, 0);
}

static void labels_of_a_file_are_classes_and_below_zero_unknown(void **state)
{
    static const int64_t names[] = {7, -1, 0, 7, -9};
    struct fixture *f = *state;
    int32_t classes[5];

    assert_int_equal(hl_learn_add_labels(f->names, names, 5, classes, &f->err), HL_OK);
    assert_int_equal(classes[0], TO);
    assert_int_equal(classes[1], -1);
    assert_int_equal(classes[2], 0);
    assert_int_equal(classes[3], TO);
    assert_int_equal(classes[4], -1);
}

static void whoever_cancels_gets_no_bridge(void **state)
{
    struct fixture *f = *state;

    f->learn.data = rows(f, MAX_ROWS);
    atomic_store(&f->is_cancelled, true);
    assert_int_equal(hl_learn_bridge(&f->learn, &f->learnt, &f->err), HL_CANCELLED);
    assert_null(f->learnt.bridge);
}

static struct hl_judging judging_of(struct fixture *f, size_t n)
{
    return (struct hl_judging){.from = "v2",
                               .to = "",
                               .data = rows(f, n),
                               .source = f->learn.source,
                               .bridge = f->learnt.bridge,
                               .seed = 1,
                               .errand = f->learn.errand};
}

static void a_bridge_is_judged_on_other_rows(void **state)
{
    struct fixture *f = *state;
    struct hl_judging judging;
    struct hl_report *report = NULL;
    struct hl_buf json;

    f->learn.data = rows(f, MAX_ROWS);
    learn_well(f);
    judging = judging_of(f, 200);
    hl_buf_init(&json, 1 << 20);
    assert_int_equal(hl_learn_judge(&judging, &report, &json, &f->err), HL_OK);
    assert_int_equal(report->n_rows, 200);
    assert_true(report->has_bridge);
    assert_non_null(strstr(json.data, "\"rows\":{\"report\":200},\"inputs\":[{"));
    assert_int_equal(json.data[json.len - 1], '}');
    hl_report_free(report);
    judging.then = f->learnt.bridge;
    assert_int_equal(hl_learn_judge(&judging, &report, &json, &f->err), HL_CONFLICT);
    hl_buf_done(&json);
}

static void without_memory_nothing_is_learnt_and_nothing_leaks(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;

    f->learn.data = rows(f, 200);
    for (unsigned nth = 1; code != HL_OK; nth++) {
        char rule[40];

        snprintf(rule, sizeof rule, "alloc=%u:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = hl_learn_bridge(&f->learn, &f->learnt, &f->err);
        hl_failpoint_disarm();
        if (code != HL_OK && code != HL_NO_MEMORY)
            fail_msg("%s", f->err.msg);
        assert_true(code != HL_OK || nth > 20);
    }
}

#define WITH_ROWS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROWS(rows_are_split_and_the_bridge_carries_its_report),
        WITH_ROWS(what_was_told_of_the_way_is_never_taken_back),
        WITH_ROWS(rows_to_choose_by_and_to_report_on_leave_all_others_to_learn_from),
        WITH_ROWS(rows_that_taught_a_bridge_cannot_measure_it),
        WITH_ROWS(the_same_seed_makes_the_same_bridge_and_another_one_another),
        WITH_ROWS(of_a_few_rows_that_are_no_pairs_nothing_is_measured),
        WITH_ROWS(rows_that_are_no_pairs_are_judged_by_their_classes),
        WITH_ROWS(of_faces_a_person_is_whole_in_one_part),
        WITH_ROWS(labels_of_a_file_are_classes_and_below_zero_unknown),
        WITH_ROWS(whoever_cancels_gets_no_bridge),
        WITH_ROWS(a_bridge_is_judged_on_other_rows),
        WITH_ROWS(without_memory_nothing_is_learnt_and_nothing_leaks),
    };

    return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
