/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_EARLY_H
#define HL_SERVER_EARLY_H

#include "server/exchange.h"

/* Replies that go straight to the socket, past the library that carries the connection,
 * since it cannot answer before a request is complete. Only while nothing else writes to
 * that socket. Nothing here waits; what the socket does not take is lost. For exchange.c.
 */

/* To a connection that is about to be closed; `id` is the request's. Counted without a
 * route. */
void hl_early_say(struct hl_exchange *exchange, const char *id, const struct hl_err *err);

/* Answers exchange->err to a client that may be sending its body already. The body is then
 * read and thrown away, for as long as a request may take to arrive: a socket that is
 * closed over bytes which nobody has read resets the connection, and many clients fail in
 * sending and never look at what was answered. False when the watch was faster. */
bool hl_early_turn_away(struct hl_exchange *exchange);

#endif
