/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/engine_part.h"
#include "proto/fail.h"
#include "tests/unit/changing.h"

#include <pthread.h>

static const char *upsert(struct stand *s, int id)
{
    return hl_arena_print(
        s->arena, "{\"upsert\":{\"points\":[{\"id\":%d,\"vector\":{\"e\":[%d,0]}}]}}", id,
        id);
}

static void what_was_done_and_what_waits_is_counted(void **state)
{
    struct stand *s = *state;
    struct hl_engine_state before, state_now;
    struct queue queue;

    hl_engine_state(s->engine, &before);
    begin_queue(&queue, s);
    for (int i = 1; i <= 5; i++)
        (void)put_points(&queue, upsert(s, i));
    hl_engine_state(s->engine, &state_now);
    assert_int_equal(state_now.n_queued, 5);
    end_queue(&queue);
    hl_engine_state(s->engine, &state_now);
    assert_int_equal(state_now.n_queued, 0);
    assert_true(state_now.n_changes >= before.n_changes + 5);
    assert_true(state_now.n_commits > before.n_commits);
    assert_int_equal(state_now.unindexed_bytes, 0); /* the tail has room */
    assert_int_equal(state_now.max_unindexed_bytes, s->options.max_unindexed_bytes);
}

static void *stop_engine(void *self)
{
    struct stand *s = self;

    hl_engine_stop(s->engine);
    return NULL;
}

static void what_waits_when_the_engine_stops_is_done(void **state)
{
    struct stand *s = *state;
    struct queue queue;
    pthread_t thread;

    begin_queue(&queue, s);
    for (int i = 1; i <= 5; i++)
        (void)put_points(&queue, upsert(s, i));
    assert_int_equal(pthread_create(&thread, NULL, stop_engine, s), 0);
    while (!hl_engine_is_stopping(s->engine))
        continue;
    end_queue(&queue);
    pthread_join(thread, NULL);
    for (size_t i = 0; i < queue.n; i++)
        assert_int_equal(queue.all[i].base.code, HL_OK);
    close_stand(s);
    assert_int_equal(open_stand(s), HL_OK);
    look(s, NULL);
    assert_string_equal(scroll(s, NULL, 9), "1 2 3 4 5");
}

static void no_engine_is_half_made(void **state)
{
    struct stand *s = *state;
    struct hl_engine *engine = NULL;
    enum hl_code code = HL_NO_MEMORY;
    int n = 0;

    close_stand(s); /* nobody else passes */
    while (code != HL_OK) {
        char rule[32];

        snprintf(rule, sizeof rule, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
        code = hl_engine_new(&s->options, &engine, &s->err);
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_true(n < 100);
        if (code == HL_OK)
            hl_engine_stop(engine);
        hl_failpoint_disarm();
    }
    assert_true(n > 1);
    hl_engine_free(engine);
    hl_engine_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_done_and_what_waits_is_counted),
        TEST(what_waits_when_the_engine_stops_is_done),
        TEST(no_engine_is_half_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
