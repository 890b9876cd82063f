/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/keeping.h"

enum { FULL = 8192, ENOUGH = 5000, STEP = 1024 };

static void reopen_for_large_tails(struct keeping *k, size_t most_held_bytes)
{
    k->s.options.seal_rows = FULL;
    k->s.options.most_held_bytes = most_held_bytes;
    reopen(k);
}

static struct hl_engine_state state_of(struct keeping *k)
{
    struct hl_engine_state now;

    hl_engine_state(k->s.engine, &now);
    return now;
}

static void rest(void)
{
    const struct timespec moment = {.tv_nsec = 5000000};

    (void)nanosleep(&moment, NULL);
}

static void await_growth(struct keeping *k)
{
    for (int i = 0; i < PATIENCE_S * 200 && state_of(k).n_bare_rows >= STEP; i++)
        rest();
    assert_true(state_of(k).n_bare_rows < STEP);
}

/* By the graph, where there is one: point i at (i, 0) is found at its place. */
static void assert_walked(struct keeping *k, int last)
{
    static const struct hl_text name = {"e", 1};
    struct hl_find find = {.n = 2, .k = 1, .beam = 64, .deadline = &never};
    const struct hl_hit *hits;
    size_t n;

    look(&k->s, NULL);
    find.space = hl_layout_find(hl_look_layout(k->s.look), &name);
    for (int i = 1; i <= last; i += 97) {
        const float at[2] = {(float)i, 0};
        struct hl_id id;

        find.values = at;
        assert_int_equal(hl_look_find(k->s.look, &find, k->s.arena, &hits, &n, &k->s.err),
                         HL_OK);
        assert_int_equal(n, 1);
        id = hl_look_id(k->s.look, hits[0].number);
        assert_int_equal(hl_id_value(&id), i);
    }
    hl_look_close(k->s.look);
    k->s.look = NULL;
}

static void a_tail_gets_its_graph_while_it_fills(void **state)
{
    struct keeping *k = *state;
    uint64_t held;

    reopen_for_large_tails(k, (size_t)64 << 20);
    assert_true(put_points(k, 1, 2000) > 0);
    assert_int_equal(state_of(k).n_bare_rows, 0); /* so few are scanned */
    held = state_of(k).held_bytes;
    assert_true(put_points(k, 2001, ENOUGH) > 0);
    await_growth(k);
    assert_true(state_of(k).held_bytes > held);
    assert_walked(k, ENOUGH);
    assert_found(k, 1, ENOUGH);
    reopen(k); /* the rows are put into a tail again */
    await_growth(k);
    assert_walked(k, ENOUGH);
}

static void a_tail_that_grew_is_sealed(void **state)
{
    struct keeping *k = *state;

    reopen_for_large_tails(k, (size_t)64 << 20);
    for (int i = 0; i < 8; i++)
        assert_true(put_points(k, i * 1024 + 1, (i + 1) * 1024) > 0);
    await(k, HL_ENGINE_SEALED, 1);
    assert_int_equal(count_files(k, NULL, 0), 1);
    assert_walked(k, FULL);
    reopen(k);
    assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
    assert_found(k, 1, FULL);
}

/* These points and no others are found, before and after a restart. */
static void assert_survives_the_seal(struct keeping *k, int first, int last)
{
    await(k, HL_ENGINE_SEALED, 1);
    assert_found(k, first, last);
    reopen(k);
    assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
    assert_found(k, first, last);
}

static void what_died_while_it_grew_stays_dead(void **state)
{
    struct keeping *k = *state;

    reopen_for_large_tails(k, (size_t)64 << 20);
    assert_true(put_points(k, 1, ENOUGH) > 0);
    await_growth(k);
    assert_true(delete_points(k, 1, 100) > 0);
    assert_true(put_points(k, ENOUGH + 1, FULL + 100) > 0);
    assert_survives_the_seal(k, 101, FULL + 100);
    assert_true(delete_points(k, 101, 3000) > 0); /* a third of it, with the others */
    await(k, HL_ENGINE_MERGED, 1);
    reopen(k);
    assert_found(k, 3001, FULL + 100);
}

/* The tail of `k` fills up around a change in which a point's row is born and dies. */
static void seal_around(struct keeping *k, const char *change)
{
    reopen_for_large_tails(k, (size_t)64 << 20);
    assert_true(put_points(k, 1, ENOUGH) > 0);
    assert_true(change_points(&k->s, change) > 0);
    assert_true(put_points(k, ENOUGH + 2, FULL + 100) > 0);
    assert_survives_the_seal(k, 1, FULL + 100);
}

static void what_is_born_and_dies_in_one_change_stays_dead(void **state)
{
    seal_around(*state, "{\"upsert\":{\"points\":[{\"id\":5001,\"vector\":{\"e\":[-7,0]}},"
                        "{\"id\":5001,\"vector\":{\"e\":[5001,0]}}]}}");
}

static void so_does_what_is_put_and_deleted(void **state)
{
    seal_around(*state,
                "{\"upsert\":{\"points\":[{\"id\":5001,\"vector\":{\"e\":[5001,0]}},"
                "{\"id\":99999,\"vector\":{\"e\":[99999,0]}}]}},"
                "{\"delete\":{\"points\":[99999]}}");
}

