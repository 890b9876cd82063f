/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/screen.h"
#include "index/shelf.h"
#include "proto/fail.h"
#include "proto/pages.h"
#include "tests/support/still.h"
#include "tests/unit/sealing.h"
#include "tests/unit/sketching.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is found with a screen is what is found without: tests/unit/test_scan.c. */
enum { DIM = 128, N_ROWS = 2100, LATENT = 6, N_ASKED = 64, K = 10 };

struct fixture {
    float *rows;
    struct hl_screen_rows given;
    struct hl_err err;
};

/* Along a few directions, and a little everywhere; or only everywhere. */
static void fill(float *rows, float everywhere)
{
    static float directions[LATENT][DIM];
    uint64_t seed = 3;

    for (size_t i = 0; i < LATENT; i++)
        for (size_t at = 0; at < DIM; at++)
            directions[i][at] = value_at(&seed);
    for (size_t row = 0; row < N_ROWS + N_ASKED; row++) {
        float *values = rows + row * DIM;

        for (size_t at = 0; at < DIM; at++)
            values[at] = everywhere * value_at(&seed);
        for (size_t i = 0; i < LATENT && everywhere < 1; i++) {
            const float share = value_at(&seed);

            for (size_t at = 0; at < DIM; at++)
                values[at] += share * directions[i][at];
        }
    }
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f)
        return -1;
    f->rows = malloc((size_t)(N_ROWS + N_ASKED) * DIM * sizeof(float));
    f->given =
        (struct hl_screen_rows){table_of("auto"), HL_METRIC_L2, DIM, f->rows, N_ROWS};
    if (f->rows)
        fill(f->rows, 0.05F);
    return f->rows ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    free(f->rows);
    free(f);
    return 0;
}

static void a_screen_is_made_little_by_little(void **state)
{
    struct fixture *f = *state;
    struct hl_screen *screen = hl_screen_new(&f->given);

    assert_true(hl_screen_is_worth(&f->given));
    assert_non_null(screen);
    assert_int_equal(hl_screen_count(screen), 0);
    hl_screen_extend(screen, &f->given, 1000);
    assert_int_equal(hl_screen_count(screen), 1000);
    hl_screen_extend(screen, &f->given, 5000);
    assert_int_equal(hl_screen_count(screen), N_ROWS);
    assert_true(hl_screen_bytes(screen) >=
                N_ROWS * hl_sketch_stride(hl_screen_dim(screen)));
    hl_screen_free(screen);
}

static int greatest_first(const void *a, const void *b)
{
    const float left = *(const float *)a, right = *(const float *)b;

    return (left < right) - (left > right);
}

static float tenth_of(float *scores, size_t n)
{
    qsort(scores, n, sizeof *scores, greatest_first);
    return scores[9];
}

/* How many of all rows and queries are left when each query knows its tenth best score. */
static double share_left(struct fixture *f, const struct hl_screen *screen)
{
    const size_t dim = hl_screen_dim(screen), stride = hl_sketch_stride(dim);
    size_t n_left = 0;

    for (size_t query = 0; query < N_ASKED; query++) {
        uint8_t query_bytes[DIM + 32], short_bytes[DIM];
        uint64_t may[N_ROWS];
        float along[DIM], scores[N_ROWS];
        struct hl_sketch_query sketch, brief;
        const struct hl_screen_room own = {along, short_bytes};
        struct hl_tile tile;
        uint8_t *bytes = aligned_alloc(64, (hl_tile_room(dim, 1) + 63) / 64 * 64);

        assert_non_null(bytes);
        hl_sketch_query_init(&sketch, f->given.kernels, HL_METRIC_L2,
                             f->rows + (N_ROWS + query) * DIM, DIM, query_bytes);
        hl_tile_init(&tile, HL_METRIC_L2, dim, 1, bytes);
        hl_screen_put(screen, &sketch, &own, &tile, 0, &brief);
        for (size_t row = 0; row < N_ROWS; row++)
            scores[row] = hl_sketch_exact(&sketch, f->rows + row * DIM);
        hl_tile_raise(&tile, 0, tenth_of(scores, N_ROWS));
        hl_tile_pass(&tile, &brief, hl_screen_sketches(screen), stride, N_ROWS, may);
        for (size_t row = 0; row < N_ROWS; row++)
            n_left += may[row] != 0;
        free(bytes);
    }
    return (double)n_left / ((double)N_ROWS * N_ASKED);
}

static void rows_along_few_directions_are_nearly_all_ruled_out(void **state)
{
    struct fixture *f = *state;
    struct hl_screen *screen = hl_screen_new(&f->given);

    assert_non_null(screen);
    hl_screen_extend(screen, &f->given, N_ROWS);
    assert_true(share_left(f, screen) < 0.05);
    hl_screen_free(screen);
}

