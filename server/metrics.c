/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"

#include "proto/alloc.h"
#include "server/metrics_parts.h"

#include <sched.h>
#include <string.h>
#include <time.h>

/* Buckets of the histogram, in microseconds; what is slower falls into the last one. */
const int64_t hl_metrics_bounds_us[HL_METRICS_N_BOUNDS] = {
    100,   250,    500,    1000,   2500,    5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

/* Likewise of what a bridge takes for one query. */
const int64_t hl_metrics_map_bounds_us[HL_METRICS_N_MAP_BOUNDS] = {
    10, 25, 50, 100, 250, 500, 1000, 5000,
};

/* Every status we answer with; anything else is counted as 0, "other". */
const int hl_metrics_statuses[HL_METRICS_N_STATUSES] = {
    0,   200, 202, 204, 206, 304, 400, 401, 403, 404, 405, 408,
    409, 411, 413, 415, 422, 429, 431, 499, 500, 501, 503, 507,
};

static size_t place_of(int status)
{
    for (size_t i = 1; i < HL_METRICS_N_STATUSES; i++)
        if (hl_metrics_statuses[i] == status)
            return i;
    return 0;
}

static size_t bucket_of(int64_t took_us)
{
    size_t bucket = 0;

    while (bucket < HL_METRICS_N_BOUNDS && took_us > hl_metrics_bounds_us[bucket])
        bucket++;
    return bucket;
}

enum hl_code hl_metrics_new(const struct hl_metrics_route *routes, size_t n_routes,
                            const struct hl_metrics_build *build,
                            struct hl_metrics **ret_metrics, struct hl_err *err)
{
    struct hl_metrics *metrics = hl_alloc_zeroed(1, sizeof *metrics);
    struct timespec now = {0};

    if (!metrics)
        return hl_fail(err, HL_NO_MEMORY, "no memory for metrics");
    metrics->routes = routes;
    metrics->n_routes = n_routes;
    metrics->build = *build;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    metrics->started = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    for (size_t i = 0; i < HL_METRICS_N_SHARDS; i++) {
        struct hl_metrics_shard *shard = &metrics->shards[i];
        size_t n_cells;

        if (hl_size_mul(n_routes + 1, HL_METRICS_N_STATUSES, &n_cells))
            shard->cells = hl_alloc_zeroed(n_cells, sizeof *shard->cells);
        if (!shard->cells) {
            hl_metrics_free(metrics);
            return hl_fail(err, HL_NO_MEMORY, "no memory for metrics of %zu routes",
                           n_routes);
        }
    }
    *ret_metrics = metrics;
    return HL_OK;
}

void hl_metrics_free(struct hl_metrics *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < HL_METRICS_N_SHARDS; i++)
        hl_free(metrics->shards[i].cells);
    hl_free(metrics);
}

/* The processor we run on is a better shard than the thread: two threads cannot count at
 * the same place at the same time unless one of them is moved in between, and then the
 * atomics still hold. */
static struct hl_metrics_shard *shard_of(struct hl_metrics *metrics)
{
    int cpu = sched_getcpu();

    return &metrics->shards[(cpu < 0 ? 0U : (unsigned)cpu) % HL_METRICS_N_SHARDS];
}

/* Relaxed is enough for all counters: nobody concludes from one of them that something else
 * has happened. */
static void count(hl_counter *counter, int64_t delta)
{
    atomic_fetch_add_explicit(counter, delta, memory_order_relaxed);
}

void hl_metrics_add(struct hl_metrics *metrics, enum hl_counter metric, int64_t delta)
{
    count(&shard_of(metrics)->counts[metric], delta);
}

static void count_rejected(struct hl_metrics_shard *shard, int status)
{
    static const struct {
        int status;
        enum hl_counter metric;
    } reasons[] = {
        {401, HL_METRIC_REJECTED_UNAUTHORIZED}, {403, HL_METRIC_REJECTED_FORBIDDEN},
        {408, HL_METRIC_REJECTED_TIMEOUT},      {413, HL_METRIC_REJECTED_TOO_LARGE},
        {429, HL_METRIC_REJECTED_TOO_MANY},     {431, HL_METRIC_REJECTED_HEADERS},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            count(&shard->counts[reasons[i].metric], 1);
}

void hl_metrics_answered(struct hl_metrics *metrics, size_t route, int status,
                         int64_t took_us)
{
    struct hl_metrics_shard *shard = shard_of(metrics);
    size_t row = route < metrics->n_routes ? route : metrics->n_routes;
    struct hl_metrics_cell *cell =
        &shard->cells[row * HL_METRICS_N_STATUSES + place_of(status)];

    count(&cell->buckets[bucket_of(took_us)], 1);
    count(&cell->sum_us, took_us > 0 ? took_us : 0);
    if (status >= 400)
        count_rejected(shard, status);
}

void hl_metrics_mapped(struct hl_metrics *metrics, int64_t took_us)
{
    struct hl_metrics_shard *shard = shard_of(metrics);
    size_t bucket = 0;

    while (bucket < HL_METRICS_N_MAP_BOUNDS && took_us > hl_metrics_map_bounds_us[bucket])
        bucket++;
    count(&shard->map_buckets[bucket], 1);
    count(&shard->map_sum_us, took_us);
}

bool hl_metrics_answers(const struct hl_metrics *metrics, size_t route, size_t n,
                        struct hl_metrics_answers *ret_answers)
{
    struct hl_metrics_answers answers = {0};

    if (n >= HL_METRICS_N_STATUSES)
        return false;
    answers.status = hl_metrics_statuses[n];
    for (size_t i = 0; i < HL_METRICS_N_SHARDS; i++) {
        const struct hl_metrics_cell *cell =
            &metrics->shards[i].cells[route * HL_METRICS_N_STATUSES + n];

        for (size_t j = 0; j <= HL_METRICS_N_BOUNDS; j++)
            answers.count +=
                (uint64_t)atomic_load_explicit(&cell->buckets[j], memory_order_relaxed);
        answers.total_us +=
            (uint64_t)atomic_load_explicit(&cell->sum_us, memory_order_relaxed);
    }
    *ret_answers = answers;
    return true;
}
