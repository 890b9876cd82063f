/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli_json.h"

#include "proto/encode.h"
#include "proto/field.h"
#include "server/cli_remote.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { DEEPEST = 8 };

static struct hl_field open_value(const struct hl_span *json, struct hl_arena *arena,
                                  struct hl_tokens *tokens)
{
    hl_tokens_init(tokens, json->data, json->len, arena);
    return hl_field_root(tokens);
}

struct hl_span hl_cli_find(const struct hl_span *json, const char *path,
                           struct hl_arena *arena)
{
    const char *names[DEEPEST];
    struct hl_span found = {NULL, 0};
    struct hl_err ignored;
    size_t n = 0;

    for (size_t len; *path && n < DEEPEST; path += len + (path[len] == '.')) {
        len = strcspn(path, ".");
        names[n] = hl_arena_copy(arena, path, len);
        if (!names[n++])
            return found;
    }
    if (json->len > 0)
        (void)hl_reply_find(json, names, n, arena, &found, &ignored);
    return found;
}

const char *hl_cli_text(const struct hl_span *json, const char *path,
                        struct hl_arena *arena)
{
    const struct hl_span found = hl_cli_find(json, path, arena);
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err ignored;
    const char *text;
    size_t len;

    if (found.len == 0)
        return NULL;
    root = open_value(&found, arena, &tokens);
    if (hl_field_string(&root, &text, &len, &ignored) != HL_OK)
        return NULL;
    return hl_arena_copy(arena, text, len);
}

double hl_cli_number(const struct hl_span *json, const char *path, struct hl_arena *arena)
{
    const struct hl_span found = hl_cli_find(json, path, arena);
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err ignored;
    double number = 0;

    if (found.len == 0)
        return (double)NAN;
    root = open_value(&found, arena, &tokens);
    return hl_field_double(&root, -DBL_MAX, DBL_MAX, &number, &ignored) == HL_OK
               ? number
               : (double)NAN;
}

bool hl_cli_is_true(const struct hl_span *json, const char *path, struct hl_arena *arena)
{
    const struct hl_span found = hl_cli_find(json, path, arena);

    return found.len == 4 && memcmp(found.data, "true", 4) == 0;
}

bool hl_cli_next(const struct hl_span *array, size_t *at, struct hl_arena *arena,
                 struct hl_span *ret_item)
{
    const struct hl_field *item = NULL;
    struct hl_tokens tokens;
    struct hl_items items;
    struct hl_field root;
    struct hl_err ignored;
    size_t i = 0;

    if (array->len == 0)
        return false;
    root = open_value(array, arena, &tokens);
    if (hl_items_begin(&root, &items, &ignored) != HL_OK)
        return false;
    while (hl_items_next(&items, &item, &ignored) == HL_OK && item) {
        if (i++ < *at)
            continue;
        if (hl_field_span(item, &ret_item->data, &ret_item->len, &ignored) != HL_OK)
            return false;
        ++*at;
        return true;
    }
    return false;
}

void hl_cli_print_members(const struct hl_tool_words *words,
                          const struct hl_cli_member *members, size_t n, struct hl_buf *buf)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = words->values[members[i].flag];

        if (!value)
            continue;
        hl_buf_add_text(buf, buf->len > 0 && buf->data[buf->len - 1] == '{' ? "" : ",");
        hl_encode_key(buf, members[i].name);
        if (members[i].is_text)
            hl_encode_string(buf, value);
        else
            hl_buf_add_text(buf, *value ? value : "true");
    }
}
