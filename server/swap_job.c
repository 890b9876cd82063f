/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/alloc.h"
#include "proto/encode.h"
#include "server/activate.h"
#include "server/bridge_learn.h"
#include "server/change.h"
#include "server/gate.h"
#include "server/server.h"
#include "server/snapshots.h"
#include "server/swap.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A swap as a job. Each step looks at what is so, does what is not, and records it: in the
 * commit that does it, where one does. */
enum { JOB_MEMORY = 8 << 20, LARGEST_FIGURES = 1 << 20, PHASE = 64 };

struct swapping {
    struct hl_work work; /* first */
    struct hl_server *server;
    struct hl_collection *collection;
    struct hl_arena *arena; /* texts, the body, and the record's */
    struct hl_span name;    /* of the collection, as it was asked for */
    const char *by;
    struct hl_swap_order order;
    struct hl_swap swap; /* as it is recorded */

    /* Of the step that is done. */
    const struct hl_errand *errand;
    enum hl_swap_step step;
    struct hl_bridge_pair pair; /* from the new model to the old one */
};

/* ---- recording ---- */

static enum hl_code save(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct swapping *job = self;

    hl_moment_now(job->swap.changed_at);
    return hl_swap_save(writing, &job->swap, err);
}

static enum hl_code record(struct swapping *job, struct hl_err *err)
{
    return hl_pending_run_now(job->collection, save, job, err);
}

/* What was done for another order is worth nothing for this one. */
static enum hl_code begin_anew(struct swapping *job, const struct hl_swap *old,
                               struct hl_err *err)
{
    if (old->is_there && !old->is_over && !job->order.is_anew)
        return hl_fail(err, HL_CONFLICT,
                       "another swap was begun meanwhile and is not over: send its body "
                       "again, or this one with \"anew\":true");
    job->swap = (struct hl_swap){.is_there = true};
    hl_moment_now(job->swap.began_at);
    return HL_OK;
}

static bool is_same(const struct swapping *job, const struct hl_swap *old)
{
    const struct hl_span *fit = &job->order.fit;

    return old->is_there && old->from == job->pair.to.space &&
           old->to == job->pair.from.space && old->fit.len == fit->len &&
           memcmp(old->fit.data, fit->data, fit->len) == 0;
}

static enum hl_code begin_record(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct swapping *job = self;
    struct hl_swap old;
    enum hl_code code =
        hl_swap_load(hl_store_inside(hl_writing_store(writing)), job->arena, &old, err);

    if (code != HL_OK)
        return code;
    job->swap = old;
    if (!is_same(job, &old) || job->order.is_anew)
        code = begin_anew(job, &old, err);
    if (code != HL_OK)
        return code;
    job->swap.from = job->pair.to.space;
    job->swap.to = job->pair.from.space;
    job->swap.asked = job->order.asked;
    job->swap.fit = job->order.fit;
    job->swap.stop_at = job->order.stop_at;
    job->swap.is_over = false;
    job->swap.is_stopped = false;
    (void)snprintf(job->swap.by, sizeof job->swap.by, "%s", job->by);
    return save(job, writing, err);
}

/* ---- steps ---- */

static void tell(struct swapping *job, const char *phase, double progress)
{
    static const struct {
        double begin, end;
    } shares[HL_N_SWAP_STEPS] = {[HL_SWAP_SNAPSHOT] = {0, .05},
                                 [HL_SWAP_FIT] = {.05, .75},
                                 [HL_SWAP_GATE] = {.75, .76},
                                 [HL_SWAP_ACTIVATE] = {.76, .95},
                                 [HL_SWAP_SHADOW] = {.95, 1}};
    const double begin = shares[job->step].begin, end = shares[job->step].end;
    char text[PHASE];

    if (!job->errand->tell)
        return;
    (void)snprintf(text, sizeof text, "%s%s%.40s", hl_swap_step_name(job->step),
                   phase[0] ? ": " : "", phase);
    job->errand->tell(job->errand->self, text, begin + (end - begin) * progress);
}

