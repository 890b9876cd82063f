/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_JSON_H
#define HL_PROTO_JSON_H

#include "proto/arena.h"
#include "proto/buf.h"
#include "proto/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Control bodies as a tree: small, read in any order, built and printed. Not a face: only
 * proto/ includes this.
 *
 * The tree is cJSON's, which takes forty times the text in memory, rounds integers beyond
 * 2^53, stops a string at a zero byte and keeps both of two members of one name. So the
 * tokenizer reads a text first, and what cJSON would bend is refused, as is what is too
 * large for a control body. A tree belongs to whoever made it; reading is for any thread,
 * building for one. */
struct hl_json;

#define HL_JSON_MAX_BYTES (1U << 20)
#define HL_JSON_MAX_NODES 20000
#define HL_JSON_MAX_DEPTH 64

/* Keeps no reference to the text; the arena is for the work of one call. */
enum hl_code hl_json_decode(const char *text, size_t len, struct hl_arena *arena,
                            struct hl_json **ret_json, struct hl_err *err);
void hl_json_free(struct hl_json *json); /* NULL is accepted */

/* A place in a tree that knows its path, in the way of hl_field. Good as long as the tree
 * and the places it was reached through. */
struct hl_json_at {
    struct hl_field field;
    const void *node;
};

struct hl_json_at hl_json_root(struct hl_json *json);

/* False when there is no such member, or it is null. HL_MALFORMED where a value of another
 * type was wanted, HL_INVALID where it is out of range. */
bool hl_json_member(const struct hl_json_at *object, const char *name,
                    struct hl_json_at *ret_member);
enum hl_code hl_json_object(const struct hl_json_at *at, struct hl_err *err);
enum hl_code hl_json_array(const struct hl_json_at *at, size_t *ret_n, struct hl_err *err);

/* From one item to the next, with `*item` zero before the first; false behind the last.
 */
bool hl_json_next_item(const struct hl_json_at *array, struct hl_json_at *item);
enum hl_code hl_json_string(const struct hl_json_at *at, const char **ret_text,
                            struct hl_err *err);
enum hl_code hl_json_bool(const struct hl_json_at *at, bool *ret_value, struct hl_err *err);
enum hl_code hl_json_i64(const struct hl_json_at *at, int64_t min, int64_t max,
                         int64_t *ret_value, struct hl_err *err);
enum hl_code hl_json_double(const struct hl_json_at *at, double *ret_value,
                            struct hl_err *err);

/* A new tree, an object without members, NULL when there is no memory. The root is given
 * as `parent` by NULL; `name` is NULL for an item of an array. What was added can be the
 * next one's parent. NULL: no memory, the tree is as it was. */
struct hl_json *hl_json_new(void);
void *hl_json_add_object(struct hl_json *json, void *parent, const char *name);
void *hl_json_add_array(struct hl_json *json, void *parent, const char *name);
void *hl_json_add_string(struct hl_json *json, void *parent, const char *name,
                         const char *text);
void *hl_json_add_number(struct hl_json *json, void *parent, const char *name,
                         double value);
void *hl_json_add_bool(struct hl_json *json, void *parent, const char *name, bool value);

/* By the rules of proto/encode.h; whole numbers up to 2^53 without a point. */
void hl_json_encode(const struct hl_json *json, struct hl_buf *buf);

const char *hl_json_library_version(void);

#endif
