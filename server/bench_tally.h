/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BENCH_TALLY_H
#define HL_SERVER_BENCH_TALLY_H

#include "proto/hist.h"
#include "server/bench.h"
#include "server/caller.h"

#include <stddef.h>

/* What a load has seen, in nanoseconds. One thread. */
struct hl_bench_count {
    struct hl_hist *latency; /* since a request was meant to begin: what a caller feels */
    struct hl_hist *service; /* since it was sent */
    uint64_t n_requests;     /* that were meant to begin within the measured time */
    uint64_t n_failed;       /* of those */
    uint64_t n_finished;     /* answered well within the measured time */
};

enum { HL_BENCH_SENTENCES = 16, HL_BENCH_SENTENCE = 200 };

struct hl_bench_failure {
    int status; /* 0: there was no reply */
    char sentence[HL_BENCH_SENTENCE];
    uint64_t n;
};

struct hl_bench_tally {
    struct hl_bench_count kinds[HL_N_BENCH_KINDS];
    struct hl_hist *late; /* by what requests were sent too late through our own fault */
    struct hl_bench_failure failures[HL_BENCH_SENTENCES]; /* each sentence once */
    size_t n_failures;
    uint64_t n_other_failures; /* with sentences beyond those */
    double cpu_s;              /* ours, of the measured time, without what was spun away */
    double busy;               /* the share of that time */
};

enum hl_code hl_bench_tally_init(struct hl_bench_tally *tally, struct hl_err *err);
void hl_bench_tally_done(struct hl_bench_tally *tally);

/* A request that was answered well. */
void hl_bench_tally_add(struct hl_bench_tally *tally, enum hl_bench_kind kind,
                        int64_t latency_ns, int64_t service_ns);

/* One that failed: with that status, or 0, and in those words. */
void hl_bench_tally_fail(struct hl_bench_tally *tally, enum hl_bench_kind kind, int status,
                         const char *sentence, uint64_t n);

/* One that was never answered; it counts as slow as it was. */
void hl_bench_tally_miss(struct hl_bench_tally *tally, enum hl_bench_kind kind,
                         int64_t latency_ns, const char *sentence);

/* Of all kinds together; done with as a tally's. HL_NO_MEMORY. */
enum hl_code hl_bench_tally_sum(const struct hl_bench_tally *tally,
                                struct hl_bench_count *ret_sum, struct hl_err *err);
void hl_bench_count_done(struct hl_bench_count *count);

#endif
