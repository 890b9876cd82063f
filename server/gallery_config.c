/* SPDX-License-Identifier: Apache-2.0 */
#include "server/gallery_config.h"

#include "proto/encode.h"

#include <assert.h>
#include <string.h>

enum { LARGEST_PART = 16 << 20 };

static const char *const part_names[HL_N_PARTS] = {"hnsw_config",
                                                   "optimizers_config",
                                                   "wal_config",
                                                   "quantization_config",
                                                   "strict_mode_config",
                                                   "payload",
                                                   "metadata",
                                                   "on_disk_payload",
                                                   "params"};

/* What Qdrant says where nobody said anything. */
static const char *const defaults[HL_N_PARTS] = {
    [HL_PART_HNSW] = "{\"m\":16,\"ef_construct\":100,\"full_scan_threshold\":10000,"
                     "\"max_indexing_threads\":0,\"on_disk\":false}",
    [HL_PART_OPTIMIZERS] =
        "{\"deleted_threshold\":0.2,\"vacuum_min_vector_number\":1000,"
        "\"default_segment_number\":0,\"max_segment_size\":null,\"memmap_threshold\":null,"
        "\"indexing_threshold\":10000,\"flush_interval_sec\":5,"
        "\"max_optimization_threads\":null}",
    [HL_PART_WAL] =
        "{\"wal_capacity_mb\":32,\"wal_segments_ahead\":0,\"wal_retain_closed\":1}",
    [HL_PART_PARAMS] =
        "{\"shard_number\":1,\"replication_factor\":1,\"write_consistency_factor\":1}",
    [HL_PART_ON_DISK_PAYLOAD] = "true",
};

static struct hl_text text_of(const char *text)
{
    return (struct hl_text){text, strlen(text)};
}

enum hl_code hl_gallery_config_decode(const char *text, struct hl_arena *arena,
                                      struct hl_gallery_config *ret_config,
                                      struct hl_err *err)
{
    struct hl_gallery_config config = {0};
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_field root;
    const struct hl_field *member = NULL;
    enum hl_code code;

    if (*text == '\0') {
        *ret_config = config;
        return HL_OK;
    }
    hl_tokens_init(&tokens, text, strlen(text), arena);
    tokens.what = "a collection's configuration";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, part_names, HL_N_PARTS, &object, err);
    while (code == HL_OK) {
        code = hl_object_next(&object, &member, err);
        if (code != HL_OK || !member)
            break;
        if (object.which < HL_N_PARTS)
            code = hl_field_span(member, &config.parts[object.which].text,
                                 &config.parts[object.which].len, err);
    }
    if (code == HL_OK)
        *ret_config = config;
    return code;
}

enum hl_code hl_gallery_config_encode(const struct hl_gallery_config *config,
                                      struct hl_buf *buf, struct hl_err *err)
{
    bool is_first = true;

    hl_buf_add_char(buf, '{');
    for (size_t i = 0; i < HL_N_PARTS; i++) {
        if (!config->parts[i].text)
            continue;
        hl_buf_add_text(buf, is_first ? "" : ",");
        hl_encode_key(buf, part_names[i]);
        hl_buf_add(buf, config->parts[i].text, config->parts[i].len);
        is_first = false;
    }
    hl_buf_add_char(buf, '}');
    return hl_buf_check(buf, "a collection's configuration", err);
}

/* Two objects as one, in the arena. */
static enum hl_code merge_texts(const struct hl_text *old, const struct hl_text *patch,
                                enum hl_merge_null null, struct hl_arena *arena,
                                struct hl_text *ret_text, struct hl_err *err)
{
    struct hl_buf buf;
    const char *copy;
    enum hl_code code;

    hl_buf_init(&buf, LARGEST_PART);
    code = hl_tuning_merge(old, patch, null, arena, &buf, err);
    if (code == HL_OK)
        code = hl_buf_check(&buf, "a collection's configuration", err);
    copy = code == HL_OK ? hl_arena_copy(arena, buf.data, buf.len) : NULL;
    if (code == HL_OK && !copy)
        code = hl_arena_fail(arena, err, "a collection's configuration");
    if (code == HL_OK)
        *ret_text = (struct hl_text){copy, buf.len};
    hl_buf_done(&buf);
    return code;
}

