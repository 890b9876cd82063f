/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs_part.h"

#include <string.h>
#include <time.h>

enum { LOOK_EVERY_US = 1000000 };

static enum hl_code set_row(void *self, struct hl_catalog *catalog, struct hl_err *err)
{
    return hl_catalog_set_job(catalog, self, err);
}

void hl_jobs_save(struct hl_jobs *jobs, struct hl_entry_of_job *entry)
{
    char phase[HL_JOB_PHASE];
    struct hl_job job;
    struct hl_err err;
    enum hl_code code;

    pthread_mutex_lock(&jobs->desk);
    pthread_mutex_lock(&jobs->lock);
    job = entry->job;
    memcpy(phase, entry->phase, sizeof phase);
    job.phase = phase;
    entry->is_dirty = false;
    pthread_mutex_unlock(&jobs->lock);
    code = hl_collections_use_catalog(jobs->options.collections, set_row, &job, &err);
    if (code != HL_OK && code != HL_NOT_FOUND) {
        pthread_mutex_lock(&jobs->lock);
        entry->is_dirty = true;
        pthread_mutex_unlock(&jobs->lock);
        hl_log(jobs->options.log, HL_LOG_WARN, hl_log_event("job_not_saved"),
               hl_log_u64("job", job.id), hl_log_error(&err));
    }
    pthread_mutex_unlock(&jobs->desk);
}

/* With the lock: how long until somebody is to be told that his time is over. */
static int64_t next_look_us(const struct hl_jobs *jobs)
{
    int64_t least = LOOK_EVERY_US;

    for (const struct hl_entry_of_job *entry = jobs->first; entry; entry = entry->next) {
        const int64_t left =
            entry->waiter ? hl_deadline_left_us(&entry->waiter->deadline) : LOOK_EVERY_US;

        if (left < least)
            least = left;
    }
    return least;
}

static void sleep_us(struct hl_jobs *jobs, int64_t us)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)(us % 1000000) * 1000;
    at.tv_sec += us / 1000000 + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    (void)pthread_cond_timedwait(&jobs->changed, &jobs->lock, &at);
}

/* With the lock, which is let go meanwhile: tells one whose patience is over. */
static bool tell_expired(struct hl_jobs *jobs)
{
    struct hl_entry_of_job *entry = jobs->first;
    struct hl_job_waiter *waiter;
    char phase[HL_JOB_PHASE];
    struct hl_job job;
    struct hl_err err;

    while (entry && (!entry->waiter ||
                     hl_deadline_check(&entry->waiter->deadline, "the job", &err) == HL_OK))
        entry = entry->next;
    if (!entry)
        return false;
    waiter = entry->waiter;
    entry->waiter = NULL;
    entry->n_refs++;
    job = entry->job;
    memcpy(phase, entry->phase, sizeof phase);
    job.phase = phase;
    pthread_mutex_unlock(&jobs->lock);
    waiter->tell(waiter, &job, NULL);
    pthread_mutex_lock(&jobs->lock);
    hl_jobs_unref(entry);
    return true;
}

/* Likewise: saves one that changed. */
static bool save_changed(struct hl_jobs *jobs, uint64_t *last)
{
    struct hl_entry_of_job *entry = jobs->first;

    while (entry && (!entry->is_dirty || entry->job.id <= *last))
        entry = entry->next;
    if (!entry)
        return false;
    *last = entry->job.id;
    entry->n_refs++;
    pthread_mutex_unlock(&jobs->lock);
    hl_jobs_save(jobs, entry);
    pthread_mutex_lock(&jobs->lock);
    hl_jobs_unref(entry);
    return true;
}

void *hl_jobs_attend(void *arg)
{
    struct hl_jobs *jobs = arg;
    int64_t saved_us = hl_clock_now(jobs->options.clock);

    pthread_mutex_lock(&jobs->lock);
    while (!jobs->is_over) {
        uint64_t last = 0;

        if (jobs->first)
            sleep_us(jobs, next_look_us(jobs));
        else
            pthread_cond_wait(&jobs->changed, &jobs->lock);
        while (tell_expired(jobs))
            continue;
        if (hl_clock_now(jobs->options.clock) - saved_us < LOOK_EVERY_US)
            continue;
        while (save_changed(jobs, &last))
            continue;
        hl_jobs_forget(jobs);
        saved_us = hl_clock_now(jobs->options.clock);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}
