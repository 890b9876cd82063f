/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rollout.h"

#include "proto/model_name.h"
#include "server/plan.h"
#include "server/probes.h"
#include "server/rollout_part.h"
#include "server/rollout_settings.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PROBES_MEMORY = 1 << 20 };

/* ---- words ---- */

static const char *name_of(const struct hl_layout *layout, uint32_t id)
{
    const struct hl_space *space = hl_layout_space(layout, id);

    return space ? hl_model_shown(space->name) : "(deleted)";
}

void hl_rollout_describe(const struct hl_rollout *rollout, const struct hl_layout *layout,
                         char words[HL_ROLLOUT_WORDS])
{
    char share[24] = "", by[HL_KEY_ID_SIZE + 8] = "";

    if (rollout->number == 0) {
        (void)snprintf(words, HL_ROLLOUT_WORDS, "there was no rollout yet");
        return;
    }
    if (rollout->stage == HL_STAGE_CANARY)
        (void)snprintf(share, sizeof share, " (%g %%)", rollout->percent);
    if (rollout->changed_by[0])
        (void)snprintf(by, sizeof by, " by \"%s\"", rollout->changed_by);
    (void)snprintf(words, HL_ROLLOUT_WORDS,
                   "rollout %" PRIu64 " from \"%.60s\" to \"%.60s\" is in \"%s\"%s since "
                   "%s%s",
                   rollout->number, name_of(layout, rollout->from),
                   name_of(layout, rollout->to), hl_stage_name(rollout->stage), share,
                   rollout->changed_at, by);
}

static const struct hl_rollout_next from_none[] = {{HL_ROLLOUT_START, "PUT", "/rollout"}};
static const struct hl_rollout_next from_shadow[] = {
    {HL_ROLLOUT_ADVANCE, "POST", "/rollout/advance"},
    {HL_ROLLOUT_ABORT, "POST", "/rollout/abort"},
    {HL_ROLLOUT_START, "PUT", "/rollout"}};
static const struct hl_rollout_next from_canary[] = {
    {HL_ROLLOUT_ADVANCE, "POST", "/rollout/advance"},
    {HL_ROLLOUT_PROMOTE, "POST", "/rollout/promote"},
    {HL_ROLLOUT_ROLLBACK, "POST", "/rollout/rollback"}};
static const struct hl_rollout_next from_live[] = {
    {HL_ROLLOUT_ROLLBACK, "POST", "/rollout/rollback"},
    {HL_ROLLOUT_START, "PUT", "/rollout"},
    {HL_ROLLOUT_END, "DELETE", "/rollout"}};
static const struct hl_rollout_next from_aborted[] = {
    {HL_ROLLOUT_START, "PUT", "/rollout"}, {HL_ROLLOUT_END, "DELETE", "/rollout"}};

size_t hl_rollout_nexts(const struct hl_rollout *rollout,
                        const struct hl_rollout_next **ret_nexts)
{
    static const struct {
        const struct hl_rollout_next *list;
        size_t n;
    } nexts[] = {[HL_STAGE_NONE] = {from_none, 1},
                 [HL_STAGE_SHADOW] = {from_shadow, 3},
                 [HL_STAGE_CANARY] = {from_canary, 3},
                 [HL_STAGE_LIVE] = {from_live, 3},
                 [HL_STAGE_ABORTED] = {from_aborted, 2}};

    *ret_nexts = nexts[rollout->stage].list;
    return nexts[rollout->stage].n;
}

/* ---- checks ---- */

/* One order inside a change. */
struct stepping {
    const struct hl_rollout_order *order;
    struct hl_holdings inside;
    struct hl_rollout now;
    const char *what; /* for the event */
};

