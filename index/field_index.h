/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_FIELD_INDEX_H
#define HL_INDEX_FIELD_INDEX_H

#include "index/payload.h"
#include "index/rows.h"
#include "proto/filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A payload index: for one path and kind of value, which points have what.
 *
 * Every live point is told to it, those without such a value too. What it answers is what
 * index/filter_test.h says of the payloads; where it cannot know, it names the points that
 * have to be asked. Texts equal texts byte by byte, also those of a UUID index. One owner,
 * who guards it: readers together, or one writer. */
enum hl_field_kind {
    HL_FIELD_KEYWORD,
    HL_FIELD_UUID,
    HL_FIELD_BOOL,
    HL_FIELD_INTEGER,
    HL_FIELD_FLOAT,
    HL_FIELD_DATETIME,
    HL_FIELD_GEO
};

struct hl_field_index;

/* The path's text is copied. */
enum hl_code hl_field_index_new(const char *path, enum hl_field_kind kind,
                                struct hl_field_index **ret_index, struct hl_err *err);
void hl_field_index_free(struct hl_field_index *index); /* NULL is accepted */

/* A point that is not in it; after a failure it is not either. */
enum hl_code hl_field_index_add(struct hl_field_index *index, uint32_t number,
                                const struct hl_value *payload, struct hl_err *err);

/* With the payload it was added with. */
void hl_field_index_remove(struct hl_field_index *index, uint32_t number,
                           const struct hl_value *payload);

/* Whether it has an answer to the condition. The path must be spelt the same way: `a` and
 * `a[]` are two. */
bool hl_field_index_answers(const struct hl_field_index *index,
                            const struct hl_condition *condition);

/* No fewer than the points that meet it, of `n_points` in all. It answers the condition.
 */
uint64_t hl_field_index_estimate(const struct hl_field_index *index,
                                 const struct hl_condition *condition, uint64_t n_points);

/* Which points are asked about. */
struct hl_within {
    const struct hl_rows *rows;
    bool is_all; /* every point there is */
};

/* Adds to `sure` those that meet the condition, and to `unsure` those that may, which are
 * never both; the two sets come empty. It answers the condition. */
enum hl_code hl_field_index_find(const struct hl_field_index *index,
                                 const struct hl_condition *condition,
                                 const struct hl_within *within, struct hl_rows *sure,
                                 struct hl_rows *unsure, struct hl_err *err);

/* One value of a point. */
struct hl_field_pair {
    uint32_t number;
    bool is_whole; /* `integer`, else `real`; times are microseconds since 1970 */
    int64_t integer;
    double real;
};

struct hl_field_walk {
    bool is_descending;
    bool has_start; /* from this value on, itself included */
    struct hl_field_pair start;
};

/* Every value of a point in the order of the values, equal ones by number, until a call
 * says false. False, and nothing happens, for kinds without an order and starts that are
 * not of the kind. */
typedef bool hl_field_pair_fn(void *self, const struct hl_field_pair *pair);
bool hl_field_index_walk(const struct hl_field_index *index,
                         const struct hl_field_walk *walk, hl_field_pair_fn *each,
                         void *self);

/* Each value and how many points have it: a text, the integer of one, or "t" and "f". In no
 * order, until a call says false. False, and nothing happens, for the other kinds. */
typedef bool hl_field_value_fn(void *self, const struct hl_text *text, int64_t integer,
                               uint64_t count);
bool hl_field_index_facet(const struct hl_field_index *index,
                          const struct hl_within *within, hl_field_value_fn *each,
                          void *self);

enum hl_field_kind hl_field_index_kind(const struct hl_field_index *index);

/* How many values hl_field_index_facet would go through, and no fewer pairs. */
uint64_t hl_field_index_n_values(const struct hl_field_index *index);

size_t hl_field_index_bytes(const struct hl_field_index *index);
uint64_t hl_field_index_count(const struct hl_field_index *index); /* points with a value */

#endif
