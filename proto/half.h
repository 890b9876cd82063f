/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_HALF_H
#define HL_PROTO_HALF_H

#include <stddef.h>
#include <stdint.h>

/* float16 (IEEE 754 binary16) and bfloat16, many at a time.
 *
 * Upwards is exact. Downwards rounds to the nearest, a tie to the even one; what is too
 * large becomes infinite; not-a-number stays that, with the upper bits of its payload. Pure
 * functions, any thread; the two ranges may not overlap. */

void hl_half_to_floats(const uint16_t *halves, size_t n, float *ret_values);
void hl_half_from_floats(const float *values, size_t n, uint16_t *ret_halves);

void hl_bfloat_to_floats(const uint16_t *bfloats, size_t n, float *ret_values);
void hl_bfloat_from_floats(const float *values, size_t n, uint16_t *ret_bfloats);

#endif
