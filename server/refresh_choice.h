/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_REFRESH_CHOICE_H
#define HL_SERVER_REFRESH_CHOICE_H

#include "index/look.h"
#include "proto/refresh.h"

/* Which points are most worth embedding next with a model, of those it has not seen.
 *
 * By chance it is a key made of the seed and the point's id. The other two orders look at
 * the points in the space of one other model, in which every point has a vector of its own
 * or an image: the one that most of the points are in. `uncertain` is compat/worth.h,
 * `coverage` compat/cover.h. Both are bounded: of more points than they can look at, as
 * many are considered as they can, drawn by the seed; what they were not asked about comes
 * behind, by chance. The same on the same state: equal ones go by id. */
struct hl_refresh_task {
    struct hl_collection *collection;
    const struct hl_refresh *wanted;
    struct hl_arena *arena; /* what comes out, and the work */
    const struct hl_deadline *deadline;
};

struct hl_refresh_answer {
    const struct hl_id *ids; /* the most worth first */
    size_t n;
    enum hl_refresh_order order;
    const char *by;            /* the model in whose space it looked; NULL: in none */
    uint64_t n_considered;     /* points there that it looked at */
    uint64_t n_points, n_have; /* of the filter; with a vector of `to` */
};

/* Reads the disk, for seconds: on a reader. HL_NOT_FOUND, HL_INVALID for a model that is
 * not there, or not dense; HL_INVALID for an order that no other model's vectors allow. */
enum hl_code hl_refresh_choose(const struct hl_refresh_task *task,
                               struct hl_refresh_answer *ret_answer, struct hl_err *err);

#endif
