/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/range.h"

#include "tests/unit/reading.h"

#include <math.h>

struct read_range {
    struct hl_range range;
    struct hl_time_range times;
    bool is_time;
};

static enum hl_code read_range(const struct hl_field *field, void *out, struct hl_err *err)
{
    struct read_range *read = out;

    return hl_range_read(field, &read->range, &read->times, &read->is_time, err);
}

static enum hl_code read_counts(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_count_range_read(field, out, err);
}

static void what_is_no_range_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{}", 200, NULL},
        {"{\"gt\":1,\"lt\":null}", 200, NULL},
        {"{\"gt\":1,\"lt\":\"2024-01-01\"}", 400,
         "lt: expected a number, got \"2024-01-01\""},
        {"{\"gt\":\"2024-01-01\",\"lt\":1}", 400, "lt: expected a string, got 1"},
        {"{\"gt\":\"soon\"}", 400,
         "gt: expected a date and time of RFC 3339, got \"soon\""},
        {"{\"gt\":1e999}", 422, "[gt: value 1e999 invalid, must be a finite number]"},
        {"{\"gt\":true}", 400, "gt: expected a number, got true"},
        {"{\"over\":1}", 400, "over: unknown field"},
        {"{\"gt\":1,\"gt\":2}", 400, "gt: duplicate field"},
        {"[1,2]", 400, "expected an object, got an array"},
    };
    struct read_range read;

    ASSERT_READINGS(*state, cases, read_range, &read);
}

static struct hl_range range_of(struct reading *r, const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    struct read_range read;

    assert_reading(r, &accepted, read_range, &read);
    assert_false(read.is_time);
    return read.range;
}

static void a_range_of_numbers_holds_what_it_says(void **state)
{
    static const struct {
        const char *body;
        double in, out;
    } cases[] = {
        {"{\"gt\":1}", 1.5, 1},
        {"{\"gte\":1}", 1, .5},
        {"{\"lt\":1}", .5, 1},
        {"{\"lte\":1}", 1, 1.5},
        {"{\"gt\":1,\"gte\":1}", 1.5, 1},
        {"{\"gte\":1,\"gt\":1}", 1.5, 1},
        {"{\"gt\":1,\"gte\":2}", 2, 1.5},
        {"{\"gte\":2,\"gt\":1}", 2, 1.5},
        {"{\"lt\":1,\"lte\":1}", .5, 1},
        {"{\"lte\":1,\"lt\":2}", 1, 1.5},
        {"{\"lt\":2,\"lte\":1}", 1, 1.5},
        {"{\"gte\":-2.5,\"lt\":3e2}", -2.5, 300},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl_range range = range_of(*state, cases[i].body);

        if (!hl_range_has(&range, cases[i].in) || hl_range_has(&range, cases[i].out))
            fail_msg("%s", cases[i].body);
    }
}

static void a_range_without_bounds_holds_every_number(void **state)
{
    struct hl_range range = range_of(*state, "{}");

    assert_true(hl_range_has(&range, -1e308));
    assert_true(hl_range_has(&range, 1e308));
}

static void a_range_of_moments_has_both_its_ends(void **state)
{
    struct reading_case gt = {"{\"gt\":\"1970-01-01T00:00:01Z\",\"lt\":\"1970-01-02\"}",
                              200, NULL};
    struct reading_case gte = {"{\"gte\":\"1970-01-01T00:00:01Z\"}", 200, NULL};
    struct read_range read;

    assert_reading(*state, &gt, read_range, &read);
    assert_true(read.is_time);
    assert_int_equal(read.times.low, 1000001);
    assert_int_equal(read.times.high, 86399999999);
    assert_reading(*state, &gte, read_range, &read);
    assert_int_equal(read.times.low, 1000000);
    assert_true(read.times.high == INT64_MAX);
}

static void a_range_of_counts_has_both_its_ends(void **state)
{
    static const struct {
        const char *body;
        uint64_t low, high;
    } cases[] = {
        {"{}", 0, UINT64_MAX},
        {"{\"gt\":2,\"lt\":5}", 3, 4},
        {"{\"gte\":2,\"lte\":5}", 2, 5},
        {"{\"gte\":2,\"gt\":7}", 8, UINT64_MAX},
    };
    static const char *const empty[] = {"{\"lt\":0}", "{\"gt\":18446744073709551615}",
                                        "{\"lt\":0,\"gte\":0,\"lte\":9}"};
    struct hl_count_range range;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading_case accepted = {cases[i].body, 200, NULL};

        assert_reading(*state, &accepted, read_counts, &range);
        assert_true(range.low == cases[i].low && range.high == cases[i].high);
    }
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct reading_case accepted = {empty[i], 200, NULL};

        assert_reading(*state, &accepted, read_counts, &range);
        assert_true(range.low > range.high);
    }
}

static void what_is_no_count_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"gt\":-1}", 422,
         "[gt: value -1 invalid, must be from 0 to 18446744073709551615]"},
        {"{\"gt\":1.5}", 400, "gt: expected a whole number, got 1.5"},
        {"{\"gt\":\"1\"}", 400, "gt: expected a whole number, got \"1\""},
    };
    struct hl_count_range range;

    ASSERT_READINGS(*state, cases, read_counts, &range);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_range_is_refused, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(a_range_of_numbers_holds_what_it_says,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(a_range_without_bounds_holds_every_number,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(a_range_of_moments_has_both_its_ends, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(a_range_of_counts_has_both_its_ends, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(what_is_no_count_is_refused, start_reading,
                                        stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
