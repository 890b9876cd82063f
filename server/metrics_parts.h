/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_METRICS_PARTS_H
#define HL_SERVER_METRICS_PARTS_H

#include "server/metrics.h"

#include <stdalign.h>
#include <stdatomic.h>

/* What metrics.c counts and metrics_print.c prints; nobody else includes it. */

enum {
    HL_METRICS_N_BOUNDS = 16,
    HL_METRICS_N_MAP_BOUNDS = 8,
    HL_METRICS_N_STATUSES = 24,
    HL_METRICS_N_SHARDS = 16
};

extern const int64_t hl_metrics_bounds_us[HL_METRICS_N_BOUNDS];
extern const int64_t hl_metrics_map_bounds_us[HL_METRICS_N_MAP_BOUNDS];
extern const int hl_metrics_statuses[HL_METRICS_N_STATUSES];

typedef _Atomic(int64_t) hl_counter;

/* Requests of one route that ended with one status. Their number is the sum of the buckets,
 * so that a histogram cannot disagree with itself. */
struct hl_metrics_cell {
    hl_counter buckets[HL_METRICS_N_BOUNDS + 1];
    hl_counter sum_us;
};

/* Pages of cells nobody counts in are never touched, and so cost nothing. */
struct hl_metrics_shard {
    alignas(64) hl_counter counts[HL_N_METRICS];
    hl_counter map_buckets[HL_METRICS_N_MAP_BOUNDS + 1];
    hl_counter map_sum_us;
    struct hl_metrics_cell *cells; /* [n_routes + 1][HL_METRICS_N_STATUSES] */
};

struct hl_metrics {
    const struct hl_metrics_route *routes;
    size_t n_routes;
    struct hl_metrics_build build;
    double started; /* seconds since 1970 */
    struct hl_metrics_shard shards[HL_METRICS_N_SHARDS];
};

#endif
