/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_POOL_H
#define HL_SERVER_POOL_H

#include "proto/deadline.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The reader pool: threads for work that is too long for an HTTP thread.
 *
 * A job is queued, run by one reader and gone. It is told exactly once how it ended: by
 * `run` on a reader thread, or by `refuse` when it will never run: its deadline passed
 * while it waited, its caller is gone, or the pool stops. A job that waits is refused on
 * time even when every reader is busy; a job that runs asks its own deadline. */
struct hl_pool;

/* Storage of the caller, from hl_pool_submit until `run` or `refuse` is called; neither is
 * called under a lock, and both may free the job. */
struct hl_chore {
    const struct hl_deadline *deadline;
    void (*run)(struct hl_chore *job);
    void (*refuse)(struct hl_chore *job, const struct hl_err *why);
    struct hl_chore *next; /* the pool's */
    struct hl_chore *prev; /* the pool's */
};

struct hl_pool_options {
    size_t n_readers; /* at least 1 */
    size_t max_queued;
    void (*begin)(void); /* called first in every reader thread; may be NULL */
};

struct hl_pool_state {
    size_t n_readers;
    size_t max_queued;
    size_t queued;
    size_t running;
};

enum hl_code hl_pool_new(const struct hl_pool_options *options, struct hl_pool **ret_pool,
                         struct hl_err *err);

/* Queues the job, or refuses it by its return value alone (neither function of the job is
 * called): HL_TOO_MANY when the queue is full, HL_UNAVAILABLE when the pool stops. Any
 * thread; never waits for a job. */
enum hl_code hl_pool_submit(struct hl_pool *pool, struct hl_chore *job, struct hl_err *err);

/* Looks through the queue for jobs whose deadline says no; to be called after a deadline
 * was cancelled from outside. Any thread. */
void hl_pool_poke(struct hl_pool *pool);

struct hl_pool_state hl_pool_state(struct hl_pool *pool); /* any thread */

/* Refuses what waits, lets what runs end, joins the threads. Once, by the owner, who
 * cancels deadlines first if running jobs must hurry. */
void hl_pool_stop(struct hl_pool *pool);
void hl_pool_free(struct hl_pool *pool); /* stops first if that was not done */

#endif
