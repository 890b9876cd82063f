/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/kernels.h"
#include "index/tail.h"
#include "proto/fail.h"
#include "tests/support/gallery.h"
#include "tests/support/still.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define DIM      ((size_t)20)
#define MAX_ROWS ((size_t)1000)
#define K        ((size_t)10)

struct fixture {
    struct hl_tail *tail;
    struct hl_walker *walker;
    float *values; /* twice MAX_ROWS: what goes in, then queries */
    const struct hl_kernels *kernels;
    uint8_t bytes[64];
    struct hl_sketch_query query;
    struct hl_walk_hit hits[MAX_ROWS];
    struct hl_walk_answer answer;
    struct hl_err err;
};

static int set_up(void **state)
{
    const struct hl_tail_options options = {HL_METRIC_DOT, DIM, MAX_ROWS};
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_gallery *gallery = hl_gallery_new(DIM, 9);

    *state = f;
    if (!f || !gallery)
        return -1;
    f->values = hl_gallery_rows(gallery, 0, 2 * MAX_ROWS);
    hl_gallery_free(gallery);
    f->walker = hl_walker_new();
    f->answer.hits = f->hits;
    if (!f->values || !f->walker ||
        hl_kernels_find("auto", &f->kernels, &f->err) != HL_OK ||
        hl_tail_new(&options, &f->tail, &f->err) != HL_OK)
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_tail_free(f->tail);
    hl_walker_free(f->walker);
    free(f->values);
    free(f);
    return 0;
}

/* Row i of the gallery, as point i, born in the given commit. */
static enum hl_code append(struct fixture *f, size_t i, uint64_t born)
{
    const struct hl_tail_row row = {
        .row = 100 + i, .number = (uint32_t)i, .born = born, .values = f->values + i * DIM};

    return hl_tail_append(f->tail, &row, &f->err);
}

static void append_all(struct fixture *f, size_t n_rows, uint64_t born)
{
    for (size_t i = 0; i < n_rows; i++)
        assert_int_equal(append(f, i, born), HL_OK);
}

static struct hl_tail_scan scan_of(struct fixture *f, size_t query, uint64_t commit)
{
    hl_sketch_query_init(&f->query, f->kernels, HL_METRIC_DOT,
                         f->values + (MAX_ROWS + query) * DIM, DIM, f->bytes);
    return (struct hl_tail_scan){
        .query = &f->query, .commit = commit, .k = K, .deadline = &never};
}

static size_t count_seen(struct fixture *f, uint64_t commit)
{
    struct hl_tail_scan scan = scan_of(f, 0, commit);

    scan.k = MAX_ROWS;
    assert_int_equal(hl_tail_search(f->tail, f->walker, &scan, &f->answer, &f->err), HL_OK);
    return f->answer.n_hits;
}

static void an_empty_tail_finds_nothing(void **state)
{
    assert_int_equal(count_seen(*state, 5), 0);
}

static void a_row_is_seen_from_its_birth_to_its_death(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(append(f, 0, 5), HL_OK);
    assert_int_equal(count_seen(f, 4), 0);
    assert_int_equal(count_seen(f, 5), 1);
    hl_tail_kill(f->tail, 0, 9);
    assert_int_equal(count_seen(f, 8), 1);
    assert_int_equal(count_seen(f, 9), 0);
    assert_int_equal(hl_tail_died(f->tail, 0), 9);
}

static void a_struck_row_is_never_seen(void **state)
{
    struct fixture *f = *state;

    append_all(f, 3, 5);
    hl_tail_strike(f->tail, 1);
    assert_int_equal(count_seen(f, 5), 1);
    assert_int_equal(count_seen(f, 1000), 1);
}

static void what_went_in_comes_out(void **state)
{
    struct fixture *f = *state;

    append_all(f, MAX_ROWS, 1);
    for (uint32_t i = 0; i < MAX_ROWS; i++) {
        assert_int_equal(hl_tail_row(f->tail, i), 100 + i);
        assert_int_equal(hl_tail_number(f->tail, i), i);
        assert_int_equal(hl_tail_died(f->tail, i), HL_COMMIT_NEVER);
        assert_int_equal(hl_tail_find(f->tail, 100 + i), i);
        assert_memory_equal(hl_tail_values(f->tail, i), f->values + i * DIM,
                            DIM * sizeof(float));
    }
    assert_int_equal(hl_tail_find(f->tail, 99), HL_NO_POSITION);
    assert_int_equal(hl_tail_find(f->tail, 100 + MAX_ROWS), HL_NO_POSITION);
}

static void a_full_tail_takes_no_more_and_keeps_what_it_has(void **state)
{
    struct fixture *f = *state;

    append_all(f, MAX_ROWS, 1);
    assert_int_equal(append(f, MAX_ROWS, 1), HL_TOO_MANY);
    assert_string_equal(f->err.msg, "the tail is full at 1000 rows");
    assert_int_equal(count_seen(f, 1), MAX_ROWS);
}

