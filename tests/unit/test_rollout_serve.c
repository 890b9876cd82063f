/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a rollout serves with the new model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_KEYS = 20000 };

static bool is_new(uint64_t number, double percent, const char *key)
{
    const struct hl_rollout rollout = {
        .number = number, .stage = HL_STAGE_CANARY, .percent = percent};
    const struct hl_text text = {key, strlen(key)};

    return hl_rollout_serves_new(&rollout, &text);
}

static bool is_nth_new(uint64_t number, double percent, int n)
{
    char key[24];

    snprintf(key, sizeof key, "user %d", n);
    return is_new(number, percent, key);
}

static void a_key_stands_where_its_sum_says(void **state)
{
    /* The first 8 bytes of SHA-256 of "NUMBER:KEY", as a share of all there could be. */
    static const struct {
        uint64_t number;
        const char *key;
        double percent;
    } places[] = {{1, "ann", 98.625998},
                  {1, "bob", 17.543524},
                  {2, "ann", 64.380428},
                  {7, "", 44.133783},
                  {1, "user 42", 73.895181}};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const double below = floor(places[i].percent * 100) / 100;

        assert_false(is_new(places[i].number, below, places[i].key));
        assert_true(is_new(places[i].number, below + 0.01, places[i].key));
    }
}

static void shares_are_what_they_are_called(void **state)
{
    static const double shares[] = {0.01, 1, 5, 33.33, 50, 99.99};

    (void)state;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        const double p = shares[i] / 100, sigma = sqrt(p * (1 - p) / N_KEYS);
        int n = 0;

        for (int key = 0; key < N_KEYS; key++)
            n += is_nth_new(3, shares[i], key);
        assert_true(fabs((double)n / N_KEYS - p) < 4 * sigma);
    }
    for (int key = 0; key < N_KEYS; key++)
        assert_true(is_nth_new(3, 100, key));
}

static void another_share_moves_the_keys_it_must(void **state)
{
    static const double shares[] = {0.01, 0.02, 1, 5, 5.01, 20, 50, 99.99, 100};

    (void)state;
    for (int key = 0; key < N_KEYS; key++)
        for (size_t i = 1; i < sizeof shares / sizeof *shares; i++)
            assert_true(!is_nth_new(3, shares[i - 1], key) ||
                        is_nth_new(3, shares[i], key));
}

static void another_rollout_draws_anew(void **state)
{
    int n_both = 0;

    (void)state;
    for (int key = 0; key < N_KEYS; key++)
        n_both += is_nth_new(3, 50, key) && is_nth_new(4, 50, key);
    assert_in_range(n_both, N_KEYS / 4 - 250, N_KEYS / 4 + 250);
}

static void who_says_no_key_is_moved_last(void **state)
{
    struct hl_rollout rollout = {.number = 1, .percent = 100};
    const struct hl_text none = {NULL, 0}, empty = {"", 0};

    (void)state;
    assert_false(hl_rollout_serves_new(NULL, &none));
    for (int stage = HL_STAGE_NONE; stage <= HL_STAGE_ABORTED; stage++) {
        rollout.stage = (enum hl_stage)stage;
        assert_true(hl_rollout_serves_new(&rollout, &none) == (stage == HL_STAGE_LIVE));
        assert_true(hl_rollout_serves_new(&rollout, &empty) ==
                    (stage == HL_STAGE_LIVE || stage == HL_STAGE_CANARY));
    }
}

static void callers_keep_the_model_they_had_last(void **state)
{
    static const struct {
        enum hl_stage stage;
        uint32_t before, model; /* that was live before; that they are served by */
    } cases[] = {{HL_STAGE_SHADOW, 0, 1},  {HL_STAGE_CANARY, 0, 1},  {HL_STAGE_LIVE, 0, 2},
                 {HL_STAGE_ABORTED, 0, 1}, {HL_STAGE_ABORTED, 3, 3}, {HL_STAGE_NONE, 3, 3},
                 {HL_STAGE_NONE, 9, 0}}; /* gone since */
    struct hl_space spaces[] = {
        {.id = 1, .name = "v1"}, {.id = 2, .name = "v2"}, {.id = 3, .name = "v3"}};
    struct hl_plans plans = {.rollout = {.number = 5, .from = 1, .to = 2}};
    struct hl_layout layout = {.n_spaces = 3, .spaces = spaces};
    const struct hl_text none = {NULL, 0};

    (void)state;
    assert_null(hl_rollout_of(&layout));
    assert_int_equal(hl_rollout_model(NULL, &layout, &none), 0);
    layout.companion = &plans.companion;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        plans.rollout.stage = cases[i].stage;
        plans.rollout.model = cases[i].before;
        assert_int_equal(hl_rollout_model(hl_rollout_of(&layout), &layout, &none),
                         cases[i].model);
    }
    plans.rollout.number = 0;
    assert_null(hl_rollout_of(&layout));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_stands_where_its_sum_says),
        cmocka_unit_test(shares_are_what_they_are_called),
        cmocka_unit_test(another_share_moves_the_keys_it_must),
        cmocka_unit_test(another_rollout_draws_anew),
        cmocka_unit_test(who_says_no_key_is_moved_last),
        cmocka_unit_test(callers_keep_the_model_they_had_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
