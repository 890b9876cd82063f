/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_UTF8_H
#define HL_PROTO_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF.
 * Pure functions, any thread. */

/* Bytes of the character that `text` begins with, 1..4; 0 when the first `len` bytes do not
 * begin with a whole valid one. */
size_t hl_utf8_char_len(const char *text, size_t len);

/* Bytes of the longest valid beginning: `len` when all of it is. */
size_t hl_utf8_valid_len(const char *text, size_t len);

/* Writes a code point that is not a surrogate, at most U+10FFFF, as 1..4 bytes. */
size_t hl_utf8_put(uint32_t code_point, char *ret_bytes);

#endif
