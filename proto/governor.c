/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/governor.h"

#include "proto/alloc.h"
#include "proto/dir.h"
#include "proto/priority.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Why there is no lock: whoever held it could be a thread that is not let run, and the one
 * that could help would wait for it. A place belongs to whoever made its `tid` something
 * else than 0, and the governor looks at it while that is a thread's. One that left
 * meanwhile is put under the policy of the others, or begins with it again. */
enum {
    N_PLACES = 64,
    TAKEN = -1,
    TICK_US = 250000,
    LEAST_SHARE = 10, /* one in so many */
    TICKS_UP = 4,
    STAT_SIZE = 1024
};

struct hl_governed {
    atomic_int tid;                    /* 0: free */
    atomic_int_fast64_t ran_us, at_us; /* at the governor's last look */
    atomic_int n_up; /* ticks that it stays under the policy of the others */
};

struct hl_governor {
    const struct hl_clock *clock;
    struct hl_governed places[N_PLACES];
    sem_t changed; /* somebody came, or the end */
    atomic_bool is_over;
    bool has_thread;
    pthread_t thread;
};

/* `tid` 0: the calling thread. */
static bool put_under(int tid, int policy)
{
    const struct sched_param none = {0};

    return sched_setscheduler(tid, policy, &none) == 0;
}

/* What the kernel says of a thread in a file of its folder. */
static size_t glance(int tid, const char *name, char text[STAT_SIZE])
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, name);
    return hl_dir_glance(path, text, STAT_SIZE);
}

/* Whether it is neither asleep nor waits for a disk: "TID (name) R …", and the name may
 * have brackets. */
static bool is_ready(int tid)
{
    char stat[STAT_SIZE];
    const char *state;

    if (glance(tid, "stat", stat) == 0)
        return false;
    state = strrchr(stat, ')');
    return state && strncmp(state, ") R", 3) == 0;
}

/* How long it was on a processor, in all: the first number, of nanoseconds. */
static int64_t ask_time(int tid)
{
    char stat[STAT_SIZE];

    return glance(tid, "schedstat", stat) > 0 ? strtoll(stat, NULL, 10) / 1000 : 0;
}

static void look_at(const struct hl_governor *governor, struct hl_governed *governed,
                    int tid)
{
    const int64_t now_us = hl_clock_now(governor->clock), ran_us = ask_time(tid);
    const int64_t passed_us = now_us - atomic_load(&governed->at_us);
    int64_t used_us;

    if (passed_us < TICK_US / 2) /* it came just now */
        return;
    used_us = ran_us - atomic_exchange(&governed->ran_us, ran_us);
    atomic_store(&governed->at_us, now_us);
    if (atomic_load(&governed->n_up) > 0) {
        if (atomic_fetch_sub(&governed->n_up, 1) == 1)
            (void)put_under(tid, SCHED_IDLE);
    } else if (used_us * LEAST_SHARE < passed_us && is_ready(tid) &&
               put_under(tid, SCHED_OTHER)) {
        atomic_store(&governed->n_up, TICKS_UP);
    }
}

/* How many there are. */
static size_t look_at_all(struct hl_governor *governor)
{
    size_t n = 0;

    for (size_t i = 0; i < N_PLACES; i++) {
        struct hl_governed *governed = &governor->places[i];
        const int tid = atomic_load(&governed->tid);

        if (tid > 0)
            look_at(governor, governed, tid);
        n += tid != 0;
    }
    return n;
}

/* Who comes meanwhile is looked at when the tick is over. */
static void await_tick(struct hl_governor *governor, bool has_any)
{
    const int64_t until_us = hl_clock_now(governor->clock) + TICK_US;
    const struct timespec until = {.tv_sec = until_us / 1000000,
                                   .tv_nsec = until_us % 1000000 * 1000};

    if (!has_any) {
        (void)sem_wait(&governor->changed);
        return;
    }
    while (
        !atomic_load(&governor->is_over) &&
        (sem_clockwait(&governor->changed, CLOCK_MONOTONIC, &until) == 0 || errno == EINTR))
        ;
}

static void *govern(void *arg)
{
    struct hl_governor *governor = arg;
    size_t n = 0;

    while (!atomic_load(&governor->is_over)) {
        await_tick(governor, n > 0);
        n = look_at_all(governor);
    }
    return NULL;
}

/* On a thread of its own, which may not come back. */
static void *try_both_ways(void *arg)
{
    bool *can = arg;

    hl_priority_set(HL_PRIORITY_BEHIND);
    *can = put_under(0, SCHED_IDLE) && put_under(0, SCHED_OTHER);
    return NULL;
}

static enum hl_code start(struct hl_governor *governor, struct hl_err *err)
{
    bool can = false;
    pthread_t tried;

    if (pthread_create(&tried, NULL, try_both_ways, &can) != 0)
        return hl_fail(err, HL_NO_MEMORY, "could not start a thread to try priorities");
    (void)pthread_join(tried, NULL);
    if (!can)
        return HL_OK;
    governor->has_thread = pthread_create(&governor->thread, NULL, govern, governor) == 0;
    return governor->has_thread
               ? HL_OK
               : hl_fail(err, HL_NO_MEMORY, "could not start the thread of priorities");
}

enum hl_code hl_governor_new(const struct hl_clock *clock,
                             struct hl_governor **ret_governor, struct hl_err *err)
{
    struct hl_governor *governor = hl_alloc_zeroed(1, sizeof *governor);
    enum hl_code code;

    if (!governor)
        return hl_fail(err, HL_NO_MEMORY, "no memory for priorities");
    governor->clock = clock;
    sem_init(&governor->changed, 0, 0);
    code = start(governor, err);
    if (code == HL_OK)
        *ret_governor = governor;
    else
        hl_governor_free(governor);
    return code;
}

void hl_governor_free(struct hl_governor *governor)
{
    if (!governor)
        return;
    atomic_store(&governor->is_over, true);
    (void)sem_post(&governor->changed);
    if (governor->has_thread)
        (void)pthread_join(governor->thread, NULL);
    (void)sem_destroy(&governor->changed);
    hl_free(governor);
}

static struct hl_governed *take_place(struct hl_governor *governor)
{
    for (size_t i = 0; i < N_PLACES; i++) {
        int nobody = 0;

        if (atomic_compare_exchange_strong(&governor->places[i].tid, &nobody, TAKEN))
            return &governor->places[i];
    }
    return NULL;
}

struct hl_governed *hl_governor_enter(struct hl_governor *governor)
{
    struct hl_governed *governed =
        governor && governor->has_thread ? take_place(governor) : NULL;

    if (!governed)
        return NULL;
    if (!put_under(0, SCHED_IDLE)) {
        atomic_store(&governed->tid, 0);
        return NULL;
    }
    atomic_store(&governed->n_up, 0);
    atomic_store(&governed->at_us, hl_clock_now(governor->clock));
    atomic_store(&governed->ran_us, ask_time(gettid()));
    atomic_store(&governed->tid, gettid());
    (void)sem_post(&governor->changed);
    return governed;
}

void hl_governor_leave(struct hl_governed *governed)
{
    if (governed)
        atomic_store(&governed->tid, 0);
}
