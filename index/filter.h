/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_FILTER_H
#define HL_INDEX_FILTER_H

#include "index/field_index.h"
#include "proto/deadline.h"

/* Which points a filter means, as far as payload indexes and ids can say.
 *
 * Exactly the points for which index/filter_test.h says true: the sure ones, and those of
 * the unsure ones whose payload passes it. Runs under the lock that guards what it is
 * given; the sets it gives are the caller's own. */
struct hl_filter_scope {
    const struct hl_rows *points; /* all there are; every index was told of each */
    struct hl_field_index *const *indexes;
    size_t n_indexes;

    bool (*number_of)(void *self, const struct hl_id *id, uint32_t *ret_number);
    const struct hl_id *(*id_of)(void *self, uint32_t number); /* of a point there is */
    const struct hl_rows *(*with_vector)(void *self, const struct hl_text *name); /* NULL:
                                                                                     none */
    void *self;

    const struct hl_deadline *deadline; /* asked before every condition; NULL: none */
};

struct hl_matches {
    struct hl_rows *sure;
    struct hl_rows *unsure; /* to be tested; none of them is in `sure` */
};

/* HL_CANCELLED or HL_TIMEOUT as the deadline says. On failure there is nothing to free. */
enum hl_code hl_filter_find(const struct hl_filter *filter,
                            const struct hl_filter_scope *scope,
                            struct hl_matches *ret_matches, struct hl_err *err);
void hl_matches_done(struct hl_matches *matches);

/* No fewer than the points that meet it, without looking for them. */
uint64_t hl_filter_estimate(const struct hl_filter *filter,
                            const struct hl_filter_scope *scope);

#endif
