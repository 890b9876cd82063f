/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_FLOATS_PART_H
#define HL_PROTO_FLOATS_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What the files that read arrays of numbers share, for them alone. One thread. */

/* What an array is read into. */
struct hl_floats_sink {
    const char *text; /* what is read can be read from here on */
    float *values;
    size_t n_room;
    size_t n;
};

static inline void hl_floats_keep(struct hl_floats_sink *sink, float value)
{
    if (sink->n < sink->n_room)
        sink->values[sink->n] = value;
    sink->n++;
}

enum {
    HL_FLOATS_MIN_TEN = -37,
    HL_FLOATS_MAX_TEN = 19,
    HL_FLOATS_LOW_BITS = 29, /* of a double's mantissa, what a float has no place for */
    HL_FLOATS_SLACK = 4 /* last places of a double that three roundings may be wrong by */
};

/* From 10^HL_FLOATS_MIN_TEN to 10^HL_FLOATS_MAX_TEN. */
extern const double hl_floats_powers[];

/* mantissa * 10^ten, or false when it cannot be told. The integer, the power and their
 * product are each rounded once, so the double is within HL_FLOATS_SLACK last places of the
 * truth. Unless the middle between two floats is as near, both round to the same float. */
static inline bool hl_floats_make(uint64_t mantissa, int ten, bool is_negative,
                                  float *ret_value)
{
    static const double signs[] = {1, -1};
    const uint64_t below_half = (UINT64_C(1) << (HL_FLOATS_LOW_BITS - 1)) - HL_FLOATS_SLACK;
    uint64_t bits;
    double value;

    value = (double)(int64_t)mantissa * hl_floats_powers[ten - HL_FLOATS_MIN_TEN] *
            signs[is_negative];
    memcpy(&bits, &value, sizeof bits);
    if ((bits - below_half) % (UINT64_C(1) << HL_FLOATS_LOW_BITS) <=
        UINT64_C(2) * HL_FLOATS_SLACK)
        return false;
    *ret_value = (float)value;
    return true;
}

/* Reads numbers as nearly all of a vector are, "0.", up to 32 digits and a comma, many at a
 * time, where the processor can (AVX2), as long as the next one starts at `last` or before.
 * Stops before the first that is not so. 128 bytes can be read from `last`. */
const char *hl_floats_plain(const char *at, const char *last, struct hl_floats_sink *sink);

#endif
