/* SPDX-License-Identifier: Apache-2.0 */
#include "server/probes_part.h"

#include "proto/list.h"
#include "proto/members.h"
#include "proto/model_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_INFO = 1 << 20 };

enum hl_code hl_probes_check_name(const struct hl_span *name, struct hl_err *err)
{
    return hl_target_check_name(name, "a probe set", HL_PROBE_NAME, err);
}

void hl_probes_key(const char *name, uint64_t version, char key[HL_PROBE_KEY])
{
    if (version == 0)
        (void)snprintf(key, HL_PROBE_KEY, "%s/", name);
    else
        (void)snprintf(key, HL_PROBE_KEY, "%s/%010" PRIu64, name, version);
}

const struct hl_probe_model *hl_probe_set_model(const struct hl_probe_set *set,
                                                const char *model)
{
    for (size_t i = 0; i < set->n_models; i++)
        if (hl_text_is(&set->models[i].name, model))
            return &set->models[i];
    return NULL;
}

/* ---- which versions there are ---- */

static bool add_version(void *self, const struct hl_store_record *record)
{
    struct hl_probe_versions *versions = self;
    const size_t len = strlen(versions->beginning);

    if (strncmp(record->key, versions->beginning, len) == 0 &&
        versions->n < HL_PROBE_VERSIONS + 1)
        versions->numbers[versions->n++] = strtoull(record->key + len, NULL, 10);
    return true;
}

enum hl_code hl_probes_versions(const struct hl_holdings *holdings, const char *name,
                                struct hl_probe_versions *versions, struct hl_err *err)
{
    *versions = (struct hl_probe_versions){.n = 0};
    hl_probes_key(name, 0, versions->beginning);
    return hl_reader_records(holdings->reader, HL_PROBE_KIND_INFO, add_version, versions,
                             err);
}

enum hl_code hl_probes_fail_none(const char *name, uint64_t version, struct hl_err *err)
{
    if (version == 0)
        return hl_fail(err, HL_NOT_FOUND, "Not found: there is no probe set \"%.63s\"",
                       name);
    return hl_fail(err, HL_NOT_FOUND,
                   "Not found: there is no version %" PRIu64
                   " of the probe set \"%.63s\", the last %d are kept",
                   version, name, (int)HL_PROBE_VERSIONS);
}

enum hl_code hl_probes_version(const struct hl_holdings *holdings, const char *name,
                               uint64_t *version, struct hl_err *err)
{
    struct hl_probe_versions versions;
    size_t i = 0;
    enum hl_code code = hl_probes_versions(holdings, name, &versions, err);

    if (code != HL_OK)
        return code;
    if (versions.n == 0)
        return hl_probes_fail_none(name, 0, err);
    if (*version == 0)
        *version = versions.numbers[versions.n - 1];
    while (i < versions.n && versions.numbers[i] != *version)
        i++;
    return i < versions.n ? HL_OK : hl_probes_fail_none(name, *version, err);
}

/* ---- what is known of one ---- */

enum { VERSION, K, FLIP_AT, EVERY_S, QUERIES, MODELS, N_READ };
enum { MODEL_NAME, MODEL_SIZE, MODEL_QUERIES };

static enum hl_code read_model_member(const struct hl_field *member, size_t which,
                                      void *self, struct hl_err *err)
{
    struct hl_probe_model *model = self;
    uint64_t size = 0;
    enum hl_code code;

    if (which == MODEL_NAME)
        return hl_text_read(member, &model->name, err);
    if (which == MODEL_QUERIES)
        return hl_field_u64(member, 0, UINT64_MAX, &model->n, err);
    code = hl_field_u64(member, 1, UINT32_MAX, &size, err);
    model->dim = (uint32_t)size;
    return code;
}

static enum hl_code read_model(const struct hl_field *item, void *self, struct hl_err *err)
{
    static const char *const names[] = {
        [MODEL_NAME] = "name", [MODEL_SIZE] = "size", [MODEL_QUERIES] = "queries"};
    static const struct hl_members members = {
        HL_MEMBERS_OF(names),
        HL_MEMBER(MODEL_NAME) | HL_MEMBER(MODEL_SIZE) | HL_MEMBER(MODEL_QUERIES),
        read_model_member};
    struct hl_probe_model model = {.dim = 0};
    enum hl_code code = hl_members_read(item, &members, &model, err);

    model.name = hl_model_meant_by(&model.name);
    return code == HL_OK ? hl_list_add(self, &model, err) : code;
}

static enum hl_code read_info_member(const struct hl_field *member, size_t which,
                                     struct hl_probe_set *set, struct hl_err *err)
{
    uint32_t *const settings[] = {[K] = &set->settings.k,
                                  [FLIP_AT] = &set->settings.flip_at,
                                  [EVERY_S] = &set->settings.every_s};
    struct hl_list list = hl_list_of(member->tokens->arena, sizeof(struct hl_probe_model));
    uint64_t value = 0;
    enum hl_code code;

