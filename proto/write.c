/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/write.h"

#include "proto/list.h"
#include "proto/members.h"

static const struct hl_token an_object = {.kind = HL_TOKEN_OBJECT_BEGIN};

/* Every member that any of the bodies has; each says which of them it takes. */
enum {
    POINTS,
    BATCH,
    FILTER,
    UPDATE_FILTER,
    UPDATE_MODE,
    VECTOR,
    PAYLOAD,
    KEY,
    KEYS,
    SHARD_KEY,
    N_MEMBERS
};

static const char *const member_names[] = {
    "points", "batch",   "filter", "update_filter", "update_mode",
    "vector", "payload", "key",    "keys",          "shard_key"};

#define TARGET (HL_MEMBER(POINTS) | HL_MEMBER(FILTER) | HL_MEMBER(SHARD_KEY))

static const struct {
    uint64_t takes;
    uint64_t needs;
    bool has_target;
} bodies[] = {
    [HL_WRITE_UPSERT] = {HL_MEMBER(POINTS) | HL_MEMBER(BATCH) | HL_MEMBER(UPDATE_FILTER) |
                             HL_MEMBER(UPDATE_MODE) | HL_MEMBER(SHARD_KEY),
                         0, false},
    [HL_WRITE_DELETE] = {TARGET, 0, true},
    [HL_WRITE_UPDATE_VECTORS] = {HL_MEMBER(POINTS) | HL_MEMBER(UPDATE_FILTER) |
                                     HL_MEMBER(SHARD_KEY),
                                 HL_MEMBER(POINTS), false},
    [HL_WRITE_DELETE_VECTORS] = {TARGET | HL_MEMBER(VECTOR), HL_MEMBER(VECTOR), true},
    [HL_WRITE_SET_PAYLOAD] = {TARGET | HL_MEMBER(PAYLOAD) | HL_MEMBER(KEY),
                              HL_MEMBER(PAYLOAD), true},
    [HL_WRITE_OVERWRITE_PAYLOAD] = {TARGET | HL_MEMBER(PAYLOAD) | HL_MEMBER(KEY),
                                    HL_MEMBER(PAYLOAD), true},
    [HL_WRITE_DELETE_PAYLOAD] = {TARGET | HL_MEMBER(KEYS), HL_MEMBER(KEYS), true},
    [HL_WRITE_CLEAR_PAYLOAD] = {TARGET, 0, true},
};

struct draft {
    struct hl_write_op op;
    uint64_t had;
};

static enum hl_code read_points(const struct hl_field *member, struct hl_write_op *op,
                                struct hl_err *err)
{
    if (op->kind == HL_WRITE_UPSERT)
        return hl_points_read(member, &op->points, err);
    if (op->kind == HL_WRITE_UPDATE_VECTORS)
        return hl_points_read_vectors(member, &op->points, err);
    return hl_ids_read(member, &op->target.ids, err);
}

static enum hl_code read_mode(const struct hl_field *member, enum hl_write_mode *mode,
                              struct hl_err *err)
{
    static const char *const names[] = {"upsert", "insert_only", "update_only"};
    size_t which = 0;
    enum hl_code code = hl_field_enum(member, names, 3, &which, err);

    *mode = (enum hl_write_mode)which;
    return code;
}

static enum hl_code read_names(const struct hl_field *member, struct hl_texts *names,
                               struct hl_err *err)
{
    static const struct hl_token got = {.kind = HL_TOKEN_ARRAY_BEGIN};
    enum hl_code code = hl_texts_read(member, names, err);

    if (code == HL_OK && names->n == 0)
        return hl_field_fail_value(member, &got, "at least one name", err);
    return code;
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct draft *draft = self;
    struct hl_write_op *op = &draft->op;

