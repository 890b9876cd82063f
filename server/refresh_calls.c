/* SPDX-License-Identifier: Apache-2.0 */
#include "server/refresh_calls.h"

#include "proto/encode.h"
#include "proto/model_name.h"
#include "server/body.h"
#include "server/holdings.h"
#include "server/refresh_choice.h"
#include "server/refresh_estimate.h"
#include "server/server.h"
#include "server/show.h"

#include <inttypes.h>

static void print_progress(const struct hl_refresh_answer *answer, struct hl_buf *buf)
{
    const double share =
        answer->n_points > 0 ? (double)answer->n_have / (double)answer->n_points : 0;

    hl_buf_print(buf,
                 "{\"points\":%" PRIu64 ",\"have\":%" PRIu64 ",\"missing\":%" PRIu64
                 ",\"share\":",
                 answer->n_points, answer->n_have, answer->n_points - answer->n_have);
    hl_encode_double(buf, share);
    hl_buf_add_char(buf, '}');
}

static void print_answer(const struct hl_refresh_answer *answer, struct hl_buf *buf)
{
    hl_buf_print(buf, "{\"order\":\"%s\",\"by\":", hl_refresh_order_name(answer->order));
    if (answer->by)
        hl_encode_string(buf, hl_model_shown(answer->by));
    else
        hl_encode_null(buf);
    hl_buf_print(buf, ",\"considered\":%" PRIu64 ",\"ids\":[", answer->n_considered);
    for (size_t i = 0; i < answer->n; i++) {
        hl_buf_add_text(buf, i > 0 ? "," : "");
        hl_show_id(buf, &answer->ids[i]);
    }
    hl_buf_add_text(buf, "],\"progress\":");
    print_progress(answer, buf);
    hl_buf_add_text(buf, ",\"estimate\":");
}

/* Of the records as they are now, which may be a moment later. */
static enum hl_code print_estimate(const struct hl_refresh_task *task,
                                   const struct hl_refresh_answer *answer,
                                   struct hl_buf *buf, struct hl_err *err)
{
    const struct hl_refresh_estimate estimate = {.to = &task->wanted->to,
                                                 .by = answer->by,
                                                 .n_points = answer->n_points,
                                                 .n_have = answer->n_have,
                                                 .n_more = answer->n};
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_look(task->collection, &holdings, err);

    if (code != HL_OK)
        return code;
    code = hl_refresh_estimate_print(&holdings, &estimate, task->arena, buf, err);
    hl_holdings_close(&holdings);
    hl_buf_add_char(buf, '}');
    return code;
}

static enum hl_code choose(struct hl_server *server, struct hl_request *request,
                           const struct hl_refresh *wanted, struct hl_reply *reply,
                           struct hl_err *err)
{
    struct hl_refresh_task task = {.wanted = wanted, .deadline = &request->deadline};
    struct hl_refresh_answer answer;
    enum hl_code code = hl_collections_acquire(server->collections, &request->params[0],
                                               &task.collection, err);

    if (code != HL_OK)
        return code;
    task.arena = hl_arena_new((size_t)server->config->limits.request_memory_mb << 20);
    code = task.arena ? hl_refresh_choose(&task, &answer, err)
                      : hl_fail(err, HL_NO_MEMORY, "no memory to choose points");
    if (code == HL_OK) {
        hl_reply_begin(reply);
        print_answer(&answer, &reply->body);
        code = print_estimate(&task, &answer, &reply->body, err);
    }
    if (code == HL_OK)
        code = hl_reply_end(reply, request, err);
    hl_arena_free(task.arena);
    hl_collection_unref(task.collection);
    return code;
}

enum hl_code hl_refresh_call(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err)
{
    struct hl_refresh wanted;
    struct hl_params params;
    struct hl_body body;
    enum hl_code code = hl_body_params(request, &params, err);

    hl_body_begin(request, &body);
    if (code == HL_OK)
        code = hl_body_end(&body, hl_refresh_read(&body.root, &wanted, err), err);
    return code == HL_OK ? choose(server, request, &wanted, reply, err) : code;
}
