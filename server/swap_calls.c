/* SPDX-License-Identifier: Apache-2.0 */
#include "server/swap_calls.h"

#include "proto/model_name.h"
#include "server/body.h"
#include "server/change.h"
#include "server/collection_calls.h"
#include "server/job_calls.h"
#include "server/server.h"
#include "server/swap.h"

#include <inttypes.h>

static enum hl_code look(struct hl_server *server, struct hl_request *request,
                         const struct hl_swap_order *order, struct hl_swap_state *state,
                         struct hl_err *err)
{
    const struct hl_swap_look look = {.server = server,
                                      .name = &request->params[0],
                                      .order = order,
                                      .deadline = &request->deadline,
                                      .arena = request->arena};

    return hl_swap_look(&look, state, err);
}

enum hl_code hl_swap_call_get(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err)
{
    struct hl_swap_state state;
    enum hl_code code = look(server, request, NULL, &state, err);

    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    code = hl_swap_print(&state, &reply->body, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

/* ---- what is refused at once ---- */

static enum hl_code refuse_other(const struct hl_swap_state *state, struct hl_err *err)
{
    const struct hl_swap *swap = &state->swap;

    if (state->job)
        return hl_fail(err, HL_CONFLICT,
                       "a swap with another body is under way as job %" PRIu64
                       ", begun %s%s%s: wait for it, or DELETE /jobs/%" PRIu64,
                       state->job, swap->began_at, swap->by[0] ? " by " : "", swap->by,
                       state->job);
    return hl_fail(
        err, HL_CONFLICT,
        "another swap, begun %s%s%s, is not over: GET …/swap has its body, which "
        "goes on where it is; \"anew\":true beside this one begins it instead",
        swap->began_at, swap->by[0] ? " by " : "", swap->by);
}

/* The first thing in the way, and the call that takes it out of it. */
static enum hl_code refuse_blocked(const struct hl_swap_block *block, struct hl_err *err)
{
    const struct hl_swap_call *next = &block->next;

    if (!next->method)
        return hl_fail(err, block->err.code, "%s", block->err.msg);
    return hl_fail(err, block->err.code, "%s: %s %s%s%s (%s)", block->err.msg, next->method,
                   next->path ? next->path : "", next->body ? " " : "",
                   next->body ? next->body : "", next->why);
}

static enum hl_code check(const struct hl_swap_state *state, struct hl_err *err)
{
    const struct hl_swap *swap = &state->swap;
    const bool is_unfinished = swap->is_there && !swap->is_over && !state->order.is_anew;

    if (!state->has_models && state->n_blocks > 0) /* whose ever it is: it cannot go on */
        return refuse_blocked(&state->blocks[0], err);
    if ((state->job && !state->is_same_body) || (!state->is_same && is_unfinished))
        return refuse_other(state, err);
    return state->n_blocks > 0 ? refuse_blocked(&state->blocks[0], err) : HL_OK;
}

/* ---- beginning ---- */

static enum hl_code add_model(void *self, struct hl_writing *writing, struct hl_err *err)
{
    return hl_vector_add(writing, self, err);
}

/* Before anything else: the data it is learnt from can be sent only then. */
static enum hl_code make_model(struct hl_server *server, struct hl_request *request,
                               struct hl_swap_order *order, struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code =
        hl_collections_acquire(server->collections, &request->params[0], &collection, err);

    if (code == HL_OK)
        code = hl_pending_run_now(collection, add_model, &order->model, err);
    hl_collection_unref(collection);
    return code;
}

static enum hl_code begin(struct hl_server *server, struct hl_request *request,
                          struct hl_reply *reply, const struct hl_swap_state *state,
                          struct hl_err *err)
{
    const struct hl_swap_task task = {.server = server,
                                      .name = &request->params[0],
                                      .body = &request->body,
                                      .by = request->key,
                                      .deadline = &request->deadline};
    struct hl_work *work = NULL;
    enum hl_code code = check(state, err);

    if (code != HL_OK)
        return code;
    if (state->job) { /* the same again */
        code = hl_job_show(server, request, state->job, reply, err);
        reply->status = code == HL_OK ? 202 : reply->status;
        return code;
    }
    code = hl_swap_new(&task, &work, err);
    return code == HL_OK ? hl_job_begin(server, request, reply, "swap", work, err) : code;
}

enum hl_code hl_swap_call_post(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    struct hl_swap_order order;
    struct hl_swap_state state;
    struct hl_body body;
    enum hl_code code;

    hl_body_begin(request, &body);
    code = hl_body_end(&body, hl_swap_order_read(&body.root, &order, err), err);
    if (code == HL_OK && order.makes_model && !order.is_dry)
        code = make_model(server, request, &order, err);
    if (code == HL_OK)
        code = look(server, request, &order, &state, err);
    if (code != HL_OK || !order.is_dry)
        return code == HL_OK ? begin(server, request, reply, &state, err) : code;
    hl_reply_begin(reply);
    code = hl_swap_print_dry(&state, &reply->body, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}
