/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_PROBE_BATCH_H
#define HL_SERVER_PROBE_BATCH_H

#include "server/ask.h"
#include "server/probe_run.h"

/* Some queries of a probe set that are asked on one look, and what each model finds of what
 * is relevant. For probe_run.c alone. */
struct hl_probe_ask {
    uint64_t index; /* of the query in the set */
    struct hl_probe probe;
    size_t relevant; /* what is relevant, among the filters */
    size_t named;    /* the ids that it names, as far as they are points */
    size_t reached;  /* and as far as its own filter lets them through */
};

struct hl_probe_batch {
    const struct hl_probe_task *task;
    struct hl_arena *arena;
    struct hl_probe_ask *items;
    size_t n;
    const struct hl_filter **filters;
    struct hl_text (*sources)[2]; /* of those that two queries may share */
    size_t n_filters;
    struct hl_ask *ask;
};

enum {
    HL_PROBE_BATCH = 256,            /* queries */
    HL_PROBE_BATCH_BYTES = 16 << 20, /* and no more once they take so much */
    HL_PROBE_TOP = 10                /* where a top hit is not lost */
};

/* Empty, with room for HL_PROBE_BATCH. The arena is the caller's, as is all in it. */
enum hl_code hl_probe_batch_init(struct hl_probe_batch *batch,
                                 const struct hl_probe_task *task, struct hl_arena *arena,
                                 struct hl_err *err);

/* The probe's parts live in the batch's arena. */
enum hl_code hl_probe_batch_add(struct hl_probe_batch *batch, const struct hl_probe *probe,
                                uint64_t index, struct hl_err *err);
enum hl_code hl_probe_batch_open(struct hl_probe_batch *batch, uint32_t k,
                                 struct hl_err *err);
void hl_probe_batch_close(struct hl_probe_batch *batch);

/* One query as one model. */
struct hl_probe_side {
    const struct hl_answer *answers; /* the first k, and what stands behind them */
    const bool *is_relevant;         /* of each */
    size_t n, n_all, n_found;        /* of the first k; all; the relevant of the first k */
    bool is_right;
};

struct hl_probe_verdict {
    const struct hl_probe_ask *query;
    uint64_t n_relevant;            /* 0: it cannot be judged, and the rest is not there */
    uint64_t n_missing, n_excluded; /* of the ids that it names */
    bool has_lost_top;
    struct hl_probe_side from, to;
};

/* In the batch's arena. */
enum hl_code hl_probe_batch_judge(struct hl_probe_batch *batch, size_t which,
                                  const struct hl_probe_settings *settings,
                                  struct hl_probe_verdict *ret_verdict, struct hl_err *err);

/* An object about a query that flipped. */
void hl_probe_verdict_print(const struct hl_probe_verdict *verdict, struct hl_buf *buf);

#endif