static void tell_step(void *self, const char *phase, double progress)
{
    tell(self, phase, progress);
}

static enum hl_code take_snapshot(struct swapping *job, struct hl_err *err)
{
    struct hl_snapshot_place place;
    enum hl_code code = hl_snapshots_take(job->server, job->collection, &job->name,
                                          job->errand->deadline, &place, err);

    if (code != HL_OK)
        return code;
    memcpy(job->swap.snapshot, place.name, sizeof job->swap.snapshot);
    return record(job, err);
}

/* With the bridge, in its commit. What an earlier one came to says nothing of it. */
static enum hl_code note_revision(void *self, struct hl_writing *writing, uint64_t revision,
                                  struct hl_err *err)
{
    struct swapping *job = self;

    job->swap.revision = revision;
    job->swap.gate = (struct hl_span){NULL, 0};
    job->swap.figures = (struct hl_span){NULL, 0};
    return save(job, writing, err);
}

static struct hl_bridge_ask ask_of(const struct swapping *job, const struct hl_span *body)
{
    return (struct hl_bridge_ask){.server = job->server,
                                  .collection = job->name,
                                  .from = {job->order.to.text, job->order.to.len},
                                  .to = {job->order.from.text, job->order.from.len},
                                  .body = *body,
                                  .deadline = job->errand->deadline};
}

static enum hl_code learn(struct swapping *job, struct hl_err *err)
{
    const struct hl_learning_order order = {
        .ask = ask_of(job, &job->order.fit), .added = note_revision, .self = job};
    const struct hl_errand errand = {job->errand->deadline, tell_step, job};
    struct hl_swap before = job->swap;
    struct hl_work *work = NULL;
    struct hl_buf shown;
    enum hl_code code = hl_learning_new(&order, &work, err);

    if (code != HL_OK)
        return code;
    hl_buf_init(&shown, (size_t)64 << 20);
    code = work->run(work, &errand, &shown, err);
    work->free(work);
    hl_buf_done(&shown); /* the bridge keeps its report */
    if (code != HL_OK)
        job->swap = before;
    return code;
}

/* HL_GATE_UNMET with the figures, which are kept in either case. */
static enum hl_code ask_gate(struct swapping *job, const char *probes, struct hl_err *err)
{
    const struct hl_gate_task task = {.server = job->server,
                                      .collection = job->collection,
                                      .from = job->pair.to.space,
                                      .to = job->pair.from.space,
                                      .revision = job->swap.revision,
                                      .gates = &job->order.wanted.gate,
                                      .probes = probes,
                                      .by = job->by,
                                      .errand = {job->errand->deadline, tell_step, job}};
    struct hl_baseline baseline;
    struct hl_buf figures;
    enum hl_code code;

    hl_buf_init(&figures, LARGEST_FIGURES);
    code = hl_gate_check(&task, &figures, &baseline, err);
    if ((code == HL_OK || code == HL_GATE_UNMET) && figures.failed == HL_OK) {
        const char *kept = hl_arena_copy(job->arena, figures.data, figures.len);

        job->swap.figures = (struct hl_span){kept, kept ? figures.len : 0};
    }
    hl_buf_done(&figures);
    return code;
}

static enum hl_code pass_gate(struct swapping *job, struct hl_err *err)
{
    enum hl_code code = ask_gate(job, NULL, err);

    if (code != HL_OK)
        return code;
    job->swap.gate = job->order.gate;
    return record(job, err);
}

static enum hl_code activate(struct swapping *job, struct hl_err *err)
{
    const struct hl_span *serving = &job->order.serving; /* `{}` at least */
    const char *body =
        hl_arena_print(job->arena, "{\"revision\":%" PRIu64 "%s%s", job->swap.revision,
                       serving->len > 2 ? "," : "", serving->data + 1);
    const struct hl_span span = {body, body ? strlen(body) : 0};
    const struct hl_bridge_ask ask = ask_of(job, &span);
    const struct hl_job_order order = {
        .kind = "activate", .collection = job->name.data, .request = body};
    struct hl_work *work = NULL;
    enum hl_code code;

