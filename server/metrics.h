/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_METRICS_H
#define HL_SERVER_METRICS_H

#include "proto/buf.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is counted, and the page Prometheus reads.
 *
 * Counting takes no lock and shares no cache line between processors. A scrape adds the
 * shards up while others count, so two series may be a request apart, but one histogram
 * always agrees with itself. Any thread. */
struct hl_metrics;

/* Routes are known by their place in the table; their labels are copied. */
struct hl_metrics_route {
    const char *method;   /* "GET" */
    const char *endpoint; /* the template: "/collections/{name}" */
};

struct hl_metrics_build {
    const char *version; /* heirloom's */
    const char *commit;
    const char *rest_version; /* the version of Qdrant's interface that is spoken */
    const char *kernels;
};

/* `routes` and `build` are borrowed for as long as the metrics live. */
enum hl_code hl_metrics_new(const struct hl_metrics_route *routes, size_t n_routes,
                            const struct hl_metrics_build *build,
                            struct hl_metrics **ret_metrics, struct hl_err *err);
void hl_metrics_free(struct hl_metrics *metrics);

/* Gauges and counters: name, type, label or NULL, value of the label, help. Rows that share
 * a name stand together. */
#define HL_METRIC_TABLE(X)                                                                 \
    X(HL_METRIC_IN_FLIGHT, "heirloom_http_requests_in_flight", "gauge", NULL, NULL,        \
      "Requests that have begun and are not answered yet.")                                \
    X(HL_METRIC_BODY_BYTES, "heirloom_http_inflight_body_bytes", "gauge", NULL, NULL,      \
      "Room that request bodies of more than 64 KB have at the moment.")                   \
    X(HL_METRIC_BODIES_TURNED_AWAY, "heirloom_http_bodies_turned_away_total", "counter",   \
      NULL, NULL, "Requests answered with 429 because others' bodies left no room.")       \
    X(HL_METRIC_CONNECTIONS, "heirloom_http_connections", "gauge", NULL, NULL,             \
      "Open connections.")                                                                 \
    X(HL_METRIC_ACCEPTED, "heirloom_http_connections_accepted_total", "counter", NULL,     \
      NULL, "Connections accepted since the start.")                                       \
    X(HL_METRIC_POOL_QUEUED, "heirloom_readers_queued", "gauge", NULL, NULL,               \
      "Long requests that wait for a reader.")                                             \
    X(HL_METRIC_POOL_RUNNING, "heirloom_readers_running", "gauge", NULL, NULL,             \
      "Long requests that a reader works on.")                                             \
    X(HL_METRIC_POOL_REFUSED, "heirloom_readers_refused_total", "counter", NULL, NULL,     \
      "Long requests refused because too many waited.")                                    \
    X(HL_METRIC_POOL_EXPIRED, "heirloom_readers_expired_total", "counter", NULL, NULL,     \
      "Long requests whose time ran out before a reader took them.")                       \
    X(HL_METRIC_JOBS_QUEUED, "heirloom_jobs_queued", "gauge", NULL, NULL,                  \
      "Jobs that wait for the one that runs.")                                             \
    X(HL_METRIC_JOBS_RUNNING, "heirloom_jobs_running", "gauge", NULL, NULL,                \
      "Jobs that run: one at most.")                                                       \
    X(HL_METRIC_JOBS_DONE, "heirloom_jobs_total", "counter", "state", "done",              \
      "Jobs that are over, by how they ended.")                                            \
    X(HL_METRIC_JOBS_FAILED, "heirloom_jobs_total", "counter", "state", "failed", NULL)    \
    X(HL_METRIC_JOBS_CANCELLED, "heirloom_jobs_total", "counter", "state", "cancelled",    \
      NULL)                                                                                \
    X(HL_METRIC_VECTORS_LOST, "heirloom_vectors_lost_total", "counter", NULL, NULL,        \
      "Vectors that went because an upsert did not bring them again, though a bridge "     \
      "of their model was active.")                                                        \
    X(HL_METRIC_CANARY_SAME, "heirloom_canary_comparisons_total", "counter", "result",     \
      "same", "Comparisons of a model's reference photographs, by what they found.")       \
    X(HL_METRIC_CANARY_DRIFTED, "heirloom_canary_comparisons_total", "counter", "result",  \
      "drifted", NULL)                                                                     \
    X(HL_METRIC_COMPARED, "heirloom_rollout_comparisons_total", "counter", "outcome",      \
      "compared",                                                                          \
      "Searches of which both answers were to be compared, by what came of it.")           \
    X(HL_METRIC_COMPARISONS_FAILED, "heirloom_rollout_comparisons_total", "counter",       \
      "outcome", "failed", NULL)                                                           \
    X(HL_METRIC_COMPARISONS_DROPPED, "heirloom_rollout_comparisons_total", "counter",      \
      "outcome", "dropped", NULL)                                                          \
    X(HL_METRIC_COMPARISONS_STALE, "heirloom_rollout_comparisons_total", "counter",        \
      "outcome", "stale", NULL)                                                            \
    X(HL_METRIC_FLIPS_NEGATIVE, "heirloom_rollout_judged_total", "counter", "flip",        \
      "negative", "Compared searches that feedback judged, by who was right.")             \
    X(HL_METRIC_FLIPS_POSITIVE, "heirloom_rollout_judged_total", "counter", "flip",        \
      "positive", NULL)                                                                    \
    X(HL_METRIC_FLIPS_NONE, "heirloom_rollout_judged_total", "counter", "flip", "none",    \
      NULL)                                                                                \
    X(HL_METRIC_GUARD_FLIPS, "heirloom_rollout_guard_rollbacks_total", "counter", "guard", \
      "flips", "Rollouts that were taken back by themselves, by why.")                     \
    X(HL_METRIC_GUARD_DISAGREEMENT, "heirloom_rollout_guard_rollbacks_total", "counter",   \
      "guard", "disagreement", NULL)                                                       \
    X(HL_METRIC_GUARD_SLOWER, "heirloom_rollout_guard_rollbacks_total", "counter",         \
      "guard", "slower", NULL)                                                             \
    X(HL_METRIC_GUARD_ERRORS, "heirloom_rollout_guard_rollbacks_total", "counter",         \
      "guard", "errors", NULL)                                                             \
    X(HL_METRIC_GUARD_DRIFT, "heirloom_rollout_guard_rollbacks_total", "counter", "guard", \
      "drift", NULL)                                                                       \
    X(HL_METRIC_REJECTED_UNAUTHORIZED, "heirloom_http_rejected_total", "counter",          \
      "reason", "unauthorized", "Requests turned away before any work, by reason.")        \
    X(HL_METRIC_REJECTED_FORBIDDEN, "heirloom_http_rejected_total", "counter", "reason",   \
      "forbidden", NULL)                                                                   \
    X(HL_METRIC_REJECTED_TIMEOUT, "heirloom_http_rejected_total", "counter", "reason",     \
      "timeout", NULL)                                                                     \
    X(HL_METRIC_REJECTED_TOO_LARGE, "heirloom_http_rejected_total", "counter", "reason",   \
      "too_large", NULL)                                                                   \
    X(HL_METRIC_REJECTED_TOO_MANY, "heirloom_http_rejected_total", "counter", "reason",    \
      "too_many", NULL)                                                                    \
    X(HL_METRIC_REJECTED_HEADERS, "heirloom_http_rejected_total", "counter", "reason",     \
      "headers_too_large", NULL)                                                           \
    X(HL_METRIC_BYTES_IN, "heirloom_http_request_bytes_total", "counter", NULL, NULL,      \
      "Bytes of request bodies received.")                                                 \
    X(HL_METRIC_BYTES_OUT, "heirloom_http_response_bytes_total", "counter", NULL, NULL,    \
      "Bytes of reply bodies sent.")

