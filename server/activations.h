/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ACTIVATIONS_H
#define HL_SERVER_ACTIVATIONS_H

#include "server/bridge_body.h"
#include "server/holdings.h"
#include "server/moment.h"

/* What is served through which bridges, as the records of a collection say it. */
struct hl_active {
    uint32_t from, to; /* spaces */
    uint64_t revision;
    enum hl_serving strategy; /* what was asked for */
    enum hl_serving serving;  /* what auto came to, else the same */
    bool is_auto;             /* the bridge's own fidelity, else */
    double fidelity;
    char at[HL_MOMENT]; /* when */
};

enum { HL_MOST_ACTIVE = 64 };

struct hl_activations {
    struct hl_active list[HL_MOST_ACTIVE]; /* in the order of their spaces */
    size_t n;
};

#endif
