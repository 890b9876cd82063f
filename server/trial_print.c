/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/figure.h"
#include "proto/encode.h"
#include "server/trial.h"

#include <math.h>

static struct hl_figure overlap_of(const struct hl_counts *counts)
{
    struct hl_tally tally = {.n = 0};
    struct hl_figure figure;

    for (size_t i = 0; i < HL_TENTHS; i++) {
        const double n = (double)counts->disagreement[i], value = 1 - (double)i / 10;

        tally.n += counts->disagreement[i];
        tally.a += n * value;
        tally.aa += n * value * value;
    }
    figure = hl_figure_mean(&tally);
    figure.low = fmax(figure.low, 0);
    figure.high = fmin(figure.high, 1); /* no two lists have more in common than all */
    return figure;
}

static void print_share(const char *name, uint64_t hits, uint64_t n, struct hl_buf *buf)
{
    const struct hl_figure figure = hl_figure_share(hits, n);

    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    hl_figure_print(&figure, buf);
}

static void print_count(const char *name, uint64_t count, struct hl_buf *buf)
{
    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    hl_encode_u64(buf, count);
}

static void print_latency(const struct hl_counts *counts, enum hl_side side,
                          struct hl_buf *buf)
{
    const uint64_t n = hl_counts_compared(counts);

    if (n == 0) {
        hl_encode_null(buf);
        return;
    }
    hl_buf_add_text(buf, "{\"mean_s\":");
    hl_encode_double(buf, (double)counts->total_us[side] / 1e6 / (double)n);
    hl_buf_add_text(buf, ",\"p50_s\":");
    hl_encode_double(buf, hl_counts_quantile(counts, side, 0.5));
    hl_buf_add_text(buf, ",\"p99_s\":");
    hl_encode_double(buf, hl_counts_quantile(counts, side, 0.99));
    hl_buf_add_char(buf, '}');
}

void hl_counts_print(const struct hl_counts *counts, struct hl_buf *buf)
{
    const uint64_t n = hl_counts_compared(counts);
    const uint64_t n_judged = counts->flips[0] + counts->flips[1];
    const struct hl_figure overlap = overlap_of(counts);

    hl_buf_add_text(buf, "{\"compared\":");
    hl_encode_u64(buf, n);
    print_count("dropped", counts->dropped, buf);
    hl_buf_add_text(buf, ",\"overlap10\":");
    hl_figure_print(&overlap, buf);
    print_share("lost_tops", counts->lost_tops, n, buf);
    print_count("judged", n_judged, buf);
    print_share("negative_flips", counts->flips[1], n_judged, buf);
    print_share("positive_flips", counts->positive_flips, n_judged, buf);
    print_share("right_from", counts->right[HL_SIDE_FROM], n_judged, buf);
    print_share("right_to", counts->right[HL_SIDE_TO], n_judged, buf);
    print_count("negative_flips_served", counts->flips_served, buf);
    print_share("slower", counts->slower[1], counts->slower[0] + counts->slower[1], buf);
    print_share("errors_from", counts->failed[HL_SIDE_FROM], hl_counts_begun(counts), buf);
    print_share("errors_to", counts->failed[HL_SIDE_TO], hl_counts_begun(counts), buf);
    hl_buf_add_text(buf, ",\"latency\":{\"from\":");
    print_latency(counts, HL_SIDE_FROM, buf);
    hl_buf_add_text(buf, ",\"to\":");
    print_latency(counts, HL_SIDE_TO, buf);
    hl_buf_add_text(buf, "}}");
}
