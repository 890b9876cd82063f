/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rollout_calls.h"

#include "proto/model_name.h"
#include "server/body.h"
#include "server/change.h"
#include "server/coverage.h"
#include "server/gate.h"
#include "server/overseer.h"
#include "server/rollout_body.h"
#include "server/rollout_events.h"
#include "server/server.h"

#include <stdio.h>

/* ---- looking ---- */

static enum hl_code show(struct hl_server *server, struct hl_request *request,
                         const struct hl_holdings *holdings, struct hl_reply *reply,
                         struct hl_err *err)
{
    struct hl_rollout rollout;
    enum hl_code code = hl_rollout_load(holdings->reader, &rollout, err);

    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_buf_add_char(&reply->body, '{');
    hl_rollout_show(&rollout, holdings->layout, request->params[0].data, &reply->body);
    hl_buf_add_text(&reply->body, ",\"comparison\":");
    if (rollout.number > 0)
        hl_overseer_print(server->overseer, holdings->collection, &rollout, &reply->body);
    else
        hl_buf_add_text(&reply->body, "null");
    hl_buf_add_char(&reply->body, '}');
    return hl_reply_end(reply, request, err);
}

enum hl_code hl_rollout_call_get(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    return hl_holdings_reply(server, request, reply, show, err);
}

enum hl_code hl_rollout_call_events(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err)
{
    struct hl_holdings holdings;
    uint32_t since = 0, limit = 100;
    enum hl_code code = hl_param_count(request, "since", 0, &since, err);

