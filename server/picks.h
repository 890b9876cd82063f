/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_PICKS_H
#define HL_SERVER_PICKS_H

#include "proto/arena.h"
#include "proto/id.h"

#include <stddef.h>
#include <stdint.h>

/* The points with the smallest keys among any number of them: no more memory than for those
 * that are kept. Equal keys go by id, so what comes out does not depend on the order in
 * which points were added. One thread. */
struct hl_pick {
    uint64_t key;
    struct hl_id id;
    uint32_t number;
};

struct hl_picks {
    struct hl_pick *all; /* a heap, the largest first, until it is sorted */
    size_t n, room;
};

/* In the arena; `room` may be 0: then nothing is kept. */
enum hl_code hl_picks_init(struct hl_picks *picks, size_t room, struct hl_arena *arena,
                           struct hl_err *err);
void hl_picks_add(struct hl_picks *picks, const struct hl_pick *pick);

/* Smallest key first; nothing is added behind it. */
void hl_picks_sort(struct hl_picks *picks);

/* A key by chance: that of a point is the same wherever and whenever it is drawn. */
uint64_t hl_pick_chance(uint64_t seed, const struct hl_id *id);

#endif
