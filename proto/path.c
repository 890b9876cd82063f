/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/path.h"

#include <stdint.h>
#include <string.h>

struct cursor {
    const char *text;
    size_t len;
    size_t at;
};

static bool is_next(const struct cursor *cursor, char c)
{
    return cursor->at < cursor->len && cursor->text[cursor->at] == c;
}

static size_t pass_until(const struct cursor *cursor, const char *stops)
{
    size_t at = cursor->at;

    while (at < cursor->len && cursor->text[at] && !strchr(stops, cursor->text[at]))
        at++;
    return at;
}

static bool parse_name(struct cursor *cursor, struct hl_path_step *step)
{
    bool is_quoted = is_next(cursor, '"');
    size_t end;

    cursor->at += is_quoted;
    end = pass_until(cursor, is_quoted ? "\"" : ".[]\"");
    *step = (struct hl_path_step){
        .kind = HL_PATH_NAME, .name = cursor->text + cursor->at, .len = end - cursor->at};
    cursor->at = end;
    if (is_quoted && !is_next(cursor, '"'))
        return false;
    cursor->at += is_quoted;
    return step->len > 0;
}

/* Behind the opening bracket. */
static bool parse_index(struct cursor *cursor, struct hl_path_step *step)
{
    size_t from = cursor->at, index = 0;

    for (; cursor->at < cursor->len && !is_next(cursor, ']'); cursor->at++) {
        char c = cursor->text[cursor->at];

        if (c < '0' || c > '9' || index > UINT32_MAX)
            return false;
        index = index * 10 + (size_t)(c - '0');
    }
    if (!is_next(cursor, ']'))
        return false;
    *step = (struct hl_path_step){.kind = HL_PATH_EACH};
    if (cursor->at > from)
        *step = (struct hl_path_step){.kind = HL_PATH_INDEX, .index = index};
    cursor->at++;
    return true;
}

static bool parse_step(struct cursor *cursor, bool is_first, struct hl_path_step *step)
{
    if (is_first)
        return parse_name(cursor, step);
    if (cursor->text[cursor->at] != '.' && cursor->text[cursor->at] != '[')
        return false;
    return cursor->text[cursor->at++] == '.' ? parse_name(cursor, step)
                                             : parse_index(cursor, step);
}

/* 0 when the text is no path. */
static size_t parse_steps(const char *text, size_t len,
                          struct hl_path_step steps[HL_PATH_MAX_STEPS])
{
    struct cursor cursor = {text, len, 0};
    size_t n = 0;

    do {
        if (n == HL_PATH_MAX_STEPS || !parse_step(&cursor, n == 0, &steps[n]))
            return 0;
        n++;
    } while (cursor.at < cursor.len);
    return n;
}

static enum hl_code keep_steps(const char *text, size_t len,
                               const struct hl_path_step *steps, size_t n_steps,
                               struct hl_arena *arena, struct hl_path *ret_path)
{
    struct hl_path_step *kept = hl_arena_array(arena, n_steps, sizeof *kept);

    if (!kept)
        return HL_NO_MEMORY;
    memcpy(kept, steps, n_steps * sizeof *kept);
    *ret_path = (struct hl_path){text, len, kept, n_steps};
    return HL_OK;
}

enum hl_code hl_path_parse(const char *text, size_t len, struct hl_arena *arena,
                           struct hl_path *ret_path, struct hl_err *err)
{
    struct hl_path_step steps[HL_PATH_MAX_STEPS];
    size_t n_steps = parse_steps(text, len, steps);

    if (n_steps == 0)
        return hl_fail(err, HL_MALFORMED, "expected a payload key, got \"%.*s\"",
                       len < 64 ? (int)len : 64, text);
    if (keep_steps(text, len, steps, n_steps, arena, ret_path) != HL_OK)
        return hl_arena_fail(arena, err, "a payload key");
    return HL_OK;
}

enum hl_code hl_path_read(const struct hl_field *field, struct hl_path *ret_path,
                          struct hl_err *err)
{
    struct hl_path_step steps[HL_PATH_MAX_STEPS];
    struct hl_token got = {.kind = HL_TOKEN_STRING};
    enum hl_code code = hl_field_string(field, &got.text, &got.len, err);
    size_t n_steps;

    if (code != HL_OK)
        return code;
    n_steps = parse_steps(got.text, got.len, steps);
    if (n_steps == 0)
        return hl_field_fail_type(field, "a payload key such as a.b[].c", &got, err);
    code = keep_steps(got.text, got.len, steps, n_steps, field->tokens->arena, ret_path);
    return code == HL_OK ? HL_OK
                         : hl_arena_fail(field->tokens->arena, err, "a payload key");
}

bool hl_path_is_equal(const struct hl_path *a, const struct hl_path *b)
{
    if (a->n_steps != b->n_steps)
        return false;
    for (size_t i = 0; i < a->n_steps; i++) {
        const struct hl_path_step *x = &a->steps[i], *y = &b->steps[i];

        if (x->kind != y->kind || x->index != y->index || x->len != y->len)
            return false;
        if (x->len && memcmp(x->name, y->name, x->len) != 0)
            return false;
    }
    return true;
}
