/* SPDX-License-Identifier: Apache-2.0 */
#include "server/job_calls.h"

#include "proto/encode.h"
#include "proto/number.h"
#include "server/body.h"
#include "server/moment.h"
#include "server/server.h"

#include <inttypes.h>
#include <string.h>

/* ---- how a job looks ---- */

static void print_moment(struct hl_buf *buf, const char *name, int64_t ms)
{
    char text[HL_MOMENT];

    hl_moment_print(ms, text);
    hl_buf_print(buf, ",\"%s\":\"%s\"", name, text);
}

static const char *state_name(enum hl_job_state state)
{
    static const char *const names[] = {
        [HL_JOB_QUEUED] = "queued",       [HL_JOB_RUNNING] = "running",
        [HL_JOB_DONE] = "done",           [HL_JOB_FAILED] = "failed",
        [HL_JOB_CANCELLED] = "cancelled",
    };

    return names[state];
}

/* Texts that are JSON already. */
static void print_raw(struct hl_buf *buf, const char *name, const char *json)
{
    hl_buf_print(buf, ",\"%s\":", name);
    hl_buf_add_text(buf, json[0] ? json : "null");
}

/* A result holds a report of many kilobytes: lists leave it out. */
static void print_job(struct hl_buf *buf, const struct hl_job *job, bool has_result)
{
    const bool is_done = job->state == HL_JOB_DONE;

    hl_buf_print(buf, "{\"id\":%" PRIu64 ",\"kind\":", job->id);
    hl_encode_string(buf, job->kind);
    hl_buf_add_text(buf, ",\"collection\":");
    hl_encode_string(buf, job->collection);
    hl_buf_print(buf, ",\"state\":\"%s\",\"phase\":", state_name(job->state));
    hl_encode_string(buf, job->phase);
    hl_buf_add_text(buf, ",\"progress\":");
    hl_encode_double(buf, job->progress);
    print_moment(buf, "created_at", job->created_ms);
    print_moment(buf, "changed_at", job->changed_ms);
    print_raw(buf, "request", job->request);
    if (has_result)
        print_raw(buf, "result", is_done ? job->outcome : "");
    print_raw(buf, "error", is_done ? "" : job->outcome);
    hl_buf_add_char(buf, '}');
}

/* ---- the calls ---- */

struct page {
    struct hl_buf *buf;
    size_t n;
    bool is_list;
};

static bool add_to_page(void *self, const struct hl_job *job)
{
    struct page *page = self;

    hl_buf_add_text(page->buf, page->n++ > 0 ? "," : "");
    print_job(page->buf, job, !page->is_list);
    return true;
}

enum hl_code hl_job_call_list(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err)
{
    struct page page = {.buf = &reply->body, .is_list = true};
    enum hl_code code;

    hl_reply_begin(reply);
    hl_buf_add_text(&reply->body, "{\"jobs\":[");
    code = hl_jobs_each(server->jobs, 0, add_to_page, &page, err);
    hl_buf_add_text(&reply->body, "]}");
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_job_show(struct hl_server *server, struct hl_request *request, uint64_t id,
                         struct hl_reply *reply, struct hl_err *err)
{
    struct page page = {.buf = &reply->body};
    enum hl_code code;

    hl_reply_begin(reply);
    code = hl_jobs_each(server->jobs, id, add_to_page, &page, err);
    if (code == HL_OK && page.n == 0)
        return hl_fail(err, HL_NOT_FOUND, "Not found: Job %" PRIu64, id);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

static enum hl_code read_id(const struct hl_request *request, uint64_t *ret_id,
                            struct hl_err *err)
{
    const struct hl_span *param = &request->params[0];
    uint64_t id = 0;

    if (strspn(param->data, "0123456789") != param->len ||
        !hl_number_u64(param->data, param->len, &id) || id == 0)
        return hl_fail(err, HL_NOT_FOUND, "Not found: Job %.40s", param->data);
    *ret_id = id;
    return HL_OK;
}

enum hl_code hl_job_call_get(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err)
{
    uint64_t id;
    enum hl_code code = read_id(request, &id, err);

