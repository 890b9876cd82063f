/* SPDX-License-Identifier: Apache-2.0 */
#include "server/harvest.h"

#include "proto/alloc.h"
#include "proto/file.h"
#include "proto/ids.h"
#include "server/lines.h"

#include <string.h>

enum { PIECE_BYTES = 1 << 20 };
#define ROOM ((size_t)HL_LINE_MAX * 8)

/* ---- what an earlier run left ---- */

/* The id of a point's text; HL_BAD_FILE when it is no whole point. */
static enum hl_code read_id(const struct hl_span *line, struct hl_arena *arena,
                            struct hl_id *ret_id, struct hl_err *err)
{
    static const char *const names[] = {"id"};
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_field root;
    const struct hl_field *member = NULL;
    bool has_id = false;
    enum hl_code code;

    hl_arena_reset(arena);
    hl_tokens_init(&tokens, line->data, line->len, arena);
    tokens.what = "a point";
    tokens.code = HL_BAD_FILE;
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, names, 1, &object, err);
    while (code == HL_OK) {
        code = hl_object_next(&object, &member, err);
        if (code != HL_OK || !member)
            break;
        if (object.which == 0) {
            code = hl_id_read(member, ret_id, err);
            has_id = true;
        }
    }
    if (code == HL_OK)
        code = hl_tokens_finish(&tokens, err);
    if (code == HL_OK && !has_id)
        return hl_fail(err, HL_BAD_FILE, "a point without an id");
    return code;
}

struct salvage {
    struct hl_lines *lines;
    struct hl_replacement *replacement;
    struct hl_buf kept;
    struct hl_arena *arena;
    uint64_t n;
    struct hl_id last;
};

static enum hl_code write_kept(struct salvage *salvage, size_t at_least, struct hl_err *err)
{
    enum hl_code code = hl_buf_check(&salvage->kept, "lines", err);

    if (code != HL_OK || salvage->kept.len < at_least)
        return code;
    code = hl_file_write(hl_replacement_file(salvage->replacement), salvage->kept.data,
                         salvage->kept.len, err);
    hl_buf_clear(&salvage->kept, (size_t)PIECE_BYTES * 2);
    return code;
}

/* Lines up to the first that is not whole, which can only be the last one written. */
static enum hl_code keep_lines(struct salvage *salvage, struct hl_err *err)
{
    struct hl_span line;
    struct hl_id id;
    bool has = true;
    enum hl_code code = HL_OK;

    while (code == HL_OK) {
        code = hl_lines_next(salvage->lines, &line, &has, err);
        if (code != HL_OK || !has)
            break;
        if (read_id(&line, salvage->arena, &id, err) != HL_OK)
            break;
        salvage->last = id;
        salvage->n++;
        hl_buf_add(&salvage->kept, line.data, line.len);
        hl_buf_add_char(&salvage->kept, '\n');
        code = write_kept(salvage, PIECE_BYTES, err);
    }
    return code == HL_OK ? write_kept(salvage, 1, err) : code;
}

enum hl_code hl_harvest_salvage(const char *path, uint64_t *ret_n, struct hl_id *ret_last,
                                struct hl_err *err)
{
    struct salvage salvage = {.arena = hl_arena_new(ROOM)};
    enum hl_code code = hl_lines_open(path, &salvage.lines, err);

    hl_buf_init(&salvage.kept, ROOM);
    if (code == HL_NOT_FOUND) {
        *ret_n = 0;
        code = HL_OK;
        goto out;
    }
    if (code == HL_OK && !salvage.arena)
        code = hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", path);
    if (code == HL_OK)
        code = hl_replacement_open(path, &salvage.replacement, err);
    if (code == HL_OK)
        code = keep_lines(&salvage, err);
    if (code == HL_OK) {
        code = hl_replacement_commit(salvage.replacement, err);
        salvage.replacement = NULL;
    }
    if (code == HL_OK) {
        *ret_n = salvage.n;
        *ret_last = salvage.last;
    }
out:
    hl_replacement_abandon(salvage.replacement);
    hl_lines_close(salvage.lines);
    hl_buf_done(&salvage.kept);
    hl_arena_free(salvage.arena);
    return code;
}

/* ---- a page ---- */

static enum hl_code take_point(const struct hl_field *item, struct hl_arena *arena,
                               struct hl_harvest_page *page, struct hl_err *err)
{
    struct hl_span text;
    struct hl_id id;
    enum hl_code code = hl_field_span(item, &text.data, &text.len, err);

    if (code == HL_OK)
        code = read_id(&text, arena, &id, err);
    if (code != HL_OK || (page->last && hl_id_compare(page->last, &id) == 0))
        return code;
    hl_buf_add(page->lines, text.data, text.len);
    hl_buf_add_char(page->lines, '\n');
    page->n++;
    return HL_OK;
}

static enum hl_code take_result(const struct hl_field *result, struct hl_arena *arena,
                                struct hl_harvest_page *page, struct hl_err *err)
{
    static const char *const names[] = {"points", "next_page_offset"};
    struct hl_object object;
    const struct hl_field *member = NULL, *item = NULL;
    struct hl_items items;
    enum hl_code code = hl_object_begin(result, names, 2, &object, err);

    while (code == HL_OK) {
        code = hl_object_next(&object, &member, err);
        if (code != HL_OK || !member)
            break;
        if (object.which == 1) {
            code = hl_id_read(member, &page->next, err);
            page->has_next = code == HL_OK;
        } else if (object.which == 0) {
            code = hl_items_begin(member, &items, err);
            while (code == HL_OK && (code = hl_items_next(&items, &item, err)) == HL_OK &&
                   item)
                code = take_point(item, arena, page, err);
        }
    }
    return code;
}

enum hl_code hl_harvest_page(const struct hl_span *reply, struct hl_harvest_page *page,
                             struct hl_err *err)
{
    static const char *const names[] = {"result"};
    struct hl_arena *arena = hl_arena_new(ROOM), *small = hl_arena_new(ROOM);
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_field root;
    const struct hl_field *member = NULL;
    enum hl_code code;

    page->has_next = false;
    page->n = 0;
    if (!arena || !small) {
        code = hl_fail(err, HL_NO_MEMORY, "no memory to read a page");
        goto out;
    }
    hl_tokens_init(&tokens, reply->data, reply->len, arena);
    tokens.what = "the reply";
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, names, 1, &object, err);
    while (code == HL_OK) {
        code = hl_object_next(&object, &member, err);
        if (code != HL_OK || !member)
            break;
        if (object.which == 0)
            code = take_result(member, small, page, err);
    }
out:
    hl_arena_free(arena);
    hl_arena_free(small);
    return code;
}
