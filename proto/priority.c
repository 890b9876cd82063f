/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/priority.h"

#include <sys/resource.h>

enum { BEHIND_NICE = 10, LAST_NICE = 19 };

void hl_priority_set(enum hl_priority priority)
{
    const int nice = priority == HL_PRIORITY_BEHIND ? BEHIND_NICE : LAST_NICE;

    if (getpriority(PRIO_PROCESS, 0) < nice)
        (void)setpriority(PRIO_PROCESS, 0,
                          nice); /* of this thread alone, as Linux has it */
}
