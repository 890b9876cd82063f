/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SETTINGS_H
#define HL_SERVER_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

/* The one table of settings. The file, the environment, the flags, the help texts and the
 * example in deploy/ all come from it, so that a setting is added in one place. */

enum hl_setting {
    HL_SETTING_HOST,
    HL_SETTING_HTTP_PORT,
    HL_SETTING_WORKERS,
    HL_SETTING_READERS,
    HL_SETTING_MAX_REQUEST_SIZE_MB,
    HL_SETTING_MAX_UPLOAD_GB,
    HL_SETTING_MAX_HEADER_SIZE_KB,
    HL_SETTING_MAX_CONNECTIONS,
    HL_SETTING_IDLE_TIMEOUT_S,
    HL_SETTING_RECEIVE_TIMEOUT_S,
    HL_SETTING_REQUEST_TIMEOUT_S,
    HL_SETTING_SHUTDOWN_GRACE_S,
    HL_SETTING_ALLOW_REMOTE_WITHOUT_KEY,
    HL_SETTING_STORAGE_PATH,
    HL_SETTING_WRITERS,
    HL_SETTING_KERNELS,
    HL_SETTING_HNSW_EF,
    HL_SETTING_HNSW_M,
    HL_SETTING_EF_CONSTRUCT,
    HL_SETTING_SEAL_ROWS,
    HL_SETTING_HOLD_PERCENT,
    HL_SETTING_REQUEST_MEMORY_MB,
    HL_SETTING_MAX_UNINDEXED_MB,
    HL_SETTING_MAX_INFLIGHT_MB,
    HL_SETTING_LOG_LEVEL,
    HL_SETTING_LOG_FORMAT,
    HL_N_SETTINGS
};

enum hl_setting_type {
    HL_SETTING_TEXT,   /* char[HL_CONFIG_TEXT_SIZE], never empty */
    HL_SETTING_NUMBER, /* uint64_t */
    HL_SETTING_BOOL,   /* bool */
    HL_SETTING_CHOICE  /* const char *, one of `choices` */
};

enum { HL_SETTING_MAX_CHOICES = 6 };

struct hl_setting_row {
    const char *section;
    const char *key;
    enum hl_setting_type type;
    const char *standard; /* the default, as the file spells it */
    uint64_t min;         /* of a number */
    uint64_t max;
    const char *choices[HL_SETTING_MAX_CHOICES]; /* up to the first NULL */
    size_t offset;                               /* in struct hl_config */
    const char *flag;                            /* of `heirloom serve`, or NULL */
    const char *help;                            /* sentences; lines are broken by '\n' */
};

/* Any thread; good for ever. */
const struct hl_setting_row *hl_setting_row(enum hl_setting setting);

/* What may be there, in words: "a whole number from 0 to 65535". */
void hl_setting_wanted(enum hl_setting setting, char *ret_words, size_t size);

#endif
