/* SPDX-License-Identifier: Apache-2.0 */
/* Long work on a real catalog: one at a time, in order, cancelled, lost, remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

static int64_t now_us(void *self)
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

static void open_jobs(struct fixture *f)
{
    const struct hl_collections_options collections = {
        .folder = f->folder, .engine = f->engine, .clock = &ticking};
    struct hl_jobs_options jobs = {.metrics = f->metrics, .clock = &ticking};

    assert_int_equal(hl_collections_open(&collections, &f->collections, &f->err), HL_OK);
    jobs.collections = f->collections;
    assert_int_equal(hl_jobs_open(&jobs, &f->jobs, &f->err), HL_OK);
}

static void close_jobs(struct fixture *f)
{
    hl_jobs_close(f->jobs);
    hl_collections_close(f->collections);
}

static int set_up(void **state)
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

static int tear_down(void **state)
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

static enum hl_code toil_on(struct hl_work *work, const struct hl_errand *errand,
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

static void count_free(struct hl_work *work)
{
    ((struct toil *)work)->n_freed++;
}

/* Lets go of what it has only when nobody remembers any job but the one that runs. */
static void free_slowly(struct hl_work *work)
{
    const int64_t end = now_us(NULL) + PATIENCE_S * (int64_t)1000000;
    const struct timespec pause = {.tv_nsec = 1000000};
    struct hl_jobs *jobs = ((struct toil *)work)->jobs;
    size_t n = 2;

    while (n > 1 && now_us(NULL) < end) {
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&jobs->lock);
        n = jobs->n;
        pthread_mutex_unlock(&jobs->lock);
    }
    count_free(work);
}

static struct toil new_toil(const char *result, unsigned may_end)
{
    struct toil toil = {.work = {toil_on, count_free}, .result = result};

    sem_init(&toil.begun, 0, 0);
    sem_init(&toil.may_end, 0, may_end);
    return toil;
}

static uint64_t add(struct fixture *f, struct toil *toil, bool is_awaited)
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

static bool see(void *self, const struct hl_job *job)
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

static struct seen look(struct fixture *f, uint64_t id)
{
    struct seen seen = {0};

    assert_int_equal(hl_jobs_each(f->jobs, id, see, &seen, &f->err), HL_OK);
    return seen;
}

static struct seen await_state(struct fixture *f, uint64_t id, enum hl_job_state state)
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

/* ---- waiting ---- */

struct waiter {
    struct hl_job_waiter waiter; /* first */
    sem_t told;
    enum hl_job_state state;
    enum hl_code code;
};

static void tell(struct hl_job_waiter *self, const struct hl_job *job,
                 const struct hl_err *err)
{
    struct waiter *waiter = (struct waiter *)self;

    waiter->state = job->state;
    waiter->code = err ? err->code : HL_OK;
    sem_post(&waiter->told);
}

static struct waiter new_waiter(int64_t patience_us)
{
    struct waiter waiter = {
        .waiter = {.deadline = {.clock = &ticking,
                                .at_us = patience_us < 0 ? HL_DEADLINE_NEVER
                                                         : now_us(NULL) + patience_us},
                   .tell = tell}};

    sem_init(&waiter.told, 0, 0);
    return waiter;
}

/* ---- the tests ---- */

static void a_job_is_queued_runs_and_keeps_what_it_found(void **state)
{
    struct fixture *f = *state;
    struct toil toil = new_toil("{\"found\":3}", 0);
    uint64_t id = add(f, &toil, false);
    struct seen seen;

    sem_wait(&toil.begun);
    seen = look(f, id);
    assert_int_equal(seen.state, HL_JOB_RUNNING);
    assert_string_equal(seen.phase, "toiling");
    assert_true(seen.progress > 0.24 && seen.progress < 0.26);
    sem_post(&toil.may_end);
    seen = await_state(f, id, HL_JOB_DONE);
    assert_string_equal(seen.outcome, "{\"found\":3}");
    assert_string_equal(seen.request, "{\"a\":1}");
    assert_true(seen.progress > 0.99);
    assert_int_equal(toil.n_freed, 1);
    assert_int_equal(toil.niceness, 19);
    close_jobs(f);
    open_jobs(f);
    assert_string_equal(look(f, id).outcome, "{\"found\":3}");
}

static void one_runs_at_a_time_in_the_order_they_came(void **state)
{
    struct fixture *f = *state;
    struct toil first = new_toil("{}", 0), second = new_toil("{}", 1);
    uint64_t a = add(f, &first, false), b = add(f, &second, false);
    struct seen seen;

    sem_wait(&first.begun);
    assert_int_equal(look(f, b).state, HL_JOB_QUEUED);
    sem_post(&first.may_end);
    (void)await_state(f, b, HL_JOB_DONE);
    assert_int_equal(look(f, a).state, HL_JOB_DONE);
    seen = look(f, 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.ids[0], b);
    assert_int_equal(seen.ids[1], a);
}

