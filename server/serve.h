/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SERVE_H
#define HL_SERVER_SERVE_H

#include "proto/err.h"
#include "server/config.h"
#include "server/log.h"

/* The life of a server: start, serve until told to stop, stop in order. */
struct hl_serve_options {
    const struct hl_config *config;
    const struct hl_config_sources *sources; /* where SIGHUP looks again */
    const char *notify_socket;               /* the value of NOTIFY_SOCKET, or NULL */
    struct hl_log *log;
};

/* Once per process, on its main thread, before any other thread runs: the signals that end
 * or reload a server are blocked for the threads started here, and waited for.
 *
 * HL_OK after SIGTERM or SIGINT when everything was closed; meanwhile a second signal ends
 * the process as if nobody listened to it. An error when the server could not start, and
 * then nothing was served. */
enum hl_code hl_serve(const struct hl_serve_options *options, struct hl_err *err);

#endif