    if (!body)
        return hl_arena_fail(job->arena, err, "an activation");
    code = hl_activating_new(&ask, true, &work, err);
    return code == HL_OK
               ? hl_jobs_do(job->server->jobs, &order, work, job->errand->deadline, err)
               : code;
}

/* The rollout, and that it is this swap's. */
static enum hl_code start(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct swapping *job = self;
    const struct hl_rollout_order order = {.action = HL_ROLLOUT_START,
                                           .wanted = &job->order.wanted,
                                           .by = job->by,
                                           .why = "a swap"};
    struct hl_rollout rollout;
    enum hl_code code = hl_rollout_change(writing, &order, &rollout, err);

    if (code != HL_OK)
        return code;
    job->swap.rollout = rollout.number;
    return save(job, writing, err);
}

static enum hl_code start_rollout(struct swapping *job, struct hl_err *err)
{
    const char *probes = job->order.wanted.probes;
    enum hl_code code = probes[0] ? ask_gate(job, probes, err) : HL_OK;

    job->order.wanted.from = job->pair.to.space;
    job->order.wanted.to = job->pair.from.space;
    return code == HL_OK ? hl_pending_run_now(job->collection, start, job, err) : code;
}

/* ---- the job ---- */

static enum hl_code look(struct swapping *job, const struct hl_deadline *deadline,
                         struct hl_swap_state *state, struct hl_err *err)
{
    const struct hl_swap_look look = {.server = job->server,
                                      .name = &job->name,
                                      .order = &job->order,
                                      .deadline = deadline,
                                      .arena = job->arena};
    struct hl_collection *now = NULL;
    enum hl_code code =
        hl_collections_acquire(job->server->collections, &job->name, &now, err);

    if (code == HL_OK && now != job->collection)
        code =
            hl_fail(err, HL_CONFLICT,
                    "another collection has taken the place of \"%.120s\"", job->name.data);
    hl_collection_unref(now);
    return code == HL_OK ? hl_swap_look(&look, state, err) : code;
}

static enum hl_code do_step(struct swapping *job, struct hl_err *err)
{
    static enum hl_code (*const steps[HL_N_SWAP_STEPS])(
        struct swapping * job, struct hl_err * err) = {[HL_SWAP_SNAPSHOT] = take_snapshot,
                                                       [HL_SWAP_FIT] = learn,
                                                       [HL_SWAP_GATE] = pass_gate,
                                                       [HL_SWAP_ACTIVATE] = activate,
                                                       [HL_SWAP_SHADOW] = start_rollout};
    struct hl_swap_state state;
    enum hl_code code = hl_deadline_check(job->errand->deadline, "a swap", err);

    tell(job, "", 0);
    if (code == HL_OK)
        code = look(job, job->errand->deadline, &state, err);
    if (code != HL_OK || state.is_done[job->step])
        return code;
    if (!state.has_models)
        return hl_fail(err, HL_CONFLICT, "a model of the swap was deleted meanwhile");
    job->pair = state.pair;
    return steps[job->step](job, err);
}

/* Why it stopped, for who asks later: the job is forgotten one day. That it was cancelled
 * is nothing that is in the way. */
static void note_stop(struct swapping *job, const struct hl_err *why)
{
    struct hl_err err;

    if (why->code == HL_CANCELLED || why->code == HL_UNAVAILABLE)
        return;
    job->swap.is_stopped = true;
    job->swap.stopped_at = job->step;
    job->swap.why = *why;
    if (record(job, &err) != HL_OK)
        hl_log(job->server->log, HL_LOG_WARN, hl_log_event("swap_not_recorded"),
               hl_log_text("collection", job->name.data), hl_log_error(&err));
}

/* When it is asked for, and when its turn has come: another job may have done some of it.
 */
static enum hl_code begin(struct swapping *job, const struct hl_deadline *deadline,
                          struct hl_err *err)
{
    struct hl_swap_state state;
    enum hl_code code = look(job, deadline, &state, err);

