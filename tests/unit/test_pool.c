/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/fail.h"
#include "server/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct hl_clock wall = {.now_us = now_us};

/* A job that says when it runs and how it ended, and runs until it is let go. */
struct task {
    struct hl_chore job; /* first */
    struct hl_deadline deadline;
    atomic_bool cancelled;
    atomic_bool has_begun;
    atomic_bool may_end;
    atomic_int n_told;
    atomic_int outcome; /* enum hl_code; -1 while nothing was told */
};

static void wait_for(atomic_bool *flag)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int ms = 0; ms < 10000 && !atomic_load(flag); ms++)
        nanosleep(&pause, NULL);
    assert_true(atomic_load(flag));
}

static void run(struct hl_chore *job)
{
    struct task *task = (struct task *)job;
    const struct timespec pause = {.tv_nsec = 1000000};

    atomic_store(&task->has_begun, true);
    while (!atomic_load(&task->may_end))
        nanosleep(&pause, NULL);
    atomic_store(&task->outcome, HL_OK);
    atomic_fetch_add(&task->n_told, 1);
}

static void refuse(struct hl_chore *job, const struct hl_err *why)
{
    struct task *task = (struct task *)job;

    atomic_store(&task->outcome, (int)why->code);
    atomic_fetch_add(&task->n_told, 1);
}

static void prepare(struct task *task, int64_t patience_us, bool may_end)
{
    *task = (struct task){
        .job = {.deadline = &task->deadline, .run = run, .refuse = refuse}, .outcome = -1};
    task->deadline = (struct hl_deadline){.clock = &wall,
                                          .at_us = patience_us == HL_DEADLINE_NEVER
                                                       ? patience_us
                                                       : now_us(NULL) + patience_us,
                                          .cancelled = &task->cancelled};
    atomic_store(&task->may_end, may_end);
}

static int wait_for_outcome(struct task *task)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int ms = 0; ms < 10000 && atomic_load(&task->n_told) == 0; ms++)
        nanosleep(&pause, NULL);
    assert_int_equal(atomic_load(&task->n_told), 1);
    return atomic_load(&task->outcome);
}

static struct hl_pool *new_pool(size_t n_readers, size_t max_queued)
{
    const struct hl_pool_options options = {.n_readers = n_readers,
                                            .max_queued = max_queued};
    struct hl_pool *pool = NULL;
    struct hl_err err;

    assert_int_equal(hl_pool_new(&options, &pool, &err), HL_OK);
    return pool;
}

static enum hl_code submit(struct hl_pool *pool, struct task *task)
{
    struct hl_err err;

    return hl_pool_submit(pool, &task->job, &err);
}

/* A pool of one reader, and that one busy. */
static struct hl_pool *new_busy_pool(struct task *blocker, size_t max_queued)
{
    struct hl_pool *pool = new_pool(1, max_queued);

    prepare(blocker, HL_DEADLINE_NEVER, false);
    assert_int_equal(submit(pool, blocker), HL_OK);
    wait_for(&blocker->has_begun);
    return pool;
}

