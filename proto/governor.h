/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_GOVERNOR_H
#define HL_PROTO_GOVERNOR_H

#include "proto/deadline.h"
#include "proto/err.h"

/* Long work that gives way to whoever wants to run, and is not starved by it.
 *
 * A low priority is a share, not an order: a thread of it that runs is let run for some
 * milliseconds whoever wakes up meanwhile. Under the policy for idle time (SCHED_IDLE) it
 * makes way at once, but gets a three-hundredth of a processor that others keep busy. So
 * threads work under that policy, and the governor, which has a thread of its own, looks at
 * them four times a second: who is ready to run and had less than a tenth of a processor
 * gets the policy of the others, and with it the share of its niceness, for a second.
 *
 * To come back from the policy takes the right to a niceness (CAP_SYS_NICE, or RLIMIT_NICE
 * of 10). Without it, found out at the beginning, nobody is put under it, and niceness is
 * all there is.
 *
 * Any thread may call these. A thread that waits for the governor waits for nobody else. */
struct hl_governor;
struct hl_governed;

/* The clock is CLOCK_MONOTONIC's, and outlives it. */
enum hl_code hl_governor_new(const struct hl_clock *clock,
                             struct hl_governor **ret_governor, struct hl_err *err);
void hl_governor_free(struct hl_governor *governor); /* all have left; NULL is accepted */

/* The calling thread begins long work, after its niceness was set, and ends it. NULL, which
 * hl_governor_leave takes: there is no governor, no way back or no room. */
struct hl_governed *hl_governor_enter(struct hl_governor *governor);
void hl_governor_leave(struct hl_governed *governed);

#endif
