/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/field.h"

#include "proto/number.h"
#include "proto/utf8.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    PATH_ROOM = 192,
    SHOWN_NAME = 48, /* bytes of a name or a value that an error repeats */
    VALUE_ROOM = SHOWN_NAME + 16,
    MUST_ROOM = 256,
};

struct hl_field hl_field_root(struct hl_tokens *tokens)
{
    return (struct hl_field){.tokens = tokens};
}

/* Bytes to show of a text that may be too long, cut between characters. */
static int shown_len(const char *text, size_t len)
{
    return (int)(len <= SHOWN_NAME ? len : hl_utf8_valid_len(text, SHOWN_NAME));
}

static bool is_plain_name(const struct hl_field *field)
{
    for (size_t i = 0; i < field->name_len; i++) {
        unsigned char c = (unsigned char)field->name[i];

        if (c <= ' ' || strchr(".[]:\"", c))
            return false;
    }
    return field->name_len > 0;
}

static size_t print_step(const struct hl_field *field, bool is_first, char *to, size_t room)
{
    int len = shown_len(field->name ? field->name : "", field->name_len);
    const char *more = (size_t)len < field->name_len ? "..." : "";
    int n;

    if (!field->name)
        n = snprintf(to, room, "[%zu]", field->index);
    else if (is_plain_name(field))
        n = snprintf(to, room, "%s%.*s%s", is_first ? "" : ".", len, field->name, more);
    else
        n = snprintf(to, room, "[\"%.*s%s\"]", len, field->name, more);
    return n > 0 && (size_t)n < room ? (size_t)n : 0;
}

/* Steps that no longer fit are left out at the end; nesting is bounded, so are the steps.
 */
static void print_path(const struct hl_field *field, char path[PATH_ROOM])
{
    const struct hl_field *steps[HL_TOKEN_MAX_DEPTH + 1];
    size_t n_steps = 0, at = 0;

    path[0] = '\0';
    for (; field->parent && n_steps <= HL_TOKEN_MAX_DEPTH; field = field->parent)
        steps[n_steps++] = field;
    while (n_steps--) {
        size_t n = print_step(steps[n_steps], at == 0, path + at, PATH_ROOM - at);

        if (n == 0)
            break;
        at += n;
    }
    path[at] = '\0';
}

static void print_got(const struct hl_token *got, char value[VALUE_ROOM])
{
    int len = shown_len(got->text, got->len);
    const char *more = (size_t)len < got->len ? "..." : "";

    switch (got->kind) {
    case HL_TOKEN_OBJECT_BEGIN:
        snprintf(value, VALUE_ROOM, "an object");
        break;
    case HL_TOKEN_ARRAY_BEGIN:
        snprintf(value, VALUE_ROOM, "an array");
        break;
    case HL_TOKEN_STRING:
        snprintf(value, VALUE_ROOM, "\"%.*s%s\"", len, got->text, more);
        break;
    case HL_TOKEN_END:
    case HL_TOKEN_OBJECT_END:
    case HL_TOKEN_ARRAY_END:
    case HL_TOKEN_KEY:
    case HL_TOKEN_NUMBER:
    case HL_TOKEN_TRUE:
    case HL_TOKEN_FALSE:
    case HL_TOKEN_NULL:
    default:
        snprintf(value, VALUE_ROOM, "%.*s%s", len, got->text, more);
        break;
    }
}

void hl_field_refuse_type(const struct hl_field *field, const char *wanted,
                          const struct hl_token *got, struct hl_err *err)
{
    const struct hl_tokens *tokens = field->tokens;
    char path[PATH_ROOM], value[VALUE_ROOM];

    print_path(field, path);
    print_got(got, value);
    hl_err_set(err, tokens->code, "Format error in %s: %s%sexpected %s, got %s",
               tokens->what, path, path[0] ? ": " : "", wanted, value);
}

void hl_field_refuse_value(const struct hl_field *field, const struct hl_token *got,
                           const char *must_be, struct hl_err *err)
{
    char path[PATH_ROOM], value[VALUE_ROOM];

    print_path(field, path);
    print_got(got, value);
    hl_err_set(err, HL_INVALID,
               "Validation error in %s: [%s%svalue %s invalid, must be %s]",
               field->tokens->what, path, path[0] ? ": " : "", value, must_be);
}

void hl_field_refuse_name(const struct hl_field *field, const char *sentence,
                          struct hl_err *err)
{
    char path[PATH_ROOM];

    print_path(field, path);
    hl_err_set(err, field->tokens->code, "Format error in %s: %s%s%s", field->tokens->what,
               path, path[0] ? ": " : "", sentence);
}

