/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/number.h"
#include "tests/support/decimals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_as_c_reads_it(const char *text)
{
    float single = hl_number_float(text, strlen(text)), wanted_single = strtof(text, NULL);
    double wide = hl_number_double(text, strlen(text)), wanted_wide = strtod(text, NULL);

    if (!(single == wanted_single) || !(wide == wanted_wide) ||
        signbit(single) != signbit(wanted_single) || signbit(wide) != signbit(wanted_wide))
        fail_msg("%s is read as %a and %a", text, (double)single, wide);
}

static void reals_are_what_the_c_library_makes_of_the_text(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.000",
        "-0e99999999999999999999",
        "1",
        "0.1",
        "-12.5e-3",
        "1e-46",
        "7e-46",
        "7.1e-46",
        "1.1754942e-38",
        "3.4028235e38",
        "1e999",
        "-1e999",
        "1e-999",
        "5e-324",
        "2.4703282292062327e-324",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "100000000000000000000000000000000e-40",
        "0.00000000000000000000000000000000000000000001e50",
        "16777217",
        "9007199254740993",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_as_c_reads_it(texts[i]);
}

static void hard_decimals_are_too(void **state)
{
    uint64_t seed = 7;
    char text[DECIMAL_ROOM];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        decimal_random(&seed, text);
        assert_as_c_reads_it(text);
        decimal_near_half(&seed, text);
        assert_as_c_reads_it(text);
    }
}

/* Digits behind those that are kept still decide a tie. */
static void a_text_of_any_length_counts_to_its_last_digit(void **state)
{
    enum { LONG = 5000 };
    char text[LONG + 8];

    (void)state;
    memset(text, '0', LONG);
    memcpy(text, "16777217.", 9);
    text[LONG] = '\0';
    assert_true(hl_number_float(text, LONG) == 16777216.0F);
    text[LONG - 1] = '1';
    assert_true(hl_number_float(text, LONG) == 16777218.0F);
    assert_as_c_reads_it(text);
    memset(text, '9', LONG);
    memcpy(text + LONG, "e-4999", 7);
    assert_as_c_reads_it(text);
    memset(text, '0', LONG);
    memcpy(text, "0.", 2);
    memcpy(text + LONG, "7e4998", 7);
    assert_as_c_reads_it(text);
}

static uint64_t whole(const char *text)
{
    uint64_t value = 12345;

    return hl_number_u64(text, strlen(text), &value) ? value : 12345;
}

static int64_t integer(const char *text)
{
    int64_t value = 12345;

    return hl_number_i64(text, strlen(text), &value) ? value : 12345;
}

static void whole_numbers_are_exact_or_none(void **state)
{
    (void)state;
    assert_int_equal(whole("0"), 0);
    assert_int_equal(whole("-0"), 0);
    assert_true(whole("18446744073709551615") == UINT64_MAX);
    assert_int_equal(whole("18446744073709551616"), 12345);
    assert_int_equal(whole("99999999999999999999"), 12345);
    assert_int_equal(whole("-1"), 12345);
    assert_int_equal(whole("1.0"), 12345);
    assert_int_equal(whole("1e2"), 12345);
    assert_true(integer("9223372036854775807") == INT64_MAX);
    assert_true(integer("-9223372036854775808") == INT64_MIN);
    assert_int_equal(integer("9223372036854775808"), 12345);
    assert_int_equal(integer("-9223372036854775809"), 12345);
    assert_int_equal(integer("-0"), 0);
    assert_int_equal(integer("-17"), -17);
    assert_true(hl_number_is_whole("-12", 3));
    assert_false(hl_number_is_whole("1.5", 3));
    assert_false(hl_number_is_whole("1E5", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reals_are_what_the_c_library_makes_of_the_text),
        cmocka_unit_test(hard_decimals_are_too),
        cmocka_unit_test(a_text_of_any_length_counts_to_its_last_digit),
        cmocka_unit_test(whole_numbers_are_exact_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
