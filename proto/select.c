/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/select.h"

#include "proto/list.h"
#include "proto/members.h"

static enum hl_code add_path(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct hl_list *list = self;
    struct hl_path path;
    enum hl_code code = hl_path_read(item, &path, err);

    return code == HL_OK ? hl_list_add(list, &path, err) : code;
}

enum hl_code hl_paths_read(const struct hl_field *field, struct hl_paths *ret_paths,
                           struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_path));
    enum hl_code code = hl_each_read(field, add_path, &list, err);

    if (code == HL_OK)
        *ret_paths = (struct hl_paths){list.items, list.n};
    return code;
}

static enum hl_code read_switch(const struct hl_field *field, enum hl_select_kind *kind,
                                struct hl_err *err)
{
    bool is_on = false;
    enum hl_code code = hl_field_bool(field, &is_on, err);

    *kind = is_on ? HL_SELECT_ALL : HL_SELECT_NONE;
    return code;
}

struct payload_draft {
    struct hl_payload_select select;
    unsigned n_lists;
};

static enum hl_code read_list(const struct hl_field *member, size_t which, void *self,
                              struct hl_err *err)
{
    struct payload_draft *draft = self;

    draft->n_lists++;
    draft->select.kind = which == 0 ? HL_SELECT_ONLY : HL_SELECT_BUT;
    return hl_paths_read(member, &draft->select.paths, err);
}

static enum hl_code read_lists(const struct hl_field *field, struct payload_draft *draft,
                               struct hl_err *err)
{
    static const char *const names[] = {"include", "exclude"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_list};
    static const struct hl_token got = {.kind = HL_TOKEN_OBJECT_BEGIN};
    enum hl_code code = hl_members_read(field, &members, draft, err);

    if (code == HL_OK && draft->n_lists != 1)
        return hl_field_fail_value(field, &got, "either \"include\" or \"exclude\"", err);
    return code;
}

enum hl_code hl_payload_select_read(const struct hl_field *field,
                                    struct hl_payload_select *ret_select,
                                    struct hl_err *err)
{
    struct payload_draft draft = {0};
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(field, &kind, err);

    if (code != HL_OK)
        return code;
    if (kind == HL_TOKEN_ARRAY_BEGIN) {
        draft.select.kind = HL_SELECT_ONLY;
        code = hl_paths_read(field, &draft.select.paths, err);
    } else if (kind == HL_TOKEN_OBJECT_BEGIN) {
        code = read_lists(field, &draft, err);
    } else {
        code = read_switch(field, &draft.select.kind, err);
    }
    if (code == HL_OK)
        *ret_select = draft.select;
    return code;
}

enum hl_code hl_vector_select_read(const struct hl_field *field,
                                   struct hl_vector_select *ret_select, struct hl_err *err)
{
    struct hl_vector_select select = {0};
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(field, &kind, err);

    if (code != HL_OK)
        return code;
    if (kind == HL_TOKEN_ARRAY_BEGIN) {
        select.kind = HL_SELECT_ONLY;
        code = hl_texts_read(field, &select.names, err);
    } else {
        code = read_switch(field, &select.kind, err);
    }
    if (code == HL_OK)
        *ret_select = select;
    return code;
}
