/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_BRIDGE_H
#define HL_COMPAT_BRIDGE_H

#include "compat/lesson.h"
#include "compat/map.h"
#include "proto/source.h"

#include <stdbool.h>
#include <stdint.h>

/* A directed way from one model's space into another's: two maps, their scales, a report.
 *
 * Immutable once made, any thread; freed by its one owner. */

#define HL_KIND_TABLE(X)                                                                   \
    X(HL_KIND_INFLUENCE, "influence")                                                      \
    X(HL_KIND_ANCHORED, "anchored")                                                        \
    X(HL_KIND_RESIDUAL, "residual")                                                        \
    X(HL_KIND_PROCRUSTES, "procrustes")                                                    \
    X(HL_KIND_RIDGE, "ridge")                                                              \
    X(HL_KIND_LOWRANK, "lowrank")                                                          \
    X(HL_KIND_FAITHFUL, "faithful")                                                        \
    X(HL_KIND_LSQ, "lsq")                                                                  \
    X(HL_KIND_AUTO, "auto") /* a fit may be asked for it; no bridge is of it */

enum hl_kind {
#define HL_KIND_ENUM(kind, name) kind,
    HL_KIND_TABLE(HL_KIND_ENUM)
#undef HL_KIND_ENUM
        HL_N_KINDS
};

/* What counts as found: one of the same kind, or the very photograph. */
enum hl_task { HL_TASK_SIMILAR, HL_TASK_SAME };

const char *hl_task_name(enum hl_task task); /* "similar" "same" */
bool hl_task_find(const char *name, size_t len, enum hl_task *ret_task);

/* What to serve through it where nobody says: queries of `from` find everything in the
 * space of `to`, or what has their own vector by that and only the rest there. */
enum hl_bridge_strategy { HL_BRIDGE_BACKWARD, HL_BRIDGE_DUAL };

const char *hl_bridge_strategy_name(enum hl_bridge_strategy strategy);
bool hl_bridge_strategy_find(const char *name, size_t len,
                             enum hl_bridge_strategy *ret_strategy);

const char *hl_kind_name(enum hl_kind kind);
bool hl_kind_find(const char *name, size_t len, enum hl_kind *ret_kind);

/* How likely a score means "the same": 1 / (1 + exp(-(slope·score + offset))). */
struct hl_scale {
    float slope, offset; /* slope > 0; both 0: not measured */
};

enum { HL_N_FIDELITIES = 11 }; /* 0, .1, … 1 */

/* What one modality of queries goes through. */
struct hl_bridge_way {
    struct hl_map *judged;   /* of queries; may be NULL: the faithful one */
    struct hl_map *faithful; /* of items, and of queries at fidelity 1 */
    struct hl_scale old_items[HL_N_FIDELITIES]; /* mapped query : own vectors of `to` */
    struct hl_scale new_items[HL_N_FIDELITIES]; /* mapped query : faithful images */
};

struct hl_bridge {
    char *from, *to;     /* names of models; "" is the unnamed one */
    char from_print[65]; /* fingerprints, sha-256 in hexadecimal; "" where not known */
    char to_print[65];
    size_t dim_from, dim_to;
    enum hl_kind kind;
    enum hl_task task;
    uint64_t seed;
    /* [TEXT] without maps: text goes the images' way. Its scales are its own all the same,
     * and not measured where no text was there to be judged. */
    struct hl_bridge_way ways[HL_N_MODALITIES];
    struct hl_scale from_own, to_own; /* queries and items of one model: its own scores */
    struct hl_scale to_queries;       /* query of `to` : faithful images of `from` */
    float fidelity;                   /* what `auto` is */
    enum hl_bridge_strategy strategy; /* the same of the strategy */
    float old_weight; /* of the old query's own vector, where both are sent: 0 … 1 */
    char *report;     /* JSON, or NULL: none was made */
};

enum hl_code hl_bridge_new(const char *from, const char *to, struct hl_bridge **ret_bridge,
                           struct hl_err *err);
void hl_bridge_free(struct hl_bridge *bridge); /* NULL is accepted */

/* The way of a modality: its own, or the images'. */
const struct hl_bridge_way *hl_bridge_way(const struct hl_bridge *bridge,
                                          enum hl_modality modality);

/* n queries of length 1 at a fidelity between 0 and 1, by BLAS. `room` is for
 * hl_bridge_room(bridge, n) floats. */
size_t hl_bridge_room(const struct hl_bridge *bridge, size_t n);
void hl_bridge_queries(const struct hl_bridge_way *way, float fidelity, const float *in,
                       size_t n, float *room, float *out);

#endif
