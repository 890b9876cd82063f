/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_FIELD_H
#define HL_PROTO_FIELD_H

#include "proto/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reading a body field by field, knowing at each one where it stands.
 *
 * A field is a frame on the reader's stack that points at the frame it is inside of, so a
 * path costs nothing until an error prints it. Whatever a reader function is called on is
 * the value that comes next in the tokens; each call takes one whole value. One thread.
 *
 *     Format error in JSON body: vectors.v2[17]: expected a number, got "x"           400
 *     Validation error in JSON body: [limit: value 0 invalid, must be 1 or larger]    422
 *
 * The texts given out are good as long as the source text and the arena of the tokens. */
struct hl_field {
    const struct hl_field *parent; /* NULL: the body itself */
    struct hl_tokens *tokens;
    const char *name; /* NULL: item `index` of an array */
    size_t name_len;
    size_t index;
};

/* The body itself. */
struct hl_field hl_field_root(struct hl_tokens *tokens);

/* What comes, without taking it. */
enum hl_code hl_field_kind(const struct hl_field *field, enum hl_token_kind *ret_kind,
                           struct hl_err *err);

enum hl_code hl_field_string(const struct hl_field *field, const char **ret_text,
                             size_t *ret_len, struct hl_err *err);
enum hl_code hl_field_bool(const struct hl_field *field, bool *ret_value,
                           struct hl_err *err);

/* Exact, or refused: a fraction or an exponent is of the wrong type, what is outside of
 * `min`..`max` is invalid. */
enum hl_code hl_field_u64(const struct hl_field *field, uint64_t min, uint64_t max,
                          uint64_t *ret_value, struct hl_err *err);
enum hl_code hl_field_i64(const struct hl_field *field, int64_t min, int64_t max,
                          int64_t *ret_value, struct hl_err *err);

/* Always finite. Any number: -DBL_MAX, DBL_MAX. */
enum hl_code hl_field_double(const struct hl_field *field, double min, double max,
                             double *ret_value, struct hl_err *err);

/* Which of the names the string is. */
enum hl_code hl_field_enum(const struct hl_field *field, const char *const *names,
                           size_t n_names, size_t *ret_which, struct hl_err *err);

/* The value's source text as it came (checked, of course), and passing it over. */
enum hl_code hl_field_span(const struct hl_field *field, const char **ret_text,
                           size_t *ret_len, struct hl_err *err);
enum hl_code hl_field_skip(const struct hl_field *field, struct hl_err *err);

/* The members of an object, one after the other.
 *
 * `names` are the known ones (at most 64, or NULL when any is welcome): `which` says which
 * of them a member is, `n_names` that it is none, and a known name that comes twice is
 * refused. A null member is as good as absent and passed over, unless `keeps_nulls` is set
 * after begin. A member that was not read is passed over too. */
struct hl_object {
    struct hl_field member;
    size_t which;
    const char *const *names;
    size_t n_names;
    uint64_t seen;
    unsigned depth;
    bool keeps_nulls;
};

enum hl_code hl_object_begin(const struct hl_field *field, const char *const *names,
                             size_t n_names, struct hl_object *ret_object,
                             struct hl_err *err);

/* The next member, or NULL behind the last. */
enum hl_code hl_object_next(struct hl_object *object, const struct hl_field **ret_member,
                            struct hl_err *err);

/* The items of an array, in the same way. Nulls are items like others. */
struct hl_items {
    struct hl_field item;
    bool is_begun;
    unsigned depth;
};

enum hl_code hl_items_begin(const struct hl_field *field, struct hl_items *ret_items,
                            struct hl_err *err);
enum hl_code hl_items_next(struct hl_items *items, const struct hl_field **ret_item,
                           struct hl_err *err);

/* Refusals in the wire's grammar, for readers of their own kind: `got` is the token that
 * was taken. Each fills `err` and returns its code, in the way and for the reason of
 * hl_fail. */
#define hl_field_fail_type(field, wanted, got, err)                                        \
    (hl_field_refuse_type((field), (wanted), (got), (err)), hl_err_code(err))
#define hl_field_fail_value(field, got, must_be, err)                                      \
    (hl_field_refuse_value((field), (got), (must_be), (err)), hl_err_code(err))
#define hl_field_fail_duplicate(field, err)                                                \
    (hl_field_refuse_name((field), "duplicate field", (err)), hl_err_code(err))
#define hl_field_fail_unknown(field, err)                                                  \
    (hl_field_refuse_name((field), "unknown field", (err)), hl_err_code(err))
#define hl_field_fail_name(field, sentence, err)                                           \
    (hl_field_refuse_name((field), (sentence), (err)), hl_err_code(err))

void hl_field_refuse_type(const struct hl_field *field, const char *wanted,
                          const struct hl_token *got, struct hl_err *err);
void hl_field_refuse_value(const struct hl_field *field, const struct hl_token *got,
                           const char *must_be, struct hl_err *err);
void hl_field_refuse_name(const struct hl_field *field, const char *sentence,
                          struct hl_err *err);

#endif
