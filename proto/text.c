/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/text.h"

#include "proto/list.h"
#include "proto/members.h"

#include <string.h>

enum hl_code hl_text_read(const struct hl_field *field, struct hl_text *ret_text,
                          struct hl_err *err)
{
    return hl_field_string(field, &ret_text->text, &ret_text->len, err);
}

static enum hl_code add_text(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct hl_list *list = self;
    struct hl_text text;
    enum hl_code code = hl_text_read(item, &text, err);

    return code == HL_OK ? hl_list_add(list, &text, err) : code;
}

enum hl_code hl_texts_read(const struct hl_field *field, struct hl_texts *ret_texts,
                           struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_text));
    enum hl_code code = hl_each_read(field, add_text, &list, err);

    if (code == HL_OK)
        *ret_texts = (struct hl_texts){list.items, list.n};
    return code;
}

int hl_text_compare(const struct hl_text *a, const struct hl_text *b)
{
    size_t shared = a->len < b->len ? a->len : b->len;
    int order = shared ? memcmp(a->text, b->text, shared) : 0;

    return order ? order : (a->len > b->len) - (a->len < b->len);
}

bool hl_text_is(const struct hl_text *text, const char *word)
{
    return strlen(word) == text->len && memcmp(word, text->text, text->len) == 0;
}