/* What a step is called in sentences and in events. */
static const char *const action_names[] = {
    [HL_ROLLOUT_START] = "start",     [HL_ROLLOUT_ADVANCE] = "advance",
    [HL_ROLLOUT_PROMOTE] = "promote", [HL_ROLLOUT_ROLLBACK] = "rollback",
    [HL_ROLLOUT_ABORT] = "abort",     [HL_ROLLOUT_END] = "end",
    [HL_ROLLOUT_NOTE] = "note"};

static const char *name_call(const struct hl_rollout *now, enum hl_rollout_action action)
{
    if (action == HL_ROLLOUT_START && now->stage == HL_STAGE_SHADOW)
        return "PUT of other settings";
    if (action == HL_ROLLOUT_START && now->stage == HL_STAGE_LIVE)
        return "PUT of a rollout from the model that is live";
    return action == HL_ROLLOUT_START ? "PUT"
           : action == HL_ROLLOUT_END ? "DELETE"
                                      : action_names[action];
}

static enum hl_code refuse_step(const struct stepping *stepping, struct hl_err *err)
{
    const enum hl_rollout_action action = stepping->order->action;
    const struct hl_rollout_next *nexts;
    const size_t n = hl_rollout_nexts(&stepping->now, &nexts);
    char words[HL_ROLLOUT_WORDS], legal[160];
    size_t len = 0;

    hl_rollout_describe(&stepping->now, stepping->inside.layout, words);
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(legal + len, sizeof legal - len, "%s%s",
                                i == 0      ? ""
                                : i + 1 < n ? ", "
                                            : " and ",
                                name_call(&stepping->now, nexts[i].action));
    return hl_fail(err, HL_ILLEGAL_STEP, "%s: %s is no step from there, %s %s", words,
                   action == HL_ROLLOUT_START ? "this PUT"
                                              : name_call(&stepping->now, action),
                   legal, n == 1 ? "is" : "are");
}

static enum hl_code check_expected(const struct stepping *stepping, struct hl_err *err)
{
    const uint64_t expect = stepping->order->expect, step = stepping->now.step;
    char words[HL_ROLLOUT_WORDS];

    if (expect == 0 || expect == step)
        return HL_OK;
    hl_rollout_describe(&stepping->now, stepping->inside.layout, words);
    return hl_fail(err, HL_CONFLICT,
                   "step %" PRIu64 " was expected, and it is step %" PRIu64 ": %s", expect,
                   step, words);
}

/* Callers may not be moved without a rollout: it begins where they are. */
static enum hl_code check_from(const struct stepping *stepping, struct hl_err *err)
{
    const struct hl_layout *layout = stepping->inside.layout;
    const uint32_t model = stepping->now.model, from = stepping->order->wanted->from;

    if (model == 0 || model == from || !hl_layout_space(layout, model))
        return HL_OK;
    return hl_fail(err, HL_CONFLICT,
                   "callers are served by \"%.120s\" since a rollout before: the next one "
                   "begins from there, not from \"%.120s\"",
                   name_of(layout, model), name_of(layout, from));
}

/* Else callers that are moved lose every photograph that only the old model has seen. */
static enum hl_code check_reach(const struct stepping *stepping, struct hl_err *err)
{
    const struct hl_layout *layout = stepping->inside.layout;
    const uint32_t from = stepping->order->wanted->from, to = stepping->order->wanted->to;
    const struct hl_plan *plan = hl_plan_in(hl_plans_of(layout), to, HL_PLAN_SOME);
    struct hl_models found = {.n = 0};

    if (plan)
        hl_plan_found(plan, layout, &found);
    if (hl_models_have(&found, from) || stepping->order->is_whole)
        return HL_OK;
    return hl_fail(
        err, HL_CONFLICT,
        "no active bridge lets queries of \"%.120s\" find what only \"%.120s\" "
        "has seen: activate one first, or give each point a vector of \"%.120s\"",
        name_of(layout, to), name_of(layout, from), name_of(layout, to));
}

