/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that compares, on a real folder: what it counts and judges, what is left of it
 * after a restart, what it takes back, and what becomes of collections that go meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/overseeing.h"

#include <time.h>
#include <unistd.h>

static void what_was_sent_with_both_vectors_is_compared_and_judged(void **state)
{
    struct rig *rig = *state;

    open_overseer(rig);
    begin_rollout(rig, 1);
    put(rig, both, "same");
    put(rig, apart, "lost");
    put(rig, apart, "won");
    assert_int_equal(feed(rig, "lost", 1).flip, HL_FLIP_NEGATIVE);
    assert_int_equal(feed(rig, "won", 4).flip, HL_FLIP_POSITIVE);
    assert_int_equal(feed(rig, "same", 1).flip, HL_FLIP_NONE);
    assert_string_equal(feed(rig, "same", 1).why, "it was counted before");
    assert_true(feed(rig, "never", 1).is_unknown);
    assert_true(says(rig, "{\"shadow\":{\"compared\":3,\"dropped\":0,"));
    assert_true(says(rig, "\"judged\":3,"));
    assert_true(says(rig, "\"canary\":null,\"live\":null,"));
    close_overseer(rig);
}

static void without_a_rollout_nothing_is_known(void **state)
{
    struct rig *rig = *state;

    open_overseer(rig);
    put(rig, both, "a");
    assert_string_equal(feed(rig, "a", 1).why, "nothing is compared here: no rollout runs");
    close_overseer(rig);
}

static void counts_are_there_again_after_a_restart(void **state)
{
    struct rig *rig = *state;

    open_overseer(rig);
    begin_rollout(rig, 1);
    put(rig, apart, "a");
    (void)feed(rig, "a", 1);
    close_overseer(rig);
    open_again(rig);
    open_overseer(rig);
    await_words(rig, "{\"shadow\":{\"compared\":1,");
    assert_true(says(rig, "\"judged\":1,"));
    assert_true(feed(rig, "a", 1).is_unknown);
    put(rig, apart, "b");
    (void)feed(rig, "b", 1);
    assert_true(says(rig, "{\"shadow\":{\"compared\":2,"));
    close_overseer(rig);
}

static void a_stage_begins_with_nothing(void **state)
{
    struct rig *rig = *state;

    open_overseer(rig);
    begin_rollout(rig, 1);
    put(rig, apart, "a");
    (void)feed(rig, "a", 1);
    assert_int_equal(step(rig, "advance 100"), HL_OK);
    assert_true(says(rig, "\"canary\":{\"compared\":0,"));
    put(rig, apart, "b");
    (void)feed(rig, "b", 1);
    assert_true(says(rig, "\"canary\":{\"compared\":1,"));
    assert_true(says(rig, "\"negative_flips_served\":0,")); /* no key: from is served */
    assert_true(says(rig, "{\"shadow\":{\"compared\":1,"));
    close_overseer(rig);
}

/* ---- the guard ---- */

static void a_breach_takes_the_rollout_back_by_itself(void **state)
{
    struct rig *rig = *state;
    struct stepping settings = read_step("put 1>2");
    struct hl_buf page;
    char id[16];

    open_overseer(rig);
    begin_rollout(rig, 1);
    settings.wanted.sample = 1;
    settings.wanted.guard.min_samples = 20;
    assert_int_equal(order(rig, &settings), HL_OK);
    for (int i = 0; i < 150; i++) {
        (void)snprintf(id, sizeof id, "s%d", i);
        put(rig, both, id);
        assert_int_equal(feed(rig, id, 1).flip, HL_FLIP_NONE);
    }
    assert_int_equal(step(rig, "advance 50"), HL_OK);
    for (int i = 0; i < 150; i++) {
        (void)snprintf(id, sizeof id, "c%d", i);
        put(rig, apart, id);
        (void)feed(rig, id, 1);
    }
    await_stage(rig, HL_STAGE_SHADOW);
    assert_told(rig, 0, 100, "\"by\":\"guard\",\"what\":\"rollback\"");
    assert_told(rig, 0, 100, "negative flips: 1.0000 of ");
    assert_told(rig, 0, 100, "\"breached\":true");
    hl_buf_init(&page, 1 << 20);
    hl_metrics_print(rig->server.metrics, &page);
    assert_non_null(
        strstr(page.data, "heirloom_rollout_guard_rollbacks_total{guard=\"flips\"} 1\n"));
    hl_buf_done(&page);
    close_overseer(rig);
}

/* ---- collections that go ---- */

static void a_collection_that_is_deleted_leaves_no_folder(void **state)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    struct rig *rig = *state;
    struct hl_collection *collection;
    char folder[512];
    bool existed;

    open_overseer(rig);
    begin_rollout(rig, 1);
    put(rig, apart, "a");
    (void)feed(rig, "a", 1);
    collection = collection_of(rig);
    (void)snprintf(folder, sizeof folder, "%s", hl_collection_folder(collection));
    hl_collection_unref(collection);
    put(rig, apart, "b");
    assert_int_equal(
        hl_collections_delete(rig->server.collections, &name, &existed, &rig->err), HL_OK);
    for (int ms = 0; access(folder, F_OK) == 0; ms += 2) {
        assert_true(ms < PATIENCE_MS);
        nanosleep(&pause, NULL);
    }
    close_overseer(rig);
}

