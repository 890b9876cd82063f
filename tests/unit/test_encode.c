/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/encode.h"
#include "proto/fail.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CEILING = 1 << 16 };

static int start(void **state)
{
    static struct hl_buf buf; /* one test at a time */

    hl_buf_init(&buf, CEILING);
    *state = &buf;
    return 0;
}

static int stop(void **state)
{
    hl_failpoint_disarm();
    hl_buf_done(*state);
    return 0;
}

static const char *text_of(struct hl_buf *buf, const char *text, size_t len)
{
    buf->len = 0;
    hl_encode_text(buf, text, len);
    return buf->data;
}

static const char *float_text(struct hl_buf *buf, float value)
{
    buf->len = 0;
    hl_encode_float(buf, value);
    return buf->data;
}

static const char *double_text(struct hl_buf *buf, double value)
{
    buf->len = 0;
    hl_encode_double(buf, value);
    return buf->data;
}

static void strings_are_escaped(void **state)
{
    struct hl_buf *buf = *state;

    assert_string_equal(text_of(buf, "plain", 5), "\"plain\"");
    assert_string_equal(text_of(buf, "", 0), "\"\"");
    assert_string_equal(text_of(buf, "\"\\/", 3), "\"\\\"\\\\/\"");
    assert_string_equal(text_of(buf, "\b\t\n\f\r", 5), "\"\\b\\t\\n\\f\\r\"");
    assert_string_equal(text_of(buf, "a\0b\x1F\x7F", 5), "\"a\\u0000b\\u001f\x7F\"");
    assert_string_equal(text_of(buf, "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", 11),
                        "\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\"");
}

static void bytes_that_are_not_utf_8_become_the_replacement_character(void **state)
{
    struct hl_buf *buf = *state;

    assert_string_equal(text_of(buf, "a\xFFz", 3), "\"a\xEF\xBF\xBDz\"");
    assert_string_equal(text_of(buf, "\xED\xA0\x80", 3),
                        "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    assert_string_equal(text_of(buf, "\xC3", 1), "\"\xEF\xBF\xBD\"");
}

static void integers_keep_all_their_digits(void **state)
{
    struct hl_buf *buf = *state;

    hl_encode_u64(buf, 0);
    hl_buf_add_char(buf, ' ');
    hl_encode_u64(buf, UINT64_MAX);
    hl_buf_add_char(buf, ' ');
    hl_encode_i64(buf, INT64_MIN);
    hl_buf_add_char(buf, ' ');
    hl_encode_i64(buf, INT64_MAX);
    hl_buf_add_char(buf, ' ');
    hl_encode_i64(buf, -1);
    assert_string_equal(buf->data, "0 18446744073709551615 -9223372036854775808 "
                                   "9223372036854775807 -1");
}

static void keys_booleans_and_null_are_plain(void **state)
{
    struct hl_buf *buf = *state;

    hl_encode_key(buf, "a\"b");
    hl_encode_bool(buf, true);
    hl_encode_bool(buf, false);
    hl_encode_null(buf);
    assert_string_equal(buf->data, "\"a\\\"b\":truefalsenull");
}

static void reals_are_printed_as_short_as_they_read_back(void **state)
{
    struct hl_buf *buf = *state;

    assert_string_equal(float_text(buf, 0.1f), "0.1");
    assert_string_equal(float_text(buf, 1.0f), "1.0");
    assert_string_equal(float_text(buf, -0.0f), "-0.0");
    assert_string_equal(float_text(buf, 0.87654321f), "0.8765432");
    assert_string_equal(float_text(buf, 16777216.0f), "16777216.0");
    assert_string_equal(float_text(buf, 1e-7f), "1e-7");
    assert_string_equal(float_text(buf, FLT_MAX), "3.4028235e38");
    assert_string_equal(float_text(buf, 0x1p-149f), "1e-45");
    assert_string_equal(float_text(buf, 123456.78f), "123456.78");
    assert_string_equal(float_text(buf, 0.0001f), "0.0001");
    assert_string_equal(double_text(buf, 0.1), "0.1");
    assert_string_equal(double_text(buf, 1.0 / 3), "0.3333333333333333");
    assert_string_equal(double_text(buf, 5e-324), "5e-324");
    assert_string_equal(double_text(buf, DBL_MAX), "1.7976931348623157e308");
    assert_string_equal(double_text(buf, 1e15), "1000000000000000.0");
    assert_string_equal(double_text(buf, 1e16), "1e16");
    assert_string_equal(double_text(buf, 0.00001), "0.00001");
    assert_string_equal(double_text(buf, 0.000001), "1e-6");
    assert_string_equal(double_text(buf, -1234.5), "-1234.5");
}

/* Two to the minus 44: the nearest decimal of 16 digits lies below and does not read back,
 * the next one does. */
static void a_power_of_two_is_not_printed_a_digit_too_long(void **state)
{
    struct hl_buf *buf = *state;

    assert_string_equal(double_text(buf, 0x1p-44), "5.684341886080802e-14");
    assert_string_equal(float_text(buf, 0x1p-96f), "1.2621775e-29");
}