    if (!(bodies[op->kind].takes & HL_MEMBER(which)))
        return hl_field_fail_unknown(member, err);
    draft->had |= HL_MEMBER(which);
    switch (which) {
    case POINTS:
        return read_points(member, op, err);
    case BATCH:
        return hl_points_read_batch(member, &op->points, err);
    case FILTER:
        return hl_filter_read(member, &op->target.filter, err);
    case UPDATE_FILTER:
        return hl_filter_read(member, &op->update_filter, err);
    case UPDATE_MODE:
        return read_mode(member, &op->mode, err);
    case VECTOR:
        return read_names(member, &op->names, err);
    case PAYLOAD:
        return hl_payload_read(member, &op->payload, err);
    case KEY:
        op->has_key = true;
        return hl_path_read(member, &op->key, err);
    case KEYS:
        return hl_paths_read(member, &op->keys, err);
    default:
        return hl_shard_key_refuse(member, err);
    }
}

static bool is_one_of(uint64_t had, unsigned a, unsigned b)
{
    return !(had & HL_MEMBER(a)) != !(had & HL_MEMBER(b));
}

enum hl_code hl_write_op_read(const struct hl_field *field, enum hl_write_kind kind,
                              struct hl_write_op *ret_op, struct hl_err *err)
{
    struct hl_members members = {member_names, N_MEMBERS, bodies[kind].needs, read_member};
    struct draft draft = {.op = {.kind = kind}};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code != HL_OK)
        return code;
    if (bodies[kind].has_target && !is_one_of(draft.had, POINTS, FILTER))
        return hl_field_fail_value(field, &an_object, "either \"points\" or \"filter\"",
                                   err);
    if (kind == HL_WRITE_UPSERT && !is_one_of(draft.had, POINTS, BATCH))
        return hl_field_fail_value(field, &an_object, "either \"points\" or \"batch\"",
                                   err);
    *ret_op = draft.op;
    return HL_OK;
}

/* ---- /points/batch ---- */

struct ops_draft {
    struct hl_list ops;
    unsigned n_in_item;
};

static enum hl_code read_op(const struct hl_field *member, size_t which, void *self,
                            struct hl_err *err)
{
    struct ops_draft *draft = self;
    struct hl_write_op op;
    enum hl_code code = hl_write_op_read(member, (enum hl_write_kind)which, &op, err);

    draft->n_in_item++;
    return code == HL_OK ? hl_list_add(&draft->ops, &op, err) : code;
}

static enum hl_code add_op(const struct hl_field *item, void *self, struct hl_err *err)
{
    static const char *const names[] = {
        [HL_WRITE_UPSERT] = "upsert",
        [HL_WRITE_DELETE] = "delete",
        [HL_WRITE_UPDATE_VECTORS] = "update_vectors",
        [HL_WRITE_DELETE_VECTORS] = "delete_vectors",
        [HL_WRITE_SET_PAYLOAD] = "set_payload",
        [HL_WRITE_OVERWRITE_PAYLOAD] = "overwrite_payload",
        [HL_WRITE_DELETE_PAYLOAD] = "delete_payload",
        [HL_WRITE_CLEAR_PAYLOAD] = "clear_payload",
    };
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_op};
    struct ops_draft *draft = self;
    enum hl_code code;

    draft->n_in_item = 0;
    code = hl_members_read(item, &members, draft, err);
    if (code == HL_OK && draft->n_in_item != 1)
        return hl_field_fail_value(item, &an_object, "one operation", err);
    return code;
}

static enum hl_code read_operations(const struct hl_field *member, size_t which, void *self,
                                    struct hl_err *err)
{
    (void)which;
    return hl_each_read(member, add_op, self, err);
}

enum hl_code hl_write_ops_read(const struct hl_field *field, struct hl_write_ops *ret_ops,
                               struct hl_err *err)
{
    static const char *const names[] = {"operations"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_operations};
    struct ops_draft draft = {
        .ops = hl_list_of(field->tokens->arena, sizeof(struct hl_write_op))};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK)
        *ret_ops = (struct hl_write_ops){draft.ops.items, draft.ops.n};
    return code;
}
