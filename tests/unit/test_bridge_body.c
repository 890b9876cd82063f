/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of the calls about bridges: what is said, and what cannot be meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/bridge_body.h"
#include "tests/unit/reading.h"

static enum hl_code read_order(struct reading *f, const char *text,
                               struct hl_bridge_order *order)
{
    const struct hl_field *root = reading_of(f, text);

    return hl_bridge_order_read(root, order, &f->err);
}

static void an_order_has_its_defaults(void **state)
{
    struct reading *f = *state;
    struct hl_bridge_order order;

    assert_int_equal(read_order(f, "{\"data\":{\"dataset\":\"d\"}}", &order), HL_OK);
    assert_true(hl_text_is(&order.data.dataset, "d"));
    assert_int_equal(order.kind, HL_KIND_AUTO);
    assert_int_equal(order.task, HL_TASK_SIMILAR);
    assert_int_equal(order.seed, 1);
    assert_int_equal(order.data.limit, 50000);
    assert_int_equal(order.n_hidden + order.rank, 0);
    assert_null(order.choose.text);
    assert_null(order.report.text);
}

static void an_order_says_everything(void **state)
{
    struct reading *f = *state;
    struct hl_bridge_order order;

    assert_int_equal(
        read_order(f,
                   "{\"data\":{\"items\":\"points\",\"label\":\"payload.a.b\",\"limit\":7,"
                   "\"dataset\":\"d\"},\"choose\":{\"dataset\":\"e\"},\"report\":{"
                   "\"dataset\":\"f\"},\"kind\":\"lowrank\",\"task\":\"same\",\"seed\":9,"
                   "\"focal\":{\"alpha\":0.5,\"beta\":2},\"hidden\":64,\"rank\":8}",
                   &order),
        HL_OK);
    assert_true(order.data.has_items && !order.data.has_pairs);
    assert_int_equal(order.data.label.n_steps, 2);
    assert_int_equal(order.data.limit, 7);
    assert_true(hl_text_is(&order.choose, "e") && hl_text_is(&order.report, "f"));
    assert_int_equal(order.kind, HL_KIND_LOWRANK);
    assert_int_equal(order.task, HL_TASK_SAME);
    assert_true(order.alpha > 0.49 && order.beta > 1.99);
    assert_int_equal(order.n_hidden, 64);
    assert_int_equal(order.rank, 8);
}

static void what_cannot_be_meant_is_refused(void **state)
{
    static const struct {
        const char *body;
        enum hl_code code;
        const char *words; /* in the sentence */
    } cases[] = {
        {"{}", HL_MALFORMED, "data"},
        {"{\"data\":{}}", HL_INVALID, "a \"dataset\", \"pairs\" of points"},
        {"{\"data\":{\"dataset\":\"d\"},\"x\":1}", HL_MALFORMED, "unknown field"},
        {"{\"data\":{\"pairs\":\"people\"}}", HL_INVALID, "points"},
        {"{\"data\":{\"pairs\":\"points\",\"dataset\":\"d\"}}", HL_INVALID,
         "\"pairs\" without anything else"},
        {"{\"data\":{\"items\":\"points\"}}", HL_INVALID, "both \"items\" and \"label\""},
        {"{\"data\":{\"dataset\":\"d\",\"label\":\"payload.a\"}}", HL_INVALID,
         "\"label\" beside points"},
        {"{\"data\":{\"pairs\":\"points\",\"label\":\"a\"}}", HL_INVALID,
         "\"payload.\" and a key"},
        {"{\"data\":{\"pairs\":\"points\",\"limit\":0}}", HL_INVALID, "limit"},
        {"{\"data\":{\"dataset\":\"d\"},\"choose\":{\"pairs\":\"points\"}}", HL_INVALID,
         "a \"dataset\" alone"},
        {"{\"data\":{\"dataset\":\"d\"},\"kind\":\"magic\"}", HL_INVALID, "kind"},
        {"{\"data\":{\"dataset\":\"d\"},\"focal\":{\"alpha\":-1}}", HL_INVALID, "alpha"},
        {"{\"data\":{\"dataset\":\"d\"},\"hidden\":0}", HL_INVALID, "hidden"},
    };
    struct reading *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hl_bridge_order order;

        assert_int_equal(read_order(f, cases[i].body, &order), cases[i].code);
        if (!strstr(f->err.msg, cases[i].words))
            fail_msg("\"%s\" is not in: %s", cases[i].words, f->err.msg);
    }
}

