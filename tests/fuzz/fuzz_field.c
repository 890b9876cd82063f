/* SPDX-License-Identifier: Apache-2.0 */
/* Reads any value by the field readers and prints it again. What was printed must read as
 * the same, whatever is not JSON must be refused, and a refusal must be valid UTF-8. */
#include "proto/encode.h"
#include "proto/field.h"
#include "proto/utf8.h"

#include <float.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static enum hl_code copy_value(const struct hl_field *field, struct hl_buf *buf,
                               struct hl_err *err);

static enum hl_code copy_object(const struct hl_field *field, struct hl_buf *buf,
                                struct hl_err *err)
{
    static const char *const names[] = {"limit", "vector"}; /* refused when twice */
    const struct hl_field *member;
    struct hl_object object;
    enum hl_code code = hl_object_begin(field, names, 2, &object, err);
    bool is_first = true;

    if (code != HL_OK)
        return code;
    object.keeps_nulls = true;
    hl_buf_add_char(buf, '{');
    while ((code = hl_object_next(&object, &member, err)) == HL_OK && member) {
        if (!is_first)
            hl_buf_add_char(buf, ',');
        is_first = false;
        require(object.which <= 2);
        hl_encode_text(buf, member->name, member->name_len);
        hl_buf_add_char(buf, ':');
        code = copy_value(member, buf, err);
        if (code != HL_OK)
            return code;
    }
    hl_buf_add_char(buf, '}');
    return code;
}

static enum hl_code copy_array(const struct hl_field *field, struct hl_buf *buf,
                               struct hl_err *err)
{
    const struct hl_field *item;
    struct hl_items items;
    enum hl_code code = hl_items_begin(field, &items, err);

    if (code != HL_OK)
        return code;
    hl_buf_add_char(buf, '[');
    while ((code = hl_items_next(&items, &item, err)) == HL_OK && item) {
        if (item->index)
            hl_buf_add_char(buf, ',');
        code = copy_value(item, buf, err);
        if (code != HL_OK)
            return code;
    }
    hl_buf_add_char(buf, ']');
    return code;
}

/* Nesting is bounded by the tokenizer. */
static enum hl_code copy_value(const struct hl_field *field, struct hl_buf *buf,
                               struct hl_err *err)
{
    enum hl_token_kind kind = HL_TOKEN_END;
    enum hl_code code = hl_field_kind(field, &kind, err);
    const char *text = "";
    bool truth = false;
    size_t len = 0;

    if (code != HL_OK)
        return code;
    if (kind == HL_TOKEN_OBJECT_BEGIN)
        return copy_object(field, buf, err);
    if (kind == HL_TOKEN_ARRAY_BEGIN)
        return copy_array(field, buf, err);
    if (kind == HL_TOKEN_STRING) {
        code = hl_field_string(field, &text, &len, err);
        if (code == HL_OK)
            hl_encode_text(buf, text, len);
    } else if (kind == HL_TOKEN_TRUE || kind == HL_TOKEN_FALSE) {
        code = hl_field_bool(field, &truth, err);
        if (code == HL_OK)
            hl_encode_bool(buf, truth);
    } else {
        code = hl_field_span(field, &text, &len, err);
        if (code == HL_OK)
            hl_buf_add(buf, text, len);
    }
    return code;
}

static enum hl_code copy_text(const char *text, size_t len, struct hl_arena *arena,
                              struct hl_buf *buf)
{
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err = {0};
    enum hl_code code;

    hl_tokens_init(&tokens, text, len, arena);
    root = hl_field_root(&tokens);
    code = copy_value(&root, buf, &err);
    if (code == HL_OK)
        code = hl_tokens_finish(&tokens, &err);
    if (code != HL_OK)
        require(err.code == code &&
                hl_utf8_valid_len(err.msg, strlen(err.msg)) == strlen(err.msg));
    return code;
}

/* A number by each reader of numbers: whole ones come out as they went in, and what one
 * reads another does not contradict. */
static void check_numbers(const char *text, size_t len, struct hl_arena *arena)
{
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err;
    struct hl_buf buf;
    uint64_t whole = 0;
    double real = 0;

    hl_tokens_init(&tokens, text, len, arena);
    root = hl_field_root(&tokens);
    if (hl_field_u64(&root, 0, UINT64_MAX, &whole, &err) != HL_OK || tokens.at != len ||
        text[0] == '-' || text[0] <= ' ')
        return;
    hl_buf_init(&buf, 64);
    hl_encode_u64(&buf, whole);
    require(buf.len == len && memcmp(buf.data, text, len) == 0);
    hl_buf_done(&buf);
    hl_tokens_init(&tokens, text, len, arena);
    require(hl_field_double(&root, -DBL_MAX, DBL_MAX, &real, &err) == HL_OK);
    require(real == (double)whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);
    struct hl_buf once, twice;

    require(arena);
    hl_buf_init(&once, (size_t)64 << 20);
    hl_buf_init(&twice, (size_t)64 << 20);
    if (copy_text((const char *)data, size, arena, &once) == HL_OK) {
        require(copy_text(once.data, once.len, arena, &twice) == HL_OK);
        require(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    }
    check_numbers((const char *)data, size, arena);
    hl_buf_done(&once);
    hl_buf_done(&twice);
    hl_arena_free(arena);
    return 0;
}
