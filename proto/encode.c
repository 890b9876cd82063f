/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"

#include "proto/json.h"
#include "proto/utf8.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLOAT_SAFE_DIGITS = 6, /* any decimal of so many survives being a float */
    FLOAT_MAX_DIGITS = 9,  /* and so many tell any two floats apart */
    DOUBLE_SAFE_DIGITS = 15,
    DOUBLE_MAX_DIGITS = 17,
    NUMBER_ROOM = 40, /* "-d.dddddddddddddddde-324" and "0.0000ddddddddddddddddd" */
    FIRST_FIXED = -4, /* smaller than 0.00001 and 1e16 or larger take an exponent */
    LAST_FIXED = 16,
};

/* A decimal under test: digits * 10^exponent. */
struct decimal {
    uint64_t digits;
    int exponent;
};

static bool is_plain(unsigned char c)
{
    return c >= 0x20U && c < 0x80U && c != '"' && c != '\\';
}

static void add_escaped(struct hl_buf *buf, unsigned char c)
{
    static const char letters[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    char two[2] = {'\\', (char)c};

    if (c < 0x20U && !letters[c]) {
        hl_buf_print(buf, "\\u%04x", (unsigned)c);
        return;
    }
    if (c < 0x20U)
        two[1] = letters[c];
    hl_buf_add(buf, two, sizeof two);
}

void hl_encode_text(struct hl_buf *buf, const char *text, size_t len)
{
    size_t at = 0;

    hl_buf_add_char(buf, '"');
    while (at < len) {
        size_t from = at, n = 1;

        while (at < len && is_plain((unsigned char)text[at]))
            at++;
        hl_buf_add(buf, text + from, at - from);
        if (at == len)
            break;
        if ((unsigned char)text[at] < 0x80U) {
            add_escaped(buf, (unsigned char)text[at]);
        } else {
            n = hl_utf8_char_len(text + at, len - at);
            hl_buf_add(buf, n ? text + at : "\xEF\xBF\xBD", n ? n : 3);
        }
        at += n ? n : 1;
    }
    hl_buf_add_char(buf, '"');
}

void hl_encode_string(struct hl_buf *buf, const char *text)
{
    hl_encode_text(buf, text, strlen(text));
}

void hl_encode_key(struct hl_buf *buf, const char *name)
{
    hl_encode_string(buf, name);
    hl_buf_add_char(buf, ':');
}

void hl_encode_u64(struct hl_buf *buf, uint64_t value)
{
    char text[20];
    size_t at = sizeof text;

    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    hl_buf_add(buf, text + at, sizeof text - at);
}

void hl_encode_i64(struct hl_buf *buf, int64_t value)
{
    if (value < 0)
        hl_buf_add_char(buf, '-');
    hl_encode_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void hl_encode_bool(struct hl_buf *buf, bool value)
{
    hl_buf_add_text(buf, value ? "true" : "false");
}

void hl_encode_null(struct hl_buf *buf)
{
    hl_buf_add_text(buf, "null");
}

/* `digits` as d, d.d, 0.00d or de±x, with the decimal point before digit `point`. */
static void add_decimal(struct hl_buf *buf, struct decimal number)
{
    char digits[24];
    int n, point;

    while (number.digits % 10 == 0) {
        number.digits /= 10;
        number.exponent++;
    }
    n = snprintf(digits, sizeof digits, "%" PRIu64, number.digits);
    point = n + number.exponent;
    if (point < FIRST_FIXED || point > LAST_FIXED)
        hl_buf_print(buf, "%.1s%s%se%d", digits, n > 1 ? "." : "", digits + 1, point - 1);
    else if (point <= 0)
        hl_buf_print(buf, "0.%.*s%s", -point, "0000", digits);
    else if (point >= n)
        hl_buf_print(buf, "%s%.*s.0", digits, point - n, "0000000000000000");
    else
        hl_buf_print(buf, "%.*s.%s", point, digits, digits + point);
}

/* Written without a decimal point, which the locale could have its own idea of. */
static bool reads_back(struct decimal number, double value, bool is_float)
{
    char text[NUMBER_ROOM];

    snprintf(text, sizeof text, "%" PRIu64 "e%d", number.digits, number.exponent);
    if (is_float)
        return strtof(text, NULL) == (float)value;
    return strtod(text, NULL) == value;
}

/* `value` rounded to `n_digits` digits; again the locale's point is stepped over. */
static struct decimal round_to(double value, int n_digits)
{
    struct decimal number = {0, 0};
    char text[NUMBER_ROOM];
    const char *at = text;

    snprintf(text, sizeof text, "%.*e", n_digits - 1, value);
    for (; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            number.digits = number.digits * 10 + (uint64_t)(*at - '0');
    number.exponent = (int)strtol(at + 1, NULL, 10) - (n_digits - 1);
    return number;
}

/* The interval of decimals that read back is lopsided at a power of two: the nearest short
 * decimal may lie outside on the narrow side while the next one up is inside. */
static bool is_power_of_two(double value)
{
    int exponent;

    return frexp(value, &exponent) == 0.5;
}

static struct decimal shortest(double value, int from, int to, bool is_float)
{
    struct decimal number;

    for (int n_digits = from; n_digits < to; n_digits++) {
        number = round_to(value, n_digits);
        if (reads_back(number, value, is_float))
            return number;
        number.digits++;
        if (is_power_of_two(value) && reads_back(number, value, is_float))
            return number;
    }
    return round_to(value, to);
}

/* Exactly half way, where rounding twice is not rounding once. */
static bool is_between_floats(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x1FFFFFFFU) == 0x10000000U;
}

/* Scores and coordinates of everyday size without a call to the C library: 24 bits times a
 * power of ten up to 12 is exact in a double, so the rounding to n digits is too, and so is
 * the judgement whether it reads back, unless digits / power falls between two floats. */
static bool shortest_everyday(double value, struct decimal *ret_number)
{
    static const double tens[] = {1e0, 1e1, 1e2, 1e3,  1e4,  1e5, 1e6,
                                  1e7, 1e8, 1e9, 1e10, 1e11, 1e12};
    int magnitude = 0;

    if (value < 1e-4 || value >= 1e6 || is_power_of_two(value))
        return false;
    while (value >= tens[magnitude + 1])
        magnitude++;
    while (magnitude <= 0 && value * tens[-magnitude] < 1)
        magnitude--;
    for (int n_digits = FLOAT_SAFE_DIGITS; n_digits <= FLOAT_MAX_DIGITS; n_digits++) {
        int places = n_digits - 1 - magnitude;
        uint64_t digits = (uint64_t)(value * tens[places] + 0.5);
        double back = (double)digits / tens[places];

        if (is_between_floats(back))
            return false;
        if ((double)(float)back == value) {
            *ret_number = (struct decimal){digits, -places};
            return true;
        }
    }
    return false;
}

static void add_real(struct hl_buf *buf, double value, bool is_float)
{
    struct decimal number;

    if (!isfinite(value)) {
        hl_encode_null(buf);
        return;
    }
    if (signbit(value))
        hl_buf_add_char(buf, '-');
    value = fabs(value);
    if (value == 0)
        hl_buf_add_text(buf, "0.0");
    else if (is_float && shortest_everyday(value, &number))
        add_decimal(buf, number);
    else if (is_float)
        add_decimal(buf, shortest(value, value < (double)FLT_MIN ? 1 : FLOAT_SAFE_DIGITS,
                                  FLOAT_MAX_DIGITS, is_float));
    else
        add_decimal(buf, shortest(value, value < DBL_MIN ? 1 : DOUBLE_SAFE_DIGITS,
                                  DOUBLE_MAX_DIGITS, is_float));
}

void hl_encode_float(struct hl_buf *buf, float value)
{
    add_real(buf, (double)value, true);
}

void hl_encode_double(struct hl_buf *buf, double value)
{
    add_real(buf, value, false);
}

void hl_encode_result_begin(struct hl_buf *buf)
{
    hl_buf_add_text(buf, "{\"result\":");
}

void hl_encode_result_end(struct hl_buf *buf, double seconds)
{
    hl_buf_add_text(buf, ",\"status\":\"ok\",\"time\":");
    hl_encode_double(buf, seconds);
    hl_buf_add_char(buf, '}');
}

void hl_encode_error(struct hl_buf *buf, const struct hl_err *err, double seconds)
{
    hl_buf_add_text(buf, "{\"status\":{\"error\":");
    hl_encode_string(buf, err->msg);
    hl_buf_add_text(buf, ",\"code\":");
    hl_encode_string(buf, hl_code_name(err->code));
    hl_buf_add_text(buf, "},\"time\":");
    hl_encode_double(buf, seconds);
    hl_buf_add_char(buf, '}');
}

const char *hl_encode_library_version(void)
{
    return hl_json_library_version();
}
