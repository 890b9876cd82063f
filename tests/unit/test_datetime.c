/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/datetime.h"

#include <stdio.h>
#include <string.h>

static void a_moment_is_microseconds_since_1970(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000001Z", 1},
        {"1969-12-31T23:59:59.999999Z", -1},
        {"2024-02-29T12:34:56Z", 1709210096000000},
        {"2024-02-29t12:34:56z", 1709210096000000},
        {"2024-02-29 12:34:56", 1709210096000000},
        {"2024-02-29T12:34:56", 1709210096000000},
        {"2024-02-29T12:34:56.5", 1709210096500000},
        {"2024-02-29T12:34:56.123456789Z", 1709210096123456},
        {"2024-02-29T12:34:56+01:00", 1709206496000000},
        {"2024-02-29T12:34:56-0130", 1709215496000000},
        {"2024-02-29 12:34:56+01", 1709206496000000},
        {"2024-02-29 12:34", 1709210040000000},
        {"2024-02-29", 1709164800000000},
        {"2016-12-31T23:59:60Z", 1483228800000000},
        {"2000-03-01", 951868800000000},
        {"1900-03-01", -2203891200000000},
        {"0001-01-01", -62135596800000000},
        {"0000-01-01", -62167219200000000},
        {"9999-12-31T23:59:59.999999Z", 253402300799999999},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t us;

        if (!hl_datetime_parse(cases[i].text, strlen(cases[i].text), &us))
            fail_msg("%s was refused", cases[i].text);
        if (us != cases[i].us)
            fail_msg("%s is %lld, not %lld", cases[i].text, (long long)us,
                     (long long)cases[i].us);
    }
}

static void what_is_no_moment_is_refused(void **state)
{
    static const char *const cases[] = {
        "",
        "yesterday",
        "2024",
        "2024-02",
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-01",
        "2024-01-00",
        "2024-04-31",
        "2024-01-01T",
        "2024-01-01T12",
        "2024-01-01T12:30",
        "2024-01-01T24:00:00",
        "2024-01-01T12:60:00",
        "2024-01-01T12:00:61",
        "2024-01-01T12:00:00.",
        "2024-01-01T12:00:00+",
        "2024-01-01T12:00:00+24:00",
        "2024-01-01T12:00:00+01:60",
        "2024-01-01T12:00:00+01:",
        "2024-01-01T12:00:00Zx",
        "2024-01-01x",
        " 2024-01-01",
        "1704110400",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t us;

        if (hl_datetime_parse(cases[i], strlen(cases[i]), &us))
            fail_msg("\"%s\" was taken for %lld", cases[i], (long long)us);
    }
}

static void the_days_of_four_centuries_follow_each_other(void **state)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t wanted = -11676096000000000; /* 1 January 1600 */

    (void)state;
    for (int year = 1600; year < 2000; year++) {
        for (int month = 1; month <= 12; month++) {
            bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            int n_days = days[month - 1] + (month == 2 && is_leap);

            for (int day = 1; day <= n_days; day++, wanted += 86400000000) {
                char text[32];
                int64_t us;

                snprintf(text, sizeof text, "%d-%02d-%02d", year, month, day);
                assert_true(hl_datetime_parse(text, strlen(text), &us));
                assert_int_equal(us, wanted);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_microseconds_since_1970),
        cmocka_unit_test(what_is_no_moment_is_refused),
        cmocka_unit_test(the_days_of_four_centuries_follow_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
