/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/retrieval.h"
#include "proto/alloc.h"
#include "proto/fail.h"

#include <math.h>
#include <stdio.h>

/* Rows of one number make a score readable: it is the item itself, or its opposite. */
static struct hl_scan scan_of(const float *queries, size_t n_queries, const float *gallery,
                              size_t n_gallery)
{
    return (struct hl_scan){.queries = queries,
                            .gallery = gallery,
                            .n_queries = n_queries,
                            .n_gallery = n_gallery,
                            .dim = 1};
}

static void assert_top(const struct hl_answer *answer, const uint32_t *wanted, size_t n)
{
    for (size_t i = 0; i < HL_TOP; i++)
        assert_int_equal(answer->top[i], i < n ? wanted[i] : HL_NO_ITEM);
}

static void assert_near(double value, double wanted)
{
    if (!(fabs(value - wanted) < 1e-12))
        fail_msg("%.15f, wanted %.15f", value, wanted);
}

static void the_best_come_first_and_equals_by_row(void **state)
{
    static const float queries[] = {1, -1};
    static const float gallery[] = {.1F, .5F, NAN, .5F, -.2F, .9F};
    static const uint32_t forth[] = {5, 1, 3, 0, 4}, back[] = {4, 0, 1, 3, 5};
    struct hl_quiz quiz = {.scan = scan_of(queries, 2, gallery, 6)};
    struct hl_answer answers[2];
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_quiz_answer(&quiz, answers, &err), HL_OK);
    assert_top(&answers[0], forth, 5);
    assert_top(&answers[1], back, 5);
    assert_false(answers[0].is_asked);
    assert_true(isnan(answers[0].ap));
}

/* Ranked by score: items 3 0 2 1 4 of labels 8 7 8 7 7; of 7 found at 2, 4 and 5; of 8 at 1
 * and 3. */
static void precision_is_averaged_over_what_is_relevant(void **state)
{
    static const float queries[] = {1, 1, 1, 1, 1};
    static const float gallery[] = {.8F, .4F, .6F, .9F, .1F};
    static const int32_t gallery_labels[] = {7, 7, 8, 8, 7};
    static const int32_t query_labels[] = {7, 8, 9, -1, 7};
    static const uint32_t order[] = {3, 0, 2, 1, 4};
    struct hl_quiz quiz = {.scan = scan_of(queries, 5, gallery, 5),
                           .query_labels = query_labels,
                           .gallery_labels = gallery_labels,
                           .n_ranked = 4};
    struct hl_answer answers[5];
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_quiz_answer(&quiz, answers, &err), HL_OK);
    for (size_t i = 0; i < 5; i++)
        assert_top(&answers[i], order, 5);
    assert_near(answers[0].ap, (1.0 / 2 + 2.0 / 4 + 3.0 / 5) / 3);
    assert_near(answers[1].ap, (1.0 / 1 + 2.0 / 3) / 2);
    assert_true(answers[0].is_asked && !answers[0].top1 && answers[0].recall10);
    assert_true(answers[1].is_asked && answers[1].top1 && answers[1].recall10);
    assert_false(answers[2].is_asked || answers[3].is_asked);
    assert_true(isnan(answers[2].ap) && isnan(answers[3].ap));
    assert_true(answers[4].is_asked && isnan(answers[4].ap));
}

static void a_label_below_zero_is_nobodys(void **state)
{
    static const float queries[] = {1}, gallery[] = {1, .5F};
    static const int32_t query_labels[] = {-1}, gallery_labels[] = {-1, 3};
    struct hl_quiz quiz = {.scan = scan_of(queries, 1, gallery, 2),
                           .query_labels = query_labels,
                           .gallery_labels = gallery_labels,
                           .n_ranked = 1};
    struct hl_answer answer;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_quiz_answer(&quiz, &answer, &err), HL_OK);
    assert_false(answer.is_asked || answer.top1 || answer.recall10);
}

static void the_eleventh_item_is_beyond_recall_at_ten(void **state)
{
    static const float queries[] = {1};
    float gallery[12] = {0};
    int32_t labels[12] = {0};
    static const int32_t asked[] = {1};
    struct hl_quiz quiz = {.scan = scan_of(queries, 1, gallery, 12),
                           .query_labels = asked,
                           .gallery_labels = labels,
                           .n_ranked = 1};
    struct hl_answer answer;
    struct hl_err err;

    (void)state;
    for (size_t i = 0; i < 12; i++)
        gallery[i] = 1 - (float)i / 20;
    for (size_t place = 9; place < 11; place++) {
        labels[9] = labels[10] = 0;
        labels[place] = 1;
        assert_int_equal(hl_quiz_answer(&quiz, &answer, &err), HL_OK);
        assert_int_equal(answer.recall10, place == 9);
        assert_near(answer.ap, 1.0 / (double)(place + 1));
    }
}

static void a_photograph_finds_itself_behind_what_is_nearer_or_before_it(void **state)
{
    static const float rows[] = {.5F, .9F, .9F, -1};
    static const float queries[] = {1, 1, 1, 1};
    static const uint32_t wanted[] = {2, 0, 1, 3};
    struct hl_scan scan = scan_of(queries, 4, rows, 4);
    uint32_t places[4];
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_scan_selves(&scan, places, &err), HL_OK);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(places[i], wanted[i]);
}

