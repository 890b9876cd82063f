/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/priority.h"

#include <pthread.h>
#include <sys/resource.h>

enum { MOST = 3 };

/* What a thread did to itself, one after the other, and what it was after each. */
struct path {
    enum hl_priority steps[MOST];
    int niceness[MOST];
    size_t n;
};

static void *walk(void *arg)
{
    struct path *path = arg;

    for (size_t i = 0; i < path->n; i++) {
        hl_priority_set(path->steps[i]);
        path->niceness[i] = getpriority(PRIO_PROCESS, 0);
    }
    return NULL;
}

static struct path walked(size_t n, const enum hl_priority *steps)
{
    struct path path = {.n = n};
    pthread_t thread;

    for (size_t i = 0; i < n; i++)
        path.steps[i] = steps[i];
    assert_int_equal(pthread_create(&thread, NULL, walk, &path), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return path;
}

static void a_thread_goes_down_and_not_up(void **state)
{
    static const enum hl_priority steps[] = {HL_PRIORITY_BEHIND, HL_PRIORITY_LAST,
                                             HL_PRIORITY_BEHIND};
    const int before = getpriority(PRIO_PROCESS, 0);
    const struct path path = walked(3, steps);

    (void)state;
    assert_int_equal(path.niceness[0], before > 10 ? before : 10);
    assert_int_equal(path.niceness[1], 19);
    assert_int_equal(path.niceness[2], 19);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), before); /* the others' is theirs */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_goes_down_and_not_up),
    };

    return cmocka_run_group_tests_name("priority", tests, NULL, NULL);
}
