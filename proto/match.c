/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/match.h"

#include "proto/list.h"
#include "proto/members.h"

enum { VALUE, ANY, EXCEPT, PREFIX, TEXT, TEXT_ANY, PHRASE };

static const char *const names[] = {"value", "any",      "except", "prefix",
                                    "text",  "text_any", "phrase"};

struct draft {
    struct hl_condition *condition;
    unsigned n_tests;
};

static int compare_texts(const void *a, const void *b)
{
    return hl_text_compare(a, b);
}

static int compare_integers(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

struct values {
    struct hl_list texts;
    struct hl_list integers;
};

/* What `value` and the items of `any` may be; the kind of the first one is everyone's. */
static enum hl_code add_value(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct values *values = self;
    enum hl_token_kind kind;
    struct hl_text text;
    int64_t integer;
    enum hl_code code = hl_field_kind(item, &kind, err);

    if (code != HL_OK)
        return code;
    if (values->texts.n || (kind == HL_TOKEN_STRING && !values->integers.n)) {
        code = hl_text_read(item, &text, err);
        return code == HL_OK ? hl_list_add(&values->texts, &text, err) : code;
    }
    if (kind != HL_TOKEN_NUMBER && !values->integers.n) {
        struct hl_token got;

        code = hl_tokens_next(item->tokens, &got, err);
        return code == HL_OK ? hl_field_fail_type(item, "a string or an integer", &got, err)
                             : code;
    }
    code = hl_field_i64(item, INT64_MIN, INT64_MAX, &integer, err);
    return code == HL_OK ? hl_list_add(&values->integers, &integer, err) : code;
}

static struct values no_values(const struct hl_field *field)
{
    struct hl_arena *arena = field->tokens->arena;

    return (struct values){hl_list_of(arena, sizeof(struct hl_text)),
                           hl_list_of(arena, sizeof(int64_t))};
}

static void keep_values(struct values *values, struct hl_condition *condition)
{
    if (values->integers.n) {
        hl_list_sort(&values->integers, compare_integers);
        condition->kind = HL_CONDITION_INTEGER;
        condition->integers =
            (struct hl_integers){values->integers.items, values->integers.n};
        return;
    }
    hl_list_sort(&values->texts, compare_texts);
    condition->kind = HL_CONDITION_TEXT;
    condition->texts = (struct hl_texts){values->texts.items, values->texts.n};
}

static enum hl_code read_value(const struct hl_field *field, struct hl_condition *condition,
                               struct hl_err *err)
{
    struct values values = no_values(field);
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(field, &kind, err);

    if (code != HL_OK)
        return code;
    if (kind == HL_TOKEN_TRUE || kind == HL_TOKEN_FALSE) {
        condition->kind = HL_CONDITION_BOOL;
        return hl_field_bool(field, &condition->is_true, err);
    }
    code = add_value(field, &values, err);
    if (code == HL_OK)
        keep_values(&values, condition);
    return code;
}

static enum hl_code read_prefix(const struct hl_field *field,
                                struct hl_condition *condition, struct hl_err *err)
{
    struct values values = no_values(field);
    struct hl_text text;
    enum hl_code code = hl_text_read(field, &text, err);

    if (code == HL_OK)
        code = hl_list_add(&values.texts, &text, err);
    if (code != HL_OK)
        return code;
    condition->kind = HL_CONDITION_PREFIX;
    condition->texts = (struct hl_texts){values.texts.items, 1};
    return HL_OK;
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct draft *draft = self;
    struct values values = no_values(member);
    enum hl_code code;

    draft->n_tests++;
    if (which == VALUE)
        return read_value(member, draft->condition, err);
    if (which == PREFIX)
        return read_prefix(member, draft->condition, err);
    if (which != ANY && which != EXCEPT)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "match \"%s\" is not supported: there is no full-text search",
                       names[which]);
    draft->condition->is_except = which == EXCEPT;
    code = hl_each_read(member, add_value, &values, err);
    if (code == HL_OK)
        keep_values(&values, draft->condition);
    return code;
}

enum hl_code hl_match_read(const struct hl_field *field, struct hl_condition *condition,
                           struct hl_err *err)
{
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_member};
    static const struct hl_token got = {.kind = HL_TOKEN_OBJECT_BEGIN};
    struct draft draft = {condition, 0};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK && draft.n_tests != 1)
        return hl_field_fail_value(
            field, &got, "one of \"value\", \"any\", \"except\" and \"prefix\"", err);
    return code;
}
