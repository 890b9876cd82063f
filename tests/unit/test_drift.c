/* SPDX-License-Identifier: Apache-2.0 */
/* Canaries of models as records: what is the reference, what is compared with it, and what
 * a guard sees of that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/change.h"
#include "server/drift.h"
#include "tests/unit/looking.h"
#include "tests/unit/saying.h"

#include <math.h>

/* ---- putting and looking ---- */

struct putting {
    const char *model, *body;
    bool replaces, was_reference;
    struct hl_arena *arena;
    struct hl_drift drift;
};

static enum hl_code model_of(const struct hl_holdings *holdings, const char *name,
                             struct hl_model *model, struct hl_err *err)
{
    return hl_holdings_model(holdings, &(const struct hl_span){name, strlen(name)}, model,
                             err);
}

static enum hl_code put(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct putting *putting = self;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_canary canary;
    struct hl_model model;
    const struct hl_drift_order order = {
        .model = &model, .canary = &canary, .replaces = putting->replaces, .by = "ops"};
    struct hl_tokens tokens;
    struct hl_field root = stand_body(&tokens, putting->body, putting->arena);
    enum hl_code code = hl_canary_read(&root, &canary, err);

    if (code == HL_OK)
        code = model_of(&inside, putting->model, &model, err);
    return code == HL_OK ? hl_drift_put(writing, &order, &putting->drift,
                                        &putting->was_reference, err)
                         : code;
}

static enum hl_code take_away(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_model model;
    enum hl_code code = model_of(&inside, self, &model, err);

    return code == HL_OK ? hl_drift_remove(writing, &model, err) : code;
}

static enum hl_code drop_all(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_model model;
    enum hl_code code = model_of(&inside, self, &model, err);

    return code == HL_OK ? hl_holdings_drop_model(writing, model.space, err) : code;
}

static enum hl_code try_put(struct stand *s, struct putting *putting)
{
    putting->arena = s->arena;
    return hl_pending_run_now(s->collection, put, putting, &s->err);
}

/* Compared or taken as the reference, which goes well. */
static struct putting put_one(struct stand *s, const char *model, const char *body)
{
    struct putting putting = {.model = model, .body = body};

    if (try_put(s, &putting) != HL_OK)
        fail_msg("%s", s->err.msg);
    return putting;
}

static void assert_refused(struct stand *s, const char *model, const char *body,
                           const char *sentence)
{
    struct putting putting = {.model = model, .body = body};

    assert_int_not_equal(try_put(s, &putting), HL_OK);
    assert_string_equal(s->err.msg, sentence);
}

static const char *shown(struct stand *s, const char *name)
{
    struct hl_holdings holdings;
    struct hl_model model;
    struct hl_buf buf;
    const char *text;
    enum hl_code code;

    hl_buf_init(&buf, 1 << 20);
    assert_int_equal(hl_holdings_look(s->collection, &holdings, &s->err), HL_OK);
    code = model_of(&holdings, name, &model, &s->err);
    if (code == HL_OK)
        code = hl_drift_print(&holdings, &model, &buf, &s->err);
    hl_holdings_close(&holdings);
    text = code == HL_OK ? hl_arena_copy(s->arena, buf.data, buf.len) : s->err.msg;
    hl_buf_done(&buf);
    assert_non_null(text);
    return text;
}

static struct hl_drift seen(struct stand *s, const char *name)
{
    struct hl_holdings holdings;
    struct hl_model model;
    struct hl_drift drift = {.n_compared = 99};

    assert_int_equal(hl_holdings_look(s->collection, &holdings, &s->err), HL_OK);
    assert_int_equal(model_of(&holdings, name, &model, &s->err), HL_OK);
    assert_int_equal(hl_drift_seen(holdings.reader, model.space, &drift, &s->err), HL_OK);
    hl_holdings_close(&holdings);
    return drift;
}

