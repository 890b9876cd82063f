/* SPDX-License-Identifier: Apache-2.0 */
#include "index/collection_part.h"

#include "proto/alloc.h"

enum { ARENA_BYTES = 1 << 20 };

static enum hl_field_kind kind_of(enum hl_index_type type)
{
    switch (type) {
    case HL_INDEX_INTEGER:
        return HL_FIELD_INTEGER;
    case HL_INDEX_FLOAT:
        return HL_FIELD_FLOAT;
    case HL_INDEX_BOOL:
        return HL_FIELD_BOOL;
    case HL_INDEX_GEO:
        return HL_FIELD_GEO;
    case HL_INDEX_DATETIME:
        return HL_FIELD_DATETIME;
    case HL_INDEX_UUID:
        return HL_FIELD_UUID;
    case HL_INDEX_KEYWORD:
    case HL_N_INDEX_TYPES:
    default:
        return HL_FIELD_KEYWORD;
    }
}

static enum hl_code read_definition(struct hl_kept_index *kept, const void *text,
                                    size_t len, struct hl_err *err)
{
    struct hl_tokens tokens;
    struct hl_field root;
    const char *copy = hl_arena_copy(kept->arena, text, len);
    enum hl_code code;

    if (!copy)
        return hl_arena_fail(kept->arena, err, "a payload index");
    hl_tokens_init(&tokens, copy, len, kept->arena);
    tokens.what = "a payload index's definition";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_payload_index_read(&root, &kept->def, err);
    return code == HL_OK ? hl_tokens_finish(&tokens, err) : code;
}

enum hl_code hl_kept_index_init(struct hl_kept_index *kept, const void *text, size_t len,
                                struct hl_err *err)
{
    char *path = NULL;
    enum hl_code code;

    *kept = (struct hl_kept_index){.arena = hl_arena_new(ARENA_BYTES)};
    if (!kept->arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a payload index");
    code = read_definition(kept, text, len, err);
    if (code == HL_OK) {
        path = hl_arena_copy(kept->arena, kept->def.key.text, kept->def.key.len);
        code = path ? hl_field_index_new(path, kind_of(kept->def.type), &kept->index, err)
                    : hl_arena_fail(kept->arena, err, "a payload index");
    }
    if (code != HL_OK)
        hl_kept_index_done(kept);
    return code;
}

void hl_kept_index_done(struct hl_kept_index *kept)
{
    hl_field_index_free(kept->index);
    hl_arena_free(kept->arena);
    *kept = (struct hl_kept_index){0};
}
