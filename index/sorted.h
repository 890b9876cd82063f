/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SORTED_H
#define HL_INDEX_SORTED_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pairs of a key and a point number in their order, each once: what ranges are read from.
 *
 * A list of sorted chunks; a pair costs 12 bytes when they came in order, up to twice that
 * otherwise. One owner, who guards it: readers together, or one writer. */
struct hl_sorted;

struct hl_sorted *hl_sorted_new(void); /* NULL: no memory */
void hl_sorted_free(struct hl_sorted *order);

/* *ret_is_new: it was not there. A failed call changes nothing. */
enum hl_code hl_sorted_add(struct hl_sorted *order, uint64_t key, uint32_t number,
                           bool *ret_is_new, struct hl_err *err);
void hl_sorted_remove(struct hl_sorted *order, uint64_t key, uint32_t number);

/* Pairs with low <= key <= high. */
uint64_t hl_sorted_count(const struct hl_sorted *order, uint64_t low, uint64_t high);
size_t hl_sorted_bytes(const struct hl_sorted *order);

/* Plain data, spoilt by any change of the order. */
struct hl_sorted_cursor {
    size_t chunk;
    size_t at;
};

/* Before the first pair whose key is not below. */
struct hl_sorted_cursor hl_sorted_seek(const struct hl_sorted *order, uint64_t key);

/* False behind the last one. */
bool hl_sorted_next(const struct hl_sorted *order, struct hl_sorted_cursor *cursor,
                    uint64_t *ret_key, uint32_t *ret_number);

/* The pair before the cursor, which then stands before it. False before the first one. */
bool hl_sorted_previous(const struct hl_sorted *order, struct hl_sorted_cursor *cursor,
                        uint64_t *ret_key, uint32_t *ret_number);

/* Behind the last pair. */
struct hl_sorted_cursor hl_sorted_end(const struct hl_sorted *order);

#endif
