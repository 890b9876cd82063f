/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_TARGET_H
#define HL_SERVER_TARGET_H

#include "proto/arena.h"
#include "proto/err.h"

#include <stddef.h>

/* The target of a request line, taken apart: `/collections/a%20b/points?limit=3`.
 *
 * Segments and parameters are decoded one by one, after splitting, so that an escaped slash
 * or ampersand is data. Decoding is strict: a broken escape, a zero byte, a control
 * character or text that is not UTF-8 is refused, because every layer behind this one takes
 * names as terminated UTF-8. Any thread. */

enum { HL_MAX_SEGMENTS = 16, HL_MAX_QUERY = 32 };

struct hl_span {
    const char *data; /* terminated when it came from decoding */
    size_t len;
};

struct hl_target_pair {
    struct hl_span name;
    struct hl_span value;
};

struct hl_target {
    size_t n_segments;
    struct hl_span segments[HL_MAX_SEGMENTS]; /* "/" has none */
    size_t n_query;
    const struct hl_target_pair *query; /* in the arena */
};

/* Takes `text` apart in place; everything in `ret_target` points into it. Accepts
 * the origin form, the absolute form (the authority is skipped) and, as a path without
 * segments, "*". HL_WRONG_INPUT says what is wrong, HL_NOT_FOUND that the path is deeper
 * than any of ours. */
enum hl_code hl_target_decode(char *text, size_t len, struct hl_arena *arena,
                              struct hl_target *ret_target, struct hl_err *err);

/* What the caller names himself, `what`, such as "a dataset": 1 to `most` letters, digits,
 * `.`, `_` and `-`, no dot in front, so that it may be a file's name. HL_INVALID. */
enum hl_code hl_target_check_name(const struct hl_span *name, const char *what, size_t most,
                                  struct hl_err *err);

#endif
