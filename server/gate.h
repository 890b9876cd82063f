/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_GATE_H
#define HL_SERVER_GATE_H

#include "compat/lesson.h"
#include "compat/report.h"
#include "server/guard.h"
#include "server/rollout.h"
#include "server/server.h"

/* Whether a new model may be shown to callers: its thresholds are held against the report
 * of the bridge that takes it to the old model's points, and against a probe set.
 *
 * The report is of rows that no fit saw and speaks of the bridge; the probes are asked
 * here and now, as callers would be answered. `max_negative_flips` holds for both, and for
 * what feedback judged in shadow; the other thresholds are the report's. What is not asked
 * is not looked at; what is asked and cannot be said is not met. Where no bridge leads from
 * one model to the other, points are found by vectors of their own, and there is no report
 * to go by.
 *
 * What shadow showed may not exceed what probes or report say by more than the guard will
 * allow: a model that was bad before anybody was moved looks no worse than in shadow ever
 * after. Once it was taken back, what goes on in shadow may not exceed what its first
 * shadow stage showed either, of flips and of disagreement.
 *
 * A model whose canary has drifted, of either, is not let on: it is not the one that was
 * measured.
 *
 * Reads the disk, takes as long as the probes do and waits for a commit where there are
 * some: a thread of its own, never an HTTP one. */
struct hl_gate_task {
    struct hl_server *server;
    struct hl_collection *collection;
    uint32_t from, to; /* spaces: callers go from `from` to `to`, the bridge is `to`>`from`
                        */
    uint64_t revision; /* of the bridge; 0: the active one */
    const struct hl_gates *gates;
    const char *probes;                  /* a set; NULL or "": none */
    const char *by;                      /* who asked; kept with the run of the probes */
    struct hl_baseline shadow;           /* what feedback judged in shadow; n 0: nothing */
    const struct hl_guard_limits *guard; /* of the rollout; NULL: there is none yet */
    const struct hl_guard_facts *facts;  /* of its shadow and its first one, likewise */
    struct hl_errand errand;
};

/* HL_OK, or HL_GATE_UNMET with all that fails in one sentence. With both, `figures` has got
 * a JSON object of what was asked and measured, and the baseline is what was found: flips
 * of the probes, else those of the report at the fidelity that is served, else none; those
 * of shadow where they are too many more, so that who goes on all the same accepts them.
 * Any other code is an error, such as HL_NOT_FOUND for a set that is gone, and sets
 * nothing. */
enum hl_code hl_gate_check(const struct hl_gate_task *task, struct hl_buf *figures,
                           struct hl_baseline *ret_baseline, struct hl_err *err);

#endif