    if (code == HL_OK && !state.has_models)
        code = hl_fail(err, HL_CONFLICT, "a model of the swap was deleted meanwhile");
    if (code != HL_OK)
        return code;
    job->pair = state.pair;
    code = hl_pending_run_now(job->collection, begin_record, job, err);
    job->order.is_anew = false; /* it has begun */
    return code;
}

static enum hl_code do_all(struct swapping *job, struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (unsigned i = 0; code == HL_OK && i <= job->order.stop_at; i++) {
        job->step = (enum hl_swap_step)i;
        code = do_step(job, err);
        if (code == HL_OK)
            hl_log(job->server->log, HL_LOG_INFO, hl_log_event("swap_step"),
                   hl_log_text("collection", job->name.data),
                   hl_log_word("step", hl_swap_step_name(job->step)));
    }
    if (code == HL_OK) {
        job->swap.is_over = true;
        code = record(job, err);
    }
    if (code != HL_OK)
        note_stop(job, err);
    return code;
}

static enum hl_code print_end(struct swapping *job, struct hl_buf *result,
                              struct hl_err *err)
{
    struct hl_swap_look look = {.server = job->server,
                                .name = &job->name,
                                .deadline = job->errand->deadline,
                                .arena = job->arena};
    struct hl_swap_state state;
    enum hl_code code = hl_swap_look(&look, &state, err);

    if (code != HL_OK)
        return code;
    state.job = 0; /* this one, which is over with it */
    return hl_swap_print(&state, result, err);
}

static enum hl_code run(struct hl_work *work, const struct hl_errand *errand,
                        struct hl_buf *result, struct hl_err *err)
{
    struct swapping *job = (struct swapping *)work;
    enum hl_code code;

    job->errand = errand;
    code = begin(job, errand->deadline, err);
    if (code == HL_OK)
        code = do_all(job, err);
    return code == HL_OK ? print_end(job, result, err) : code;
}

static void free_swapping(struct hl_work *work)
{
    struct swapping *job = (struct swapping *)work;

    hl_collection_unref(job->collection);
    hl_arena_free(job->arena);
    hl_free(job);
}

/* ---- beginning ---- */

static enum hl_code copy_span(struct hl_arena *arena, const struct hl_span *span,
                              struct hl_span *ret_copy, struct hl_err *err)
{
    const char *copy = hl_arena_copy(arena, span->data, span->len);

    if (!copy)
        return hl_arena_fail(arena, err, "a swap");
    *ret_copy = (struct hl_span){copy, span->len};
    return HL_OK;
}

static enum hl_code keep_task(struct swapping *job, const struct hl_swap_task *task,
                              struct hl_err *err)
{
    const struct hl_span by = {task->by, strlen(task->by)};
    struct hl_span body = {NULL, 0}, key = {NULL, 0};
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code = copy_span(job->arena, task->name, &job->name, err);

    if (code == HL_OK)
        code = copy_span(job->arena, &by, &key, err);
    if (code == HL_OK)
        code = copy_span(job->arena, task->body, &body, err);
    if (code != HL_OK)
        return code;
    job->by = key.data;
    hl_tokens_init(&tokens, body.data, body.len, job->arena);
    root = hl_field_root(&tokens);
    return hl_swap_order_read(&root, &job->order, err);
}

enum hl_code hl_swap_new(const struct hl_swap_task *task, struct hl_work **ret_work,
                         struct hl_err *err)
{
    struct swapping *job = hl_alloc_zeroed(1, sizeof *job);
    enum hl_code code;

    if (!job)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    job->work = (struct hl_work){run, free_swapping, false};
    job->server = task->server;
    job->arena = hl_arena_new(JOB_MEMORY);
    code = job->arena ? keep_task(job, task, err)
                      : hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    if (code == HL_OK)
        code = hl_collections_acquire(task->server->collections, task->name,
                                      &job->collection, err);
    if (code == HL_OK)
        code = begin(job, task->deadline, err);
    if (code == HL_OK)
        *ret_work = &job->work;
    else
        free_swapping(&job->work);
    return code;
}
