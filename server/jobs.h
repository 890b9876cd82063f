/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_JOBS_H
#define HL_SERVER_JOBS_H

#include "compat/lesson.h"
#include "index/catalog.h"
#include "proto/buf.h"
#include "server/collections.h"
#include "server/log.h"
#include "server/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Long work that outlives the request that asked for it: one job runs at a time, on a
 * thread of the lowest priority, the others wait in the order they came. What is prompt has
 * a thread of its own, where the same holds: what serves can be changed, and changed back,
 * while a fit takes its minutes.
 *
 * The catalog keeps them. What was queued or running when the server ended has failed at
 * the next start, and says so; nothing is forgotten but the oldest that are over. Any
 * thread may call what is below; adding, listing and cancelling wait for the disk. */
struct hl_jobs;

struct hl_jobs_options {
    struct hl_collections *collections; /* whose catalog keeps the jobs */
    struct hl_metrics *metrics;
    struct hl_log *log;
    const struct hl_clock *clock;
    struct hl_governor *governor; /* of the runner; NULL: its priority is all it has */
};

enum hl_code hl_jobs_open(const struct hl_jobs_options *options, struct hl_jobs **ret_jobs,
                          struct hl_err *err);

/* Cancels what runs and waits for its end; what is queued fails. Jobs that come later are
 * refused. Twice is harmless. */
void hl_jobs_stop(struct hl_jobs *jobs);
void hl_jobs_close(struct hl_jobs *jobs); /* stops first; NULL is accepted */

/* What a job does, on the runner's thread. The errand's deadline is asked in every loop and
 * its `tell` is called as often as is convenient. What `run` prints is the result, JSON.
 * `free` is called once, whether it ran or not. */
struct hl_work {
    enum hl_code (*run)(struct hl_work *work, const struct hl_errand *errand,
                        struct hl_buf *result, struct hl_err *err);
    void (*free)(struct hl_work *work);
    bool is_prompt; /* little to compute, and somebody waits for it */
};

/* Who asks for it: texts for people, `request` is JSON. */
struct hl_job_order {
    const char *kind, *collection, *request;
    bool is_awaited; /* hl_jobs_await will be called for it */
};

/* The work belongs to the jobs from now on, after a failure too. HL_TOO_MANY,
 * HL_UNAVAILABLE while stopping. */
enum hl_code hl_jobs_add(struct hl_jobs *jobs, const struct hl_job_order *order,
                         struct hl_work *work, uint64_t *ret_id, struct hl_err *err);

/* What waits never runs, what runs is asked to end soon, what is over stays as it is.
 * HL_NOT_FOUND. */
enum hl_code hl_jobs_cancel(struct hl_jobs *jobs, uint64_t id, struct hl_err *err);

/* Newest first, each as it is now; of one id unless it is 0. `each` calls nothing here. */
enum hl_code hl_jobs_each(struct hl_jobs *jobs, uint64_t id, hl_catalog_job_fn *each,
                          void *self, struct hl_err *err);

/* Told once: when the job is over, or when the deadline says no, which it does within a
 * second or so. `err` is why it failed, NULL when it did not or is not over. The storage is
 * the caller's until then. */
struct hl_job_waiter {
    struct hl_deadline deadline;
    void (*tell)(struct hl_job_waiter *waiter, const struct hl_job *job,
                 const struct hl_err *err);
    struct hl_job_waiter *next; /* the jobs' */
};

/* Once, for a job that was added as awaited. May tell before it returns. */
void hl_jobs_await(struct hl_jobs *jobs, uint64_t id, struct hl_job_waiter *waiter);

/* A job's step that is a job of the other thread: adds it and waits here until it is over,
 * whose error is returned. When the deadline says no the job is cancelled and not waited
 * for any more. For the runner's thread, and never for work of its own kind, which would
 * wait for itself. The work belongs to the jobs from now on. */
enum hl_code hl_jobs_do(struct hl_jobs *jobs, const struct hl_job_order *order,
                        struct hl_work *work, const struct hl_deadline *deadline,
                        struct hl_err *err);

bool hl_job_is_over(const struct hl_job *job);

#endif
