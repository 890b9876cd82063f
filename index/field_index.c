/* SPDX-License-Identifier: Apache-2.0 */
#include "index/field_index.h"

#include "index/field_parts.h"
#include "proto/alloc.h"

#include <string.h>

enum { PATH_BYTES = 8192 }; /* of an arena for its steps */

bool hl_field_is_ordered(enum hl_field_kind kind)
{
    return kind == HL_FIELD_INTEGER || kind == HL_FIELD_FLOAT ||
           kind == HL_FIELD_DATETIME || kind == HL_FIELD_GEO;
}

void hl_field_index_free(struct hl_field_index *index)
{
    if (!index)
        return;
    hl_arena_free(index->arena);
    hl_rows_free(index->filled);
    hl_rows_free(index->nulls);
    hl_rows_free(index->others);
    hl_rows_free(index->present);
    hl_rows_free(index->several);
    hl_value_map_free(index->map);
    hl_sorted_free(index->order);
    hl_column_free(index->column);
    hl_column_free(index->lats);
    hl_free(index);
}

static bool make_parts(struct hl_field_index *index)
{
    index->filled = hl_rows_new();
    index->nulls = hl_rows_new();
    index->others = hl_rows_new();
    index->present = hl_rows_new();
    index->several = hl_rows_new();
    if (!index->filled || !index->nulls || !index->others || !index->present ||
        !index->several)
        return false;
    if (!hl_field_is_ordered(index->kind)) {
        index->map = hl_value_map_new();
        return index->map != NULL;
    }
    index->order = hl_sorted_new();
    index->column = hl_column_new();
    if (index->kind == HL_FIELD_GEO)
        index->lats = hl_column_new();
    return index->order && index->column && (index->lats || index->kind != HL_FIELD_GEO);
}

enum hl_code hl_field_index_new(const char *path, enum hl_field_kind kind,
                                struct hl_field_index **ret_index, struct hl_err *err)
{
    struct hl_field_index *index = hl_alloc_zeroed(1, sizeof *index);
    size_t len = strlen(path);
    enum hl_code code = HL_NO_MEMORY;
    char *copy = NULL;

    if (index) {
        index->kind = kind;
        index->arena = hl_arena_new(PATH_BYTES + 4 * len);
        copy = index->arena ? hl_arena_copy(index->arena, path, len) : NULL;
    }
    if (copy && make_parts(index))
        code = hl_path_parse(copy, len, index->arena, &index->path, err);
    else
        hl_fail(err, HL_NO_MEMORY, "no memory for a payload index");
    if (code == HL_OK)
        *ret_index = index;
    else
        hl_field_index_free(index);
    return code;
}

struct addition {
    struct hl_field_index *index;
    uint32_t number;
    size_t n_keys;
    enum hl_code code;
    struct hl_err *err;
};

/* What a KEYWORD, UUID or BOOL index keeps of a value. */
static bool text_of_value(enum hl_field_kind kind, const struct hl_value *value,
                          struct hl_text *ret_text)
{
    if (kind == HL_FIELD_BOOL) {
        if (value->kind != HL_TOKEN_TRUE && value->kind != HL_TOKEN_FALSE)
            return false;
        *ret_text = hl_field_bool_text(value->kind == HL_TOKEN_TRUE);
        return true;
    }
    *ret_text = (struct hl_text){value->text, value->len};
    return value->kind == HL_TOKEN_STRING;
}

/* The way back, for points of one value alone. */
static enum hl_code note_key(const struct addition *addition, uint64_t key,
                             struct hl_geo_point point)
{
    struct hl_field_index *index = addition->index;
    uint32_t number = addition->number;
    enum hl_code code;

    if (addition->n_keys > 1) {
        hl_column_clear(index->column, number);
        if (index->lats)
            hl_column_clear(index->lats, number);
        return hl_rows_add(index->several, number, addition->err);
    }
    if (index->lats) {
        code =
            hl_column_set(index->lats, number, hl_key_of_double(point.lat), addition->err);
        if (code != HL_OK)
            return code;
        key = hl_key_of_double(point.lon);
    }
    return hl_column_set(index->column, number, key, addition->err);
}

