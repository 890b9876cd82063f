/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/alloc.h"
#include "proto/encode.h"
#include "server/metrics_parts.h"
#include "server/process.h"

#include <string.h>

/* All shards of one cell, added up. */
struct sum {
    uint64_t buckets[HL_METRICS_N_BOUNDS + 1];
    uint64_t count;
    uint64_t sum_us;
};

struct page {
    const struct hl_metrics *metrics;
    const struct sum *sums; /* [n_routes + 1][HL_METRICS_N_STATUSES] */
    struct hl_buf *buf;
};

static const struct {
    const char *name;
    const char *type;
    const char *label;
    const char *value;
    const char *help;
} rows[HL_N_METRICS] = {
#define HL_METRIC_ROW(metric, name, type, label, value, help)                              \
    [metric] = {name, type, label, value, help},
    HL_METRIC_TABLE(HL_METRIC_ROW)
#undef HL_METRIC_ROW
};

static uint64_t load(const hl_counter *counter)
{
    return (uint64_t)atomic_load_explicit(counter, memory_order_relaxed);
}

static struct sum add_up(const struct hl_metrics *metrics, size_t place)
{
    struct sum sum = {0};

    for (size_t i = 0; i < HL_METRICS_N_SHARDS; i++) {
        const struct hl_metrics_cell *cell = &metrics->shards[i].cells[place];

        for (size_t j = 0; j <= HL_METRICS_N_BOUNDS; j++)
            sum.buckets[j] += load(&cell->buckets[j]);
        sum.sum_us += load(&cell->sum_us);
    }
    for (size_t j = 0; j <= HL_METRICS_N_BOUNDS; j++)
        sum.count += sum.buckets[j];
    return sum;
}

