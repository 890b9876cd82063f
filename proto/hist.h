/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_HIST_H
#define HL_PROTO_HIST_H

#include "proto/buf.h"

#include <stdint.h>

/* How often each value came, for percentiles that hold from a nanosecond to an hour.
 *
 * Values below 2048 are counted apart, and above that each doubling has 1024 counters: a
 * value is known to three significant digits, and recording is a few shifts. What is larger
 * than HL_HIST_MOST counts as that. One thread. */
struct hl_hist;

#define HL_HIST_MOST UINT64_C(3600000000000)

struct hl_hist *hl_hist_new(void); /* NULL: no memory */
void hl_hist_free(struct hl_hist *hist);

void hl_hist_record(struct hl_hist *hist, uint64_t value);
void hl_hist_merge(struct hl_hist *hist, const struct hl_hist *other);

uint64_t hl_hist_count(const struct hl_hist *hist);

/* The value that `share` (0 to 1) of all are not above: to three digits, and never above
 * the largest. 0 when nothing was recorded, as are the other two, which are exact. */
uint64_t hl_hist_at(const struct hl_hist *hist, double share);
uint64_t hl_hist_max(const struct hl_hist *hist);
double hl_hist_mean(const struct hl_hist *hist);

/* The table of percentiles in the text that HdrHistogram's plotters read (.hgrm), each
 * value divided by `unit`. */
void hl_hist_print(const struct hl_hist *hist, double unit, struct hl_buf *buf);

#endif
