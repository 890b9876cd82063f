/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_REACH_H
#define HL_SERVER_REACH_H

#include "server/activations.h"
#include "server/way.h"

/* Which vectors get into which spaces by what is active: over a bridge, else over a chain
 * of two. Pure functions over plain data, any thread. */
struct hl_trail {
    struct hl_hop hops[HL_WAY_HOPS];
    size_t n_hops; /* 0: there is none */
};

enum { HL_MOST_MODELS = 2 * HL_MOST_ACTIVE };

struct hl_models {
    uint32_t ids[HL_MOST_MODELS];
    size_t n;
};

/* The shortest one; of several chains that over the newest model. */
struct hl_trail hl_reach_trail(const struct hl_activations *activations, uint32_t from,
                               uint32_t to);

/* Whether images of the same points by the same bridges. */
bool hl_trail_is(const struct hl_trail *trail, const struct hl_trail *other);

bool hl_models_have(const struct hl_models *models, uint32_t id);
void hl_models_add(struct hl_models *models, uint32_t id); /* once */

/* Those that something active leads from or to; those with a path into a space. Ascending.
 */
void hl_reach_touched(const struct hl_activations *activations,
                      struct hl_models *ret_models);
void hl_reach_into(const struct hl_activations *activations, uint32_t into,
                   struct hl_models *ret_models);

#endif
