/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_FIELD_KEYS_H
#define HL_INDEX_FIELD_KEYS_H

#include "index/field_index.h"
#include "index/places.h"

/* Values as unsigned words in the order of the values, and conditions as ranges of them.
 * For field_index.c alone. Pure functions. */
struct hl_keys {
    uint64_t low;
    uint64_t high; /* below low: none */
};

/* False when the value is not of the kind. `point` is filled for GEO. */
bool hl_key_of_value(enum hl_field_kind kind, const struct hl_value *value,
                     uint64_t *ret_key, struct hl_geo_point *point);

uint64_t hl_key_of_integer(int64_t integer);
int64_t hl_integer_of_key(uint64_t key);
uint64_t hl_key_of_double(double value);
double hl_double_of_key(uint64_t key);

struct hl_keys hl_keys_of_range(enum hl_field_kind kind, const struct hl_range *range);
struct hl_keys hl_keys_of_times(const struct hl_time_range *times);

/* A place's key is its belt of latitude, then its longitude. */
enum { HL_KEY_BELTS = 4096 };
uint32_t hl_key_belt(double lat);
struct hl_keys hl_keys_of_belt(uint32_t belt, double west, double east);

#endif
