/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "tests/unit/keeping.h"

static struct hl_collection_info info_of(struct keeping *k)
{
    struct hl_collection_info info;

    assert_int_equal(hl_collection_info(k->s.collection, k->s.arena, &info, &k->s.err),
                     HL_OK);
    hl_layout_unref(info.layout);
    return info;
}

static void put_tails(struct keeping *k, int n)
{
    for (int i = 0; i < n; i++) {
        assert_true(put_points(k, 64 * i + 1, 64 * i + 64) > 0);
        await(k, HL_ENGINE_SEALED, (size_t)i + 1);
    }
}

static void a_full_tail_becomes_a_segment(void **state)
{
    struct keeping *k = *state;

    assert_true(put_points(k, 1, 63) > 0);
    assert_int_equal(info_of(k).n_indexed, 0);
    assert_int_equal(count_files(k, NULL, 0), 0);
    assert_true(put_points(k, 64, 70) > 0);
    await(k, HL_ENGINE_SEALED, 1);
    assert_int_equal(info_of(k).n_indexed, 64);
    assert_int_equal(count_files(k, NULL, 0), 1);
    assert_found(k, 1, 70);
}

static void what_segments_take_of_memory_is_counted_and_given_back(void **state)
{
    struct keeping *k = *state;
    struct hl_engine_state engine;
    uint64_t held;

    put_tails(k, 1);
    held = info_of(k).held_bytes;
    hl_engine_state(k->s.engine, &engine);
    assert_true(engine.held_bytes > 0);
    assert_true(engine.held_bytes <= held); /* the next tail is there too */
    assert_int_equal(engine.most_held_bytes, k->s.options.most_held_bytes);
    assert_true(info_of(k).mapped_bytes >= sizeof(float) * 128);
    k->s.options.most_held_bytes = 0;
    reopen(k);
    hl_engine_state(k->s.engine, &engine);
    assert_int_equal(engine.held_bytes, 0);
    assert_true(info_of(k).held_bytes < held);
    assert_found(k, 1, 64);
}

/* Four tails have a row more than there is room for. */
static void what_memory_cannot_build_is_not_merged(void **state)
{
    struct keeping *k = *state;

    k->s.options.most_build_bytes = 255 * hl_segment_build_bytes(2, k->s.options.n_links);
    reopen(k);
    put_tails(k, 6);
    assert_int_equal(info_of(k).n_indexed, 384);
    reopen(k);
    assert_int_equal(count_files(k, NULL, 0), 6);
    assert_int_equal(told(k, HL_ENGINE_MERGED), 0);
    k->s.options.most_build_bytes = 0;
    reopen(k);
    await(k, HL_ENGINE_MERGED, 1);
    assert_found(k, 1, 384);
}

static void neighbours_become_one_and_their_files_go(void **state)
{
    struct keeping *k = *state;

    put_tails(k, 4);
    await(k, HL_ENGINE_MERGED, 1);
    assert_found(k, 1, 256);
    reopen(k); /* nobody holds the old ones any more */
    assert_int_equal(count_files(k, NULL, 0), 1);
    assert_int_equal(info_of(k).n_indexed, 256);
    assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
    assert_found(k, 1, 256);
}

static void a_look_keeps_the_segments_it_began_with(void **state)
{
    struct keeping *k = *state;

    put_tails(k, 3);
    look(&k->s, NULL);
    assert_true(put_points(k, 193, 256) > 0);
    await(k, HL_ENGINE_MERGED, 1);
    assert_in_range(count_files(k, NULL, 0), 4,
                    5); /* three, the one of all, one in between */
    hl_look_close(k->s.look);
    k->s.look = NULL;
    assert_true(delete_points(k, 256, 256) > 0);
    assert_found(k, 1, 255);
}

static void what_dies_during_a_merge_stays_dead(void **state)
{
    struct keeping *k = *state;

    put_tails(k, 3);
    for (int i = 0; i < 64; i++) /* before, while and after the four are merged */
        assert_true(put_points(k, 193 + i, 193 + i) > 0 &&
                    delete_points(k, i + 1, i + 1) > 0);
    await(k, HL_ENGINE_MERGED, 1);
    assert_found(k, 65, 256);
    reopen(k);
    assert_found(k, 65, 256);
}

