/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_HTTP_H
#define HL_SERVER_HTTP_H

#include "proto/err.h"

#include <stddef.h>
#include <stdint.h>

/* The carrier of exchanges: libmicrohttpd with a pool of epoll threads.
 *
 * It turns bytes into calls of exchange.h and replies into bytes, and knows nothing else.
 * Opened and closed by serve.c, from one thread. */
struct hl_http;
struct hl_server;

/* Listens on the configured host and port, port 0 being any free one, and begins to serve
 * before it returns: everything in `server` must be ready. */
enum hl_code hl_http_open(struct hl_server *server, struct hl_http **ret_http,
                          struct hl_err *err);
uint16_t hl_http_port(const struct hl_http *http); /* the one that is listened on */

/* Accepts no more connections; those that are open are served on. */
void hl_http_stop_accepting(struct hl_http *http);

/* Ends every connection and the threads. No exchange may be with the reader pool. */
void hl_http_close(struct hl_http *http);

/* Of the libmicrohttpd that is linked, such as "0.9.75". Any thread; good for ever. */
const char *hl_http_library_version(void);

#endif
