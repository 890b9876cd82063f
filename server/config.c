/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include "proto/alloc.h"
#include "proto/file.h"
#include "server/config_parts.h"
#include "server/ini.h"
#include "server/suggest.h"

#include <stdio.h>
#include <string.h>

enum { LARGEST_FILE = 1 << 20, SUGGESTION_SIZE = 128, SHOWN = 64, SHOWN_PATH = 160 };

static const char prefix[] = "HEIRLOOM__";

/* Everything that lives while a configuration is being built. */
struct draft {
    struct hl_config *config;
    struct hl_config_keys keys;
};

static int shown(size_t len)
{
    return (int)(len < SHOWN ? len : SHOWN);
}

static bool equals(const char *text, size_t len, const char *name)
{
    return strlen(name) == len && memcmp(text, name, len) == 0;
}

static void *place_of(struct hl_config *config, const struct hl_setting_row *row)
{
    return (char *)config + row->offset;
}

static bool parse_number(const char *text, size_t len, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (size_t i = 0; i < len; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');

        if (text[i] < '0' || text[i] > '9' || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return len > 0;
}

/* Only what a file could say as well, whoever says it. */
static bool set_text(char *place, const char *value, size_t len)
{
    if (len == 0 || len >= HL_CONFIG_TEXT_SIZE || strchr(" \t\"'", value[0]) ||
        strchr(" \t", value[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
            return false;
    memcpy(place, value, len);
    place[len] = '\0';
    return true;
}

static bool set_choice(const struct hl_setting_row *row, const char **place,
                       const char *value, size_t len)
{
    for (size_t i = 0; i < HL_SETTING_MAX_CHOICES && row->choices[i]; i++) {
        if (!equals(value, len, row->choices[i]))
            continue;
        *place = row->choices[i];
        return true;
    }
    return false;
}

static bool set_value(const struct hl_setting_row *row, void *place, const char *value,
                      size_t len)
{
    uint64_t number;

    switch (row->type) {
    case HL_SETTING_NUMBER:
        if (!parse_number(value, len, &number) || number < row->min || number > row->max)
            return false;
        *(uint64_t *)place = number;
        return true;
    case HL_SETTING_BOOL:
        *(bool *)place = equals(value, len, "true");
        return *(bool *)place || equals(value, len, "false");
    case HL_SETTING_CHOICE:
        return set_choice(row, place, value, len);
    case HL_SETTING_TEXT:
    default:
        return set_text(place, value, len);
    }
}

static enum hl_code apply(struct hl_config *config, enum hl_setting setting,
                          const char *value, size_t len, const char *origin,
                          struct hl_err *err)
{
    const struct hl_setting_row *row = hl_setting_row(setting);
    char wanted[SUGGESTION_SIZE];

    if (!set_value(row, place_of(config, row), value, len)) {
        hl_setting_wanted(setting, wanted, sizeof wanted);
        return hl_fail(err, HL_INVALID, "%s: %s.%s is \"%.*s\", must be %s", origin,
                       row->section, row->key, shown(len), value, wanted);
    }
    snprintf(config->origins[setting].name, sizeof config->origins[setting].name, "%s",
             origin);
    return HL_OK;
}

static bool find_setting(const struct hl_config_input *input, enum hl_setting *ret_setting)
{
    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const struct hl_setting_row *row = hl_setting_row((enum hl_setting)i);

        if (!equals(input->section, input->section_len, row->section) ||
            !equals(input->key, input->key_len, row->key))
            continue;
        *ret_setting = (enum hl_setting)i;
        return true;
    }
    return false;
}

static bool is_section(const char *name, size_t len)
{
    for (unsigned i = 0; i < HL_N_SETTINGS; i++)
        if (equals(name, len, hl_setting_row((enum hl_setting)i)->section))
            return true;
    return false;
}

static enum hl_code refuse_section(const char *origin, const char *name, size_t len,
                                   struct hl_err *err)
{
    struct hl_suggest suggest;
    char words[SUGGESTION_SIZE];

    hl_suggest_init(&suggest, name, len);
    for (unsigned i = 0; i < HL_N_SETTINGS; i++)
        hl_suggest_offer(&suggest, hl_setting_row((enum hl_setting)i)->section);
    hl_suggest_offer(&suggest, "keys.ID");
    return hl_fail(err, HL_INVALID, "%s: there is no section \"%.*s\"%s", origin,
                   shown(len), name, hl_suggest_words(&suggest, words, sizeof words));
}

static enum hl_code refuse_key(const struct hl_config_input *input, struct hl_err *err)
{
    struct hl_suggest suggest;
    char words[SUGGESTION_SIZE];

    hl_suggest_init(&suggest, input->key, input->key_len);
    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const struct hl_setting_row *row = hl_setting_row((enum hl_setting)i);

        if (equals(input->section, input->section_len, row->section))
            hl_suggest_offer(&suggest, row->key);
    }
    return hl_fail(err, HL_INVALID,
                   "%s: there is no setting \"%.*s\" in section \"%.*s\"%s", input->origin,
                   shown(input->key_len), input->key, shown(input->section_len),
                   input->section, hl_suggest_words(&suggest, words, sizeof words));
}

/* The ID of "keys.ID", NULL for any other section. */
static const char *key_id(const char *section, size_t len, size_t *ret_id_len)
{
    static const char head[] = "keys.";
    const size_t head_len = sizeof head - 1;

    if (len <= head_len || memcmp(section, head, head_len) != 0)
        return NULL;
    *ret_id_len = len - head_len;
    return section + head_len;
}

static enum hl_code check_section(struct draft *draft, const char *name, size_t len,
                                  const char *origin, struct hl_err *err)
{
    size_t id_len;
    const char *id = key_id(name, len, &id_len);

    if (id)
        return hl_config_keys_begin(&draft->keys, id, id_len, origin, err);
    return is_section(name, len) ? HL_OK : refuse_section(origin, name, len, err);
}

static enum hl_code apply_input(struct draft *draft, const struct hl_config_input *input,
                                struct hl_err *err)
{
    enum hl_setting setting;
    size_t id_len;
    const char *id = key_id(input->section, input->section_len, &id_len);

    if (id)
        return hl_config_keys_set(&draft->keys, id, id_len, input, err);
    if (find_setting(input, &setting))
        return apply(draft->config, setting, input->value, input->value_len, input->origin,
                     err);
    if (!is_section(input->section, input->section_len))
        return refuse_section(input->origin, input->section, input->section_len, err);
    return refuse_key(input, err);
}

/* A source that says the same thing twice was edited in a hurry: the first may be the one
 * that was meant. */
static enum hl_code refuse_second(const struct hl_config *config,
                                  const struct hl_config_input *input, struct hl_err *err)
{
    enum hl_setting setting;

    if (!find_setting(input, &setting) ||
        !hl_config_is_same_source(config->origins[setting].name, input->origin))
        return HL_OK;
    return hl_fail(err, HL_INVALID, "%s: \"%.*s\" is set already, by %s", input->origin,
                   shown(input->key_len), input->key, config->origins[setting].name);
}

static enum hl_code apply_entry(struct draft *draft, const struct hl_ini_entry *entry,
                                const char *origin, struct hl_err *err)
{
    const struct hl_config_input input = {
        entry->section, entry->section_len, entry->key, entry->key_len,
        entry->value,   entry->value_len,   origin};
    enum hl_code code;

    if (entry->is_section)
        return check_section(draft, entry->section, entry->section_len, origin, err);
    code = refuse_second(draft->config, &input, err);
    return code == HL_OK ? apply_input(draft, &input, err) : code;
}

static enum hl_code apply_text(struct draft *draft, const char *name, const char *text,
                               size_t len, struct hl_err *err)
{
    struct hl_ini ini;
    struct hl_ini_entry entry;
    struct hl_origin origin;
    /* Of a long path its end, so that there is room for the line. */
    const char *tail = strlen(name) > SHOWN_PATH ? name + strlen(name) - SHOWN_PATH : name;
    bool is_end = false;
    enum hl_code code;

    hl_ini_init(&ini, text, len);
    for (;;) {
        code = hl_ini_next(&ini, &entry, &is_end, err);
        if (code != HL_OK)
            return hl_fail_in(err, "%s:%zu", name, ini.line);
        if (is_end)
            return HL_OK;
        snprintf(origin.name, sizeof origin.name, "%s:%zu", tail, entry.line);
        code = apply_entry(draft, &entry, origin.name, err);
        if (code != HL_OK)
            return code;
    }
}

static enum hl_code apply_file(struct draft *draft, const char *path, struct hl_err *err)
{
    struct hl_buf text;
    enum hl_code code;

    hl_buf_init(&text, LARGEST_FILE);
    code = hl_file_load(path, &text, err);
    if (code == HL_OK)
        code = apply_text(draft, path, text.data, text.len, err);
    explicit_bzero(text.data, text.len);
    hl_buf_done(&text);
    return code;
}

static void lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

/* Where the setting's name begins in "section__setting", NULL when there is none. A section
 * may hold "__" itself: HEIRLOOM__KEYS__ID__SECRET. */
static char *split_path(char *path)
{
    char *last = NULL;

    for (char *at = strstr(path, "__"); at; at = strstr(at + 1, "__"))
        last = at;
    if (!last || last == path || last[2] == '\0')
        return NULL;
    *last = '\0';
    return last + 2;
}

/* HEIRLOOM__SERVICE__HTTP_PORT is service.http_port, and HEIRLOOM__KEYS__ID__SECRET the
 * secret of keys.id. */
static enum hl_code apply_variable(struct draft *draft, const char *variable,
                                   struct hl_err *err)
{
    static const char keys[] = "keys__";
    size_t name_len = strcspn(variable, "=");
    const char *value = variable + name_len + (variable[name_len] == '=');
    char name[sizeof(struct hl_origin)];
    char path[sizeof name];
    char *section = path;
    char *key;
    struct hl_config_input input;
    enum hl_code code;

    if (name_len >= sizeof name)
        return hl_fail(err, HL_INVALID, "variable \"%.*s…\": there is no such setting",
                       SHOWN, variable);
    snprintf(name, sizeof name, "%.*s", (int)name_len, variable);
    snprintf(path, sizeof path, "%s", name + sizeof prefix - 1);
    lower(path);
    key = split_path(path);
    if (!key)
        return hl_fail(err, HL_INVALID,
                       "variable \"%s\": must be HEIRLOOM__SECTION__SETTING", name);
    if (strncmp(path, keys, sizeof keys - 1) == 0) {
        /* "keys__id" becomes "keys.id". */
        section = path + 1;
        memmove(section, path, sizeof keys - 3);
        section[sizeof keys - 3] = '.';
    }
    input = (struct hl_config_input){section, strlen(section), key, strlen(key),
                                     value,   strlen(value),   name};
    code = refuse_second(draft->config, &input, err);
    return code == HL_OK ? apply_input(draft, &input, err) : code;
}

static enum hl_code apply_environment(struct draft *draft, const char *const *environment,
                                      struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (; code == HL_OK && environment && *environment; environment++)
        if (strncmp(*environment, prefix, sizeof prefix - 1) == 0)
            code = apply_variable(draft, *environment, err);
    return code;
}

static enum hl_code apply_flags(struct draft *draft, const struct hl_config_flag *flags,
                                size_t n_flags, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < n_flags; i++)
        code = apply(draft->config, flags[i].setting, flags[i].value,
                     strlen(flags[i].value), flags[i].name, err);
    return code;
}

static enum hl_code begin_draft(struct draft *draft, struct hl_err *err)
{
    draft->config = hl_alloc_zeroed(1, sizeof *draft->config);
    hl_config_keys_init(&draft->keys);
    if (!draft->config)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the configuration");
    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const struct hl_setting_row *row = hl_setting_row((enum hl_setting)i);
        bool is_set = set_value(row, place_of(draft->config, row), row->standard,
                                strlen(row->standard));

        assert(is_set);
        (void)is_set;
    }
    return HL_OK;
}

static enum hl_code end_draft(struct draft *draft, enum hl_code code,
                              struct hl_config **ret_config, struct hl_err *err)
{
    if (code == HL_OK)
        code = hl_config_keys_finish(&draft->keys, draft->config, err);
    hl_config_keys_done(&draft->keys);
    if (code == HL_OK)
        *ret_config = draft->config;
    else
        hl_config_free(draft->config);
    return code;
}

enum hl_code hl_config_load(const struct hl_config_sources *sources,
                            struct hl_config **ret_config, struct hl_err *err)
{
    struct draft draft;
    enum hl_code code = begin_draft(&draft, err);

    if (code == HL_OK && sources->file)
        code = apply_file(&draft, sources->file, err);
    if (code == HL_OK)
        code = apply_environment(&draft, sources->environment, err);
    if (code == HL_OK)
        code = apply_flags(&draft, sources->flags, sources->n_flags, err);
    return end_draft(&draft, code, ret_config, err);
}

enum hl_code hl_config_read(const char *name, const char *text, size_t len,
                            struct hl_config **ret_config, struct hl_err *err)
{
    struct draft draft;
    enum hl_code code = begin_draft(&draft, err);

    if (code == HL_OK)
        code = apply_text(&draft, name, text, len, err);
    return end_draft(&draft, code, ret_config, err);
}

void hl_config_free(struct hl_config *config)
{
    if (!config)
        return;
    if (config->keys)
        explicit_bzero(config->keys, config->n_keys * sizeof *config->keys);
    hl_free(config->keys);
    hl_free(config);
}
