/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BENCH_PRINT_H
#define HL_SERVER_BENCH_PRINT_H

#include "proto/buf.h"
#include "server/bench_tally.h"

/* What a load has shown, for people and for programs. Prints into a buffer, which remembers
 * what it could not take. One thread. */
struct hl_bench_show {
    const struct hl_bench *bench;
    const struct hl_bench_tally *tally;
    const struct hl_bench_count *sum; /* of all kinds */
    const char *origin;               /* of the queries */
    size_t n_queries, dim;
};

/* From here on it is the load itself that sets the pace, and with this share of the latency
 * at p99 it is in what it measured of an open loop. */
#define HL_BENCH_TOO_BUSY 0.9
#define HL_BENCH_TOO_LATE 0.2

void hl_bench_print_text(const struct hl_bench_show *show, struct hl_buf *buf);

/* Names are kept from one release to the next; times are microseconds. */
void hl_bench_print_json(const struct hl_bench_show *show, struct hl_buf *buf);

#endif
