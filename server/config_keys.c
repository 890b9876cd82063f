/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/alloc.h"
#include "proto/file.h"
#include "server/config_parts.h"
#include "server/suggest.h"

#include <stdio.h>
#include <string.h>

enum { LARGEST_SECRET_FILE = 4096, SHOWN = 64 };

enum part { PART_SECRET, PART_SECRET_FILE, PART_ACCESS, N_PARTS };

static const char *const part_names[N_PARTS] = {"secret", "secret_file", "access"};

struct hl_key_draft {
    struct hl_key_config key;
    char secret_file[HL_CONFIG_TEXT_SIZE];
    struct hl_origin origin; /* of the section, for what is wrong with the key as a whole */
    struct hl_origin origins[N_PARTS];
};

void hl_config_keys_init(struct hl_config_keys *keys)
{
    *keys = (struct hl_config_keys){0};
}

void hl_config_keys_done(struct hl_config_keys *keys)
{
    if (keys->drafts)
        explicit_bzero(keys->drafts, keys->n_drafts * sizeof *keys->drafts);
    hl_free(keys->drafts);
    hl_config_keys_init(keys);
}

static struct hl_key_draft *find_draft(const struct hl_config_keys *keys, const char *id,
                                       size_t len)
{
    for (size_t i = 0; i < keys->n_drafts; i++)
        if (strlen(keys->drafts[i].key.id) == len &&
            memcmp(keys->drafts[i].key.id, id, len) == 0)
            return &keys->drafts[i];
    return NULL;
}

/* An id stands in variables, where "__" separates, and in labels of metrics. */
static bool is_id(const char *id, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = id[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
        if (c == '_' && (i == 0 || i + 1 == len || id[i + 1] == '_'))
            return false;
    }
    return len > 0 && len < HL_KEY_ID_SIZE;
}

/* Not hl_realloc: what it leaves behind of a secret could not be wiped. */
static enum hl_code add_draft(struct hl_config_keys *keys, struct hl_key_draft **ret_draft,
                              struct hl_err *err)
{
    struct hl_key_draft *grown;

    if (keys->n_drafts == HL_MAX_KEYS)
        return hl_fail(err, HL_INVALID, "there are more than %d keys", HL_MAX_KEYS);
    grown = hl_alloc_zeroed(keys->n_drafts + 1, sizeof *grown);
    if (!grown)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the keys");
    if (keys->drafts) {
        memcpy(grown, keys->drafts, keys->n_drafts * sizeof *grown);
        explicit_bzero(keys->drafts, keys->n_drafts * sizeof *grown);
        hl_free(keys->drafts);
    }
    keys->drafts = grown;
    *ret_draft = &grown[keys->n_drafts++];
    return HL_OK;
}

enum hl_code hl_config_keys_begin(struct hl_config_keys *keys, const char *id,
                                  size_t id_len, const char *origin, struct hl_err *err)
{
    struct hl_key_draft *draft;
    enum hl_code code;

    if (find_draft(keys, id, id_len))
        return HL_OK;
    if (!is_id(id, id_len))
        return hl_fail(
            err, HL_INVALID,
            "%s: key id \"%.*s\", must be at most %d lower case letters, digits, "
            "\"-\" and single \"_\" between them",
            origin, (int)(id_len < SHOWN ? id_len : SHOWN), id, HL_KEY_ID_SIZE - 1);
    code = add_draft(keys, &draft, err);
    if (code != HL_OK)
        return hl_fail_in(err, "%s", origin);
    memcpy(draft->key.id, id, id_len);
    draft->key.access = HL_ACCESS_FULL;
    snprintf(draft->origin.name, sizeof draft->origin.name, "%s", origin);
    return HL_OK;
}

static enum hl_code refuse_part(const char *id, const struct hl_config_input *input,
                                struct hl_err *err)
{
    struct hl_suggest suggest;
    char words[128];

    hl_suggest_init(&suggest, input->key, input->key_len);
    for (size_t i = 0; i < N_PARTS; i++)
        hl_suggest_offer(&suggest, part_names[i]);
    return hl_fail(err, HL_INVALID, "%s: there is no setting \"%.*s\" of key \"%s\"%s",
                   input->origin, (int)(input->key_len < SHOWN ? input->key_len : SHOWN),
                   input->key, id, hl_suggest_words(&suggest, words, sizeof words));
}

/* Visible ASCII, because it travels in a header. What is wrong is said without saying it.
 */
static enum hl_code set_secret(struct hl_key_config *key, const char *secret, size_t len,
                               const char *origin, struct hl_err *err)
{
    if (len < HL_SECRET_MIN || len > HL_SECRET_MAX)
        return hl_fail(err, HL_INVALID,
                       "%s: the secret of key \"%s\" has %zu bytes, must have %d to %d",
                       origin, key->id, len, HL_SECRET_MIN, HL_SECRET_MAX);
    for (size_t i = 0; i < len; i++)
        if (secret[i] <= ' ' || secret[i] > '~')
            return hl_fail(
                err, HL_INVALID,
                "%s: byte %zu of the secret of key \"%s\" is not a visible ASCII "
                "character",
                origin, i + 1, key->id);
    memcpy(key->secret, secret, len);
    key->secret[len] = '\0';
    return HL_OK;
}

static enum hl_code set_secret_file(struct hl_key_draft *draft,
                                    const struct hl_config_input *input, struct hl_err *err)
{
    if (input->value_len == 0 || input->value_len >= sizeof draft->secret_file)
        return hl_fail(
            err, HL_INVALID,
            "%s: the path of the secret of key \"%s\" has %zu bytes, must have 1 "
            "to %zu",
            input->origin, draft->key.id, input->value_len, sizeof draft->secret_file - 1);
    memcpy(draft->secret_file, input->value, input->value_len);
    draft->secret_file[input->value_len] = '\0';
    return HL_OK;
}

