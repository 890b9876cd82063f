/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/collections.h"

#include "proto/list.h"
#include "proto/loss.h"
#include "proto/members.h"
#include "proto/points.h"

static const char *const distances[] = {[HL_COSINE] = "Cosine",
                                        [HL_EUCLID] = "Euclid",
                                        [HL_DOT] = "Dot",
                                        [HL_MANHATTAN] = "Manhattan"};

const char *hl_distance_name(enum hl_distance distance)
{
    return distances[distance];
}

enum hl_code hl_vector_name_check(const struct hl_text *name, struct hl_err *err)
{
    if (hl_text_is(name, "@default"))
        return hl_fail(err, HL_INVALID,
                       "a vector cannot be named \"@default\": that is how paths write the "
                       "unnamed one");
    if (name->len > HL_VECTOR_NAME_MAX)
        return hl_fail(err, HL_INVALID,
                       "the name of a vector has %zu bytes, it may have %d", name->len,
                       HL_VECTOR_NAME_MAX);
    for (size_t i = 0; i < name->len; i++) {
        if ((unsigned char)name->text[i] < ' ' || name->text[i] == 0x7f)
            return hl_fail(err, HL_INVALID,
                           "the name of a vector has a control character at byte %zu", i);
    }
    return HL_OK;
}

/* ---- one vector ---- */

enum {
    SIZE,
    DISTANCE,
    HNSW_CONFIG,
    QUANTIZATION_CONFIG,
    ON_DISK,
    MEMORY,
    DATATYPE,
    MULTIVECTOR_CONFIG
};

/* Values are kept as float32, so another type would change what is found. */
static enum hl_code check_datatype(const struct hl_field *field, struct hl_err *err)
{
    static const char *const names[] = {"float32", "float16", "uint8", "turbo4"};
    size_t which = 0;
    enum hl_code code = hl_field_enum(field, names, 4, &which, err);

    if (code == HL_OK && which != 0)
        return hl_member_refuse(field, "vectors are kept as float32", err);
    return code;
}

enum hl_code hl_vector_place_read(const struct hl_field *member, bool is_memory,
                                  struct hl_vector_config *config, struct hl_err *err)
{
    static const char *const memories[] = {"cold", "cached", "pinned"};
    size_t word = 0;
    bool is_on = false;
    enum hl_code code = is_memory ? hl_field_enum(member, memories, 3, &word, err)
                                  : hl_field_bool(member, &is_on, err);

    if (code == HL_OK && (is_memory || !config->has_memory))
        config->is_on_disk = is_memory ? word == 0 : is_on;
    config->has_memory |= is_memory;
    return code;
}

static enum hl_code read_dense_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_vector_config *config = self;
    struct hl_text text;
    uint64_t size;
    size_t word = 0;
    enum hl_code code;

    switch (which) {
    case SIZE:
        code = hl_field_u64(member, 1, HL_VECTOR_SIZE_MAX, &size, err);
        if (code == HL_OK)
            config->size = (uint32_t)size;
        return code;
    case DISTANCE:
        code = hl_field_enum(member, distances, 4, &word, err);
        config->distance = (enum hl_distance)word;
        return code;
    case HNSW_CONFIG:
        return hl_tuning_read(member, HL_TUNING_HNSW, &text, err);
    case QUANTIZATION_CONFIG:
        return hl_tuning_read(member, HL_TUNING_QUANTIZATION, &text, err);
    case ON_DISK:
    case MEMORY:
        return hl_vector_place_read(member, which == MEMORY, config, err);
    case DATATYPE:
        return check_datatype(member, err);
    default:
        return hl_member_refuse(member, "a point has one vector of each name", err);
    }
}

static enum hl_code read_sparse_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    static const char *const modifiers[] = {"none", "idf"};
    struct hl_text text;
    size_t modifier = 0;
    enum hl_code code;

    (void)self;
    if (which == 0)
        return hl_tuning_read(member, HL_TUNING_SPARSE_INDEX, &text, err);
    if (which == 2)
        return check_datatype(member, err);
    code = hl_field_enum(member, modifiers, 2, &modifier, err);
    if (code == HL_OK && modifier != 0)
        return hl_member_refuse(member, "sparse vectors are searched by dot product", err);
    return code;
}

