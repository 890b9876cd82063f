/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/sparse.h"
#include "proto/fail.h"
#include "tests/support/still.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HITS = 16, MOST_VALUES = 8 };

struct fixture {
    struct hl_sparse *sparse;
    uint64_t next_row;
    char text[512]; /* of what was found */
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f)
        return -1;
    f->sparse = hl_sparse_new();
    f->next_row = 1;
    return f->sparse ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_sparse_unref(f->sparse);
    free(f);
    return 0;
}

/* Pairs of an index and a value. */
struct values {
    uint32_t n;
    uint32_t indices[MOST_VALUES];
    float values[MOST_VALUES];
};

static enum hl_code append_to(struct hl_sparse *sparse, uint64_t row, uint64_t born,
                              const struct values *values, struct hl_err *err)
{
    const struct hl_store_row content = {
        row, (uint32_t)row, born, {1, values->n, values->values, values->indices}};

    return hl_sparse_append(sparse, &content, err);
}

/* Point `i` is row `i`, from 1 on. */
static void add(struct fixture *f, uint64_t born, struct values values)
{
    assert_int_equal(append_to(f->sparse, f->next_row++, born, &values, &f->err), HL_OK);
}

static struct values one(uint32_t index, float value)
{
    return (struct values){1, {index}, {value}};
}

static struct values two(uint32_t a, float x, uint32_t b, float y)
{
    return (struct values){2, {a, b}, {x, y}};
}

static const char *find_in(struct fixture *f, const struct hl_sparse *sparse,
                           struct values query, uint64_t commit, size_t k,
                           const struct hl_shelf_filter *filter)
{
    struct hl_shelf_hit hits[MOST_HITS];
    const struct hl_sparse_search search = {
        sparse, query.indices, query.values, query.n, commit, k, filter, &never};
    size_t n = 0, len = 0;

    assert_true(k <= MOST_HITS);
    f->text[0] = '\0';
    if (hl_sparse_find(&search, hits, &n, &f->err) != HL_OK)
        return f->err.msg;
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(f->text + len, sizeof f->text - len, "%s%u:%.2f",
                                i ? " " : "", hits[i].number, (double)hits[i].score);
    return f->text;
}

static const char *find(struct fixture *f, struct values query, uint64_t commit, size_t k)
{
    return find_in(f, f->sparse, query, commit, k, NULL);
}

/* ---- what is found ---- */

static void a_hit_shares_an_index_with_the_query(void **state)
{
    struct fixture *f = *state;

    add(f, 1, two(1, 1, 5, 2));
    add(f, 1, two(2, 9, 6, 9));
    add(f, 1, one(5, 4));
    assert_string_equal(find(f, two(1, 10, 5, 0.5F), 1, 9), "1:11.00 3:2.00");
    assert_string_equal(find(f, one(4000000000U, 1), 1, 9), "");
}

static void a_score_may_be_zero_or_negative(void **state)
{
    struct fixture *f = *state;

    add(f, 1, one(1, -3));
    add(f, 1, two(1, 1, 2, -1));
    assert_string_equal(find(f, two(1, 1, 2, 1), 1, 9), "2:0.00 1:-3.00");
}

static void nothing_is_found_by_an_empty_query_or_of_an_empty_vector(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(find(f, one(1, 1), 1, 9), "");
    add(f, 1, (struct values){0});
    add(f, 1, one(1, 1));
    assert_string_equal(find(f, (struct values){0}, 1, 9), "");
    assert_string_equal(find(f, one(1, 1), 1, 9), "2:1.00");
    assert_string_equal(find(f, one(1, 1), 1, 0), "");
}

static void the_best_come_first_and_equal_ones_by_number(void **state)
{
    struct fixture *f = *state;
    static const float values[] = {3, 7, 5, 7, 1, 7, 2};

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        add(f, 1, one(1, values[i]));
    assert_string_equal(find(f, one(1, 1), 1, 4), "2:7.00 4:7.00 6:7.00 3:5.00");
    assert_string_equal(find(f, one(1, 1), 1, 2), "2:7.00 4:7.00");
    assert_string_equal(find(f, one(1, -1), 1, 3), "5:-1.00 7:-2.00 1:-3.00");
}

static bool is_even(void *self, uint32_t number)
{
    (void)self;
    return number % 2 == 0;
}

static void a_filter_says_who_may_be_found(void **state)
{
    struct fixture *f = *state;
    const struct hl_shelf_filter even = {.has = is_even, .n_points = 5};

    for (int i = 1; i <= 6; i++)
        add(f, 1, one(1, (float)i));
    assert_string_equal(find_in(f, f->sparse, one(1, 1), 1, 2, &even), "6:6.00 4:4.00");
}

/* ---- commits ---- */

