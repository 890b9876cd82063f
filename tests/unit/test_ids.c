/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/ids.h"

#include "tests/unit/reading.h"

static enum hl_code read_ids(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_ids_read(field, out, err);
}

static enum hl_code read_set(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_ids_read_set(field, out, err);
}

static void ids_keep_their_order_and_every_bit(void **state)
{
    static const struct reading_case accepted = {
        "[9007199254740993,18446744073709551615,0,"
        "\"urn:uuid:550E8400-E29B-41D4-A716-446655440000\",0]",
        200, NULL};
    struct hl_ids ids;

    assert_reading(*state, &accepted, read_ids, &ids);
    assert_int_equal(ids.n, 5);
    assert_true(hl_id_value(&ids.items[0]) == UINT64_C(9007199254740993));
    assert_true(hl_id_value(&ids.items[1]) == UINT64_MAX);
    assert_int_equal(ids.items[3].tag, HL_ID_UUID);
}

static void a_set_of_ids_is_ascending(void **state)
{
    static const struct reading_case accepted = {
        "[7,\"550e8400-e29b-41d4-a716-446655440000\",3,7,"
        "\"{550E8400-E29B-41D4-A716-446655440000}\"]",
        200, NULL};
    static const struct reading_case empty = {"[]", 200, NULL};
    struct hl_ids ids;

    assert_reading(*state, &accepted, read_set, &ids);
    assert_int_equal(ids.n, 3);
    assert_int_equal(hl_id_value(&ids.items[0]), 3);
    assert_int_equal(hl_id_value(&ids.items[1]), 7);
    assert_int_equal(ids.items[2].tag, HL_ID_UUID);
    assert_reading(*state, &empty, read_set, &ids);
    assert_int_equal(ids.n, 0);
}

static void what_is_no_id_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"7", 400, "expected an array, got 7"},
        {"[\"7\"]", 400,
         "[0]: expected a point id, an unsigned integer or a UUID, got \"7\""},
        {"[null]", 400,
         "[0]: expected a point id, an unsigned integer or a UUID, got null"},
        {"[-1]", 422, "[[0]: value -1 invalid, must be from 0 to 18446744073709551615]"},
        {"[1e3]", 400, "[0]: expected a whole number, got 1e3"},
    };
    struct hl_ids ids;

    ASSERT_READINGS(*state, cases, read_ids, &ids);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_keep_their_order_and_every_bit),
        TEST(a_set_of_ids_is_ascending),
        TEST(what_is_no_id_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
