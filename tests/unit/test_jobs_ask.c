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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_that_is_cancelled_may_be_forgotten_before_its_work_has_let_go),
    };

    return cmocka_run_group_tests_name("jobs_ask", tests, NULL, NULL);
}
