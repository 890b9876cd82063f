/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ROLLOUT_H
#define HL_SERVER_ROLLOUT_H

#include "compat/report.h"
#include "index/layout.h"
#include "index/store.h"
#include "index/writing.h"
#include "proto/text.h"
#include "server/config.h"
#include "server/holdings.h"
#include "server/moment.h"

/* The move of a collection's callers from one model to another.
 *
 *     none -> shadow -> canary -> live
 *                \-> aborted
 *
 * There is one of a collection, a record of its database. It changes in hl_rollout_change
 * alone: one commit that writes the record and an event, and publishes both with the plans
 * (server/plan.h). So every reader of a layout sees one rollout, and what is there after a
 * crash is the one before a step or the one after it.
 *
 * It decides what `GET …/route` says and which of several vectors that were sent is served,
 * and nothing else. Activations and images are none of its business: what was photographed
 * while the new model was live stays where the old one finds it. */
enum hl_stage {
    HL_STAGE_NONE,
    HL_STAGE_SHADOW,
    HL_STAGE_CANARY,
    HL_STAGE_LIVE,
    HL_STAGE_ABORTED /* none, with a memory */
};

const char *hl_stage_name(enum hl_stage stage);

/* NaN: off. */
struct hl_guard_limits {
    double excess_flips, excess_disagreement, latency_ratio, error_rate;
    uint64_t min_samples;
};

/* Flips of the probes, as the gate accepted them. */
struct hl_baseline {
    uint64_t n, flips; /* n 0: none */
};

enum { HL_PROBES_NAME = 64, HL_ROLLOUT_MAX_TTL_S = 86400 };

struct hl_rollout {
    uint64_t number; /* of rollouts there were, never used twice; 0: there never was one */
    uint64_t step;   /* counts every change of the record there ever was */
    uint64_t stage_step; /* the one that its stage began with */
    enum hl_stage stage;
    uint32_t from,
        to;         /* spaces; in no stage but shadow, canary and live they may be gone */
    double percent; /* of the keys that are served by `to`: 0 in shadow, 100 in live */
    char probes[HL_PROBES_NAME]; /* "": no set */
    struct hl_gates gate;
    struct hl_guard_limits guard;
    double sample; /* of the searches that are compared: 0 to 1 */
    uint32_t ttl_s;
    struct hl_baseline baseline;
    uint32_t model; /* the one that was live when the rollout before ended; 0: none was */
    char began_at[HL_MOMENT], changed_at[HL_MOMENT];
    char changed_by[HL_KEY_ID_SIZE]; /* a key's id, "guard", or "" where there are no keys
                                      */
};

/* What a rollout is when nothing was said: thresholds, sample and TTL. */
struct hl_rollout hl_rollout_default(void);

/* Shadow, canary or live: two models are compared, and may not change under it. */
bool hl_rollout_is_running(const struct hl_rollout *rollout); /* NULL: no */

/* The record, of number 0 when there is none. Reads the disk. */
enum hl_code hl_rollout_load(struct hl_reader *reader, struct hl_rollout *ret_rollout,
                             struct hl_err *err);

/* ---- what is published; any thread ---- */

/* Of the layout, as good as a reference to it; NULL: there never was one. */
const struct hl_rollout *hl_rollout_of(const struct hl_layout *layout);

/* The caller is served by `to`. Who says no key is so when it is live alone. In canary a
 * key's place is fixed by it and the rollout's number, so another percentage moves the keys
 * that it must, and another rollout draws anew. */
bool hl_rollout_serves_new(const struct hl_rollout *rollout, const struct hl_text *key);

/* The space of the model that the caller is served by, after a rollout too; 0: it is not
 * said, or gone. `rollout` may be NULL. */
uint32_t hl_rollout_model(const struct hl_rollout *rollout, const struct hl_layout *layout,
                          const struct hl_text *key);

/* ---- steps ---- */

enum hl_rollout_action {
    HL_ROLLOUT_START, /* or a change of one in shadow, where `from` and `to` are the same */
    HL_ROLLOUT_ADVANCE,
    HL_ROLLOUT_PROMOTE,
    HL_ROLLOUT_ROLLBACK,
    HL_ROLLOUT_ABORT,
    HL_ROLLOUT_END,
    HL_ROLLOUT_NOTE, /* an event, of no stage and of no step: a run of probes, drift */
    HL_N_ROLLOUT_ACTIONS
};

struct hl_rollout_order {
    enum hl_rollout_action action;
    const struct hl_rollout *wanted; /* of START: from, to, and all that can be set */
    double percent;                  /* of ADVANCE */
    uint64_t expect;                 /* the step it is meant for; 0: any */
    const char *by;                  /* as changed_by */
    const char *what;                /* of NOTE: a word for it */
    const char *why;                 /* NULL: nobody said */
    const struct hl_span *figures;   /* a JSON object, or NULL */
    bool is_whole; /* of START: `to` has seen every point that `from` has, so that no bridge
                      is needed */
    bool is_forced;                     /* past a gate that was not met */
    const struct hl_baseline *baseline; /* what the gate accepted; NULL: it stays */
};

/* In a change: checks, writes the record and the event, publishes. *ret_rollout is what is
 * there then. What stands already is no step, and no event.
 *
 * HL_ILLEGAL_STEP with the stage and the steps there are from it; HL_CONFLICT when `expect`
 * is not the step, or the models are not fit for it; HL_NOT_FOUND. */
enum hl_code hl_rollout_change(struct hl_writing *writing,
                               const struct hl_rollout_order *order,
                               struct hl_rollout *ret_rollout, struct hl_err *err);

/* The steps there are from where it is, as calls; `path` is behind the collection's. Their
 * number; fixed texts. */
struct hl_rollout_next {
    enum hl_rollout_action action;
    const char *method, *path;
};
size_t hl_rollout_nexts(const struct hl_rollout *rollout,
                        const struct hl_rollout_next **ret_nexts);

/* `rollout 3 from "v1" to "v2" is in canary (5.00 %) since MOMENT by "ops"`, for sentences.
 */
enum { HL_ROLLOUT_WORDS = 320 };
void hl_rollout_describe(const struct hl_rollout *rollout, const struct hl_layout *layout,
                         char words[HL_ROLLOUT_WORDS]);

/* ---- what a rollout keeps others from; inside a change or before it ---- */

/* HL_CONFLICT, with what to do about it, while the model is of a running rollout or is the
 * one callers are routed to; while both are of a running one, or the bridge between them is
 * of the chain that leads from the one to the other; while a running one runs the probes of
 * that name. */
enum hl_code hl_rollout_check_model(const struct hl_holdings *holdings, uint32_t space,
                                    struct hl_err *err);
enum hl_code hl_rollout_check_pair(const struct hl_holdings *holdings, uint32_t from,
                                   uint32_t to, struct hl_err *err);
enum hl_code hl_rollout_check_probes(const struct hl_holdings *holdings, const char *probes,
                                     struct hl_err *err);

#endif
