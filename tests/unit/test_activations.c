/* SPDX-License-Identifier: Apache-2.0 */
/* What is active, as records and as a list. Putting and printing are in test_bridges.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/activations.h"
#include "server/change.h"
#include "tests/unit/looking.h"

struct record {
    const char *kind, *key, *body;
};

static enum hl_code put(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct record *record = self;

    return hl_store_put_record(hl_writing_store(writing), record->kind, record->key,
                               record->body, strlen(record->body), err);
}

static void put_record(struct stand *s, const char *kind, const char *key, const char *body)
{
    struct record record = {kind, key, body};

    assert_int_equal(hl_pending_run_now(s->collection, put, &record, &s->err), HL_OK);
}

static enum hl_code load(struct stand *s, struct hl_activations *activations)
{
    struct hl_holdings holdings;
    enum hl_code code;

    assert_int_equal(hl_holdings_look(s->collection, &holdings, &s->err), HL_OK);
    code = hl_activations_load(holdings.reader, activations, &s->err);
    hl_holdings_close(&holdings);
    return code;
}

static const char dual[] =
    "{\"revision\":3,\"strategy\":\"auto\",\"fidelity\":0.25,\"serving\":\"dual\","
    "\"activated_at\":\"2026-11-21T11:22:33.444Z\"}\nnull";
static const char backward[] =
    "{\"revision\":1,\"strategy\":\"backward\",\"fidelity\":\"auto\",\"serving\":"
    "\"backward\",\"activated_at\":\"2026-11-21T11:22:34.444Z\"}\n{\"revision\":9}";

static void what_is_recorded_is_loaded(void **state)
{
    struct stand *s = *state;
    struct hl_activations activations;
    const struct hl_active *active;

    assert_int_equal(load(s, &activations), HL_OK);
    assert_int_equal(activations.n, 0);
    assert_int_equal(activations.number, 0);
    put_record(s, HL_HOLDING_ACTIVATION, "0000000a-00000001", dual);
    put_record(s, HL_HOLDING_ACTIVATION, "00000002-00000001", backward);
    put_record(s, HL_HOLDING_ACTIVATION, "00000003-00000001", "null\n{\"revision\":9}");
    put_record(s, HL_HOLDING_PLANS, "number", "17");
    assert_int_equal(load(s, &activations), HL_OK);
    assert_int_equal(activations.n, 2);
    assert_int_equal(activations.number, 17);
    active = hl_activations_find(&activations, 10, 1);
    assert_non_null(active);
    assert_int_equal(active->revision, 3);
    assert_int_equal(active->strategy, HL_SERVING_AUTO);
    assert_int_equal(active->serving, HL_SERVING_DUAL);
    assert_false(active->is_auto);
    assert_true(active->fidelity > 0.24 && active->fidelity < 0.26);
    assert_string_equal(active->at, "2026-11-21T11:22:33.444Z");
    assert_true(hl_activations_find(&activations, 2, 1)->is_auto);
    assert_null(hl_activations_find(&activations, 1, 2));
    assert_null(hl_activations_find(&activations, 3, 1));
}

static void what_was_noted_before_anything_was_served_is_none(void **state)
{
    struct stand *s = *state;
    struct hl_activations activations;

    put_record(s, HL_HOLDING_ACTIVATION, "00000002-00000001",
               "{\"revision\":1,\"strategy\":\"dual\",\"fidelity\":\"auto\","
               "\"activated_at\":\"2026-11-21T11:22:34.444Z\"}\nnull");
    assert_int_equal(load(s, &activations), HL_OK);
    assert_int_equal(activations.n, 0);
}

static void records_that_are_none_are_damage(void **state)
{
    static const char *const bodies[] = {
        "null", "{\"revision\":1,\"strategy\":\"odd\"}\nnull",
        "{\"revision\":1,\"fidelity\":2}\nnull", "{\"revision\":1,\"who\":2}\nnull",
        "{\"rev\nnull"};
    struct stand *s = *state;
    struct hl_activations activations;

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        enum hl_code code;

        put_record(s, HL_HOLDING_ACTIVATION, "00000002-00000001", bodies[i]);
        code = load(s, &activations);
        /* What does not begin as an object of ours is as good as null. */
        if (code != HL_DAMAGED && !(code == HL_OK && i == 4 && activations.n == 0))
            fail_msg("%s: %d", bodies[i], (int)code);
    }
}

static void a_list_is_kept_in_order_and_has_an_end(void **state)
{
    struct hl_activations activations = {.n = 0};
    const struct hl_activation wanted = {.revision = 1, .serving = HL_SERVING_BACKWARD},
                               other = {.revision = 2, .serving = HL_SERVING_BACKWARD};
    struct hl_err err;

    (void)state;
    for (uint32_t i = HL_MOST_ACTIVE; i > 0; i--)
        assert_int_equal(hl_activations_set(&activations, i, 100, &wanted, &err), HL_OK);
    assert_int_equal(activations.n, HL_MOST_ACTIVE);
    for (size_t i = 0; i < activations.n; i++)
        assert_int_equal(activations.list[i].from, i + 1);
    assert_int_equal(hl_activations_set(&activations, 99, 100, &wanted, &err), HL_CONFLICT);
    assert_int_equal(hl_activations_set(&activations, 7, 100, &other, &err), HL_OK);
    assert_int_equal(activations.n, HL_MOST_ACTIVE);
    assert_true(hl_active_is(hl_activations_find(&activations, 7, 100), &other));
    assert_false(hl_active_is(hl_activations_find(&activations, 7, 100), &wanted));
    assert_int_equal(hl_activations_set(&activations, 7, 100, NULL, &err), HL_OK);
    assert_int_equal(hl_activations_set(&activations, 7, 100, NULL, &err), HL_OK);
    assert_int_equal(activations.n, HL_MOST_ACTIVE - 1);
    assert_int_equal(activations.list[6].from, 8);
    assert_true(hl_active_is(hl_activations_find(&activations, 7, 100), NULL));
}

static void without_memory_nothing_is_loaded(void **state)
{
    struct stand *s = *state;
    struct hl_holdings holdings;
    struct hl_activations activations;
    enum hl_code code = HL_NO_MEMORY;

    put_record(s, HL_HOLDING_ACTIVATION, "0000000a-00000001", dual);
    assert_int_equal(hl_holdings_look(s->collection, &holdings, &s->err), HL_OK);
    for (int n = 1; code != HL_OK; n++) {
        char rule[32];

        assert_true(n < 500);
        snprintf(rule, sizeof rule, "alloc=%d:fail", n);
        assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
        code = hl_activations_load(holdings.reader, &activations, &s->err);
        hl_failpoint_disarm();
    }
    assert_int_equal(activations.n, 1);
    hl_holdings_close(&holdings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_recorded_is_loaded),
        TEST(what_was_noted_before_anything_was_served_is_none),
        TEST(records_that_are_none_are_damage),
        TEST(a_list_is_kept_in_order_and_has_an_end),
        TEST(without_memory_nothing_is_loaded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
