/* SPDX-License-Identifier: Apache-2.0 */
#include "index/field_keys.h"

#include "proto/datetime.h"
#include "proto/number.h"

#include <math.h>
#include <string.h>

static const uint64_t top_bit = (uint64_t)1 << 63;

uint64_t hl_key_of_integer(int64_t integer)
{
    return (uint64_t)integer ^ top_bit;
}

int64_t hl_integer_of_key(uint64_t key)
{
    int64_t integer;

    key ^= top_bit;
    memcpy(&integer, &key, sizeof integer);
    return integer;
}

/* The bits of doubles are in order but for the sign; both zeros are one value. */
uint64_t hl_key_of_double(double value)
{
    uint64_t bits;

    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits & top_bit ? ~bits : bits | top_bit;
}

double hl_double_of_key(uint64_t key)
{
    double value;

    key = key & top_bit ? key ^ top_bit : ~key;
    memcpy(&value, &key, sizeof value);
    return value;
}

uint32_t hl_key_belt(double lat)
{
    return (uint32_t)((fmin(fmax(lat, -90), 90) + 90) / 180 * (HL_KEY_BELTS - 1));
}

static uint64_t key_of_lon(double lon)
{
    return (uint64_t)((fmin(fmax(lon, -180), 180) + 180) / 360 * UINT32_MAX);
}

struct hl_keys hl_keys_of_belt(uint32_t belt, double west, double east)
{
    uint64_t first = (uint64_t)belt << 32;

    return (struct hl_keys){first | key_of_lon(west), first | key_of_lon(east)};
}

bool hl_key_of_value(enum hl_field_kind kind, const struct hl_value *value,
                     uint64_t *ret_key, struct hl_geo_point *point)
{
    int64_t integer;

    switch (kind) {
    case HL_FIELD_INTEGER:
        if (value->kind != HL_TOKEN_NUMBER ||
            !hl_number_i64(value->text, value->len, &integer))
            return false;
        *ret_key = hl_key_of_integer(integer);
        return true;
    case HL_FIELD_FLOAT:
        if (value->kind != HL_TOKEN_NUMBER)
            return false;
        *ret_key = hl_key_of_double(hl_number_double(value->text, value->len));
        return true;
    case HL_FIELD_DATETIME:
        if (value->kind != HL_TOKEN_STRING ||
            !hl_datetime_parse(value->text, value->len, &integer))
            return false;
        *ret_key = hl_key_of_integer(integer);
        return true;
    case HL_FIELD_GEO:
        if (!hl_geo_of_value(value, point))
            return false;
        *ret_key = (uint64_t)hl_key_belt(point->lat) << 32 | key_of_lon(point->lon);
        return true;
    case HL_FIELD_KEYWORD:
    case HL_FIELD_UUID:
    case HL_FIELD_BOOL:
        break;
    }
    return false;
}

struct hl_keys hl_keys_of_times(const struct hl_time_range *times)
{
    return (struct hl_keys){hl_key_of_integer(times->low), hl_key_of_integer(times->high)};
}

/* How many integers, from the smallest on, are below the range, or not above it. As
 * doubles they never fall, so halving finds the border exactly. */
static uint64_t count_integers(const struct hl_range *range, bool is_end)
{
    uint64_t low = 0, high = UINT64_MAX;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        double value = (double)hl_integer_of_key(middle);
        bool is_before;

        if (is_end)
            is_before = range->excludes_high ? value < range->high : value <= range->high;
        else
            is_before = range->excludes_low ? value <= range->low : value < range->low;
        if (is_before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct hl_keys keys_of_integers(const struct hl_range *range)
{
    static const struct hl_keys none = {1, 0};
    uint64_t low = count_integers(range, false), end = count_integers(range, true);
    double largest = (double)INT64_MAX;

    /* The halving does not look at the largest key. */
    if (end == UINT64_MAX && hl_range_has(range, largest))
        return (struct hl_keys){low, UINT64_MAX};
    return end > low ? (struct hl_keys){low, end - 1} : none;
}

struct hl_keys hl_keys_of_range(enum hl_field_kind kind, const struct hl_range *range)
{
    struct hl_keys keys;

    if (kind == HL_FIELD_INTEGER)
        return keys_of_integers(range);
    keys.low = hl_key_of_double(range->low) + range->excludes_low;
    keys.high = hl_key_of_double(range->high) - range->excludes_high;
    return keys;
}
