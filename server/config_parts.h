/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CONFIG_PARTS_H
#define HL_SERVER_CONFIG_PARTS_H

#include "server/config.h"

/* What config.c, config_keys.c and config_print.c share; nobody else includes it. */

/* A stretch of text that came from outside and a name to call its source by. */
struct hl_config_input {
    const char *section;
    size_t section_len;
    const char *key;
    size_t key_len;
    const char *value;
    size_t value_len;
    const char *origin; /* "heirloom.ini:12" */
};

/* Whether both origins are lines of one file, or both variables: the later one then says
 * the same thing twice. */
bool hl_config_is_same_source(const char *a, const char *b);

/* Keys while they are read: a later source may finish what an earlier one began. */
struct hl_config_keys {
    struct hl_key_draft *drafts; /* in the order they were first named */
    size_t n_drafts;
};

void hl_config_keys_init(struct hl_config_keys *keys);
void hl_config_keys_done(struct hl_config_keys *keys); /* secrets are wiped */

/* The section `keys.ID` is there, even if nothing stands in it. */
enum hl_code hl_config_keys_begin(struct hl_config_keys *keys, const char *id,
                                  size_t id_len, const char *origin, struct hl_err *err);
/* One setting of the key `id`. No source may say the same thing twice. */
enum hl_code hl_config_keys_set(struct hl_config_keys *keys, const char *id, size_t id_len,
                                const struct hl_config_input *input, struct hl_err *err);

/* Reads the secret files, checks all, and hands the keys to `config`. */
enum hl_code hl_config_keys_finish(struct hl_config_keys *keys, struct hl_config *config,
                                   struct hl_err *err);

#endif
