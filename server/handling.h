/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_HANDLING_H
#define HL_SERVER_HANDLING_H

#include "server/exchange.h"

/* How a request gets its answer once it is whole: at once, on a reader thread, or from
 * whoever it was parked with. For exchange.c; hl_exchange_submit is here too. */

/* Calls the handler, or what it left to be done (`then`). Afterwards the reply is there, or
 * request->then or request->park says how it goes on. */
void hl_handling_run(struct hl_exchange *exchange);

/* Lets go what the handler holds, once. */
void hl_handling_release(struct hl_exchange *exchange);

#endif