static enum hl_code merge_part(struct hl_gallery_config *config, enum hl_config_part part,
                               const struct hl_text *patch, struct hl_arena *arena,
                               struct hl_err *err)
{
    const struct hl_text nothing = text_of("{}");
    struct hl_text *old = &config->parts[part];

    if (!patch->text)
        return HL_OK;
    /* What is quantized how is one thing; "Disabled" is none. */
    if (part == HL_PART_QUANTIZATION) {
        *old = *patch;
        if (patch->text[0] == '"')
            old->text = NULL;
        return HL_OK;
    }
    return merge_texts(old->text ? old : &nothing, patch,
                       part == HL_PART_METADATA ? HL_MERGE_NULL_REMOVES
                                                : HL_MERGE_NULL_ABSENT,
                       arena, old, err);
}

enum hl_code hl_gallery_config_merge(struct hl_gallery_config *config,
                                     const struct hl_collection_settings *settings,
                                     const struct hl_text *params, struct hl_arena *arena,
                                     struct hl_err *err)
{
    const struct hl_text on_disk = text_of(settings->on_disk_payload ? "true" : "false");
    const struct hl_text *const patches[HL_N_PARTS] = {
        [HL_PART_HNSW] = &settings->hnsw_config,
        [HL_PART_OPTIMIZERS] = &settings->optimizers_config,
        [HL_PART_WAL] = &settings->wal_config,
        [HL_PART_QUANTIZATION] = &settings->quantization_config,
        [HL_PART_STRICT_MODE] = &settings->strict_mode_config,
        [HL_PART_PAYLOAD] = &settings->payload,
        [HL_PART_METADATA] = &settings->metadata,
        [HL_PART_PARAMS] = params};
    enum hl_code code = HL_OK;

    for (int i = 0; code == HL_OK && i < HL_N_PARTS; i++)
        if (patches[i])
            code = merge_part(config, (enum hl_config_part)i, patches[i], arena, err);
    if (settings->has_on_disk_payload)
        config->parts[HL_PART_ON_DISK_PAYLOAD] = on_disk;
    return code;
}

/* Asked at each write of a collection with bridges: nothing is read where nobody has said
 * anything. */
enum hl_code hl_gallery_config_loss(const struct hl_layout *layout, struct hl_arena *arena,
                                    enum hl_loss *ret_loss, struct hl_err *err)
{
    struct hl_gallery_config config;
    const struct hl_text *metadata = &config.parts[HL_PART_METADATA];
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err unknown;
    enum hl_code code;

    *ret_loss = HL_LOSS_ALLOW;
    if (!strstr(layout->config, "\"on_vector_loss\""))
        return HL_OK;
    code = hl_gallery_config_decode(layout->config, arena, &config, err);
    if (code != HL_OK || !metadata->text)
        return code;
    hl_tokens_init(&tokens, metadata->text, metadata->len, arena);
    root = hl_field_root(&tokens);
    if (hl_loss_read(&root, ret_loss, &unknown) != HL_OK)
        *ret_loss = HL_LOSS_ALLOW;
    return HL_OK;
}

/* ---- as GET prints it ---- */

static enum hl_code with_defaults(const struct hl_gallery_config *config,
                                  enum hl_config_part part, struct hl_arena *arena,
                                  struct hl_text *ret_text, struct hl_err *err)
{
    const struct hl_text standard = text_of(defaults[part]);

    *ret_text = standard;
    return config->parts[part].text
               ? merge_texts(&standard, &config->parts[part], HL_MERGE_NULL_ABSENT, arena,
                             ret_text, err)
               : HL_OK;
}

static void print_vectors(const struct hl_layout *layout, bool is_sparse,
                          struct hl_buf *buf)
{
    bool is_first = true;

