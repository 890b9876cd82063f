/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_APPLIER_H
#define HL_COMPAT_APPLIER_H

#include "compat/bridge.h"

/* A bridge, or a chain of two, as it is served: one query through it at a time.
 *
 * Holds its own copy of the weights, in the order in which a query reads them, so the
 * bridges may go. Immutable once made, any thread; freed by its one owner. Mapping a query
 * allocates nothing. Many queries at once go through hl_bridge_queries. */
struct hl_applier;

struct hl_applier_plan {
    const struct hl_bridge *bridge, *then; /* `then` is NULL: there is no second one */
    enum hl_modality modality;
    bool is_bfloat;      /* weights rounded to bfloat16: half the memory to read */
    const char *kernels; /* auto, avx512, avx2 or portable; NULL: auto */
};

/* HL_INVALID for bridges that do not meet, that have no map, or kernels that are unknown or
 * that this processor cannot run. HL_NO_MEMORY. */
enum hl_code hl_applier_new(const struct hl_applier_plan *plan,
                            struct hl_applier **ret_applier, struct hl_err *err);
void hl_applier_free(struct hl_applier *applier); /* NULL is accepted */

size_t hl_applier_dim_in(const struct hl_applier *applier);
size_t hl_applier_dim_out(const struct hl_applier *applier);
size_t hl_applier_bytes(const struct hl_applier *applier);        /* of weights */
const char *hl_applier_kernels(const struct hl_applier *applier); /* good for ever */

/* A query of length 1 into `out`, of length 1; zeros, which point nowhere, stay zeros,
 * though a map has a bias. Each bridge at the fidelity, from 0 to 1,
 * or, where that is negative, at its own. At 0 and 1 only one of its maps is worked out.
 * `room` is for hl_applier_room floats; nothing overlaps. */
size_t hl_applier_room(const struct hl_applier *applier);
void hl_applier_query(const struct hl_applier *applier, float fidelity, const float *query,
                      float *room, float *out);

/* Turns a mapped query towards the old model's own vector of what was asked, along the
 * great circle through both: not at all at 0, all the way at 1. Both have length 1. */
void hl_applier_lean(float *mapped, const float *old, size_t dim, float old_weight);

#endif
