/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/searchers.h"
#include "proto/fail.h"

#include <sched.h>
#include <stdlib.h>

struct fixture {
    struct hl_searchers searchers;
    cpu_set_t mine; /* as it was found */
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f || sched_getaffinity(0, sizeof f->mine, &f->mine) != 0)
        return -1;
    hl_searchers_init(&f->searchers);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_searchers_done(&f->searchers);
    (void)sched_setaffinity(0, sizeof f->mine, &f->mine);
    free(f);
    return 0;
}

/* Moves to the nth of the processors that this process may use. False: it has fewer. */
static bool move_to(const struct fixture *f, int nth)
{
    cpu_set_t one;

    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &f->mine) || nth-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
        return true;
    }
    return false;
}

static void what_was_given_back_last_is_taken_first(void **state)
{
    struct fixture *f = *state;
    struct hl_searcher *one, *other;

    assert_true(move_to(f, 0));
    one = hl_searchers_take(&f->searchers);
    other = hl_searchers_take(&f->searchers);
    assert_non_null(one);
    assert_non_null(other);
    assert_ptr_not_equal(one, other);
    hl_searchers_give(&f->searchers, other);
    hl_searchers_give(&f->searchers, one);
    assert_ptr_equal(hl_searchers_take(&f->searchers), one);
    hl_searchers_give(&f->searchers, one);
}

static void a_searcher_stays_with_its_processor(void **state)
{
    struct fixture *f = *state;
    struct hl_searcher *here, *there;
    int lane;

    assert_true(move_to(f, 0));
    lane = sched_getcpu() % HL_SEARCHER_LANES;
    here = hl_searchers_take(&f->searchers);
    hl_searchers_give(&f->searchers, here);
    if (!move_to(f, 1) || sched_getcpu() % HL_SEARCHER_LANES == lane)
        skip();
    there = hl_searchers_take(&f->searchers);
    assert_ptr_not_equal(there, here);
    hl_searchers_give(&f->searchers, there);
    assert_true(move_to(f, 0));
    assert_ptr_equal(hl_searchers_take(&f->searchers), here);
    hl_searchers_give(&f->searchers, here);
}

static void no_more_are_kept_than_a_lane_has_room_for(void **state)
{
    struct fixture *f = *state;
    enum { N = HL_SEARCHERS_PER_LANE + 2 };
    struct hl_searcher *many[N];
    struct hl_err err;

    assert_true(move_to(f, 0));
    for (size_t i = 0; i < N; i++)
        assert_non_null(many[i] = hl_searchers_take(&f->searchers));
    for (size_t i = 0; i < N; i++)
        hl_searchers_give(&f->searchers, many[i]);
    assert_int_equal(hl_failpoint_arm("alloc=1+:fail", &err), HL_OK);
    for (size_t i = 0; i < N; i++)
        many[i] = hl_searchers_take(&f->searchers);
    hl_failpoint_disarm();
    for (size_t i = 0; i < N; i++) {
        assert_true((many[i] != NULL) == (i < HL_SEARCHERS_PER_LANE));
        if (many[i])
            hl_searchers_give(&f->searchers, many[i]);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_given_back_last_is_taken_first),
        TEST(a_searcher_stays_with_its_processor),
        TEST(no_more_are_kept_than_a_lane_has_room_for),
    };

    return cmocka_run_group_tests_name("searchers", tests, NULL, NULL);
}
