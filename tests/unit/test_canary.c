/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/buf.h"
#include "proto/canary.h"
#include "tests/unit/reading.h"

static enum hl_code read_canary(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_canary_read(field, out, err);
}

static void photographs_come_by_name_in_either_spelling(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"vectors\":{\"b\":[1,2],\"a b\":\"AACAPwAAAEA=\"}}", 200, NULL},
        {"{\"tolerance\":0,\"vectors\":{\"b\":[1,2],\"\\u0061 b\":[1,2.0]}}", 200, NULL}};
    struct hl_canary canary;

    for (size_t i = 0; i < 2; i++) {
        assert_reading(*state, &cases[i], read_canary, &canary);
        assert_int_equal(canary.vectors.n, 2);
        assert_true(hl_text_is(&canary.vectors.items[0].name, "b"));
        assert_true(hl_text_is(&canary.vectors.items[1].name, "a b"));
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(canary.vectors.items[k].n, 2);
            assert_float_equal(canary.vectors.items[k].values[1], 2.0f, 0);
        }
        assert_int_equal(canary.has_tolerance, i);
        assert_float_equal(canary.tolerance, i ? 0.0 : 0.01, 1e-12);
    }
}

static void what_cannot_be_meant_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"vectors\""},
        {"{\"vectors\":{}}", 422,
         "[vectors: value an object invalid, must be the vector of one photograph at "
         "least]"},
        {"{\"vectors\":[1,2]}", 400, "vectors: expected an object, got an array"},
        {"{\"vectors\":{\"a\":[1],\"a\":[2]}}", 400, "vectors.a: duplicate field"},
        {"{\"vectors\":{\"a\":[]}}", 400, "vectors.a: a vector without numbers is there"},
        {"{\"vectors\":{\"\":[1]}}", 400,
         "vectors[\"\"]: a photograph's name has 1 to 200 bytes"},
        {"{\"vectors\":{\"a\":{\"indices\":[1],\"values\":[2]}}}", 400,
         "vectors.a: a canary has dense vectors, got a sparse one"},
        {"{\"vectors\":{\"a\":[1]},\"tolerance\":-0.1}", 422,
         "[tolerance: value -0.1 invalid, must be from 0 to 2]"},
        {"{\"vectors\":{\"a\":[1]},\"tolerance\":\"x\"}", 400,
         "tolerance: expected a number, got \"x\""},
        {"{\"vectors\":{\"a\":[1]},\"replace\":true}", 400, "replace: unknown field"},
    };
    struct hl_canary canary;

    ASSERT_READINGS(*state, cases, read_canary, &canary);
}

static void names_and_their_number_are_bounded(void **state)
{
    struct reading *r = *state;
    struct hl_canary canary;
    struct hl_buf body;

    hl_buf_init(&body, 1 << 20);
    for (int n = 1000; n <= 1001; n++) {
        hl_buf_clear(&body, 0);
        hl_buf_add_text(&body, "{\"vectors\":{");
        for (int i = 0; i < n; i++)
            hl_buf_print(&body, "%s\"%0*d\":[1]", i > 0 ? "," : "", i == 0 ? 200 : 4, i);
        hl_buf_add_text(&body, "}}");
        assert_int_equal(read_canary(reading_of(r, body.data), &canary, &r->err),
                         n == 1000 ? HL_OK : HL_INVALID);
    }
    assert_string_equal(r->err.msg, "a canary has at most 1000 photographs");
    hl_buf_clear(&body, 0);
    hl_buf_print(&body, "{\"vectors\":{\"%0201d\":[1]}}", 7);
    assert_int_equal(read_canary(reading_of(r, body.data), &canary, &r->err), HL_MALFORMED);
    hl_buf_done(&body);
}

static void under_every_ceiling_it_is_read_or_refused(void **state)
{
    struct hl_canary canary;

    assert_reading_under_ceilings(*state, "{\"vectors\":{\"\\u0061\":[1,2],\"b\":[3]}}",
                                  1 << 16, read_canary, &canary);
    assert_int_equal(canary.vectors.n, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(photographs_come_by_name_in_either_spelling),
        TEST(what_cannot_be_meant_is_refused),
        TEST(names_and_their_number_are_bounded),
        TEST(under_every_ceiling_it_is_read_or_refused),
    };

    return cmocka_run_group_tests_name("canary", tests, NULL, NULL);
}
