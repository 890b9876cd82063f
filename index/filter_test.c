/* SPDX-License-Identifier: Apache-2.0 */
#include "index/filter_test.h"

#include "index/places.h"
#include "proto/datetime.h"
#include "proto/number.h"

#include <stdlib.h>
#include <string.h>

static int compare_texts(const void *a, const void *b)
{
    return hl_text_compare(a, b);
}

static int compare_integers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int compare_ids(const void *a, const void *b)
{
    return hl_id_compare(a, b);
}

static bool is_in(const void *key, const void *items, size_t n, size_t size,
                  int (*compare)(const void *a, const void *b))
{
    return n && bsearch(key, items, n, size, compare) != NULL;
}

/* A value of another kind equals none of the list; null is no value. */
static bool test_text(const struct hl_value *value, const struct hl_condition *condition)
{
    struct hl_text text = {value->text, value->len};
    bool is_there = value->kind == HL_TOKEN_STRING &&
                    is_in(&text, condition->texts.items, condition->texts.n, sizeof text,
                          compare_texts);

    return condition->is_except ? !is_there && value->kind != HL_TOKEN_NULL : is_there;
}

static bool test_integer(const struct hl_value *value, const struct hl_condition *condition)
{
    int64_t integer = 0;
    bool is_there = value->kind == HL_TOKEN_NUMBER &&
                    hl_number_i64(value->text, value->len, &integer) &&
                    is_in(&integer, condition->integers.items, condition->integers.n,
                          sizeof integer, compare_integers);

    return condition->is_except ? !is_there && value->kind != HL_TOKEN_NULL : is_there;
}

static bool test_prefix(const struct hl_value *value, const struct hl_text *prefix)
{
    return value->kind == HL_TOKEN_STRING && value->len >= prefix->len &&
           (prefix->len == 0 || memcmp(value->text, prefix->text, prefix->len) == 0);
}

static bool test_place(const struct hl_value *value, const struct hl_condition *condition)
{
    struct hl_geo_point point;

    if (!hl_geo_of_value(value, &point))
        return false;
    if (condition->kind == HL_CONDITION_GEO_BOX)
        return hl_geo_box_has(&condition->box, point);
    if (condition->kind == HL_CONDITION_CIRCLE)
        return hl_geo_circle_has(&condition->circle, point);
    return hl_geo_polygon_has(&condition->polygon, point);
}

bool hl_value_test(const struct hl_value *value, const struct hl_condition *condition)
{
    int64_t us;

    switch (condition->kind) {
    case HL_CONDITION_TEXT:
        return test_text(value, condition);
    case HL_CONDITION_INTEGER:
        return test_integer(value, condition);
    case HL_CONDITION_BOOL:
        return value->kind == (condition->is_true ? HL_TOKEN_TRUE : HL_TOKEN_FALSE);
    case HL_CONDITION_PREFIX:
        return test_prefix(value, &condition->texts.items[0]);
    case HL_CONDITION_RANGE:
        return value->kind == HL_TOKEN_NUMBER &&
               hl_range_has(&condition->range, hl_number_double(value->text, value->len));
    case HL_CONDITION_TIME:
        return value->kind == HL_TOKEN_STRING &&
               hl_datetime_parse(value->text, value->len, &us) &&
               us >= condition->times.low && us <= condition->times.high;
    case HL_CONDITION_GEO_BOX:
    case HL_CONDITION_CIRCLE:
    case HL_CONDITION_POLYGON:
        return test_place(value, condition);
    case HL_CONDITION_COUNT:
    case HL_CONDITION_IS_EMPTY:
    case HL_CONDITION_IS_NULL:
    case HL_CONDITION_NESTED:
    case HL_CONDITION_HAS_ID:
    case HL_CONDITION_HAS_VECTOR:
    case HL_CONDITION_SLICE:
    case HL_CONDITION_FILTER:
        break;
    }
    return false;
}

struct question {
    const struct hl_condition *condition;
    const struct hl_subject *subject;
    bool has_value;
};

static bool ask_item(void *self, const struct hl_value *value)
{
    const struct question *question = self;

    return hl_value_test(value, question->condition);
}

static bool ask_value(void *self, const struct hl_value *value)
{
    return hl_value_each(value, ask_item, self);
}

static bool is_count(const struct hl_count_range *counts, uint64_t count)
{
    return count >= counts->low && count <= counts->high;
}

static bool ask_count(void *self, const struct hl_value *value)
{
    struct question *question = self;
    uint64_t count = value->kind == HL_TOKEN_NULL          ? 0
                     : value->kind == HL_TOKEN_ARRAY_BEGIN ? value->n_children
                                                           : 1;

    question->has_value = true;
    return is_count(&question->condition->counts, count);
}