static void await_segments(struct keeping *k, size_t n)
{
    const struct timespec moment = {.tv_nsec = 5000000};

    for (int i = 0; i < PATIENCE_S * 200 && info_of(k).n_segments != n; i++)
        (void)nanosleep(&moment, NULL);
    assert_int_equal(info_of(k).n_segments, n);
}

static void segments_of_which_nothing_lives_go(void **state)
{
    struct keeping *k = *state;

    put_tails(k, 5);
    assert_true(delete_points(k, 1, 320) > 0);
    await_segments(k, 0);
    reopen(k);
    assert_int_equal(count_files(k, NULL, 0), 0);
    assert_int_equal(info_of(k).n_segments, 0);
}

struct deaths {
    uint64_t first, last; /* rows */
    size_t n;
};

static bool count_death(void *self, const struct hl_store_death *death, uint64_t died)
{
    struct deaths *deaths = self;

    (void)died;
    deaths->n += deaths->first <= death->row && death->row <= deaths->last;
    return true;
}

static size_t count_deaths_among(struct keeping *k, uint64_t at, uint64_t first,
                                 uint64_t last)
{
    struct deaths deaths = {first, last, 0};
    struct hl_reader *reader;
    char path[80];

    snprintf(path, sizeof path, "%s/points.db", k->s.folder);
    assert_int_equal(hl_reader_open(path, &reader, &k->s.err), HL_OK);
    assert_int_equal(hl_reader_begin(reader, at, &k->s.err), HL_OK);
    assert_int_equal(hl_reader_deaths(reader, count_death, &deaths, &k->s.err), HL_OK);
    hl_reader_end(reader);
    hl_reader_close(reader);
    return deaths.n;
}

static size_t count_deaths(struct keeping *k, uint64_t at)
{
    return count_deaths_among(k, at, 0, UINT64_MAX);
}

/* Somebody looks on while the first rows of a tail die, so that a seal leaves
 * them out and their deaths stay. */
static void deaths_at_the_edge_of_a_segment_are_forgotten_with_the_next(void **state)
{
    struct keeping *k = *state;
    uint64_t commit;

    assert_true(put_points(k, 1, 60) > 0);
    look(&k->s, NULL);
    assert_true(delete_points(k, 1, 3) > 0);
    commit = put_points(k, 61, 64);
    await(k, HL_ENGINE_SEALED, 1);
    assert_int_equal(count_deaths(k, commit), 3);
    hl_look_close(k->s.look);
    k->s.look = NULL;
    commit = put_points(k, 65, 256);
    await(k, HL_ENGINE_MERGED, 1);
    assert_int_equal(count_deaths(k, commit), 0);
    assert_found(k, 4, 256);
    reopen(k);
    assert_found(k, 4, 256);
}

/* Rows at the edges of the neighbours, which their files have. */
static void deaths_at_the_edge_of_a_neighbour_stay(void **state)
{
    struct keeping *k = *state;

    put_tails(k, 1);
    assert_true(delete_points(k, 64, 64) > 0);
    assert_true(put_points(k, 65, 128) > 0);
    await(k, HL_ENGINE_SEALED, 2);
    reopen(k);
    look(&k->s, NULL);
    assert_int_equal(hl_look_n_points(k->s.look), 127);
    hl_look_close(k->s.look);
    k->s.look = NULL;
    assert_true(delete_points(k, 65, 65) > 0);
    assert_true(delete_points(k, 1, 63) > 0);
    reopen(k); /* wakes the keeper */
    await_segments(k, 1);
    reopen(k);
    assert_found(k, 66, 128);
}

/* Its own may still be in the store when it goes, and then stay. */
static void deaths_behind_a_segment_are_forgotten_with_it(void **state)
{
    struct keeping *k = *state;
    uint64_t commit;

    put_tails(k, 1);
    assert_true(put_points(k, 65, 124) > 0);
    look(&k->s, NULL);
    assert_true(delete_points(k, 65, 67) > 0);
    commit = put_points(k, 125, 128);
    await(k, HL_ENGINE_SEALED, 2);
    assert_int_equal(count_deaths_among(k, commit, 65, 67), 3);
    hl_look_close(k->s.look);
    k->s.look = NULL;
    assert_true(delete_points(k, 1, 64) > 0);
    commit = put_points(k, 129, 129);
    reopen(k);            /* wakes the keeper */
    await_segments(k, 2); /* and a tail */
    assert_int_equal(count_deaths_among(k, commit, 65, 67), 0);
    reopen(k);
    assert_found(k, 68, 129);
}

