/* SPDX-License-Identifier: Apache-2.0 */
#include "server/pool.h"

#include "proto/alloc.h"
#include "proto/fail.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

/* Why this is safe.
 *
 * One mutex guards the queue, two counts and the stop flag; it is held for a few pointers,
 * never while a job runs or is refused. A job is in the queue or belongs to exactly one
 * thread: whoever unlinks it under the lock (a reader, the watcher, the stopper) is the one
 * that calls `run` or `refuse`, so it is told once however deadlines, cancelling and
 * stopping race. The submitter gives the job away with the lock's release and the reader
 * takes it with the lock's acquisition, so everything written before submitting is seen.
 *
 * The watcher sleeps until the earliest deadline in the queue and is woken when an earlier
 * one comes, so nothing polls. Turned down: a timed wait in every reader (no help when all
 * are busy), a timer per job (a system call each), a lock-free queue (readers run for
 * milliseconds; the lock is not what they wait for). */
struct hl_pool {
    pthread_mutex_t lock; /* guards what follows, to the blank line */
    pthread_cond_t has_work;
    pthread_cond_t watch;  /* the earliest deadline may have changed */
    struct hl_chore queue; /* a ring through this dummy; next is the oldest */
    size_t queued;
    size_t running;
    int64_t watch_at_us; /* when the watcher looks next if nobody wakes it */
    bool is_poked;
    bool is_stopping;

    struct hl_pool_options options;
    size_t n_started; /* readers */
    bool has_watcher;
    bool is_stopped;
    pthread_t watcher;
    pthread_t readers[];
};

static void unlink_job(struct hl_pool *pool, struct hl_chore *job)
{
    job->prev->next = job->next;
    job->next->prev = job->prev;
    pool->queued--;
}

/* The oldest job, after waiting for one; NULL when the pool stops. Called with the lock. */
static struct hl_chore *take_job(struct hl_pool *pool)
{
    struct hl_chore *job = NULL;

    while (pool->queued == 0 && !pool->is_stopping)
        pthread_cond_wait(&pool->has_work, &pool->lock);
    if (!pool->is_stopping) {
        job = pool->queue.next;
        unlink_job(pool, job);
        pool->running++;
    }
    return job;
}

static void run_job(struct hl_chore *job)
{
    struct hl_err err;

    /* Here, so that a test can make any request a long one. */
    if (hl_failpoint_hit(HL_FAIL_READER_RUN)) {
        hl_err_set(&err, HL_INTERNAL, "failpoint reader.run");
        job->refuse(job, &err);
    } else if (hl_deadline_check(job->deadline, "the request", &err) != HL_OK) {
        job->refuse(job, &err);
    } else {
        job->run(job);
    }
}