static void print_head(struct hl_buf *buf, const char *name, const char *type,
                       const char *help)
{
    hl_buf_print(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `name="value"`, with what Prometheus wants escaped in a value. */
static void print_label(struct hl_buf *buf, const char *name, const char *value)
{
    hl_buf_print(buf, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\n')
            hl_buf_add_text(buf, "\\n");
        else if (*value == '"' || *value == '\\')
            hl_buf_print(buf, "\\%c", *value);
        else
            hl_buf_add_char(buf, *value);
    }
    hl_buf_add_char(buf, '"');
}

static void print_seconds(struct hl_buf *buf, double seconds)
{
    hl_encode_double(buf, seconds);
    hl_buf_add_char(buf, '\n');
}

static void print_counts(const struct page *page)
{
    for (size_t i = 0; i < HL_N_METRICS; i++) {
        int64_t total = 0;

        for (size_t j = 0; j < HL_METRICS_N_SHARDS; j++)
            total += (int64_t)load(&page->metrics->shards[j].counts[i]);
        if (rows[i].help)
            print_head(page->buf, rows[i].name, rows[i].type, rows[i].help);
        hl_buf_add_text(page->buf, rows[i].name);
        if (rows[i].label) {
            hl_buf_add_char(page->buf, '{');
            print_label(page->buf, rows[i].label, rows[i].value);
            hl_buf_add_char(page->buf, '}');
        }
        hl_buf_print(page->buf, " %lld\n", (long long)total);
    }
}

static const struct hl_metrics_route *route_at(const struct page *page, size_t route)
{
    static const struct hl_metrics_route unmatched = {"other", "unmatched"};

    return route < page->metrics->n_routes ? &page->metrics->routes[route] : &unmatched;
}

static const struct sum *sum_at(const struct page *page, size_t route, size_t status)
{
    return &page->sums[route * HL_METRICS_N_STATUSES + status];
}

/* `method="GET",endpoint="/x"` and, from 0 on, `,status="200"`. */
static void print_labels(const struct page *page, size_t route, size_t status)
{
    const struct hl_metrics_route *labels = route_at(page, route);

    print_label(page->buf, "method", labels->method);
    hl_buf_add_char(page->buf, ',');
    print_label(page->buf, "endpoint", labels->endpoint);
    if (status == 0)
        hl_buf_add_text(page->buf, ",status=\"other\"");
    else if (status < HL_METRICS_N_STATUSES)
        hl_buf_print(page->buf, ",status=\"%d\"", hl_metrics_statuses[status]);
}

static void print_histogram(const struct page *page, const char *name, size_t route,
                            size_t status, const struct sum *sum)
{
    uint64_t below = 0;

    for (size_t j = 0; j <= HL_METRICS_N_BOUNDS; j++) {
        below += sum->buckets[j];
        hl_buf_print(page->buf, "%s_bucket{", name);
        print_labels(page, route, status);
        hl_buf_add_text(page->buf, ",le=\"");
        if (j < HL_METRICS_N_BOUNDS)
            hl_encode_double(page->buf, (double)hl_metrics_bounds_us[j] / 1e6);
        else
            hl_buf_add_text(page->buf, "+Inf");
        hl_buf_print(page->buf, "\"} %llu\n", (unsigned long long)below);
    }
    hl_buf_print(page->buf, "%s_sum{", name);
    print_labels(page, route, status);
    hl_buf_add_text(page->buf, "} ");
    print_seconds(page->buf, (double)sum->sum_us / 1e6);
    hl_buf_print(page->buf, "%s_count{", name);
    print_labels(page, route, status);
    hl_buf_print(page->buf, "} %llu\n", (unsigned long long)sum->count);
}

enum series { SERIES_TOTAL, SERIES_FAILED, SERIES_AVERAGE, SERIES_HISTOGRAM };

static void print_one(const struct page *page, enum series series, const char *name,
                      size_t route, size_t status)
{
    const struct sum *sum = sum_at(page, route, status);

    if (sum->count == 0)
        return;
    if (series == SERIES_FAILED && hl_metrics_statuses[status] < 500)
        return;
    if (series == SERIES_HISTOGRAM) {
        print_histogram(page, name, route, status, sum);
        return;
    }
    hl_buf_print(page->buf, "%s{", name);
    print_labels(page, route, status);
    hl_buf_add_text(page->buf, "} ");
    if (series == SERIES_AVERAGE)
        print_seconds(page->buf, (double)sum->sum_us / 1e6 / (double)sum->count);
    else
        hl_buf_print(page->buf, "%llu\n", (unsigned long long)sum->count);
}

static void print_all(const struct page *page, enum series series, const char *name)
{
    for (size_t route = 0; route <= page->metrics->n_routes; route++)
        for (size_t status = 0; status < HL_METRICS_N_STATUSES; status++)
            print_one(page, series, name, route, status);
}

/* Ours is by route alone: enough to see what is slow, and a tenth of the series. */
static void print_durations(const struct page *page)
{
    static const char name[] = "heirloom_http_request_duration_seconds";

    print_head(page->buf, name, "histogram",
               "Time from a request to its answer, by route.");
    for (size_t route = 0; route <= page->metrics->n_routes; route++) {
        struct sum sum = {0};

        for (size_t status = 0; status < HL_METRICS_N_STATUSES; status++) {
            const struct sum *part = sum_at(page, route, status);

            for (size_t j = 0; j <= HL_METRICS_N_BOUNDS; j++)
                sum.buckets[j] += part->buckets[j];
            sum.count += part->count;
            sum.sum_us += part->sum_us;
        }
        if (sum.count > 0)
            print_histogram(page, name, route, HL_METRICS_N_STATUSES, &sum);
    }
}

/* What bridges cost, and how many queries go through them. */
static void print_maps(const struct page *page)
{
    static const char name[] = "heirloom_query_map_duration_seconds";
    uint64_t below = 0, sum_us = 0;

    print_head(page->buf, name, "histogram",
               "Time to take a query through its bridges, of those that go through any.");
    for (size_t j = 0; j <= HL_METRICS_N_MAP_BOUNDS; j++) {
        for (size_t i = 0; i < HL_METRICS_N_SHARDS; i++)
            below += load(&page->metrics->shards[i].map_buckets[j]);
        hl_buf_print(page->buf, "%s_bucket{le=\"", name);
        if (j < HL_METRICS_N_MAP_BOUNDS)
            hl_encode_double(page->buf, (double)hl_metrics_map_bounds_us[j] / 1e6);
        else
            hl_buf_add_text(page->buf, "+Inf");
        hl_buf_print(page->buf, "\"} %llu\n", (unsigned long long)below);
    }
    for (size_t i = 0; i < HL_METRICS_N_SHARDS; i++)
        sum_us += load(&page->metrics->shards[i].map_sum_us);
    hl_buf_print(page->buf, "%s_sum ", name);
    print_seconds(page->buf, (double)sum_us / 1e6);
    hl_buf_print(page->buf, "%s_count %llu\n", name, (unsigned long long)below);
}

static void print_build(const struct page *page)
{
    const struct hl_metrics_build *build = &page->metrics->build;

    print_head(page->buf, "heirloom_build_info", "gauge", "What runs; always 1.");
    hl_buf_add_text(page->buf, "heirloom_build_info{");
    print_label(page->buf, "version", build->version);
    hl_buf_add_char(page->buf, ',');
    print_label(page->buf, "commit", build->commit);
    hl_buf_add_char(page->buf, ',');
    print_label(page->buf, "kernels", build->kernels);
    hl_buf_add_text(page->buf, "} 1\n");
    print_head(page->buf, "app_info", "gauge", "The interface that is spoken; always 1.");
    hl_buf_add_text(page->buf, "app_info{name=\"heirloom\",");
    print_label(page->buf, "version", build->rest_version);
    hl_buf_add_text(page->buf, "} 1\n");
}

static void print_process(const struct page *page)
{
    struct hl_process process;

    hl_process_look(&process);
    print_head(page->buf, "process_start_time_seconds", "gauge",
               "When the process began, in seconds since 1970.");
    hl_buf_print(page->buf, "process_start_time_seconds %.3f\n", page->metrics->started);
    print_head(page->buf, "process_cpu_seconds_total", "counter",
               "Processor time spent, user and system.");
    hl_buf_print(page->buf, "process_cpu_seconds_total %.6f\n", process.cpu_seconds);
    print_head(page->buf, "process_resident_memory_bytes", "gauge", "Memory in use.");
    hl_buf_print(page->buf, "process_resident_memory_bytes %llu\n",
                 (unsigned long long)process.resident_bytes);
    print_head(page->buf, "process_open_fds", "gauge", "Open file descriptors.");
    hl_buf_print(page->buf, "process_open_fds %llu\n",
                 (unsigned long long)process.n_open_files);
    print_head(page->buf, "process_max_fds", "gauge", "The most there may be of them.");
    hl_buf_print(page->buf, "process_max_fds %llu\n",
                 (unsigned long long)process.max_open_files);
}

/* By Qdrant's names, so that its dashboards work. */
static void print_qdrants(const struct page *page)
{
    print_head(page->buf, "rest_responses_total", "counter",
               "Answers, by route and status.");
    print_all(page, SERIES_TOTAL, "rest_responses_total");
    print_head(page->buf, "rest_responses_fail_total", "counter",
               "Answers with a status of 500 or more.");
    print_all(page, SERIES_FAILED, "rest_responses_fail_total");
    print_head(page->buf, "rest_responses_avg_duration_seconds", "gauge",
               "Mean time to an answer since the start.");
    print_all(page, SERIES_AVERAGE, "rest_responses_avg_duration_seconds");
    print_head(page->buf, "rest_responses_duration_seconds", "histogram",
               "Time from a request to its answer, by route and status.");
    print_all(page, SERIES_HISTOGRAM, "rest_responses_duration_seconds");
}

void hl_metrics_print(const struct hl_metrics *metrics, struct hl_buf *buf)
{
    size_t n_sums = (metrics->n_routes + 1) * HL_METRICS_N_STATUSES;
    struct sum *sums = hl_alloc_zeroed(n_sums, sizeof *sums);
    const struct page page = {metrics, sums, buf};

    if (!sums) {
        buf->failed = HL_NO_MEMORY;
        return;
    }
    for (size_t i = 0; i < n_sums; i++)
        sums[i] = add_up(metrics, i);
    print_build(&page);
    print_counts(&page);
    print_head(buf, "heirloom_http_requests_total", "counter",
               "Requests answered, by route and status.");
    print_all(&page, SERIES_TOTAL, "heirloom_http_requests_total");
    print_durations(&page);
    print_maps(&page);
    print_qdrants(&page);
    print_process(&page);
    hl_free(sums);
}