static enum hl_code check_models(const struct stepping *stepping, struct hl_err *err)
{
    const struct hl_layout *layout = stepping->inside.layout;
    const uint32_t from = stepping->order->wanted->from, to = stepping->order->wanted->to;
    const struct hl_space *spaces[] = {hl_layout_space(layout, from),
                                       hl_layout_space(layout, to)};
    enum hl_code code;

    for (size_t i = 0; i < 2; i++)
        if (!spaces[i] || spaces[i]->dim == 0)
            return hl_fail(err, HL_CONFLICT,
                           "a model of the rollout was deleted meanwhile");
    if (from == to)
        return hl_fail(err, HL_INVALID,
                       "a rollout is from one model to another, \"%.120s\" is both",
                       name_of(layout, from));
    code = stepping->now.stage == HL_STAGE_LIVE ? HL_OK : check_from(stepping, err);
    return code == HL_OK ? check_reach(stepping, err) : code;
}

/* A set that could not be run would stop the rollout at its first gate. */
static enum hl_code check_probes(const struct stepping *stepping, struct hl_err *err)
{
    const struct hl_rollout *wanted = stepping->order->wanted;
    const struct hl_layout *layout = stepping->inside.layout;
    const uint32_t models[] = {wanted->from, wanted->to};
    struct hl_probe_set set;
    struct hl_arena *arena;
    enum hl_code code;

    if (!wanted->probes[0])
        return HL_OK;
    arena = hl_arena_new(PROBES_MEMORY);
    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a set of probes");
    code = hl_probes_find(&stepping->inside, wanted->probes, 0, arena, &set, err);
    for (size_t i = 0; code == HL_OK && i < 2; i++)
        if (!hl_probe_set_model(&set, hl_layout_space(layout, models[i])->name))
            code = hl_fail(err, HL_CONFLICT,
                           "the probe set \"%s\" has no vectors of \"%.120s\": it cannot "
                           "say what callers would find with it",
                           wanted->probes, name_of(layout, models[i]));
    hl_arena_free(arena);
    return code;
}

/* ---- steps ---- */

static void take_settings(struct hl_rollout *next, const struct hl_rollout *wanted)
{
    memcpy(next->probes, wanted->probes, sizeof next->probes);
    next->gate = wanted->gate;
    next->guard = wanted->guard;
    next->sample = wanted->sample;
    next->ttl_s = wanted->ttl_s;
}

static void begin_anew(struct hl_rollout *next, const struct hl_rollout *wanted)
{
    if (next->stage == HL_STAGE_LIVE)
        next->model = next->to;
    next->number++;
    next->stage = HL_STAGE_SHADOW;
    next->from = wanted->from;
    next->to = wanted->to;
    next->percent = 0;
    next->baseline = (struct hl_baseline){.n = 0};
    hl_moment_now(next->began_at);
    take_settings(next, wanted);
}

/* A PUT: of what stands, of other settings, or of a new rollout. */
static enum hl_code put(struct stepping *stepping, struct hl_rollout *next,
                        struct hl_err *err)
{
    const struct hl_rollout *wanted = stepping->order->wanted, *now = &stepping->now;
    const bool is_same =
        hl_rollout_is_running(now) && now->from == wanted->from && now->to == wanted->to;
    enum hl_code code;

    if (is_same && hl_rollout_is_set_as(now, wanted))
        return HL_OK;
    if (is_same && now->stage == HL_STAGE_SHADOW) {
        stepping->what = "change";
        take_settings(next, wanted);
        return check_probes(stepping, err);
    }
    if (hl_rollout_is_running(now) &&
        (now->stage != HL_STAGE_LIVE || now->to != wanted->from))
        return refuse_step(stepping, err);
    code = check_models(stepping, err);
    if (code == HL_OK)
        code = check_probes(stepping, err);
    if (code != HL_OK)
        return code;
    stepping->what = action_names[HL_ROLLOUT_START];
    begin_anew(next, wanted);
    return HL_OK;
}