static const char two[] = "{\"vectors\":{\"a\":[1,0],\"b b\":[0,3]}}";

/* ---- the tests ---- */

static void the_first_vectors_are_the_reference_and_later_ones_are_compared(void **state)
{
    struct stand *s = *state;
    struct putting putting = put_one(s, "c", two);

    assert_true(putting.was_reference);
    assert_true(putting.drift.has_reference);
    assert_false(putting.drift.was_compared);
    assert_in(shown(s, "c"), "{\"model\":\"c\",\"tolerance\":0.01,\"set_at\":\"");
    assert_in(shown(s, "c"), "\"set_by\":\"ops\",\"photographs\":[\"a\",\"b b\"],"
                             "\"drifted\":null,\"last\":null}");
    putting = put_one(s, "c", "{\"vectors\":{\"b b\":[0.1,1]}}");
    assert_false(putting.was_reference);
    assert_true(putting.drift.was_compared);
    assert_false(putting.drift.is_drifted); /* 1 - cos of 5.7 degrees: .00496 */
    assert_int_equal(putting.drift.n_compared, 1);
    assert_in(shown(s, "c"), "\"drifted\":false,\"last\":{\"at\":\"");
    assert_in(shown(s, "c"), "\"compared\":1,\"of\":2,\"drifted_photographs\":0,");
}

static void a_photograph_that_is_further_than_the_tolerance_has_drifted(void **state)
{
    struct stand *s = *state;
    struct hl_drift drift;

    (void)put_one(s, "c", two);
    (void)put_one(s, "c", "{\"vectors\":{\"a\":[5,0],\"b b\":[1,1]}}");
    drift = seen(s, "c");
    assert_true(drift.is_drifted);
    assert_int_equal(drift.n_compared, 2);
    assert_int_equal(drift.n_drifted, 1);
    assert_string_equal(drift.photograph, "b b");
    assert_true(fabs(drift.worst - (1 - sqrt(.5))) < 1e-7);
    assert_true(fabs(drift.tolerance - .01) < 1e-12);
    assert_int_equal(strlen(drift.at), 24);
    assert_in(shown(s, "c"), "\"photographs\":[{\"name\":\"a\",\"distance\":0.0,"
                             "\"drifted\":false},{\"name\":\"b b\",\"distance\":0.29289");
    (void)put_one(s, "c", "{\"vectors\":{\"b b\":[1,1]},\"tolerance\":0.3}");
    drift = seen(s, "c");
    assert_false(drift.is_drifted);
    assert_true(fabs(drift.tolerance - .3) < 1e-12);
    (void)put_one(s, "c", "{\"vectors\":{\"b b\":[1,1]}}"); /* that one's alone */
    assert_true(seen(s, "c").is_drifted);
}

/* Of Euclid the lengths mean something; a service that only scales is the same service. */
static void comparing_is_by_the_cosine_whatever_the_distance_is(void **state)
{
    static const char *const models[] = {"c", "d", "e", "m"};
    struct stand *s = *state;

    for (size_t i = 0; i < 4; i++) {
        (void)put_one(s, models[i], "{\"vectors\":{\"a\":[1,1]},\"tolerance\":0}");
        (void)put_one(s, models[i], "{\"vectors\":{\"a\":[16,16]}}");
        assert_false(seen(s, models[i]).is_drifted);
        (void)put_one(s, models[i], "{\"vectors\":{\"a\":[-1,-1]}}");
        assert_true(fabs(seen(s, models[i]).worst - 2) < 1e-9);
    }
}