static void rows_in_all_directions_have_no_screen(void **state)
{
    struct fixture *f = *state;
    struct hl_screen *screen;

    fill(f->rows, 1);
    screen = hl_screen_new(&f->given);
    assert_non_null(screen);
    hl_screen_extend(screen, &f->given, N_ROWS);
    assert_int_equal(hl_screen_count(screen), 0);
    hl_screen_free(screen);
}

static void short_rows_very_long_ones_and_few_rows_are_not_worth_one(void **state)
{
    struct fixture *f = *state;
    struct hl_screen_rows rows = f->given;

    rows.dim = 64;
    assert_false(hl_screen_is_worth(&rows));
    rows.dim = 4096;
    assert_false(hl_screen_is_worth(&rows));
    rows.dim = DIM;
    rows.n_rows = 500;
    assert_false(hl_screen_is_worth(&rows));
}

static void without_memory_there_is_none(void **state)
{
    struct fixture *f = *state;
    struct hl_screen *screen = NULL;

    for (int nth = 1; !screen; nth++) {
        char rules[32];

        assert_true(nth < 10);
        (void)snprintf(rules, sizeof rules, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rules, &f->err), HL_OK);
        screen = hl_screen_new(&f->given);
        hl_failpoint_disarm();
        assert_true(!screen || nth > 5);
    }
    hl_screen_free(screen);
}

/* ---- of a part ---- */

static struct hl_part *seal(struct fixture *f, const struct hl_segment_hold *hold)
{
    const float *values[N_ROWS];
    uint64_t rows[N_ROWS];
    uint32_t numbers[N_ROWS];
    const struct hl_segment_content content = {.n_rows = N_ROWS,
                                               .dim = DIM,
                                               .values = values,
                                               .rows = rows,
                                               .numbers = numbers,
                                               .metric = HL_METRIC_L2,
                                               .n_links = 4,
                                               .ef_construction = 8};

    for (uint32_t i = 0; i < N_ROWS; i++) {
        values[i] = f->rows + (size_t)i * DIM;
        rows[i] = i + 1;
        numbers[i] = i;
    }
    return seal_content(&content, hold);
}

/* The same exact searches again and again, and what they found the first time. */
static void ask_often(struct fixture *f, struct hl_part *part, size_t n_times)
{
    const struct hl_shelf shelf = {HL_METRIC_L2, DIM, 1, &part};
    const struct hl_shelf_search search = {.shelf = &shelf,
                                           .k = K,
                                           .is_exact = true,
                                           .kernels = f->given.kernels,
                                           .deadline = &never};
    struct hl_searcher *searcher = hl_searcher_new();
    struct hl_shelf_found found[N_ASKED];
    const float *queries[N_ASKED];
    const struct hl_shelf_many many = {queries, N_ASKED, found};
    struct hl_shelf_tally tally = {0};
    uint32_t first[N_ASKED][K];

    assert_non_null(searcher);
    for (size_t i = 0; i < N_ASKED; i++)
        queries[i] = f->rows + (N_ROWS + i) * DIM;
    for (size_t time = 0; time < n_times; time++) {
        assert_int_equal(hl_shelf_find_many(searcher, &search, &many, &tally, &f->err),
                         HL_OK);
        for (size_t i = 0; i < N_ASKED; i++)
            for (size_t at = 0; at < K; at++) {
                if (time == 0)
                    first[i][at] = found[i].hits[at].number;
                assert_int_equal(found[i].hits[at].number, first[i][at]);
            }
    }
    hl_searcher_free(searcher);
}

enum { ASKS_BEFORE = 8, N_REST = 5 };

struct keeping {
    struct hl_part_keeper keeper;
    size_t n_calls;
    struct hl_allowance allowance;
    struct hl_segment_hold hold;
    struct hl_part *part;
    size_t held; /* by it alone */
    size_t n_rests;
    void (*rest)(struct keeping *k); /* at the first one, or NULL */
    atomic_bool is_over;
    struct hl_deadline deadline;
};

static void count_call(void *self)
{
    ((struct keeping *)self)->n_calls++;
}

static void take_rest(void *self)
{
    struct keeping *k = self;

    if (k->n_rests++ == 0 && k->rest)
        k->rest(k);
}

static void begin_keeping(struct fixture *f, struct keeping *k)
{
    *k = (struct keeping){.keeper = {.call = count_call, .self = k},
                          .allowance = {.most = 64 << 20},
                          .hold = {.allowance = &k->allowance},
                          .deadline = {.clock = never.clock,
                                       .at_us = HL_DEADLINE_NEVER,
                                       .cancelled = &k->is_over}};
    k->part = seal(f, &k->hold);
    k->held = hl_part_held(k->part);
    hl_part_keep_by(k->part, &k->keeper);
}

static void make_screens(struct fixture *f, struct keeping *k)
{
    const struct hl_pause pause = {take_rest, k};
    const struct hl_part_screening screening = {
        .kernels = f->given.kernels, .deadline = &k->deadline, .pause = &pause};

    hl_part_keeper_screen(&k->keeper, &screening);
}

