/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_OVERSEER_H
#define HL_SERVER_OVERSEER_H

#include "server/server.h"
#include "server/trial.h"

/* Who compares the two models of every rollout, beside the answers: one thread of the
 * lowest priority.
 *
 * It takes what was offered (offers.h), asks both models, counts, judges by feedback, and
 * looks once a second, and while it counts, whether a model must be taken back (guard.h).
 * Counts are saved every few seconds where they changed, and at the end; what a crash takes
 * is the seconds since. It knows a rollout by its collection's folder, which no other ever
 * has, and holds a collection only while it works on it, so one that is deleted goes, and
 * one that is recovered over begins with what its own records say. */
struct hl_overseer;

/* server->offers and all that is needed to search are there. */
enum hl_code hl_overseer_open(struct hl_server *server, struct hl_overseer **ret_overseer,
                              struct hl_err *err);

/* Saves and ends; whoever waits is answered. While there are writers; twice is harmless.
 * Closing it is for when nobody can call any more and no job runs: it begins some. NULL is
 * accepted by both. */
void hl_overseer_stop(struct hl_overseer *overseer);
void hl_overseer_close(struct hl_overseer *overseer);

/* What was relevant to some queries of a collection. Their requests may be waiting to be
 * compared: then they are judged as soon as that is done, and `tell` is called on the
 * overseer's thread. The storage is the caller's until then. */
struct hl_judging {
    const struct hl_feedback *feedback;
    struct hl_verdict *verdicts; /* one for each, filled in */
    size_t n;
    struct hl_collection *collection;
    void (*tell)(struct hl_judging *judging);
    struct hl_judging *next; /* the overseer's */
};

/* *ret_is_done: all of them are judged, and nobody is told. Else hl_overseer_await must
 * follow. Any thread; waits for nothing. */
void hl_overseer_judge(struct hl_overseer *overseer, struct hl_judging *judging,
                       bool *ret_is_done);

/* HL_UNAVAILABLE: the overseer has stopped. May tell before it returns. */
enum hl_code hl_overseer_await(struct hl_overseer *overseer, struct hl_judging *judging,
                               struct hl_err *err);

/* What was counted of a rollout so far, without what was found: nothing to free. Any thread
 * that may wait for a lock. Without an overseer (NULL) nothing was. */
void hl_overseer_count(struct hl_overseer *overseer, struct hl_collection *collection,
                       const struct hl_rollout *rollout, struct hl_trial *ret_trial);

/* An object: what was counted in each stage, and what the guard makes of it. Any thread
 * that may wait for a lock. */
void hl_overseer_print(struct hl_overseer *overseer, struct hl_collection *collection,
                       const struct hl_rollout *rollout, struct hl_buf *buf);

#endif
