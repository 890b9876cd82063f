/* SPDX-License-Identifier: Apache-2.0 */
#include "server/change.h"

#include "server/server.h"

#include <inttypes.h>
#include <pthread.h>

static enum hl_code run(struct hl_change *change, struct hl_writing *writing,
                        struct hl_err *err)
{
    struct hl_pending *pending = (struct hl_pending *)change;

    return pending->run(pending, writing, err);
}

static void done(struct hl_change *change, enum hl_code code, const struct hl_err *err)
{
    struct hl_pending *pending = (struct hl_pending *)change;
    struct hl_request *request = pending->request;
    struct hl_reply *reply = hl_request_reply(request);
    struct hl_err own;

    if (code != HL_OK) {
        hl_request_finish(request, code, err);
        return;
    }
    if (pending->committed)
        pending->committed(pending);
    hl_reply_begin(reply);
    pending->print(pending, &reply->body);
    code = hl_reply_end(reply, request, &own);
    hl_request_finish(request, code, &own);
}

static void let_go(struct hl_request *request)
{
    struct hl_pending *pending = request->state;

    hl_collection_unref(pending->collection);
    if (pending->let_go)
        pending->let_go(pending);
}

static enum hl_code submit(struct hl_server *server, struct hl_request *request,
                           struct hl_reply *reply, struct hl_err *err)
{
    struct hl_pending *pending = request->state;

    (void)server;
    (void)reply;
    pending->change.run = run;
    pending->change.done = done;
    pending->change.deadline = &request->deadline;
    pending->change.is_upsert = pending->is_upsert;
    return hl_collection_submit(pending->collection, &pending->change, err);
}

enum hl_code hl_pending_park(struct hl_server *server, struct hl_request *request,
                             struct hl_pending *pending, struct hl_err *err)
{
    enum hl_code code = hl_collections_acquire(server->collections, &request->params[0],
                                               &pending->collection, err);

    if (code != HL_OK)
        return code;
    pending->request = request;
    request->state = pending;
    request->release = let_go;
    request->park = submit;
    return HL_OK;
}

void hl_pending_print_update(const struct hl_pending *pending, struct hl_buf *buf)
{
    hl_buf_print(buf, "{\"operation_id\":%" PRIu64 ",\"status\":\"%s\"}",
                 pending->change.commit, pending->waits ? "completed" : "acknowledged");
}

void hl_pending_print_true(const struct hl_pending *pending, struct hl_buf *buf)
{
    (void)pending;
    hl_buf_add_text(buf, "true");
}

/* ---- without a request ---- */

struct awaited {
    struct hl_change change; /* first */
    enum hl_code (*run)(void *self, struct hl_writing *writing, struct hl_err *err);
    void *self;
    pthread_mutex_t lock;
    pthread_cond_t is_over;
    bool is_done;
    enum hl_code code;
    struct hl_err err;
};

static enum hl_code run_awaited(struct hl_change *change, struct hl_writing *writing,
                                struct hl_err *err)
{
    struct awaited *awaited = (struct awaited *)change;

    return awaited->run(awaited->self, writing, err);
}

static void end_awaited(struct hl_change *change, enum hl_code code,
                        const struct hl_err *err)
{
    struct awaited *awaited = (struct awaited *)change;

    pthread_mutex_lock(&awaited->lock);
    awaited->is_done = true;
    awaited->code = code;
    if (code != HL_OK)
        awaited->err = *err;
    pthread_cond_signal(&awaited->is_over);
    pthread_mutex_unlock(&awaited->lock);
}

static enum hl_code submit_awaited(struct hl_collection *collection,
                                   struct awaited *awaited, struct hl_err *err)
{
    enum hl_code code;

    pthread_mutex_init(&awaited->lock, NULL);
    pthread_cond_init(&awaited->is_over, NULL);
    code = hl_collection_submit(collection, &awaited->change, err);
    if (code == HL_OK) {
        pthread_mutex_lock(&awaited->lock);
        while (!awaited->is_done)
            pthread_cond_wait(&awaited->is_over, &awaited->lock);
        pthread_mutex_unlock(&awaited->lock);
        code = awaited->code;
        if (code != HL_OK)
            *err = awaited->err;
    }
    pthread_mutex_destroy(&awaited->lock);
    pthread_cond_destroy(&awaited->is_over);
    return code;
}

enum hl_code hl_pending_run_now(struct hl_collection *collection,
                                enum hl_code (*run_it)(void *self,
                                                       struct hl_writing *writing,
                                                       struct hl_err *err),
                                void *self, struct hl_err *err)
{
    struct awaited awaited = {
        .change = {.run = run_awaited, .done = end_awaited}, .run = run_it, .self = self};

    return submit_awaited(collection, &awaited, err);
}

enum hl_code hl_pending_upsert_now(struct hl_collection *collection,
                                   enum hl_code (*run_it)(void *self,
                                                          struct hl_writing *writing,
                                                          struct hl_err *err),
                                   void *self, struct hl_err *err)
{
    struct awaited awaited = {
        .change = {.run = run_awaited, .done = end_awaited, .is_upsert = true},
        .run = run_it,
        .self = self};

    return submit_awaited(collection, &awaited, err);
}
