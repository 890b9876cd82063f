/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/select.h"

#include "tests/unit/reading.h"

static enum hl_code read_payload(const struct hl_field *field, void *out,
                                 struct hl_err *err)
{
    return hl_payload_select_read(field, out, err);
}

static enum hl_code read_vector(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_vector_select_read(field, out, err);
}

static void a_reply_shows_all_nothing_or_some_of_a_payload(void **state)
{
    static const struct {
        struct reading_case accepted;
        enum hl_select_kind kind;
        size_t n;
    } cases[] = {
        {{"true", 200, NULL}, HL_SELECT_ALL, 0},
        {{"false", 200, NULL}, HL_SELECT_NONE, 0},
        {{"[\"a\",\"b[].c\"]", 200, NULL}, HL_SELECT_ONLY, 2},
        {{"[]", 200, NULL}, HL_SELECT_ONLY, 0},
        {{"{\"include\":[\"a\"]}", 200, NULL}, HL_SELECT_ONLY, 1},
        {{"{\"exclude\":[\"a\",\"b\"],\"include\":null}", 200, NULL}, HL_SELECT_BUT, 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl_payload_select select;

        assert_reading(*state, &cases[i].accepted, read_payload, &select);
        assert_int_equal(select.kind, cases[i].kind);
        assert_int_equal(select.paths.n, cases[i].n);
    }
}

static void a_reply_shows_all_none_or_some_of_the_vectors(void **state)
{
    static const struct {
        struct reading_case accepted;
        enum hl_select_kind kind;
        size_t n;
    } cases[] = {
        {{"true", 200, NULL}, HL_SELECT_ALL, 0},
        {{"false", 200, NULL}, HL_SELECT_NONE, 0},
        {{"[\"\",\"v2\"]", 200, NULL}, HL_SELECT_ONLY, 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl_vector_select select;

        assert_reading(*state, &cases[i].accepted, read_vector, &select);
        assert_int_equal(select.kind, cases[i].kind);
        assert_int_equal(select.names.n, cases[i].n);
    }
}

static void what_selects_nothing_known_is_refused(void **state)
{
    static const struct reading_case payloads[] = {
        {"7", 400, "expected true or false, got 7"},
        {"[7]", 400, "[0]: expected a string, got 7"},
        {"[\"a..b\"]", 400, "[0]: expected a payload key such as a.b[].c, got \"a..b\""},
        {"{}", 422, "[value an object invalid, must be either \"include\" or \"exclude\"]"},
        {"{\"include\":[],\"exclude\":[]}", 422,
         "[value an object invalid, must be either \"include\" or \"exclude\"]"},
        {"{\"only\":[]}", 400, "only: unknown field"},
    };
    static const struct reading_case vectors[] = {
        {"\"v2\"", 400, "expected true or false, got \"v2\""},
        {"[true]", 400, "[0]: expected a string, got true"},
    };
    struct hl_payload_select payload;
    struct hl_vector_select vector;

    ASSERT_READINGS(*state, payloads, read_payload, &payload);
    ASSERT_READINGS(*state, vectors, read_vector, &vector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_reply_shows_all_nothing_or_some_of_a_payload,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(a_reply_shows_all_none_or_some_of_the_vectors,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(what_selects_nothing_known_is_refused,
                                        start_reading, stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