static void end_keeping(struct keeping *k)
{
    hl_part_unref(k->part);
    hl_part_keeper_clear(&k->keeper);
    assert_int_equal(atomic_load(&k->allowance.taken), 0);
}

static void a_part_that_is_looked_through_often_asks_for_one_and_gets_it(void **state)
{
    struct fixture *f = *state;
    struct keeping k;

    begin_keeping(f, &k);
    ask_often(f, k.part, ASKS_BEFORE);
    assert_int_equal(k.n_calls, 0);
    ask_often(f, k.part, 3);
    assert_int_equal(k.n_calls, 1); /* and no search has made it */
    assert_null(hl_part_screen(k.part));
    assert_int_equal(hl_part_held(k.part), k.held);
    make_screens(f, &k);
    assert_non_null(hl_part_screen(k.part));
    assert_int_equal(hl_screen_count(hl_part_screen(k.part)), N_ROWS);
    assert_int_equal(k.n_rests, N_REST);
    assert_true(hl_part_held(k.part) > k.held);
    assert_int_equal(atomic_load(&k.allowance.taken), hl_part_held(k.part));
    ask_often(f, k.part, (size_t)2 * ASKS_BEFORE);
    assert_int_equal(k.n_calls, 1);
    end_keeping(&k);
}

static void a_part_without_room_gets_none_and_asks_again_later(void **state)
{
    struct fixture *f = *state;
    struct keeping k;

    begin_keeping(f, &k);
    k.allowance.most = k.held + 10000;
    ask_often(f, k.part, ASKS_BEFORE + 1);
    make_screens(f, &k);
    assert_null(hl_part_screen(k.part));
    assert_int_equal(atomic_load(&k.allowance.taken), k.held);
    ask_often(f, k.part, ASKS_BEFORE);
    assert_int_equal(k.n_calls, 1);
    k.allowance.most = 64 << 20;
    ask_often(f, k.part, 1);
    assert_int_equal(k.n_calls, 2);
    make_screens(f, &k);
    assert_non_null(hl_part_screen(k.part));
    end_keeping(&k);
}

static void a_part_that_is_not_held_in_memory_gets_none(void **state)
{
    struct fixture *f = *state;
    struct keeping k;

    begin_keeping(f, &k);
    hl_part_unref(k.part);
    k.part = seal(f, NULL);
    hl_part_keep_by(k.part, &k.keeper);
    k.n_calls = 0;
    ask_often(f, k.part, ASKS_BEFORE + 4);
    assert_int_equal(k.n_calls, 0);
    end_keeping(&k);
}

static void replace(struct keeping *k)
{
    hl_part_retire(k->part);
}

static void let_go(struct keeping *k)
{
    hl_part_unref(k->part);
    k->part = NULL;
}

static void stop(struct keeping *k)
{
    atomic_store(&k->is_over, true);
}

/* Before it is made, and after the first piece of it. */
static void a_part_that_nobody_wants_any_more_gets_no_more_of_it(void **state)
{
    void (*const ways[])(struct keeping *) = {replace, let_go, stop};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct keeping k;

        begin_keeping(f, &k);
        ask_often(f, k.part, ASKS_BEFORE + 1);
        ways[i](&k);
        make_screens(f, &k);
        assert_true(!k.part || !hl_part_screen(k.part));
        assert_int_equal(k.n_rests, 0);
        end_keeping(&k);

        begin_keeping(f, &k);
        ask_often(f, k.part, ASKS_BEFORE + 1);
        k.rest = ways[i];
        make_screens(f, &k);
        assert_int_equal(k.n_rests, 1);
        if (k.part)
            ask_often(f, k.part, 1); /* with what there is of it */
        end_keeping(&k);
    }
}

static void who_still_asks_at_the_end_is_sent_away(void **state)
{
    struct fixture *f = *state;
    struct keeping k;

    begin_keeping(f, &k);
    ask_often(f, k.part, ASKS_BEFORE + 1);
    assert_int_equal(k.n_calls, 1);
    end_keeping(&k); /* nothing leaks, which the sanitizer sees */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_screen_is_made_little_by_little),
        TEST(rows_along_few_directions_are_nearly_all_ruled_out),
        TEST(rows_in_all_directions_have_no_screen),
        TEST(short_rows_very_long_ones_and_few_rows_are_not_worth_one),
        TEST(without_memory_there_is_none),
        TEST(a_part_that_is_looked_through_often_asks_for_one_and_gets_it),
        TEST(a_part_without_room_gets_none_and_asks_again_later),
        TEST(a_part_that_is_not_held_in_memory_gets_none),
        TEST(a_part_that_nobody_wants_any_more_gets_no_more_of_it),
        TEST(who_still_asks_at_the_end_is_sent_away),
    };

    return cmocka_run_group_tests_name("screen", tests, NULL, NULL);
}