    if (code == HL_OK)
        code = hl_param_count(request, "limit", 1, &limit, err);
    if (code == HL_OK)
        code = hl_holdings_open(server, &request->params[0], &holdings, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    code = hl_rollout_events_print(holdings.reader, since, limit, &reply->body, err);
    hl_holdings_close(&holdings);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

/* ---- steps ---- */

enum { LARGEST_SHOWN = 64 << 10, LARGEST_FIGURES = 1 << 20 };

struct step_call {
    struct hl_pending pending; /* first */
    struct hl_server *server;
    struct hl_rollout_body body;
    struct hl_rollout_order order;
    struct hl_rollout wanted, got;
    uint32_t whole[2]; /* the models that order.is_whole would be said of; 0: it is not */
    bool is_step;      /* else it stood so already */
    struct hl_buf shown;
    struct hl_buf figures; /* the gate's */
    struct hl_span figures_span;
    struct hl_baseline baseline;
};

static void let_go(struct hl_pending *pending)
{
    struct step_call *self = (struct step_call *)pending;

    hl_buf_done(&self->shown);
    hl_buf_done(&self->figures);
}

static void print_shown(const struct hl_pending *pending, struct hl_buf *buf)
{
    const struct step_call *self = (const struct step_call *)pending;

    hl_buf_add(buf, self->shown.data, self->shown.len);
}

static void log_step(struct hl_pending *pending)
{
    const struct step_call *self = (const struct step_call *)pending;
    const struct hl_request *request = pending->request;
    char percent[16];

    if (!self->is_step)
        return;
    (void)snprintf(percent, sizeof percent, "%g", self->got.percent);
    hl_log(self->server->log, HL_LOG_INFO, hl_log_event("rollout"),
           hl_log_text("collection", request->params[0].data),
           hl_log_u64("rollout", self->got.number), hl_log_u64("step", self->got.step),
           hl_log_word("stage", hl_stage_name(self->got.stage)),
           hl_log_word("percent", percent), hl_log_text("by", request->key),
           hl_log_text("why", self->order.why ? self->order.why : ""));
}

/* In the change, so that a model cannot become another one between. */
static enum hl_code find_models(struct step_call *self, const struct hl_holdings *inside,
                                struct hl_err *err)
{
    const struct hl_rollout_body *body = &self->body;
    const struct hl_span from = {body->from.text, body->from.len};
    const struct hl_span to = {body->to.text, body->to.len};
    struct hl_model old, new;
    enum hl_code code;

    if (self->order.action != HL_ROLLOUT_START)
        return HL_OK;
    code = hl_holdings_model(inside, &from, &old, err);
    if (code == HL_OK)
        code = hl_holdings_model(inside, &to, &new, err);
    if (code != HL_OK)
        return code;
    self->wanted = body->settings;
    self->wanted.from = old.space;
    self->wanted.to = new.space;
    self->order.wanted = &self->wanted;
    self->order.is_whole = self->whole[0] == old.space && self->whole[1] == new.space;
    return HL_OK;
}

/* It may be run again, after a change before it failed. */
static enum hl_code run_step(struct hl_pending *pending, struct hl_writing *writing,
                             struct hl_err *err)
{
    struct step_call *self = (struct step_call *)pending;
    const struct hl_holdings before = hl_holdings_inside(writing);
    struct hl_rollout was;
    enum hl_code code = find_models(self, &before, err);

    if (code == HL_OK)
        code = hl_rollout_load(before.reader, &was, err);
    if (code == HL_OK)
        code = hl_rollout_change(writing, &self->order, &self->got, err);
    if (code != HL_OK)
        return code;
    self->is_step = was.step != self->got.step;
    hl_buf_clear(&self->shown, 0);
    hl_buf_add_char(&self->shown, '{');
    hl_rollout_show(&self->got, hl_writing_layout(writing),
                    pending->request->params[0].data, &self->shown);
    hl_buf_add_char(&self->shown, '}');
    return hl_buf_check(&self->shown, "the reply", err);
}

static enum hl_code read_body(struct step_call *self, struct hl_request *request,
                              struct hl_err *err)
{
    const enum hl_rollout_action action = self->order.action;
    struct hl_body body;
    enum hl_code code = HL_OK;

    hl_body_begin(request, &body);
    if (action == HL_ROLLOUT_START)
        code = hl_rollout_body_read(&body.root, &self->body, err);
    else if (request->body.len > 0 || action == HL_ROLLOUT_ADVANCE)
        code = hl_rollout_step_read(&body.root, action, &self->body, err);
    else
        return HL_OK;
    code = hl_body_end(&body, code, err);
    if (code != HL_OK || !self->body.why.text)
        return code;
    self->order.why =
        hl_arena_copy(request->arena, self->body.why.text, self->body.why.len);
    return self->order.why ? HL_OK : hl_arena_fail(request->arena, err, "a reason");
}

/* The names of models are looked up as texts that end. */
static enum hl_code keep_names(struct step_call *self, struct hl_request *request,
                               struct hl_err *err)
{
    struct hl_text *names[] = {&self->body.from, &self->body.to};

    for (size_t i = 0; i < 2; i++) {
        if (!names[i]->text)
            continue;
        names[i]->text = hl_arena_copy(request->arena, names[i]->text, names[i]->len);
        if (!names[i]->text)
            return hl_arena_fail(request->arena, err, "the name of a model");
    }
    return HL_OK;
}

/* ---- before a rollout begins ---- */

/* What is written from here on may change it, as it may once the rollout runs. */
static enum hl_code count_left(struct step_call *self, struct hl_collection *collection,
                               struct hl_err *err)
{
    const struct hl_look_wish wish = {.n_filters = 0};
    const struct hl_text names[] = {hl_model_meant_by(&self->body.from),
                                    hl_model_meant_by(&self->body.to)};
    const struct hl_space *from, *to;
    struct hl_holdings now = {.collection = collection};
    uint64_t left = 1;
    enum hl_code code = hl_look_open(collection, &wish, &now.look, err);

    if (code != HL_OK)
        return code;
    now.layout = hl_look_layout(now.look);
    from = hl_layout_find(now.layout, &names[0]);
    to = hl_layout_find(now.layout, &names[1]);
    if (from && to && hl_look_n_points(now.look) > 0)
        code = hl_coverage_left(&now, from->id, to->id, &left, err);
    if (code == HL_OK && left == 0) {
        self->whole[0] = from->id;
        self->whole[1] = to->id;
    }
    hl_look_close(now.look);
    return code;
}

static enum hl_code look_at_points(struct step_call *self, const struct hl_request *request,
                                   struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code = hl_collections_acquire(self->server->collections,
                                               &request->params[0], &collection, err);

    if (code == HL_OK)
        code = count_left(self, collection, err);
    hl_collection_unref(collection);
    return code;
}

/* ---- the gate ---- */

/* More callers than before will see the new model; where the step is none, the change says
 * so. */
static bool needs_gate(const struct step_call *self, const struct hl_rollout *rollout)
{
    const enum hl_rollout_action action = self->order.action;

    return (self->body.expect == 0 || self->body.expect == rollout->step) &&
           ((action == HL_ROLLOUT_ADVANCE && rollout->stage == HL_STAGE_SHADOW) ||
            (action == HL_ROLLOUT_PROMOTE && rollout->stage == HL_STAGE_CANARY));
}

/* What was measured goes with the step, which is for the rollout that it was measured for.
 */
static enum hl_code pass_gate(struct step_call *self, struct hl_collection *collection,
                              const struct hl_request *request,
                              const struct hl_rollout *rollout, struct hl_err *err)
{
    struct hl_gate_task task = {.server = self->server,
                                .collection = collection,
                                .from = rollout->from,
                                .to = rollout->to,
                                .gates = &rollout->gate,
                                .probes = rollout->probes,
                                .by = request->key,
                                .guard = &rollout->guard,
                                .errand = {.deadline = &request->deadline}};
    struct hl_trial trial = {.number = 0};
    const struct hl_counts *shadow = hl_trial_counts(&trial, HL_STAGE_SHADOW);
    const struct hl_guard_facts facts = {
        .rollout = rollout, .first = hl_trial_first(&trial), .shadow = shadow};
    enum hl_code code;

    hl_overseer_count(self->server->overseer, collection, rollout, &trial);
    task.shadow =
        (struct hl_baseline){shadow->flips[0] + shadow->flips[1], shadow->flips[1]};
    task.facts = &facts;
    code = hl_gate_check(&task, &self->figures, &self->baseline, err);
    if (code == HL_GATE_UNMET && self->body.is_forced) {
        self->order.is_forced = true;
        code = HL_OK;
    }
    if (code != HL_OK)
        return code;
    self->figures_span = (struct hl_span){self->figures.data, self->figures.len};
    self->order.figures = &self->figures_span;
    self->order.baseline = &self->baseline;
    self->order.expect = rollout->step;
    return HL_OK;
}

/* On a reader. */
static enum hl_code check_gate(struct step_call *self, struct hl_request *request,
                               struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    struct hl_holdings holdings;
    struct hl_rollout rollout;
    enum hl_code code = hl_collections_acquire(self->server->collections,
                                               &request->params[0], &collection, err);

    if (code == HL_OK)
        code = hl_holdings_look(collection, &holdings, err);
    if (code == HL_OK) {
        code = hl_rollout_load(holdings.reader, &rollout, err);
        hl_holdings_close(&holdings); /* looks are short, and probes take long */
        if (code == HL_OK && needs_gate(self, &rollout))
            code = pass_gate(self, collection, request, &rollout, err);
    }
    hl_collection_unref(collection);
    return code;
}

/* ---- from the request to the change ---- */

static enum hl_code prepare(struct step_call *self, struct hl_request *request,
                            struct hl_err *err)
{
    const enum hl_rollout_action action = self->order.action;
    enum hl_code code = read_body(self, request, err);

    if (code == HL_OK)
        code = keep_names(self, request, err);
    if (code != HL_OK)
        return code;
    self->order.expect = self->body.expect;
    self->order.percent = self->body.percent;
    if (action == HL_ROLLOUT_START)
        return look_at_points(self, request, err);
    return action == HL_ROLLOUT_ADVANCE || action == HL_ROLLOUT_PROMOTE
               ? check_gate(self, request, err)
               : HL_OK;
}

static enum hl_code begin_step(struct hl_server *server, struct hl_request *request,
                               enum hl_rollout_action action, struct hl_err *err)
{
    struct step_call *self = hl_arena_alloc(request->arena, sizeof *self);
    enum hl_code code;

    if (!self)
        return hl_arena_fail(request->arena, err, "a step of a rollout");
    *self = (struct step_call){.pending = {.run = run_step,
                                           .print = print_shown,
                                           .committed = log_step,
                                           .let_go = let_go},
                               .server = server,
                               .order = {.action = action, .by = request->key}};
    hl_buf_init(&self->shown, LARGEST_SHOWN);
    hl_buf_init(&self->figures, LARGEST_FIGURES);
    code = prepare(self, request, err);
    if (code == HL_OK)
        code = hl_pending_park(server, request, &self->pending, err);
    if (code != HL_OK)
        let_go(&self->pending);
    return code;
}

enum hl_code hl_rollout_call_put(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    (void)reply;
    return begin_step(server, request, HL_ROLLOUT_START, err);
}

enum hl_code hl_rollout_call_advance(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err)
{
    (void)reply;
    return begin_step(server, request, HL_ROLLOUT_ADVANCE, err);
}

enum hl_code hl_rollout_call_promote(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err)
{
    (void)reply;
    return begin_step(server, request, HL_ROLLOUT_PROMOTE, err);
}

enum hl_code hl_rollout_call_rollback(struct hl_server *server, struct hl_request *request,
                                      struct hl_reply *reply, struct hl_err *err)
{
    (void)reply;
    return begin_step(server, request, HL_ROLLOUT_ROLLBACK, err);
}

enum hl_code hl_rollout_call_abort(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err)
{
    (void)reply;
    return begin_step(server, request, HL_ROLLOUT_ABORT, err);
}

enum hl_code hl_rollout_call_delete(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err)
{
    (void)reply;
    return begin_step(server, request, HL_ROLLOUT_END, err);
}
