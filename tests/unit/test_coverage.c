/* SPDX-License-Identifier: Apache-2.0 */
/* How many points models have seen and reach, before a bridge serves and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/coverage.h"
#include "tests/unit/activating.h"

/* Spaces, and of the four points: one has each model's vector alone, one those of v1 and
 * v2.
 */
enum { V1 = 1, V2 = 2, V3 = 3 };
enum { N_V1 = 2, N_V2 = 2, N_V3 = 1, N_V1_OR_V2 = 3, N_V1_AND_V2 = 1 };

static uint64_t count(struct rig *rig, struct hl_models models, bool is_of_all)
{
    struct hl_holdings holdings;
    uint64_t n = 99;

    assert_int_equal(hl_holdings_open(&rig->server, &name, &holdings, &rig->err), HL_OK);
    assert_int_equal(
        hl_coverage_count(&holdings, &models, is_of_all, rig->request.arena, &n, &rig->err),
        HL_OK);
    hl_holdings_close(&holdings);
    return n;
}

static void assert_covers(struct rig *rig, uint32_t space, uint64_t n_own,
                          uint64_t n_reached)
{
    struct hl_coverage coverage;
    struct hl_holdings holdings;

    assert_int_equal(hl_holdings_open(&rig->server, &name, &holdings, &rig->err), HL_OK);
    assert_int_equal(
        hl_coverage_take(&holdings, space, rig->request.arena, &coverage, &rig->err),
        HL_OK);
    hl_holdings_close(&holdings);
    assert_int_equal(coverage.n_points, 4);
    assert_int_equal(coverage.n_own, n_own);
    assert_int_equal(coverage.n_reached, n_reached);
}

static void points_are_counted_that_any_model_has_seen_or_all(void **state)
{
    const struct hl_models one = {{V1}, 1}, two = {{V1, V2}, 2}, three = {{V1, V2, V3}, 3};
    struct rig *rig = *state;

    assert_int_equal(count(rig, one, false), N_V1);
    assert_int_equal(count(rig, one, true), N_V1);
    assert_int_equal(count(rig, two, false), N_V1_OR_V2);
    assert_int_equal(count(rig, two, true), N_V1_AND_V2);
    assert_int_equal(count(rig, three, false), 4);
    assert_int_equal(count(rig, three, true), 0);
}

static void a_bridge_that_serves_reaches_what_its_model_has_not_seen(void **state)
{
    struct rig *rig = *state;

    assert_covers(rig, V2, N_V2, N_V2);
    activate(rig, "v2>v1", "{\"revision\":1}");
    assert_covers(rig, V2, N_V2, N_V1_OR_V2);
    assert_covers(rig, V1, N_V1, N_V1_OR_V2);
    assert_covers(rig, V3, N_V3, N_V3);
    deactivate(rig, "v2>v1");
    assert_covers(rig, V2, N_V2, N_V2);
}

static void without_memory_nothing_is_counted_and_nothing_leaks(void **state)
{
    const struct hl_models both = {{V1, V2}, 2};
    struct rig *rig = *state;
    enum hl_code code = HL_NO_MEMORY;
    struct hl_holdings holdings;
    char rule[32];
    uint64_t n = 0;

    assert_int_equal(hl_holdings_open(&rig->server, &name, &holdings, &rig->err), HL_OK);
    for (int i = 1; code != HL_OK; i++) {
        hl_arena_free(rig->request.arena);
        rig->request.arena = hl_arena_new(1 << 20);
        (void)snprintf(rule, sizeof rule, "alloc=%d:fail", i);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = hl_coverage_count(&holdings, &both, true, rig->request.arena, &n, &rig->err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || (code == HL_NO_MEMORY && n == 0));
    }
    assert_int_equal(n, N_V1_AND_V2);
    hl_holdings_close(&holdings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(points_are_counted_that_any_model_has_seen_or_all),
        RIGGED(a_bridge_that_serves_reaches_what_its_model_has_not_seen),
        RIGGED(without_memory_nothing_is_counted_and_nothing_leaks),
    };

    return cmocka_run_group_tests_name("coverage", tests, NULL, NULL);
}