static void a_failure_is_kept_with_its_code(void **state)
{
    struct fixture *f = *state;
    struct toil toil = new_toil(NULL, 1);
    uint64_t id = add(f, &toil, false);

    assert_string_equal(await_state(f, id, HL_JOB_FAILED).outcome,
                        "{\"error\":\"it cannot be done\",\"code\":\"invalid\"}");
}

static void what_waits_is_cancelled_at_once_and_what_runs_soon(void **state)
{
    struct fixture *f = *state;
    struct toil patient = new_toil("{}", 1), never_run = new_toil("{}", 1);
    uint64_t a, b;

    patient.is_patient = true;
    a = add(f, &patient, false);
    b = add(f, &never_run, false);
    sem_wait(&patient.begun);
    assert_int_equal(hl_jobs_cancel(f->jobs, b, &f->err), HL_OK);
    assert_int_equal(look(f, b).state, HL_JOB_CANCELLED);
    assert_int_equal(never_run.n_freed, 1);
    assert_int_equal(hl_jobs_cancel(f->jobs, a, &f->err), HL_OK);
    assert_string_equal(await_state(f, a, HL_JOB_CANCELLED).outcome,
                        "{\"error\":\"toiling was cancelled\",\"code\":\"cancelled\"}");
    assert_int_equal(hl_jobs_cancel(f->jobs, a, &f->err), HL_OK);
    assert_int_equal(look(f, a).state, HL_JOB_CANCELLED);
    assert_int_equal(hl_jobs_cancel(f->jobs, 99, &f->err), HL_NOT_FOUND);
    assert_string_equal(f->err.msg, "Not found: Job 99");
}

static void
a_job_that_is_cancelled_may_be_forgotten_before_its_work_has_let_go(void **state)
{
    struct fixture *f = *state;
    struct toil first = new_toil("{}", 0), slow = new_toil("{}", 1);
    uint64_t a = add(f, &first, false), id;

    slow.work.free = free_slowly;
    slow.jobs = f->jobs;
    sem_wait(&first.begun);
    id = add(f, &slow, false);
    assert_int_equal(hl_jobs_cancel(f->jobs, id, &f->err), HL_OK);
    assert_int_equal(slow.n_freed, 1);
    assert_int_equal(look(f, id).state, HL_JOB_CANCELLED);
    sem_post(&first.may_end);
    (void)await_state(f, a, HL_JOB_DONE);
}

static void the_end_of_the_server_fails_what_runs_and_waits(void **state)
{
    struct fixture *f = *state;
    struct toil patient = new_toil("{}", 1), never_run = new_toil("{}", 1);
    struct waiter waiter = new_waiter(-1);
    uint64_t a, b;

    patient.is_patient = true;
    a = add(f, &patient, true);
    b = add(f, &never_run, false);
    sem_wait(&patient.begun);
    hl_jobs_await(f->jobs, a, &waiter.waiter);
    hl_jobs_stop(f->jobs);
    assert_int_equal(sem_trywait(&waiter.told), 0);
    assert_int_equal(waiter.code, HL_UNAVAILABLE);
    assert_int_equal(never_run.n_freed, 1);
    for (int i = 0; i < 2; i++)
        assert_string_equal(look(f, i ? a : b).outcome,
                            "{\"error\":\"the server ended before it did: send it "
                            "again\",\"code\":\"unavailable\"}");
    {
        const struct hl_job_order order = {"toil", "cats", "", false};
        struct toil late = new_toil("{}", 1);
        uint64_t id;

        assert_int_equal(hl_jobs_add(f->jobs, &order, &late.work, &id, &f->err),
                         HL_UNAVAILABLE);
        assert_int_equal(late.n_freed, 1);
    }
}

static enum hl_code add_lost(void *self, struct hl_catalog *catalog, struct hl_err *err)
{
    const struct hl_job job = {.state = HL_JOB_RUNNING,
                               .kind = "toil",
                               .collection = "cats",
                               .request = "",
                               .phase = "",
                               .outcome = ""};

    return hl_catalog_add_job(catalog, &job, self, err);
}

static void what_a_crash_cut_off_has_failed_at_the_next_start(void **state)
{
    struct fixture *f = *state;
    uint64_t id = 0;

    assert_int_equal(hl_collections_use_catalog(f->collections, add_lost, &id, &f->err),
                     HL_OK);
    assert_int_equal(look(f, id).state, HL_JOB_RUNNING);
    close_jobs(f);
    open_jobs(f);
    assert_int_equal(look(f, id).state, HL_JOB_FAILED);
    assert_non_null(strstr(look(f, id).outcome, "send it again"));
}

