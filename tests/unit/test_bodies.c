/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bodies.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MOST = 100, N_THREADS = 4, N_TURNS = 20000 };

static void bodies_have_room_up_to_the_bound_and_no_more(void **state)
{
    struct hl_bodies bodies;
    size_t held = 0;

    (void)state;
    hl_bodies_init(&bodies, MOST);
    assert_true(hl_bodies_take(&bodies, 0, 60, &held));
    assert_true(hl_bodies_take(&bodies, 0, 40, &held));
    assert_false(hl_bodies_take(&bodies, 0, 1, &held));
    assert_int_equal(held, 100);
    hl_bodies_give(&bodies, 40);
    assert_true(hl_bodies_take(&bodies, 0, 39, &held));
    assert_false(hl_bodies_take(&bodies, 0, SIZE_MAX, &held));
    assert_int_equal(held, 99);
    assert_int_equal(hl_bodies_held(&bodies), 99);
}

static void who_is_alone_has_room_however_much_it_wants(void **state)
{
    struct hl_bodies bodies;
    size_t held = 0;

    (void)state;
    hl_bodies_init(&bodies, MOST);
    assert_true(hl_bodies_take(&bodies, 0, 101, &held));
    assert_true(hl_bodies_take(&bodies, 101, 900, &held));
    assert_false(hl_bodies_take(&bodies, 0, 1, &held));
    assert_int_equal(held, 1001);
    hl_bodies_give(&bodies, 1001);
    assert_true(hl_bodies_take(&bodies, 0, 1, &held));
    assert_true(hl_bodies_take(&bodies, 0, 1, &held));
    assert_false(hl_bodies_take(&bodies, 1, 99, &held));
    assert_int_equal(hl_bodies_held(&bodies), 2);
}

struct crowd {
    struct hl_bodies bodies;
    atomic_size_t n_over;
};

/* One of these wants more than half, so that two of them never fit. */
static void *come_and_go(void *arg)
{
    struct crowd *crowd = arg;
    size_t held;

    for (int i = 0; i < N_TURNS; i++) {
        if (!hl_bodies_take(&crowd->bodies, 0, 51, &held))
            continue;
        if (hl_bodies_held(&crowd->bodies) > MOST)
            atomic_fetch_add(&crowd->n_over, 1);
        hl_bodies_give(&crowd->bodies, 51);
    }
    return NULL;
}

static void many_at_once_never_have_more_and_leave_nothing_behind(void **state)
{
    struct crowd crowd = {0};
    pthread_t threads[N_THREADS];

    (void)state;
    hl_bodies_init(&crowd.bodies, MOST);
    for (size_t i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
    for (size_t i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.n_over), 0);
    assert_int_equal(hl_bodies_held(&crowd.bodies), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_have_room_up_to_the_bound_and_no_more),
        cmocka_unit_test(who_is_alone_has_room_however_much_it_wants),
        cmocka_unit_test(many_at_once_never_have_more_and_leave_nothing_behind),
    };

    return cmocka_run_group_tests_name("bodies", tests, NULL, NULL);
}
