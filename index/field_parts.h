/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_FIELD_PARTS_H
#define HL_INDEX_FIELD_PARTS_H

#include "index/column.h"
#include "index/field_index.h"
#include "index/field_keys.h"
#include "index/sorted.h"
#include "index/value_map.h"

/* The inside of a payload index, for field_index.c, which keeps it, and field_find.c, which
 * reads it. */
struct hl_field_index {
    enum hl_field_kind kind;
    struct hl_path path;
    struct hl_arena *arena; /* of the path */

    /* Points with a value that is not empty; with null; with a value that is neither null
     * nor of the kind; with one of the kind; with two or more of the kind. */
    struct hl_rows *filled;
    struct hl_rows *nulls;
    struct hl_rows *others;
    struct hl_rows *present;
    struct hl_rows *several;

    struct hl_value_map *map; /* of KEYWORD, UUID and BOOL */

    /* Of the others. The column has the key of a point that has one value; of GEO that is
     * the longitude, and `lats` has the latitude, both as keys of doubles. */
    struct hl_sorted *order;
    struct hl_column *column;
    struct hl_column *lats;
};

bool hl_field_is_ordered(enum hl_field_kind kind);

static inline struct hl_text hl_field_bool_text(bool is_true)
{
    return (struct hl_text){is_true ? "t" : "f", 1};
}

#endif
