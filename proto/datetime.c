/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/datetime.h"

enum {
    MINUTE = 60,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR,
    US_DIGITS = 6,
    DAYS_BEFORE_1970 = 719468, /* since 1 March of the year 0 */
    DAYS_IN_400_YEARS = 146097
};

struct cursor {
    const char *text;
    size_t len;
    size_t at;
};

struct moment {
    int64_t year, month, day, hour, minute, second;
    int64_t us;
    int64_t offset_s;
};

static bool is_digit_next(const struct cursor *cursor)
{
    return cursor->at < cursor->len && cursor->text[cursor->at] >= '0' &&
           cursor->text[cursor->at] <= '9';
}

static bool take_char(struct cursor *cursor, const char *chars)
{
    for (; *chars && cursor->at < cursor->len; chars++) {
        if (cursor->text[cursor->at] == *chars) {
            cursor->at++;
            return true;
        }
    }
    return false;
}

/* One digit at least and so many at most. */
static bool take_number(struct cursor *cursor, int max_digits, int64_t *ret_value)
{
    int64_t value = 0;
    int n = 0;

    for (; n < max_digits && is_digit_next(cursor); n++)
        value = value * 10 + (cursor->text[cursor->at++] - '0');
    *ret_value = value;
    return n > 0;
}

static bool take_fraction(struct cursor *cursor, int64_t *ret_us)
{
    int n = 0;

    *ret_us = 0;
    for (; is_digit_next(cursor); n++) {
        if (n < US_DIGITS)
            *ret_us = *ret_us * 10 + (cursor->text[cursor->at] - '0');
        cursor->at++;
    }
    for (int i = n; i < US_DIGITS; i++)
        *ret_us *= 10;
    return n > 0;
}

static bool take_offset(struct cursor *cursor, int64_t *ret_offset_s)
{
    bool is_west;
    int64_t hours, minutes = 0;

    *ret_offset_s = 0;
    if (take_char(cursor, "Zz"))
        return true;
    is_west = take_char(cursor, "-");
    if (!is_west && !take_char(cursor, "+"))
        return false;
    if (!take_number(cursor, 2, &hours))
        return false;
    if (take_char(cursor, ":") || is_digit_next(cursor)) {
        if (!take_number(cursor, 2, &minutes))
            return false;
    }
    *ret_offset_s = (hours * HOUR + minutes * MINUTE) * (is_west ? -1 : 1);
    return hours < 24 && minutes < 60;
}

static bool take_date(struct cursor *cursor, struct moment *moment)
{
    return take_number(cursor, 4, &moment->year) && take_char(cursor, "-") &&
           take_number(cursor, 2, &moment->month) && take_char(cursor, "-") &&
           take_number(cursor, 2, &moment->day);
}

static bool take_time(struct cursor *cursor, struct moment *moment)
{
    bool is_spaced = take_char(cursor, " ");

    if (!is_spaced && !take_char(cursor, "Tt"))
        return false;
    if (!take_number(cursor, 2, &moment->hour) || !take_char(cursor, ":") ||
        !take_number(cursor, 2, &moment->minute))
        return false;
    if (cursor->at == cursor->len)
        return is_spaced;
    if (!take_char(cursor, ":") || !take_number(cursor, 2, &moment->second))
        return false;
    if (take_char(cursor, ".") && !take_fraction(cursor, &moment->us))
        return false;
    return cursor->at == cursor->len ||
           (take_offset(cursor, &moment->offset_s) && cursor->at == cursor->len);
}

static int64_t days_in_month(int64_t year, int64_t month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && is_leap ? 29 : days[month - 1];
}

/* A second 60 is a leap second: the moment behind second 59. */
static bool is_sound(const struct moment *m)
{
    return m->month >= 1 && m->month <= 12 && m->day >= 1 &&
           m->day <= days_in_month(m->year, m->month) && m->hour < 24 && m->minute < 60 &&
           m->second <= 60;
}

/* Years begin in March here, so that the day a leap year adds is a year's last. */
static int64_t days_since_1970(const struct moment *m)
{
    int64_t year = m->month > 2 ? m->year : m->year - 1;
    int64_t month = (m->month + 9) % 12;
    int64_t era = (year + 400) / 400 - 1;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * month + 2) / 5 + m->day - 1;

    return era * DAYS_IN_400_YEARS + year_of_era * 365 + year_of_era / 4 -
           year_of_era / 100 + day_of_year - DAYS_BEFORE_1970;
}

bool hl_datetime_parse(const char *text, size_t len, int64_t *ret_us)
{
    struct cursor cursor = {text, len, 0};
    struct moment m = {0};
    int64_t seconds;

    if (!take_date(&cursor, &m))
        return false;
    if (cursor.at < cursor.len && !take_time(&cursor, &m))
        return false;
    if (!is_sound(&m))
        return false;
    seconds = days_since_1970(&m) * DAY + m.hour * HOUR + m.minute * MINUTE + m.second -
              m.offset_s;
    *ret_us = seconds * 1000000 + m.us;
    return true;
}