static void move(struct stepping *stepping, struct hl_rollout *next, enum hl_stage stage,
                 double percent)
{
    stepping->what = action_names[stepping->order->action];
    if (stage == HL_STAGE_NONE && next->stage == HL_STAGE_LIVE)
        next->model = next->to;
    next->stage = stage;
    next->percent = percent;
    if (stepping->order->baseline)
        next->baseline = *stepping->order->baseline;
}

static bool is_step(const struct hl_rollout *now, enum hl_rollout_action action)
{
    const struct hl_rollout_next *nexts;
    const size_t n = hl_rollout_nexts(now, &nexts);
    bool is = false;

    for (size_t i = 0; i < n && !is; i++)
        is = nexts[i].action == action;
    return is;
}

/* `stepping->what` stays NULL where it is so already. */
static enum hl_code take_step(struct stepping *stepping, struct hl_rollout *next,
                              struct hl_err *err)
{
    static const enum hl_stage goals[HL_N_ROLLOUT_ACTIONS] = {
        [HL_ROLLOUT_ADVANCE] = HL_STAGE_CANARY,  [HL_ROLLOUT_PROMOTE] = HL_STAGE_LIVE,
        [HL_ROLLOUT_ROLLBACK] = HL_STAGE_SHADOW, [HL_ROLLOUT_ABORT] = HL_STAGE_ABORTED,
        [HL_ROLLOUT_END] = HL_STAGE_NONE,
    };
    const enum hl_stage goal = goals[stepping->order->action];
    double percent = goal == HL_STAGE_LIVE ? 100 : 0;

    if (stepping->order->action == HL_ROLLOUT_START)
        return put(stepping, next, err);
    if (!is_step(next, stepping->order->action))
        return refuse_step(stepping, err);
    if (goal == HL_STAGE_CANARY)
        percent = round(stepping->order->percent * 100) / 100;
    if (next->stage != goal || percent < next->percent || percent > next->percent)
        move(stepping, next, goal, percent);
    return HL_OK;
}

static enum hl_code tell(struct hl_writing *writing, const struct stepping *stepping,
                         const struct hl_rollout *next, struct hl_err *err)
{
    return hl_rollout_tell(writing,
                           &(struct hl_rollout_step){.what = stepping->what,
                                                     .before = &stepping->now,
                                                     .after = next,
                                                     .order = stepping->order},
                           err);
}

/* The record, the event, and what is published. */
static enum hl_code commit_step(struct hl_writing *writing, const struct stepping *stepping,
                                struct hl_rollout *next, struct hl_err *err)
{
    uint64_t number;
    enum hl_code code;

    next->step++;
    if (next->stage != stepping->now.stage || next->number != stepping->now.number)
        next->stage_step = next->step;
    hl_moment_now(next->changed_at);
    (void)snprintf(next->changed_by, sizeof next->changed_by, "%s",
                   stepping->order->by ? stepping->order->by : "");
    code = hl_rollout_save(writing, next, err);
    if (code == HL_OK)
        code = tell(writing, stepping, next, err);
    return code == HL_OK ? hl_plans_publish(writing, &number, err) : code;
}

enum hl_code hl_rollout_change(struct hl_writing *writing,
                               const struct hl_rollout_order *order,
                               struct hl_rollout *ret_rollout, struct hl_err *err)
{
    struct stepping stepping = {.order = order, .inside = hl_holdings_inside(writing)};
    struct hl_rollout next;
    enum hl_code code = hl_rollout_load(stepping.inside.reader, &stepping.now, err);

    if (code == HL_OK)
        code = check_expected(&stepping, err);
    if (code != HL_OK)
        return code;
    next = stepping.now;
    if (order->action == HL_ROLLOUT_NOTE) {
        stepping.what = order->what;
        code = tell(writing, &stepping, &next, err);
    } else {
        code = take_step(&stepping, &next, err);
        if (code == HL_OK && stepping.what)
            code = commit_step(writing, &stepping, &next, err);
    }
    if (code == HL_OK)
        *ret_rollout = next;
    return code;
}

