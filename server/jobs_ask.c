/* SPDX-License-Identifier: Apache-2.0 */
#include "server/jobs_part.h"

#include "proto/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* What callers ask of the jobs: to add, to cancel, to show, to wait. */
enum { MOST_WAITING = 1000, KEPT = 200 };

/* With the lock. */
static struct hl_entry_of_job *find_entry(const struct hl_jobs *jobs, uint64_t id)
{
    struct hl_entry_of_job *entry = jobs->first;

    while (entry && entry->job.id != id)
        entry = entry->next;
    return entry;
}

static struct hl_entry_of_job *new_entry(struct hl_jobs *jobs,
                                         const struct hl_job_order *order)
{
    const size_t kind = strlen(order->kind) + 1, name = strlen(order->collection) + 1,
                 request = strlen(order->request) + 1;
    struct hl_entry_of_job *entry = hl_alloc_zeroed(1, sizeof *entry);

    if (!entry)
        return NULL;
    entry->texts = hl_alloc(kind + name + request);
    if (!entry->texts) {
        hl_jobs_free_entry(entry);
        return NULL;
    }
    memcpy(entry->texts, order->kind, kind);
    memcpy(entry->texts + kind, order->collection, name);
    memcpy(entry->texts + kind + name, order->request, request);
    entry->job = (struct hl_job){.state = HL_JOB_QUEUED,
                                 .created_ms = hl_jobs_now_ms(),
                                 .kind = entry->texts,
                                 .collection = entry->texts + kind,
                                 .request = entry->texts + kind + name,
                                 .phase = entry->phase,
                                 .outcome = ""};
    entry->job.changed_ms = entry->job.created_ms;
    (void)snprintf(entry->phase, sizeof entry->phase, "waiting");
    entry->is_awaited = order->is_awaited;
    entry->jobs = jobs;
    entry->n_refs = 1;
    return entry;
}

/* ---- adding and cancelling ---- */

struct addition {
    const struct hl_job *job;
    uint64_t id;
};

static enum hl_code add_row(void *self, struct hl_catalog *catalog, struct hl_err *err)
{
    struct addition *addition = self;
    /* In this order: of a job that is refused nothing may be left. */
    enum hl_code code = hl_catalog_trim_jobs(catalog, KEPT, err);

    return code == HL_OK ? hl_catalog_add_job(catalog, addition->job, &addition->id, err)
                         : code;
}

static enum hl_code check_room(struct hl_jobs *jobs, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    pthread_mutex_lock(&jobs->lock);
    if (jobs->is_stopping)
        code = hl_fail(err, HL_UNAVAILABLE, "the server is stopping");
    else if (jobs->n >= MOST_WAITING)
        code = hl_fail(err, HL_TOO_MANY, "%zu jobs wait already, the most there may be",
                       jobs->n);
    pthread_mutex_unlock(&jobs->lock);
    return code;
}

/* Whether the jobs still run: the server may have stopped since the row was written. */
static bool enqueue(struct hl_jobs *jobs, struct hl_entry_of_job *entry)
{
    struct hl_entry_of_job **at = &jobs->first;
    bool is_taken;

    pthread_mutex_lock(&jobs->lock);
    while (*at)
        at = &(*at)->next;
    *at = entry;
    jobs->n++;
    is_taken = !jobs->is_stopping;
    if (!is_taken)
        entry->job.state = HL_JOB_RUNNING; /* nobody else's to end */
    pthread_cond_broadcast(&jobs->work);   /* a lane takes only its own */
    pthread_mutex_unlock(&jobs->lock);
    return is_taken;
}

enum hl_code hl_jobs_add(struct hl_jobs *jobs, const struct hl_job_order *order,
                         struct hl_work *work, uint64_t *ret_id, struct hl_err *err)
{
    struct hl_entry_of_job *entry = NULL;
    struct addition addition = {0};
    enum hl_code code = check_room(jobs, err);

    if (code == HL_OK)
        entry = new_entry(jobs, order);
    if (code == HL_OK && !entry)
        code = hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    if (code == HL_OK) {
        addition.job = &entry->job;
        code =
            hl_collections_use_catalog(jobs->options.collections, add_row, &addition, err);
    }
    if (code != HL_OK) {
        hl_jobs_free_entry(entry);
        work->free(work);
        return code;
    }
    entry->job.id = addition.id;
    entry->work = work;
    entry->is_prompt = work->is_prompt;
    *ret_id = addition.id;
    hl_metrics_add(jobs->options.metrics, HL_METRIC_JOBS_QUEUED, 1);
    if (!enqueue(jobs, entry))
        hl_jobs_end_unrun(jobs, entry, HL_JOB_FAILED);
    return HL_OK;
}

static bool note_there(void *self, const struct hl_job *job)
{
    (void)job;
    *(bool *)self = true;
    return true;
}

enum hl_code hl_jobs_cancel(struct hl_jobs *jobs, uint64_t id, struct hl_err *err)
{
    struct hl_entry_of_job *entry;
    bool is_queued, is_there = false;
    enum hl_code code;

