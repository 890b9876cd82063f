/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_JOBS_PART_H
#define HL_SERVER_JOBS_PART_H

#include "server/jobs.h"

#include <pthread.h>
#include <stdatomic.h>

/* What the files of the jobs share; for them alone.
 *
 *   jobs.c         the queue and the thread that runs it
 *   jobs_ask.c     adding, cancelling, looking, waiting
 *   jobs_attend.c  the thread that keeps the catalog up and ends waits
 *
 * The runner never writes its progress: a fit tells it thousands of times, and a sync for
 * each would be the slowest part of it. It notes it, and the attendant saves what was noted
 * once a second. */
enum { HL_JOB_PHASE = 64, HL_JOB_LANES = 2 };

/* One of the threads that run jobs. */
struct hl_job_lane {
    struct hl_jobs *jobs;
    pthread_t thread;
    bool is_prompt, has_thread;
};

struct hl_entry_of_job {
    struct hl_job job; /* its texts are below */
    char *texts;       /* kind, collection, request */
    char phase[HL_JOB_PHASE];
    char *outcome; /* NULL until it is over */
    struct hl_err err;
    struct hl_work *work;
    atomic_bool cancelled;
    bool was_cancelled; /* somebody asked for it, not the server's end */
    bool is_dirty;      /* the catalog does not know the newest */
    bool is_awaited;    /* hl_jobs_await will come */
    bool is_prompt;     /* the work's */
    size_t n_refs;
    struct hl_jobs *jobs;
    struct hl_job_waiter *waiter; /* at most one: whoever asked for the job */
    struct hl_entry_of_job *next; /* in the order they came */
};

struct hl_jobs {
    struct hl_jobs_options options;

    /* Guards what follows, for a look; nothing is called under it. */
    pthread_mutex_t lock;
    pthread_cond_t work;           /* something is queued, or the end */
    pthread_cond_t changed;        /* something for the attendant */
    struct hl_entry_of_job *first; /* that are not over, not saved or awaited */
    size_t n;
    bool is_stopping; /* nothing is added or run any more */
    bool is_over;     /* the attendant goes home */

    /* One saves at a time, so that an older state never overwrites a newer. Before
     * `lock`. */
    pthread_mutex_t desk;

    struct hl_job_lane lanes[HL_JOB_LANES];
    pthread_t attendant;
    bool has_attendant;
};

/* With the lock. */
void hl_jobs_unref(struct hl_entry_of_job *entry);
void hl_jobs_forget(struct hl_jobs *jobs); /* what is over, saved, and not awaited */

void hl_jobs_free_entry(struct hl_entry_of_job *entry); /* nobody else's */
int64_t hl_jobs_now_ms(void);

/* Without it: the end of what never ran, taken from the queue by a state that is not
 * HL_JOB_QUEUED any more. */
void hl_jobs_end_unrun(struct hl_jobs *jobs, struct hl_entry_of_job *entry,
                       enum hl_job_state state);

/* Puts the newest into the catalog; what could not be saved is tried again. */
void hl_jobs_save(struct hl_jobs *jobs, struct hl_entry_of_job *entry);
void *hl_jobs_attend(void *arg); /* the jobs */

#endif
