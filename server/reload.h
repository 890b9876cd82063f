/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_RELOAD_H
#define HL_SERVER_RELOAD_H

#include "proto/err.h"
#include "server/config.h"
#include "server/live.h"
#include "server/log.h"

/* Looking at the configuration again while serving: what SIGHUP does.
 *
 * Keys and the log's level and format take effect at once; a request that has begun keeps
 * the keys it began with. Any other setting that changed is named in the log as waiting for
 * a restart. When anything is wrong, everything stays as it was and the log says why. One
 * thread at a time. */
struct hl_reload {
    const struct hl_config_sources *sources;
    const struct hl_config *started; /* what the server was started with */
    struct hl_live *keys;            /* of struct hl_keys */
    struct hl_log *log;
};

/* Publishes the keys of `config` for the first time. */
enum hl_code hl_reload_first(const struct hl_reload *reload, struct hl_err *err);

/* The outcome is in the log as well; `err` is for tests. */
enum hl_code hl_reload(const struct hl_reload *reload, struct hl_err *err);

#endif
