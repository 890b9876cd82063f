/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of jobs while their attendant saves and forgets them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/toiling.h"

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

/* ---- a step ---- */

static enum hl_code do_step(struct fixture *f, struct toil *toil,
                            const atomic_bool *cancelled)
{
    const struct hl_job_order order = {"toil", "cats", "{}", false};
    const struct hl_deadline deadline = {&ticking, HL_DEADLINE_NEVER, cancelled};

    toil->work.is_prompt = true;
    return hl_jobs_do(f->jobs, &order, &toil->work, &deadline, &f->err);
}

static void a_step_is_over_when_its_job_is(void **state)
{
    struct fixture *f = *state;
    struct toil toil = new_toil("{}", 1);

    assert_int_equal(do_step(f, &toil, NULL), HL_OK);
    assert_int_equal(look(f, 0).state, HL_JOB_DONE);
    assert_int_equal(toil.n_freed, 1);
}

static void a_step_fails_with_what_its_job_says(void **state)
{
    struct fixture *f = *state;
    struct toil toil = new_toil(NULL, 1);

    assert_int_equal(do_step(f, &toil, NULL), HL_INVALID);
    assert_string_equal(f->err.msg, "it cannot be done");
}

static void a_step_of_a_cancelled_job_is_cancelled_too(void **state)
{
    static const atomic_bool cancelled = true;
    struct fixture *f = *state;
    struct toil toil = new_toil("{}", 0);

    toil.is_patient = true;
    assert_int_equal(do_step(f, &toil, &cancelled), HL_CANCELLED);
    (void)await_state(f, look(f, 0).ids[0], HL_JOB_CANCELLED);
    assert_int_equal(toil.n_freed, 1);
}

static void a_step_that_finds_no_memory_frees_its_work(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    char spec[32];

    for (int n = 1; code != HL_OK; n++) {
        struct toil toil = new_toil("{}", 1);

        (void)snprintf(spec, sizeof spec, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(spec, &f->err), HL_OK);
        code = do_step(f, &toil, NULL);
        hl_failpoint_disarm();
        assert_int_equal(toil.n_freed, 1);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_that_is_cancelled_may_be_forgotten_before_its_work_has_let_go),
        TEST(a_step_is_over_when_its_job_is),
        TEST(a_step_fails_with_what_its_job_says),
        TEST(a_step_of_a_cancelled_job_is_cancelled_too),
        TEST(a_step_that_finds_no_memory_frees_its_work),
    };

    return cmocka_run_group_tests_name("jobs_ask", tests, NULL, NULL);
}
