/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench_print.h"

#include "proto/encode.h"

#include <inttypes.h>

#define US 1000.0 /* of nanoseconds */

/* The shares that are shown. */
static const struct share {
    const char *key, *title;
    double share;
} shares[] = {
    {"p50", "p50", .5}, {"p90", "p90", .9}, {"p99", "p99", .99}, {"p999", "p99.9", .999}};
enum { N_SHARES = sizeof shares / sizeof shares[0] };

static bool is_mixed(const struct hl_bench *bench)
{
    int n = 0;

    for (int i = 0; i < HL_N_BENCH_KINDS; i++)
        n += bench->weights[i] > 0;
    return n > 1;
}

static double rate_of(const struct hl_bench_show *show, const struct hl_bench_count *count)
{
    return (double)count->n_finished / show->bench->seconds;
}

/* What our own processor paid for each request. */
static double cpu_us_of(const struct hl_bench_show *show)
{
    const uint64_t n = show->sum->n_finished;

    return n > 0 ? show->tally->cpu_s * 1e6 / (double)n : 0;
}

static bool was_late(const struct hl_bench_show *show)
{
    return (double)hl_hist_at(show->tally->late, .99) >
           HL_BENCH_TOO_LATE * (double)hl_hist_at(show->sum->latency, .99);
}

/* ---- for people ---- */

static void print_times(const struct hl_hist *hist, struct hl_buf *buf)
{
    for (size_t i = 0; i < N_SHARES; i++)
        hl_buf_print(buf, " %9.0f", (double)hl_hist_at(hist, shares[i].share) / US);
    hl_buf_print(buf, " %9.0f %9.0f\n", (double)hl_hist_max(hist) / US,
                 hl_hist_mean(hist) / US);
}

static void print_row(const struct hl_bench_show *show, const char *name,
                      const struct hl_bench_count *count, struct hl_buf *buf)
{
    hl_buf_print(buf, "%-10s %10" PRIu64 " %8" PRIu64 " %10.1f", name, count->n_requests,
                 count->n_failed, rate_of(show, count));
    print_times(count->latency, buf);
    if (show->bench->rate > 0) {
        hl_buf_print(buf, "%-10s %10s %8s %10s", "", "", "", "once sent");
        print_times(count->service, buf);
    }
}

static void print_what(const struct hl_bench_show *show, struct hl_buf *buf)
{
    const struct hl_bench *bench = show->bench;

    hl_buf_print(buf, "%s, %" PRIu64 " connections, ", bench->collection,
                 bench->n_connections);
    if (bench->rate > 0)
        hl_buf_print(buf, "%g requests a second (%s)", bench->rate,
                     bench->is_poisson ? "poisson" : "even");
    else
        hl_buf_add_text(buf, "each asks again when it is answered");
    hl_buf_print(buf, ", %s, %zu queries of %zu (%s), %g s after %g s\n\n",
                 hl_bench_form_names[bench->form], show->n_queries, show->dim, show->origin,
                 bench->seconds, bench->warm_up_s);
}

static void print_failures(const struct hl_bench_tally *tally, struct hl_buf *buf)
{
    hl_buf_add_text(buf, tally->n_failures > 0 ? "\nfailed:\n" : "");
    for (size_t i = 0; i < tally->n_failures; i++)
        hl_buf_print(buf, "%10" PRIu64 "  %s\n", tally->failures[i].n,
                     tally->failures[i].sentence);
    if (tally->n_other_failures > 0)
        hl_buf_print(buf, "%10" PRIu64 "  in other words\n", tally->n_other_failures);
}

static void print_own(const struct hl_bench_show *show, struct hl_buf *buf)
{
    const struct hl_bench_tally *tally = show->tally;

    hl_buf_print(
        buf, "\nthe load itself: %.1f us of its processor for each request, busy %.0f %%",
        cpu_us_of(show), tally->busy * 100);
    if (show->bench->rate > 0)
        hl_buf_print(buf, ", late by %.0f us at p99, %.0f us at most",
                     (double)hl_hist_at(tally->late, .99) / US,
                     (double)hl_hist_max(tally->late) / US);
    hl_buf_add_char(buf, '\n');
    if (tally->busy > HL_BENCH_TOO_BUSY)
        hl_buf_add_text(buf,
                        "It may be the load itself that was the limit, not the server.\n");
    if (was_late(show))
        hl_buf_add_text(buf,
                        "Requests went out late through no fault of the server, and its "
                        "latencies hold that too.\n");
}

void hl_bench_print_text(const struct hl_bench_show *show, struct hl_buf *buf)
{
    print_what(show, buf);
    hl_buf_print(buf, "%-10s %10s %8s %10s", "us", "requests", "failed", "per second");
    for (size_t i = 0; i < N_SHARES; i++)
        hl_buf_print(buf, " %9s", shares[i].title);
    hl_buf_print(buf, " %9s %9s\n", "max", "mean");
    for (int i = 0; i < HL_N_BENCH_KINDS; i++)
        if (show->bench->weights[i] > 0)
            print_row(show, hl_bench_kind_names[i], &show->tally->kinds[i], buf);
    if (is_mixed(show->bench))
        print_row(show, "all", show->sum, buf);
    print_failures(show->tally, buf);
    print_own(show, buf);
}

/* ---- for programs ---- */

static void encode_time(const char *key, double ns, struct hl_buf *buf)
{
    hl_encode_key(buf, key);
    hl_buf_print(buf, "%.3f", ns / US);
}