static enum hl_code take(const struct hl_field *field, enum hl_token_kind kind,
                         const char *wanted, struct hl_token *ret_token, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = hl_tokens_next(field->tokens, &token, err);

    if (code != HL_OK)
        return code;
    if (token.kind != kind)
        return hl_field_fail_type(field, wanted, &token, err);
    *ret_token = token;
    return HL_OK;
}

enum hl_code hl_field_kind(const struct hl_field *field, enum hl_token_kind *ret_kind,
                           struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = hl_tokens_peek(field->tokens, &token, err);

    if (code == HL_OK)
        *ret_kind = token.kind;
    return code;
}

enum hl_code hl_field_string(const struct hl_field *field, const char **ret_text,
                             size_t *ret_len, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = take(field, HL_TOKEN_STRING, "a string", &token, err);

    if (code != HL_OK)
        return code;
    *ret_text = token.text;
    *ret_len = token.len;
    return HL_OK;
}

enum hl_code hl_field_bool(const struct hl_field *field, bool *ret_value,
                           struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = hl_tokens_next(field->tokens, &token, err);

    if (code != HL_OK)
        return code;
    if (token.kind != HL_TOKEN_TRUE && token.kind != HL_TOKEN_FALSE)
        return hl_field_fail_type(field, "true or false", &token, err);
    *ret_value = token.kind == HL_TOKEN_TRUE;
    return HL_OK;
}

static enum hl_code take_whole(const struct hl_field *field, struct hl_token *ret_token,
                               struct hl_err *err)
{
    static const char wanted[] = "a whole number";
    struct hl_token token;
    enum hl_code code = take(field, HL_TOKEN_NUMBER, wanted, &token, err);

    if (code != HL_OK)
        return code;
    if (!hl_number_is_whole(token.text, token.len))
        return hl_field_fail_type(field, wanted, &token, err);
    *ret_token = token;
    return HL_OK;
}

enum hl_code hl_field_u64(const struct hl_field *field, uint64_t min, uint64_t max,
                          uint64_t *ret_value, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = take_whole(field, &token, err);
    char must[MUST_ROOM];
    uint64_t value;

    if (code != HL_OK)
        return code;
    if (hl_number_u64(token.text, token.len, &value) && value >= min && value <= max) {
        *ret_value = value;
        return HL_OK;
    }
    if (max == UINT64_MAX && min > 0)
        snprintf(must, sizeof must, "%" PRIu64 " or larger", min);
    else
        snprintf(must, sizeof must, "from %" PRIu64 " to %" PRIu64, min, max);
    return hl_field_fail_value(field, &token, must, err);
}

enum hl_code hl_field_i64(const struct hl_field *field, int64_t min, int64_t max,
                          int64_t *ret_value, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = take_whole(field, &token, err);
    char must[MUST_ROOM];
    int64_t value;

    if (code != HL_OK)
        return code;
    if (hl_number_i64(token.text, token.len, &value) && value >= min && value <= max) {
        *ret_value = value;
        return HL_OK;
    }
    snprintf(must, sizeof must, "from %" PRId64 " to %" PRId64, min, max);
    return hl_field_fail_value(field, &token, must, err);
}

enum hl_code hl_field_double(const struct hl_field *field, double min, double max,
                             double *ret_value, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = take(field, HL_TOKEN_NUMBER, "a number", &token, err);
    char must[MUST_ROOM];
    double value;

    if (code != HL_OK)
        return code;
    value = hl_number_double(token.text, token.len);
    if (isfinite(value) && value >= min && value <= max) {
        *ret_value = value;
        return HL_OK;
    }
    if (min <= -DBL_MAX && max >= DBL_MAX)
        snprintf(must, sizeof must, "a finite number");
    else if (max >= DBL_MAX)
        snprintf(must, sizeof must, "%g or larger", min);
    else if (min <= -DBL_MAX)
        snprintf(must, sizeof must, "%g or smaller", max);
    else
        snprintf(must, sizeof must, "from %g to %g", min, max);
    return hl_field_fail_value(field, &token, must, err);
}

static bool is_text(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && memcmp(name, text, len) == 0;
}

static size_t find_name(const char *const *names, size_t n_names, const char *text,
                        size_t len)
{
    size_t which = 0;

    while (which < n_names && !is_text(names[which], text, len))
        which++;
    return which;
}

