/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/compat.h"
#include "compat/fit.h"
#include "proto/alloc.h"
#include "proto/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Photographs of four classes as two models see them: a centre and a wobble, in eight
 * dimensions and in four. The wobble of the new model is the old one's, turned. */
enum { N = 1200, FROM = 8, TO = 4, CLASSES = 4 };

struct fixture {
    float from[N * FROM], to[N * TO], weight[CLASSES * TO];
    int32_t labels[N];
    uint8_t modalities[N];
    struct hl_rows_memory from_rows, to_rows;
    struct hl_head head;
    struct hl_exam *exam;
    struct hl_fit fit;
    struct hl_bridge *bridge;
    struct hl_fit_story story;
    struct hl_err err;
};

static struct hl_lesson lesson_of(struct fixture *f, size_t first, size_t n)
{
    f->from_rows = (struct hl_rows_memory){f->from + first * FROM, FROM};
    f->to_rows = (struct hl_rows_memory){f->to + first * TO, TO};
    return (struct hl_lesson){.n_rows = n,
                              .from = hl_rows_of_memory(&f->from_rows, n, "new"),
                              .to = hl_rows_of_memory(&f->to_rows, n, "old"),
                              .labels = f->labels + first};
}

/* `turn` goes round the new model's dimensions: another one for text. */
static void draw_row(struct fixture *f, struct hl_random *random, size_t row, size_t turn)
{
    size_t label = row % CLASSES;

    f->labels[row] = (int32_t)label;
    for (size_t i = 0; i < TO; i++) {
        float wobble = (float)(.3 * hl_random_normal(random));

        f->to[row * TO + i] = (i == label ? 1.0F : 0.0F) + wobble;
        f->from[row * FROM + (2 * i + turn) % FROM] = (i == label ? 2.0F : 0.0F) + wobble;
        f->from[row * FROM + (2 * i + 1 + turn) % FROM] =
            (float)(.1 * hl_random_normal(random));
    }
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_random random = {5};
    struct hl_lesson exam;

    *state = f;
    if (!f)
        return -1;
    hl_compat_hold_to_one_thread();
    for (size_t row = 0; row < N; row++)
        draw_row(f, &random, row, 0);
    for (size_t i = 0; i < (size_t)CLASSES * TO; i++)
        f->weight[i] = i % (TO + 1) == 0 ? 8 : 0;
    f->head = (struct hl_head){.n_rows = CLASSES, .dim = TO, .weight = f->weight};
    exam = lesson_of(f, 0, 400);
    if (hl_exam_load(&exam, 400, 1, &f->exam, &f->err) != HL_OK)
        return -1;
    f->fit = (struct hl_fit){.from = "new",
                             .to = "old",
                             .pairs = lesson_of(f, 400, 800),
                             .choose = f->exam,
                             .head = &f->head,
                             .n_classes = CLASSES,
                             .kind = HL_KIND_ANCHORED,
                             .seed = 3};
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_bridge_free(f->bridge);
    hl_exam_free(f->exam);
    free(f);
    return 0;
}

static enum hl_code learn(struct fixture *f)
{
    hl_bridge_free(f->bridge);
    f->bridge = NULL;
    return hl_fit_bridge(&f->fit, &f->bridge, &f->story, &f->err);
}

/* The bridge; without one there is nothing to go on with. */
static const struct hl_bridge *learnt(struct fixture *f)
{
    if (learn(f) != HL_OK || !f->bridge) {
        fprintf(stderr, "%s\n", f->err.msg);
        abort();
    }
    return f->bridge;
}

static const struct hl_bridge_way *way_of(struct fixture *f, enum hl_modality modality)
{
    return &learnt(f)->ways[modality];
}

static void refused(struct fixture *f, const char *sentence)
{
    assert_int_not_equal(learn(f), HL_OK);
    if (!strstr(f->err.msg, sentence))
        fail_msg("%s", f->err.msg);
}

static void each_kind_makes_a_bridge_of_its_name(void **state)
{
    struct fixture *f = *state;

    for (int kind = 0; kind < HL_KIND_AUTO; kind++) {
        f->fit.kind = (enum hl_kind)kind;
        assert_non_null(way_of(f, HL_MODALITY_IMAGE)->faithful);
        assert_int_equal(learnt(f)->kind, kind);
    }
}

static void auto_says_what_it_tried_and_marks_one_as_the_best(void **state)
{
    struct fixture *f = *state;
    const struct hl_bridge *bridge;
    size_t n_best = 0;

    f->fit.kind = HL_KIND_AUTO;
    bridge = learnt(f);
    assert_true(f->story.n_trials > 8);
    for (size_t i = 0; i < f->story.n_trials; i++) {
        n_best += f->story.trials[i].is_best;
        if (f->story.trials[i].is_best)
            assert_int_equal(f->story.trials[i].kind, bridge->kind);
    }
    assert_int_equal(n_best, 1);
}

