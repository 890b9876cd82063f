/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BENCH_LOAD_H
#define HL_SERVER_BENCH_LOAD_H

#include "server/address.h"
#include "server/bench_pool.h"
#include "server/bench_tally.h"

/* The load itself: one thread that never waits for one connection while another could go
 * on.
 *
 * Closed, without a rate: each connection sends its next request when the last one is
 * answered, so a server that stalls is asked less. Open, with a rate: requests are meant to
 * begin at times that were set before, whatever the server does. One that finds no
 * connection free waits for one, in the order they were meant, and its latency counts from
 * when it was meant to begin: a stall is felt by all who would have called in it.
 *
 * What was meant to begin in the measured time is waited for behind its end, for as long as
 * the patience is. HL_UNAVAILABLE when there is nobody at the address. */
enum hl_code hl_bench_load(const struct hl_bench *bench, const struct hl_address *address,
                           struct hl_bench_pool *pool, struct hl_bench_tally *tally,
                           struct hl_err *err);

#endif