static void *read_main(void *arg)
{
    struct hl_pool *pool = arg;
    struct hl_chore *job;

    if (pool->options.begin)
        pool->options.begin();
    pthread_mutex_lock(&pool->lock);
    while ((job = take_job(pool))) {
        pthread_mutex_unlock(&pool->lock);
        run_job(job);
        pthread_mutex_lock(&pool->lock);
        pool->running--;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* The first queued job that must not wait any longer, unlinked, with the reason; or NULL
 * and how long the others can wait. Called with the lock. */
static struct hl_chore *take_late_job(struct hl_pool *pool, int64_t *ret_wait_us,
                                      struct hl_err *why)
{
    struct hl_chore *job;

    *ret_wait_us = HL_DEADLINE_NEVER;
    pool->watch_at_us = HL_DEADLINE_NEVER;
    for (job = pool->queue.next; job != &pool->queue; job = job->next) {
        int64_t left_us = hl_deadline_left_us(job->deadline);

        if (hl_deadline_check(job->deadline, "waiting for a reader", why) != HL_OK) {
            unlink_job(pool, job);
            return job;
        }
        if (left_us < *ret_wait_us) {
            *ret_wait_us = left_us;
            pool->watch_at_us = job->deadline->at_us;
        }
    }
    return NULL;
}

static void wait_us(struct hl_pool *pool, int64_t us)
{
    const int64_t second = 1000000;
    struct timespec until;

    if (us == HL_DEADLINE_NEVER) {
        pthread_cond_wait(&pool->watch, &pool->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    us += until.tv_nsec / 1000;
    until.tv_sec += us / second;
    until.tv_nsec = (us % second) * 1000;
    pthread_cond_timedwait(&pool->watch, &pool->lock, &until);
}

static void *watch_main(void *arg)
{
    struct hl_pool *pool = arg;

    pthread_mutex_lock(&pool->lock);
    while (!pool->is_stopping) {
        struct hl_err why;
        int64_t us;
        struct hl_chore *late = take_late_job(pool, &us, &why);

        if (late) {
            pthread_mutex_unlock(&pool->lock);
            late->refuse(late, &why);
            pthread_mutex_lock(&pool->lock);
        } else if (!pool->is_poked) {
            wait_us(pool, us);
        }
        pool->is_poked = false;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void init_locks(struct hl_pool *pool)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->has_work, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->watch, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

enum hl_code hl_pool_new(const struct hl_pool_options *options, struct hl_pool **ret_pool,
                         struct hl_err *err)
{
    struct hl_pool *pool =
        hl_alloc_zeroed(1, sizeof *pool + options->n_readers * sizeof *pool->readers);
    int error = 0;

    if (!pool)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu readers", options->n_readers);
    pool->options = *options;
    pool->queue.next = pool->queue.prev = &pool->queue;
    pool->watch_at_us = HL_DEADLINE_NEVER;
    init_locks(pool);
    while (!error && pool->n_started < options->n_readers) {
        error = pthread_create(&pool->readers[pool->n_started], NULL, read_main, pool);
        pool->n_started += !error;
    }
    if (!error)
        error = pthread_create(&pool->watcher, NULL, watch_main, pool);
    pool->has_watcher = !error;
    if (error) {
        hl_pool_free(pool);
        return hl_fail_errno(err, error, "could not start %zu reader threads",
                             options->n_readers);
    }
    *ret_pool = pool;
    return HL_OK;
}

enum hl_code hl_pool_submit(struct hl_pool *pool, struct hl_chore *job, struct hl_err *err)
{
    bool is_full, is_stopping;

    pthread_mutex_lock(&pool->lock);
    is_stopping = pool->is_stopping;
    is_full = pool->queued >= pool->options.max_queued;
    if (!is_stopping && !is_full) {
        job->next = &pool->queue;
        job->prev = pool->queue.prev;
        job->prev->next = job;
        pool->queue.prev = job;
        pool->queued++;
        pthread_cond_signal(&pool->has_work);
        if (job->deadline->at_us < pool->watch_at_us) {
            pool->watch_at_us = job->deadline->at_us;
            pthread_cond_signal(&pool->watch);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    if (is_stopping)
        return hl_fail(err, HL_UNAVAILABLE, "the server is shutting down");
    if (is_full)
        return hl_fail(err, HL_TOO_MANY, "%zu long requests are waiting already",
                       pool->options.max_queued);
    return HL_OK;
}

void hl_pool_poke(struct hl_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->is_poked = true;
    pthread_cond_signal(&pool->watch);
    pthread_mutex_unlock(&pool->lock);
}

struct hl_pool_state hl_pool_state(struct hl_pool *pool)
{
    struct hl_pool_state state = {.n_readers = pool->options.n_readers,
                                  .max_queued = pool->options.max_queued};

    pthread_mutex_lock(&pool->lock);
    state.queued = pool->queued;
    state.running = pool->running;
    pthread_mutex_unlock(&pool->lock);
    return state;
}

static void refuse_queued(struct hl_pool *pool)
{
    struct hl_err why;

    hl_err_set(&why, HL_UNAVAILABLE, "the server is shutting down");
    pthread_mutex_lock(&pool->lock);
    pool->is_stopping = true;
    pthread_cond_broadcast(&pool->has_work);
    pthread_cond_broadcast(&pool->watch);
    while (pool->queued > 0) {
        struct hl_chore *job = pool->queue.next;

        unlink_job(pool, job);
        pthread_mutex_unlock(&pool->lock);
        job->refuse(job, &why);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
}

void hl_pool_stop(struct hl_pool *pool)
{
    if (pool->is_stopped)
        return;
    pool->is_stopped = true;
    refuse_queued(pool);
    for (size_t i = 0; i < pool->n_started; i++)
        pthread_join(pool->readers[i], NULL);
    if (pool->has_watcher)
        pthread_join(pool->watcher, NULL);
}

void hl_pool_free(struct hl_pool *pool)
{
    if (!pool)
        return;
    hl_pool_stop(pool);
    pthread_cond_destroy(&pool->watch);
    pthread_cond_destroy(&pool->has_work);
    pthread_mutex_destroy(&pool->lock);
    hl_free(pool);
}
