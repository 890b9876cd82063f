/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/governor.h"
#include "proto/priority.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { N_MANY = 70, LIMIT_S = 30 };

struct worker {
    struct hl_governor *governor;
    pthread_t thread;
    sem_t end;
    atomic_int tid; /* 0 until it works */
    atomic_bool may_end;
    bool is_busy; /* it computes, and does not sleep */
    bool was_governed;
};

static int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct hl_clock monotonic = {.now_us = now_us};

static void doze(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    (void)nanosleep(&pause, NULL);
}

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct hl_governed *governed;

    hl_priority_set(HL_PRIORITY_BEHIND);
    governed = hl_governor_enter(worker->governor);
    worker->was_governed = governed != NULL;
    atomic_store(&worker->tid, gettid());
    if (!worker->is_busy)
        (void)sem_wait(&worker->end);
    while (!atomic_load(&worker->may_end))
        ;
    hl_governor_leave(governed);
    return NULL;
}

static void start(struct worker *worker, struct hl_governor *governor, bool is_busy)
{
    *worker = (struct worker){.governor = governor, .is_busy = is_busy};
    sem_init(&worker->end, 0, 0);
    assert_int_equal(pthread_create(&worker->thread, NULL, work, worker), 0);
    while (atomic_load(&worker->tid) == 0)
        doze();
}

static void end(struct worker *worker)
{
    atomic_store(&worker->may_end, true);
    (void)sem_post(&worker->end);
    assert_int_equal(pthread_join(worker->thread, NULL), 0);
    (void)sem_destroy(&worker->end);
}

static int policy_of(const struct worker *worker)
{
    return sched_getscheduler(atomic_load(&worker->tid));
}

static bool comes_under(const struct worker *worker, int policy)
{
    const time_t until = time(NULL) + LIMIT_S;

    while (policy_of(worker) != policy && time(NULL) < until)
        doze();
    return policy_of(worker) == policy;
}

static struct hl_governor *new_governor(void)
{
    struct hl_governor *governor = NULL;
    struct hl_err err;

    assert_int_equal(hl_governor_new(&monotonic, &governor, &err), HL_OK);
    return governor;
}

/* False: this process may not take a thread back from the policy for idle time. */
static bool can_govern(void)
{
    struct hl_governor *governor = new_governor();
    struct worker worker;

    start(&worker, governor, false);
    end(&worker);
    hl_governor_free(governor);
    return worker.was_governed;
}

static void without_a_governor_nothing_changes(void **state)
{
    struct worker worker;

    (void)state;
    start(&worker, NULL, false);
    assert_false(worker.was_governed);
    assert_int_equal(policy_of(&worker), SCHED_OTHER);
    end(&worker);
    hl_governor_free(NULL);
    hl_governor_leave(NULL);
}

/* Keeps the first of the processors that this process may use, and all threads on it. */
struct bully {
    pthread_t thread;
    atomic_bool may_end;
    cpu_set_t mine; /* as it was found */
};

static void *keep_busy(void *arg)
{
    struct bully *bully = arg;

    while (!atomic_load(&bully->may_end))
        ;
    return NULL;
}

static void begin_bullying(struct bully *bully)
{
    cpu_set_t one;
    int cpu = 0;

    assert_int_equal(sched_getaffinity(0, sizeof bully->mine, &bully->mine), 0);
    while (!CPU_ISSET(cpu, &bully->mine))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    atomic_init(&bully->may_end, false);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(pthread_create(&bully->thread, NULL, keep_busy, bully), 0);
}

static void end_bullying(struct bully *bully)
{
    atomic_store(&bully->may_end, true);
    assert_int_equal(pthread_join(bully->thread, NULL), 0);
    assert_int_equal(sched_setaffinity(0, sizeof bully->mine, &bully->mine), 0);
}

static void who_is_not_let_run_comes_up_for_a_while(void **state)
{
    struct hl_governor *governor = new_governor();
    struct worker starved, asleep;
    struct bully bully;

    (void)state;
    if (!can_govern()) {
        hl_governor_free(governor);
        skip();
    }
    start(&asleep, governor, false);
    begin_bullying(&bully);
    start(&starved, governor, true);
    assert_true(comes_under(&starved, SCHED_OTHER));
    assert_true(comes_under(&starved, SCHED_IDLE));
    assert_true(comes_under(&starved, SCHED_OTHER));
    assert_int_equal(policy_of(&asleep), SCHED_IDLE);
    end_bullying(&bully);
    end(&starved);
    end(&asleep);
    hl_governor_free(governor);
}

static void there_is_a_place_for_the_next_when_one_has_left(void **state)
{
    struct hl_governor *governor = new_governor();
    struct worker many[N_MANY], last;
    size_t n_governed = 0;

    (void)state;
    if (!can_govern()) {
        hl_governor_free(governor);
        skip();
    }
    for (size_t i = 0; i < N_MANY; i++)
        start(&many[i], governor, false);
    for (size_t i = 0; i < N_MANY; i++) {
        n_governed += many[i].was_governed;
        end(&many[i]);
    }
    assert_in_range(n_governed, 1, N_MANY - 1);
    start(&last, governor, true);
    assert_true(last.was_governed);
    end(&last);
    hl_governor_free(governor);
}

static void without_memory_there_is_none(void **state)
{
    struct hl_governor *governor = NULL;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    assert_int_equal(hl_governor_new(&monotonic, &governor, &err), HL_NO_MEMORY);
    hl_failpoint_disarm();
    assert_null(governor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_governor_nothing_changes),
        cmocka_unit_test(who_is_not_let_run_comes_up_for_a_while),
        cmocka_unit_test(there_is_a_place_for_the_next_when_one_has_left),
        cmocka_unit_test(without_memory_there_is_none),
    };

    return cmocka_run_group_tests_name("governor", tests, NULL, NULL);
}