static void without_room_a_tail_is_scanned(void **state)
{
    struct keeping *k = *state;

    reopen_for_large_tails(k, 0);
    assert_true(put_points(k, 1, ENOUGH) > 0);
    await_growth(k);
    assert_walked(k, ENOUGH);
    assert_int_equal(state_of(k).held_bytes, 0);
    assert_int_equal(told(k, HL_ENGINE_UPKEEP_FAILED), 0);
}

/* The keeper's thread stays where it tells of the first seal. */
static void hear_and_stay(void *self, const struct hl_engine_event *event)
{
    struct keeping *k = self;

    hear(k, event);
    for (int i = 0;
         i < 1000 && event->kind == HL_ENGINE_SEALED && !atomic_load(&k->has_filled); i++)
        rest();
}

static int64_t put_one(struct keeping *k, int id)
{
    struct timespec before, behind;

    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_true(put_points(k, id, id) > 0);
    clock_gettime(CLOCK_MONOTONIC, &behind);
    return (behind.tv_sec - before.tv_sec) * 1000000000 + behind.tv_nsec - before.tv_nsec;
}

/* More is bare than searches can bear to scan, and stays so. */
static void fill_while_the_keeper_stays(struct keeping *k)
{
    k->s.options.tell = hear_and_stay;
    reopen_for_large_tails(k, (size_t)64 << 20);
    assert_true(put_points(k, 1, FULL) > 0);
    await(k, HL_ENGINE_SEALED, 1);
    assert_true(put_points(k, FULL + 1, FULL + ENOUGH) > 0);
    assert_int_equal(state_of(k).n_bare_rows, ENOUGH);
}

static void who_writes_waits_for_the_keeper_while_somebody_searches(void **state)
{
    struct keeping *k = *state;
    int64_t alone = INT64_MAX, after_look, beside;

    fill_while_the_keeper_stays(k);
    for (int i = 0; i < 5; i++) {
        const int64_t took = put_one(k, 100000 + i);

        alone = took < alone ? took : alone;
    }
    look(&k->s, NULL);
    hl_look_close(k->s.look);
    k->s.look = NULL;
    after_look = put_one(k, 150000); /* who looks and does not search is no reason */
    assert_walked(k, 1);
    beside = put_one(k, 200000);
    assert_true(beside > 5 * alone);
    assert_true(beside > 2 * after_look);
    atomic_store(&k->has_filled, true);
    await_growth(k);
}

struct held {
    struct keeping *k;
    int64_t took;
};

static void *put_held(void *self)
{
    struct held *held = self;

    held->took = put_one(held->k, 200000);
    return self;
}

static void other_collections_do_not_wait_with_it(void **state)
{
    struct keeping *k = *state, other = {0};
    struct held held = {.k = k};
    int64_t took;
    pthread_t thread;

    fill_while_the_keeper_stays(k);
    assert_true(init_stand(&other.s));
    close_stand(&other.s);
    other.s.engine = k->s.engine;
    assert_int_equal(hl_collection_open(k->s.engine, other.s.folder, "other",
                                        &other.s.collection, &k->s.err),
                     HL_OK);
    add_dense(&other.s, "e", 2, "Euclid");
    assert_walked(k, 1);
    assert_int_equal(pthread_create(&thread, NULL, put_held, &held), 0);
    for (int i = 0; i < 20; i++)
        rest();
    took = put_one(&other, 1);
    pthread_join(thread, NULL);
    assert_true(2 * took < held.took);
    atomic_store(&k->has_filled, true);
    hl_collection_unref(other.s.collection);
    other.s.collection = NULL;
    other.s.engine = NULL;
    done_stand(&other.s);
}

struct listening {
    struct keeping *k;
    atomic_size_t n_bare; /* when the second seal was told */
};

static void hear_what_is_bare(void *self, const struct hl_engine_event *event)
{
    struct listening *l = self;

    if (event->kind == HL_ENGINE_SEALED && told(l->k, HL_ENGINE_SEALED) == 1)
        atomic_store(&l->n_bare, state_of(l->k).n_bare_rows);
    hear_and_stay(l->k, event);
}

static void what_has_grown_is_sealed_before_more_grows(void **state)
{
    struct keeping *k = *state;
    struct listening l = {k, 0};

    k->s.options.self = &l;
    k->s.options.tell = hear_what_is_bare;
    reopen_for_large_tails(k, (size_t)64 << 20);
    for (int i = 0; i < 3; i++) {
        assert_true(put_points(k, i * FULL + 1, (i + 1) * FULL) > 0);
        await(k, HL_ENGINE_SEALED, 1);
    }
    atomic_store(&k->has_filled, true);
    await(k, HL_ENGINE_SEALED, 3);
    assert_int_equal(atomic_load(&l.n_bare), FULL);
    assert_found(k, 1, 3 * FULL);
    close_stand(&k->s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tail_gets_its_graph_while_it_fills),
        TEST(a_tail_that_grew_is_sealed),
        TEST(what_died_while_it_grew_stays_dead),
        TEST(what_is_born_and_dies_in_one_change_stays_dead),
        TEST(so_does_what_is_put_and_deleted),
        TEST(without_room_a_tail_is_scanned),
        TEST(who_writes_waits_for_the_keeper_while_somebody_searches),
        TEST(other_collections_do_not_wait_with_it),
        TEST(what_has_grown_is_sealed_before_more_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
