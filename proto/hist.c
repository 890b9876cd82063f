/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/hist.h"

#include "proto/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>

enum {
    EXACT = 2048,        /* values that have a counter of their own */
    HALF = EXACT / 2,    /* counters of each doubling */
    EXACT_BITS = 11,     /* log2 of EXACT */
    DOUBLINGS = 42 - 11, /* 2^42 is beyond the most */
    N_COUNTERS = EXACT + DOUBLINGS * HALF,
    TICKS = 5 /* lines of the table between one halving of what is left and the next */
};

struct hl_hist {
    uint64_t counters[N_COUNTERS];
    uint64_t n;
    uint64_t max;
    double sum;
};

struct hl_hist *hl_hist_new(void)
{
    return hl_alloc_zeroed(1, sizeof(struct hl_hist));
}

void hl_hist_free(struct hl_hist *hist)
{
    hl_free(hist);
}

/* By how much a value is shifted to leave its first eleven bits. */
static unsigned shift_of(uint64_t value)
{
    return value < EXACT ? 0 : 64 - EXACT_BITS - (unsigned)__builtin_clzll(value);
}

static size_t counter_of(uint64_t value)
{
    const unsigned shift = shift_of(value);

    return shift * (size_t)HALF + (size_t)(value >> shift);
}

/* The largest value that a counter counts. */
static uint64_t last_of(size_t counter)
{
    const size_t shift = counter < EXACT ? 0 : counter / HALF - 1;

    return ((uint64_t)(counter - shift * HALF + 1) << shift) - 1;
}

void hl_hist_record(struct hl_hist *hist, uint64_t value)
{
    if (value > HL_HIST_MOST)
        value = HL_HIST_MOST;
    hist->counters[counter_of(value)]++;
    hist->n++;
    hist->sum += (double)value;
    if (value > hist->max)
        hist->max = value;
}

void hl_hist_merge(struct hl_hist *hist, const struct hl_hist *other)
{
    for (size_t i = 0; i < N_COUNTERS; i++)
        hist->counters[i] += other->counters[i];
    hist->n += other->n;
    hist->sum += other->sum;
    if (other->max > hist->max)
        hist->max = other->max;
}

uint64_t hl_hist_count(const struct hl_hist *hist)
{
    return hist->n;
}

uint64_t hl_hist_max(const struct hl_hist *hist)
{
    return hist->max;
}

double hl_hist_mean(const struct hl_hist *hist)
{
    return hist->n > 0 ? hist->sum / (double)hist->n : 0;
}

static uint64_t value_of(const struct hl_hist *hist, size_t counter)
{
    const uint64_t last = last_of(counter);

    return last < hist->max ? last : hist->max;
}

uint64_t hl_hist_at(const struct hl_hist *hist, double share)
{
    /* A share such as .999 is no double: without the last factor 999 of 1000 might be 1000.
     */
    const double wanted = ceil(share * (double)hist->n * (1 - 1e-12));
    double seen = 0;

    for (size_t i = 0; i < N_COUNTERS; i++) {
        seen += (double)hist->counters[i];
        if (hist->counters[i] > 0 && seen >= wanted)
            return value_of(hist, i);
    }
    return hist->max;
}

static double deviation(const struct hl_hist *hist)
{
    const double mean = hl_hist_mean(hist);
    double sum = 0;

    for (size_t i = 0; i < N_COUNTERS; i++) {
        const double away = (double)value_of(hist, i) - mean;

        sum += (double)hist->counters[i] * away * away;
    }
    return hist->n > 0 ? sqrt(sum / (double)hist->n) : 0;
}

static void print_line(const struct hl_hist *hist, size_t counter, uint64_t seen,
                       double unit, double share, struct hl_buf *buf)
{
    hl_buf_print(buf, "%12.3f %14.12f %10" PRIu64, (double)value_of(hist, counter) / unit,
                 share, seen);
    if (share < 1)
        hl_buf_print(buf, " %14.2f\n", 1 / (1 - share));
    else
        hl_buf_add_text(buf, "            inf\n");
}

/* The share that line `i` is about: the closer to 1, the smaller the steps. */
static double share_of(unsigned i)
{
    const unsigned halvings = i / TICKS;

    return 1 - exp2(-(double)halvings) * (1 - (i % TICKS) / (2.0 * TICKS));
}

void hl_hist_print(const struct hl_hist *hist, double unit, struct hl_buf *buf)
{
    uint64_t seen = 0;
    unsigned line = 0;

    hl_buf_add_text(buf, "       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    for (size_t i = 0; i < N_COUNTERS && seen < hist->n; i++) {
        seen += hist->counters[i];
        for (; hist->counters[i] > 0 && seen < hist->n &&
               share_of(line) * (double)hist->n <= (double)seen + 1e-6;
             line++)
            print_line(hist, i, seen, unit, share_of(line), buf);
        if (seen == hist->n)
            print_line(hist, i, seen, unit, 1, buf);
    }
    hl_buf_print(buf,
                 "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
                 "#[Max     = %12.3f, Total count    = %12" PRIu64 "]\n"
                 "#[Buckets = %12d, SubBuckets     = %12d]\n",
                 hl_hist_mean(hist) / unit, deviation(hist) / unit,
                 (double)hist->max / unit, hist->n, DOUBLINGS + 1, EXACT);
}
