/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_DEADLINE_H
#define HL_PROTO_DEADLINE_H

#include "proto/err.h"

#include <stdatomic.h>
#include <stdint.h>

/* Time and patience, handed in.
 *
 * Nothing below server/ asks the system what time it is or decides how long is too long: it
 * is given a clock and a deadline, and asks the deadline inside its loops. */

/* A monotonic clock; only differences mean anything. Called from any thread. */
struct hl_clock {
    int64_t (*now_us)(void *self);
    void *self;
};

static inline int64_t hl_clock_now(const struct hl_clock *clock)
{
    return clock->now_us(clock->self);
}

#define HL_DEADLINE_NEVER INT64_MAX

/* Borrowed by the work it bounds; `cancelled` may be set from any thread, or be NULL. */
struct hl_deadline {
    const struct hl_clock *clock;
    int64_t at_us; /* HL_DEADLINE_NEVER: as long as it takes */
    const atomic_bool *cancelled;
};

/* HL_OK while there is time, else HL_CANCELLED or HL_TIMEOUT with "WHAT …". */
enum hl_code hl_deadline_check(const struct hl_deadline *deadline, const char *what,
                               struct hl_err *err);

/* Microseconds left, 0 when none are, HL_DEADLINE_NEVER when there is no end. */
int64_t hl_deadline_left_us(const struct hl_deadline *deadline);

#endif
