/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_STILL_H
#define HL_TESTS_SUPPORT_STILL_H

#include "proto/deadline.h"

/* A clock that stands still at 0, and a deadline that never comes by it. */
static inline int64_t hl_still_now(void *self)
{
    (void)self;
    return 0;
}

static const struct hl_clock hl_still = {hl_still_now, NULL};
static const struct hl_deadline never = {&hl_still, HL_DEADLINE_NEVER, NULL};

#endif
