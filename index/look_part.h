/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_LOOK_PART_H
#define HL_INDEX_LOOK_PART_H

#include "index/engine_part.h"
#include "index/filter.h"
#include "index/look.h"

/* What the files of a look share; for them alone. */
struct hl_look_filter {
    const struct hl_filter *filter; /* NULL: all points */
    struct hl_matches matches;      /* none without a filter */
    bool is_settled;
};

struct hl_look {
    struct hl_collection *collection; /* a reference */
    struct hl_layout *layout;         /* likewise */
    struct hl_look_link link;
    uint64_t n_points;
    struct hl_reader *reader; /* NULL: not needed yet */
    const struct hl_look_wish *wish;
    bool has_order; /* an index can say it */
    size_t n_filters;
    struct hl_look_filter filters[]; /* n_filters, one at least */
};

/* Every point of a settled filter, by number, with its payload as a tree that is good until
 * the call returns. False ends it. */
typedef bool hl_look_point_fn(void *self, const struct hl_store_point *point,
                              const struct hl_value *payload);
enum hl_code hl_look_each(struct hl_look *look, size_t which,
                          const struct hl_deadline *deadline, hl_look_point_fn *each,
                          void *self, struct hl_err *err);

#endif
