/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_COMPARE_H
#define HL_SERVER_COMPARE_H

#include "server/offers.h"
#include "server/server.h"
#include "server/trial.h"

/* A search that was offered, asked again of both models of its rollout.
 *
 * Both sides are found on one look, each with its own model's vector alone, under the
 * query's filter and with its params: what the caller was answered is no part of it, since
 * that was found at another moment. Of the times taken each side's is the processor's own,
 * because the thread that compares is let run when nobody else wants to. */
struct hl_compare_task {
    struct hl_server *server;
    const struct hl_offer *offer;
    const struct hl_deadline *deadline;

    /* Called for each of its queries that has both vectors. */
    void (*tell)(void *self, const struct hl_comparison *comparison);
    void *self;
};

/* Nothing is told of a rollout that is over: *ret_is_stale. HL_CANCELLED; other failures
 * are of the whole search, as HL_NO_MEMORY. */
enum hl_code hl_compare_run(const struct hl_compare_task *task, bool *ret_is_stale,
                            struct hl_err *err);

#endif
