/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/deadline.h"

#include <stdbool.h>

int64_t hl_deadline_left_us(const struct hl_deadline *deadline)
{
    int64_t now;

    if (deadline->at_us == HL_DEADLINE_NEVER)
        return HL_DEADLINE_NEVER;
    now = hl_clock_now(deadline->clock);
    return now >= deadline->at_us ? 0 : deadline->at_us - now;
}

enum hl_code hl_deadline_check(const struct hl_deadline *deadline, const char *what,
                               struct hl_err *err)
{
    if (deadline->cancelled && atomic_load(deadline->cancelled))
        return hl_fail(err, HL_CANCELLED, "%s was cancelled", what);
    if (hl_deadline_left_us(deadline) == 0)
        return hl_fail(err, HL_TIMEOUT, "%s took longer than it was given", what);
    return HL_OK;
}
