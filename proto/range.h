/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_RANGE_H
#define HL_PROTO_RANGE_H

#include "proto/field.h"

#include <stdbool.h>
#include <stdint.h>

/* Ranges of a filter, read from `{"gt":…,"gte":…,"lt":…,"lte":…}`. Plain data. Where both
 * `gt` and `gte` stand, the tighter bound holds; without one the range is open to that
 * side. */

/* `low` and `high` may be infinite. */
struct hl_range {
    double low;
    double high;
    bool excludes_low;
    bool excludes_high;
};

/* Both ends belong to it; empty when low > high. INT64_MIN and INT64_MAX: open. Moments are
 * microseconds since 1970 in UTC. */
struct hl_time_range {
    int64_t low;
    int64_t high;
};

/* Likewise; 0 and UINT64_MAX: open. */
struct hl_count_range {
    uint64_t low;
    uint64_t high;
};

/* Numbers, or date and time strings: the first bound decides, and *ret_is_time says which
 * of the two is filled. No bound at all is a range of numbers open to both sides. */
enum hl_code hl_range_read(const struct hl_field *field, struct hl_range *ret_range,
                           struct hl_time_range *ret_times, bool *ret_is_time,
                           struct hl_err *err);

enum hl_code hl_count_range_read(const struct hl_field *field,
                                 struct hl_count_range *ret_range, struct hl_err *err);

static inline bool hl_range_has(const struct hl_range *range, double value)
{
    return (range->excludes_low ? value > range->low : value >= range->low) &&
           (range->excludes_high ? value < range->high : value <= range->high);
}

#endif
