/* SPDX-License-Identifier: Apache-2.0 */
/* A path on the first line, a payload behind it: the tree must lead to the same values, in
 * the same order, as reading the text again for every step. */
#include "index/payload.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_VALUES = 4096 };

struct found {
    const char *text;
    size_t starts[MAX_VALUES];
    size_t n;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void note(struct found *found, size_t start)
{
    if (found->n < MAX_VALUES)
        found->starts[found->n] = start;
    found->n++;
}

static bool note_value(void *self, const struct hl_value *value)
{
    struct found *found = self;

    note(found, (size_t)(value->source - found->text));
    return false;
}

struct slow {
    const char *text;
    const struct hl_path *path;
    struct hl_arena *arena;
    struct found *found;
};

static void visit(const struct slow *slow, size_t step, size_t start, size_t len);

/* The last member of the name; names and spans as the tokenizer gives them. */
static void visit_member(const struct slow *slow, size_t step, struct hl_tokens *tokens,
                         size_t base)
{
    const struct hl_path_step *at = &slow->path->steps[step];
    const char *text = NULL, *last = NULL;
    size_t len = 0, last_len = 0;
    struct hl_token token;
    struct hl_err err;

    while (hl_tokens_next(tokens, &token, &err) == HL_OK && token.kind == HL_TOKEN_KEY) {
        require(hl_tokens_span(tokens, &text, &len, &err) == HL_OK);
        if (token.len == at->len && memcmp(token.text, at->name, at->len) == 0) {
            last = text;
            last_len = len;
        }
    }
    if (last)
        visit(slow, step + 1, base + (size_t)(last - (slow->text + base)), last_len);
}

static void visit_items(const struct slow *slow, size_t step, struct hl_tokens *tokens)
{
    const struct hl_path_step *at = &slow->path->steps[step];
    struct hl_token token;
    struct hl_err err;
    const char *text;
    size_t len;

    for (size_t i = 0;
         hl_tokens_peek(tokens, &token, &err) == HL_OK && token.kind != HL_TOKEN_ARRAY_END;
         i++) {
        require(hl_tokens_span(tokens, &text, &len, &err) == HL_OK);
        if (at->kind == HL_PATH_EACH || at->index == i)
            visit(slow, step + 1, (size_t)(text - slow->text), len);
    }
}

/* As deep as a path has steps. */
static void visit(const struct slow *slow, size_t step, size_t start, size_t len)
{
    struct hl_tokens tokens;
    struct hl_token token;
    struct hl_err err;

    if (step == slow->path->n_steps) {
        note(slow->found, start);
        return;
    }
    hl_tokens_init(&tokens, slow->text + start, len, slow->arena);
    require(hl_tokens_next(&tokens, &token, &err) == HL_OK);
    if (slow->path->steps[step].kind == HL_PATH_NAME) {
        if (token.kind == HL_TOKEN_OBJECT_BEGIN)
            visit_member(slow, step, &tokens, start);
    } else if (token.kind == HL_TOKEN_ARRAY_BEGIN) {
        visit_items(slow, step, &tokens);
    }
}

static void compare(const struct slow *slow, const struct hl_value *root, size_t len)
{
    struct found *fast = calloc(1, sizeof *fast);
    size_t start = 0;

    require(fast != NULL);
    fast->text = slow->text;
    while (start < len && strchr(" \t\r\n", slow->text[start]))
        start++;
    hl_payload_each(root, slow->path, note_value, fast);
    visit(slow, 0, start, len - start);
    require(fast->n == slow->found->n);
    for (size_t i = 0; i < fast->n && i < MAX_VALUES; i++)
        require(fast->starts[i] == slow->found->starts[i]);
    free(fast);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *line = memchr(data, '\n', size), *text = (const char *)data;
    struct found *found = calloc(1, sizeof *found);
    struct hl_arena *arena = hl_arena_new(16 << 20);
    const struct hl_value *root;
    struct hl_path path;
    struct hl_err err;
    size_t len;

    require(found && arena);
    len = line ? (size_t)(line - text) : 0;
    if (line && size < 4096 && hl_path_parse(text, len, arena, &path, &err) == HL_OK) {
        struct slow slow = {line + 1, &path, arena, found};

        len = size - len - 1;
        if (hl_payload_parse(line + 1, len, arena, &root, &err) == HL_OK)
            compare(&slow, root, len);
        else
            require(err.code == HL_DAMAGED);
    }
    hl_arena_free(arena);
    free(found);
    return 0;
}