static bool ask_filled(void *self, const struct hl_value *value)
{
    (void)self;
    return !hl_value_is_empty(value);
}

static bool is_null(void *self, const struct hl_value *value)
{
    (void)self;
    return value->kind == HL_TOKEN_NULL;
}

static bool ask_null(void *self, const struct hl_value *value)
{
    return hl_value_each(value, is_null, self);
}

/* Filters are in filters HL_FILTER_MAX_DEPTH deep, and so is this recursion. */
static bool ask_nested(void *self, const struct hl_value *value)
{
    const struct question *question = self;
    struct hl_subject item = *question->subject;

    if (value->kind != HL_TOKEN_OBJECT_BEGIN)
        return false;
    item.payload = value;
    return hl_filter_test(question->condition->filter, &item);
}

static bool test_count(const struct hl_condition *condition,
                       const struct hl_subject *subject, struct question *question)
{
    if (hl_payload_each(subject->payload, &condition->path, ask_count, question))
        return true;
    return !question->has_value && is_count(&condition->counts, 0);
}

bool hl_condition_test(const struct hl_condition *condition,
                       const struct hl_subject *subject)
{
    struct question question = {condition, subject, false};
    const struct hl_value *root = subject->payload;
    const struct hl_path *path = &condition->path;

    switch (condition->kind) {
    case HL_CONDITION_TEXT:
    case HL_CONDITION_INTEGER:
    case HL_CONDITION_BOOL:
    case HL_CONDITION_PREFIX:
    case HL_CONDITION_RANGE:
    case HL_CONDITION_TIME:
    case HL_CONDITION_GEO_BOX:
    case HL_CONDITION_CIRCLE:
    case HL_CONDITION_POLYGON:
        return hl_payload_each(root, path, ask_value, &question);
    case HL_CONDITION_COUNT:
        return test_count(condition, subject, &question);
    case HL_CONDITION_IS_EMPTY:
        return hl_payload_each(root, path, ask_filled, NULL) != condition->is_true;
    case HL_CONDITION_IS_NULL:
        return hl_payload_each(root, path, ask_null, NULL) == condition->is_true;
    case HL_CONDITION_NESTED:
        return hl_payload_each(root, path, ask_nested, &question);
    case HL_CONDITION_HAS_ID:
        return is_in(subject->id, condition->ids.items, condition->ids.n,
                     sizeof *subject->id, compare_ids);
    case HL_CONDITION_HAS_VECTOR:
        return subject->has_vector(subject->self, &condition->texts.items[0]);
    case HL_CONDITION_SLICE:
        return hl_slice_has(&condition->slice, subject->id);
    case HL_CONDITION_FILTER:
        return hl_filter_test(condition->filter, subject);
    }
    return false;
}

/* How many hold, but it stops at `enough`. */
static uint64_t count_true(const struct hl_clause *clause, const struct hl_subject *subject,
                           uint64_t enough)
{
    uint64_t n = 0;

    for (size_t i = 0; i < clause->n && n < enough; i++)
        n += hl_condition_test(&clause->items[i], subject);
    return n;
}

bool hl_filter_test(const struct hl_filter *filter, const struct hl_subject *subject)
{
    if (!filter)
        return true;
    for (size_t i = 0; i < filter->must.n; i++)
        if (!hl_condition_test(&filter->must.items[i], subject))
            return false;
    if (count_true(&filter->must_not, subject, 1))
        return false;
    if (filter->should.n && !count_true(&filter->should, subject, 1))
        return false;
    return filter->min_should.n == 0 ||
           count_true(&filter->min_should, subject, filter->min_count) >= filter->min_count;
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void mix_rounds(uint64_t v[4], unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

/* SipHash-2-4 with a zero key, over whole words. */
static uint64_t hash_words(const uint64_t *words, size_t n)
{
    uint64_t v[4] = {0x736f6d6570736575U, 0x646f72616e646f6dU, 0x6c7967656e657261U,
                     0x7465646279746573U};

    for (size_t i = 0; i <= n; i++) {
        uint64_t word = i < n ? words[i] : (uint64_t)n * 8 << 56;

        v[3] ^= word;
        mix_rounds(v, 2);
        v[0] ^= word;
    }
    v[2] ^= 0xFF;
    mix_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* A number's bytes are hashed little-endian, a UUID's as they are. */
bool hl_slice_has(const struct hl_slice *slice, const struct hl_id *id)
{
    uint64_t words[2] = {0, 0};
    size_t n = 1;

    if (id->tag == HL_ID_NUMBER) {
        words[0] = hl_id_value(id);
    } else {
        n = 2;
        for (size_t i = 0; i < 16; i++)
            words[i / 8] |= (uint64_t)id->bytes[i] << (i % 8 * 8);
    }
    return hash_words(words, n) % slice->total == slice->index;
}