static enum hl_code set_access(struct hl_key_config *key,
                               const struct hl_config_input *input, struct hl_err *err)
{
    const char *const names[] = {
        [HL_ACCESS_READ_ONLY] = "read_only", [HL_ACCESS_FULL] = "full"};

    for (unsigned i = 0; i < 2; i++) {
        if (strlen(names[i]) != input->value_len ||
            memcmp(names[i], input->value, input->value_len) != 0)
            continue;
        key->access = (enum hl_access)i;
        return HL_OK;
    }
    return hl_fail(err, HL_INVALID,
                   "%s: the access of key \"%s\" is \"%.*s\", must be full or read_only",
                   input->origin, key->id,
                   (int)(input->value_len < SHOWN ? input->value_len : SHOWN),
                   input->value);
}

static enum hl_code set_part(struct hl_key_draft *draft, enum part part,
                             const struct hl_config_input *input, struct hl_err *err)
{
    switch (part) {
    case PART_SECRET:
        return set_secret(&draft->key, input->value, input->value_len, input->origin, err);
    case PART_SECRET_FILE:
        return set_secret_file(draft, input, err);
    case PART_ACCESS:
    case N_PARTS:
    default:
        return set_access(&draft->key, input, err);
    }
}

/* Variables have no line: names that differ in their letters' case say the same thing. */
bool hl_config_is_same_source(const char *a, const char *b)
{
    const char *end = strrchr(a, ':');
    const char *other = strrchr(b, ':');

    if (!end && !other)
        return *a && *b;
    return end && other && end - a == other - b && memcmp(a, b, (size_t)(end - a)) == 0;
}

enum hl_code hl_config_keys_set(struct hl_config_keys *keys, const char *id, size_t id_len,
                                const struct hl_config_input *input, struct hl_err *err)
{
    struct hl_key_draft *draft;
    enum part part = PART_SECRET;
    enum hl_code code = hl_config_keys_begin(keys, id, id_len, input->origin, err);

    if (code != HL_OK)
        return code;
    draft = find_draft(keys, id, id_len);
    assert(draft);
    while (part < N_PARTS && (strlen(part_names[part]) != input->key_len ||
                              memcmp(part_names[part], input->key, input->key_len) != 0))
        part++;
    if (part == N_PARTS)
        return refuse_part(draft->key.id, input, err);
    if (hl_config_is_same_source(draft->origins[part].name, input->origin))
        return hl_fail(err, HL_INVALID, "%s: \"%s\" of key \"%s\" is set already, by %s",
                       input->origin, part_names[part], draft->key.id,
                       draft->origins[part].name);
    code = set_part(draft, part, input, err);
    if (code == HL_OK)
        snprintf(draft->origins[part].name, sizeof draft->origins[part].name, "%s",
                 input->origin);
    return code;
}

static enum hl_code load_secret(struct hl_key_draft *draft, struct hl_err *err)
{
    const char *origin = draft->origins[PART_SECRET_FILE].name;
    struct hl_buf text;
    enum hl_code code;
    size_t len;

    hl_buf_init(&text, LARGEST_SECRET_FILE);
    code = hl_file_load(draft->secret_file, &text, err);
    if (code != HL_OK) {
        hl_fail_in(err, "%s", origin);
    } else {
        len = text.len;
        while (len > 0 && (text.data[len - 1] == '\n' || text.data[len - 1] == '\r'))
            len--;
        code = set_secret(&draft->key, text.data, len, origin, err);
    }
    explicit_bzero(text.data, text.len);
    hl_buf_done(&text);
    return code;
}

static enum hl_code finish_draft(struct hl_key_draft *draft, struct hl_err *err)
{
    bool has_secret = draft->origins[PART_SECRET].name[0] != '\0';
    bool has_file = draft->origins[PART_SECRET_FILE].name[0] != '\0';

    if (has_secret && has_file)
        return hl_fail(err, HL_INVALID,
                       "%s: key \"%s\" has a secret_file as well as a secret, by %s",
                       draft->origins[PART_SECRET_FILE].name, draft->key.id,
                       draft->origins[PART_SECRET].name);
    if (!has_secret && !has_file)
        return hl_fail(err, HL_INVALID, "%s: key \"%s\" has no secret", draft->origin.name,
                       draft->key.id);
    return has_file ? load_secret(draft, err) : HL_OK;
}

/* One secret of two keys would make it a matter of chance who called. */
static enum hl_code refuse_twins(const struct hl_config_keys *keys, size_t n,
                                 struct hl_err *err)
{
    const struct hl_key_draft *last = &keys->drafts[n];

    for (size_t i = 0; i < n; i++)
        if (strcmp(keys->drafts[i].key.secret, last->key.secret) == 0)
            return hl_fail(err, HL_INVALID,
                           "%s: keys \"%s\" and \"%s\" have the same secret",
                           last->origin.name, keys->drafts[i].key.id, last->key.id);
    return HL_OK;
}

enum hl_code hl_config_keys_finish(struct hl_config_keys *keys, struct hl_config *config,
                                   struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < keys->n_drafts; i++) {
        code = finish_draft(&keys->drafts[i], err);
        if (code == HL_OK)
            code = refuse_twins(keys, i, err);
    }
    if (code != HL_OK || keys->n_drafts == 0)
        return code;
    config->keys = hl_alloc_zeroed(keys->n_drafts, sizeof *config->keys);
    if (!config->keys)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the keys");
    config->n_keys = keys->n_drafts;
    for (size_t i = 0; i < keys->n_drafts; i++)
        config->keys[i] = keys->drafts[i].key;
    return HL_OK;
}
