/* SPDX-License-Identifier: Apache-2.0 */
/* Long work on a real catalog: one at a time, in order, cancelled, lost, remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/toiling.h"

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
    assert_string_equal(look(f, b).phase, "waiting");
    sem_post(&first.may_end);
    (void)await_state(f, b, HL_JOB_DONE);
    assert_int_equal(look(f, a).state, HL_JOB_DONE);
    seen = look(f, 0);
    assert_int_equal(seen.n, 2);
    assert_int_equal(seen.ids[0], b);
    assert_int_equal(seen.ids[1], a);
}

static void what_is_prompt_waits_for_its_like_alone(void **state)
{
    struct fixture *f = *state;
    struct toil slow = new_toil("{}", 0), first = new_toil("{}", 0),
                second = new_toil("{}", 1);
    uint64_t id, b;

    first.work.is_prompt = second.work.is_prompt = true;
    id = add(f, &slow, false);
    sem_wait(&slow.begun);
    (void)add(f, &first, false);
    b = add(f, &second, false);
    sem_wait(&first.begun);
    assert_int_equal(first.niceness, 0);
    assert_int_equal(look(f, b).state, HL_JOB_QUEUED);
    sem_post(&first.may_end);
    (void)await_state(f, b, HL_JOB_DONE);
    assert_int_equal(look(f, id).state, HL_JOB_RUNNING);
    sem_post(&slow.may_end);
    (void)await_state(f, id, HL_JOB_DONE);
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
        TEST(what_is_prompt_waits_for_its_like_alone),
        TEST(a_failure_is_kept_with_its_code),
        TEST(what_waits_is_cancelled_at_once_and_what_runs_soon),
        TEST(the_end_of_the_server_fails_what_runs_and_waits),
        TEST(what_a_crash_cut_off_has_failed_at_the_next_start),
        TEST(who_waits_is_told_when_it_is_over_or_his_time_is),
        TEST(who_waits_for_what_is_over_is_told_at_once),
        TEST(progress_reaches_the_catalog_without_the_runner),
        TEST(without_memory_a_job_is_refused_and_its_work_freed),
    };

    return cmocka_run_group_tests_name("jobs", tests, NULL, NULL);
}
