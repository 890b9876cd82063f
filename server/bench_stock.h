/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BENCH_STOCK_H
#define HL_SERVER_BENCH_STOCK_H

#include "proto/id.h"
#include "server/bench.h"
#include "server/cli_remote.h"

/* What a load asks with: vectors, and ids of points that are there. Plain data, its
 * owner's; any thread. */
struct hl_bench_stock {
    float *values; /* n_rows of dim, all finite */
    size_t n_rows, dim;
    struct hl_id *ids;
    size_t n_ids;
    const char *origin; /* "gallery", "file" or "random" */
};

/* The vectors come from the file, else from points chosen by the seed among the first
 * million of the gallery, else, when none of them has one, by chance: of length 1. Ids are
 * fetched when the mix reads points. HL_NOT_FOUND, HL_INVALID, and what the server says. */
enum hl_code hl_bench_stock_load(const struct hl_bench *bench, struct hl_remote *remote,
                                 struct hl_bench_stock *ret_stock, struct hl_err *err);
void hl_bench_stock_done(struct hl_bench_stock *stock);

#endif
