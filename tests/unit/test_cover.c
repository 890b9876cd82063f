/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/cover.h"
#include "proto/fail.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Items on a circle, by degrees. */
enum { MOST = 600, DIM = 2 };

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

static double cosine(double degrees)
{
    return cos(degrees * M_PI / 180);
}

struct given {
    const double *items, *taken;
    size_t n, n_taken, n_wanted;        /* n_wanted 0: all */
    const struct hl_deadline *deadline; /* NULL: none */
};

/* The items in their order, in degrees. */
static const char *order(const struct given *given)
{
    static char text[512];
    static float rows[MOST * DIM], taken[MOST * DIM];
    uint32_t indices[MOST];
    struct hl_cover cover = {.rows = rows,
                             .n = given->n,
                             .dim = DIM,
                             .taken = given->taken ? taken : NULL,
                             .n_taken = given->n_taken,
                             .n_wanted = given->n_wanted ? given->n_wanted : given->n,
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
    for (size_t i = 0; i < cover.n_wanted; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%g", i ? " " : "",
                                given->items[indices[i]]);
    return text;
}

static void the_middle_comes_first_then_the_middle_of_what_is_left_alone(void **state)
{
    static const double items[] = {0, 10, 21, 180, 190, 201};

    (void)state;
    assert_string_equal(order(&(struct given){.items = items, .n = 6, .n_wanted = 2}),
                        "10 190");
}

static void what_is_like_nothing_else_comes_behind_a_crowd(void **state)
{
    static const double items[] = {270, 150, 160, 171}, taken[] = {0};

    (void)state;
    assert_string_equal(
        order(&(struct given){
            .items = items, .n = 4, .taken = taken, .n_taken = 1, .n_wanted = 2}),
        "160 270");
}

static void what_was_taken_before_is_not_gone_to_again(void **state)
{
    static const double items[] = {0, 10, 21, 180, 190, 201}, taken[] = {12};

    (void)state;
    assert_string_equal(
        order(&(struct given){
            .items = items, .n = 6, .taken = taken, .n_taken = 1, .n_wanted = 1}),
        "190");
}

static void all_of_them_are_there_once(void **state)
{
    static const double items[] = {0, 1, 2, 3, 180, 185, 190}, same[] = {5, 5, 5, 5};
    bool has[7] = {false};
    const char *text = order(&(struct given){.items = items, .n = 7});

    (void)state;
    for (int i = 0; i < 7; i++) {
        char *end;
        const double item = strtod(text, &end);

        assert_true(end > text);
        text = end;
        for (size_t j = 0; j < 7; j++)
            if (fabs(items[j] - item) < .1) {
                assert_false(has[j]);
                has[j] = true;
            }
    }
    for (size_t i = 0; i < 7; i++)
        assert_true(has[i]);
    assert_string_equal(order(&(struct given){.items = same, .n = 4}), "5 5 5 5");
    assert_string_equal(order(&(struct given){.items = same, .n = 0}), "");
}

/* One at a time, each time all are worked out anew. */
static void no_other_choice_would_have_brought_more(void **state)
{
    double items[40], nearest[40];
    const char *text;
    char *end;

    (void)state;
    for (int i = 0; i < 40; i++) {
        items[i] = i * i * 7 % 360;
        nearest[i] = -1;
    }
    text = order(&(struct given){.items = items, .n = 40, .n_wanted = 12});
    for (int turn = 0; turn < 12; turn++) {
        const double chosen = strtod(text, &end);
        double brought = 0, most = 0;

        text = end;
        for (int j = 0; j < 40; j++) {
            double gain = 0;

            for (int i = 0; i < 40; i++)
                gain += fmax(cosine(items[i] - items[j]) - nearest[i], 0);
            most = fmax(most, gain);
            if (fabs(items[j] - chosen) < .1)
                brought = fmax(brought, gain);
        }
        if (!(brought > most - 1e-4))
            fail_msg("%g brought %g, another one %g", chosen, brought, most);
        for (int i = 0; i < 40; i++)
            nearest[i] = fmax(nearest[i], cosine(items[i] - chosen));
    }
}

static void many_are_compared_block_by_block(void **state)
{
    double items[MOST], taken[MOST];

    (void)state;
    /* All but the last two are where something was taken. */
    for (int i = 0; i < MOST; i++) {
        taken[i] = i % 90;
        items[i] = i % 90;
    }
    items[MOST - 1] = 200;
    items[MOST - 2] = 205;
    assert_string_equal(
        order(&(struct given){
            .items = items, .n = MOST, .taken = taken, .n_taken = MOST, .n_wanted = 2}),
        "205 200");
}

static void it_stops_when_nobody_waits(void **state)
{
    static const double items[] = {0, 90};
    const atomic_bool cancelled = true;
    const struct hl_deadline deadline = {&still, HL_DEADLINE_NEVER, &cancelled};

    (void)state;
    assert_string_equal(
        order(&(struct given){.items = items, .n = 2, .deadline = &deadline}),
        "covering the gallery was cancelled");
}

static void without_memory_it_says_so(void **state)
{
    static const double items[] = {0, 90};
    const struct given given = {.items = items, .n = 2};
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
                    strcmp(text, "no memory to cover 2 items") == 0);
    }
    assert_int_equal(n_refused, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_middle_comes_first_then_the_middle_of_what_is_left_alone),
        cmocka_unit_test(what_is_like_nothing_else_comes_behind_a_crowd),
        cmocka_unit_test(what_was_taken_before_is_not_gone_to_again),
        cmocka_unit_test(all_of_them_are_there_once),
        cmocka_unit_test(no_other_choice_would_have_brought_more),
        cmocka_unit_test(many_are_compared_block_by_block),
        cmocka_unit_test(it_stops_when_nobody_waits),
        cmocka_unit_test(without_memory_it_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
