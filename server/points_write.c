/* SPDX-License-Identifier: Apache-2.0 */
#include "server/points_write.h"

#include "proto/write.h"
#include "server/body.h"
#include "server/change.h"
#include "server/gallery_config.h"
#include "server/rollout.h"
#include "server/server.h"

#include <inttypes.h>
#include <stdio.h>

struct write {
    struct hl_pending pending; /* first */
    struct hl_server *server;
    struct hl_losses losses;
    struct hl_write_ops ops;
    struct hl_write_op one;
    bool is_batch;
};

/* Among the events of a rollout, whose figures they change. */
static enum hl_code note_losses(const struct write *write, const struct hl_request *request,
                                struct hl_writing *writing, struct hl_err *err)
{
    char text[96];
    struct hl_span figures = {text, 0};
    const struct hl_rollout_order order = {.action = HL_ROLLOUT_NOTE,
                                           .by = request->key,
                                           .what = "vectors_lost",
                                           .why = request->id,
                                           .figures = &figures};
    struct hl_rollout rollout;

    if (!hl_rollout_is_running(hl_rollout_of(hl_writing_layout(writing))))
        return HL_OK;
    figures.len = (size_t)snprintf(text, sizeof text,
                                   "{\"points\":%" PRIu64 ",\"vectors\":%" PRIu64 "}",
                                   write->losses.n_points, write->losses.n_vectors);
    return hl_rollout_change(writing, &order, &rollout, err);
}

static enum hl_code apply(struct hl_pending *pending, struct hl_writing *writing,
                          struct hl_err *err)
{
    struct write *write = (struct write *)pending;
    struct hl_arena *arena = pending->request->arena;
    const struct hl_layout *layout = hl_writing_layout(writing);
    enum hl_code code = HL_OK;

    write->losses = (struct hl_losses){.rule = HL_LOSS_ALLOW}; /* it may run again */
    if (layout->n_images > 0)
        code = hl_gallery_config_loss(layout, arena, &write->losses.rule, err);
    if (code == HL_OK)
        code = hl_writing_apply(writing, &write->ops, &write->losses, arena, err);
    return code == HL_OK && write->losses.n_points > 0
               ? note_losses(write, pending->request, writing, err)
               : code;
}

static void tell_losses(struct hl_pending *pending)
{
    const struct write *write = (const struct write *)pending;
    const struct hl_request *request = pending->request;
    const struct hl_losses *losses = &write->losses;

    if (losses->n_points == 0)
        return;
    hl_metrics_add(write->server->metrics, HL_METRIC_VECTORS_LOST,
                   (int64_t)losses->n_vectors);
    hl_log(write->server->log, HL_LOG_INFO, hl_log_event("vectors_lost"),
           hl_log_bytes("collection", request->params[0].data, request->params[0].len),
           hl_log_u64("points", losses->n_points), hl_log_u64("vectors", losses->n_vectors),
           hl_log_text("request", request->id));
}

/* One result, or of a batch one for each operation. */
static void print(const struct hl_pending *pending, struct hl_buf *buf)
{
    const struct write *write = (const struct write *)pending;

    if (!write->is_batch) {
        hl_pending_print_update(pending, buf);
        return;
    }
    hl_buf_add_char(buf, '[');
    for (size_t i = 0; i < write->ops.n; i++) {
        hl_buf_add_text(buf, i > 0 ? "," : "");
        hl_pending_print_update(pending, buf);
    }
    hl_buf_add_char(buf, ']');
}

static bool adds_rows(const struct hl_write_ops *ops)
{
    for (size_t i = 0; i < ops->n; i++)
        if (ops->items[i].kind == HL_WRITE_UPSERT ||
            ops->items[i].kind == HL_WRITE_UPDATE_VECTORS)
            return true;
    return false;
}

static enum hl_code decode(struct hl_request *request, enum hl_write_kind kind,
                           struct write *write, struct hl_err *err)
{
    struct hl_params params;
    struct hl_body body;
    enum hl_code code = hl_body_params(request, &params, err);

    if (code != HL_OK)
        return code;
    hl_body_begin(request, &body);
    write->pending.waits = params.waits;
    code = write->is_batch ? hl_write_ops_read(&body.root, &write->ops, err)
                           : hl_write_op_read(&body.root, kind, &write->one, err);
    if (!write->is_batch)
        write->ops = (struct hl_write_ops){&write->one, 1};
    return hl_body_end(&body, code, err);
}

static enum hl_code begin(struct hl_server *server, struct hl_request *request,
                          enum hl_write_kind kind, bool is_batch, struct hl_err *err)
{
    struct write *write = hl_arena_alloc(request->arena, sizeof *write);
    enum hl_code code;

    if (!write)
        return hl_arena_fail(request->arena, err, "a change of points");
    *write =
        (struct write){.pending = {.run = apply, .committed = tell_losses, .print = print},
                       .server = server,
                       .is_batch = is_batch};
    code = decode(request, kind, write, err);
    if (code != HL_OK)
        return code;
    write->pending.is_upsert = adds_rows(&write->ops);
    return hl_pending_park(server, request, &write->pending, err);
}

#define CALL(name, kind)                                                                   \
    enum hl_code hl_points_##name(struct hl_server *server, struct hl_request *request,    \
                                  struct hl_reply *reply, struct hl_err *err)              \
    {                                                                                      \
        (void)reply;                                                                       \
        return begin(server, request, (kind), false, err);                                 \
    }

CALL(upsert, HL_WRITE_UPSERT)
CALL(delete, HL_WRITE_DELETE)
CALL(update_vectors, HL_WRITE_UPDATE_VECTORS)
CALL(delete_vectors, HL_WRITE_DELETE_VECTORS)
CALL(set_payload, HL_WRITE_SET_PAYLOAD)
CALL(overwrite_payload, HL_WRITE_OVERWRITE_PAYLOAD)
CALL(delete_payload, HL_WRITE_DELETE_PAYLOAD)
CALL(clear_payload, HL_WRITE_CLEAR_PAYLOAD)

enum hl_code hl_points_batch(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err)
{
    (void)reply;
    return begin(server, request, HL_WRITE_UPSERT, true, err);
}
