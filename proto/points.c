/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/points.h"

#include "proto/list.h"
#include "proto/members.h"

enum hl_code hl_payload_read(const struct hl_field *field, struct hl_text *ret_payload,
                             struct hl_err *err)
{
    struct hl_text payload = {0};
    struct hl_token next;
    enum hl_code code = hl_tokens_peek(field->tokens, &next, err);

    if (code == HL_OK && next.kind == HL_TOKEN_NULL)
        code = hl_field_skip(field, err);
    else if (code == HL_OK && next.kind != HL_TOKEN_OBJECT_BEGIN)
        code = hl_field_fail_type(field, "an object", &next, err);
    else if (code == HL_OK)
        code = hl_field_span(field, &payload.text, &payload.len, err);
    if (code == HL_OK)
        *ret_payload = payload;
    return code;
}

/* ---- a list of points ---- */

enum { ID, VECTOR, PAYLOAD, SHARD_KEY, VERSION, SCORE, ORDER_VALUE };

static const char *const point_names[] = {"id",      "vector", "payload",    "shard_key",
                                          "version", "score",  "order_value"};

static enum hl_code read_point_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_point *point = self;

    switch (which) {
    case ID:
        return hl_id_read(member, &point->id, err);
    case VECTOR:
        return hl_vectors_read(member, &point->vectors, err);
    case PAYLOAD:
        return hl_payload_read(member, &point->payload, err);
    case SHARD_KEY:
        return hl_shard_key_refuse(member, err);
    default:
        return HL_OK;
    }
}

static enum hl_code add_point(const struct hl_field *item, void *self, struct hl_err *err)
{
    static const struct hl_members members = {
        HL_MEMBERS_OF(point_names), HL_MEMBER(ID) | HL_MEMBER(VECTOR), read_point_member};
    struct hl_list *list = self;
    struct hl_point point = {0};
    enum hl_code code = hl_members_read(item, &members, &point, err);

    return code == HL_OK ? hl_list_add(list, &point, err) : code;
}

enum hl_code hl_points_read(const struct hl_field *field, struct hl_points *ret_points,
                            struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_point));
    enum hl_code code = hl_each_read(field, add_point, &list, err);

    if (code == HL_OK)
        *ret_points = (struct hl_points){list.items, list.n};
    return code;
}

static enum hl_code read_vectors_member(const struct hl_field *member, size_t which,
                                        void *self, struct hl_err *err)
{
    struct hl_point *point = self;

    return which == ID ? hl_id_read(member, &point->id, err)
                       : hl_vectors_read(member, &point->vectors, err);
}

static enum hl_code add_vectors(const struct hl_field *item, void *self, struct hl_err *err)
{
    static const struct hl_members members = {
        point_names, PAYLOAD, HL_MEMBER(ID) | HL_MEMBER(VECTOR), read_vectors_member};
    struct hl_list *list = self;
    struct hl_point point = {0};
    enum hl_code code = hl_members_read(item, &members, &point, err);

    return code == HL_OK ? hl_list_add(list, &point, err) : code;
}

enum hl_code hl_points_read_vectors(const struct hl_field *field,
                                    struct hl_points *ret_points, struct hl_err *err)
{
    static const struct hl_token got = {.kind = HL_TOKEN_ARRAY_BEGIN};
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_point));
    enum hl_code code = hl_each_read(field, add_vectors, &list, err);

    if (code != HL_OK)
        return code;
    if (list.n == 0)
        return hl_field_fail_value(field, &got, "at least one point", err);
    *ret_points = (struct hl_points){list.items, list.n};
    return HL_OK;
}

/* ---- one list of each ---- */

/* A list of vectors, all of one name. */
struct column {
    struct hl_text name;
    const struct hl_vector *vectors; /* without their names */
    size_t n;
};

struct batch_draft {
    struct hl_ids ids;
    struct hl_list columns;
    struct hl_list payloads;
    bool has_payloads;
};

static enum hl_code add_vector(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct hl_list *list = self;
    struct hl_vector vector;
    enum hl_code code = hl_vector_read(item, &vector, err);

    return code == HL_OK ? hl_list_add(list, &vector, err) : code;
}

static enum hl_code read_column(const struct hl_field *field, struct hl_text name,
                                struct hl_list *columns, struct hl_err *err)
{
    struct hl_list list = hl_list_of(field->tokens->arena, sizeof(struct hl_vector));
    const struct column *others = columns->items;
    struct column column;
    enum hl_code code;

