/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BENCH_POOL_H
#define HL_SERVER_BENCH_POOL_H

#include "proto/buf.h"
#include "server/address.h"
#include "server/bench.h"
#include "server/bench_stock.h"

/* The requests of a load, made of pieces that were printed before it began: what is left to
 * do for one is copying. One thread. */
struct hl_bench_pool;

/* All three are borrowed until it is freed. */
enum hl_code hl_bench_pool_new(const struct hl_bench *bench,
                               const struct hl_address *address,
                               const struct hl_bench_stock *stock,
                               struct hl_bench_pool **ret_pool, struct hl_err *err);
void hl_bench_pool_free(struct hl_bench_pool *pool); /* NULL is accepted */

/* The next request: its kind by the weights of the mix. `buf` is emptied before. Searches
 * and reads draw on the stock; upserts take one id after the other and begin again behind
 * the last, and what is deleted is one of them by chance. A point that is written has the
 * first half of one vector of the stock and the second half of another, so that a gallery
 * does not fill with copies. */
enum hl_bench_kind hl_bench_pool_next(struct hl_bench_pool *pool, struct hl_buf *buf);

/* Only its kind: of one that there was no time for. */
enum hl_bench_kind hl_bench_pool_kind(struct hl_bench_pool *pool);

#endif
