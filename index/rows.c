/* SPDX-License-Identifier: Apache-2.0 */
#include "index/rows.h"

#include "proto/alloc.h"

#include <roaring/roaring.h>
#include <stdlib.h>
#include <string.h>

/* Renamed between the versions of Debian 12 and 13. */
#ifndef HL_ROARING_NEW_NAMES
#define roaring_iterator_init roaring_init_iterator
#define roaring_uint32_iterator_move_equalorlarger                                         \
    roaring_move_uint32_iterator_equalorlarger
#define roaring_uint32_iterator_read roaring_read_uint32_iterator
#endif

enum {
    SMALL_MAX = 1024, /* an array of 4 KiB: a search of ten steps */
    SMALL_FIRST = 4   /* what most values of a payload have */
};

/* Bytes of one block of CRoaring at its largest, with its head; and for each block in the
 * list of them, grown to twice. */
static const size_t block_bytes = 8320;
static const size_t block_list = 64;

struct hl_rows {
    uint32_t *small; /* of `room`; not used when `large` is there */
    uint32_t n;
    uint32_t room;
    roaring_bitmap_t *large;
};

struct hl_rows *hl_rows_new(void)
{
    return hl_alloc_zeroed(1, sizeof(struct hl_rows));
}

void hl_rows_free(struct hl_rows *rows)
{
    if (!rows)
        return;
    if (rows->large)
        roaring_bitmap_free(rows->large);
    hl_free(rows->small);
    hl_free(rows);
}

static enum hl_code fail_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for a set of points");
}

static size_t bytes_of(const roaring_bitmap_t *large)
{
    return roaring_bitmap_size_in_bytes(large);
}

/* Whether CRoaring will find that much. */
static bool is_there_room(size_t bytes)
{
    void *memory = hl_alloc(bytes);

    if (!memory)
        return false;
    hl_free(memory);
    return true;
}

/* For a change of `n_blocks` blocks of `large`, whose list may grow. */
static bool is_room_for_blocks(const roaring_bitmap_t *large, size_t n_blocks)
{
    size_t n_listed = large ? (size_t)large->high_low_container.size : 0;

    return is_there_room((n_listed + n_blocks) * block_list + n_blocks * block_bytes);
}

struct hl_rows *hl_rows_clone(const struct hl_rows *rows)
{
    struct hl_rows *clone = hl_rows_new();

    if (!clone)
        return NULL;
    if (rows->large) {
        size_t n_blocks = (size_t)rows->large->high_low_container.size;

        if (is_there_room(n_blocks * block_list + 2 * bytes_of(rows->large)))
            clone->large = roaring_bitmap_copy(rows->large);
        if (clone->large)
            return clone;
    } else if (rows->n == 0) {
        return clone;
    } else {
        clone->small = hl_alloc(rows->n * sizeof *clone->small);
        if (clone->small) {
            memcpy(clone->small, rows->small, rows->n * sizeof *clone->small);
            clone->n = clone->room = rows->n;
            return clone;
        }
    }
    hl_rows_free(clone);
    return NULL;
}

