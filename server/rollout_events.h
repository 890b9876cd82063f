/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ROLLOUT_EVENTS_H
#define HL_SERVER_ROLLOUT_EVENTS_H

#include "index/store.h"
#include "proto/buf.h"

/* What happened to the rollouts of a collection: who did what, when, why, by which figures.
 * An event is written by the commit that it tells of. Numbers count from 1; the last
 * HL_MOST_EVENTS are kept. */
enum { HL_MOST_EVENTS = 10000 };

/* `{"events":[…],"last":N}`: those with a number above `since`, the first `limit` of them.
 * Reads the disk. */
enum hl_code hl_rollout_events_print(struct hl_reader *reader, uint64_t since,
                                     uint64_t limit, struct hl_buf *buf,
                                     struct hl_err *err);

#endif
