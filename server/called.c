/* SPDX-License-Identifier: Apache-2.0 */
#include "server/caller.h"

#include "proto/field.h"

/* `{"status":{"error":"sentence",…}}`; false when it is something else. */
static bool find_sentence(const struct hl_span *body, struct hl_arena *arena,
                          const char **ret_text, size_t *ret_len)
{
    static const char *const outer[] = {"status"}, *const inner[] = {"error"};
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_object status;
    const struct hl_field *member = NULL;
    struct hl_field root;
    struct hl_err err;

    hl_tokens_init(&tokens, body->data, body->len, arena);
    root = hl_field_root(&tokens);
    if (hl_object_begin(&root, outer, 1, &object, &err) != HL_OK)
        return false;
    do {
        if (hl_object_next(&object, &member, &err) != HL_OK || !member)
            return false;
    } while (object.which != 0);
    if (hl_object_begin(member, inner, 1, &status, &err) != HL_OK)
        return false;
    do {
        if (hl_object_next(&status, &member, &err) != HL_OK || !member)
            return false;
    } while (status.which != 0);
    return hl_field_string(member, ret_text, ret_len, &err) == HL_OK;
}

static enum hl_code code_of(int status)
{
    for (int code = HL_OK + 1; code < HL_N_CODES; code++)
        if (hl_code_status((enum hl_code)code) == status)
            return (enum hl_code)code;
    return HL_INTERNAL;
}

enum hl_code hl_called_check(const struct hl_called *called, struct hl_err *err)
{
    struct hl_arena *arena;
    const char *text = "";
    size_t len = 0;

    if (called->status >= 200 && called->status < 300)
        return HL_OK;
    arena = hl_arena_new((size_t)1 << 20);
    if (arena && find_sentence(&called->body, arena, &text, &len))
        hl_err_set(err, code_of(called->status), "the server says %d: %.*s", called->status,
                   (int)(len < 400 ? len : 400), text);
    else
        hl_err_set(err, code_of(called->status), "the server says %d", called->status);
    hl_arena_free(arena);
    return hl_err_code(err);
}
