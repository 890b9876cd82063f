/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_TOILING_H
#define HL_TESTS_UNIT_TOILING_H

/* Jobs on a real catalog, and work that does as it is told. For test files of jobs; cmocka
 * is included before. */
#include "proto/alloc.h"
#include "proto/dir.h"
#include "proto/fail.h"
#include "server/jobs_part.h"
#include "tests/support/still.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PATIENCE_S = 60 };

static inline int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct hl_clock ticking = {now_us, NULL};

struct fixture {
    char folder[48];
    struct hl_engine *engine;
    struct hl_collections *collections;
    struct hl_metrics *metrics;
    struct hl_jobs *jobs;
    struct hl_err err;
};

static inline void open_jobs(struct fixture *f)
{
    const struct hl_collections_options collections = {
        .folder = f->folder, .engine = f->engine, .clock = &ticking};
    struct hl_jobs_options jobs = {.metrics = f->metrics, .clock = &ticking};

    assert_int_equal(hl_collections_open(&collections, &f->collections, &f->err), HL_OK);
    jobs.collections = f->collections;
    assert_int_equal(hl_jobs_open(&jobs, &f->jobs, &f->err), HL_OK);
}

static inline void close_jobs(struct fixture *f)
{
    hl_jobs_close(f->jobs);
    hl_collections_close(f->collections);
}

static inline int set_up(void **state)
{
    static const struct hl_metrics_build build = {"0", "0", "0", "portable"};
    const struct hl_engine_options engine = {.clock = &ticking,
                                             .n_writers = 1,
                                             .seal_rows = 64,
                                             .max_unindexed_bytes = 1 << 20,
                                             .n_links = 8,
                                             .ef_construction = 16,
                                             .beam = 16};
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-jobs-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(hl_engine_new(&engine, &f->engine, &f->err), HL_OK);
    assert_int_equal(hl_metrics_new(NULL, 0, &build, &f->metrics, &f->err), HL_OK);
    open_jobs(f);
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    close_jobs(f);
    hl_engine_free(f->engine);
    hl_metrics_free(f->metrics);
    assert_int_equal(hl_dir_remove(f->folder, &f->err), HL_OK);
    free(f);
    return 0;
}

/* ---- work that does as it is told ---- */

struct toil {
    struct hl_work work; /* first */
    sem_t begun, may_end;
    const char *result; /* NULL: it fails */
    bool is_patient;    /* until it is cancelled */
    int niceness;
    size_t n_freed;
    struct hl_jobs *jobs; /* NULL: it does not look after them when it is freed */
};

static inline enum hl_code toil_on(struct hl_work *work, const struct hl_errand *errand,
                                   struct hl_buf *result, struct hl_err *err)
{
    struct toil *toil = (struct toil *)work;
    enum hl_code code = HL_OK;

    toil->niceness = getpriority(PRIO_PROCESS, 0);
    errand->tell(errand->self, "toiling", 0.25);
    sem_post(&toil->begun);
    while (toil->is_patient && code == HL_OK) {
        const struct timespec pause = {.tv_nsec = 1000000};

        nanosleep(&pause, NULL);
        code = hl_deadline_check(errand->deadline, "toiling", err);
    }
    if (code != HL_OK)
        return code;
    sem_wait(&toil->may_end);
    if (!toil->result)
        return hl_fail(err, HL_INVALID, "it cannot be done");
    hl_buf_add_text(result, toil->result);
    return HL_OK;
}

static inline void count_free(struct hl_work *work)
{
    ((struct toil *)work)->n_freed++;
}

static inline struct toil new_toil(const char *result, unsigned may_end)
{
    struct toil toil = {.work = {toil_on, count_free, false}, .result = result};

    sem_init(&toil.begun, 0, 0);
    sem_init(&toil.may_end, 0, may_end);
    return toil;
}

static inline uint64_t add(struct fixture *f, struct toil *toil, bool is_awaited)
{
    const struct hl_job_order order = {"toil", "cats", "{\"a\":1}", is_awaited};
    uint64_t id = 0;

    assert_int_equal(hl_jobs_add(f->jobs, &order, &toil->work, &id, &f->err), HL_OK);
    return id;
}

/* ---- looking ---- */

struct seen {
    size_t n;
    uint64_t ids[8];
    enum hl_job_state state;
    double progress;
    char phase[64], outcome[256], request[64];
};

static inline bool see(void *self, const struct hl_job *job)
{
    struct seen *seen = self;

    if (seen->n < 8)
        seen->ids[seen->n] = job->id;
    seen->n++;
    seen->state = job->state;
    seen->progress = job->progress;
    snprintf(seen->phase, sizeof seen->phase, "%s", job->phase);
    snprintf(seen->outcome, sizeof seen->outcome, "%s", job->outcome);
    snprintf(seen->request, sizeof seen->request, "%s", job->request);
    return true;
}

static inline struct seen look(struct fixture *f, uint64_t id)
{
    struct seen seen = {0};

    assert_int_equal(hl_jobs_each(f->jobs, id, see, &seen, &f->err), HL_OK);
    return seen;
}

static inline struct seen await_state(struct fixture *f, uint64_t id,
                                      enum hl_job_state state)
{
    const int64_t end = now_us(NULL) + PATIENCE_S * (int64_t)1000000;
    const struct timespec pause = {.tv_nsec = 1000000};
    struct seen seen = look(f, id);

    while (seen.state != state && now_us(NULL) < end) {
        nanosleep(&pause, NULL);
        seen = look(f, id);
    }
    assert_int_equal(seen.state, state);
    return seen;
}

#endif
