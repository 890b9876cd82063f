/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_PROBE_RUN_H
#define HL_SERVER_PROBE_RUN_H

#include "compat/figure.h"
#include "compat/lesson.h"
#include "proto/probe.h"
#include "server/server.h"

/* Running a probe set: each query is asked as two models, and what either finds is held
 * against what it must find.
 *
 * Both sides of a query see the same moment; a large set is asked some hundred queries at a
 * time, each part at its own. A query is right by a model when one of its first `flip_at`
 * hits is relevant; a negative flip is right by `from` and not by `to`, a positive one the
 * other way. Relevant are the ids that it names and what its filter `relevant_if` matches,
 * as far as they are points that the query's own filter lets through; without any of those
 * it cannot be judged and counts nowhere. Recall is the share of the relevant ones among k
 * hits, of as many as k has room for.
 *
 * Reads the disk, takes as long as it takes and waits for a commit: a thread of its own,
 * never an HTTP one. */
struct hl_probe_task {
    struct hl_server *server;
    struct hl_collection *collection;
    const char *set;
    uint64_t version;     /* 0: the latest */
    uint32_t from, to;    /* spaces */
    const char *by, *why; /* who asked, and for what, such as "gate"; kept with the run */
    bool is_noted; /* among the events of a rollout that runs between the two models */
    struct hl_errand errand;
};

struct hl_probe_result {
    uint64_t version;
    uint32_t k, flip_at;
    uint64_t n_queries;   /* of the set */
    uint64_t n_skipped;   /* without a vector of one of the models */
    uint64_t n_unjudged;  /* nothing relevant could be found */
    uint64_t n;           /* the others: what follows counts these */
    uint64_t n_missing;   /* relevant ids that are no points */
    uint64_t n_excluded;  /* relevant ids that the query's own filter leaves out */
    uint64_t n_lost_tops; /* the first hit of `from` is not in the first 10 of `to` */
    uint64_t n_right_from, n_right_to, n_negative, n_positive;
    struct hl_figure recall_from, recall_to; /* at k */
    struct hl_figure right_from, right_to;
    struct hl_figure negative_flips, positive_flips;
    struct hl_buf summary; /* JSON: an object of all of the above */
    struct hl_buf run;     /* the same and every flipped query: what was lost and won, both
                              lists with their scores */
};

/* Keeps the run with the set, unless that is gone meanwhile. HL_NOT_FOUND: the set, the
 * version, or a model of that space; HL_CONFLICT: the set has no vectors of a model, or of
 * another size. */
enum hl_code hl_probes_run(const struct hl_probe_task *task,
                           struct hl_probe_result *ret_result, struct hl_err *err);
void hl_probe_result_done(struct hl_probe_result *result); /* zeros are accepted */

#endif
