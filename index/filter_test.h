/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_FILTER_TEST_H
#define HL_INDEX_FILTER_TEST_H

#include "index/payload.h"
#include "proto/filter.h"

#include <stdbool.h>

/* Whether a filter means a point: the reference that the payload indexes agree with, and
 * what is asked where there is no index. Pure functions, any thread.
 *
 * As in Qdrant, a value that is an array is tested item by item, and one is enough; arrays
 * in arrays are values that equal nothing. A match of integers means numbers written
 * without a fraction or exponent. `except` is also met by values of another kind, null
 * apart. A count looks at each value the path leads to: null has none, an array has its
 * items, anything else is one; nothing at all counts as none. */
struct hl_subject {
    const struct hl_value *payload;
    const struct hl_id *id;
    bool (*has_vector)(void *self, const struct hl_text *name);
    void *self;
};

bool hl_filter_test(const struct hl_filter *filter, const struct hl_subject *subject);
bool hl_condition_test(const struct hl_condition *condition,
                       const struct hl_subject *subject);

/* One value against TEXT, INTEGER, BOOL, PREFIX, RANGE, TIME or a place, arrays closed. */
bool hl_value_test(const struct hl_value *value, const struct hl_condition *condition);

bool hl_slice_has(const struct hl_slice *slice, const struct hl_id *id);

#endif