static void what_json_has_no_word_for_is_null(void **state)
{
    struct hl_buf *buf = *state;

    assert_string_equal(float_text(buf, NAN), "null");
    assert_string_equal(double_text(buf, -HUGE_VAL), "null");
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t digits_in(const char *text)
{
    size_t n = 0, zeros = 0;

    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (*text == '0' && n == 0))
            continue;
        n++;
        zeros = *text == '0' ? zeros + 1 : 0;
    }
    return n - zeros;
}

static size_t fewest_digits(float value)
{
    char text[40];

    for (int n = 0; n < 9; n++) {
        snprintf(text, sizeof text, "%.*e", n, (double)value);
        if (strtof(text, NULL) == value)
            return digits_in(text);
    }
    return 9;
}

static void assert_float_round_trip(struct hl_buf *buf, float value)
{
    float back = strtof(float_text(buf, value), NULL);

    assert_memory_equal(&back, &value, sizeof back);
    assert_true(digits_in(buf->data) <= fewest_digits(value));
}

static void random_reals_read_back_bit_for_bit(void **state)
{
    struct hl_buf *buf = *state;
    uint64_t seed = 20240611;

    for (int i = 0; i < 60000; i++) {
        uint64_t bits = next_random(&seed);
        uint32_t low = (uint32_t)(bits >> 32);
        float single;
        double wide, back;

        memcpy(&single, &low, sizeof single);
        if (isfinite(single))
            assert_float_round_trip(buf, single);
        assert_float_round_trip(buf, (float)(bits >> 40) * 0x1p-24f);
        assert_float_round_trip(buf, (float)(bits >> 40) * 0.0625f);
        memcpy(&wide, &bits, sizeof wide);
        if (!isfinite(wide) || i % 8)
            continue;
        back = strtod(double_text(buf, wide), NULL);
        assert_memory_equal(&back, &wide, sizeof back);
    }
}

/* Where a point stands and no exponent, and no zero behind but the one that has to be. */
static void seconds_are_printed_as_they_were_counted(void **state)
{
    struct hl_buf *buf = *state;
    uint64_t seed = 20261121, us;

    assert_string_equal(double_text(buf, 9e-6), "9e-6");
    for (int i = 0; i < 20000; i++) {
        char wanted[40];
        size_t len;

        us = 10 + next_random(&seed) % (UINT64_C(1) << (10 + i % 39));
        len = (size_t)snprintf(wanted, sizeof wanted, "%" PRIu64 ".%06" PRIu64,
                               us / 1000000, us % 1000000);
        while (wanted[len - 1] == '0' && wanted[len - 2] != '.')
            wanted[--len] = '\0';
        assert_string_equal(double_text(buf, (double)us / 1e6), wanted);
    }
}

static void a_reply_wears_the_envelope(void **state)
{
    struct hl_buf *buf = *state;

    hl_encode_result_begin(buf);
    hl_encode_bool(buf, true);
    hl_encode_result_end(buf, 0.000125);
    assert_string_equal(buf->data, "{\"result\":true,\"status\":\"ok\",\"time\":0.000125}");
}

static void an_error_carries_sentence_and_code(void **state)
{
    struct hl_buf *buf = *state;
    struct hl_err err;

    (void)hl_fail(&err, HL_NOT_FOUND, "Not found: Collection \"x\" doesn't exist!");
    hl_encode_error(buf, &err, 0.5);
    assert_string_equal(buf->data,
                        "{\"status\":{\"error\":\"Not found: Collection \\\"x\\\" doesn't "
                        "exist!\",\"code\":\"not_found\"},\"time\":0.5}");
}

static void a_full_or_failing_buffer_is_remembered(void **state)
{
    struct hl_buf small;
    struct hl_err err;

    (void)state;
    hl_buf_init(&small, 4);
    hl_encode_string(&small, "longer than four");
    hl_encode_double(&small, 0.1);
    assert_int_equal(hl_buf_check(&small, "the reply", &err), HL_TOO_LARGE);
    hl_buf_done(&small);
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &err), HL_OK);
    hl_encode_float(&small, 0.5f);
    assert_int_equal(hl_buf_check(&small, "the reply", &err), HL_NO_MEMORY);
    hl_buf_done(&small);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(strings_are_escaped),
        CASE(bytes_that_are_not_utf_8_become_the_replacement_character),
        CASE(integers_keep_all_their_digits),
        CASE(keys_booleans_and_null_are_plain),
        CASE(reals_are_printed_as_short_as_they_read_back),
        CASE(a_power_of_two_is_not_printed_a_digit_too_long),
        CASE(what_json_has_no_word_for_is_null),
        CASE(random_reals_read_back_bit_for_bit),
        CASE(seconds_are_printed_as_they_were_counted),
        CASE(a_reply_wears_the_envelope),
        CASE(an_error_carries_sentence_and_code),
        CASE(a_full_or_failing_buffer_is_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
