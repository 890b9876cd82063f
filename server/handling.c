/* SPDX-License-Identifier: Apache-2.0 */
#include "server/handling.h"

#include "server/server.h"
#include "server/upload.h"

#include <stddef.h>

/* What a handler holds is let go as soon as its answer is there: a slow reader of the reply
 * shall not keep old versions alive. */
void hl_handling_release(struct hl_exchange *exchange)
{
    void (*let_go)(struct hl_request * request) = exchange->request.release;

    exchange->request.release = NULL;
    if (let_go)
        let_go(&exchange->request);
    hl_upload_free(exchange->request.upload);
    exchange->request.upload = NULL;
}

/* Runs the handler, or what it left to be done, on whichever thread this is. */
void hl_handling_run(struct hl_exchange *exchange)
{
    struct hl_request *request = &exchange->request;
    enum hl_code (*handler)(struct hl_server * server, struct hl_request * request,
                            struct hl_reply * reply, struct hl_err * err) =
        request->then ? request->then : request->route->handler;

    request->then = NULL;
    if (handler(exchange->server, request, &exchange->reply, &exchange->err) == HL_OK)
        return;
    exchange->has_err = true;
    request->then = NULL;
    request->park = NULL;
}

static void answer_now(struct hl_exchange *exchange)
{
    hl_handling_release(exchange);
    hl_conn_is_answered(&exchange->conn);
    exchange->resume(exchange->transport);
}

/* Begins what somebody else ends. The exchange is not looked at behind a success: it may be
 * answered already. */
static void park(struct hl_exchange *exchange)
{
    struct hl_err err;

    if (exchange->request.park(exchange->server, &exchange->request, &exchange->reply,
                               &err) == HL_OK)
        return;
    exchange->err = err;
    exchange->has_err = true;
    answer_now(exchange);
}

void hl_request_finish(struct hl_request *request, enum hl_code code,
                       const struct hl_err *err)
{
    struct hl_exchange *exchange = request->exchange;

    if (code != HL_OK) {
        exchange->err = *err;
        exchange->has_err = true;
    }
    answer_now(exchange);
}

struct hl_reply *hl_request_reply(struct hl_request *request)
{
    return &request->exchange->reply;
}

static struct hl_exchange *exchange_of_job(struct hl_chore *job)
{
    return (struct hl_exchange *)((char *)job - offsetof(struct hl_exchange, job));
}

static void run_long(struct hl_chore *job)
{
    struct hl_exchange *exchange = exchange_of_job(job);
    struct hl_metrics *metrics = exchange->server->metrics;

    hl_metrics_add(metrics, HL_METRIC_POOL_QUEUED, -1);
    hl_metrics_add(metrics, HL_METRIC_POOL_RUNNING, 1);
    do {
        hl_handling_run(exchange);
    } while (exchange->request.then);
    hl_metrics_add(metrics, HL_METRIC_POOL_RUNNING, -1);
    if (exchange->request.park)
        park(exchange);
    else
        answer_now(exchange);
}

static void answer_unrun(struct hl_exchange *exchange, const struct hl_err *why)
{
    exchange->err = *why;
    exchange->has_err = true;
    answer_now(exchange);
}

static void refuse_long(struct hl_chore *job, const struct hl_err *why)
{
    struct hl_exchange *exchange = exchange_of_job(job);
    struct hl_metrics *metrics = exchange->server->metrics;

    hl_metrics_add(metrics, HL_METRIC_POOL_QUEUED, -1);
    if (why->code == HL_TIMEOUT)
        hl_metrics_add(metrics, HL_METRIC_POOL_EXPIRED, 1);
    answer_unrun(exchange, why);
}

void hl_exchange_submit(struct hl_exchange *exchange)
{
    struct hl_metrics *metrics = exchange->server->metrics;
    struct hl_err err;

    exchange->job = (struct hl_chore){
        .deadline = &exchange->request.deadline, .run = run_long, .refuse = refuse_long};
    hl_conn_waits(&exchange->conn);
    if (exchange->request.park) {
        park(exchange);
        return;
    }
    /* Counted before: the job may be over when the submission returns. */
    hl_metrics_add(metrics, HL_METRIC_POOL_QUEUED, 1);
    if (hl_pool_submit(exchange->server->pool, &exchange->job, &err) == HL_OK)
        return;
    hl_metrics_add(metrics, HL_METRIC_POOL_QUEUED, -1);
    hl_metrics_add(metrics, HL_METRIC_POOL_REFUSED, 1);
    answer_unrun(exchange, &err);
}

/* ---- uploads ---- */

/* The sender has its time anew for the next block. */
static void receive_on(struct hl_exchange *exchange)
{
    hl_conn_is_answered(&exchange->conn);
    (void)hl_conn_receives(&exchange->conn, hl_clock_now(&exchange->server->clock));
    atomic_store(&exchange->is_spilling, false);
    exchange->resume(exchange->transport);
}

static void spill(struct hl_chore *job)
{
    struct hl_exchange *exchange = exchange_of_job(job);

    hl_metrics_add(exchange->server->metrics, HL_METRIC_POOL_QUEUED, -1);
    if (hl_upload_spill(exchange->request.upload, &exchange->err) != HL_OK)
        exchange->has_err = true;
    receive_on(exchange);
}

static void refuse_spill(struct hl_chore *job, const struct hl_err *why)
{
    struct hl_exchange *exchange = exchange_of_job(job);

    hl_metrics_add(exchange->server->metrics, HL_METRIC_POOL_QUEUED, -1);
    exchange->err = *why;
    exchange->has_err = true;
    receive_on(exchange);
}

void hl_exchange_spill(struct hl_exchange *exchange)
{
    struct hl_metrics *metrics = exchange->server->metrics;

    exchange->job = (struct hl_chore){
        .deadline = &exchange->request.deadline, .run = spill, .refuse = refuse_spill};
    hl_metrics_add(metrics, HL_METRIC_POOL_QUEUED, 1);
    if (hl_pool_submit(exchange->server->pool, &exchange->job, &exchange->err) == HL_OK)
        return;
    hl_metrics_add(metrics, HL_METRIC_POOL_QUEUED, -1);
    hl_metrics_add(metrics, HL_METRIC_POOL_REFUSED, 1);
    exchange->has_err = true;
    receive_on(exchange);
}
