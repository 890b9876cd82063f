/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ids.h"

#include "proto/list.h"
#include "proto/members.h"

static enum hl_code read_uuid(const struct hl_field *field, struct hl_id *ret_id,
                              struct hl_err *err)
{
    struct hl_token got = {.kind = HL_TOKEN_STRING};
    enum hl_code code = hl_field_string(field, &got.text, &got.len, err);

    if (code == HL_OK && !hl_id_parse_uuid(got.text, got.len, ret_id))
        return hl_field_fail_type(field, "a point id, an unsigned integer or a UUID", &got,
                                  err);
    return code;
}

enum hl_code hl_id_read(const struct hl_field *field, struct hl_id *ret_id,
                        struct hl_err *err)
{
    struct hl_token next;
    uint64_t number;
    enum hl_code code = hl_tokens_peek(field->tokens, &next, err);

    if (code != HL_OK)
        return code;
    if (next.kind == HL_TOKEN_STRING)
        return read_uuid(field, ret_id, err);
    if (next.kind != HL_TOKEN_NUMBER)
        return hl_field_fail_type(field, "a point id, an unsigned integer or a UUID", &next,
                                  err);
    code = hl_field_u64(field, 0, UINT64_MAX, &number, err);
    if (code == HL_OK)
        *ret_id = hl_id_number(number);
    return code;
}

static enum hl_code add_id(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct hl_list *list = self;
    struct hl_id id;
    enum hl_code code = hl_id_read(item, &id, err);

    return code == HL_OK ? hl_list_add(list, &id, err) : code;
}

enum hl_code hl_ids_read(const struct hl_field *field, struct hl_ids *ret_ids,
                         struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_id));
    enum hl_code code = hl_each_read(field, add_id, &list, err);

    if (code == HL_OK)
        *ret_ids = (struct hl_ids){list.items, list.n};
    return code;
}

static int compare_ids(const void *a, const void *b)
{
    return hl_id_compare(a, b);
}

enum hl_code hl_ids_read_set(const struct hl_field *field, struct hl_ids *ret_ids,
                             struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_id));
    enum hl_code code = hl_each_read(field, add_id, &list, err);

    if (code != HL_OK)
        return code;
    hl_list_sort(&list, compare_ids);
    *ret_ids = (struct hl_ids){list.items, list.n};
    return HL_OK;
}