enum hl_code hl_field_enum(const struct hl_field *field, const char *const *names,
                           size_t n_names, size_t *ret_which, struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = take(field, HL_TOKEN_STRING, "a string", &token, err);
    char must[MUST_ROOM];
    size_t which, at = 0;

    if (code != HL_OK)
        return code;
    which = find_name(names, n_names, token.text, token.len);
    if (which < n_names) {
        *ret_which = which;
        return HL_OK;
    }
    for (size_t i = 0; i < n_names && at < sizeof must; i++)
        at += (size_t)snprintf(must + at, sizeof must - at, "%s\"%s\"",
                               i ? ", " : "one of ", names[i]);
    return hl_field_fail_value(field, &token, must, err);
}

enum hl_code hl_field_span(const struct hl_field *field, const char **ret_text,
                           size_t *ret_len, struct hl_err *err)
{
    return hl_tokens_span(field->tokens, ret_text, ret_len, err);
}

enum hl_code hl_field_skip(const struct hl_field *field, struct hl_err *err)
{
    return hl_tokens_skip(field->tokens, err);
}

enum hl_code hl_object_begin(const struct hl_field *field, const char *const *names,
                             size_t n_names, struct hl_object *ret_object,
                             struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = take(field, HL_TOKEN_OBJECT_BEGIN, "an object", &token, err);

    assert(n_names <= 64);
    if (code != HL_OK)
        return code;
    *ret_object = (struct hl_object){.member = {.parent = field, .tokens = field->tokens},
                                     .which = n_names,
                                     .names = names,
                                     .n_names = n_names,
                                     .depth = field->tokens->depth};
    return HL_OK;
}

/* A key was taken: which one is it, and is it the first of its name? */
static enum hl_code name_member(struct hl_object *object, const struct hl_token *key,
                                struct hl_err *err)
{
    uint64_t bit;

    object->member.name = key->text;
    object->member.name_len = key->len;
    object->which = find_name(object->names, object->n_names, key->text, key->len);
    if (object->which == object->n_names)
        return HL_OK;
    bit = UINT64_C(1) << object->which;
    if (object->seen & bit)
        return hl_field_fail_duplicate(&object->member, err);
    object->seen |= bit;
    return HL_OK;
}

enum hl_code hl_object_next(struct hl_object *object, const struct hl_field **ret_member,
                            struct hl_err *err)
{
    struct hl_tokens *tokens = object->member.tokens;
    enum hl_token_kind kind = HL_TOKEN_NULL;
    struct hl_token token;
    enum hl_code code;

    while (kind == HL_TOKEN_NULL) {
        code = hl_tokens_is_value_due(tokens) ? hl_tokens_skip(tokens, err) : HL_OK;
        if (code == HL_OK)
            code = hl_tokens_next(tokens, &token, err);
        if (code != HL_OK)
            return code;
        if (token.kind == HL_TOKEN_OBJECT_END) {
            assert(tokens->depth == object->depth - 1);
            *ret_member = NULL;
            return HL_OK;
        }
        assert(token.kind == HL_TOKEN_KEY && tokens->depth == object->depth);
        code = name_member(object, &token, err);
        if (code == HL_OK && !object->keeps_nulls)
            code = hl_field_kind(&object->member, &kind, err);
        if (code != HL_OK)
            return code;
        if (object->keeps_nulls)
            break;
    }
    *ret_member = &object->member;
    return HL_OK;
}

enum hl_code hl_items_begin(const struct hl_field *field, struct hl_items *ret_items,
                            struct hl_err *err)
{
    struct hl_token token;
    enum hl_code code = take(field, HL_TOKEN_ARRAY_BEGIN, "an array", &token, err);

    if (code != HL_OK)
        return code;
    *ret_items = (struct hl_items){.item = {.parent = field, .tokens = field->tokens},
                                   .depth = field->tokens->depth};
    return HL_OK;
}

enum hl_code hl_items_next(struct hl_items *items, const struct hl_field **ret_item,
                           struct hl_err *err)
{
    struct hl_tokens *tokens = items->item.tokens;
    struct hl_token token;
    enum hl_code code = HL_OK;

    if (items->is_begun && hl_tokens_is_value_due(tokens))
        code = hl_tokens_skip(tokens, err);
    if (code == HL_OK)
        code = hl_tokens_peek(tokens, &token, err);
    if (code != HL_OK)
        return code;
    if (token.kind == HL_TOKEN_ARRAY_END) {
        assert(tokens->depth == items->depth - 1);
        *ret_item = NULL;
        return hl_tokens_next(tokens, &token, err);
    }
    items->item.index += items->is_begun;
    items->is_begun = true;
    *ret_item = &items->item;
    return HL_OK;
}
