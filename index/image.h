/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_IMAGE_H
#define HL_INDEX_IMAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one model's vectors are in another model's space.
 *
 * In a space a point has one row: its own vector, or, where there is none, the image of the
 * vector of another model. Images are rows of a space of their own, stored like any other,
 * so that they are committed with what they follow from, sealed, merged, found again after
 * a restart and in snapshots. A point's images are put right by every change that touches
 * it. Callers never see an image as a vector of the point. */

/* The way from one space into another, handed in by whoever knows bridges. Immutable,
 * counted, any thread. */
struct hl_mapper {
    atomic_size_t n_refs;
    /* A vector of length 1 into one of length 1. */
    void (*map)(const struct hl_mapper *mapper, const float *in, float *out);
    void (*free)(struct hl_mapper *mapper); /* when the last reference goes */
};

struct hl_mapper *hl_mapper_ref(struct hl_mapper *mapper);
void hl_mapper_unref(struct hl_mapper *mapper); /* NULL is accepted */

/* Something of the server's that is published together with a layout: how its images are
 * searched. It stands at the beginning of what the server makes of it. Immutable, counted,
 * any thread. */
struct hl_companion {
    atomic_size_t n_refs;
    void (*free)(struct hl_companion *companion);
};

struct hl_companion *hl_companion_ref(struct hl_companion *companion);
void hl_companion_unref(struct hl_companion *companion); /* NULL is accepted */

/* What a space is an image of. `into` 0: it is none.
 *
 * Images that are not served are being made while others of the same space are searched:
 * they take their place all at once. Of the ways into one space, those that are served know
 * nothing of those that are not, and the other way round. */
struct hl_image {
    uint32_t into, from; /* spaces */
    uint32_t n_hops;     /* of two ways into one space the shorter one counts, */
    uint64_t revision;   /* then that from the newest model. Of the bridge: the server's */
    bool is_served;
    struct hl_mapper *mapper; /* the space's reference */
};

#endif
