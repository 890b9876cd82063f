/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_DAEMON_H
#define HL_TESTS_SUPPORT_DAEMON_H

#include "tests/support/process.h"

/* The real server, started for a test: port 0 on 127.0.0.1, a data directory of its own,
 * nothing but the settings that the test names. One thread. */

struct hl_daemon_setup {
    const char *program;      /* path of the executable */
    const char *config;       /* text of its configuration file, or NULL */
    const char *const *flags; /* more flags of `serve`, NULL at the end, or NULL */
    const char *const *env;   /* NAME=VALUE, NULL at the end, or NULL */
    const char *data;         /* a data directory, or NULL: a fresh one */
};

struct hl_daemon {
    struct hl_process process;
    unsigned port;
};

/* Returns once the server has logged its port. False: it died or took too long; what it
 * said has been printed as TAP comments. `daemon` must be done either way. */
bool hl_daemon_start(struct hl_daemon *daemon, const struct hl_daemon_setup *setup);

/* The same process directory, data and configuration, after the process has ended. */
bool hl_daemon_restart(struct hl_daemon *daemon, const struct hl_daemon_setup *setup);

/* SIGTERM, then waits. Whether it ended by itself and with status 0; prints its log if not.
 */
bool hl_daemon_stop(struct hl_daemon *daemon);

void hl_daemon_done(struct hl_daemon *daemon);

/* Whether no sanitizer spoke in its log; an exit status alone does not tell a finding from
 * a refusal. hl_daemon_stop looks as well. */
bool hl_daemon_is_sane(const struct hl_daemon *daemon);

/* Its log as TAP comments on stdout. */
void hl_daemon_show(const struct hl_daemon *daemon);

#endif
