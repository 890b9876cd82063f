/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/tuning.h"

#include "proto/encode.h"
#include "proto/list.h"
#include "proto/members.h"

#include <stdio.h>

enum type {
    A_BOOL,
    A_COUNT,   /* min..max */
    A_NUMBER,  /* min..max */
    A_WORD,    /* one of words */
    A_THREADS, /* a count or "auto" */
    AN_OBJECT, /* of these settings */
    A_PATCH,   /* of quantization: that, or "Disabled" */
    ONE        /* a count that must be 1: there is one node */
};

struct setting {
    const char *name;
    double min;
    double max;
    const char *const *words; /* ends in NULL */
    const struct setting *settings;
    enum type type;
    bool is_needed;
};

/* clang-format off */
#define BOOL(n)           {.name = (n), .type = A_BOOL}
#define COUNT(n, least)   {.name = (n), .type = A_COUNT, .min = (least)}
#define NUMBER(n, lo, hi) {.name = (n), .type = A_NUMBER, .min = (lo), .max = (hi)}
#define WORD(n, of)       {.name = (n), .type = A_WORD, .words = (of)}
#define NEEDED(n, of)     {.name = (n), .type = A_WORD, .words = (of), .is_needed = true}
#define OBJECT(n, of)     {.name = (n), .type = AN_OBJECT, .settings = (of)}
#define OTHER(n, t)       {.name = (n), .type = (t)}
#define END               {.name = NULL}
/* clang-format on */

static const char *const memories[] = {"cold", "cached", "pinned", NULL};
static const char *const scalars[] = {"int8", NULL};
static const char *const ratios[] = {"x4", "x8", "x16", "x32", "x64", NULL};
static const char *const encodings[] = {"one_bit", "two_bits", "one_and_half_bits", NULL};
static const char *const query_encodings[] = {"default", "binary", "scalar4bits",
                                              "scalar8bits", NULL};
static const char *const bits[] = {"bits1", "bits1_5", "bits2", "bits4", NULL};
static const char *const float32[] = {"float32", NULL};

static const struct setting hnsw[] = {COUNT("m", 0),
                                      COUNT("ef_construct", 4),
                                      COUNT("full_scan_threshold", 10),
                                      COUNT("payload_m", 0),
                                      COUNT("max_indexing_threads", 0),
                                      BOOL("on_disk"),
                                      BOOL("inline_storage"),
                                      WORD("memory", memories),
                                      END};

static const struct setting optimizers[] = {
    NUMBER("deleted_threshold", 0, 1),  COUNT("vacuum_min_vector_number", 100),
    COUNT("default_segment_number", 0), COUNT("max_segment_size", 1),
    COUNT("memmap_threshold", 0),       COUNT("indexing_threshold", 0),
    COUNT("flush_interval_sec", 0),     OTHER("max_optimization_threads", A_THREADS),
    BOOL("prevent_unoptimized"),        END};

static const struct setting wal[] = {COUNT("wal_capacity_mb", 1),
                                     COUNT("wal_segments_ahead", 0),
                                     COUNT("wal_retain_closed", 0), END};

static const struct setting scalar[] = {NEEDED("type", scalars), NUMBER("quantile", 0.5, 1),
                                        BOOL("always_ram"), WORD("memory", memories), END};
static const struct setting product[] = {NEEDED("compression", ratios), BOOL("always_ram"),
                                         WORD("memory", memories), END};
static const struct setting binary[] = {BOOL("always_ram"), WORD("memory", memories),
                                        WORD("encoding", encodings),
                                        WORD("query_encoding", query_encodings), END};
static const struct setting turbo[] = {BOOL("always_ram"), WORD("memory", memories),
                                       WORD("bits", bits), END};
static const struct setting quantization[] = {
    OBJECT("scalar", scalar), OBJECT("product", product), OBJECT("binary", binary),
    OBJECT("turbo", turbo), END};

static const struct setting payload[] = {WORD("memory", memories), END};

static const struct setting params[] = {OTHER("replication_factor", ONE),
                                        OTHER("write_consistency_factor", ONE),
                                        COUNT("read_fan_out_factor", 0),
                                        COUNT("read_fan_out_delay_ms", 0),
                                        BOOL("on_disk_payload"),
                                        OBJECT("payload", payload),
                                        END};

static const struct setting vector_patch[] = {
    OBJECT("hnsw_config", hnsw), OTHER("quantization_config", A_PATCH), BOOL("on_disk"),
    WORD("memory", memories), END};

static const struct setting sparse_index[] = {COUNT("full_scan_threshold", 0),
                                              BOOL("on_disk"), WORD("memory", memories),
                                              WORD("datatype", float32), END};

