/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/read.h"

#include "proto/datetime.h"
#include "proto/members.h"
#include "proto/number.h"
#include "proto/query.h"

#include <float.h>

enum { DEFAULT_LIMIT = 10 };

/* Both spellings of it are one member. */
static enum hl_code read_with_vector(const struct hl_field *member, bool *has_one,
                                     struct hl_vector_select *select, struct hl_err *err)
{
    if (*has_one)
        return hl_field_fail_duplicate(member, err);
    *has_one = true;
    return hl_vector_select_read(member, select, err);
}

/* ---- points by their ids ---- */

struct retrieve_draft {
    struct hl_retrieve retrieve;
    bool has_with_vector;
};

static enum hl_code read_retrieve_member(const struct hl_field *member, size_t which,
                                         void *self, struct hl_err *err)
{
    struct retrieve_draft *draft = self;

    switch (which) {
    case 0:
        return hl_ids_read(member, &draft->retrieve.ids, err);
    case 1:
        return hl_payload_select_read(member, &draft->retrieve.with_payload, err);
    case 2:
    case 3:
        return read_with_vector(member, &draft->has_with_vector,
                                &draft->retrieve.with_vector, err);
    default:
        return hl_shard_key_refuse(member, err);
    }
}

enum hl_code hl_retrieve_read(const struct hl_field *field,
                              struct hl_retrieve *ret_retrieve, struct hl_err *err)
{
    static const char *const names[] = {"ids", "with_payload", "with_vector",
                                        "with_vectors", "shard_key"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_retrieve_member};
    struct retrieve_draft draft = {.retrieve.with_payload.kind = HL_SELECT_ALL};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK)
        *ret_retrieve = draft.retrieve;
    return code;
}

/* ---- order ---- */

static enum hl_code read_start(const struct hl_field *field, struct hl_order *order,
                               struct hl_err *err)
{
    struct hl_token got;
    enum hl_code code = hl_tokens_peek(field->tokens, &got, err);

    if (code != HL_OK)
        return code;
    if (got.kind == HL_TOKEN_STRING) {
        order->start = HL_START_TIME;
        if (!hl_datetime_parse(got.text, got.len, &order->integer))
            return hl_field_fail_type(field, "a date and time of RFC 3339", &got, err);
        return hl_field_skip(field, err);
    }
    order->start = HL_START_NUMBER;
    order->is_whole =
        got.kind == HL_TOKEN_NUMBER && hl_number_i64(got.text, got.len, &order->integer);
    return hl_field_double(field, -DBL_MAX, DBL_MAX, &order->number, err);
}

static enum hl_code read_order_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    static const char *const directions[] = {"asc", "desc"};
    struct hl_order *order = self;
    size_t direction = 0;
    enum hl_code code;

    if (which == 0)
        return hl_path_read(member, &order->key, err);
    if (which == 2)
        return read_start(member, order, err);
    code = hl_field_enum(member, directions, 2, &direction, err);
    order->is_descending = direction == 1;
    return code;
}

static enum hl_code read_order(const struct hl_field *field, struct hl_order *order,
                               struct hl_err *err)
{
    static const char *const names[] = {"key", "direction", "start_from"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_order_member};
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(field, &kind, err);

    if (code == HL_OK && kind == HL_TOKEN_OBJECT_BEGIN)
        return hl_members_read(field, &members, order, err);
    return code == HL_OK ? hl_path_read(field, &order->key, err) : code;
}

/* ---- pages ---- */

enum {
    OFFSET,
    LIMIT,
    FILTER,
    WITH_PAYLOAD,
    WITH_VECTOR,
    WITH_VECTORS,
    ORDER_BY,
    SHARD_KEY
};

struct scroll_draft {
    struct hl_scroll scroll;
    bool has_with_vector;
};

static enum hl_code read_scroll_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    struct scroll_draft *draft = self;
    struct hl_scroll *scroll = &draft->scroll;

    switch (which) {
    case OFFSET:
        scroll->has_offset = true;
        return hl_id_read(member, &scroll->offset, err);
    case LIMIT:
        return hl_limit_read(member, &scroll->limit, err);
    case FILTER:
        return hl_filter_read(member, &scroll->filter, err);
    case WITH_PAYLOAD:
        return hl_payload_select_read(member, &scroll->with_payload, err);
    case WITH_VECTOR:
    case WITH_VECTORS:
        return read_with_vector(member, &draft->has_with_vector, &scroll->with_vector, err);
    case ORDER_BY:
        scroll->is_ordered = true;
        return read_order(member, &scroll->order, err);
    default:
        return hl_shard_key_refuse(member, err);
    }
}

enum hl_code hl_scroll_read(const struct hl_field *field, struct hl_scroll *ret_scroll,
                            struct hl_err *err)
{
    static const char *const names[] = {"offset",       "limit",       "filter",
                                        "with_payload", "with_vector", "with_vectors",
                                        "order_by",     "shard_key"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_scroll_member};
    struct scroll_draft draft = {
        .scroll = {.limit = DEFAULT_LIMIT, .with_payload.kind = HL_SELECT_ALL}};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK && draft.scroll.is_ordered && draft.scroll.has_offset)
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: an offset cannot be used with order_by: use "
                       "order_by.start_from");
    if (code == HL_OK)
        *ret_scroll = draft.scroll;
    return code;
}

/* ---- counts and facets ---- */

static enum hl_code read_count_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_count *count = self;

    switch (which) {
    case 0:
        return hl_filter_read(member, &count->filter, err);
    case 1:
        return hl_field_bool(member, &count->is_exact, err);
    default:
        return hl_shard_key_refuse(member, err);
    }
}

enum hl_code hl_count_read(const struct hl_field *field, struct hl_count *ret_count,
                           struct hl_err *err)
{
    static const char *const names[] = {"filter", "exact", "shard_key"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_count_member};
    struct hl_count count = {.is_exact = true};
    enum hl_code code = hl_members_read(field, &members, &count, err);

    if (code == HL_OK)
        *ret_count = count;
    return code;
}

static enum hl_code read_facet_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_facet *facet = self;

    switch (which) {
    case 0:
        return hl_path_read(member, &facet->key, err);
    case 1:
        return hl_limit_read(member, &facet->limit, err);
    case 2:
        return hl_filter_read(member, &facet->filter, err);
    case 3:
        return hl_field_bool(member, &facet->is_exact, err);
    default:
        return hl_shard_key_refuse(member, err);
    }
}

enum hl_code hl_facet_read(const struct hl_field *field, struct hl_facet *ret_facet,
                           struct hl_err *err)
{
    static const char *const names[] = {"key", "limit", "filter", "exact", "shard_key"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_facet_member};
    struct hl_facet facet = {.limit = DEFAULT_LIMIT};
    enum hl_code code = hl_members_read(field, &members, &facet, err);

    if (code == HL_OK)
        *ret_facet = facet;
    return code;
}
