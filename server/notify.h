/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_NOTIFY_H
#define HL_SERVER_NOTIFY_H

#include "proto/err.h"

#include <stdint.h>

/* Telling systemd how we are: the protocol of sd_notify(3), a datagram to the socket that
 * NOTIFY_SOCKET names. Without that variable nothing is sent and all is well. Any thread.
 */

/* `socket_name` is the value of NOTIFY_SOCKET, or NULL: an absolute path, or "@" and a name
 * of the abstract kind. HL_IO when the message could not be delivered. */
enum hl_code hl_notify(const char *socket_name, const char *message, struct hl_err *err);

enum hl_code hl_notify_ready(const char *socket_name, struct hl_err *err);
enum hl_code hl_notify_stopping(const char *socket_name, struct hl_err *err);

/* To be followed by hl_notify_ready when the reload is over. `monotonic_us` is now, by
 * CLOCK_MONOTONIC. */
enum hl_code hl_notify_reloading(const char *socket_name, int64_t monotonic_us,
                                 struct hl_err *err);

#endif
