/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_PAYLOAD_H
#define HL_INDEX_PAYLOAD_H

#include "proto/path.h"
#include "proto/token.h"

#include <stdbool.h>
#include <stddef.h>

/* A payload's text as a tree of values, and what a path leads to in it.
 *
 * Plain data in the arena of the caller, which borrows the text; nobody changes it, so any
 * number of threads may look at it. Strings have their escapes resolved, numbers stay
 * source text. */
struct hl_value {
    enum hl_token_kind kind; /* the token that it is or begins with */
    const char *text;        /* of a string or a number */
    size_t len;
    const char *name; /* of a member of an object */
    size_t name_len;
    const char *source; /* the whole value as it came; of the payload that is none, {} */
    size_t source_len;
    size_t n_children;
    struct hl_value *first; /* items or members, in the order of the source */
    struct hl_value *last;
    struct hl_value *next;
    struct hl_value *parent;
};

/* NULL as the text is no payload, `{}`. HL_DAMAGED when it is not JSON: it was checked
 * before it was stored. */
enum hl_code hl_payload_parse(const char *text, size_t len, struct hl_arena *arena,
                              const struct hl_value **ret_root, struct hl_err *err);

/* Called for each value, in the order of the source, until it says true. */
typedef bool hl_value_fn(void *self, const struct hl_value *value);

/* Every value the path leads to; whether one of the calls said true. A name goes into
 * objects alone, a bracket into arrays alone; of a name that is there twice, the last
 * counts. What the path ends at is given as it is: an array is not opened. */
bool hl_payload_each(const struct hl_value *root, const struct hl_path *path,
                     hl_value_fn *each, void *self);

/* The value, or when it is an array its items: what a condition looks at. Arrays in there
 * stay closed. */
bool hl_value_each(const struct hl_value *value, hl_value_fn *each, void *self);

/* The last member of the name, NULL when there is none or the value is no object. */
const struct hl_value *hl_value_member(const struct hl_value *value, const char *name,
                                       size_t len);

/* What counts as absent: null and []. */
bool hl_value_is_empty(const struct hl_value *value);

#endif