static void lists_share_what_is_in_both(void **state)
{
    struct hl_answer a = {.top = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
    struct hl_answer b = {.top = {10, 11, 1, 12, 13, HL_NO_ITEM, HL_NO_ITEM, HL_NO_ITEM,
                                  HL_NO_ITEM, HL_NO_ITEM}};

    (void)state;
    assert_int_equal(hl_answer_shared(&a, &a), 10);
    assert_int_equal(hl_answer_shared(&a, &b), 2);
    assert_int_equal(hl_answer_shared(&b, &a), 2);
    assert_int_equal(hl_answer_shared(&b, &b), 5);
}

/* ---- against a plain sort, beyond one block ---- */

enum { MANY_QUERIES = 700, MANY_ITEMS = 3000, DIM = 3, N_LABELS = 5 };

struct many {
    float queries[MANY_QUERIES * DIM], gallery[MANY_ITEMS * DIM];
    int32_t query_labels[MANY_QUERIES], gallery_labels[MANY_ITEMS];
    struct hl_answer answers[MANY_QUERIES];
};

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

/* Small whole numbers: products are exact, and equals are frequent. */
static void fill(float *values, size_t n, int32_t *labels, size_t n_rows, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(next_random(seed) % 9) - 4;
    for (size_t i = 0; i < n_rows; i++)
        labels[i] = (int32_t)(next_random(seed) % N_LABELS);
}

static float score_of(const struct many *many, size_t query, size_t item)
{
    float sum = 0;

    for (size_t i = 0; i < DIM; i++)
        sum += many->queries[query * DIM + i] * many->gallery[item * DIM + i];
    return sum;
}

/* The place of each item is how many stand before it. */
static double plain_precision(const struct many *many, size_t query)
{
    double sum = 0;
    size_t n = 0;

    for (size_t item = 0; item < MANY_ITEMS; item++) {
        float score = score_of(many, query, item);
        size_t before = 0, alike = 1;

        if (many->gallery_labels[item] != many->query_labels[query])
            continue;
        for (size_t other = 0; other < MANY_ITEMS; other++) {
            float theirs = score_of(many, query, other);

            if (theirs < score || (theirs <= score && other >= item))
                continue;
            before++;
            alike += many->gallery_labels[other] == many->query_labels[query];
        }
        n++;
        sum += (double)alike / (double)(before + 1);
    }
    return sum / (double)n;
}

static void whole_rankings_are_those_of_a_plain_sort(void **state)
{
    struct many *many = hl_alloc_zeroed(1, sizeof *many);
    struct hl_quiz quiz;
    uint64_t seed = 7;
    struct hl_err err;

    (void)state;
    assert_non_null(many);
    fill(many->queries, sizeof many->queries / sizeof(float), many->query_labels,
         MANY_QUERIES, &seed);
    fill(many->gallery, sizeof many->gallery / sizeof(float), many->gallery_labels,
         MANY_ITEMS, &seed);
    quiz = (struct hl_quiz){
        .scan = {many->queries, many->gallery, MANY_QUERIES, MANY_ITEMS, DIM, NULL},
        .query_labels = many->query_labels,
        .gallery_labels = many->gallery_labels,
        .n_ranked = MANY_QUERIES};
    assert_int_equal(hl_quiz_answer(&quiz, many->answers, &err), HL_OK);
    for (size_t query = 0; query < MANY_QUERIES; query += 53)
        assert_near(many->answers[query].ap, plain_precision(many, query));
    hl_free(many);
}

/* ---- when things fail ---- */

static void ranking_survives_the_lack_of_memory(void **state)
{
    static const float queries[] = {1}, gallery[] = {1, .5F};
    static const int32_t labels[] = {1, 2};
    struct hl_quiz quiz = {.scan = scan_of(queries, 1, gallery, 2),
                           .query_labels = labels,
                           .gallery_labels = labels,
                           .n_ranked = 1};
    struct hl_answer answer;
    struct hl_err err;
    enum hl_code code = HL_NO_MEMORY;

    (void)state;
    for (int nth = 1; code != HL_OK; nth++) {
        char rule[32];

        assert_true(nth < 10);
        snprintf(rule, sizeof rule, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_quiz_answer(&quiz, &answer, &err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_true(code == HL_OK || nth < 6);
    }
    assert_true(answer.top1);
}

static void a_cancelled_scan_stops(void **state)
{
    static const float queries[] = {1}, gallery[] = {1};
    atomic_bool is_cancelled = true;
    struct hl_deadline deadline = {.at_us = HL_DEADLINE_NEVER, .cancelled = &is_cancelled};
    struct hl_errand errand = {.deadline = &deadline};
    struct hl_scan scan = scan_of(queries, 1, gallery, 1);
    uint32_t place = 77;
    struct hl_err err;

    (void)state;
    scan.errand = &errand;
    assert_int_equal(hl_scan_selves(&scan, &place, &err), HL_CANCELLED);
    assert_string_equal(err.msg, "the evaluation was cancelled");
    assert_int_equal(place, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_come_first_and_equals_by_row),
        cmocka_unit_test(precision_is_averaged_over_what_is_relevant),
        cmocka_unit_test(a_label_below_zero_is_nobodys),
        cmocka_unit_test(the_eleventh_item_is_beyond_recall_at_ten),
        cmocka_unit_test(a_photograph_finds_itself_behind_what_is_nearer_or_before_it),
        cmocka_unit_test(lists_share_what_is_in_both),
        cmocka_unit_test(whole_rankings_are_those_of_a_plain_sort),
        cmocka_unit_test(ranking_survives_the_lack_of_memory),
        cmocka_unit_test(a_cancelled_scan_stops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