    hl_buf_add_char(buf, '{');
    for (size_t i = 0; i < layout->n_spaces; i++) {
        const struct hl_space *space = &layout->spaces[i];

        if ((space->dim == 0) != is_sparse)
            continue;
        hl_buf_add_text(buf, is_first ? "" : ",");
        hl_encode_key(buf, space->name);
        hl_buf_add_text(buf, space->settings);
        is_first = false;
    }
    hl_buf_add_char(buf, '}');
}

static size_t count_vectors(const struct hl_layout *layout, bool is_sparse,
                            const struct hl_space **ret_last)
{
    size_t n = 0;

    for (size_t i = 0; i < layout->n_spaces; i++)
        if ((layout->spaces[i].dim == 0) == is_sparse) {
            *ret_last = &layout->spaces[i];
            n++;
        }
    return n;
}

static enum hl_code print_params(const struct hl_layout *layout,
                                 const struct hl_gallery_config *config,
                                 struct hl_arena *arena, struct hl_buf *buf,
                                 struct hl_err *err)
{
    const struct hl_text *payload = &config->parts[HL_PART_ON_DISK_PAYLOAD];
    const struct hl_space *last = NULL;
    struct hl_text params;
    enum hl_code code = with_defaults(config, HL_PART_PARAMS, arena, &params, err);

    if (code != HL_OK)
        return code;
    assert(params.text != NULL); /* there is a default */
    hl_buf_add_text(buf, "{\"vectors\":");
    if (count_vectors(layout, false, &last) == 1 && last->name[0] == '\0')
        hl_buf_add_text(buf, last->settings);
    else
        print_vectors(layout, false, buf);
    if (count_vectors(layout, true, &last) > 0) {
        hl_buf_add_text(buf, ",\"sparse_vectors\":");
        print_vectors(layout, true, buf);
    }
    hl_buf_add_char(buf, ',');
    hl_buf_add(buf, params.text + 1, params.len - 1); /* its members, and the end */
    if (buf->failed == HL_OK && !strstr(params.text, "\"on_disk_payload\"")) {
        buf->len--;
        hl_buf_add_text(buf, ",\"on_disk_payload\":");
        if (payload->text)
            hl_buf_add(buf, payload->text, payload->len);
        else
            hl_buf_add_text(buf, defaults[HL_PART_ON_DISK_PAYLOAD]);
        hl_buf_add_char(buf, '}');
    }
    return HL_OK;
}

static void print_part(struct hl_buf *buf, const char *name, const struct hl_text *text)
{
    if (!text->text)
        return;
    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    hl_buf_add(buf, text->text, text->len);
}

enum hl_code hl_gallery_config_print(const struct hl_layout *layout, struct hl_arena *arena,
                                     struct hl_buf *buf, struct hl_err *err)
{
    static const struct hl_text null = {"null", 4};
    struct hl_gallery_config config;
    struct hl_text hnsw, optimizers, wal;
    enum hl_code code = hl_gallery_config_decode(layout->config, arena, &config, err);

    if (code == HL_OK)
        code = with_defaults(&config, HL_PART_HNSW, arena, &hnsw, err);
    if (code == HL_OK)
        code = with_defaults(&config, HL_PART_OPTIMIZERS, arena, &optimizers, err);
    if (code == HL_OK)
        code = with_defaults(&config, HL_PART_WAL, arena, &wal, err);
    hl_buf_add_text(buf, "{\"params\":");
    if (code == HL_OK)
        code = print_params(layout, &config, arena, buf, err);
    if (code != HL_OK)
        return code;
    print_part(buf, "hnsw_config", &hnsw);
    print_part(buf, "optimizer_config", &optimizers);
    print_part(buf, "wal_config", &wal);
    print_part(buf, "quantization_config",
               config.parts[HL_PART_QUANTIZATION].text ? &config.parts[HL_PART_QUANTIZATION]
                                                       : &null);
    print_part(buf, "strict_mode_config", &config.parts[HL_PART_STRICT_MODE]);
    print_part(buf, "metadata", &config.parts[HL_PART_METADATA]);
    hl_buf_add_char(buf, '}');
    return HL_OK;
}
