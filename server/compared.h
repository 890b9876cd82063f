/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_COMPARED_H
#define HL_SERVER_COMPARED_H

#include "proto/feedback.h"
#include "proto/id.h"
#include "server/rollout.h"

/* What two models answered to the last queries that were compared, by the id of the
 * request, so that whoever learns later what was relevant can say so.
 *
 * Bounded: the newest HL_COMPARED_KEPT are remembered, and none after a restart. One
 * thread at a time: its owner guards it. */
enum { HL_COMPARED_KEPT = 4096, HL_COMPARED_HITS = 10 };

enum hl_side { HL_SIDE_FROM, HL_SIDE_TO, HL_N_SIDES };

/* What is first in it is what it is known by. */
struct hl_compared {
    char query_id[HL_QUERY_ID_MAX + 1];
    uint32_t place; /* of the query, in a batch */

    enum hl_stage stage; /* that it was asked in, */
    uint64_t begun;      /* and which of those: as hl_counts has it */
    bool is_new_served;  /* the caller was answered by `to` */
    bool is_counted;     /* somebody said what was relevant */
    uint8_t n[HL_N_SIDES];
    struct hl_id hits[HL_N_SIDES][HL_COMPARED_HITS]; /* best first */
};

struct hl_compared_ring;

struct hl_compared_ring *hl_compared_ring_new(void);       /* NULL: no memory */
void hl_compared_ring_free(struct hl_compared_ring *ring); /* NULL is accepted */

/* A copy of it is remembered, in the place of the oldest when there are too many, and in
 * the place of one that is known by the same. */
void hl_compared_ring_add(struct hl_compared_ring *ring, const struct hl_compared *item);

/* NULL: it was not compared, or is forgotten. Good until the next is added. */
struct hl_compared *hl_compared_ring_find(struct hl_compared_ring *ring,
                                          const struct hl_text *query_id, uint32_t place);

#endif
