/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/range.h"

#include "proto/datetime.h"
#include "proto/members.h"

#include <float.h>
#include <math.h>

enum bound { BOUND_GT, BOUND_GTE, BOUND_LT, BOUND_LTE };

static const char *const bound_names[] = {"gt", "gte", "lt", "lte"};

/* The order of the members says nothing, so each bound may only tighten what is there. */
static void tighten(struct hl_range *range, enum bound bound, double value)
{
    bool excludes = bound == BOUND_GT || bound == BOUND_LT;

    if (bound == BOUND_GT || bound == BOUND_GTE) {
        if (value < range->low)
            return;
        range->excludes_low = excludes || (value <= range->low && range->excludes_low);
        range->low = value;
    } else {
        if (value > range->high)
            return;
        range->excludes_high = excludes || (value >= range->high && range->excludes_high);
        range->high = value;
    }
}

/* Whole numbers need no open ends: above 3 is from 4 on. Nothing is above the largest, so
 * the range becomes empty. */
static void tighten_times(struct hl_time_range *range, enum bound bound, int64_t us)
{
    if (bound == BOUND_GT)
        us++; /* years have four digits, so this is far from the end */
    if (bound == BOUND_LT)
        us--;
    if ((bound == BOUND_GT || bound == BOUND_GTE) && us > range->low)
        range->low = us;
    if ((bound == BOUND_LT || bound == BOUND_LTE) && us < range->high)
        range->high = us;
}

static void tighten_counts(struct hl_count_range *range, enum bound bound, uint64_t count)
{
    bool is_nothing =
        (bound == BOUND_GT && count == UINT64_MAX) || (bound == BOUND_LT && count == 0);

    if (is_nothing) {
        *range = (struct hl_count_range){UINT64_MAX, 0};
        return;
    }
    if (bound == BOUND_GT)
        count++;
    if (bound == BOUND_LT)
        count--;
    if ((bound == BOUND_GT || bound == BOUND_GTE) && count > range->low)
        range->low = count;
    if ((bound == BOUND_LT || bound == BOUND_LTE) && count < range->high)
        range->high = count;
}

static enum hl_code read_time(const struct hl_field *field, int64_t *ret_us,
                              struct hl_err *err)
{
    struct hl_token got = {.kind = HL_TOKEN_STRING};
    enum hl_code code = hl_field_string(field, &got.text, &got.len, err);

    if (code == HL_OK && !hl_datetime_parse(got.text, got.len, ret_us))
        return hl_field_fail_type(field, "a date and time of RFC 3339", &got, err);
    return code;
}

struct bounds {
    bool is_any_read;
    bool is_time;
    struct hl_range range;
    struct hl_time_range times;
};

static enum hl_code read_bound(const struct hl_field *member, size_t which, void *self,
                               struct hl_err *err)
{
    struct bounds *bounds = self;
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(member, &kind, err);
    double value;
    int64_t us;

    if (code != HL_OK)
        return code;
    if (!bounds->is_any_read)
        bounds->is_time = kind == HL_TOKEN_STRING;
    bounds->is_any_read = true;
    if (bounds->is_time) {
        code = read_time(member, &us, err);
        if (code == HL_OK)
            tighten_times(&bounds->times, (enum bound)which, us);
        return code;
    }
    code = hl_field_double(member, -DBL_MAX, DBL_MAX, &value, err);
    if (code == HL_OK)
        tighten(&bounds->range, (enum bound)which, value);
    return code;
}

enum hl_code hl_range_read(const struct hl_field *field, struct hl_range *ret_range,
                           struct hl_time_range *ret_times, bool *ret_is_time,
                           struct hl_err *err)
{
    static const struct hl_members members = {HL_MEMBERS_OF(bound_names), 0, read_bound};
    struct bounds bounds = {.range = {-HUGE_VAL, HUGE_VAL, false, false},
                            .times = {INT64_MIN, INT64_MAX}};
    enum hl_code code = hl_members_read(field, &members, &bounds, err);

    if (code != HL_OK)
        return code;
    *ret_is_time = bounds.is_time;
    if (bounds.is_time)
        *ret_times = bounds.times;
    else
        *ret_range = bounds.range;
    return HL_OK;
}

static enum hl_code read_count_bound(const struct hl_field *member, size_t which,
                                     void *self, struct hl_err *err)
{
    uint64_t count;
    enum hl_code code = hl_field_u64(member, 0, UINT64_MAX, &count, err);

    if (code == HL_OK)
        tighten_counts(self, (enum bound)which, count);
    return code;
}

enum hl_code hl_count_range_read(const struct hl_field *field,
                                 struct hl_count_range *ret_range, struct hl_err *err)
{
    static const struct hl_members members = {HL_MEMBERS_OF(bound_names), 0,
                                              read_count_bound};
    struct hl_count_range range = {0, UINT64_MAX};
    enum hl_code code = hl_members_read(field, &members, &range, err);

    if (code == HL_OK)
        *ret_range = range;
    return code;
}
