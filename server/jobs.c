/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs_part.h"

#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/governor.h"
#include "proto/priority.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LARGEST_RESULT = 64 << 20 };

static const char stopped[] = "the server ended before it did: send it again";

bool hl_job_is_over(const struct hl_job *job)
{
    return job->state != HL_JOB_QUEUED && job->state != HL_JOB_RUNNING;
}

int64_t hl_jobs_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- entries ---- */

void hl_jobs_free_entry(struct hl_entry_of_job *entry)
{
    if (!entry)
        return;
    hl_free(entry->texts);
    hl_free(entry->outcome);
    hl_free(entry);
}

void hl_jobs_unref(struct hl_entry_of_job *entry)
{
    if (--entry->n_refs == 0)
        hl_jobs_free_entry(entry);
}

void hl_jobs_forget(struct hl_jobs *jobs)
{
    struct hl_entry_of_job **at = &jobs->first;

    while (*at) {
        struct hl_entry_of_job *entry = *at;

        if (hl_job_is_over(&entry->job) && !entry->is_dirty && !entry->is_awaited) {
            *at = entry->next;
            jobs->n--;
            hl_jobs_unref(entry);
        } else {
            at = &entry->next;
        }
    }
}

/* ---- how a job ends ---- */

static char *print_failure(const struct hl_err *err)
{
    struct hl_buf buf;
    size_t len;

    hl_buf_init(&buf, (size_t)8 * HL_ERR_MSG_SIZE);
    hl_buf_add_text(&buf, "{\"error\":");
    hl_encode_string(&buf, err->msg);
    hl_buf_print(&buf, ",\"code\":\"%s\"}", hl_code_name(err->code));
    return hl_buf_take(&buf, &len);
}

/* With the lock. `outcome` goes to the entry. */
static void mark_over(struct hl_entry_of_job *entry, enum hl_job_state state, char *outcome)
{
    entry->job.state = state;
    entry->job.changed_ms = hl_jobs_now_ms();
    entry->outcome = outcome;
    entry->job.outcome = outcome ? outcome : "";
    if (state == HL_JOB_DONE)
        entry->job.progress = 1;
    entry->is_dirty = true;
}

/* Saved first: who waited may ask the next server. */
static void settle(struct hl_jobs *jobs, struct hl_entry_of_job *entry)
{
    struct hl_job_waiter *waiter;

    hl_jobs_save(jobs, entry);
    pthread_mutex_lock(&jobs->lock);
    waiter = entry->waiter;
    entry->waiter = NULL;
    entry->n_refs++;
    hl_jobs_forget(jobs);
    pthread_mutex_unlock(&jobs->lock);
    if (waiter)
        waiter->tell(waiter, &entry->job,
                     entry->job.state == HL_JOB_DONE ? NULL : &entry->err);
    pthread_mutex_lock(&jobs->lock);
    hl_jobs_unref(entry);
    pthread_mutex_unlock(&jobs->lock);
}

static void count_end(struct hl_jobs *jobs, enum hl_job_state state)
{
    hl_metrics_add(jobs->options.metrics,
                   state == HL_JOB_DONE     ? HL_METRIC_JOBS_DONE
                   : state == HL_JOB_FAILED ? HL_METRIC_JOBS_FAILED
                                            : HL_METRIC_JOBS_CANCELLED,
                   1);
}

void hl_jobs_end_unrun(struct hl_jobs *jobs, struct hl_entry_of_job *entry,
                       enum hl_job_state state)
{
    struct hl_work *work;
    char *outcome;

    if (state == HL_JOB_CANCELLED)
        hl_err_set(&entry->err, HL_CANCELLED, "the job was cancelled before it began");
    else
        hl_err_set(&entry->err, HL_UNAVAILABLE, "%s", stopped);
    outcome = print_failure(&entry->err);
    pthread_mutex_lock(&jobs->lock);
    entry->n_refs++; /* from here on the attendant may save and forget it */
    mark_over(entry, state, outcome);
    work = entry->work;
    entry->work = NULL;
    pthread_mutex_unlock(&jobs->lock);
    work->free(work);
    hl_metrics_add(jobs->options.metrics, HL_METRIC_JOBS_QUEUED, -1);
    count_end(jobs, state);
    settle(jobs, entry);
    pthread_mutex_lock(&jobs->lock);
    hl_jobs_unref(entry);
    pthread_mutex_unlock(&jobs->lock);
}

/* ---- the runner ---- */

static void note_progress(void *self, const char *phase, double progress)
{
    struct hl_entry_of_job *entry = self;
    struct hl_jobs *jobs = entry->jobs;

    pthread_mutex_lock(&jobs->lock);
    (void)snprintf(entry->phase, sizeof entry->phase, "%s", phase);
    entry->job.progress = progress < 0 ? 0 : progress > 1 ? 1 : progress;
    entry->job.changed_ms = hl_jobs_now_ms();
    entry->is_dirty = true;
    pthread_mutex_unlock(&jobs->lock);
}

