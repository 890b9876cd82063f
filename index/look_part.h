/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_LOOK_PART_H
#define HL_INDEX_LOOK_PART_H

#include "index/engine_part.h"
#include "index/filter.h"
#include "index/look.h"
#include "proto/buf.h"

/* What the files of a look share; for them alone. */
struct hl_look_filter {
    const struct hl_filter *filter; /* NULL: all points */
    struct hl_matches matches;      /* none without a filter */
    bool is_settled;
};

struct hl_look_value { /* of a facet: a text in `texts`, or a number */
    size_t start, len;
    int64_t integer;
    uint64_t count;
};

/* What was wished for, as far as a payload index could say it within the time a lock may be
 * held; otherwise payloads are asked later. */
struct hl_look_gathered {
    enum hl_index_type order_type, facet_type; /* of the index there is */
    bool has_order, has_facet;                 /* it could */
    struct hl_ordered *ordered;
    size_t n_ordered;
    struct hl_look_value *values;
    size_t n_values;
    struct hl_buf texts;
};

/* All points but those that have a vector in a space. */
struct hl_look_others {
    uint32_t space;
    struct hl_rows *rows;
};

struct hl_look {
    struct hl_collection *collection; /* a reference */
    struct hl_layout *layout;         /* likewise */
    struct hl_look_link link;
    bool has_searched;
    uint64_t n_points;
    uint64_t *n_carriers; /* of the layout's spaces, in its order; NULL without companion */
    struct hl_look_others *others; /* NULL: none were wished for */
    size_t n_others;
    struct hl_reader *reader; /* NULL: not needed yet */
    const struct hl_look_wish *wish;
    struct hl_look_gathered gathered;
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

/* Under a lock, behind the filters. HL_WRONG_INPUT when there is no index for it. */
enum hl_code hl_look_gather(struct hl_look *look, struct hl_err *err);
void hl_look_gathered_done(struct hl_look_gathered *gathered);

#endif