static void a_reader_sees_the_rows_of_its_commit(void **state)
{
    struct fixture *f = *state;

    add(f, 3, one(1, 1));
    add(f, 5, one(1, 2));
    assert_true(hl_sparse_kill(f->sparse, 1, 7));
    assert_string_equal(find(f, one(1, 1), 2, 9), "");
    assert_string_equal(find(f, one(1, 1), 3, 9), "1:1.00");
    assert_string_equal(find(f, one(1, 1), 6, 9), "2:2.00 1:1.00");
    assert_string_equal(find(f, one(1, 1), 7, 9), "2:2.00");
}

static void struck_rows_were_never_there(void **state)
{
    struct fixture *f = *state;

    add(f, 1, one(1, 1));
    add(f, 2, one(1, 2));
    add(f, 2, one(1, 3));
    hl_sparse_strike(f->sparse, 1);
    for (uint64_t commit = 1; commit < 4; commit++)
        assert_string_equal(find(f, one(1, 1), commit, 9), "1:1.00");
    assert_int_equal(hl_sparse_count(f->sparse), 3);
    assert_int_equal(hl_sparse_n_dead(f->sparse), 2);
}

static void a_row_that_is_not_there_is_not_killed(void **state)
{
    struct fixture *f = *state;

    assert_false(hl_sparse_kill(f->sparse, 1, 2));
    f->next_row = 10;
    add(f, 1, one(1, 1));
    assert_false(hl_sparse_kill(f->sparse, 9, 2));
    assert_false(hl_sparse_kill(f->sparse, 11, 2));
    assert_true(hl_sparse_kill(f->sparse, 10, 2));
    assert_true(hl_sparse_kill(f->sparse, 10, 2));
    assert_int_equal(hl_sparse_n_dead(f->sparse), 1);
}

static void compacting_keeps_what_lives_at_its_commit(void **state)
{
    struct fixture *f = *state;
    struct hl_sparse *next = NULL;

    for (int i = 1; i <= 4; i++)
        add(f, 1, two(1, (float)i, 7, 1));
    hl_sparse_kill(f->sparse, 2, 5);
    hl_sparse_kill(f->sparse, 3, 9); /* behind the commit: kept with its death */
    assert_int_equal(hl_sparse_compact(f->sparse, 6, &next, &f->err), HL_OK);
    assert_int_equal(hl_sparse_count(next), 3);
    assert_int_equal(hl_sparse_n_dead(next), 1);
    assert_string_equal(find_in(f, next, one(1, 1), 6, 9, NULL), "4:4.00 3:3.00 1:1.00");
    assert_string_equal(find_in(f, next, one(1, 1), 9, 9, NULL), "4:4.00 1:1.00");
    assert_true(hl_sparse_kill(next, 4, 10));
    assert_string_equal(find_in(f, next, one(1, 1), 10, 9, NULL), "1:1.00");
    assert_string_equal(find(f, one(1, 1), 10, 9), "4:4.00 1:1.00");
    hl_sparse_unref(next);
}

/* ---- many ---- */

static uint64_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return *state >> 33;
}

/* Up to eight whole values, so that sums are exact in any order. */
static struct values draw_values(uint64_t *state)
{
    struct values drawn = {0};

    for (uint32_t index = 0; index < 24 && drawn.n < MOST_VALUES; index++) {
        if (draw(state) % 3 != 0)
            continue;
        drawn.indices[drawn.n] = index * 1000;
        drawn.values[drawn.n++] = (float)(draw(state) % 19) - 9;
    }
    return drawn;
}

static double score_slowly(const struct values *a, const struct values *b, bool *ret_meet)
{
    double sum = 0;

    *ret_meet = false;
    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t j = 0; j < b->n; j++)
            if (a->indices[i] == b->indices[j]) {
                sum += (double)a->values[i] * (double)b->values[j];
                *ret_meet = true;
            }
    return sum;
}

/* The best row that is not taken, 0 when there is none. */
static size_t find_best(const struct values *rows, size_t n, const struct values *query,
                        const bool *is_taken, double *ret_score)
{
    size_t best = 0;

    for (size_t i = 1; i <= n; i++) {
        bool has_met;
        const double score = score_slowly(query, &rows[i], &has_met);

        if (!has_met || is_taken[i] || (best && score <= *ret_score))
            continue;
        best = i;
        *ret_score = score;
    }
    return best;
}

static void find_slowly(const struct values *rows, size_t n, const struct values *query,
                        char *text, size_t size)
{
    bool *is_taken = calloc(n + 1, sizeof *is_taken);
    size_t len = 0;

    assert_non_null(is_taken);
    text[0] = '\0';
    for (int hit = 0; hit < 10; hit++) {
        double score = 0;
        const size_t best = find_best(rows, n, query, is_taken, &score);

        if (!best)
            break;
        is_taken[best] = true;
        len += (size_t)snprintf(text + len, size - len, "%s%zu:%.2f", hit ? " " : "", best,
                                score);
    }
    free(is_taken);
}

