/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/payload_index.h"

#include "proto/members.h"

/* "text" stands behind those there are, so that it is refused by its name. */
static const char *const types[] = {
    [HL_INDEX_KEYWORD] = "keyword", [HL_INDEX_INTEGER] = "integer",
    [HL_INDEX_FLOAT] = "float",     [HL_INDEX_BOOL] = "bool",
    [HL_INDEX_GEO] = "geo",         [HL_INDEX_DATETIME] = "datetime",
    [HL_INDEX_UUID] = "uuid",       [HL_N_INDEX_TYPES] = "text"};

const char *hl_index_type_name(enum hl_index_type type)
{
    return types[type];
}

enum {
    TYPE,
    ON_DISK,
    MEMORY,
    ENABLE_HNSW,
    IS_TENANT,
    PREFIX,
    IS_PRINCIPAL,
    LOOKUP,
    RANGE,
    N_FLAGS
};

static const char *const flag_names[] = {
    [TYPE] = "type",
    [ON_DISK] = "on_disk",
    [MEMORY] = "memory",
    [ENABLE_HNSW] = "enable_hnsw",
    [IS_TENANT] = "is_tenant",
    [PREFIX] = "prefix",
    [IS_PRINCIPAL] = "is_principal",
    [LOOKUP] = "lookup",
    [RANGE] = "range",
};

#define EVERY                                                                              \
    (HL_MEMBER(TYPE) | HL_MEMBER(ON_DISK) | HL_MEMBER(MEMORY) | HL_MEMBER(ENABLE_HNSW))

static const uint64_t flags_of[] = {
    [HL_INDEX_KEYWORD] = EVERY | HL_MEMBER(IS_TENANT) | HL_MEMBER(PREFIX),
    [HL_INDEX_INTEGER] =
        EVERY | HL_MEMBER(IS_PRINCIPAL) | HL_MEMBER(LOOKUP) | HL_MEMBER(RANGE),
    [HL_INDEX_FLOAT] = EVERY | HL_MEMBER(IS_PRINCIPAL),
    [HL_INDEX_BOOL] = EVERY,
    [HL_INDEX_GEO] = EVERY,
    [HL_INDEX_DATETIME] = EVERY | HL_MEMBER(IS_PRINCIPAL),
    [HL_INDEX_UUID] = EVERY | HL_MEMBER(IS_TENANT),
};

struct draft {
    struct hl_payload_index index;
    uint64_t flags;
    bool has_schema;
};

static enum hl_code read_type(const struct hl_field *field, enum hl_index_type *type,
                              struct hl_err *err)
{
    size_t which = 0;
    enum hl_code code = hl_field_enum(field, types, HL_N_INDEX_TYPES + 1, &which, err);

    if (code == HL_OK && which == HL_N_INDEX_TYPES)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "an index of type \"text\" is not supported: there is no full-text "
                       "search");
    *type = (enum hl_index_type)which;
    return code;
}

static enum hl_code read_flag(const struct hl_field *member, size_t which, void *self,
                              struct hl_err *err)
{
    static const char *const memories[] = {"cold", "cached", "pinned"};
    struct draft *draft = self;
    size_t memory;
    bool is_on = false;
    enum hl_code code;

    draft->flags |= HL_MEMBER(which);
    if (which == TYPE)
        return read_type(member, &draft->index.type, err);
    if (which == MEMORY)
        return hl_field_enum(member, memories, 3, &memory, err);
    code = hl_field_bool(member, &is_on, err);
    if (which == IS_TENANT)
        draft->index.is_tenant = is_on;
    return code;
}

/* The type may stand behind its flags, so they are compared at the end. */
static enum hl_code check_flags(const struct hl_field *field, const struct draft *draft,
                                struct hl_err *err)
{
    static const struct hl_token got = {.kind = HL_TOKEN_OBJECT_BEGIN};

    if (draft->flags & ~flags_of[draft->index.type])
        return hl_field_fail_value(field, &got, "an index with flags that its type has",
                                   err);
    return HL_OK;
}

/* Checked on a copy of the tokens, which are a value; the original then gives the text. */
static enum hl_code read_schema(const struct hl_field *field, struct draft *draft,
                                struct hl_err *err)
{
    static const struct hl_members members = {flag_names, N_FLAGS, HL_MEMBER(TYPE),
                                              read_flag};
    struct hl_tokens tokens = *field->tokens;
    struct hl_field copy = *field;
    enum hl_token_kind kind;
    enum hl_code code = hl_field_kind(&copy, &kind, err);

    copy.tokens = &tokens;
    draft->has_schema = true;
    if (code == HL_OK && kind == HL_TOKEN_STRING)
        return read_type(field, &draft->index.type, err);
    if (code == HL_OK)
        code = hl_members_read(&copy, &members, draft, err);
    if (code == HL_OK)
        code = check_flags(field, draft, err);
    return code == HL_OK ? hl_field_span(field, &draft->index.params.text,
                                         &draft->index.params.len, err)
                         : code;
}

static enum hl_code read_member(const struct hl_field *member, size_t which, void *self,
                                struct hl_err *err)
{
    struct draft *draft = self;

    return which == 0 ? hl_path_read(member, &draft->index.key, err)
                      : read_schema(member, draft, err);
}

enum hl_code hl_payload_index_read(const struct hl_field *field,
                                   struct hl_payload_index *ret_index, struct hl_err *err)
{
    static const char *const names[] = {"field_name", "field_schema"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), HL_MEMBER(0),
                                              read_member};
    struct draft draft = {0};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code != HL_OK)
        return code;
    if (!draft.has_schema)
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: the type of an index is not guessed, give "
                       "field_schema");
    *ret_index = draft.index;
    return HL_OK;
}
