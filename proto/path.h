/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_PATH_H
#define HL_PROTO_PATH_H

#include "proto/field.h"

#include <stdbool.h>
#include <stddef.h>

/* Where in a payload: `city`, `address.city`, `tags[]`, `tags[0]`, `a[].b`, `"a.b".c`.
 *
 * Steps are joined by dots; a name with a dot, a bracket or a quote in it stands between
 * quotes (and cannot hold a quote itself, as in Qdrant). `[]` goes into every item of an
 * array, `[3]` into one. Plain data; the names point into the text it was parsed from. */
enum hl_path_kind { HL_PATH_NAME, HL_PATH_EACH, HL_PATH_INDEX };

struct hl_path_step {
    enum hl_path_kind kind;
    const char *name; /* of HL_PATH_NAME; not terminated, never empty */
    size_t len;
    size_t index; /* of HL_PATH_INDEX */
};

struct hl_path {
    const char *text; /* as it came, not terminated */
    size_t len;
    const struct hl_path_step *steps; /* the first is a name */
    size_t n_steps;
};

#define HL_PATH_MAX_STEPS 64

/* HL_MALFORMED when it is no path. `text` is borrowed for as long as the path is used. */
enum hl_code hl_path_parse(const char *text, size_t len, struct hl_arena *arena,
                           struct hl_path *ret_path, struct hl_err *err);

/* The same from a string of a body. */
enum hl_code hl_path_read(const struct hl_field *field, struct hl_path *ret_path,
                          struct hl_err *err);

/* Whether both lead to the same place, however they are spelt. Any thread. */
bool hl_path_is_equal(const struct hl_path *a, const struct hl_path *b);

#endif
