/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_WAY_H
#define HL_SERVER_WAY_H

#include "compat/applier.h"
#include "compat/scale.h"
#include "index/image.h"
#include "server/holdings.h"

/* The way from one model's space into another's, ready to be served: a revision of a
 * bridge, or two of them one behind the other.
 *
 * Immutable once made, counted, any thread. Items go through its mapper, which is its first
 * member and carries its count, so that whoever holds the one holds the other: by the
 * faithful maps, to length 1 between the two bridges. Queries go through its appliers. */
enum { HL_WAY_HOPS = 2 };

struct hl_hop {
    uint32_t from, to; /* spaces */
    uint64_t revision;
};

struct hl_way {
    struct hl_mapper mapper; /* of items */
    struct hl_hop hops[HL_WAY_HOPS];
    size_t n_hops;
    size_t dim_in, dim_out;
    struct hl_bridge *bridges[HL_WAY_HOPS];       /* one for each hop, without its maps */
    struct hl_applier *appliers[HL_N_MODALITIES]; /* text may be the images' */
    float old_weight;         /* of the old query's own vector, where both are sent */
    struct hl_way_desk *desk; /* where items are mapped, one at a time */
};

/* From the records that a reader sees. HL_NOT_FOUND when a bridge is not there, HL_DAMAGED,
 * HL_NO_MEMORY. */
enum hl_code hl_way_load(struct hl_reader *reader, const struct hl_hop *hops, size_t n_hops,
                         struct hl_way **ret_way, struct hl_err *err);
struct hl_way *hl_way_ref(struct hl_way *way);
void hl_way_unref(struct hl_way *way); /* NULL is accepted */

/* Whose mapper it is; NULL is accepted, and answered for one that is of no way. */
struct hl_way *hl_way_of(struct hl_mapper *mapper);

bool hl_way_is(const struct hl_way *way, const struct hl_hop *hops, size_t n_hops);

/* Of a query: at the fidelity, from 0 to 1, or, where that is negative, at the bridges'
 * own. What it comes to, for scales; of a chain the first bridge's. */
float hl_way_fidelity(const struct hl_way *way, float fidelity);

/* What was measured of queries of a modality through it: old_items and new_items by their
 * fidelity. NULL: nothing, as of every chain. bridges[0] has from_own and to_own. */
const struct hl_bridge_way *hl_way_scales(const struct hl_way *way,
                                          enum hl_modality modality);

/* The text that the images by this way are stored with, and the way of such a text: the
 * engine's find_mapper (index/engine.h). */
void hl_way_print(const struct hl_hop *hops, size_t n_hops, struct hl_buf *buf);
enum hl_code hl_way_find_mapper(void *self, struct hl_reader *reader, const char *settings,
                                struct hl_mapper **ret_mapper, struct hl_err *err);

#endif
