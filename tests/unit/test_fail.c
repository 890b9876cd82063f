/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/fail.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int disarm(void **state)
{
    (void)state;
    hl_failpoint_disarm();
    return 0;
}

static void arm(const char *rules)
{
    struct hl_err err;

    assert_int_equal(hl_failpoint_arm(rules, &err), HL_OK);
}

static bool allocation_works(void)
{
    void *memory = hl_alloc(8);

    hl_free(memory);
    return memory != NULL;
}

static void only_the_named_passage_fails(void **state)
{
    (void)state;
    arm("alloc=2:fail");
    assert_true(allocation_works());
    assert_false(allocation_works());
    assert_true(allocation_works());
    assert_int_equal(hl_failpoint_count(HL_FAIL_ALLOC), 3);
}

static void a_plus_fails_all_that_come_after(void **state)
{
    (void)state;
    arm("alloc=2+:fail");
    assert_true(allocation_works());
    assert_false(allocation_works());
    assert_false(allocation_works());
}

static void other_places_are_left_alone(void **state)
{
    (void)state;
    arm("file.open=1:fail,file.sync=1:fail");
    assert_true(allocation_works());
    assert_true(hl_failpoint_hit(HL_FAIL_FILE_SYNC));
    assert_true(hl_failpoint_hit(HL_FAIL_FILE_OPEN));
}

static void a_kill_ends_the_process_as_kill_9_would(void **state)
{
    pid_t child;
    int status;

    (void)state;
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        arm("alloc=1:kill");
        (void)allocation_works();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void a_rule_that_cannot_be_read_arms_nothing(void **state)
{
    static const char *const bad[] = {
        "alloc",         "alloc=:fail",         "alloc=0:fail",  "alloc=1",
        "alloc=1:wish",  "alloc=1:fail;",       "allocs=1:fail", "alloc=1:stall",
        "alloc=1:failx", "alloc=-1:fail",       "=1:fail",       "alloc=1:fail,file=1:fail",
        "alloc=1: fail", "alloc=1:stall900000",
    };
    struct hl_err err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(hl_failpoint_arm(bad[i], &err), HL_WRONG_INPUT);
        assert_true(allocation_works());
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(only_the_named_passage_fails, disarm),
        cmocka_unit_test_teardown(a_plus_fails_all_that_come_after, disarm),
        cmocka_unit_test_teardown(other_places_are_left_alone, disarm),
        cmocka_unit_test_teardown(a_kill_ends_the_process_as_kill_9_would, disarm),
        cmocka_unit_test_teardown(a_rule_that_cannot_be_read_arms_nothing, disarm),
    };

    return cmocka_run_group_tests_name("fail", tests, NULL, NULL);
}
