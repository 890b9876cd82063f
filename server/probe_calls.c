/* SPDX-License-Identifier: Apache-2.0 */
#include "server/probe_calls.h"

#include "proto/alloc.h"
#include "proto/model_name.h"
#include "server/change.h"
#include "server/job_calls.h"
#include "server/probe_run.h"
#include "server/probes.h"
#include "server/rollout.h"
#include "server/server.h"

#include <string.h>

/* ---- looking ---- */

static enum hl_code show_all(struct hl_server *server, struct hl_request *request,
                             const struct hl_holdings *holdings, struct hl_reply *reply,
                             struct hl_err *err)
{
    enum hl_code code;

    (void)server;
    hl_reply_begin(reply);
    code = hl_probes_print_all(holdings, &reply->body, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_probe_call_list(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    return hl_holdings_reply(server, request, reply, show_all, err);
}

static enum hl_code send_lines(struct hl_server *server, const struct hl_request *request,
                               const struct hl_holdings *holdings, uint64_t version,
                               struct hl_reply *reply, struct hl_err *err)
{
    const char *name = request->params[1].data;
    struct hl_probe_set set;
    struct hl_span text;
    enum hl_code code = hl_probes_find(holdings, name, version, request->arena, &set, err);

    if (code == HL_OK)
        code = hl_probes_text(holdings, name, set.version, &text, err);
    if (code == HL_OK)
        code = hl_reply_bytes(server, request, reply, &text, err);
    if (code == HL_OK)
        reply->content_type = "application/x-ndjson";
    return code;
}

static enum hl_code show(struct hl_server *server, struct hl_request *request,
                         const struct hl_holdings *holdings, struct hl_reply *reply,
                         struct hl_err *err)
{
    uint64_t version = 0;
    bool is_file = false;
    enum hl_code code = hl_request_number(request, "version", &version, err);

    if (code == HL_OK)
        code = hl_request_format(request, "ndjson", &is_file, err);
    if (code == HL_OK && is_file)
        return send_lines(server, request, holdings, version, reply, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    code = hl_probes_print(holdings, request->params[1].data, version, true, &reply->body,
                           err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_probe_call_get(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    return hl_holdings_reply(server, request, reply, show, err);
}

/* ---- deleting ---- */

static enum hl_code delete_set(struct hl_pending *pending, struct hl_writing *writing,
                               struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    const char *name = pending->request->params[1].data;
    enum hl_code code = hl_rollout_check_probes(&inside, name, err);

    return code == HL_OK ? hl_probes_remove(writing, name, err) : code;
}

enum hl_code hl_probe_call_delete(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err)
{
    struct hl_pending *pending = hl_arena_alloc(request->arena, sizeof *pending);

    (void)reply;
    if (!pending)
        return hl_arena_fail(request->arena, err, "a change of probe sets");
    *pending = (struct hl_pending){.run = delete_set, .print = hl_pending_print_true};
    return hl_pending_park(server, request, pending, err);
}

/* ---- running ---- */

struct running {
    struct hl_work work; /* first */
    struct hl_arena *arena;
    struct hl_probe_task task;
};

static enum hl_code run(struct hl_work *work, const struct hl_errand *errand,
                        struct hl_buf *result, struct hl_err *err)
{
    struct running *running = (struct running *)work;
    struct hl_probe_result found;
    enum hl_code code;

    running->task.errand = *errand;
    code = hl_probes_run(&running->task, &found, err);
    if (code != HL_OK)
        return code;
    hl_buf_add(result, found.run.data, found.run.len);
    hl_probe_result_done(&found);
    return HL_OK;
}

static void free_running(struct hl_work *work)
{
    struct running *running = (struct running *)work;

    hl_collection_unref(running->task.collection);
    hl_arena_free(running->arena);
    hl_free(running);
}

static enum hl_code read_order(struct hl_request *request, struct hl_probe_order *order,
                               struct hl_err *err)
{
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    *order = (struct hl_probe_order){.version = 0};
    if (request->body.len == 0)
        return HL_OK;
    hl_tokens_init(&tokens, request->body.data, request->body.len, request->arena);
    root = hl_field_root(&tokens);
    code = hl_probe_order_read(&root, order, err);
    return code == HL_OK ? hl_tokens_finish(&tokens, err) : code;
}

static enum hl_code find_space(struct hl_request *request,
                               const struct hl_holdings *holdings,
                               const struct hl_text *name, uint32_t *ret_space,
                               struct hl_err *err)
{
    const char *text = hl_arena_copy(request->arena, name->text, name->len);
    struct hl_model model;
    enum hl_code code;

    if (!text)
        return hl_arena_fail(request->arena, err, "the name of a model");
    code =
        hl_holdings_model(holdings, &(const struct hl_span){text, name->len}, &model, err);
    if (code == HL_OK)
        *ret_space = model.space;
    return code;
}

/* The models of the rollout, though it be over. */
static enum hl_code take_rollout(struct hl_probe_task *task,
                                 const struct hl_holdings *holdings, struct hl_err *err)
{
    struct hl_rollout rollout;
    enum hl_code code = hl_rollout_load(holdings->reader, &rollout, err);

    if (code != HL_OK)
        return code;
    if (!hl_layout_space(holdings->layout, rollout.from) ||
        !hl_layout_space(holdings->layout, rollout.to))
        return hl_fail(err, HL_INVALID,
                       "no rollout says between which models: say \"from\" and \"to\"");
    task->from = rollout.from;
    task->to = rollout.to;
    return HL_OK;
}

static enum hl_code choose_models(struct hl_probe_task *task, struct hl_request *request,
                                  const struct hl_holdings *holdings,
                                  const struct hl_probe_order *order, struct hl_err *err)
{
    enum hl_code code;

    if (!order->from.text)
        return take_rollout(task, holdings, err);
    code = find_space(request, holdings, &order->from, &task->from, err);
    if (code == HL_OK)
        code = find_space(request, holdings, &order->to, &task->to, err);
    if (code == HL_OK && task->from == task->to)
        code = hl_fail(err, HL_INVALID,
                       "a probe set is run between two models, not between \"%.200s\" and "
                       "itself",
                       hl_model_shown(hl_layout_space(holdings->layout, task->to)->name));
    return code;
}

static enum hl_code prepare(struct running *running, struct hl_request *request,
                            const struct hl_holdings *holdings, struct hl_err *err)
{
    struct hl_probe_task *task = &running->task;
    struct hl_probe_order order;
    struct hl_probe_set set;
    enum hl_code code = read_order(request, &order, err);

    running->arena = hl_arena_new((size_t)1 << 20);
    if (code == HL_OK && !running->arena)
        code = hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    if (code == HL_OK)
        code = hl_probes_find(holdings, request->params[1].data, order.version,
                              request->arena, &set, err);
    if (code == HL_OK)
        code = choose_models(task, request, holdings, &order, err);
    if (code != HL_OK)
        return code;
    task->collection = hl_collection_ref(holdings->collection);
    task->version = set.version;
    task->why = "asked";
    task->is_noted = true;
    task->set =
        hl_arena_copy(running->arena, request->params[1].data, request->params[1].len);
    task->by = hl_arena_copy(running->arena, request->key, strlen(request->key));
    return task->set && task->by ? HL_OK : hl_arena_fail(running->arena, err, "two names");
}

enum hl_code hl_probe_call_run(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    struct running *running = hl_alloc_zeroed(1, sizeof *running);
    struct hl_holdings holdings;
    enum hl_code code;

    if (!running)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    running->work = (struct hl_work){run, free_running, true};
    running->task.server = server;
    code = hl_holdings_open(server, &request->params[0], &holdings, err);
    if (code == HL_OK) {
        code = prepare(running, request, &holdings, err);
        hl_holdings_close(&holdings);
    }
    if (code != HL_OK) {
        free_running(&running->work);
        return code;
    }
    return hl_job_begin(server, request, reply, "probes", &running->work, err);
}
