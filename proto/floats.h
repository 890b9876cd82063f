/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_FLOATS_H
#define HL_PROTO_FLOATS_H

#include "proto/field.h"

#include <stddef.h>

/* Arrays of numbers as float, each bit for bit what strtof gives for its source text.
 *
 * Vectors are most of what a body holds, so they are read without making tokens: sixteen or
 * eight digits at a time into an integer, then one multiplication by a power of ten as
 * double. What comes out is within a few last places of the true value; unless the middle
 * between two floats is as near, both round to the same float. In doubt the text is read
 * again by hl_number_float. What is no number, or no JSON, goes to the tokenizer, which
 * says what is wrong with it and where.
 *
 * A number too large for a float is HL_INVALID: whatever was read is finite. One thread. */

/* Fills `values` with the first `n_room` items and says how many there are, which the
 * caller compares with the size he wants: what is beyond is checked and counted. After a
 * failure `values` may be partly filled. */
enum hl_code hl_floats_fill(const struct hl_field *field, float *values, size_t n_room,
                            size_t *ret_n, struct hl_err *err);

/* As many as there are, into the arena of the tokens. */
enum hl_code hl_floats_read(const struct hl_field *field, float **ret_values, size_t *ret_n,
                            struct hl_err *err);

/* How many stand before the first that is not finite; n when all of them are. */
size_t hl_floats_count_finite(const float *values, size_t n);

#endif
