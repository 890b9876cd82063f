/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/vector.h"

#include "proto/base64.h"
#include "proto/floats.h"
#include "proto/list.h"
#include "proto/members.h"

#include <stdio.h>
#include <stdlib.h>

/* The sentence of a decoder that knows no paths, behind the path. */
static enum hl_code fail_at(const struct hl_field *field, struct hl_err *err)
{
    char sentence[HL_ERR_MSG_SIZE];

    snprintf(sentence, sizeof sentence, "%s", err->msg);
    return hl_field_fail_name(field, sentence, err);
}

static enum hl_code read_base64(const struct hl_field *field, struct hl_vector *vector,
                                struct hl_err *err)
{
    struct hl_token got = {.kind = HL_TOKEN_STRING};
    enum hl_code code = hl_field_string(field, &got.text, &got.len, err);
    float *values;

    if (code != HL_OK)
        return code;
    code = hl_base64_count(got.text, got.len, &vector->n, err);
    if (code != HL_OK)
        return fail_at(field, err);
    values = hl_arena_floats(field->tokens->arena, vector->n, 1);
    if (!values)
        return hl_arena_fail(field->tokens->arena, err, "a vector of %zu floats",
                             vector->n);
    code = hl_base64_decode(got.text, got.len, vector->n, values, err);
    if (code != HL_OK)
        return fail_at(field, err);
    if (hl_floats_count_finite(values, vector->n) < vector->n)
        return hl_field_fail_value(field, &got, "finite numbers", err);
    vector->values = values;
    return HL_OK;
}

/* The byte behind the opening bracket tells before the numbers are read. */
static bool is_array_of_arrays(const struct hl_tokens *tokens, const struct hl_token *array)
{
    size_t at = array->start + 1;

    while (at < tokens->len && (tokens->text[at] == ' ' || tokens->text[at] == '\n' ||
                                tokens->text[at] == '\t' || tokens->text[at] == '\r'))
        at++;
    return at < tokens->len && tokens->text[at] == '[';
}

static enum hl_code read_dense(const struct hl_field *field, struct hl_vector *vector,
                               struct hl_err *err)
{
    float *values;
    enum hl_code code = hl_floats_read(field, &values, &vector->n, err);

    if (code == HL_OK)
        vector->values = values;
    return code;
}

/* ---- sparse ---- */

struct entry {
    uint32_t index;
    float value;
};

struct sparse_draft {
    struct hl_list indices;
    float *values;
    size_t n_values;
};

static enum hl_code add_index(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct hl_list *list = self;
    uint64_t value;
    uint32_t index;
    enum hl_code code = hl_field_u64(item, 0, UINT32_MAX, &value, err);

    if (code != HL_OK)
        return code;
    index = (uint32_t)value;
    return hl_list_add(list, &index, err);
}

enum { INDICES, VALUES, TEXT, IMAGE, OBJECT, MODEL, OPTIONS, BM25_CONFIG };

static enum hl_code read_sparse_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    struct sparse_draft *draft = self;

    if (which == INDICES)
        return hl_each_read(member, add_index, &draft->indices, err);
    if (which == VALUES)
        return hl_floats_read(member, &draft->values, &draft->n_values, err);
    return hl_member_refuse(member, "there is no model here to embed it, send its vector",
                            err);
}

static int compare_entries(const void *a, const void *b)
{
    uint32_t x = ((const struct entry *)a)->index, y = ((const struct entry *)b)->index;

    return (x > y) - (x < y);
}

static enum hl_code sort_sparse(const struct hl_field *field, struct sparse_draft *draft,
                                struct hl_err *err)
{
    static const struct hl_token got = {.kind = HL_TOKEN_OBJECT_BEGIN};
    struct hl_arena *arena = field->tokens->arena;
    uint32_t *indices = draft->indices.items;
    size_t n = draft->n_values;
    struct entry *entries = hl_arena_array(arena, n, sizeof *entries);

    if (!entries)
        return hl_arena_fail(arena, err, "a sparse vector of %zu values", n);
    for (size_t i = 0; i < n; i++)
        entries[i] = (struct entry){indices[i], draft->values[i]};
    qsort(entries, n, sizeof *entries, compare_entries);
    for (size_t i = 0; i < n; i++) {
        indices[i] = entries[i].index;
        draft->values[i] = entries[i].value;
        if (i > 0 && indices[i] == indices[i - 1])
            return hl_field_fail_value(field, &got, "a sparse vector with unique indices",
                                       err);
    }
    return HL_OK;
}

