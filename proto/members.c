/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/members.h"

#include <stdio.h>

static enum hl_code refuse_missing(const struct hl_field *field,
                                   const struct hl_members *members, uint64_t had,
                                   struct hl_err *err)
{
    char sentence[96];
    size_t which = 0;

    while (had & HL_MEMBER(which) || !(members->needed & HL_MEMBER(which)))
        which++;
    snprintf(sentence, sizeof sentence, "missing field \"%s\"", members->names[which]);
    return hl_field_fail_name(field, sentence, err);
}

enum hl_code hl_members_read(const struct hl_field *field, const struct hl_members *members,
                             void *self, struct hl_err *err)
{
    const struct hl_field *member;
    struct hl_object object;
    uint64_t had = 0;
    enum hl_code code =
        hl_object_begin(field, members->names, members->n_names, &object, err);

    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member) {
        if (object.which == members->n_names)
            return hl_field_fail_unknown(member, err);
        had |= HL_MEMBER(object.which);
        code = members->read(member, object.which, self, err);
    }
    if (code == HL_OK && (had & members->needed) != members->needed)
        return refuse_missing(field, members, had, err);
    return code;
}

enum hl_code hl_member_refuse(const struct hl_field *member, const char *why,
                              struct hl_err *err)
{
    return hl_fail(err, HL_NOT_SUPPORTED, "\"%.*s\" is not supported: %s",
                   (int)member->name_len, member->name, why);
}

enum hl_code hl_shard_key_refuse(const struct hl_field *member, struct hl_err *err)
{
    return hl_member_refuse(member, "a collection is one shard without a key", err);
}

enum hl_code hl_each_read(const struct hl_field *field,
                          enum hl_code (*read)(const struct hl_field *item, void *self,
                                               struct hl_err *err),
                          void *self, struct hl_err *err)
{
    const struct hl_field *item;
    struct hl_items items;
    enum hl_code code = hl_items_begin(field, &items, err);

    while (code == HL_OK && (code = hl_items_next(&items, &item, err)) == HL_OK && item)
        code = read(item, self, err);
    return code;
}