static const struct setting *const kinds[] = {
    [HL_TUNING_HNSW] = hnsw,
    [HL_TUNING_OPTIMIZERS] = optimizers,
    [HL_TUNING_WAL] = wal,
    [HL_TUNING_QUANTIZATION] = quantization,
    [HL_TUNING_PAYLOAD] = payload,
    [HL_TUNING_PARAMS] = params,
    [HL_TUNING_VECTOR_PATCH] = vector_patch,
    [HL_TUNING_SPARSE_INDEX] = sparse_index,
};

enum { MAX_SETTINGS = 64 };

static enum hl_code check_object(const struct hl_field *field,
                                 const struct setting *settings, struct hl_err *err);

static enum hl_code check_word(const struct hl_field *field, const struct setting *setting,
                               struct hl_err *err)
{
    size_t n = 0, which;

    while (setting->words[n])
        n++;
    return hl_field_enum(field, setting->words, n, &which, err);
}

static enum hl_code check_one(const struct hl_field *member, struct hl_err *err)
{
    uint64_t count;
    enum hl_code code = hl_field_u64(member, 1, UINT64_MAX, &count, err);

    if (code == HL_OK && count != 1)
        return hl_member_refuse(member, "there is one node, so it must be 1", err);
    return code;
}

static enum hl_code check_threads(const struct hl_field *field, struct hl_err *err)
{
    static const char *const words[] = {"auto"};
    enum hl_token_kind kind;
    uint64_t count;
    size_t which;
    enum hl_code code = hl_field_kind(field, &kind, err);

    if (code == HL_OK && kind == HL_TOKEN_STRING)
        return hl_field_enum(field, words, 1, &which, err);
    return code == HL_OK ? hl_field_u64(field, 0, UINT64_MAX, &count, err) : code;
}

static enum hl_code check_quantization_patch(const struct hl_field *field,
                                             struct hl_err *err)
{
    static const char *const words[] = {"Disabled"};
    enum hl_token_kind kind;
    size_t which;
    enum hl_code code = hl_field_kind(field, &kind, err);

    if (code == HL_OK && kind == HL_TOKEN_STRING)
        return hl_field_enum(field, words, 1, &which, err);
    return code == HL_OK ? check_object(field, quantization, err) : code;
}

static enum hl_code check_setting(const struct hl_field *field,
                                  const struct setting *setting, struct hl_err *err)
{
    bool is_on;
    double number;
    uint64_t count;

    switch (setting->type) {
    case A_BOOL:
        return hl_field_bool(field, &is_on, err);
    case A_COUNT:
        return hl_field_u64(field, (uint64_t)setting->min, UINT64_MAX, &count, err);
    case A_NUMBER:
        return hl_field_double(field, setting->min, setting->max, &number, err);
    case A_WORD:
        return check_word(field, setting, err);
    case A_THREADS:
        return check_threads(field, err);
    case AN_OBJECT:
        return check_object(field, setting->settings, err);
    case A_PATCH:
        return check_quantization_patch(field, err);
    case ONE:
    default:
        return check_one(field, err);
    }
}

static const struct hl_token an_object = {.kind = HL_TOKEN_OBJECT_BEGIN};

static enum hl_code check_had(const struct hl_field *field, const struct setting *settings,
                              uint64_t had, struct hl_err *err)
{
    for (size_t i = 0; settings[i].name; i++) {
        char sentence[64];

        if (!settings[i].is_needed || had & HL_MEMBER(i))
            continue;
        snprintf(sentence, sizeof sentence, "missing field \"%s\"", settings[i].name);
        return hl_field_fail_name(field, sentence, err);
    }
    if (settings == quantization && (had == 0 || had & (had - 1)))
        return hl_field_fail_value(field, &an_object, "one kind of quantization", err);
    return HL_OK;
}

static enum hl_code check_object(const struct hl_field *field,
                                 const struct setting *settings, struct hl_err *err)
{
    const char *names[MAX_SETTINGS];
    const struct hl_field *member;
    struct hl_object object;
    uint64_t had = 0;
    enum hl_code code;
    size_t n = 0;

    for (; settings[n].name; n++)
        names[n] = settings[n].name;
    code = hl_object_begin(field, names, n, &object, err);
    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member) {
        if (object.which == n)
            return hl_field_fail_unknown(member, err);
        had |= HL_MEMBER(object.which);
        code = check_setting(member, &settings[object.which], err);
    }
    return code == HL_OK ? check_had(field, settings, had, err) : code;
}

