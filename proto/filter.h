/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_FILTER_H
#define HL_PROTO_FILTER_H

#include "proto/field.h"
#include "proto/geo.h"
#include "proto/ids.h"
#include "proto/path.h"
#include "proto/range.h"
#include "proto/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which points a request means: a tree of conditions, read from a body.
 *
 * Plain data in the arena of the tokens, good as long as that and the body are, unchanged
 * after it was read: any number of threads may look at it. Lists of
 * texts, integers and ids are ascending, each item once; an empty list has nothing that a
 * value could equal. */
enum hl_condition_kind {
    /* of one payload key: `path` */
    HL_CONDITION_TEXT,     /* texts: a value equals one of them (`value`, `any`), or, when
                              `is_except`, some value equals none of them */
    HL_CONDITION_INTEGER,  /* integers: likewise */
    HL_CONDITION_BOOL,     /* is_true: a value equals it */
    HL_CONDITION_PREFIX,   /* texts.items[0]: a string begins with these bytes */
    HL_CONDITION_RANGE,    /* range: a number is in it */
    HL_CONDITION_TIME,     /* times: a date and time is in it */
    HL_CONDITION_GEO_BOX,  /* box: a place is in it */
    HL_CONDITION_CIRCLE,   /* circle */
    HL_CONDITION_POLYGON,  /* polygon */
    HL_CONDITION_COUNT,    /* counts: as many values are there */
    HL_CONDITION_IS_EMPTY, /* is_true: absent, null or []; false: the opposite */
    HL_CONDITION_IS_NULL,  /* is_true: null is there; false: the opposite */
    /* `nested.filter` holds for one and the same item of the array(s) at `path`, whose last
     * step is always HL_PATH_EACH; paths in there begin at the item */
    HL_CONDITION_NESTED,
    /* of the point; never inside of HL_CONDITION_NESTED */
    HL_CONDITION_HAS_ID,     /* ids */
    HL_CONDITION_HAS_VECTOR, /* texts.items[0]: the name, "" for the unnamed one */
    HL_CONDITION_SLICE,      /* slice: hash of the id % total == index */
    /* a filter in the place of a condition */
    HL_CONDITION_FILTER
};

struct hl_integers {
    const int64_t *items;
    size_t n;
};

/* SipHash-2-4 with a zero key over 8 little-endian bytes of a number or the 16 of a UUID.
 */
struct hl_slice {
    uint32_t total; /* 1 or larger */
    uint32_t index; /* below total */
};

struct hl_filter;

struct hl_condition {
    enum hl_condition_kind kind;
    bool is_except; /* of TEXT and INTEGER */
    struct hl_path path;
    union {
        struct hl_texts texts;
        struct hl_integers integers;
        bool is_true;
        struct hl_range range;
        struct hl_time_range times;
        struct hl_geo_box box;
        struct hl_geo_circle circle;
        struct hl_geo_polygon polygon;
        struct hl_count_range counts;
        struct hl_ids ids;
        struct hl_slice slice;
        const struct hl_filter *filter; /* of NESTED and FILTER */
    };
};

/* An empty one asks nothing. */
struct hl_clause {
    const struct hl_condition *items;
    size_t n;
};

/* All that is asked must hold: every condition of `must`, none of `must_not`, one of
 * `should`, `min_count` of `min_should`. */
struct hl_filter {
    struct hl_clause must;
    struct hl_clause should;
    struct hl_clause must_not;
    struct hl_clause min_should;
    uint64_t min_count; /* 1 or larger where min_should is not empty */
};

/* Filters in filters, nested ones included. */
#define HL_FILTER_MAX_DEPTH 16

/* *ret_filter is NULL for null. Members that the contract does not have are refused, not
 * passed over: a filter that says less than it was meant to may delete more. So are the
 * full-text matches, which are not ours, and two tests in one condition. */
enum hl_code hl_filter_read(const struct hl_field *field,
                            const struct hl_filter **ret_filter, struct hl_err *err);

bool hl_filter_is_empty(const struct hl_filter *filter); /* NULL is accepted */

#endif
