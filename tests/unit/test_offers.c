/* SPDX-License-Identifier: Apache-2.0 */
/* Which searches are put, that nobody waits for it, and that what has no room is counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/overseeing.h"

#include <pthread.h>

/* How many there are; all are freed. */
static size_t take(struct rig *rig, const char *ids)
{
    struct hl_offer *next;
    size_t n = 0;

    for (struct hl_offer *o = hl_offers_take(rig->server.offers); o; o = next, n++) {
        next = o->next;
        if (ids) {
            assert_int_equal(o->query_id[0], ids[n]);
            assert_int_equal(o->size, sizeof both - 1);
            assert_memory_equal(o->body, both, o->size);
            assert_int_equal(o->rollout.stage, HL_STAGE_SHADOW);
        }
        hl_offer_free(rig->server.offers, o);
    }
    return n;
}

static void what_has_both_vectors_is_taken_in_its_order(void **state)
{
    struct rig *rig = *state;

    open_offers(rig);
    begin_rollout(rig, 1);
    put(rig, both, "a");
    put(rig, single, "b");
    put(rig, both, "c");
    put(rig, "{\"query\":{\"vectors\":{\"v1\":[1,0],\"v3\":[1,0]}}}", "d");
    assert_true(hl_offers_are_pending(rig->server.offers));
    assert_int_equal(take(rig, "ac"), 2);
    assert_false(hl_offers_are_pending(rig->server.offers));
    hl_offers_free(rig->server.offers);
}

static void nothing_is_without_a_rollout_that_runs(void **state)
{
    struct rig *rig = *state;

    open_offers(rig);
    put(rig, both, "a");
    begin_rollout(rig, 1);
    assert_int_equal(step(rig, "abort"), HL_OK);
    put(rig, both, "b");
    assert_false(hl_offers_are_pending(rig->server.offers));
    hl_offers_free(rig->server.offers);
}

static void as_many_are_as_the_sample_says(void **state)
{
    struct rig *rig = *state;
    struct answering *a;
    size_t n = 0;

    open_offers(rig);
    begin_rollout(rig, 0.3);
    a = answer(rig, both, "a");
    for (int i = 0; i < 2000; i++) {
        hl_offers_put(rig->server.offers, &a->answered);
        n += take(rig, NULL);
    }
    answer_end(a);
    assert_in_range(n, 540, 660);
    hl_offers_free(rig->server.offers);
}

static uint64_t drops(struct rig *rig, const struct hl_collection *collection)
{
    struct answering *a = answer(rig, both, "a");
    const uint64_t n =
        hl_offers_take_drops(rig->server.offers, collection ? collection : a->collection,
                             hl_rollout_of(a->answered.layout));

    answer_end(a);
    return n;
}

static void what_has_no_room_is_dropped_and_counted_once(void **state)
{
    struct rig *rig = *state;
    struct answering *a;

    open_offers(rig);
    begin_rollout(rig, 1);
    a = answer(rig, both, "a");
    for (int i = 0; i < HL_OFFERS_MOST + 7; i++)
        hl_offers_put(rig->server.offers, &a->answered);
    assert_int_equal(take(rig, NULL), HL_OFFERS_MOST);
    assert_int_equal(drops(rig, NULL), 7);
    assert_int_equal(drops(rig, NULL), 0);
    hl_offers_put(rig->server.offers, &a->answered);
    assert_int_equal(take(rig, NULL), 1);
    answer_end(a);
    hl_offers_free(rig->server.offers);
}

static void what_is_too_large_together_is_dropped(void **state)
{
    enum { LARGE = HL_OFFERS_BYTES / 4 };
    struct rig *rig = *state;
    char *body = malloc(LARGE + 1);
    struct answering *a;

    assert_non_null(body);
    memset(body, ' ', LARGE);
    open_offers(rig);
    begin_rollout(rig, 1);
    a = answer(rig, both, "a");
    a->request.body = (struct hl_span){body, LARGE};
    for (int i = 0; i < 6; i++)
        hl_offers_put(rig->server.offers, &a->answered);
    assert_int_equal(drops(rig, NULL), 2);
    assert_int_equal(take(rig, NULL), 4);
    answer_end(a);
    free(body);
    hl_offers_free(rig->server.offers);
}

static void a_stage_that_begins_anew_has_drops_of_its_own(void **state)
{
    struct rig *rig = *state;
    struct answering *before;

    open_offers(rig);
    begin_rollout(rig, 1);
    before = answer(rig, both, "a");
    for (int i = 0; i < HL_OFFERS_MOST + 3; i++)
        hl_offers_put(rig->server.offers, &before->answered);
    assert_int_equal(step(rig, "advance 5"), HL_OK);
    assert_int_equal(drops(rig, NULL), 0);
    assert_int_equal(hl_offers_take_drops(rig->server.offers, before->collection,
                                          hl_rollout_of(before->answered.layout)),
                     3);
    answer_end(before);
    hl_offers_free(rig->server.offers); /* with all that is in it */
}

static void without_memory_it_is_a_drop(void **state)
{
    struct rig *rig = *state;
    struct answering *a;

    open_offers(rig);
    begin_rollout(rig, 1);
    a = answer(rig, both, "a");
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &rig->err), HL_OK);
    hl_offers_put(rig->server.offers, &a->answered);
    hl_failpoint_disarm();
    assert_false(hl_offers_are_pending(rig->server.offers));
    assert_int_equal(drops(rig, NULL), 1);
    answer_end(a);
    hl_offers_free(rig->server.offers);
}

/* ---- many at once ---- */

enum { N_PUTTERS = 4, N_PUTS = 5000 };

struct putter {
    pthread_t thread;
    struct answering *a;
};

static void *put_many(void *arg)
{
    const struct putter *putter = arg;

    for (int i = 0; i < N_PUTS; i++)
        hl_offers_put(putter->a->rig->server.offers, &putter->a->answered);
    return NULL;
}

static void of_many_that_put_at_once_every_one_is_taken_or_dropped(void **state)
{
    struct rig *rig = *state;
    struct putter putters[N_PUTTERS];
    size_t n = 0;
    uint64_t n_dropped = 0;

    open_offers(rig);
    begin_rollout(rig, 1);
    for (int i = 0; i < N_PUTTERS; i++) {
        putters[i].a = answer(rig, both, "a");
        assert_int_equal(pthread_create(&putters[i].thread, NULL, put_many, &putters[i]),
                         0);
    }
    while (n + n_dropped < (size_t)N_PUTTERS * N_PUTS) {
        hl_offers_wait(rig->server.offers, 1000);
        n += take(rig, NULL);
        n_dropped += drops(rig, NULL);
    }
    for (int i = 0; i < N_PUTTERS; i++) {
        pthread_join(putters[i].thread, NULL);
        answer_end(putters[i].a);
    }
    assert_int_equal(n + n_dropped, (size_t)N_PUTTERS * N_PUTS);
    assert_false(hl_offers_are_pending(rig->server.offers));
    hl_offers_free(rig->server.offers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(what_has_both_vectors_is_taken_in_its_order),
        RIGGED(nothing_is_without_a_rollout_that_runs),
        RIGGED(as_many_are_as_the_sample_says),
        RIGGED(what_has_no_room_is_dropped_and_counted_once),
        RIGGED(what_is_too_large_together_is_dropped),
        RIGGED(a_stage_that_begins_anew_has_drops_of_its_own),
        RIGGED(without_memory_it_is_a_drop),
        RIGGED(of_many_that_put_at_once_every_one_is_taken_or_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
