/* SPDX-License-Identifier: Apache-2.0 */
#include "server/drift_calls.h"

#include "server/body.h"
#include "server/change.h"
#include "server/drift.h"
#include "server/server.h"

#include <string.h>

enum { LARGEST_SHOWN = 4 << 20 };

struct drift_change {
    struct hl_pending pending; /* first */
    struct hl_server *server;
    struct hl_canary canary;
    bool replaces, is_reference;
    struct hl_drift drift; /* as it was found */
    struct hl_buf shown;
};

static void let_go(struct hl_pending *pending)
{
    hl_buf_done(&((struct drift_change *)pending)->shown);
}

static struct drift_change *new_change(struct hl_server *server, struct hl_request *request,
                                       struct hl_err *err)
{
    struct drift_change *self = hl_arena_alloc(request->arena, sizeof *self);

    if (!self) {
        (void)hl_arena_fail(request->arena, err, "a change of a canary");
        return NULL;
    }
    *self = (struct drift_change){.pending.let_go = let_go, .server = server};
    hl_buf_init(&self->shown, LARGEST_SHOWN);
    return self;
}

static enum hl_code park(struct hl_server *server, struct hl_request *request,
                         struct drift_change *self, struct hl_err *err)
{
    enum hl_code code = hl_pending_park(server, request, &self->pending, err);

    if (code != HL_OK)
        let_go(&self->pending);
    return code;
}

/* ---- putting ---- */

static enum hl_code put(struct hl_pending *pending, struct hl_writing *writing,
                        struct hl_err *err)
{
    struct drift_change *self = (struct drift_change *)pending;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_model model;
    struct hl_drift_order order = {.model = &model,
                                   .canary = &self->canary,
                                   .replaces = self->replaces,
                                   .by = pending->request->key};
    enum hl_code code =
        hl_holdings_model(&inside, &pending->request->params[1], &model, err);

    hl_buf_clear(&self->shown, 0); /* it may be called again */
    if (code == HL_OK)
        code = hl_drift_put(writing, &order, &self->drift, &self->is_reference, err);
    if (code == HL_OK)
        code = hl_drift_print(&inside, &model, &self->shown, err);
    return code == HL_OK ? hl_buf_check(&self->shown, "the reply", err) : code;
}

static void tell(struct hl_pending *pending)
{
    const struct drift_change *self = (const struct drift_change *)pending;
    const struct hl_drift *drift = &self->drift;

    if (self->is_reference)
        return;
    hl_metrics_add(self->server->metrics,
                   drift->is_drifted ? HL_METRIC_CANARY_DRIFTED : HL_METRIC_CANARY_SAME, 1);
    if (drift->is_drifted)
        hl_log(self->server->log, HL_LOG_WARN, hl_log_event("model_drifted"),
               hl_log_text("collection", pending->request->params[0].data),
               hl_log_text("model", pending->request->params[1].data),
               hl_log_u64("photographs", drift->n_compared),
               hl_log_u64("drifted", drift->n_drifted),
               hl_log_text("worst", drift->photograph),
               hl_log_real("distance", drift->worst),
               hl_log_real("tolerance", drift->tolerance));
}

static void print_shown(const struct hl_pending *pending, struct hl_buf *buf)
{
    const struct drift_change *self = (const struct drift_change *)pending;

    hl_buf_add(buf, self->shown.data, self->shown.len);
}

static enum hl_code read_replace(const struct hl_request *request, bool *ret_replaces,
                                 struct hl_err *err)
{
    const char *text = hl_request_query(request, "replace");

    if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return hl_fail(err, HL_MALFORMED,
                       "Format error in query parameters: replace is \"%.40s\", true or "
                       "false was wanted",
                       text);
    *ret_replaces = text && strcmp(text, "true") == 0;
    return HL_OK;
}

enum hl_code hl_drift_call_put(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    struct drift_change *self = new_change(server, request, err);
    struct hl_body body;
    enum hl_code code;

    (void)reply;
    if (!self)
        return err->code;
    code = read_replace(request, &self->replaces, err);
    hl_body_begin(request, &body);
    if (code == HL_OK)
        code = hl_body_end(&body, hl_canary_read(&body.root, &self->canary, err), err);
    if (code != HL_OK)
        return code;
    self->pending.run = put;
    self->pending.committed = tell;
    self->pending.print = print_shown;
    return park(server, request, self, err);
}

/* ---- looking and deleting ---- */

static enum hl_code show(struct hl_server *server, struct hl_request *request,
                         const struct hl_holdings *holdings, struct hl_reply *reply,
                         struct hl_err *err)
{
    struct hl_model model;
    enum hl_code code = hl_holdings_model(holdings, &request->params[1], &model, err);

    (void)server;
    hl_reply_begin(reply);
    if (code == HL_OK)
        code = hl_drift_print(holdings, &model, &reply->body, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_drift_call_get(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    return hl_holdings_reply(server, request, reply, show, err);
}

static enum hl_code remove_canary(struct hl_pending *pending, struct hl_writing *writing,
                                  struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_model model;
    enum hl_code code =
        hl_holdings_model(&inside, &pending->request->params[1], &model, err);

    return code == HL_OK ? hl_drift_remove(writing, &model, err) : code;
}

enum hl_code hl_drift_call_delete(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err)
{
    struct drift_change *self = new_change(server, request, err);

    (void)reply;
    if (!self)
        return err->code;
    self->pending.run = remove_canary;
    self->pending.print = hl_pending_print_true;
    return park(server, request, self, err);
}