static void an_activation_is_the_latest_and_auto_unless_it_says_more(void **state)
{
    static const struct {
        const char *body;
        enum hl_code code;
        struct hl_activation wanted;
    } cases[] = {
        {"{}", HL_OK, {0, HL_SERVING_AUTO, HL_SERVING_AUTO, true, 0}},
        {"{\"fidelity\":\"auto\"}", HL_OK, {0, HL_SERVING_AUTO, HL_SERVING_AUTO, true, 0}},
        {"{\"revision\":3,\"strategy\":\"dual\",\"fidelity\":1}",
         HL_OK,
         {3, HL_SERVING_DUAL, HL_SERVING_AUTO, false, 1}},
        {"{\"strategy\":\"forward\"}",
         HL_OK,
         {0, HL_SERVING_FORWARD, HL_SERVING_AUTO, true, 0}},
        {"{\"revision\":0}", HL_INVALID, {0, HL_SERVING_AUTO, HL_SERVING_AUTO, true, 0}},
        {"{\"fidelity\":1.01}", HL_INVALID, {0, HL_SERVING_AUTO, HL_SERVING_AUTO, true, 0}},
        {"{\"fidelity\":\"high\"}",
         HL_INVALID,
         {0, HL_SERVING_AUTO, HL_SERVING_AUTO, true, 0}},
        {"{\"strategy\":\"sideways\"}",
         HL_INVALID,
         {0, HL_SERVING_AUTO, HL_SERVING_AUTO, true, 0}},
    };
    struct reading *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct hl_field *root = reading_of(f, cases[i].body);
        struct hl_activation got = {.revision = 0};

        assert_int_equal(hl_activation_read(root, &got, &f->err), cases[i].code);
        if (cases[i].code != HL_OK)
            continue;
        assert_int_equal(got.revision, cases[i].wanted.revision);
        assert_int_equal(got.strategy, cases[i].wanted.strategy);
        assert_int_equal(got.serving, cases[i].wanted.serving);
        assert_int_equal(got.is_auto, cases[i].wanted.is_auto);
        assert_true(got.fidelity - cases[i].wanted.fidelity < 1e-9);
        assert_true(cases[i].wanted.fidelity - got.fidelity < 1e-9);
    }
}

static void an_evaluation_is_of_one_thing(void **state)
{
    static const struct {
        const char *body;
        enum hl_code code;
    } cases[] = {
        {"{\"dataset\":\"d\"}", HL_OK},
        {"{\"dataset\":\"d\",\"revision\":2}", HL_OK},
        {"{\"dataset\":\"d\",\"through\":\"v2\",\"seed\":4}", HL_OK},
        {"{\"dataset\":\"d\",\"bare\":true}", HL_OK},
        {"{\"dataset\":\"d\",\"bare\":false,\"revision\":2}", HL_OK},
        {"{}", HL_MALFORMED},
        {"{\"dataset\":\"d\",\"revision\":2,\"through\":\"v2\"}", HL_INVALID},
        {"{\"dataset\":\"d\",\"bare\":true,\"through\":\"v2\"}", HL_INVALID},
    };
    struct reading *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct hl_field *root = reading_of(f, cases[i].body);
        struct hl_evaluation got;

        assert_int_equal(hl_evaluation_read(root, &got, &f->err), cases[i].code);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_order_has_its_defaults),
        TEST(an_order_says_everything),
        TEST(what_cannot_be_meant_is_refused),
        TEST(an_activation_is_the_latest_and_auto_unless_it_says_more),
        TEST(an_evaluation_is_of_one_thing),
    };

    return cmocka_run_group_tests_name("bridge_body", tests, NULL, NULL);
}