static void what_is_found_is_what_a_slow_scan_finds(void **state)
{
    enum { N = 3000, N_QUERIES = 40 };
    struct fixture *f = *state;
    struct values *rows = calloc(N + 1, sizeof *rows);
    uint64_t seed = 1;

    assert_non_null(rows);
    for (size_t i = 1; i <= N; i++) {
        rows[i] = draw_values(&seed);
        add(f, 1, rows[i]);
    }
    for (int at = 0; at < N_QUERIES; at++) {
        const struct values query = draw_values(&seed);
        char wanted[512];

        find_slowly(rows, N, &query, wanted, sizeof wanted);
        assert_string_equal(find(f, query, 1, 10), wanted);
    }
    free(rows);
}

/* ---- a writer beside readers ---- */

enum { MOST_ROWS = 5000, N_READERS = 2 };

struct shared {
    struct hl_sparse *sparse;
    _Atomic uint64_t published;
    atomic_bool is_over;
    atomic_size_t n_wrong;
};

/* Commit c makes row c and ends row c - 8: whoever fixed c finds those of the last eight.
 */
static void *read_commits(void *arg)
{
    struct shared *shared = arg;
    const struct values query = one(1, 1);
    struct hl_shelf_hit hits[MOST_HITS];
    struct hl_err err;

    while (!atomic_load(&shared->is_over)) {
        const uint64_t commit = atomic_load(&shared->published);
        const struct hl_sparse_search search = {
            shared->sparse, query.indices, query.values, 1,
            commit,         MOST_HITS,     NULL,         &never};
        const size_t wanted = commit < 8 ? commit : 8;
        size_t n = 0;
        bool is_right = hl_sparse_find(&search, hits, &n, &err) == HL_OK && n == wanted;

        for (size_t i = 0; is_right && i < n; i++)
            is_right = hits[i].row == commit - i;
        if (!is_right)
            atomic_fetch_add(&shared->n_wrong, 1);
    }
    return NULL;
}

static void readers_see_their_commit_while_rows_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct shared shared = {.sparse = f->sparse};
    pthread_t readers[N_READERS];

    for (size_t i = 0; i < N_READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_commits, &shared), 0);
    for (uint64_t commit = 1; commit <= MOST_ROWS; commit++) {
        add(f, commit, one(1, (float)commit));
        if (commit > 8)
            assert_true(hl_sparse_kill(f->sparse, commit - 8, commit));
        atomic_store(&shared.published, commit);
    }
    atomic_store(&shared.is_over, true);
    for (size_t i = 0; i < N_READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&shared.n_wrong), 0);
    assert_int_equal(hl_sparse_n_dead(f->sparse), MOST_ROWS - 8);
}

/* ---- refusals ---- */

static int64_t read_hand(void *self)
{
    return *(const int64_t *)self;
}

static void a_search_ends_with_its_time(void **state)
{
    struct fixture *f = *state;
    int64_t now = 5;
    const struct hl_clock clock = {read_hand, &now};
    const struct hl_deadline over = {&clock, 1, NULL};
    const struct values query = one(1, 1);
    struct hl_shelf_hit hits[1];
    const struct hl_sparse_search search = {f->sparse, query.indices, query.values, 1, 1,
                                            1,         NULL,          &over};
    size_t n = 77;

    add(f, 1, one(1, 1));
    assert_int_equal(hl_sparse_find(&search, hits, &n, &f->err), HL_TIMEOUT);
    assert_int_equal(n, 77);
}

static enum hl_code make_and_compact(struct hl_err *err)
{
    struct hl_sparse *sparse = hl_sparse_new(), *next = NULL;
    const struct values values = one(1, 1);
    enum hl_code code = HL_NO_MEMORY;

    if (sparse)
        code = append_to(sparse, 1, 1, &values, err);
    if (code == HL_OK)
        code = hl_sparse_compact(sparse, 1, &next, err);
    hl_sparse_unref(next);
    hl_sparse_unref(sparse);
    return code;
}

static void every_failed_allocation_is_told_and_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    int n = 1;

    for (; code != HL_OK && n < 20; n++) {
        char spec[32];

        snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(spec, &f->err), HL_OK);
        code = make_and_compact(&f->err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_int_equal(code, HL_OK);
    assert_true(n > 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hit_shares_an_index_with_the_query),
        TEST(a_score_may_be_zero_or_negative),
        TEST(nothing_is_found_by_an_empty_query_or_of_an_empty_vector),
        TEST(the_best_come_first_and_equal_ones_by_number),
        TEST(a_filter_says_who_may_be_found),
        TEST(a_reader_sees_the_rows_of_its_commit),
        TEST(struck_rows_were_never_there),
        TEST(a_row_that_is_not_there_is_not_killed),
        TEST(compacting_keeps_what_lives_at_its_commit),
        TEST(what_is_found_is_what_a_slow_scan_finds),
        TEST(readers_see_their_commit_while_rows_come_and_go),
        TEST(a_search_ends_with_its_time),
        TEST(every_failed_allocation_is_told_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