/* The first position whose number is not below. */
static uint32_t find_position(const struct hl_rows *rows, uint32_t number)
{
    uint32_t low = 0, high = rows->n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (rows->small[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_at(const struct hl_rows *rows, uint32_t position, uint32_t number)
{
    return position < rows->n && rows->small[position] == number;
}

bool hl_rows_has(const struct hl_rows *rows, uint32_t number)
{
    if (rows->large)
        return roaring_bitmap_contains(rows->large, number);
    return has_at(rows, find_position(rows, number), number);
}

bool hl_rows_has_fn(void *self, uint32_t number)
{
    return hl_rows_has(self, number);
}

uint64_t hl_rows_count(const struct hl_rows *rows)
{
    return rows->large ? roaring_bitmap_get_cardinality(rows->large) : rows->n;
}

size_t hl_rows_bytes(const struct hl_rows *rows)
{
    size_t bytes = sizeof *rows + rows->room * sizeof *rows->small;

    if (rows->large)
        bytes += bytes_of(rows->large) +
                 (size_t)rows->large->high_low_container.size * block_list;
    return bytes;
}

static enum hl_code grow_small(struct hl_rows *rows, struct hl_err *err)
{
    /* A clone of one number has room for one, and the half of one is none. */
    uint32_t room = rows->room < SMALL_FIRST ? SMALL_FIRST : rows->room + rows->room / 2;
    uint32_t *grown = hl_realloc(rows->small, room * sizeof *grown);

    if (!grown)
        return fail_memory(err);
    rows->small = grown;
    rows->room = room;
    return HL_OK;
}

static enum hl_code become_large(struct hl_rows *rows, struct hl_err *err)
{
    roaring_bitmap_t *large;

    /* At worst each number has a block of its own. */
    if (!is_there_room(2 * block_list * (rows->n + 1) + block_bytes))
        return fail_memory(err);
    large = roaring_bitmap_of_ptr(rows->n, rows->small);
    if (!large)
        return fail_memory(err);
    hl_free(rows->small);
    rows->small = NULL;
    rows->n = rows->room = 0;
    rows->large = large;
    return HL_OK;
}

/* What became few is kept as few; when there is no memory for it, as it is. */
static void become_small(struct hl_rows *rows)
{
    uint64_t n = roaring_bitmap_get_cardinality(rows->large);

    if (n > SMALL_MAX / 2)
        return;
    if (n) {
        rows->small = hl_alloc(n * sizeof *rows->small);
        if (!rows->small)
            return;
        roaring_bitmap_to_uint32_array(rows->large, rows->small);
    }
    rows->n = rows->room = (uint32_t)n;
    roaring_bitmap_free(rows->large);
    rows->large = NULL;
}

enum hl_code hl_rows_add(struct hl_rows *rows, uint32_t number, struct hl_err *err)
{
    enum hl_code code;
    uint32_t position;

    if (!rows->large) {
        position = find_position(rows, number);
        if (has_at(rows, position, number))
            return HL_OK;
        if (rows->n < SMALL_MAX) {
            code = rows->n == rows->room ? grow_small(rows, err) : HL_OK;
            if (code != HL_OK)
                return code;
            memmove(rows->small + position + 1, rows->small + position,
                    (rows->n - position) * sizeof *rows->small);
            rows->small[position] = number;
            rows->n++;
            return HL_OK;
        }
        code = become_large(rows, err);
        if (code != HL_OK)
            return code;
    }
    if (!is_room_for_blocks(rows->large, 1))
        return fail_memory(err);
    roaring_bitmap_add(rows->large, number);
    return HL_OK;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Of an empty set: one allocation and one sort. */
static enum hl_code fill_small(struct hl_rows *rows, const uint32_t *numbers, size_t n,
                               struct hl_err *err)
{
    uint32_t *small = hl_alloc(n * sizeof *small);
    uint32_t kept = 0;

    if (!small)
        return fail_memory(err);
    memcpy(small, numbers, n * sizeof *small);
    qsort(small, n, sizeof *small, compare_numbers);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || small[kept - 1] != small[i])
            small[kept++] = small[i];
    hl_free(rows->small);
    rows->small = small;
    rows->n = kept;
    rows->room = (uint32_t)n;
    return HL_OK;
}

enum hl_code hl_rows_add_many(struct hl_rows *rows, const uint32_t *numbers, size_t n,
                              struct hl_err *err)
{
    enum hl_code code = HL_OK;

    if (n == 0)
        return HL_OK;
    if (!rows->large && rows->n == 0 && n <= SMALL_MAX)
        return fill_small(rows, numbers, n, err);
    if (!rows->large && rows->n + n > SMALL_MAX)
        code = become_large(rows, err);
    if (code == HL_OK && !rows->large) {
        struct hl_rows more = {0};

        code = fill_small(&more, numbers, n, err);
        if (code == HL_OK)
            code = hl_rows_or(rows, &more, err);
        hl_free(more.small);
        return code;
    }
    /* In parts, so that what is asked for stays small. */
    for (size_t i = 0; code == HL_OK && i < n; i += SMALL_MAX) {
        size_t part = n - i < SMALL_MAX ? n - i : SMALL_MAX;

        if (!is_room_for_blocks(rows->large, part < 64 ? part : 64))
            return fail_memory(err);
        roaring_bitmap_add_many(rows->large, part, numbers + i);
    }
    return code;
}

enum hl_code hl_rows_add_range(struct hl_rows *rows, uint32_t first, uint32_t last,
                               struct hl_err *err)
{
    size_t n_blocks;
    enum hl_code code;

    if (first > last)
        return HL_OK;
    n_blocks = (last >> 16) - (first >> 16) + 1;
    if (!rows->large) {
        code = become_large(rows, err);
        if (code != HL_OK)
            return code;
    }
    if (!is_there_room(n_blocks * 3 * block_list + 2 * block_bytes + bytes_of(rows->large)))
        return fail_memory(err);
    roaring_bitmap_add_range_closed(rows->large, first, last);
    return HL_OK;
}

void hl_rows_remove(struct hl_rows *rows, uint32_t number)
{
    uint32_t position;

    if (rows->large) {
        roaring_bitmap_remove(rows->large, number);
        return;
    }
    position = find_position(rows, number);
    if (!has_at(rows, position, number))
        return;
    rows->n--;
    memmove(rows->small + position, rows->small + position + 1,
            (rows->n - position) * sizeof *rows->small);
}

/* Both are small and the union may not be; the new array is built aside. */
static enum hl_code merge_small(struct hl_rows *rows, const struct hl_rows *other,
                                struct hl_err *err)
{
    uint32_t i = 0, j = 0, n = 0;
    uint32_t *merged;

    if (other->n == 0)
        return HL_OK;
    merged = hl_alloc(((size_t)rows->n + other->n) * sizeof *merged);
    if (!merged)
        return fail_memory(err);
    while (i < rows->n || j < other->n) {
        bool takes_own =
            j == other->n || (i < rows->n && rows->small[i] <= other->small[j]);
        uint32_t number = takes_own ? rows->small[i++] : other->small[j++];

        if (takes_own && j < other->n && other->small[j] == number)
            j++;
        merged[n++] = number;
    }
    hl_free(rows->small);
    rows->small = merged;
    rows->room = rows->n + other->n;
    rows->n = n;
    return HL_OK;
}

enum hl_code hl_rows_or(struct hl_rows *rows, const struct hl_rows *other,
                        struct hl_err *err)
{
    enum hl_code code;

    if (!other->large && !rows->large && rows->n + other->n <= SMALL_MAX)
        return merge_small(rows, other, err);
    if (!rows->large) {
        code = become_large(rows, err);
        if (code != HL_OK)
            return code;
    }
    if (!other->large)
        return hl_rows_add_many(rows, other->small, other->n, err);
    if (!is_there_room(2 * (bytes_of(rows->large) + bytes_of(other->large)) +
                       (size_t)other->large->high_low_container.size * block_bytes))
        return fail_memory(err);
    roaring_bitmap_or_inplace(rows->large, other->large);
    return HL_OK;
}

/* A small set needs no memory to become smaller. */
static void keep_small(struct hl_rows *rows, const struct hl_rows *other, bool wanted)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < rows->n; i++)
        if (hl_rows_has(other, rows->small[i]) == wanted)
            rows->small[n++] = rows->small[i];
    rows->n = n;
}

/* A large set and a small one have a small one in common. */
static enum hl_code and_with_small(struct hl_rows *rows, const struct hl_rows *other,
                                   struct hl_err *err)
{
    uint32_t *small = hl_alloc(other->n ? other->n * sizeof *small : 1);
    uint32_t n = 0;

    if (!small)
        return fail_memory(err);
    for (uint32_t i = 0; i < other->n; i++)
        if (roaring_bitmap_contains(rows->large, other->small[i]))
            small[n++] = other->small[i];
    roaring_bitmap_free(rows->large);
    *rows = (struct hl_rows){.small = small, .n = n, .room = other->n};
    return HL_OK;
}

enum hl_code hl_rows_and(struct hl_rows *rows, const struct hl_rows *other,
                         struct hl_err *err)
{
    if (!rows->large) {
        keep_small(rows, other, true);
        return HL_OK;
    }
    if (!other->large)
        return and_with_small(rows, other, err);
    if (!is_there_room(2 * bytes_of(rows->large) + block_bytes))
        return fail_memory(err);
    roaring_bitmap_and_inplace(rows->large, other->large);
    become_small(rows);
    return HL_OK;
}

enum hl_code hl_rows_andnot(struct hl_rows *rows, const struct hl_rows *other,
                            struct hl_err *err)
{
    if (!rows->large) {
        keep_small(rows, other, false);
        return HL_OK;
    }
    if (!is_there_room(2 * bytes_of(rows->large) +
                       (size_t)rows->large->high_low_container.size * block_bytes))
        return fail_memory(err);
    if (other->large)
        roaring_bitmap_andnot_inplace(rows->large, other->large);
    for (uint32_t i = 0; !other->large && i < other->n; i++)
        roaring_bitmap_remove(rows->large, other->small[i]);
    become_small(rows);
    return HL_OK;
}

uint64_t hl_rows_count_and(const struct hl_rows *a, const struct hl_rows *b)
{
    uint64_t n = 0;

    if (a->large && b->large)
        return roaring_bitmap_and_cardinality(a->large, b->large);
    if (a->large || (!b->large && b->n < a->n))
        return hl_rows_count_and(b, a);
    for (uint32_t i = 0; i < a->n; i++)
        n += hl_rows_has(b, a->small[i]);
    return n;
}

size_t hl_rows_list(const struct hl_rows *rows, uint32_t from, uint32_t *numbers,
                    size_t max)
{
    roaring_uint32_iterator_t iterator;
    uint32_t count = max < UINT32_MAX ? (uint32_t)max : UINT32_MAX, position;

    if (!rows->large) {
        position = find_position(rows, from);
        if (count > rows->n - position)
            count = rows->n - position;
        if (count)
            memcpy(numbers, rows->small + position, count * sizeof *numbers);
        return count;
    }
    roaring_iterator_init(rows->large, &iterator);
    if (!roaring_uint32_iterator_move_equalorlarger(&iterator, from))
        return 0;
    return roaring_uint32_iterator_read(&iterator, numbers, count);
}
