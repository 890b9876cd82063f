/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/canary.h"

#include "proto/list.h"
#include "proto/members.h"

enum { VECTORS, TOLERANCE };

static const double default_tolerance = 0.01;

static bool has_name(const struct hl_list *list, const struct hl_text *name)
{
    const struct hl_vector *vectors = list->items;

    for (size_t i = 0; i < list->n; i++)
        if (hl_text_compare(&vectors[i].name, name) == 0)
            return true;
    return false;
}

static enum hl_code add_vector(const struct hl_field *member, struct hl_list *list,
                               struct hl_err *err)
{
    struct hl_vector vector = {.n = 0};
    struct hl_text name = {member->name, member->name_len};
    enum hl_code code;

    if (has_name(list, &name))
        return hl_field_fail_duplicate(member, err);
    if (name.len == 0 || name.len > HL_CANARY_NAME)
        return hl_field_fail_name(member, "a photograph's name has 1 to 200 bytes", err);
    if (list->n == HL_CANARY_MOST)
        return hl_fail(err, HL_INVALID, "a canary has at most %d photographs",
                       (int)HL_CANARY_MOST);
    code = hl_vector_read(member, &vector, err);
    if (code == HL_OK && vector.is_sparse)
        return hl_field_fail_name(member, "a canary has dense vectors, got a sparse one",
                                  err);
    if (code == HL_OK && vector.n == 0) /* as base64 it could not be read again */
        return hl_field_fail_name(member, "a vector without numbers is there", err);
    vector.name = name;
    return code == HL_OK ? hl_list_add(list, &vector, err) : code;
}

static enum hl_code read_vectors(const struct hl_field *field, struct hl_canary *canary,
                                 struct hl_err *err)
{
    static const struct hl_token nothing = {.kind = HL_TOKEN_OBJECT_BEGIN};
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_vector));
    const struct hl_field *member;
    struct hl_object object;
    enum hl_code code = hl_object_begin(field, NULL, 0, &object, err);

    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member)
        code = add_vector(member, &list, err);
    if (code == HL_OK && list.n == 0)
        return hl_field_fail_value(field, &nothing, "the vector of one photograph at least",
                                   err);
    canary->vectors = (struct hl_vectors){list.items, list.n};
    return code;
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct hl_canary *canary = self;

    if (which == VECTORS)
        return read_vectors(member, canary, err);
    canary->has_tolerance = true;
    return hl_field_double(member, 0, 2, &canary->tolerance, err);
}

enum hl_code hl_canary_read(const struct hl_field *field, struct hl_canary *ret_canary,
                            struct hl_err *err)
{
    static const char *const names[] = {[VECTORS] = "vectors", [TOLERANCE] = "tolerance"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(VECTORS),
                                              read_member};
    struct hl_canary canary = {.tolerance = default_tolerance};
    enum hl_code code = hl_members_read(field, &members, &canary, err);

    if (code == HL_OK)
        *ret_canary = canary;
    return code;
}