static uint64_t put_sparse(struct keeping *k, int first, int last)
{
    struct hl_buf body;
    uint64_t commit;

    hl_buf_init(&body, (size_t)16 << 20);
    hl_buf_add_text(&body, "{\"upsert\":{\"points\":[");
    for (int i = first; i <= last; i++)
        hl_buf_print(&body,
                     "%s{\"id\":%d,\"vector\":{\"s\":{\"indices\":[%d],\"values\":[1]}}}",
                     i > first ? "," : "", i, i);
    hl_buf_add_text(&body, "]}}");
    commit = change_points(&k->s, body.data);
    hl_buf_done(&body);
    return commit;
}

/* No file has them: what died is forgotten when the living are moved together, as far as
 * its rows are out of the store by then. */
static void deaths_of_sparse_rows_are_forgotten(void **state)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    struct keeping *k = *state;
    uint64_t commit = 0;

    add_sparse(&k->s, "s");
    for (int round = 0; round < 6; round++) {
        assert_true(put_sparse(k, 1, 5000) > 0);
        commit = delete_points(k, 1, 5000);
        for (int i = 0; i < PATIENCE_S * 200 && count_deaths(k, commit) > 10000; i++)
            (void)nanosleep(&moment, NULL);
        assert_in_range(count_deaths(k, commit), 0, 10000);
    }
    assert_true(put_sparse(k, 1, 1) > 0);
    reopen(k);
    look(&k->s, NULL);
    assert_int_equal(hl_look_n_points(k->s.look), 1);
}

/* A clock that fills a tail when it is asked how late it is at the beginning of the merge.
 */
static int64_t fill_a_tail(void *self)
{
    struct keeping *k = self;

    if (told(k, HL_ENGINE_SEALED) == 4 && !atomic_exchange(&k->has_filled, true))
        (void)put_points(k, 257, 320);
    return 0;
}

static void a_merge_lets_a_full_tail_go_first(void **state)
{
    struct keeping *k = *state;

    k->clock = (struct hl_clock){.now_us = fill_a_tail, .self = k};
    k->s.options.clock = &k->clock;
    reopen(k);
    put_tails(k, 4);
    await(k, HL_ENGINE_MERGED, 1);
    assert_true(atomic_load(&k->has_filled));
    assert_int_equal(k->n_sealed_before_merge, 5);
    assert_found(k, 1, 320);
    reopen(k);
    assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
    assert_found(k, 1, 320);
}

/* What fails is told, what was written is there all the same, and it is tried again. */
static void fail_upkeep(struct keeping *k, const char *rule)
{
    assert_true(put_points(k, 1, 63) > 0);
    assert_int_equal(hl_failpoint_arm(rule, &k->s.err), HL_OK);
    assert_true(put_points(k, 64, 65) > 0);
    await(k, HL_ENGINE_UPKEEP_FAILED, 1);
    assert_true(strlen(k->last_error) > 0);
    await(k, HL_ENGINE_SEALED, 1);
    close_stand(&k->s); /* nobody passes */
    hl_failpoint_disarm();
    reopen(k);
    assert_int_equal(count_files(k, NULL, 0), 1);
    assert_found(k, 1, 65);
}

static void a_seal_that_cannot_be_put_in_place_is_tried_again(void **state)
{
    fail_upkeep(*state, "file.rename=1:fail");
}

static void a_seal_that_cannot_be_mapped_is_tried_again(void **state)
{
    fail_upkeep(*state, "file.map=1:fail");
}

static void the_end_comes_before_a_seal_is_through(void **state)
{
    struct keeping *k = *state;

    for (int i = 0; i < 4; i++) {
        assert_true(put_points(k, 300 * i + 1, 300 * i + 300) > 0);
        reopen(k); /* in the middle of whatever the keeper does */
        assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
        assert_found(k, 1, 300 * i + 300);
    }
    await(k, HL_ENGINE_SEALED, 1);
}

enum { LONG = 128, N_LONG = 2200, N_SEALED = 2048, ASKS_BEFORE = 513 };

/* Along two directions, so that short forms say nearly everything. */
static float long_value(int id, int at)
{
    const int along = id % 47, across = id / 47;

    return (float)(along * (at % 5) + across * (at % 3)) / 64;
}