static void encode_times(const char *key, const struct hl_hist *hist, struct hl_buf *buf)
{
    hl_encode_key(buf, key);
    hl_buf_add_char(buf, '{');
    for (size_t i = 0; i < N_SHARES; i++) {
        encode_time(shares[i].key, (double)hl_hist_at(hist, shares[i].share), buf);
        hl_buf_add_char(buf, ',');
    }
    encode_time("max", (double)hl_hist_max(hist), buf);
    hl_buf_add_char(buf, ',');
    encode_time("mean", hl_hist_mean(hist), buf);
    hl_buf_add_char(buf, '}');
}

/* Members of an object that is open. */
static void encode_count(const struct hl_bench_show *show,
                         const struct hl_bench_count *count, struct hl_buf *buf)
{
    hl_buf_print(buf, "\"requests\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"rate\":%.3f,",
                 count->n_requests, count->n_failed, rate_of(show, count));
    encode_times("latency_us", count->latency, buf);
    hl_buf_add_char(buf, ',');
    encode_times("service_us", count->service, buf);
}

static void encode_text(const char *key, const char *text, struct hl_buf *buf)
{
    hl_encode_key(buf, key);
    if (text)
        hl_encode_string(buf, text);
    else
        hl_encode_null(buf);
    hl_buf_add_char(buf, ',');
}

static void encode_flag(const char *key, bool is, struct hl_buf *buf)
{
    hl_encode_key(buf, key);
    hl_encode_bool(buf, is);
    hl_buf_add_char(buf, ',');
}

static void encode_mix(const struct hl_bench *bench, struct hl_buf *buf)
{
    bool is_first = true;

    hl_buf_add_text(buf, "\"mix\":{");
    for (int i = 0; i < HL_N_BENCH_KINDS; i++) {
        if (bench->weights[i] <= 0)
            continue;
        hl_buf_add_text(buf, is_first ? "" : ",");
        hl_encode_key(buf, hl_bench_kind_names[i]);
        hl_encode_double(buf, bench->weights[i]);
        is_first = false;
    }
    hl_buf_add_text(buf, "},");
}

static void encode_settings(const struct hl_bench_show *show, struct hl_buf *buf)
{
    const struct hl_bench *bench = show->bench;

    hl_buf_add_text(buf, "\"settings\":{");
    encode_text("url", bench->url, buf);
    encode_text("collection", bench->collection, buf);
    encode_text("using", bench->using_name, buf);
    encode_mix(bench, buf);
    encode_text("form", hl_bench_form_names[bench->form], buf);
    encode_text("queries", show->origin, buf);
    hl_buf_print(buf, "\"n_queries\":%zu,\"size\":%zu,", show->n_queries, show->dim);
    hl_buf_print(buf,
                 "\"connections\":%" PRIu64 ",\"limit\":%" PRIu64 ",\"ef\":%" PRIu64 ",",
                 bench->n_connections, bench->limit, bench->ef);
    hl_buf_print(buf, "\"batch\":%" PRIu64 ",\"points\":%" PRIu64 ",\"seed\":%" PRIu64 ",",
                 bench->batch, bench->points, bench->seed);
    encode_flag("exact", bench->is_exact, buf);
    encode_flag("with_payload", bench->with_payload, buf);
    encode_flag("wait", bench->waits, buf);
    encode_flag("spin", bench->spins, buf);
    encode_text("filter", bench->filter, buf);
    encode_text("arrivals",
                bench->rate <= 0 ? NULL : (bench->is_poisson ? "poisson" : "even"), buf);
    hl_buf_print(buf, "\"rate\":%g,\"warm_up\":%g,\"patience\":%g}", bench->rate,
                 bench->warm_up_s, bench->patience_s);
}

static void encode_failures(const struct hl_bench_tally *tally, struct hl_buf *buf)
{
    hl_buf_add_text(buf, ",\"errors\":[");
    for (size_t i = 0; i < tally->n_failures; i++) {
        hl_buf_print(buf, "%s{\"status\":%d,\"n\":%" PRIu64 ",", i > 0 ? "," : "",
                     tally->failures[i].status, tally->failures[i].n);
        hl_encode_key(buf, "error");
        hl_encode_string(buf, tally->failures[i].sentence);
        hl_buf_add_char(buf, '}');
    }
    hl_buf_print(buf, "],\"other_errors\":%" PRIu64, tally->n_other_failures);
}

static void encode_own(const struct hl_bench_show *show, struct hl_buf *buf)
{
    const struct hl_bench_tally *tally = show->tally;

    hl_buf_print(buf,
                 ",\"generator\":{\"cpu_us\":%.3f,\"busy\":%.4f,\"was_limit\":%s,"
                 "\"was_late\":%s,",
                 cpu_us_of(show), tally->busy,
                 tally->busy > HL_BENCH_TOO_BUSY ? "true" : "false",
                 was_late(show) ? "true" : "false");
    encode_times("late_us", tally->late, buf);
    hl_buf_add_char(buf, '}');
}

void hl_bench_print_json(const struct hl_bench_show *show, struct hl_buf *buf)
{
    bool is_first = true;

    hl_buf_add_char(buf, '{');
    encode_settings(show, buf);
    hl_buf_print(buf, ",\"seconds\":%g,", show->bench->seconds);
    encode_count(show, show->sum, buf);
    hl_buf_add_text(buf, ",\"kinds\":{");
    for (int i = 0; i < HL_N_BENCH_KINDS; i++) {
        if (show->bench->weights[i] <= 0)
            continue;
        hl_buf_add_text(buf, is_first ? "" : ",");
        hl_encode_key(buf, hl_bench_kind_names[i]);
        hl_buf_add_char(buf, '{');
        encode_count(show, &show->tally->kinds[i], buf);
        hl_buf_add_char(buf, '}');
        is_first = false;
    }
    hl_buf_add_char(buf, '}');
    encode_failures(show->tally, buf);
    encode_own(show, buf);
    hl_buf_add_text(buf, "}\n");
}
