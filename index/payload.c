/* SPDX-License-Identifier: Apache-2.0 */
#include "index/payload.h"

#include <string.h>

/* One that says nothing: what is nowhere. */
static const struct hl_value no_payload = {
    .kind = HL_TOKEN_OBJECT_BEGIN, .source = "{}", .source_len = 2};

struct tree {
    struct hl_tokens tokens;
    struct hl_value *root;
    struct hl_value *open; /* the innermost object or array that is not closed */
    struct hl_token key;
};

static bool is_open(enum hl_token_kind kind)
{
    return kind == HL_TOKEN_OBJECT_BEGIN || kind == HL_TOKEN_ARRAY_BEGIN;
}

static enum hl_code add_value(struct tree *tree, const struct hl_token *token,
                              struct hl_err *err)
{
    struct hl_value *value = hl_arena_alloc(tree->tokens.arena, sizeof *value);
    struct hl_value *open = tree->open;

    if (!value)
        return hl_arena_fail(tree->tokens.arena, err, "a payload");
    *value = (struct hl_value){.kind = token->kind,
                               .text = token->text,
                               .len = token->len,
                               .source = tree->tokens.text + token->start,
                               .source_len = tree->tokens.at - token->start,
                               .parent = open};
    if (open && open->kind == HL_TOKEN_OBJECT_BEGIN) {
        value->name = tree->key.text;
        value->name_len = tree->key.len;
    }
    if (!open)
        tree->root = value;
    else if (open->last)
        open->last->next = value;
    else
        open->first = value;
    if (open) {
        open->last = value;
        open->n_children++;
    }
    if (is_open(token->kind))
        tree->open = value;
    return HL_OK;
}

static enum hl_code take_token(struct tree *tree, const struct hl_token *token,
                               struct hl_err *err)
{
    switch (token->kind) {
    case HL_TOKEN_KEY:
        tree->key = *token;
        return HL_OK;
    case HL_TOKEN_OBJECT_END:
    case HL_TOKEN_ARRAY_END:
        tree->open->source_len =
            (size_t)(tree->tokens.text + tree->tokens.at - tree->open->source);
        tree->open = tree->open->parent;
        return HL_OK;
    case HL_TOKEN_END:
        return HL_OK;
    case HL_TOKEN_OBJECT_BEGIN:
    case HL_TOKEN_ARRAY_BEGIN:
    case HL_TOKEN_STRING:
    case HL_TOKEN_NUMBER:
    case HL_TOKEN_TRUE:
    case HL_TOKEN_FALSE:
    case HL_TOKEN_NULL:
        break;
    }
    return add_value(tree, token, err);
}

enum hl_code hl_payload_parse(const char *text, size_t len, struct hl_arena *arena,
                              const struct hl_value **ret_root, struct hl_err *err)
{
    struct tree tree = {0};
    struct hl_token token = {.kind = HL_TOKEN_NULL};
    enum hl_code code = HL_OK;

    if (!text) {
        *ret_root = &no_payload;
        return HL_OK;
    }
    hl_tokens_init(&tree.tokens, text, len, arena);
    tree.tokens.what = "a stored payload";
    tree.tokens.code = HL_DAMAGED;
    while (code == HL_OK && token.kind != HL_TOKEN_END) {
        code = hl_tokens_next(&tree.tokens, &token, err);
        if (code == HL_OK)
            code = take_token(&tree, &token, err);
    }
    if (code == HL_OK)
        *ret_root = tree.root;
    return code;
}

const struct hl_value *hl_value_member(const struct hl_value *value, const char *name,
                                       size_t len)
{
    const struct hl_value *found = NULL;

    if (value->kind != HL_TOKEN_OBJECT_BEGIN)
        return NULL;
    for (const struct hl_value *member = value->first; member; member = member->next)
        if (member->name_len == len && memcmp(member->name, name, len) == 0)
            found = member;
    return found;
}

bool hl_value_is_empty(const struct hl_value *value)
{
    return value->kind == HL_TOKEN_NULL ||
           (value->kind == HL_TOKEN_ARRAY_BEGIN && value->n_children == 0);
}

struct walk {
    const struct hl_path *path;
    hl_value_fn *each;
    void *self;
};

/* As deep as the path has steps, HL_PATH_MAX_STEPS. */
static bool walk_from(const struct walk *walk, size_t step, const struct hl_value *value)
{
    const struct hl_path_step *at = &walk->path->steps[step];
    size_t index = 0;

    if (step == walk->path->n_steps)
        return walk->each(walk->self, value);
    if (at->kind == HL_PATH_NAME) {
        value = hl_value_member(value, at->name, at->len);
        return value && walk_from(walk, step + 1, value);
    }
    if (value->kind != HL_TOKEN_ARRAY_BEGIN)
        return false;
    for (const struct hl_value *item = value->first; item; item = item->next, index++)
        if ((at->kind == HL_PATH_EACH || at->index == index) &&
            walk_from(walk, step + 1, item))
            return true;
    return false;
}

bool hl_payload_each(const struct hl_value *root, const struct hl_path *path,
                     hl_value_fn *each, void *self)
{
    struct walk walk = {path, each, self};

    return walk_from(&walk, 0, root);
}

bool hl_value_each(const struct hl_value *value, hl_value_fn *each, void *self)
{
    if (value->kind != HL_TOKEN_ARRAY_BEGIN)
        return each(self, value);
    for (const struct hl_value *item = value->first; item; item = item->next)
        if (each(self, item))
            return true;
    return false;
}