static void who_waits_is_told_when_it_is_over_or_his_time_is(void **state)
{
    static const struct {
        const char *result;
        int64_t patience_us;
        enum hl_job_state state;
        enum hl_code code;
    } cases[] = {
        {"{}", -1, HL_JOB_DONE, HL_OK},
        {NULL, -1, HL_JOB_FAILED, HL_INVALID},
        {"{}", 20000, HL_JOB_RUNNING, HL_OK},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bool is_short = cases[i].patience_us > 0;
        struct toil toil = new_toil(cases[i].result, is_short ? 0 : 1);
        struct waiter waiter = new_waiter(cases[i].patience_us);
        uint64_t id = add(f, &toil, true);

        sem_wait(&toil.begun);
        hl_jobs_await(f->jobs, id, &waiter.waiter);
        sem_wait(&waiter.told);
        assert_int_equal(waiter.state, cases[i].state);
        assert_int_equal(waiter.code, cases[i].code);
        sem_post(&toil.may_end);
        (void)await_state(f, id, is_short ? HL_JOB_DONE : cases[i].state);
    }
}

static void who_waits_for_what_is_over_is_told_at_once(void **state)
{
    struct fixture *f = *state;
    struct toil toil = new_toil("{}", 1);
    struct waiter waiter = new_waiter(-1);
    uint64_t id = add(f, &toil, true);

    (void)await_state(f, id, HL_JOB_DONE);
    hl_jobs_await(f->jobs, id, &waiter.waiter);
    assert_int_equal(sem_trywait(&waiter.told), 0);
    assert_int_equal(waiter.state, HL_JOB_DONE);
}

/* Until the attendant has saved what the runner told: what the catalog has by then. From
 * then on both rest, as long as the job does. */
static struct seen await_saved(struct fixture *f, uint64_t id)
{
    const int64_t end = now_us(NULL) + PATIENCE_S * (int64_t)1000000;
    struct seen seen = {0};

    while (seen.progress < 0.24 && now_us(NULL) < end) {
        struct hl_catalog *catalog;

        assert_int_equal(hl_catalog_open(f->folder, &catalog, &f->err), HL_OK);
        seen.n = 0;
        assert_int_equal(hl_catalog_jobs(catalog, id, see, &seen, &f->err), HL_OK);
        hl_catalog_close(catalog);
    }
    (void)look(f, id); /* it takes turns with who saves: the saving is over */
    return seen;
}

static void progress_reaches_the_catalog_without_the_runner(void **state)
{
    struct fixture *f = *state;
    struct toil toil = new_toil("{}", 0);
    uint64_t id = add(f, &toil, false);
    struct seen seen;

    sem_wait(&toil.begun);
    seen = await_saved(f, id);
    assert_true(seen.progress > 0.24);
    assert_string_equal(seen.phase, "toiling");
    sem_post(&toil.may_end);
    (void)await_state(f, id, HL_JOB_DONE);
}

static void without_memory_a_job_is_refused_and_its_work_freed(void **state)
{
    const struct hl_job_order order = {"toil", "cats", "", false};
    struct fixture *f = *state;
    struct toil busy = new_toil("{}", 0), toil = new_toil("{}", 1);
    uint64_t id = add(f, &busy, false);
    enum hl_code code = HL_NO_MEMORY;

    sem_wait(&busy.begun);
    (void)await_saved(f, id);
    for (int n = 1; code != HL_OK; n++) {
        char spec[32];

        assert_true(n < 1000);
        snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(spec, &f->err), HL_OK);
        code = hl_jobs_add(f->jobs, &order, &toil.work, &id, &f->err);
        hl_failpoint_disarm();
        assert_int_equal(toil.n_freed, code == HL_OK ? n - 1 : n);
    }
    sem_post(&busy.may_end);
    (void)await_state(f, id, HL_JOB_DONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_is_queued_runs_and_keeps_what_it_found),
        TEST(one_runs_at_a_time_in_the_order_they_came),
        TEST(a_failure_is_kept_with_its_code),
        TEST(what_waits_is_cancelled_at_once_and_what_runs_soon),
        TEST(a_job_that_is_cancelled_may_be_forgotten_before_its_work_has_let_go),
        TEST(the_end_of_the_server_fails_what_runs_and_waits),
        TEST(what_a_crash_cut_off_has_failed_at_the_next_start),
        TEST(who_waits_is_told_when_it_is_over_or_his_time_is),
        TEST(who_waits_for_what_is_over_is_told_at_once),
        TEST(progress_reaches_the_catalog_without_the_runner),
        TEST(without_memory_a_job_is_refused_and_its_work_freed),
    };

    return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
