/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_LISTEN_H
#define HL_SERVER_LISTEN_H

#include "proto/err.h"

#include <stdint.h>
#include <sys/socket.h>

/* The listening socket, and a thread that accepts.
 *
 * The HTTP library could accept by itself, but its threads share connections unevenly, and
 * it cannot be told to stop while requests come in without a race that aborts the process
 * (0.9.75, MHD_quiesce_daemon). Opened, stopped and closed by one thread. */
struct hl_listener;

/* Gets a connected, non-blocking socket, and owns it. Called on the accepting thread. */
struct hl_accepted {
    void (*give)(void *to, int fd, const struct sockaddr *address, socklen_t size);
    void *to;
};

/* Binds and listens; port 0 is any free one. Connections queue until hl_listener_start. */
enum hl_code hl_listener_open(const char *host, uint16_t port,
                              struct hl_listener **ret_listener, struct hl_err *err);
uint16_t hl_listener_port(const struct hl_listener *listener);

enum hl_code hl_listener_start(struct hl_listener *listener,
                               const struct hl_accepted *accepted, struct hl_err *err);

/* Gives what has connected until now, and closes the socket: later ones are refused. */
void hl_listener_stop(struct hl_listener *listener);
void hl_listener_close(struct hl_listener *listener); /* stops first; NULL is accepted */

#endif