static void other_vectors_can_become_the_reference(void **state)
{
    struct stand *s = *state;
    struct putting putting = {.model = "c",
                              .body = "{\"vectors\":{\"x\":[1,1]},\"tolerance\":0.5}",
                              .replaces = true};

    (void)put_one(s, "c", two);
    (void)put_one(s, "c", "{\"vectors\":{\"a\":[0,1]}}");
    assert_true(seen(s, "c").is_drifted);
    assert_int_equal(try_put(s, &putting), HL_OK);
    assert_true(putting.was_reference);
    assert_false(seen(s, "c").was_compared);
    assert_in(shown(s, "c"), "\"tolerance\":0.5,");
    assert_in(shown(s, "c"), "\"photographs\":[\"x\"],\"drifted\":null,\"last\":null}");
    (void)put_one(s, "c", "{\"vectors\":{\"x\":[1,0]}}"); /* .29, by its tolerance */
    assert_true(seen(s, "c").was_compared);
    assert_false(seen(s, "c").is_drifted);
}

static void what_cannot_be_compared_is_refused_and_changes_nothing(void **state)
{
    struct stand *s = *state;

    (void)put_one(s, "c", two);
    assert_refused(s, "c", "{\"vectors\":{\"a\":[0,1],\"z\":[0,1]}}",
                   "the canary of \"c\" has no photograph \"z\" to compare with: "
                   "replace=true makes these its reference");
    assert_refused(s, "c", "{\"vectors\":{\"a\":[0,1,2]}}",
                   "Wrong input: Vector dimension error: expected dim: 2, got 3 (\"a\")");
    assert_refused(
        s, "c", "{\"vectors\":{\"a\":[0,-0.0]}}",
        "the vector of the photograph \"a\" is all zeros, which has no direction "
        "to compare");
    assert_refused(s, "s", two,
                   "the vector \"s\" is sparse: heads and bridges are for "
                   "dense ones");
    assert_refused(s, "q", two, "Not found: Not existing vector name error: q");
    assert_false(seen(s, "c").was_compared);
}

static void it_goes_by_itself_and_with_its_model(void **state)
{
    struct stand *s = *state;
    char c[] = "c", d[] = "d";

    (void)put_one(s, "c", two);
    (void)put_one(s, "c", two);
    (void)put_one(s, "d", two);
    assert_int_equal(hl_pending_run_now(s->collection, take_away, c, &s->err), HL_OK);
    assert_string_equal(shown(s, "c"), "Not found: the vector \"c\" has no canary");
    assert_false(seen(s, "c").was_compared);
    assert_int_equal(hl_pending_run_now(s->collection, take_away, c, &s->err),
                     HL_NOT_FOUND);
    assert_true(seen(s, "d").has_reference);
    assert_int_equal(hl_pending_run_now(s->collection, drop_all, d, &s->err), HL_OK);
    assert_false(seen(s, "d").has_reference);
}

static void without_memory_a_canary_is_there_or_not_at_all(void **state)
{
    struct stand *s = *state;

    for (int i = 0; i < 2; i++) { /* the reference, then a comparison */
        enum hl_code code = HL_NO_MEMORY;

        for (int n = 1; code != HL_OK; n++) {
            struct putting putting = {.model = "c",
                                      .body = i ? "{\"vectors\":{\"a\":[0,1]}}" : two};
            char rule[32];

            assert_true(n < 1000);
            snprintf(rule, sizeof rule, "alloc=%d:fail", n);
            assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
            code = try_put(s, &putting);
            hl_failpoint_disarm();
            assert_int_equal(seen(s, "c").has_reference, i == 1 || code == HL_OK);
            assert_int_equal(seen(s, "c").is_drifted, i == 1 && code == HL_OK);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_vectors_are_the_reference_and_later_ones_are_compared),
        TEST(a_photograph_that_is_further_than_the_tolerance_has_drifted),
        TEST(comparing_is_by_the_cosine_whatever_the_distance_is),
        TEST(other_vectors_can_become_the_reference),
        TEST(what_cannot_be_compared_is_refused_and_changes_nothing),
        TEST(it_goes_by_itself_and_with_its_model),
        TEST(without_memory_a_canary_is_there_or_not_at_all),
    };

    return cmocka_run_group_tests_name("drift", tests, NULL, NULL);
}
