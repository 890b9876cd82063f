/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_GUARD_H
#define HL_SERVER_GUARD_H

#include "server/drift.h"
#include "server/server.h"
#include "server/trial.h"

/* What takes a bad model back by itself.
 *
 * Four things are watched while callers are served by `to`: in canary and live. Each has
 * its part of 5 % of false alarms a stage, however often it is looked at (compat/evidence.h
 * says how), so that a healthy model is taken back at most so often:
 *
 *   flips         negative flips of what feedback judged, beyond those that it judged in
 *                 shadow or that the gate accepted, whichever are of more queries     2 %
 *   disagreement  1 - overlap@10 with `from`, beyond that of shadow                  2 %
 *   slower        in more than half of the comparisons                              .5 %
 *   errors        of `to` where `from` had none                                     .5 %
 *
 * Shadow is the rollout's first one, however often it is taken back: what a bad model does
 * in a later one is no measure for it.
 *
 * Drift of the new model's canary is known, not estimated: it takes back at once. That of
 * the old one is the gate's to see: callers are not sent to a model that has drifted. */
enum hl_guard {
    HL_GUARD_FLIPS,
    HL_GUARD_DISAGREEMENT,
    HL_GUARD_SLOWER,
    HL_GUARD_ERRORS,
    HL_N_GUARDS
};

const char *hl_guard_name(enum hl_guard guard);

struct hl_guard_check {
    const char *unarmed; /* why; a fixed text. NULL: it is armed */
    bool is_breached;
    double budget; /* of the excess over the baseline, or of the share itself; NaN: off */
    double alpha;
    uint64_t n;           /* of the stage */
    double mean, bound;   /* of the stage; what is exceeded by at least, and is compared
                             with the budget */
    const char *baseline; /* "first_shadow" "shadow" "gate"; NULL: it has none */
    uint64_t baseline_n;
    double baseline_mean;
};

struct hl_guard_facts {
    const struct hl_rollout *rollout;
    const struct hl_counts *first, *shadow, *stage; /* hl_trial_first; NULL: none */
};

/* Pure. */
void hl_guard_look(const struct hl_guard_facts *facts,
                   struct hl_guard_check ret_checks[HL_N_GUARDS]);

/* Pure, for the gate: whether the shadow stage shows more than the first one did. Else
 * callers would be shown again a model that was taken back, for what still goes on. */
enum { HL_N_SHADOW_GUARDS = HL_GUARD_DISAGREEMENT + 1 };
void hl_guard_look_at_shadow(const struct hl_guard_facts *facts,
                             struct hl_guard_check ret_checks[HL_N_SHADOW_GUARDS]);

/* An object with a member for each of the first `n`. */
void hl_guard_checks_print(const struct hl_guard_check *checks, int n, struct hl_buf *buf);

/* Why a check is breached, in a sentence. */
enum { HL_GUARD_WORDS = 320 };
void hl_guard_describe(enum hl_guard guard, const struct hl_guard_check *check,
                       char words[HL_GUARD_WORDS]);

/* What a canary showed of a model that has drifted, likewise. */
void hl_guard_describe_drift(const char *model, const struct hl_drift *drift,
                             char words[HL_GUARD_WORDS]);

/* Takes the rollout back, as "guard", and says so in its events, the log and the metrics.
 * Nothing happens unless it is as it was looked at, in canary or live: then *ret_is_back.
 * Waits for the commit: no HTTP thread. */
struct hl_guard_breach {
    const char *collection; /* its name, for the log */
    const struct hl_rollout *rollout;
    const char *what;              /* a guard's name, or "drift" */
    const char *why;               /* a sentence */
    const struct hl_span *figures; /* a JSON object, or NULL */
};
enum hl_code hl_guard_act(struct hl_server *server, struct hl_collection *collection,
                          const struct hl_guard_breach *breach, bool *ret_is_back,
                          struct hl_err *err);

#endif
