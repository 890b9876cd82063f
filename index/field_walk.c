/* SPDX-License-Identifier: Apache-2.0 */
#include "index/field_parts.h"

#include <math.h>

enum hl_field_kind hl_field_index_kind(const struct hl_field_index *index)
{
    return index->kind;
}

uint64_t hl_field_index_n_values(const struct hl_field_index *index)
{
    return index->map ? hl_value_map_count(index->map)
                      : hl_sorted_count(index->order, 0, UINT64_MAX);
}

/* ---- in the order of the values ---- */

static struct hl_field_pair pair_of(enum hl_field_kind kind, uint64_t key, uint32_t number)
{
    struct hl_field_pair pair = {.number = number, .is_whole = kind != HL_FIELD_FLOAT};

    if (pair.is_whole)
        pair.integer = hl_integer_of_key(key);
    else
        pair.real = hl_double_of_key(key);
    return pair;
}

/* The keys from the start on, in the walk's direction. */
static struct hl_keys keys_from(enum hl_field_kind kind, const struct hl_field_walk *walk)
{
    const struct hl_field_pair *start = &walk->start;
    const double value = start->is_whole ? (double)start->integer : start->real;
    struct hl_range range = {.low = walk->is_descending ? -HUGE_VAL : value,
                             .high = walk->is_descending ? value : HUGE_VAL};
    uint64_t key;

    if (!walk->has_start)
        return (struct hl_keys){0, UINT64_MAX};
    if (kind == HL_FIELD_FLOAT || !start->is_whole)
        return hl_keys_of_range(kind, &range);
    key = hl_key_of_integer(start->integer);
    return walk->is_descending ? (struct hl_keys){0, key}
                               : (struct hl_keys){key, UINT64_MAX};
}

bool hl_field_index_walk(const struct hl_field_index *index,
                         const struct hl_field_walk *walk, hl_field_pair_fn *each,
                         void *self)
{
    struct hl_sorted_cursor cursor;
    struct hl_field_pair pair;
    struct hl_keys keys;
    uint64_t key;
    uint32_t number;

    if (!hl_field_is_ordered(index->kind) || index->kind == HL_FIELD_GEO ||
        (walk->has_start && index->kind == HL_FIELD_DATETIME && !walk->start.is_whole))
        return false;
    keys = keys_from(index->kind, walk);
    if (keys.low > keys.high)
        return true;
    if (!walk->is_descending)
        cursor = hl_sorted_seek(index->order, keys.low);
    else
        cursor = keys.high == UINT64_MAX ? hl_sorted_end(index->order)
                                         : hl_sorted_seek(index->order, keys.high + 1);
    while (walk->is_descending ? hl_sorted_previous(index->order, &cursor, &key, &number)
                               : hl_sorted_next(index->order, &cursor, &key, &number)) {
        pair = pair_of(index->kind, key, number);
        if (!each(self, &pair))
            break;
    }
    return true;
}

/* ---- how many have which ---- */

struct facet {
    const struct hl_within *within;
    hl_field_value_fn *each;
    void *self;
};

static bool count_text(void *self, const struct hl_text *text, const struct hl_rows *rows)
{
    const struct facet *facet = self;
    const uint64_t n = facet->within->is_all ? hl_rows_count(rows)
                                             : hl_rows_count_and(rows, facet->within->rows);

    return n > 0 && !facet->each(facet->self, text, 0, n);
}

static void count_integers(const struct hl_sorted *order, const struct facet *facet)
{
    struct hl_sorted_cursor cursor = hl_sorted_seek(order, 0);
    uint64_t key, last = 0, n = 0;
    uint32_t number;

    while (hl_sorted_next(order, &cursor, &key, &number)) {
        if (n > 0 && key != last) {
            if (!facet->each(facet->self, NULL, hl_integer_of_key(last), n))
                return;
            n = 0;
        }
        last = key;
        n += facet->within->is_all || hl_rows_has(facet->within->rows, number);
    }
    if (n > 0)
        (void)facet->each(facet->self, NULL, hl_integer_of_key(last), n);
}

bool hl_field_index_facet(const struct hl_field_index *index,
                          const struct hl_within *within, hl_field_value_fn *each,
                          void *self)
{
    struct facet facet = {within, each, self};

    if (index->map)
        (void)hl_value_map_each(index->map, count_text, &facet);
    else if (index->kind == HL_FIELD_INTEGER)
        count_integers(index->order, &facet);
    else
        return false;
    return true;
}
