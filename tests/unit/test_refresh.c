/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/refresh.h"

#include "tests/unit/reading.h"

static enum hl_code read_refresh(const struct hl_field *field, void *out,
                                 struct hl_err *err)
{
    return hl_refresh_read(field, out, err);
}

static struct hl_refresh refresh_of(struct reading *r, const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    struct hl_refresh refresh;

    assert_reading(r, &accepted, read_refresh, &refresh);
    return refresh;
}

static void a_thousand_points_are_asked_for_in_the_best_order(void **state)
{
    struct hl_refresh refresh = refresh_of(*state, "{\"to\":\"v2\"}");

    assert_true(hl_text_is(&refresh.to, "v2"));
    assert_int_equal(refresh.limit, 1000);
    assert_false(refresh.has_order);
    assert_int_equal(refresh.seed, 0);
    assert_null(refresh.filter);
}

static void everything_can_be_said(void **state)
{
    struct hl_refresh refresh = refresh_of(
        *state, "{\"to\":\"@default\",\"limit\":0,\"order\":\"coverage\","
                "\"seed\":18446744073709551615,\"filter\":{\"must\":{\"has_id\":[1]}}}");

    assert_true(hl_text_is(&refresh.to, "@default"));
    assert_int_equal(refresh.limit, 0);
    assert_true(refresh.has_order);
    assert_int_equal(refresh.order, HL_REFRESH_COVERAGE);
    assert_true(refresh.seed == UINT64_MAX);
    assert_int_equal(refresh.filter->must.n, 1);
    assert_int_equal(refresh_of(*state, "{\"to\":\"a\",\"order\":\"random\"}").order,
                     HL_REFRESH_RANDOM);
    assert_string_equal(hl_refresh_order_name(HL_REFRESH_UNCERTAIN), "uncertain");
}

static void what_cannot_be_meant_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"to\""},
        {"{\"to\":null}", 400, "missing field \"to\""},
        {"{\"to\":7}", 400, "to: expected a string, got 7"},
        {"{\"to\":\"a\",\"limit\":10000001}", 422,
         "[limit: value 10000001 invalid, must be from 0 to 10000000]"},
        {"{\"to\":\"a\",\"limit\":-1}", 422,
         "[limit: value -1 invalid, must be from 0 to 10000000]"},
        {"{\"to\":\"a\",\"order\":\"worst\"}", 422,
         "[order: value \"worst\" invalid, must be one of \"uncertain\", \"coverage\", "
         "\"random\"]"},
        {"{\"to\":\"a\",\"from\":\"b\"}", 400, "from: unknown field"},
    };
    struct hl_refresh refresh;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_reading(*state, &cases[i], read_refresh, &refresh);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_thousand_points_are_asked_for_in_the_best_order),
        TEST(everything_can_be_said),
        TEST(what_cannot_be_meant_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