/* Its limits would refuse requests that are answered here. */
static enum hl_code check_strict_mode(const struct hl_field *field, struct hl_err *err)
{
    static const char *const names[] = {"enabled"};
    const struct hl_field *member;
    struct hl_object object;
    bool is_enabled = false;
    enum hl_code code = hl_object_begin(field, names, 1, &object, err);

    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member) {
        if (object.which == 0)
            code = hl_field_bool(member, &is_enabled, err);
        if (code == HL_OK && is_enabled)
            return hl_fail(err, HL_NOT_SUPPORTED,
                           "\"strict_mode_config\" is not supported: limits are the "
                           "server's configuration");
    }
    return code;
}

static enum hl_code check_kind(const struct hl_field *field, enum hl_tuning_kind kind,
                               struct hl_err *err)
{
    if (kind == HL_TUNING_STRICT_MODE)
        return check_strict_mode(field, err);
    if (kind == HL_TUNING_QUANTIZATION_PATCH)
        return check_quantization_patch(field, err);
    return check_object(field, kinds[kind], err);
}

/* Checked on a copy of the tokens, which are a value; the original then gives the text. */
enum hl_code hl_tuning_read(const struct hl_field *field, enum hl_tuning_kind kind,
                            struct hl_text *ret_text, struct hl_err *err)
{
    struct hl_tokens tokens = *field->tokens;
    struct hl_field copy = *field;
    enum hl_code code;

    copy.tokens = &tokens;
    code = check_kind(&copy, kind, err);
    return code == HL_OK ? hl_field_span(field, &ret_text->text, &ret_text->len, err)
                         : code;
}

/* ---- merging ---- */

struct pair {
    struct hl_text key;
    struct hl_text value; /* source text */
    bool is_null;
};

static enum hl_code read_pairs(const struct hl_text *text, enum hl_merge_null null,
                               struct hl_arena *arena, struct hl_list *pairs,
                               struct hl_err *err)
{
    const struct hl_field *member;
    struct hl_tokens tokens;
    struct hl_object object;
    struct hl_field root;
    enum hl_token_kind kind;
    enum hl_code code;

    hl_tokens_init(&tokens, text->text, text->len, arena);
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, NULL, 0, &object, err);
    object.keeps_nulls = null == HL_MERGE_NULL_REMOVES;
    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member) {
        struct pair pair = {.key = {member->name, member->name_len}};

        code = hl_field_kind(member, &kind, err);
        if (code == HL_OK)
            code = hl_field_span(member, &pair.value.text, &pair.value.len, err);
        pair.is_null = code == HL_OK && kind == HL_TOKEN_NULL;
        if (code == HL_OK)
            code = hl_list_add(pairs, &pair, err);
    }
    return code;
}

/* A key that comes twice means its last value, and the patch comes last. */
static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = *(const struct pair *const *)a,
                      *y = *(const struct pair *const *)b;
    int order = hl_text_compare(&x->key, &y->key);

    return order ? order : (x > y) - (x < y);
}

static void print_pair(struct hl_buf *buf, const struct pair *pair, bool *is_first)
{
    if (!*is_first)
        hl_buf_add_char(buf, ',');
    *is_first = false;
    hl_encode_text(buf, pair->key.text, pair->key.len);
    hl_buf_add_char(buf, ':');
    hl_buf_add(buf, pair->value.text, pair->value.len);
}

enum hl_code hl_tuning_merge(const struct hl_text *old, const struct hl_text *patch,
                             enum hl_merge_null null, struct hl_arena *arena,
                             struct hl_buf *buf, struct hl_err *err)
{
    struct hl_list pairs = hl_list_of(arena, sizeof(struct pair));
    struct hl_list order = hl_list_of(arena, sizeof(struct pair *));
    enum hl_code code = read_pairs(old, HL_MERGE_NULL_REMOVES, arena, &pairs, err);
    const struct pair *const *sorted;
    bool is_first = true;

    if (code == HL_OK)
        code = read_pairs(patch, null, arena, &pairs, err);
    for (size_t i = 0; code == HL_OK && i < pairs.n; i++) {
        const struct pair *pair = (const struct pair *)pairs.items + i;

        code = hl_list_add(&order, &pair, err);
    }
    if (code != HL_OK)
        return code;
    hl_list_sort(&order, compare_pairs);
    sorted = order.items;
    hl_buf_add_char(buf, '{');
    for (size_t i = 0; i < order.n; i++) {
        bool is_last =
            i + 1 == order.n || hl_text_compare(&sorted[i]->key, &sorted[i + 1]->key) != 0;

        if (is_last && !sorted[i]->is_null)
            print_pair(buf, sorted[i], &is_first);
    }
    hl_buf_add_char(buf, '}');
    return hl_buf_check(buf, "merged settings", err);
}