static bool is_even(void *self, uint32_t number)
{
    ++*(size_t *)self;
    return number % 2 == 0;
}

/* By bytes first and by floats alone: the same answers, in the same order. */
static void a_quick_scan_finds_what_an_exact_one_finds(void **state)
{
    struct fixture *f = *state;
    struct hl_walk_hit best[K];
    size_t n_asked = 0;

    append_all(f, MAX_ROWS, 1);
    for (size_t query = 0; query < 100; query++) {
        struct hl_tail_scan scan = scan_of(f, query, 1);

        scan.is_exact = true;
        scan.may_keep = query % 2 ? is_even : NULL;
        scan.self = &n_asked;
        assert_int_equal(hl_tail_search(f->tail, f->walker, &scan, &f->answer, &f->err),
                         HL_OK);
        assert_int_equal(f->answer.n_hits, K);
        for (size_t i = 0; i < K; i++)
            best[i] = f->hits[i];
        scan.is_exact = false;
        assert_int_equal(hl_tail_search(f->tail, f->walker, &scan, &f->answer, &f->err),
                         HL_OK);
        for (size_t i = 0; i < K; i++) {
            assert_int_equal(f->hits[i].position, best[i].position);
            assert_true(query % 2 == 0 || f->hits[i].position % 2 == 0);
            assert_true(i == 0 || f->hits[i - 1].score >= f->hits[i].score);
        }
    }
    assert_true(n_asked > 0 && n_asked < 50 * MAX_ROWS);
}

static void without_memory_a_row_is_not_half_there(void **state)
{
    struct fixture *f = *state;
    const struct hl_tail_options options = {HL_METRIC_L2, DIM, MAX_ROWS};
    struct hl_tail *tail = NULL;

    for (int nth = 1; nth <= 2; nth++) {
        char rules[32];

        snprintf(rules, sizeof rules, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rules, &f->err), HL_OK);
        assert_int_equal(append(f, 0, 1), HL_NO_MEMORY);
        hl_failpoint_disarm();
        assert_int_equal(hl_tail_count(f->tail), 0);
    }
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &f->err), HL_OK);
    assert_int_equal(hl_tail_new(&options, &tail, &f->err), HL_NO_MEMORY);
    hl_failpoint_disarm();
    assert_null(tail);
    assert_int_equal(append(f, 0, 1), HL_OK);
    assert_int_equal(count_seen(f, 1), 1);
}

/* ---- a writer beside readers ---- */

struct race {
    struct fixture *f;
    atomic_uint_fast64_t published;
    atomic_bool is_over;
    atomic_size_t n_wrong;
};

/* Ten living points at every commit: each commit kills the oldest and brings the next. */
static void *count_again_and_again(void *self)
{
    struct race *race = self;
    struct fixture own = *race->f;
    struct hl_walker *walker = hl_walker_new();
    uint8_t bytes[64];
    size_t n_wrong = walker ? 0 : 1;

    while (walker && !atomic_load(&race->is_over)) {
        struct hl_walk_hit hits[64];
        struct hl_walk_answer answer = {.hits = hits};
        const uint64_t commit = atomic_load(&race->published);
        struct hl_tail_scan scan = {
            .query = &own.query, .commit = commit, .k = 64, .deadline = &never};

        hl_sketch_query_init(&own.query, own.kernels, HL_METRIC_DOT, own.values, DIM,
                             bytes);
        if (hl_tail_search(own.tail, walker, &scan, &answer, &own.err) != HL_OK ||
            answer.n_hits != 10)
            n_wrong++;
    }
    hl_walker_free(walker);
    atomic_fetch_add(&race->n_wrong, n_wrong);
    return NULL;
}

static void a_reader_sees_one_state_while_a_writer_writes(void **state)
{
    struct race race = {.f = *state, .published = 1};
    pthread_t readers[3];

    for (size_t i = 0; i < 10; i++)
        assert_int_equal(append(race.f, i, 1), HL_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, count_again_and_again, &race),
                         0);
    for (size_t i = 10; i < MAX_ROWS; i++) {
        const uint64_t commit = i;

        assert_int_equal(append(race.f, i, commit), HL_OK);
        hl_tail_kill(race.f->tail, (uint32_t)i - 10, commit);
        atomic_store(&race.published, commit);
    }
    atomic_store(&race.is_over, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&race.n_wrong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_tail_finds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_is_seen_from_its_birth_to_its_death, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_struck_row_is_never_seen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_went_in_comes_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_tail_takes_no_more_and_keeps_what_it_has,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_quick_scan_finds_what_an_exact_one_finds, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(without_memory_a_row_is_not_half_there, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_reader_sees_one_state_while_a_writer_writes,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