static void pairs_alone_leave_the_judged_map_out(void **state)
{
    struct fixture *f = *state;

    f->fit.kind = HL_KIND_AUTO;
    f->fit.pairs.labels = NULL;
    f->fit.head = NULL;
    hl_free(f->exam->labels);
    f->exam->labels = NULL;
    assert_null(way_of(f, HL_MODALITY_IMAGE)->judged);
    assert_string_equal(f->story.what, "pairs alone");
    assert_non_null(strstr(f->story.cannot_say, "no labels and no head"));
}

static void the_old_heads_opinion_stands_for_labels(void **state)
{
    struct fixture *f = *state;

    f->fit.pairs.labels = NULL;
    hl_free(f->exam->labels);
    f->exam->labels = NULL;
    f->fit.kind = HL_KIND_AUTO;
    assert_int_equal(learn(f), HL_OK);
    assert_null(f->exam->labels);
    assert_false(isnan(f->story.trials[0].map));
    for (size_t i = 0; i < f->story.n_trials; i++)
        assert_true(f->story.trials[i].passes);
}

static void a_head_is_learnt_where_labels_are_and_none_was_sent(void **state)
{
    struct fixture *f = *state;

    f->fit.head = NULL;
    assert_non_null(way_of(f, HL_MODALITY_IMAGE)->judged);
    assert_true(f->story.is_head_learnt);
}

static void classes_the_head_does_not_know_get_rows(void **state)
{
    struct fixture *f = *state;

    f->head.n_rows = 2;
    assert_int_equal(learn(f), HL_OK);
    assert_int_equal(f->story.n_extended, 2);
}

/* Text lies elsewhere in the new model's space: no one map serves both. */
static void text_gets_maps_of_its_own_where_it_needs_them(void **state)
{
    struct fixture *f = *state;
    struct hl_random random = {9};
    const struct hl_bridge_way *way;
    struct hl_lesson exam;

    for (size_t row = 0; row < N; row++) {
        f->modalities[row] = row % 8 < 5 ? HL_MODALITY_TEXT : HL_MODALITY_IMAGE;
        if (f->modalities[row] == HL_MODALITY_TEXT)
            draw_row(f, &random, row, 3);
    }
    hl_exam_free(f->exam);
    exam = lesson_of(f, 0, 400);
    exam.modalities = f->modalities;
    assert_int_equal(hl_exam_load(&exam, 400, 1, &f->exam, &f->err), HL_OK);
    f->fit.choose = f->exam;
    f->fit.pairs = lesson_of(f, 400, 800);
    f->fit.pairs.modalities = f->modalities + 400;
    way = way_of(f, HL_MODALITY_TEXT);
    assert_non_null(way->faithful);
    assert_non_null(way->judged);
}

static void what_would_change_nothing_is_refused(void **state)
{
    struct fixture *f = *state;

    f->fit.n_hidden = 8;
    refused(f, "\"anchored\" has no hidden units");
    f->fit.n_hidden = 0;
    f->fit.rank = 2;
    refused(f, "\"anchored\" has no rank");
    f->fit.kind = HL_KIND_LOWRANK;
    f->fit.rank = 9;
    refused(f, "a rank of 9 is more than the 8 dimensions of \"new\"");
    f->fit.kind = HL_KIND_ANCHORED;
    f->fit.rank = 0;
    f->fit.focal = (struct hl_focal){.alpha = .1};
    f->fit.pairs.labels = NULL;
    f->fit.head = NULL;
    f->fit.kind = HL_KIND_RIDGE;
    refused(f, "\"focal\" holds a bridge to the old model's opinions");
}

struct told {
    double last;
    size_t n;
};

static void hear(void *self, const char *phase, double progress)
{
    struct told *told = self;

    assert_non_null(phase);
    assert_true(progress >= told->last - 1e-9 && progress <= 1);
    told->last = progress;
    told->n++;
}

static void progress_only_rises(void **state)
{
    struct fixture *f = *state;
    struct told told = {0};

    f->fit.kind = HL_KIND_AUTO;
    f->fit.errand.tell = hear;
    f->fit.errand.self = &told;
    assert_int_equal(learn(f), HL_OK);
    assert_true(told.n > 50);
    assert_true(told.last > .8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_makes_a_bridge_of_its_name),
        TEST(auto_says_what_it_tried_and_marks_one_as_the_best),
        TEST(pairs_alone_leave_the_judged_map_out),
        TEST(the_old_heads_opinion_stands_for_labels),
        TEST(a_head_is_learnt_where_labels_are_and_none_was_sent),
        TEST(classes_the_head_does_not_know_get_rows),
        TEST(text_gets_maps_of_its_own_where_it_needs_them),
        TEST(what_would_change_nothing_is_refused),
        TEST(progress_only_rises),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