static void a_collection_of_the_same_name_has_counts_of_its_own(void **state)
{
    const struct hl_collections_filler filler = {fill, NULL};
    struct rig *rig = *state;
    bool existed;

    open_overseer(rig);
    begin_rollout(rig, 1);
    put(rig, apart, "a");
    (void)feed(rig, "a", 1);
    assert_int_equal(
        hl_collections_delete(rig->server.collections, &name, &existed, &rig->err), HL_OK);
    assert_int_equal(
        hl_collections_create(rig->server.collections, &name, &filler, &rig->err), HL_OK);
    assert_false(feed(rig, "a", 1).is_counted);
    close_overseer(rig);
}

/* The collection of the rig anew, as far as the rollout needs it. */
static void make_again(struct rig *rig)
{
    static struct turning turning = {"v2", "v1", 30, 0, 0, true, HL_BRIDGE_DUAL};
    const struct hl_collections_filler filler = {fill, NULL};

    assert_int_equal(
        hl_collections_create(rig->server.collections, &name, &filler, &rig->err), HL_OK);
    write_ops(rig, "{\"upsert\":{\"points\":[{\"id\":1,\"vector\":{\"v1\":[1,0]}},"
                   "{\"id\":2,\"vector\":{\"v2\":[1,0]}},"
                   "{\"id\":4,\"vector\":{\"v1\":[0,1]}}]}}");
    assert_int_equal(change(rig, add_bridge, &turning), HL_OK);
}

static void collections_come_and_go_while_they_are_compared(void **state)
{
    enum { ROUNDS = 8, N_PUT = 60 };
    struct rig *rig = *state;
    char id[24];
    bool existed;

    open_overseer(rig);
    for (int round = 0; round < ROUNDS; round++) {
        if (round > 0)
            make_again(rig);
        begin_rollout(rig, 1);
        for (int i = 0; i < N_PUT; i++) {
            (void)snprintf(id, sizeof id, "r%d-%d", round, i);
            put(rig, apart, id);
        }
        if (round == ROUNDS - 1)
            break;
        if (round % 2 == 0) /* else all are still to be compared */
            assert_true(feed(rig, id, 1).is_counted);
        assert_int_equal(
            hl_collections_delete(rig->server.collections, &name, &existed, &rig->err),
            HL_OK);
    }
    assert_true(feed(rig, id, 1).is_counted);
    assert_true(feed(rig, "r0-1", 1).is_unknown);
    assert_true(says(rig, "{\"shadow\":{\"compared\":60,\"dropped\":0,"));
    close_overseer(rig);
}

/* ---- the end ---- */

static void what_waits_at_the_end_is_told_and_what_comes_later_refused(void **state)
{
    struct rig *rig = *state;
    const struct hl_feedback none = {.query_id = {"a", 1}};
    struct hl_verdict verdict;
    struct hl_judging late = {.feedback = &none, .verdicts = &verdict, .n = 1};

    open_overseer(rig);
    begin_rollout(rig, 1);
    for (int i = 0; i < 200; i++)
        put(rig, both, "a");
    hl_overseer_stop(rig->server.overseer);
    late.collection = collection_of(rig);
    assert_int_equal(hl_overseer_await(rig->server.overseer, &late, &rig->err),
                     HL_UNAVAILABLE);
    hl_collection_unref(late.collection);
    put(rig, both, "b"); /* nobody takes it */
    close_overseer(rig);
}

static void without_memory_comparisons_are_dropped_and_it_goes_on(void **state)
{
    struct rig *rig = *state;
    char spec[40];

    open_overseer(rig);
    begin_rollout(rig, 1);
    put(rig, apart, "first");
    (void)feed(rig, "first", 1);
    for (int n = 1; n < 60; n++) {
        struct answering *a = answer(rig, apart, "q");

        hl_offers_put(rig->server.offers, &a->answered);
        (void)snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(spec, &rig->err), HL_OK);
        while (hl_offers_are_pending(rig->server.offers))
            sched_yield();
        hl_failpoint_disarm();
        answer_end(a);
    }
    put(rig, apart, "last");
    assert_int_equal(feed(rig, "last", 1).flip, HL_FLIP_NEGATIVE);
    close_overseer(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(what_was_sent_with_both_vectors_is_compared_and_judged),
        RIGGED(without_a_rollout_nothing_is_known),
        RIGGED(counts_are_there_again_after_a_restart),
        RIGGED(a_stage_begins_with_nothing),
        RIGGED(a_breach_takes_the_rollout_back_by_itself),
        RIGGED(a_collection_that_is_deleted_leaves_no_folder),
        RIGGED(a_collection_of_the_same_name_has_counts_of_its_own),
        RIGGED(collections_come_and_go_while_they_are_compared),
        RIGGED(what_waits_at_the_end_is_told_and_what_comes_later_refused),
        RIGGED(without_memory_comparisons_are_dropped_and_it_goes_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