static void log_end(struct hl_jobs *jobs, const struct hl_entry_of_job *entry,
                    int64_t took_us)
{
    struct hl_log *log = jobs->options.log;

    if (entry->job.state == HL_JOB_FAILED)
        hl_log(log, HL_LOG_WARN, hl_log_event("job_failed"),
               hl_log_u64("job", entry->job.id), hl_log_text("kind", entry->job.kind),
               hl_log_text("collection", entry->job.collection), hl_log_error(&entry->err),
               hl_log_i64("took_us", took_us));
    else
        hl_log(log, HL_LOG_INFO,
               hl_log_event(entry->job.state == HL_JOB_DONE ? "job_done" : "job_cancelled"),
               hl_log_u64("job", entry->job.id), hl_log_text("kind", entry->job.kind),
               hl_log_text("collection", entry->job.collection),
               hl_log_i64("took_us", took_us));
}

static enum hl_job_state judge(struct hl_jobs *jobs, struct hl_entry_of_job *entry,
                               enum hl_code code)
{
    bool was_asked;

    if (code == HL_OK)
        return HL_JOB_DONE;
    pthread_mutex_lock(&jobs->lock);
    was_asked = entry->was_cancelled;
    pthread_mutex_unlock(&jobs->lock);
    if (!atomic_load(&entry->cancelled) || code != HL_CANCELLED)
        return HL_JOB_FAILED;
    if (was_asked)
        return HL_JOB_CANCELLED;
    hl_err_set(&entry->err, HL_UNAVAILABLE, "%s", stopped);
    return HL_JOB_FAILED;
}

static void run_entry(struct hl_jobs *jobs, struct hl_entry_of_job *entry)
{
    const int64_t started = hl_clock_now(jobs->options.clock);
    const struct hl_deadline deadline = {.clock = jobs->options.clock,
                                         .at_us = HL_DEADLINE_NEVER,
                                         .cancelled = &entry->cancelled};
    const struct hl_errand errand = {&deadline, note_progress, entry};
    struct hl_work *work = entry->work;
    enum hl_job_state state;
    struct hl_buf result;
    char *outcome;
    size_t len;
    enum hl_code code;

    hl_metrics_add(jobs->options.metrics, HL_METRIC_JOBS_QUEUED, -1);
    hl_metrics_add(jobs->options.metrics, HL_METRIC_JOBS_RUNNING, 1);
    hl_buf_init(&result, LARGEST_RESULT);
    code = work->run(work, &errand, &result, &entry->err);
    if (code == HL_OK)
        code = hl_buf_check(&result, "the result of a job", &entry->err);
    state = judge(jobs, entry, code);
    outcome =
        state == HL_JOB_DONE ? hl_buf_take(&result, &len) : print_failure(&entry->err);
    hl_buf_done(&result);
    work->free(work);
    pthread_mutex_lock(&jobs->lock);
    entry->work = NULL;
    mark_over(entry, state, outcome);
    pthread_mutex_unlock(&jobs->lock);
    hl_metrics_add(jobs->options.metrics, HL_METRIC_JOBS_RUNNING, -1);
    count_end(jobs, state);
    log_end(jobs, entry, hl_clock_now(jobs->options.clock) - started);
    settle(jobs, entry);
}

/* The oldest that waits for the lane, with a reference; NULL at the end. */
static struct hl_entry_of_job *take_entry(const struct hl_job_lane *lane)
{
    struct hl_jobs *jobs = lane->jobs;
    struct hl_entry_of_job *entry = NULL;

    pthread_mutex_lock(&jobs->lock);
    while (!jobs->is_stopping) {
        entry = jobs->first;
        while (entry &&
               (entry->job.state != HL_JOB_QUEUED || entry->is_prompt != lane->is_prompt))
            entry = entry->next;
        if (entry)
            break;
        pthread_cond_wait(&jobs->work, &jobs->lock);
    }
    if (jobs->is_stopping)
        entry = NULL;
    if (entry) {
        entry->n_refs++;
        entry->job.state = HL_JOB_RUNNING;
        (void)snprintf(entry->phase, sizeof entry->phase, "beginning");
        entry->job.changed_ms = hl_jobs_now_ms();
        entry->is_dirty = true;
        pthread_cond_signal(&jobs->changed);
    }
    pthread_mutex_unlock(&jobs->lock);
    return entry;
}

