/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/aliases.h"

#include "proto/list.h"
#include "proto/members.h"

struct draft {
    struct hl_list actions;
    unsigned n_in_item;
};

static enum hl_code read_name(const struct hl_field *member, struct hl_text *name,
                              struct hl_err *err)
{
    static const struct hl_token got = {.kind = HL_TOKEN_STRING, .text = ""};
    enum hl_code code = hl_text_read(member, name, err);

    if (code == HL_OK && name->len == 0)
        return hl_field_fail_value(member, &got, "a name", err);
    return code;
}

static enum hl_code read_pair_member(const struct hl_field *member, size_t which,
                                     void *self, struct hl_err *err)
{
    struct hl_alias_action *action = self;

    if (which == 0)
        return read_name(member, &action->alias, err);
    return read_name(
        member, action->kind == HL_ALIAS_CREATE ? &action->collection : &action->new_alias,
        err);
}

static enum hl_code read_action(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    static const char *const create_names[] = {"alias_name", "collection_name"};
    static const char *const rename_names[] = {"old_alias_name", "new_alias_name"};
    static const struct hl_members members[] = {
        [HL_ALIAS_CREATE] = {create_names, 2, HL_MEMBER(0) | HL_MEMBER(1),
                             read_pair_member},
        [HL_ALIAS_DELETE] = {create_names, 1, HL_MEMBER(0), read_pair_member},
        [HL_ALIAS_RENAME] = {rename_names, 2, HL_MEMBER(0) | HL_MEMBER(1),
                             read_pair_member}};
    struct hl_alias_action action = {.kind = (enum hl_alias_kind)which};
    struct draft *draft = self;
    enum hl_code code = hl_members_read(member, &members[which], &action, err);

    draft->n_in_item++;
    return code == HL_OK ? hl_list_add(&draft->actions, &action, err) : code;
}

static enum hl_code add_action(const struct hl_field *item, void *self, struct hl_err *err)
{
    static const char *const names[] = {[HL_ALIAS_CREATE] = "create_alias",
                                        [HL_ALIAS_DELETE] = "delete_alias",
                                        [HL_ALIAS_RENAME] = "rename_alias"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_action};
    static const struct hl_token got = {.kind = HL_TOKEN_OBJECT_BEGIN};
    struct draft *draft = self;
    enum hl_code code;

    draft->n_in_item = 0;
    code = hl_members_read(item, &members, draft, err);
    if (code == HL_OK && draft->n_in_item != 1)
        return hl_field_fail_value(item, &got, "one action", err);
    return code;
}

static enum hl_code read_actions(const struct hl_field *member, size_t which, void *self,
                                 struct hl_err *err)
{
    (void)which;
    return hl_each_read(member, add_action, self, err);
}

enum hl_code hl_alias_actions_read(const struct hl_field *field,
                                   struct hl_alias_actions *ret_actions, struct hl_err *err)
{
    static const char *const names[] = {"actions"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_actions};
    struct draft draft = {
        .actions = hl_list_of(field->tokens->arena, sizeof(struct hl_alias_action))};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK)
        *ret_actions = (struct hl_alias_actions){draft.actions.items, draft.actions.n};
    return code;
}