enum hl_counter {
#define HL_METRIC_ENUM(metric, name, type, label, value, help) metric,
    HL_METRIC_TABLE(HL_METRIC_ENUM)
#undef HL_METRIC_ENUM
        HL_N_METRICS
};

/* Gauges go down as well: `delta` may be negative. */
void hl_metrics_add(struct hl_metrics *metrics, enum hl_counter metric, int64_t delta);

/* A request was answered with `status` after `took_us`. A `route` at or beyond the number
 * of routes means that none matched. Counts the status among the rejected ones, too, when
 * it is 401, 403, 408, 413, 429 or 431. */
void hl_metrics_answered(struct hl_metrics *metrics, size_t route, int status,
                         int64_t took_us);

/* A query went through a bridge, in `took_us`. */
void hl_metrics_mapped(struct hl_metrics *metrics, int64_t took_us);

/* One kind of answer a route gave: how often, and how long that took in all. */
struct hl_metrics_answers {
    int status; /* 0: a status that has no row of its own */
    uint64_t count;
    uint64_t total_us;
};

/* The `n`th status of a route, counting from 0; false when there are no more. Most were
 * never answered: their count is 0. */
bool hl_metrics_answers(const struct hl_metrics *metrics, size_t route, size_t n,
                        struct hl_metrics_answers *ret_answers);

/* The exposition, text format 0.0.4. */
void hl_metrics_print(const struct hl_metrics *metrics, struct hl_buf *buf);
#define HL_METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