    if (which == VERSION)
        return hl_field_u64(member, 1, UINT64_MAX, &set->version, err);
    if (which == QUERIES)
        return hl_field_u64(member, 0, UINT64_MAX, &set->n_queries, err);
    if (which == MODELS) {
        code = hl_each_read(member, read_model, &list, err);
        set->models = list.items;
        set->n_models = list.n;
        return code;
    }
    if (which >= N_READ)
        return HL_OK; /* for people */
    code = hl_field_u64(member, 0, UINT32_MAX, &value, err);
    *settings[which] = (uint32_t)value;
    return code;
}

static enum hl_code read_info(const struct hl_store_record *record, struct hl_arena *arena,
                              struct hl_probe_set *ret_set, struct hl_err *err)
{
    static const char *const names[N_READ] = {[VERSION] = "version", [K] = "k",
                                              [FLIP_AT] = "flip_at", [EVERY_S] = "every_s",
                                              [QUERIES] = "queries", [MODELS] = "models"};
    struct hl_probe_set set = {.version = 0};
    const struct hl_field *member;
    struct hl_object object;
    struct hl_tokens tokens;
    struct hl_field root;
    const char *text = hl_arena_copy(arena, record->body, record->size);
    enum hl_code code;

    if (!text)
        return hl_arena_fail(arena, err, "the record of a probe set");
    hl_tokens_init(&tokens, text, record->size, arena);
    tokens.what = "the record of a probe set";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    code = hl_object_begin(&root, names, N_READ, &object, err);
    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member)
        code = read_info_member(member, object.which, &set, err);
    if (code == HL_OK)
        *ret_set = set;
    return code;
}

enum hl_code hl_probes_find(const struct hl_holdings *holdings, const char *name,
                            uint64_t version, struct hl_arena *arena,
                            struct hl_probe_set *ret_set, struct hl_err *err)
{
    struct hl_store_record record;
    char key[HL_PROBE_KEY];
    enum hl_code code = hl_probes_version(holdings, name, &version, err);

    if (code != HL_OK)
        return code;
    hl_probes_key(name, version, key);
    code = hl_reader_record(holdings->reader, HL_PROBE_KIND_INFO, key, &record, err);
    return code == HL_OK ? read_info(&record, arena, ret_set, err) : code;
}

enum hl_code hl_probes_text(const struct hl_holdings *holdings, const char *name,
                            uint64_t version, struct hl_span *ret_text, struct hl_err *err)
{
    struct hl_store_record record;
    char key[HL_PROBE_KEY];
    enum hl_code code;

    hl_probes_key(name, version, key);
    code = hl_reader_record(holdings->reader, HL_PROBE_KIND_TEXT, key, &record, err);
    if (code == HL_NOT_FOUND)
        return hl_probes_fail_none(name, version, err);
    if (code == HL_OK)
        *ret_text = (struct hl_span){record.body, record.size};
    return code;
}

/* ---- who needs a model ---- */

/* Versions of a name stand together and rise: the latest is the last before another name
 * begins. */
struct need {
    const char *model;
    struct hl_arena *arena;
    char name[HL_PROBE_KEY]; /* of the set that was last */
    bool has_it;             /* its latest version so far has the model */
    bool is_found;
    enum hl_code code;
    struct hl_err *err;
};

static bool look_for_model(void *self, const struct hl_store_record *record)
{
    struct need *need = self;
    const size_t len = strcspn(record->key, "/");
    struct hl_probe_set set = {.n_models = 0};

    if (need->has_it &&
        (strlen(need->name) != len || strncmp(need->name, record->key, len) != 0)) {
        need->is_found = true;
        return false;
    }
    hl_arena_reset(need->arena);
    need->code = read_info(record, need->arena, &set, need->err);
    if (need->code != HL_OK)
        return false;
    need->has_it = hl_probe_set_model(&set, need->model) != NULL;
    (void)snprintf(need->name, sizeof need->name, "%.*s", (int)len, record->key);
    return true;
}

enum hl_code hl_probes_check_idle(const struct hl_holdings *holdings, const char *model,
                                  struct hl_err *err)
{
    struct need need = {.model = model,
                        .arena = hl_arena_new((size_t)4 * LARGEST_INFO),
                        .code = HL_OK,
                        .err = err};
    enum hl_code code;

    if (!need.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory to look for probe sets");
    code =
        hl_reader_records(holdings->reader, HL_PROBE_KIND_INFO, look_for_model, &need, err);
    if (code == HL_OK)
        code = need.code;
    hl_arena_free(need.arena);
    if (code == HL_OK && (need.is_found || need.has_it))
        return hl_fail(err, HL_CONFLICT,
                       "the probe set \"%s\" has vectors of \"%.200s\": put it again "
                       "without them or delete it first",
                       need.name, hl_model_shown(model));
    return code;
}
