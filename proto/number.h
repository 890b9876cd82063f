/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_NUMBER_H
#define HL_PROTO_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the source text of a JSON number is worth, exactly.
 *
 * The text is one that the tokenizer passed; it may be of any length. Pure functions, any
 * thread, independent of the locale. */

/* The nearest float or double, bit for bit what strtof and strtod give for the text;
 * infinite when it is too large. */
float hl_number_float(const char *text, size_t len);
double hl_number_double(const char *text, size_t len);

/* Whether it is written without fraction and exponent. */
bool hl_number_is_whole(const char *text, size_t len);

/* False when it is not written as a whole number or does not fit. */
bool hl_number_u64(const char *text, size_t len, uint64_t *ret_value);
bool hl_number_i64(const char *text, size_t len, int64_t *ret_value);

/* The other way: the digits of a value stand at the end of the text, from the place that is
 * returned on. */
enum { HL_NUMBER_DIGITS = 20 };
size_t hl_number_digits(uint64_t value, char text[HL_NUMBER_DIGITS]);

#endif
