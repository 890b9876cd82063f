/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_ROWS_H
#define HL_INDEX_ROWS_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A set of point numbers.
 *
 * Small ones are a sorted array, large ones a compressed bitmap of CRoaring; it changes by
 * itself. One owner, who guards it: readers together, or one writer. A failed change leaves
 * the set as it was; of many numbers, some may be in.
 *
 * CRoaring allocates by itself (the version of Debian 12 has no hooks) and does not look at
 * what malloc gave: it would crash. So before it may allocate, the most it can need is
 * asked for, as far as it can be told, and given back, and that is what can fail, as
 * HL_NO_MEMORY. What is left is the moment between, and removals that make a block smaller,
 * which nobody could undo. */
struct hl_rows;

struct hl_rows *hl_rows_new(void);                         /* empty; NULL: no memory */
struct hl_rows *hl_rows_clone(const struct hl_rows *rows); /* NULL: no memory */
void hl_rows_free(struct hl_rows *rows);                   /* NULL is accepted */

enum hl_code hl_rows_add(struct hl_rows *rows, uint32_t number, struct hl_err *err);
enum hl_code hl_rows_add_many(struct hl_rows *rows, const uint32_t *numbers, size_t n,
                              struct hl_err *err); /* in any order */
enum hl_code hl_rows_add_range(struct hl_rows *rows, uint32_t first, uint32_t last,
                               struct hl_err *err); /* both belong to it */
void hl_rows_remove(struct hl_rows *rows, uint32_t number);

/* In place: with the numbers of `other` too, only those it has, only those it has not. The
 * two are different sets. */
enum hl_code hl_rows_or(struct hl_rows *rows, const struct hl_rows *other,
                        struct hl_err *err);
enum hl_code hl_rows_and(struct hl_rows *rows, const struct hl_rows *other,
                         struct hl_err *err);
enum hl_code hl_rows_andnot(struct hl_rows *rows, const struct hl_rows *other,
                            struct hl_err *err);

bool hl_rows_has(const struct hl_rows *rows, uint32_t number);
uint64_t hl_rows_count(const struct hl_rows *rows);
uint64_t hl_rows_count_and(const struct hl_rows *a, const struct hl_rows *b);
size_t hl_rows_bytes(const struct hl_rows *rows); /* memory it takes, about */

/* The next numbers from `from` on, ascending, up to `max` of them: go on behind the last
 * one given. 0: no more. */
size_t hl_rows_list(const struct hl_rows *rows, uint32_t from, uint32_t *numbers,
                    size_t max);

/* For a filter of index/shelf.h: `self` is the set. */
bool hl_rows_has_fn(void *self, uint32_t number);

#endif