/* Checked on a copy of the tokens; the original gives the text. */
static enum hl_code read_config(const struct hl_field *field, bool is_sparse,
                                struct hl_vector_config *config, struct hl_err *err)
{
    static const char *const dense_names[] = {
        "size",    "distance", "hnsw_config", "quantization_config",
        "on_disk", "memory",   "datatype",    "multivector_config"};
    static const struct hl_members dense = {HL_MEMBERS_OF(dense_names),
                                            HL_MEMBER(SIZE) | HL_MEMBER(DISTANCE),
                                            read_dense_member};
    static const char *const sparse_names[] = {"index", "modifier", "datatype"};
    static const struct hl_members sparse = {HL_MEMBERS_OF(sparse_names), 0,
                                             read_sparse_member};
    struct hl_tokens tokens = *field->tokens;
    struct hl_field copy = *field;
    enum hl_code code;

    copy.tokens = &tokens;
    config->is_sparse = is_sparse;
    config->distance = HL_DOT;
    code = hl_members_read(&copy, is_sparse ? &sparse : &dense, config, err);
    return code == HL_OK ? hl_field_span(field, &config->text.text, &config->text.len, err)
                         : code;
}

enum hl_code hl_dense_config_read(const struct hl_field *field,
                                  struct hl_vector_config *ret_config, struct hl_err *err)
{
    struct hl_vector_config config = {.name = {"", 0}};
    enum hl_code code = read_config(field, false, &config, err);

    if (code == HL_OK)
        *ret_config = config;
    return code;
}

struct named_draft {
    struct hl_vector_config *config;
    unsigned n_kinds;
    struct hl_text revision;
};

static enum hl_code read_kind(const struct hl_field *member, size_t which, void *self,
                              struct hl_err *err)
{
    struct named_draft *draft = self;

    if (which == 2)
        return hl_text_read(member, &draft->revision, err);
    draft->n_kinds++;
    return read_config(member, which == 1, draft->config, err);
}

/* A line of text, because it is one in what a fingerprint is made of. */
static enum hl_code check_revision(const struct hl_text *revision, struct hl_err *err)
{
    bool is_fit = revision->len <= HL_VECTOR_REVISION_MAX;

    for (size_t i = 0; i < revision->len; i++)
        is_fit =
            is_fit && (unsigned char)revision->text[i] >= ' ' && revision->text[i] != 0x7f;
    if (is_fit)
        return HL_OK;
    return hl_fail(err, HL_INVALID,
                   "the revision of a vector has %zu bytes or a control character, at most "
                   "%d bytes without any were wanted",
                   revision->len, (int)HL_VECTOR_REVISION_MAX);
}

enum hl_code hl_vector_config_read(const struct hl_field *field,
                                   struct hl_vector_config *ret_config, struct hl_err *err)
{
    static const char *const names[] = {"dense", "sparse", "revision"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_kind};
    static const struct hl_token got = {.kind = HL_TOKEN_OBJECT_BEGIN};
    struct hl_vector_config config = {.name = {"", 0}};
    struct named_draft draft = {.config = &config};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code == HL_OK && draft.n_kinds != 1)
        return hl_field_fail_value(field, &got, "either \"dense\" or \"sparse\"", err);
    if (code == HL_OK)
        code = check_revision(&draft.revision, err);
    config.revision = draft.revision;
    if (code == HL_OK)
        *ret_config = config;
    return code;
}

/* ---- those of a collection ---- */

static enum hl_code add_config(const struct hl_field *member, struct hl_text name,
                               bool is_sparse, struct hl_list *list, struct hl_err *err)
{
    struct hl_vector_config config = {.name = name};
    const struct hl_vector_config *others = list->items;
    enum hl_code code = hl_vector_name_check(&name, err);

    for (size_t i = 0; code == HL_OK && i < list->n; i++) {
        if (hl_text_compare(&others[i].name, &name) == 0)
            code = hl_field_fail_duplicate(member, err);
    }
    if (code == HL_OK && list->n == HL_VECTORS_MAX)
        code = hl_fail(err, HL_INVALID, "a collection may have %d vectors", HL_VECTORS_MAX);
    if (code == HL_OK)
        code = read_config(member, is_sparse, &config, err);
    return code == HL_OK ? hl_list_add(list, &config, err) : code;
}

static enum hl_code read_named(const struct hl_field *field, bool is_sparse,
                               struct hl_list *list, struct hl_err *err)
{
    const struct hl_field *member;
    struct hl_object object;
    enum hl_code code = hl_object_begin(field, NULL, 0, &object, err);

    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member)
        code = add_config(member, (struct hl_text){member->name, member->name_len},
                          is_sparse, list, err);
    return code;
}