static bool is_ascending(const uint32_t *indices, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (indices[i] <= indices[i - 1])
            return false;
    }
    return true;
}

static enum hl_code read_sparse(const struct hl_field *field, struct hl_vector *vector,
                                struct hl_err *err)
{
    static const char *const names[] = {"indices", "values", "text",    "image",
                                        "object",  "model",  "options", "bm25_config"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(INDICES) | HL_MEMBER(VALUES), read_sparse_member};
    static const struct hl_token got = {.kind = HL_TOKEN_OBJECT_BEGIN};
    struct sparse_draft draft = {.indices =
                                     hl_list_of(field->tokens->arena, sizeof(uint32_t))};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code != HL_OK)
        return code;
    if (draft.indices.n != draft.n_values)
        return hl_field_fail_value(field, &got, "as many values as indices", err);
    if (!is_ascending(draft.indices.items, draft.n_values))
        code = sort_sparse(field, &draft, err);
    if (code != HL_OK)
        return code;
    vector->values = draft.values;
    vector->n = draft.n_values;
    vector->indices = draft.indices.items;
    vector->is_sparse = true;
    return HL_OK;
}

/* ---- one, and those of a point ---- */

enum hl_code hl_vector_read(const struct hl_field *field, struct hl_vector *ret_vector,
                            struct hl_err *err)
{
    struct hl_vector vector = {.name = {"", 0}};
    struct hl_token next;
    enum hl_code code = hl_tokens_peek(field->tokens, &next, err);

    if (code != HL_OK)
        return code;
    if (next.kind == HL_TOKEN_STRING)
        code = read_base64(field, &vector, err);
    else if (next.kind == HL_TOKEN_OBJECT_BEGIN)
        code = read_sparse(field, &vector, err);
    else if (next.kind != HL_TOKEN_ARRAY_BEGIN)
        code = hl_field_fail_type(field, "a vector", &next, err);
    else if (is_array_of_arrays(field->tokens, &next))
        code = hl_fail(err, HL_NOT_SUPPORTED,
                       "a vector of vectors is not supported: a point has one vector of "
                       "each name");
    else
        code = read_dense(field, &vector, err);
    if (code == HL_OK)
        *ret_vector = vector;
    return code;
}

/* So few that comparing each with each costs nothing. */
static bool has_name(const struct hl_list *list, const struct hl_text *name)
{
    const struct hl_vector *vectors = list->items;

    for (size_t i = 0; i < list->n; i++) {
        if (hl_text_compare(&vectors[i].name, name) == 0)
            return true;
    }
    return false;
}

static enum hl_code add_named(const struct hl_field *member, struct hl_list *list,
                              struct hl_err *err)
{
    struct hl_vector vector = {0};
    struct hl_text name = {member->name, member->name_len};
    enum hl_code code;

    if (has_name(list, &name))
        return hl_field_fail_duplicate(member, err);
    if (list->n == HL_VECTORS_MAX)
        return hl_fail(err, HL_INVALID, "a point may have %d vectors", HL_VECTORS_MAX);
    code = hl_vector_read(member, &vector, err);
    vector.name = name;
    return code == HL_OK ? hl_list_add(list, &vector, err) : code;
}

enum hl_code hl_vectors_read(const struct hl_field *field, struct hl_vectors *ret_vectors,
                             struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_vector));
    const struct hl_field *member;
    struct hl_vector unnamed;
    struct hl_object object;
    struct hl_token next;
    enum hl_code code = hl_tokens_peek(field->tokens, &next, err);

    if (code == HL_OK && next.kind != HL_TOKEN_OBJECT_BEGIN) {
        code = hl_vector_read(field, &unnamed, err);
        if (code == HL_OK)
            code = hl_list_add(&list, &unnamed, err);
    } else if (code == HL_OK) {
        code = hl_object_begin(field, NULL, 0, &object, err);
        while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
               member)
            code = add_named(member, &list, err);
    }
    if (code == HL_OK)
        *ret_vectors = (struct hl_vectors){list.items, list.n};
    return code;
}
