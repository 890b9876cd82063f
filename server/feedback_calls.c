/* SPDX-License-Identifier: Apache-2.0 */
#include "server/feedback_calls.h"

#include "proto/encode.h"
#include "server/body.h"
#include "server/overseer.h"

struct call {
    struct hl_judging judging; /* first */
    struct hl_request *request;
    bool is_list;
};

/* ---- the reply ---- */

static void print_verdict(const struct hl_verdict *verdict, struct hl_buf *buf)
{
    static const char *const flips[] = {[HL_FLIP_NONE] = "null",
                                        [HL_FLIP_NEGATIVE] = "\"negative\"",
                                        [HL_FLIP_POSITIVE] = "\"positive\""};

    hl_buf_add_text(buf, "{\"counted\":");
    hl_encode_bool(buf, verdict->is_counted);
    hl_buf_add_text(buf, ",\"why\":");
    if (verdict->is_counted)
        hl_encode_null(buf);
    else
        hl_encode_string(buf, verdict->why);
    hl_buf_add_text(buf, ",\"flip\":");
    hl_buf_add_text(buf, flips[verdict->flip]);
    hl_buf_add_char(buf, '}');
}

static void print_list(const struct hl_judging *judging, struct hl_buf *buf)
{
    uint64_t n_counted = 0;

    hl_buf_add_text(buf, "{\"feedback\":[");
    for (size_t i = 0; i < judging->n; i++) {
        hl_buf_add_text(buf, i > 0 ? "," : "");
        print_verdict(&judging->verdicts[i], buf);
        n_counted += judging->verdicts[i].is_counted;
    }
    hl_buf_add_text(buf, "],\"counted\":");
    hl_encode_u64(buf, n_counted);
    hl_buf_add_char(buf, '}');
}

static enum hl_code print_reply(const struct call *call, struct hl_reply *reply,
                                struct hl_err *err)
{
    hl_reply_begin(reply);
    if (call->is_list)
        print_list(&call->judging, &reply->body);
    else
        print_verdict(&call->judging.verdicts[0], &reply->body);
    return hl_reply_end(reply, call->request, err);
}

/* ---- the call ---- */

static void tell(struct hl_judging *judging)
{
    const struct call *call = (const struct call *)judging;
    struct hl_err err;
    enum hl_code code = print_reply(call, hl_request_reply(call->request), &err);

    hl_request_finish(call->request, code, &err);
}

static enum hl_code await(struct hl_server *server, struct hl_request *request,
                          struct hl_reply *reply, struct hl_err *err)
{
    (void)reply;
    return hl_overseer_await(server->overseer, request->state, err);
}

static void let_go(struct hl_request *request)
{
    const struct call *call = request->state;

    hl_collection_unref(call->judging.collection);
}

static enum hl_code decode(struct hl_request *request, struct call *call,
                           struct hl_err *err)
{
    struct hl_feedbacks feedbacks = {.n = 0};
    struct hl_body body;
    enum hl_code code;

    hl_body_begin(request, &body);
    code = hl_body_end(&body, hl_feedbacks_read(&body.root, &feedbacks, err), err);
    if (code != HL_OK)
        return code;
    call->is_list = feedbacks.is_list;
    call->judging.feedback = feedbacks.items;
    call->judging.n = feedbacks.n;
    call->judging.verdicts = hl_arena_array(request->arena, feedbacks.n ? feedbacks.n : 1,
                                            sizeof *call->judging.verdicts);
    return call->judging.verdicts
               ? HL_OK
               : hl_arena_fail(request->arena, err, "%zu verdicts", feedbacks.n);
}

enum hl_code hl_feedback_call(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err)
{
    struct call *call = hl_arena_alloc(request->arena, sizeof *call);
    bool is_done;
    enum hl_code code;

    if (!call)
        return hl_arena_fail(request->arena, err, "a feedback");
    *call = (struct call){.judging.tell = tell, .request = request};
    code = decode(request, call, err);
    if (code == HL_OK)
        code = hl_collections_acquire(server->collections, &request->params[0],
                                      &call->judging.collection, err);
    if (code != HL_OK)
        return code;
    request->state = call;
    request->release = let_go;
    hl_overseer_judge(server->overseer, &call->judging, &is_done);
    if (is_done)
        return print_reply(call, reply, err);
    request->park = await;
    return HL_OK;
}
