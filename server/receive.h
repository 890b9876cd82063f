/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_RECEIVE_H
#define HL_SERVER_RECEIVE_H

#include "server/exchange.h"

/* The body of an exchange while it comes: how long it may be, what room it has among all
 * bodies, where its bytes go. For exchange.c, on the connection's thread;
 * hl_exchange_body is here too. */

/* A body that will be refused is still read, so that the connection can be kept, up to so
 * many bytes; of a longer one the answer comes first, and the connection ends behind it.
 * Bodies that are not longer than a small one have no room among all bodies: a search is
 * not to be turned away because of uploads, and a thousand of them are two of the others.
 */
enum { HL_SMALL_BODY = 64 << 10, HL_WASTE_KEPT = 64 << 10 };

/* The first error counts. */
static inline void hl_receive_remember(struct hl_exchange *exchange, enum hl_code code)
{
    if (code != HL_OK)
        exchange->has_err = true;
}

bool hl_receive_is_upload(const struct hl_exchange *exchange);

/* A body of `len` bytes was announced; SIZE_MAX when only its end will tell. HL_TOO_LARGE,
 * or HL_TOO_MANY when the bodies that are there leave no room for it. */
enum hl_code hl_receive_announced(struct hl_exchange *exchange, size_t len);

/* The body is whole. */
enum hl_code hl_receive_finish(struct hl_exchange *exchange);

/* Gives its room back. Again: nothing to do. */
void hl_receive_release(struct hl_exchange *exchange);

#endif
