/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"

#include "proto/json.h"
#include "proto/number.h"
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
    char text[HL_NUMBER_DIGITS];
    size_t at = hl_number_digits(value, text);

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

/* The pieces of a number, one behind the other. */
struct print {
    char text[NUMBER_ROOM];
    size_t len;
};

static void put(struct print *print, const char *text, size_t n)
{
    memcpy(print->text + print->len, text, n);
    print->len += n;
}

static void put_zeros(struct print *print, int n)
{
    memset(print->text + print->len, '0', (size_t)n);
    print->len += (size_t)n;
}

static void put_exponent(struct print *print, int exponent)
{
    char digits[HL_NUMBER_DIGITS];
    size_t at;

    put(print, exponent < 0 ? "e-" : "e", exponent < 0 ? 2 : 1);
    at = hl_number_digits((uint64_t)(exponent < 0 ? -exponent : exponent), digits);
    put(print, digits + at, sizeof digits - at);
}

/* `digits` as d, d.d, 0.00d or de±x, with the decimal point before digit `point`. Scores
 * are most of a reply, and printf takes five times as long. */
static void add_decimal(struct hl_buf *buf, struct decimal number)
{
    char digits[HL_NUMBER_DIGITS];
    struct print print = {.len = 0};
    const char *first;
    int n, point;

    while (number.digits % 10 == 0) {
        number.digits /= 10;
        number.exponent++;
    }
    first = digits + hl_number_digits(number.digits, digits);
    n = (int)(digits + sizeof digits - first);
    point = n + number.exponent;
    if (point < FIRST_FIXED || point > LAST_FIXED) {
        put(&print, first, 1);
        put(&print, ".", n > 1);
        put(&print, first + 1, (size_t)n - 1);
        put_exponent(&print, point - 1);
    } else if (point <= 0) {
        put(&print, "0.", 2);
        put_zeros(&print, -point);
        put(&print, first, (size_t)n);
    } else if (point >= n) {
        put(&print, first, (size_t)n);
        put_zeros(&print, point - n);
        put(&print, ".0", 2);
    } else {
        put(&print, first, (size_t)point);
        put(&print, ".", 1);
        put(&print, first + point, (size_t)(n - point));
    }
    hl_buf_add(buf, print.text, print.len);
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

/* Seconds that were counted in millionths, likewise: up to 15 digits are the only ones of
 * so few that read back. */
static bool shortest_of_millionths(double value, struct decimal *ret_number)
{
    const double million = 1e6;
    uint64_t digits;

    if (value < 1 / million || value >= 1e9)
        return false;
    digits = (uint64_t)(value * million + 0.5);
    *ret_number = (struct decimal){digits, -6};
    return (double)digits / million == value;
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
    else if (is_float ? shortest_everyday(value, &number)
                      : shortest_of_millionths(value, &number))
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
