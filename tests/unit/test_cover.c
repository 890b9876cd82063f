/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/cover.h"
#include "proto/fail.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Items on a circle, by degrees. */
enum { MOST = 64, DIM = 2 };

static int64_t no_time(void *self)
{
    (void)self;
    return 0;
}

static const struct hl_clock still = {.now_us = no_time};
static const struct hl_deadline never = {.clock = &still, .at_us = HL_DEADLINE_NEVER};

static void place(float *rows, const double *degrees, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rows[DIM * i] = (float)cos(degrees[i] * M_PI / 180);
        rows[DIM * i + 1] = (float)sin(degrees[i] * M_PI / 180);
    }
}

struct given {
    const double *items, *taken;
    size_t n, n_taken, n_centres;
    const struct hl_deadline *deadline; /* NULL: none */
};

/* The items in their order, in degrees. */
static const char *order(const struct given *given)
{
    static char text[512];
    float rows[MOST * DIM], taken[MOST * DIM];
    uint32_t indices[MOST];
    struct hl_cover cover = {.rows = rows,
                             .n = given->n,
                             .dim = DIM,
                             .taken = given->taken ? taken : NULL,
                             .n_taken = given->n_taken,
                             .n_centres = given->n_centres,
                             .deadline = given->deadline ? given->deadline : &never};
    struct hl_err err;
    size_t len = 0;

    place(rows, given->items, given->n);
    if (given->taken)
        place(taken, given->taken, given->n_taken);
    text[0] = '\0';
    if (hl_cover_order(&cover, indices, &err) != HL_OK) {
        snprintf(text, sizeof text, "%s", err.msg);
        return text;
    }
    for (size_t i = 0; i < given->n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%g", i ? " " : "",
                                given->items[indices[i]]);
    return text;
}

static void the_next_is_the_farthest_from_all_before_it(void **state)
{
    static const double items[] = {0, 10, 100, 180, 250};

    (void)state;
    assert_string_equal(order(&(struct given){.items = items, .n = 5, .n_centres = 5}),
                        "0 180 100 250 10");
}

static void what_was_taken_before_is_not_gone_to_again(void **state)
{
    static const double items[] = {5, 10, 100, 180, 252}, taken[] = {170, 240};

    (void)state;
    assert_string_equal(
        order(&(struct given){
            .items = items, .n = 5, .taken = taken, .n_taken = 2, .n_centres = 5}),
        "10 100 252 180 5");
}

static void each_centre_gives_one_in_turn_the_farthest_first(void **state)
{
    static const double items[] = {0, 1, 2, 3, 180, 185, 190};

    (void)state;
    assert_string_equal(order(&(struct given){.items = items, .n = 7, .n_centres = 2}),
                        "0 180 3 190 2 185 1");
}

static void equal_items_are_all_there(void **state)
{
    static const double items[] = {5, 5, 5, 5};

    (void)state;
    assert_string_equal(order(&(struct given){.items = items, .n = 4, .n_centres = 9}),
                        "5 5 5 5");
    assert_string_equal(order(&(struct given){.items = items, .n = 0, .n_centres = 1}), "");
}

static void many_taken_ones_are_all_looked_at(void **state)
{
    static const double items[] = {100, 140, 200};
    double taken[MOST];

    (void)state;
    for (int i = 0; i < MOST; i++)
        taken[i] = i;
    taken[MOST - 1] = 201;
    assert_string_equal(
        order(&(struct given){
            .items = items, .n = 3, .taken = taken, .n_taken = MOST, .n_centres = 1}),
        "140 100 200");
}

static void it_stops_when_nobody_waits(void **state)
{
    static const double items[] = {0, 90};
    const atomic_bool cancelled = true;
    const struct hl_deadline deadline = {&still, HL_DEADLINE_NEVER, &cancelled};

    (void)state;
    assert_string_equal(order(&(struct given){
                            .items = items, .n = 2, .n_centres = 2, .deadline = &deadline}),
                        "spreading over the gallery was cancelled");
}

static void without_memory_it_says_so(void **state)
{
    static const double items[] = {0, 90};
    const struct given given = {.items = items, .n = 2, .n_centres = 2};
    const char *text = "";
    struct hl_err err;
    int n_refused = -1;

    (void)state;
    for (int n = 1; strcmp(text, "0 90") != 0; n++, n_refused++) {
        char rule[32];

        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &err), HL_OK);
        text = order(&given);
        hl_failpoint_disarm();
        assert_true(strcmp(text, "0 90") == 0 ||
                    strcmp(text, "no memory to spread over 2 items") == 0);
    }
    assert_int_equal(n_refused, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_is_the_farthest_from_all_before_it),
        cmocka_unit_test(what_was_taken_before_is_not_gone_to_again),
        cmocka_unit_test(each_centre_gives_one_in_turn_the_farthest_first),
        cmocka_unit_test(equal_items_are_all_there),
        cmocka_unit_test(many_taken_ones_are_all_looked_at),
        cmocka_unit_test(it_stops_when_nobody_waits),
        cmocka_unit_test(without_memory_it_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