    return code == HL_OK ? hl_job_show(server, request, id, reply, err) : code;
}

enum hl_code hl_job_call_cancel(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    uint64_t id;
    enum hl_code code = read_id(request, &id, err);

    if (code == HL_OK)
        code = hl_jobs_cancel(server->jobs, id, err);
    return code == HL_OK ? hl_job_show(server, request, id, reply, err) : code;
}

/* ---- beginning one ---- */

enum { LONGEST_REQUEST = 64 << 10 };

struct waiting {
    struct hl_job_waiter waiter; /* first */
    struct hl_request *request;
    uint64_t id;
};

/* The job is over, or the patience; or the caller has gone, which is no reply at all. */
static void answer(struct hl_job_waiter *waiter, const struct hl_job *job,
                   const struct hl_err *failed)
{
    struct hl_request *request = ((struct waiting *)waiter)->request;
    struct hl_reply *reply = hl_request_reply(request);
    struct hl_err err;
    enum hl_code code;

    if (failed) {
        hl_request_finish(request, failed->code, failed);
        return;
    }
    hl_reply_begin(reply);
    print_job(&reply->body, job, true);
    code = hl_reply_end(reply, request, &err);
    if (!hl_job_is_over(job))
        reply->status = 202;
    hl_request_finish(request, code, &err);
}

static enum hl_code await(struct hl_server *server, struct hl_request *request,
                          struct hl_reply *reply, struct hl_err *err)
{
    struct waiting *waiting = request->state;

    (void)reply;
    (void)err;
    hl_jobs_await(server->jobs, waiting->id, &waiting->waiter);
    return HL_OK;
}

/* How long the caller waits is his to say: longer than other requests may take, too. */
static void prepare_wait(const struct hl_server *server, struct hl_request *request,
                         const struct hl_params *params, struct waiting *waiting)
{
    const uint64_t seconds =
        params->timeout_s ? params->timeout_s : server->config->service.request_timeout_s;

    *waiting = (struct waiting){.waiter = {.deadline = request->deadline, .tell = answer},
                                .request = request};
    waiting->waiter.deadline.at_us = hl_clock_now(&server->clock);
    if (seconds < (uint64_t)INT32_MAX)
        waiting->waiter.deadline.at_us += (int64_t)seconds * 1000000;
    else
        waiting->waiter.deadline.at_us = HL_DEADLINE_NEVER;
}

/* What is kept of the request: its body, which is JSON that a decoder has read. Every list
 * of jobs shows it. */
static enum hl_code copy_request(struct hl_request *request, const char **ret_text,
                                 struct hl_err *err)
{
    const char *text;

    if (request->body.len > LONGEST_REQUEST)
        return hl_fail(err, HL_TOO_LARGE,
                       "the body has %zu bytes, at most %d are kept of what a job is asked "
                       "for with",
                       request->body.len, (int)LONGEST_REQUEST);
    text = hl_arena_copy(request->arena, request->body.data, request->body.len);
    if (!text)
        return hl_arena_fail(request->arena, err, "a job's request");
    *ret_text = text;
    return HL_OK;
}

static enum hl_code begin(struct hl_server *server, struct hl_request *request,
                          struct hl_job_order *order, struct hl_work *work,
                          struct waiting *waiting, struct hl_err *err)
{
    struct hl_params params = {0};
    enum hl_code code = hl_body_params(request, &params, err);

    if (code == HL_OK)
        code = copy_request(request, &order->request, err);
    if (code != HL_OK) {
        work->free(work);
        return code;
    }
    prepare_wait(server, request, &params, waiting);
    order->is_awaited = params.waits;
    return hl_jobs_add(server->jobs, order, work, &waiting->id, err);
}

enum hl_code hl_job_begin(struct hl_server *server, struct hl_request *request,
                          struct hl_reply *reply, const char *kind, struct hl_work *work,
                          struct hl_err *err)
{
    struct hl_job_order order = {.kind = kind, .collection = request->params[0].data};
    struct waiting *waiting = hl_arena_alloc(request->arena, sizeof *waiting);
    enum hl_code code;

    if (!waiting) {
        work->free(work);
        return hl_arena_fail(request->arena, err, "waiting for a job");
    }
    code = begin(server, request, &order, work, waiting, err);
    if (code != HL_OK)
        return code;
    if (order.is_awaited) {
        request->state = waiting;
        request->park = await;
        return HL_OK;
    }
    code = hl_job_show(server, request, waiting->id, reply, err);
    if (code == HL_OK)
        reply->status = 202;
    return code;
}
