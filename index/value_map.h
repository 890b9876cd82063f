/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_VALUE_MAP_H
#define HL_INDEX_VALUE_MAP_H

#include "index/rows.h"
#include "proto/text.h"

/* For each text the set of points that have it; no set is empty. One owner, who guards it:
 * readers together, or one writer. */
struct hl_value_map;

struct hl_value_map *hl_value_map_new(void); /* NULL: no memory */
void hl_value_map_free(struct hl_value_map *map);

/* The text is copied. *ret_is_new: the point did not have it. */
enum hl_code hl_value_map_add(struct hl_value_map *map, const struct hl_text *text,
                              uint32_t number, bool *ret_is_new, struct hl_err *err);
void hl_value_map_remove(struct hl_value_map *map, const struct hl_text *text,
                         uint32_t number);

/* NULL: nobody has it. Good until the next change, as is what is given below. */
const struct hl_rows *hl_value_map_find(const struct hl_value_map *map,
                                        const struct hl_text *text);

/* Every text, in no order, until a call says true; whether one did. */
typedef bool hl_value_map_fn(void *self, const struct hl_text *text,
                             const struct hl_rows *rows);
bool hl_value_map_each(const struct hl_value_map *map, hl_value_map_fn *each, void *self);

size_t hl_value_map_count(const struct hl_value_map *map);
size_t hl_value_map_bytes(const struct hl_value_map *map);

#endif