/* ---- what it keeps others from ---- */

static enum hl_code load_running(const struct hl_holdings *holdings,
                                 struct hl_rollout *ret_rollout, bool *ret_is_running,
                                 struct hl_err *err)
{
    enum hl_code code = hl_rollout_load(holdings->reader, ret_rollout, err);

    if (code == HL_OK)
        *ret_is_running = hl_rollout_is_running(ret_rollout);
    return code;
}

/* How it ends, by its stage. */
static const char *way_out(const struct hl_rollout *rollout)
{
    return rollout->stage == HL_STAGE_LIVE     ? "DELETE the rollout"
           : rollout->stage == HL_STAGE_SHADOW ? "abort it"
                                               : "roll it back and abort it";
}

static enum hl_code refuse_while_running(const struct hl_rollout *rollout,
                                         const struct hl_layout *layout, const char *what,
                                         struct hl_err *err)
{
    char words[HL_ROLLOUT_WORDS];

    hl_rollout_describe(rollout, layout, words);
    return hl_fail(err, HL_CONFLICT, "%s, which needs %s: %s first", words, what,
                   way_out(rollout));
}

enum hl_code hl_rollout_check_model(const struct hl_holdings *holdings, uint32_t space,
                                    struct hl_err *err)
{
    struct hl_rollout rollout;
    bool is_running;
    enum hl_code code = load_running(holdings, &rollout, &is_running, err);

    if (code != HL_OK)
        return code;
    if (is_running && (rollout.from == space || rollout.to == space))
        return refuse_while_running(&rollout, holdings->layout, "this vector", err);
    if (rollout.model == space && space != 0)
        return hl_fail(err, HL_CONFLICT,
                       "callers are routed to this vector since a rollout to it: another "
                       "rollout has to move them first");
    return HL_OK;
}

/* By what is active a query of `model` comes to the points of `other` over the bridge. */
static bool leads_over(const struct hl_activations *activations, uint32_t model,
                       uint32_t other, const struct hl_hop *bridge)
{
    const struct hl_trail trail = hl_reach_trail(activations, model, other);

    for (size_t i = 0; i < trail.n_hops; i++)
        if (trail.hops[i].from == bridge->from && trail.hops[i].to == bridge->to)
            return true;
    return false;
}

enum hl_code hl_rollout_check_pair(const struct hl_holdings *holdings, uint32_t from,
                                   uint32_t to, struct hl_err *err)
{
    const struct hl_hop bridge = {.from = from, .to = to};
    struct hl_activations activations;
    struct hl_rollout rollout;
    bool is_running, is_needed;
    enum hl_code code = load_running(holdings, &rollout, &is_running, err);

    if (code != HL_OK || !is_running)
        return code;
    code = hl_activations_load(holdings->reader, &activations, err);
    if (code != HL_OK)
        return code;
    is_needed = (rollout.from == from && rollout.to == to) ||
                (rollout.from == to && rollout.to == from) ||
                leads_over(&activations, rollout.to, rollout.from, &bridge) ||
                leads_over(&activations, rollout.from, rollout.to, &bridge);
    return is_needed ? refuse_while_running(&rollout, holdings->layout,
                                            "this bridge as it is", err)
                     : HL_OK;
}

enum hl_code hl_rollout_check_probes(const struct hl_holdings *holdings, const char *probes,
                                     struct hl_err *err)
{
    struct hl_rollout rollout;
    bool is_running;
    enum hl_code code = load_running(holdings, &rollout, &is_running, err);

    if (code != HL_OK || !is_running || strcmp(rollout.probes, probes) != 0)
        return code;
    return refuse_while_running(&rollout, holdings->layout, "this set of probes", err);
}