static void *run_on(void *arg)
{
    const struct hl_job_lane *lane = arg;
    struct hl_jobs *jobs = lane->jobs;
    struct hl_entry_of_job *entry;

    /* Lower than the keeper: a tail that is not sealed slows searches, a fit can wait. */
    if (!lane->is_prompt)
        hl_priority_set(HL_PRIORITY_LAST);
    while ((entry = take_entry(lane))) {
        struct hl_governed *governed =
            hl_governor_enter(lane->is_prompt ? NULL : jobs->options.governor);

        run_entry(jobs, entry);
        hl_governor_leave(governed);
        pthread_mutex_lock(&jobs->lock);
        hl_jobs_unref(entry);
        pthread_mutex_unlock(&jobs->lock);
    }
    return NULL;
}

/* ---- beginning and end ---- */

static enum hl_code recover(void *self, struct hl_catalog *catalog, struct hl_err *err)
{
    struct hl_jobs *jobs = self;
    struct hl_err lost;
    char *outcome;
    size_t n = 0;
    enum hl_code code;

    hl_err_set(&lost, HL_UNAVAILABLE, "%s", stopped);
    outcome = print_failure(&lost);
    if (!outcome)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the jobs");
    code = hl_catalog_recover_jobs(catalog, hl_jobs_now_ms(), outcome, &n, err);
    hl_free(outcome);
    if (code == HL_OK && n > 0)
        hl_log(jobs->options.log, HL_LOG_WARN, hl_log_event("jobs_lost"),
               hl_log_u64("jobs", n));
    return code;
}

static enum hl_code start_threads(struct hl_jobs *jobs, struct hl_err *err)
{
    bool has_all = true;

    for (size_t i = 0; i < HL_JOB_LANES; i++) {
        struct hl_job_lane *lane = &jobs->lanes[i];

        lane->jobs = jobs;
        lane->is_prompt = i > 0;
        lane->has_thread = pthread_create(&lane->thread, NULL, run_on, lane) == 0;
        has_all = has_all && lane->has_thread;
    }
    jobs->has_attendant =
        has_all && pthread_create(&jobs->attendant, NULL, hl_jobs_attend, jobs) == 0;
    if (jobs->has_attendant)
        return HL_OK;
    return hl_fail(err, HL_NO_MEMORY, "could not start the threads of long work");
}

enum hl_code hl_jobs_open(const struct hl_jobs_options *options, struct hl_jobs **ret_jobs,
                          struct hl_err *err)
{
    struct hl_jobs *jobs = hl_alloc_zeroed(1, sizeof *jobs);
    pthread_condattr_t attributes;
    enum hl_code code;

    if (!jobs)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the jobs");
    jobs->options = *options;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_mutex_init(&jobs->desk, NULL);
    pthread_cond_init(&jobs->work, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&jobs->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    code = hl_collections_use_catalog(options->collections, recover, jobs, err);
    if (code == HL_OK)
        code = start_threads(jobs, err);
    if (code == HL_OK)
        *ret_jobs = jobs;
    else
        hl_jobs_close(jobs);
    return code;
}

/* One that waits, with its end left to the caller. */
static struct hl_entry_of_job *take_waiting(struct hl_jobs *jobs)
{
    struct hl_entry_of_job *entry;

    pthread_mutex_lock(&jobs->lock);
    entry = jobs->first;
    while (entry && entry->job.state != HL_JOB_QUEUED)
        entry = entry->next;
    if (entry)
        entry->job.state = HL_JOB_RUNNING;
    pthread_mutex_unlock(&jobs->lock);
    return entry;
}

void hl_jobs_stop(struct hl_jobs *jobs)
{
    struct hl_entry_of_job *entry;

    pthread_mutex_lock(&jobs->lock);
    jobs->is_stopping = true;
    for (entry = jobs->first; entry; entry = entry->next)
        atomic_store(&entry->cancelled, true);
    pthread_cond_broadcast(&jobs->work);
    pthread_mutex_unlock(&jobs->lock);
    for (size_t i = 0; i < HL_JOB_LANES; i++) {
        if (jobs->lanes[i].has_thread)
            pthread_join(jobs->lanes[i].thread, NULL);
        jobs->lanes[i].has_thread = false;
    }
    while ((entry = take_waiting(jobs)))
        hl_jobs_end_unrun(jobs, entry, HL_JOB_FAILED);
    pthread_mutex_lock(&jobs->lock);
    jobs->is_over = true;
    pthread_cond_broadcast(&jobs->changed);
    pthread_mutex_unlock(&jobs->lock);
    if (jobs->has_attendant)
        pthread_join(jobs->attendant, NULL);
    jobs->has_attendant = false;
}

void hl_jobs_close(struct hl_jobs *jobs)
{
    if (!jobs)
        return;
    hl_jobs_stop(jobs);
    while (jobs->first) {
        struct hl_entry_of_job *entry = jobs->first;

        jobs->first = entry->next;
        hl_jobs_free_entry(entry);
    }
    pthread_mutex_destroy(&jobs->lock);
    pthread_mutex_destroy(&jobs->desk);
    pthread_cond_destroy(&jobs->work);
    pthread_cond_destroy(&jobs->changed);
    hl_free(jobs);
}