/* Named vectors are objects all; size and distance of a bare one are not. */
static enum hl_code is_bare(const struct hl_field *field, bool *ret_is_bare,
                            struct hl_err *err)
{
    struct hl_tokens tokens = *field->tokens;
    struct hl_field copy = *field;
    const struct hl_field *member;
    struct hl_object object;
    enum hl_token_kind kind;
    enum hl_code code;

    copy.tokens = &tokens;
    *ret_is_bare = false;
    code = hl_object_begin(&copy, NULL, 0, &object, err);
    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member) {
        code = hl_field_kind(member, &kind, err);
        *ret_is_bare = *ret_is_bare || (code == HL_OK && kind != HL_TOKEN_OBJECT_BEGIN);
    }
    return code;
}

/* ---- create ---- */

enum {
    OPTIMIZERS_CONFIG,
    WAL_CONFIG,
    HNSW,
    QUANTIZATION,
    STRICT_MODE_CONFIG,
    METADATA,
    PAYLOAD,
    ON_DISK_PAYLOAD,
    N_SETTINGS,
    VECTORS = N_SETTINGS,
    SPARSE_VECTORS,
    N_SHARED,
    SHARD_NUMBER = N_SHARED,
    REPLICATION_FACTOR,
    WRITE_CONSISTENCY_FACTOR,
    SHARDING_METHOD,
    PARAMS = N_SHARED
};

/* Whatever it says, but a rule of ours (proto/loss.h) must be one. */
static enum hl_code read_metadata(const struct hl_field *member, struct hl_text *ret_text,
                                  struct hl_err *err)
{
    struct hl_tokens tokens = *member->tokens;
    struct hl_field copy = *member;
    enum hl_loss loss;
    enum hl_code code;

    copy.tokens = &tokens;
    code = hl_loss_read(&copy, &loss, err);
    return code == HL_OK ? hl_payload_read(member, ret_text, err) : code;
}

static enum hl_code read_setting(const struct hl_field *member, size_t which,
                                 struct hl_collection_settings *settings,
                                 struct hl_err *err)
{
    switch (which) {
    case OPTIMIZERS_CONFIG:
        return hl_tuning_read(member, HL_TUNING_OPTIMIZERS, &settings->optimizers_config,
                              err);
    case WAL_CONFIG:
        return hl_tuning_read(member, HL_TUNING_WAL, &settings->wal_config, err);
    case HNSW:
        return hl_tuning_read(member, HL_TUNING_HNSW, &settings->hnsw_config, err);
    case QUANTIZATION:
        return hl_tuning_read(member, HL_TUNING_QUANTIZATION,
                              &settings->quantization_config, err);
    case STRICT_MODE_CONFIG:
        return hl_tuning_read(member, HL_TUNING_STRICT_MODE, &settings->strict_mode_config,
                              err);
    case METADATA:
        return read_metadata(member, &settings->metadata, err);
    case PAYLOAD:
        return hl_tuning_read(member, HL_TUNING_PAYLOAD, &settings->payload, err);
    default:
        settings->has_on_disk_payload = true;
        return hl_field_bool(member, &settings->on_disk_payload, err);
    }
}

static enum hl_code check_one(const struct hl_field *member, struct hl_err *err)
{
    uint64_t count;
    enum hl_code code = hl_field_u64(member, 1, UINT32_MAX, &count, err);

    if (code == HL_OK && count != 1)
        return hl_member_refuse(member, "there is one node, so it must be 1", err);
    return code;
}

struct create_draft {
    struct hl_create_collection create;
    struct hl_list vectors;
};

static enum hl_code read_vectors(const struct hl_field *member, struct create_draft *draft,
                                 struct hl_err *err)
{
    enum hl_code code = is_bare(member, &draft->create.is_unnamed, err);

    if (code == HL_OK && draft->create.is_unnamed)
        return add_config(member, (struct hl_text){"", 0}, false, &draft->vectors, err);
    return code == HL_OK ? read_named(member, false, &draft->vectors, err) : code;
}

static enum hl_code read_create_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    static const char *const methods[] = {"auto", "custom"};
    struct create_draft *draft = self;
    size_t method = 0;
    enum hl_code code;

    if (which < N_SETTINGS)
        return read_setting(member, which, &draft->create.settings, err);
    switch (which) {
    case VECTORS:
        return read_vectors(member, draft, err);
    case SPARSE_VECTORS:
        return read_named(member, true, &draft->vectors, err);
    case SHARDING_METHOD:
        code = hl_field_enum(member, methods, 2, &method, err);
        return code == HL_OK && method == 1
                   ? hl_member_refuse(member, "a collection is one shard", err)
                   : code;
    default:
        return check_one(member, err);
    }
}