static bool add_item(void *self, const struct hl_value *value)
{
    struct addition *addition = self;
    struct hl_field_index *index = addition->index;
    struct hl_geo_point point = {0, 0};
    struct hl_text text;
    uint64_t key = 0;
    bool is_new = false, is_ordered = index->map == NULL, is_of_kind;
    uint32_t number = addition->number;
    enum hl_code code;

    is_of_kind = is_ordered ? hl_key_of_value(index->kind, value, &key, &point)
                            : text_of_value(index->kind, value, &text);
    if (!is_of_kind) {
        bool is_null = value->kind == HL_TOKEN_NULL;

        code = hl_rows_add(is_null ? index->nulls : index->others, number, addition->err);
    } else if (is_ordered) {
        code = hl_sorted_add(index->order, key, number, &is_new, addition->err);
    } else {
        code = hl_value_map_add(index->map, &text, number, &is_new, addition->err);
    }
    /* Two places may share a key, so a second place counts whether it is new or not. */
    if (code == HL_OK && (is_new || (index->lats && is_of_kind))) {
        addition->n_keys++;
        code = hl_rows_add(index->present, number, addition->err);
        if (code == HL_OK && is_ordered)
            code = note_key(addition, key, point);
        else if (code == HL_OK && addition->n_keys > 1)
            code = hl_rows_add(index->several, number, addition->err);
    }
    addition->code = code;
    return code != HL_OK;
}

static bool add_value(void *self, const struct hl_value *value)
{
    struct addition *addition = self;

    if (!hl_value_is_empty(value))
        addition->code =
            hl_rows_add(addition->index->filled, addition->number, addition->err);
    return addition->code != HL_OK || hl_value_each(value, add_item, self);
}

enum hl_code hl_field_index_add(struct hl_field_index *index, uint32_t number,
                                const struct hl_value *payload, struct hl_err *err)
{
    struct addition addition = {index, number, 0, HL_OK, err};

    hl_payload_each(payload, &index->path, add_value, &addition);
    if (addition.code != HL_OK)
        hl_field_index_remove(index, number, payload);
    return addition.code;
}

static bool remove_item(void *self, const struct hl_value *value)
{
    const struct addition *removal = self;
    struct hl_field_index *index = removal->index;
    struct hl_geo_point point;
    struct hl_text text;
    uint64_t key;

    if (!index->map) {
        if (hl_key_of_value(index->kind, value, &key, &point))
            hl_sorted_remove(index->order, key, removal->number);
    } else if (text_of_value(index->kind, value, &text)) {
        hl_value_map_remove(index->map, &text, removal->number);
    }
    return false;
}

static bool remove_value(void *self, const struct hl_value *value)
{
    return hl_value_each(value, remove_item, self);
}

void hl_field_index_remove(struct hl_field_index *index, uint32_t number,
                           const struct hl_value *payload)
{
    struct addition removal = {.index = index, .number = number};

    hl_payload_each(payload, &index->path, remove_value, &removal);
    hl_rows_remove(index->filled, number);
    hl_rows_remove(index->nulls, number);
    hl_rows_remove(index->others, number);
    hl_rows_remove(index->present, number);
    hl_rows_remove(index->several, number);
    if (index->column)
        hl_column_clear(index->column, number);
    if (index->lats)
        hl_column_clear(index->lats, number);
}

size_t hl_field_index_bytes(const struct hl_field_index *index)
{
    size_t bytes = sizeof *index + hl_arena_used(index->arena);

    bytes += hl_rows_bytes(index->filled) + hl_rows_bytes(index->nulls) +
             hl_rows_bytes(index->others) + hl_rows_bytes(index->present) +
             hl_rows_bytes(index->several);
    if (index->map)
        return bytes + hl_value_map_bytes(index->map);
    bytes += hl_sorted_bytes(index->order) + hl_column_bytes(index->column);
    return index->lats ? bytes + hl_column_bytes(index->lats) : bytes;
}

uint64_t hl_field_index_count(const struct hl_field_index *index)
{
    return hl_rows_count(index->present);
}