    pthread_mutex_lock(&jobs->lock);
    entry = find_entry(jobs, id);
    is_queued = entry && entry->job.state == HL_JOB_QUEUED;
    if (is_queued) {
        entry->job.state = HL_JOB_RUNNING; /* nobody else's to end */
    } else if (entry && entry->job.state == HL_JOB_RUNNING && entry->work) {
        entry->was_cancelled = true;
        atomic_store(&entry->cancelled, true);
    }
    pthread_mutex_unlock(&jobs->lock);
    if (is_queued)
        hl_jobs_end_unrun(jobs, entry, HL_JOB_CANCELLED);
    if (entry)
        return HL_OK;
    code = hl_jobs_each(jobs, id, note_there, &is_there, err);
    if (code == HL_OK && !is_there)
        return hl_fail(err, HL_NOT_FOUND, "Not found: Job %llu", (unsigned long long)id);
    return code;
}

/* ---- looking ---- */

struct listing {
    struct hl_jobs *jobs;
    uint64_t id;
    hl_catalog_job_fn *each;
    void *self;
};

/* As it is in memory, where it is. */
static bool show_row(void *self, const struct hl_job *row)
{
    struct listing *listing = self;
    struct hl_jobs *jobs = listing->jobs;
    struct hl_job job = *row;
    char phase[HL_JOB_PHASE];
    struct hl_entry_of_job *entry;
    bool goes_on;

    pthread_mutex_lock(&jobs->lock);
    entry = find_entry(jobs, row->id);
    if (entry) {
        memcpy(phase, entry->phase, sizeof phase);
        job.state = entry->job.state;
        job.progress = entry->job.progress;
        job.changed_ms = entry->job.changed_ms;
        job.phase = phase;
        job.outcome = entry->job.outcome;
        entry->n_refs++;
    }
    pthread_mutex_unlock(&jobs->lock);
    goes_on = listing->each(listing->self, &job);
    if (entry) {
        pthread_mutex_lock(&jobs->lock);
        hl_jobs_unref(entry);
        pthread_mutex_unlock(&jobs->lock);
    }
    return goes_on;
}

static enum hl_code list_rows(void *self, struct hl_catalog *catalog, struct hl_err *err)
{
    struct listing *listing = self;

    return hl_catalog_jobs(catalog, listing->id, show_row, listing, err);
}

enum hl_code hl_jobs_each(struct hl_jobs *jobs, uint64_t id, hl_catalog_job_fn *each,
                          void *self, struct hl_err *err)
{
    struct listing listing = {jobs, id, each, self};

    return hl_collections_use_catalog(jobs->options.collections, list_rows, &listing, err);
}

void hl_jobs_await(struct hl_jobs *jobs, uint64_t id, struct hl_job_waiter *waiter)
{
    struct hl_entry_of_job *entry;
    bool is_over;

    pthread_mutex_lock(&jobs->lock);
    entry = find_entry(jobs, id);
    assert(entry && entry->is_awaited);
    entry->is_awaited = false;
    entry->n_refs++;
    is_over = hl_job_is_over(&entry->job);
    if (!is_over) {
        entry->waiter = waiter;
        pthread_cond_signal(&jobs->changed);
    }
    pthread_mutex_unlock(&jobs->lock);
    if (is_over)
        waiter->tell(waiter, &entry->job,
                     entry->job.state == HL_JOB_DONE ? NULL : &entry->err);
    pthread_mutex_lock(&jobs->lock);
    hl_jobs_unref(entry);
    hl_jobs_forget(jobs);
    pthread_mutex_unlock(&jobs->lock);
}

/* ---- a job's step that is a job ---- */

struct step {
    struct hl_job_waiter waiter; /* first */

    /* Guards what follows. */
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool is_told, is_over;
    enum hl_code code;
    struct hl_err err;
};

/* The last thing that is done to the step. */
static void end_step(struct hl_job_waiter *waiter, const struct hl_job *job,
                     const struct hl_err *failed)
{
    struct step *step = (struct step *)waiter;

    pthread_mutex_lock(&step->lock);
    step->is_told = true;
    step->is_over = hl_job_is_over(job);
    if (failed) {
        step->code = failed->code;
        step->err = *failed;
    }
    pthread_cond_signal(&step->told);
    pthread_mutex_unlock(&step->lock);
}

static enum hl_code wait_for_step(struct hl_jobs *jobs, uint64_t id, struct step *step,
                                  struct hl_err *err)
{
    struct hl_err ignored; /* it is over, or goes on to its end: nobody waits */

    hl_jobs_await(jobs, id, &step->waiter);
    pthread_mutex_lock(&step->lock);
    while (!step->is_told)
        pthread_cond_wait(&step->told, &step->lock);
    pthread_mutex_unlock(&step->lock);
    if (!step->is_over) {
        (void)hl_jobs_cancel(jobs, id, &ignored);
        return hl_deadline_check(&step->waiter.deadline, "waiting for a job", err);
    }
    if (step->code != HL_OK)
        *err = step->err;
    return step->code;
}

enum hl_code hl_jobs_do(struct hl_jobs *jobs, const struct hl_job_order *order,
                        struct hl_work *work, const struct hl_deadline *deadline,
                        struct hl_err *err)
{
    struct hl_job_order awaited = *order;
    struct step step = {.waiter = {.deadline = *deadline, .tell = end_step}};
    uint64_t id = 0;
    enum hl_code code;

    awaited.is_awaited = true;
    code = hl_jobs_add(jobs, &awaited, work, &id, err);
    if (code != HL_OK)
        return code;
    pthread_mutex_init(&step.lock, NULL);
    pthread_cond_init(&step.told, NULL);
    code = wait_for_step(jobs, id, &step, err);
    pthread_cond_destroy(&step.told);
    pthread_mutex_destroy(&step.lock);
    return code;
}
