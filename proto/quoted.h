/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_QUOTED_H
#define HL_PROTO_QUOTED_H

#include <stdbool.h>
#include <stddef.h>

/* What stands between the quotes of a JSON string: escapes and UTF-8. Pure functions, any
 * thread. */

/* Checks `text` from behind the opening quote up to the closing one. NULL when it is sound,
 * and `*ret_end` is where the closing quote stands; else what is wrong, and `*ret_end` is
 * where. A lone surrogate is wrong: no UTF-8 could say it. */
const char *hl_quoted_scan(const char *text, size_t len, size_t *ret_end,
                           bool *ret_has_escapes);

/* Writes what a sound inside says, at most `len` bytes, and returns how many. */
size_t hl_quoted_resolve(const char *text, size_t len, char *ret_bytes);

#endif
