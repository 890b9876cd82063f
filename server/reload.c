/* SPDX-License-Identifier: Apache-2.0 */
#include "server/reload.h"

#include "server/keys.h"

#include <string.h>

enum { LARGEST_VALUE = 2 * HL_CONFIG_TEXT_SIZE };

static void apply_log(const struct hl_reload *reload, const struct hl_config *config)
{
    hl_log_set(reload->log, hl_log_level_of(config->log.level),
               hl_log_format_of(config->log.format));
}

static enum hl_code publish_keys(const struct hl_reload *reload,
                                 const struct hl_config *config, uint64_t *ret_number,
                                 struct hl_err *err)
{
    struct hl_keys *keys;
    enum hl_code code = hl_keys_new(config->keys, config->n_keys, &keys, err);

    if (code == HL_OK)
        *ret_number = hl_live_swap(reload->keys, hl_keys_view(keys));
    return code;
}

enum hl_code hl_reload_first(const struct hl_reload *reload, struct hl_err *err)
{
    uint64_t number;

    return publish_keys(reload, reload->started, &number, err);
}

static bool is_same(const struct hl_config *a, const struct hl_config *b,
                    enum hl_setting setting)
{
    struct hl_buf texts[2];
    bool is_equal;

    for (size_t i = 0; i < 2; i++) {
        hl_buf_init(&texts[i], LARGEST_VALUE);
        hl_config_value(i ? b : a, setting, &texts[i]);
    }
    is_equal = strcmp(texts[0].data, texts[1].data) == 0;
    hl_buf_done(&texts[0]);
    hl_buf_done(&texts[1]);
    return is_equal;
}

static void name_what_waits(const struct hl_reload *reload, const struct hl_config *config)
{
    for (unsigned i = 0; i < HL_N_SETTINGS; i++) {
        const struct hl_setting_row *row = hl_setting_row((enum hl_setting)i);

        if (i == HL_SETTING_LOG_LEVEL || i == HL_SETTING_LOG_FORMAT ||
            is_same(reload->started, config, (enum hl_setting)i))
            continue;
        hl_log(reload->log, HL_LOG_WARN, hl_log_event("setting_needs_restart"),
               hl_log_word("section", row->section), hl_log_word("key", row->key),
               hl_log_text("set_by", config->origins[i].name));
    }
}

/* Without keys everything is open, so losing the last one is more likely a slip than a
 * wish. */
static enum hl_code check_keys(const struct hl_reload *reload,
                               const struct hl_config *config, struct hl_err *err)
{
    struct hl_view *view = hl_live_acquire(reload->keys);
    size_t n_keys = view ? hl_keys_count(hl_keys_of(view)) : 0;

    hl_view_unref(view);
    if (n_keys > 0 && config->n_keys == 0)
        return hl_fail(err, HL_INVALID,
                       "cannot take the last key away while serving: everything would be "
                       "open; restart if that is meant");
    return HL_OK;
}

enum hl_code hl_reload(const struct hl_reload *reload, struct hl_err *err)
{
    struct hl_config *config = NULL;
    uint64_t number = 0;
    enum hl_code code = hl_config_load(reload->sources, &config, err);

    if (code == HL_OK)
        code = check_keys(reload, config, err);
    if (code == HL_OK)
        code = publish_keys(reload, config, &number, err);
    if (code == HL_OK) {
        apply_log(reload, config);
        name_what_waits(reload, config);
        hl_log(reload->log, HL_LOG_INFO, hl_log_event("reloaded"),
               hl_log_u64("keys_view", number), hl_log_u64("keys", config->n_keys));
    } else {
        hl_log(reload->log, HL_LOG_ERROR, hl_log_event("reload_failed"), hl_log_error(err));
    }
    hl_config_free(config);
    return code;
}
