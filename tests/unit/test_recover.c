/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/recover.h"

#include "tests/unit/reading.h"

#define DIGITS "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

static enum hl_code read_recover(const struct hl_field *field, void *out,
                                 struct hl_err *err)
{
    return hl_recover_read(field, out, err);
}

static void a_snapshot_has_a_location(void **state)
{
    static const struct reading_case plain = {"{\"location\":\"file:///a b\"}", 200, NULL};
    static const struct reading_case full = {
        "{\"location\":\"http://h/s\",\"priority\":\"replica\",\"checksum\":\"" DIGITS
        "\",\"api_key\":\"k\"}",
        200, NULL};
    struct hl_recover recover;

    assert_reading(*state, &plain, read_recover, &recover);
    assert_true(hl_text_is(&recover.location, "file:///a b"));
    assert_null(recover.checksum.text);
    assert_null(recover.api_key.text);
    assert_reading(*state, &full, read_recover, &recover);
    assert_true(hl_text_is(&recover.checksum, DIGITS));
    assert_true(hl_text_is(&recover.api_key, "k"));
}

static void what_is_no_snapshot_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"location\""},
        {"{\"location\":\"\"}", 422, "[location: value \"\" invalid, must be a location]"},
        {"{\"location\":\"a\",\"priority\":\"first\"}", 422,
         "[priority: value \"first\" invalid, must be one of \"no_sync\", \"snapshot\", "
         "\"replica\"]"},
        {"{\"location\":\"a\",\"checksum\":\"abc\"}", 422,
         "[checksum: value \"abc\" invalid, must be 64 hexadecimal digits of a SHA-256]"},
        {"{\"location\":\"a\",\"snapshot\":\"b\"}", 400, "snapshot: unknown field"},
    };
    struct hl_recover recover;

    ASSERT_READINGS(*state, cases, read_recover, &recover);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_snapshot_has_a_location),
        TEST(what_is_no_snapshot_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
