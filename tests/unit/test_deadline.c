/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/deadline.h"

#include <stdbool.h>

static int64_t told_time(void *self)
{
    return *(int64_t *)self;
}

static void time_runs_out_at_the_deadline_and_not_before(void **state)
{
    int64_t now = 1000;
    struct hl_clock clock = {.now_us = told_time, .self = &now};
    struct hl_deadline deadline = {.clock = &clock, .at_us = 1500};
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_deadline_left_us(&deadline), 500);
    now = 1499;
    assert_int_equal(hl_deadline_check(&deadline, "the search", &err), HL_OK);
    now = 1500;
    assert_int_equal(hl_deadline_left_us(&deadline), 0);
    assert_int_equal(hl_deadline_check(&deadline, "the search", &err), HL_TIMEOUT);
    assert_string_equal(err.msg, "the search took longer than it was given");
    now = INT64_MAX;
    assert_int_equal(hl_deadline_left_us(&deadline), 0);
}

static void without_a_deadline_the_clock_is_not_asked(void **state)
{
    struct hl_deadline deadline = {.at_us = HL_DEADLINE_NEVER};
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_deadline_check(&deadline, "the search", &err), HL_OK);
    assert_true(hl_deadline_left_us(&deadline) == HL_DEADLINE_NEVER);
}

static void a_cancelled_work_stops_at_its_next_look(void **state)
{
    atomic_bool cancelled = false;
    struct hl_deadline deadline = {.at_us = HL_DEADLINE_NEVER, .cancelled = &cancelled};
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_deadline_check(&deadline, "the search", &err), HL_OK);
    atomic_store(&cancelled, true);
    assert_int_equal(hl_deadline_check(&deadline, "the search", &err), HL_CANCELLED);
    assert_string_equal(err.msg, "the search was cancelled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_runs_out_at_the_deadline_and_not_before),
        cmocka_unit_test(without_a_deadline_the_clock_is_not_asked),
        cmocka_unit_test(a_cancelled_work_stops_at_its_next_look),
    };

    return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