    for (size_t i = 0; i < columns->n; i++) {
        if (hl_text_compare(&others[i].name, &name) == 0)
            return hl_field_fail_duplicate(field, err);
    }
    if (columns->n == HL_VECTORS_MAX)
        return hl_fail(err, HL_INVALID, "a point may have %d vectors", HL_VECTORS_MAX);
    code = hl_each_read(field, add_vector, &list, err);
    column = (struct column){name, list.items, list.n};
    return code == HL_OK ? hl_list_add(columns, &column, err) : code;
}

static enum hl_code read_columns(const struct hl_field *field, struct batch_draft *draft,
                                 struct hl_err *err)
{
    const struct hl_field *member;
    struct hl_object object;
    struct hl_token next;
    enum hl_code code = hl_tokens_peek(field->tokens, &next, err);

    if (code == HL_OK && next.kind != HL_TOKEN_OBJECT_BEGIN)
        return read_column(field, (struct hl_text){"", 0}, &draft->columns, err);
    if (code == HL_OK)
        code = hl_object_begin(field, NULL, 0, &object, err);
    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member)
        code = read_column(member, (struct hl_text){member->name, member->name_len},
                           &draft->columns, err);
    return code;
}

static enum hl_code add_payload(const struct hl_field *item, void *self, struct hl_err *err)
{
    struct hl_list *list = self;
    struct hl_text payload;
    enum hl_code code = hl_payload_read(item, &payload, err);

    return code == HL_OK ? hl_list_add(list, &payload, err) : code;
}

static enum hl_code read_batch_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct batch_draft *draft = self;

    switch (which) {
    case 0:
        return hl_ids_read(member, &draft->ids, err);
    case 1:
        return read_columns(member, draft, err);
    default:
        draft->has_payloads = true;
        return hl_each_read(member, add_payload, &draft->payloads, err);
    }
}

static enum hl_code check_lengths(const struct hl_field *field,
                                  const struct batch_draft *draft, struct hl_err *err)
{
    static const struct hl_token got = {.kind = HL_TOKEN_OBJECT_BEGIN};
    const struct column *columns = draft->columns.items;
    bool agrees = !draft->has_payloads || draft->payloads.n == draft->ids.n;

    for (size_t i = 0; i < draft->columns.n; i++)
        agrees = agrees && columns[i].n == draft->ids.n;
    if (agrees)
        return HL_OK;
    return hl_field_fail_value(field, &got, "lists that are as long as that of the ids",
                               err);
}

static enum hl_code turn_batch(const struct batch_draft *draft, struct hl_arena *arena,
                               struct hl_points *ret_points, struct hl_err *err)
{
    const struct column *columns = draft->columns.items;
    const struct hl_text *payloads = draft->payloads.items;
    size_t n = draft->ids.n, n_columns = draft->columns.n;
    struct hl_point *points = hl_arena_array(arena, n, sizeof *points);

    if (!points)
        return hl_arena_fail(arena, err, "%zu points", n);
    for (size_t i = 0; i < n; i++) {
        struct hl_vector *vectors = hl_arena_array(arena, n_columns, sizeof *vectors);

        if (!vectors)
            return hl_arena_fail(arena, err, "the vectors of %zu points", n);
        for (size_t k = 0; k < n_columns; k++) {
            vectors[k] = columns[k].vectors[i];
            vectors[k].name = columns[k].name;
        }
        points[i] =
            (struct hl_point){.id = draft->ids.items[i], .vectors = {vectors, n_columns}};
        if (draft->has_payloads)
            points[i].payload = payloads[i];
    }
    *ret_points = (struct hl_points){points, n};
    return HL_OK;
}

enum hl_code hl_points_read_batch(const struct hl_field *field,
                                  struct hl_points *ret_points, struct hl_err *err)
{
    static const char *const names[] = {"ids", "vectors", "payloads"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names), HL_MEMBER(0) | HL_MEMBER(1), read_batch_member};
    struct hl_arena *arena = field->tokens->arena;
    struct batch_draft draft = {.columns = hl_list_of(arena, sizeof(struct column)),
                                .payloads = hl_list_of(arena, sizeof(struct hl_text))};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK)
        code = check_lengths(field, &draft, err);
    return code == HL_OK ? turn_batch(&draft, arena, ret_points, err) : code;
}