static void every_job_is_run_once(void **state)
{
    enum { N = 200 };
    static struct task tasks[N];
    struct hl_pool *pool = new_pool(4, N);

    (void)state;
    for (int i = 0; i < N; i++) {
        prepare(&tasks[i], HL_DEADLINE_NEVER, true);
        assert_int_equal(submit(pool, &tasks[i]), HL_OK);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(wait_for_outcome(&tasks[i]), HL_OK);
    hl_pool_free(pool);
}

static void a_full_queue_refuses_without_telling_the_job(void **state)
{
    struct task blocker, waiting, third;
    struct hl_pool *pool = new_busy_pool(&blocker, 1);

    (void)state;
    prepare(&waiting, HL_DEADLINE_NEVER, true);
    prepare(&third, HL_DEADLINE_NEVER, true);
    assert_int_equal(submit(pool, &waiting), HL_OK);
    assert_int_equal(submit(pool, &third), HL_TOO_MANY);
    assert_int_equal(hl_pool_state(pool).queued, 1);
    assert_int_equal(hl_pool_state(pool).running, 1);
    atomic_store(&blocker.may_end, true);
    assert_int_equal(wait_for_outcome(&waiting), HL_OK);
    hl_pool_free(pool);
    assert_int_equal(atomic_load(&third.n_told), 0);
}

static void a_deadline_ends_the_wait_while_every_reader_is_busy(void **state)
{
    struct task blocker, patient, hasty;
    struct hl_pool *pool = new_busy_pool(&blocker, 8);

    (void)state;
    prepare(&patient, HL_DEADLINE_NEVER, true);
    prepare(&hasty, 30000, true);
    assert_int_equal(submit(pool, &patient), HL_OK);
    assert_int_equal(submit(pool, &hasty), HL_OK);
    assert_int_equal(wait_for_outcome(&hasty), HL_TIMEOUT);
    assert_int_equal(atomic_load(&patient.n_told), 0);
    atomic_store(&blocker.may_end, true);
    assert_int_equal(wait_for_outcome(&patient), HL_OK);
    hl_pool_free(pool);
}

static void an_earlier_deadline_wakes_a_watcher_that_waits_for_a_later_one(void **state)
{
    struct task blocker, slow, quick;
    struct hl_pool *pool = new_busy_pool(&blocker, 8);
    int64_t start_us;

    (void)state;
    prepare(&slow, 5000000, true);
    assert_int_equal(submit(pool, &slow), HL_OK);
    prepare(&quick, 20000, true);
    start_us = now_us(NULL);
    assert_int_equal(submit(pool, &quick), HL_OK);
    assert_int_equal(wait_for_outcome(&quick), HL_TIMEOUT);
    assert_true(now_us(NULL) - start_us < 4000000);
    atomic_store(&blocker.may_end, true);
    hl_pool_free(pool);
}

static void a_cancelled_job_leaves_the_queue_when_the_pool_is_poked(void **state)
{
    struct task blocker, left;
    struct hl_pool *pool = new_busy_pool(&blocker, 8);

    (void)state;
    prepare(&left, HL_DEADLINE_NEVER, true);
    assert_int_equal(submit(pool, &left), HL_OK);
    atomic_store(&left.cancelled, true);
    hl_pool_poke(pool);
    assert_int_equal(wait_for_outcome(&left), HL_CANCELLED);
    atomic_store(&blocker.may_end, true);
    hl_pool_free(pool);
}

struct stopper {
    struct hl_pool *pool;
    atomic_bool is_done;
};

static void *stop(void *arg)
{
    struct stopper *stopper = arg;

    hl_pool_stop(stopper->pool);
    atomic_store(&stopper->is_done, true);
    return NULL;
}

static void stopping_refuses_what_waits_and_lets_what_runs_end(void **state)
{
    struct task blocker, waiting, late;
    struct hl_pool *pool = new_busy_pool(&blocker, 8);
    struct stopper stopper = {.pool = pool};
    pthread_t thread;

    (void)state;
    prepare(&waiting, HL_DEADLINE_NEVER, true);
    assert_int_equal(submit(pool, &waiting), HL_OK);
    assert_int_equal(pthread_create(&thread, NULL, stop, &stopper), 0);
    assert_int_equal(wait_for_outcome(&waiting), HL_UNAVAILABLE);
    assert_int_equal(atomic_load(&blocker.n_told), 0);
    assert_false(atomic_load(&stopper.is_done));
    prepare(&late, HL_DEADLINE_NEVER, true);
    assert_int_equal(submit(pool, &late), HL_UNAVAILABLE);
    atomic_store(&blocker.may_end, true);
    assert_int_equal(wait_for_outcome(&blocker), HL_OK);
    pthread_join(thread, NULL);
    hl_pool_free(pool);
}

static void jobs_are_told_once_while_deadlines_readers_and_cancelling_race(void **state)
{
    enum { N = 300 };
    static struct task tasks[N];
    struct hl_pool *pool = new_pool(2, N);

    (void)state;
    for (int i = 0; i < N; i++) {
        prepare(&tasks[i], i % 3 == 0 ? (int64_t)(i % 7) * 100 : HL_DEADLINE_NEVER, true);
        assert_int_equal(submit(pool, &tasks[i]), HL_OK);
        if (i % 5 == 0) {
            atomic_store(&tasks[i].cancelled, true);
            hl_pool_poke(pool);
        }
    }
    hl_pool_stop(pool);
    for (int i = 0; i < N; i++)
        assert_int_equal(atomic_load(&tasks[i].n_told), 1);
    hl_pool_free(pool);
}

static void a_pool_that_cannot_be_built_says_so_and_leaks_nothing(void **state)
{
    const struct hl_pool_options options = {.n_readers = 1, .max_queued = 1};
    struct hl_pool *pool = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_int_equal(hl_pool_new(&options, &pool, &err), HL_NO_MEMORY);
    hl_failpoint_disarm();
    assert_null(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_run_once),
        cmocka_unit_test(a_full_queue_refuses_without_telling_the_job),
        cmocka_unit_test(a_deadline_ends_the_wait_while_every_reader_is_busy),
        cmocka_unit_test(an_earlier_deadline_wakes_a_watcher_that_waits_for_a_later_one),
        cmocka_unit_test(a_cancelled_job_leaves_the_queue_when_the_pool_is_poked),
        cmocka_unit_test(stopping_refuses_what_waits_and_lets_what_runs_end),
        cmocka_unit_test(jobs_are_told_once_while_deadlines_readers_and_cancelling_race),
        cmocka_unit_test(a_pool_that_cannot_be_built_says_so_and_leaks_nothing),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