/* Points whose vectors are long enough for short forms of them, one segment and a tail. */
static void put_long(struct keeping *k)
{
    struct hl_buf body;

    k->s.options.seal_rows = N_SEALED;
    k->s.options.most_held_bytes = (size_t)8 << 20;
    reopen(k);
    add_dense(&k->s, "long", LONG, "Euclid");
    hl_buf_init(&body, (size_t)16 << 20);
    hl_buf_add_text(&body, "{\"upsert\":{\"points\":[");
    for (int id = 1; id <= N_LONG; id++) {
        hl_buf_print(&body, "%s{\"id\":%d,\"vector\":{\"long\":[", id > 1 ? "," : "", id);
        for (int at = 0; at < LONG; at++)
            hl_buf_print(&body, "%s%.6f", at > 0 ? "," : "", (double)long_value(id, at));
        hl_buf_add_text(&body, "]}}");
    }
    hl_buf_add_text(&body, "]}}");
    assert_true(change_points(&k->s, body.data) > 0);
    hl_buf_done(&body);
    await(k, HL_ENGINE_SEALED, 1);
}

/* Each finds itself. */
static void ask_long(struct keeping *k, int n)
{
    static const struct hl_text name = {"long", 4};
    float at[LONG];
    struct hl_find find = {
        .values = at, .n = LONG, .k = 1, .is_exact = true, .deadline = &never};
    const struct hl_hit *hits;
    size_t n_hits;

    look(&k->s, NULL);
    find.space = hl_layout_find(hl_look_layout(k->s.look), &name);
    for (int i = 0; i < n; i++) {
        const int wanted = 1 + i * 7 % N_LONG;
        struct hl_id id;

        for (int which = 0; which < LONG; which++)
            at[which] = long_value(wanted, which);
        assert_int_equal(
            hl_look_find(k->s.look, &find, k->s.arena, &hits, &n_hits, &k->s.err), HL_OK);
        assert_int_equal(n_hits, 1);
        id = hl_look_id(k->s.look, hits[0].number);
        assert_int_equal(hl_id_value(&id), wanted);
    }
    hl_look_close(k->s.look);
    k->s.look = NULL;
}

static uint64_t held_by_engine(struct keeping *k)
{
    struct hl_engine_state engine;

    hl_engine_state(k->s.engine, &engine);
    return engine.held_bytes;
}

static void the_keeper_makes_short_forms_while_searches_go_on(void **state)
{
    struct keeping *k = *state;
    const time_t until = time(NULL) + PATIENCE_S;
    uint64_t held;

    put_long(k);
    reopen(k); /* what the tail grew is gone */
    held = held_by_engine(k);
    ask_long(k, ASKS_BEFORE);
    while (held_by_engine(k) == held && time(NULL) < until)
        ask_long(k, 16);
    assert_true(held_by_engine(k) > held);
    ask_long(k, 100);
    reopen(k);
    assert_int_equal(held_by_engine(k), held);
    ask_long(k, 10);
}

static void the_end_comes_before_short_forms_are_made(void **state)
{
    struct keeping *k = *state;

    put_long(k);
    for (int i = 0; i < 4; i++) {
        ask_long(k, ASKS_BEFORE);
        reopen(k);
    }
    ask_long(k, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_full_tail_becomes_a_segment),
        TEST(what_segments_take_of_memory_is_counted_and_given_back),
        TEST(what_memory_cannot_build_is_not_merged),
        TEST(neighbours_become_one_and_their_files_go),
        TEST(a_look_keeps_the_segments_it_began_with),
        TEST(what_dies_during_a_merge_stays_dead),
        TEST(segments_of_which_nothing_lives_go),
        TEST(deaths_at_the_edge_of_a_segment_are_forgotten_with_the_next),
        TEST(deaths_at_the_edge_of_a_neighbour_stay),
        TEST(deaths_behind_a_segment_are_forgotten_with_it),
        TEST(deaths_of_sparse_rows_are_forgotten),
        TEST(a_merge_lets_a_full_tail_go_first),
        TEST(the_keeper_makes_short_forms_while_searches_go_on),
        TEST(the_end_comes_before_short_forms_are_made),
        TEST(a_seal_that_cannot_be_put_in_place_is_tried_again),
        TEST(a_seal_that_cannot_be_mapped_is_tried_again),
        TEST(the_end_comes_before_a_seal_is_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
