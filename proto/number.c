/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/number.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    /* A number half way between two doubles has at most 767 significant digits, between two
     * floats 113. What comes after so many can only say "a little more than that". */
    KEPT_DIGITS = 800,
    PLAIN_ROOM = KEPT_DIGITS + 32,
    FAR_EXPONENT = 99999, /* beyond any double, with all digits that a body can hold */
};

/* Copies the number as [-]DIGITSe±X: terminated, of bounded length, and without the decimal
 * point, for which the C library asks the locale. Its value rounds as the source's does. */
struct plain {
    char text[PLAIN_ROOM];
    size_t n;
    int64_t exponent;
    bool lost_something;
    bool is_behind_point;
};

static void add_digit(struct plain *plain, size_t first, char digit)
{
    if (plain->n == first && digit == '0') {
        plain->exponent -= plain->is_behind_point;
    } else if (plain->n - first < KEPT_DIGITS) {
        plain->text[plain->n++] = digit;
        plain->exponent -= plain->is_behind_point;
    } else {
        plain->lost_something |= digit != '0';
        plain->exponent += !plain->is_behind_point;
    }
}

static int64_t read_exponent(const char *text, size_t len)
{
    size_t at = len && (text[0] == '-' || text[0] == '+');
    int64_t value = 0;

    for (; at < len; at++)
        if (value < INT64_MAX / 16)
            value = value * 10 + (text[at] - '0');
    return len && text[0] == '-' ? -value : value;
}

static void write_plain(struct plain *plain, const char *text, size_t len)
{
    size_t at = 0, first;

    *plain = (struct plain){.n = 0};
    if (len && text[0] == '-')
        plain->text[plain->n++] = text[at++];
    first = plain->n;
    for (; at < len && text[at] != 'e' && text[at] != 'E'; at++) {
        if (text[at] == '.')
            plain->is_behind_point = true;
        else
            add_digit(plain, first, text[at]);
    }
    if (at < len)
        plain->exponent += read_exponent(text + at + 1, len - at - 1);
    if (plain->lost_something) {
        plain->text[plain->n++] = '1';
        plain->exponent--;
    }
    if (plain->n == first) {
        plain->text[plain->n++] = '0';
        plain->exponent = 0;
    }
    if (plain->exponent > FAR_EXPONENT)
        plain->exponent = FAR_EXPONENT;
    if (plain->exponent < -FAR_EXPONENT)
        plain->exponent = -FAR_EXPONENT;
    snprintf(plain->text + plain->n, PLAIN_ROOM - plain->n, "e%d", (int)plain->exponent);
}

float hl_number_float(const char *text, size_t len)
{
    struct plain plain;

    write_plain(&plain, text, len);
    return strtof(plain.text, NULL);
}

double hl_number_double(const char *text, size_t len)
{
    struct plain plain;

    write_plain(&plain, text, len);
    return strtod(plain.text, NULL);
}

bool hl_number_is_whole(const char *text, size_t len)
{
    for (size_t at = len && text[0] == '-'; at < len; at++)
        if (text[at] < '0' || text[at] > '9')
            return false;
    return true;
}

static bool read_magnitude(const char *text, size_t len, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t at = 0; at < len; at++) {
        uint64_t digit = (uint64_t)(text[at] - '0');

        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret_value = value;
    return true;
}

bool hl_number_u64(const char *text, size_t len, uint64_t *ret_value)
{
    bool is_negative = len && text[0] == '-';
    uint64_t magnitude;

    if (!hl_number_is_whole(text, len) ||
        !read_magnitude(text + is_negative, len - is_negative, &magnitude) ||
        (is_negative && magnitude != 0))
        return false;
    *ret_value = magnitude;
    return true;
}

bool hl_number_i64(const char *text, size_t len, int64_t *ret_value)
{
    bool is_negative = len && text[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + is_negative, magnitude;

    if (!hl_number_is_whole(text, len) ||
        !read_magnitude(text + is_negative, len - is_negative, &magnitude) ||
        magnitude > limit)
        return false;
    if (is_negative && magnitude)
        *ret_value = -(int64_t)(magnitude - 1) - 1;
    else
        *ret_value = (int64_t)magnitude;
    return true;
}

size_t hl_number_digits(uint64_t value, char text[HL_NUMBER_DIGITS])
{
    size_t at = HL_NUMBER_DIGITS;

    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    return at;
}
