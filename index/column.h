/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_COLUMN_H
#define HL_INDEX_COLUMN_H

#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One word for each of some point numbers, in pages of 1024: the way back from a point to
 * its value. One owner, who guards it. */
struct hl_column;

struct hl_column *hl_column_new(void); /* NULL: no memory */
void hl_column_free(struct hl_column *column);

enum hl_code hl_column_set(struct hl_column *column, uint32_t number, uint64_t word,
                           struct hl_err *err);
void hl_column_clear(struct hl_column *column, uint32_t number);

/* False when the number has none. */
bool hl_column_get(const struct hl_column *column, uint32_t number, uint64_t *ret_word);
size_t hl_column_bytes(const struct hl_column *column);

#endif
