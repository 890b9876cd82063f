/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/bench_tally.h"

#include <stdio.h>
#include <string.h>

static struct hl_bench_tally new_tally(void)
{
    struct hl_bench_tally tally;
    struct hl_err err;

    assert_int_equal(hl_bench_tally_init(&tally, &err), HL_OK);
    return tally;
}

static void kinds_are_counted_apart_and_summed(void **state)
{
    struct hl_bench_tally tally = new_tally();
    struct hl_bench_count sum;
    struct hl_err err;

    (void)state;
    hl_bench_tally_add(&tally, HL_BENCH_SEARCH, 100, 60);
    hl_bench_tally_add(&tally, HL_BENCH_SEARCH, 300, 70);
    hl_bench_tally_add(&tally, HL_BENCH_UPSERT, 900, 900);
    hl_bench_tally_fail(&tally, HL_BENCH_UPSERT, 503, "full", 2);
    tally.kinds[HL_BENCH_SEARCH].n_finished = 2;
    assert_int_equal(tally.kinds[HL_BENCH_SEARCH].n_requests, 2);
    assert_int_equal(hl_hist_max(tally.kinds[HL_BENCH_SEARCH].latency), 300);
    assert_int_equal(hl_hist_max(tally.kinds[HL_BENCH_SEARCH].service), 70);
    assert_int_equal(hl_bench_tally_sum(&tally, &sum, &err), HL_OK);
    assert_int_equal(sum.n_requests, 5);
    assert_int_equal(sum.n_failed, 2);
    assert_int_equal(sum.n_finished, 2);
    assert_int_equal(hl_hist_count(sum.latency), 3); /* what was refused has none */
    assert_int_equal(hl_hist_max(sum.latency), 900);
    hl_bench_count_done(&sum);
    hl_bench_tally_done(&tally);
}

static void what_was_never_answered_is_as_slow_as_it_was(void **state)
{
    struct hl_bench_tally tally = new_tally();
    const struct hl_bench_count *count = &tally.kinds[HL_BENCH_BATCH];

    (void)state;
    hl_bench_tally_miss(&tally, HL_BENCH_BATCH, 1500, "nobody answered");
    assert_int_equal(count->n_requests, 1);
    assert_int_equal(count->n_failed, 1);
    assert_int_equal(hl_hist_max(count->latency), 1500);
    assert_int_equal(hl_hist_count(count->service), 0);
    hl_bench_tally_done(&tally);
}

static void each_sentence_is_there_once_with_its_number(void **state)
{
    struct hl_bench_tally tally = new_tally();

    (void)state;
    for (int i = 0; i < 3; i++) {
        hl_bench_tally_fail(&tally, HL_BENCH_SEARCH, 503, "full", 1);
        hl_bench_tally_fail(&tally, HL_BENCH_UPSERT, 429, "full", 10);
    }
    assert_int_equal(tally.n_failures, 2);
    assert_int_equal(tally.failures[0].status, 503);
    assert_int_equal(tally.failures[0].n, 3);
    assert_int_equal(tally.failures[1].status, 429);
    assert_int_equal(tally.failures[1].n, 30);
    hl_bench_tally_done(&tally);
}

static void sentences_without_end_do_not_fill_the_memory(void **state)
{
    struct hl_bench_tally tally = new_tally();
    char sentence[HL_BENCH_SENTENCE * 2];

    (void)state;
    memset(sentence, 'x', sizeof sentence);
    sentence[sizeof sentence - 1] = '\0';
    hl_bench_tally_fail(&tally, HL_BENCH_SEARCH, 400, sentence, 1);
    hl_bench_tally_fail(&tally, HL_BENCH_SEARCH, 400, sentence, 1);
    for (int i = 0; i < 100; i++) {
        snprintf(sentence, sizeof sentence, "%d is wrong", i);
        hl_bench_tally_fail(&tally, HL_BENCH_SEARCH, 400, sentence, 1);
    }
    assert_int_equal(tally.failures[0].n, 2);
    assert_int_equal(strlen(tally.failures[0].sentence), HL_BENCH_SENTENCE - 1);
    assert_int_equal(tally.n_failures, HL_BENCH_SENTENCES);
    assert_int_equal(tally.n_other_failures, 101 - HL_BENCH_SENTENCES);
    assert_int_equal(tally.kinds[HL_BENCH_SEARCH].n_failed, 102);
    hl_bench_tally_done(&tally);
}

static void without_memory_nothing_is_counted(void **state)
{
    struct hl_bench_tally tally = {0};
    struct hl_bench_count sum = {0};
    enum hl_code code = HL_NO_MEMORY;
    struct hl_err err;
    char rule[32];

    (void)state;
    for (int n = 1; code != HL_OK && n < 100; n++) {
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        code = hl_bench_tally_init(&tally, &err);
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_int_equal(code, HL_OK);
    for (int n = 1; n <= 2; n++) {
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        assert_int_equal(hl_bench_tally_sum(&tally, &sum, &err), HL_NO_MEMORY);
        assert_null(sum.latency);
    }
    hl_failpoint_disarm();
    hl_bench_tally_done(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_counted_apart_and_summed),
        cmocka_unit_test(what_was_never_answered_is_as_slow_as_it_was),
        cmocka_unit_test(each_sentence_is_there_once_with_its_number),
        cmocka_unit_test(sentences_without_end_do_not_fill_the_memory),
        cmocka_unit_test(without_memory_nothing_is_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
