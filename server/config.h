/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CONFIG_H
#define HL_SERVER_CONFIG_H

#include "proto/buf.h"
#include "proto/err.h"
#include "server/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the server was told: defaults < file < environment < flags.
 *
 * Plain data, built whole or not at all, read-only afterwards and then for any thread. A
 * name nobody knows is an error wherever it stands, because a misspelt limit is no limit.
 */

enum { HL_CONFIG_TEXT_SIZE = 1024, HL_KEY_ID_SIZE = 65 };
enum { HL_SECRET_MIN = 16, HL_SECRET_MAX = 256, HL_MAX_KEYS = 1024 };

enum hl_access { HL_ACCESS_READ_ONLY, HL_ACCESS_FULL };

/* One `[keys.ID]` section. */
struct hl_key_config {
    char id[HL_KEY_ID_SIZE];
    char secret[HL_SECRET_MAX + 1];
    enum hl_access access;
};

/* Who said it: the default when `name` is empty, else "heirloom.ini:12", a variable or a
 * flag. */
struct hl_origin {
    char name[192];
};

struct hl_config {
    struct {
        char host[HL_CONFIG_TEXT_SIZE];
        uint64_t http_port;
        uint64_t workers; /* 0: one for each processor */
        uint64_t readers; /* 0: one for each processor */
        uint64_t max_request_size_mb;
        uint64_t max_upload_gb;
        uint64_t max_header_size_kb;
        uint64_t max_connections;
        uint64_t idle_timeout_s;
        uint64_t receive_timeout_s;
        uint64_t request_timeout_s;
        uint64_t shutdown_grace_s;
        bool allow_remote_without_key;
    } service;
    struct {
        char path[HL_CONFIG_TEXT_SIZE];
        uint64_t writers; /* 0: one for each processor */
    } storage;
    struct {
        const char *kernels; /* a choice of the table, good for ever */
        uint64_t hnsw_ef;
        uint64_t hnsw_m;
        uint64_t ef_construct;
        uint64_t seal_rows;
        uint64_t hold_percent;
    } search;
    struct {
        uint64_t request_memory_mb;
        uint64_t max_unindexed_mb;
        uint64_t max_inflight_mb;
    } limits;
    struct {
        const char *level;  /* a choice of the table, good for ever */
        const char *format; /* likewise */
    } log;
    struct hl_key_config *keys; /* owned */
    size_t n_keys;
    struct hl_origin origins[HL_N_SETTINGS];
};

struct hl_config_flag {
    enum hl_setting setting;
    const char *name; /* as typed: "--port" */
    const char *value;
};

/* Where to look. Borrowed for the call; a server keeps one, to look again on SIGHUP. */
struct hl_config_sources {
    const char *file;               /* NULL: none */
    const char *const *environment; /* as environ; NULL: none. Only HEIRLOOM__* counts */
    const struct hl_config_flag *flags;
    size_t n_flags;
};

/* HL_INVALID with a sentence that names the file and line, variable or flag; HL_NOT_FOUND
 * or HL_IO when a file cannot be read. */
enum hl_code hl_config_load(const struct hl_config_sources *sources,
                            struct hl_config **ret_config, struct hl_err *err);
void hl_config_free(struct hl_config *config); /* secrets are wiped */

/* What is wrong although every setting by itself is right: HL_INVALID when it would listen
 * beyond loopback without a key, and nobody said that this is meant. */
enum hl_code hl_config_check(const struct hl_config *config, struct hl_err *err);

/* The whole configuration as a file that hl_config_load reads back: every setting with its
 * help, its default and who set it. Secrets are masked, which is what does not read back.
 */
void hl_config_print(const struct hl_config *config, struct hl_buf *buf);

/* What a file of this text says over the defaults; `name` is for errors. */
enum hl_code hl_config_read(const char *name, const char *text, size_t len,
                            struct hl_config **ret_config, struct hl_err *err);

/* The value of one setting as text, as the file spells it. */
void hl_config_value(const struct hl_config *config, enum hl_setting setting,
                     struct hl_buf *buf);

#endif
