/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_BASE64_H
#define HL_PROTO_BASE64_H

#include "proto/buf.h"
#include "proto/err.h"

#include <stddef.h>

/* Vectors as base64 of little-endian float32.
 *
 * Strict: RFC 4648's first alphabet, no white space, the padding that belongs there, no
 * bits left over that are not zero; so every vector has exactly one text. Any bit pattern
 * is a float here: whether the numbers are finite is hl_batch_check_finite's question,
 * which can name row and column. Pure functions, any thread. */

/* How many floats a text of that length holds, by its length and padding alone.
 * HL_MALFORMED when that is no whole number of at least one. */
enum hl_code hl_base64_count(const char *text, size_t len, size_t *ret_n_values,
                             struct hl_err *err);

/* Decodes exactly `n_values` floats. HL_MALFORMED, with the position of what is wrong, or
 * HL_DIMENSION_MISMATCH when the text holds another number of floats; `values` then hold
 * nothing of use. */
enum hl_code hl_base64_decode(const char *text, size_t len, size_t n_values, float *values,
                              struct hl_err *err);

/* Adds the text to the buffer, which remembers if there was no room. */
void hl_base64_encode(const float *values, size_t n_values, struct hl_buf *buf);

#endif
