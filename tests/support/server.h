/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_SERVER_H
#define HL_TESTS_SUPPORT_SERVER_H

#include "tests/support/process.h"

/* The real server, started for a test: port 0 on 127.0.0.1, a data directory of its own,
 * nothing but the settings that the test names. One thread. */

struct hl_server_setup {
    const char *program;      /* path of the executable */
    const char *config;       /* text of its configuration file, or NULL */
    const char *const *flags; /* more flags of `serve`, NULL at the end, or NULL */
    const char *const *env;   /* NAME=VALUE, NULL at the end, or NULL */
    const char *data;         /* a data directory, or NULL: a fresh one */
};

struct hl_server {
    struct hl_process process;
    unsigned port;
};

/* Returns once the server has logged its port. False: it died or took too long; what it
 * said has been printed as TAP comments. `server` must be done either way. */
bool hl_server_start(struct hl_server *server, const struct hl_server_setup *setup);

/* The same process directory, data and configuration, after the process has ended. */
bool hl_server_restart(struct hl_server *server, const struct hl_server_setup *setup);

/* SIGTERM, then waits. Whether it ended by itself and with status 0; prints its log if not.
 */
bool hl_server_stop(struct hl_server *server);

void hl_server_done(struct hl_server *server);

/* Its log as TAP comments on stdout. */
void hl_server_show(const struct hl_server *server);

#endif