enum hl_code hl_create_collection_read(const struct hl_field *field,
                                       struct hl_create_collection *ret_create,
                                       struct hl_err *err)
{
    static const char *const names[] = {[OPTIMIZERS_CONFIG] = "optimizers_config",
                                        [WAL_CONFIG] = "wal_config",
                                        [HNSW] = "hnsw_config",
                                        [QUANTIZATION] = "quantization_config",
                                        [STRICT_MODE_CONFIG] = "strict_mode_config",
                                        [METADATA] = "metadata",
                                        [PAYLOAD] = "payload",
                                        [ON_DISK_PAYLOAD] = "on_disk_payload",
                                        [VECTORS] = "vectors",
                                        [SPARSE_VECTORS] = "sparse_vectors",
                                        [SHARD_NUMBER] = "shard_number",
                                        [REPLICATION_FACTOR] = "replication_factor",
                                        [WRITE_CONSISTENCY_FACTOR] =
                                            "write_consistency_factor",
                                        [SHARDING_METHOD] = "sharding_method"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_create_member};
    struct create_draft draft = {
        .vectors = hl_list_of(field->tokens->arena, sizeof(struct hl_vector_config))};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code != HL_OK)
        return code;
    draft.create.vectors = (struct hl_vector_configs){draft.vectors.items, draft.vectors.n};
    *ret_create = draft.create;
    return HL_OK;
}

/* ---- update ---- */

struct update_draft {
    struct hl_update_collection update;
    struct hl_list vectors;
};

static enum hl_code read_patches(const struct hl_field *field, bool is_sparse,
                                 struct hl_list *list, struct hl_err *err)
{
    struct hl_vector_config config = {0};
    const struct hl_field *member;
    struct hl_object object;
    enum hl_code code = hl_object_begin(field, NULL, 0, &object, err);

    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member) {
        struct hl_vector_patch patch = {{member->name, member->name_len}, is_sparse, {0}};

        if (is_sparse) {
            code = read_config(member, true, &config, err);
            patch.text = config.text;
        } else {
            code = hl_tuning_read(member, HL_TUNING_VECTOR_PATCH, &patch.text, err);
        }
        if (code == HL_OK)
            code = hl_list_add(list, &patch, err);
    }
    return code;
}

static enum hl_code read_update_member(const struct hl_field *member, size_t which,
                                       void *self, struct hl_err *err)
{
    struct update_draft *draft = self;

    switch (which) {
    case VECTORS:
    case SPARSE_VECTORS:
        return read_patches(member, which == SPARSE_VECTORS, &draft->vectors, err);
    case PARAMS:
        return hl_tuning_read(member, HL_TUNING_PARAMS, &draft->update.params, err);
    case QUANTIZATION:
        return hl_tuning_read(member, HL_TUNING_QUANTIZATION_PATCH,
                              &draft->update.settings.quantization_config, err);
    case WAL_CONFIG:
    case PAYLOAD:
    case ON_DISK_PAYLOAD:
        return hl_field_fail_unknown(member, err);
    default:
        return read_setting(member, which, &draft->update.settings, err);
    }
}

enum hl_code hl_update_collection_read(const struct hl_field *field,
                                       struct hl_update_collection *ret_update,
                                       struct hl_err *err)
{
    static const char *const names[] = {[OPTIMIZERS_CONFIG] = "optimizers_config",
                                        [WAL_CONFIG] = "wal_config",
                                        [HNSW] = "hnsw_config",
                                        [QUANTIZATION] = "quantization_config",
                                        [STRICT_MODE_CONFIG] = "strict_mode_config",
                                        [METADATA] = "metadata",
                                        [PAYLOAD] = "payload",
                                        [ON_DISK_PAYLOAD] = "on_disk_payload",
                                        [VECTORS] = "vectors",
                                        [SPARSE_VECTORS] = "sparse_vectors",
                                        [PARAMS] = "params"};
    static const struct hl_members members = {HL_MEMBERS_OF(names), 0, read_update_member};
    struct update_draft draft = {
        .vectors = hl_list_of(field->tokens->arena, sizeof(struct hl_vector_patch))};
    enum hl_code code = hl_members_read(field, &members, &draft, err);

    if (code != HL_OK)
        return code;
    draft.update.vectors = draft.vectors.items;
    draft.update.n_vectors = draft.vectors.n;
    *ret_update = draft.update;
    return HL_OK;
}
