/* SPDX-License-Identifier: Apache-2.0 */
#include "server/head_calls.h"

#include "compat/head.h"
#include "index/snapshot.h"
#include "server/change.h"
#include "server/holdings.h"
#include "server/server.h"
#include "server/snapshot_folder.h"
#include "server/upload.h"

#include <stdio.h>
#include <string.h>

struct head_change {
    struct hl_pending pending; /* first */
    struct hl_model model;
    struct hl_file *file;
    void *bytes;
    size_t size;
    char info[256];
};

static void let_go(struct hl_pending *pending)
{
    struct head_change *self = (struct head_change *)pending;

    hl_file_unmap(self->bytes, self->size);
    hl_file_close(self->file);
}

static struct head_change *new_change(struct hl_request *request, struct hl_err *err)
{
    struct head_change *self = hl_arena_alloc(request->arena, sizeof *self);

    if (self)
        *self = (struct head_change){.pending.let_go = let_go};
    else
        (void)hl_arena_fail(request->arena, err, "a head");
    return self;
}

/* ---- putting ---- */

static enum hl_code put_records(struct hl_pending *pending, struct hl_writing *writing,
                                struct hl_err *err)
{
    struct head_change *self = (struct head_change *)pending;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_store *store = hl_writing_store(writing);
    char key[HL_HOLDING_KEY];
    enum hl_code code = hl_holdings_check(&inside, &self->model, err);

    hl_holding_model_key(self->model.space, key);
    if (code == HL_OK)
        code =
            hl_store_put_record(store, HL_HOLDING_HEAD, key, self->bytes, self->size, err);
    if (code == HL_OK)
        code = hl_store_put_record(store, HL_HOLDING_HEAD_INFO, key, self->info,
                                   strlen(self->info), err);
    return code;
}

static void print_info(const struct hl_pending *pending, struct hl_buf *buf)
{
    hl_buf_add_text(buf, ((const struct head_change *)pending)->info);
}

/* Reads it as a fit will, and notes what there is to say about it. */
static enum hl_code check_head(const struct hl_request *request, struct head_change *self,
                               struct hl_err *err)
{
    const struct hl_deadline deadline = hl_snapshot_patience(request);
    struct hl_archive_sum sum;
    struct hl_source source;
    struct hl_head *head = NULL;
    enum hl_code code = hl_source_of_file(self->file, &source, err);

    source.name = "the head";
    if (code == HL_OK)
        code = hl_head_load(&source, self->model.dim, &head, err);
    if (code == HL_OK)
        code = hl_snapshot_sum(hl_upload_path(request->upload), &deadline, &sum, err);
    if (code == HL_OK)
        (void)snprintf(self->info, sizeof self->info,
                       "{\"classes\":%zu,\"bias\":%s,\"size\":%llu,\"sha256\":\"%s\"}",
                       head->n_rows, head->bias ? "true" : "false",
                       (unsigned long long)sum.size, sum.sha256);
    hl_head_free(head);
    return code == HL_OK ? hl_file_map(self->file, &self->bytes, &self->size, err) : code;
}

static enum hl_code find_model(struct hl_server *server, const struct hl_request *request,
                               struct hl_model *ret_model, struct hl_err *err)
{
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_open(server, &request->params[0], &holdings, err);

    if (code != HL_OK)
        return code;
    code = hl_holdings_model(&holdings, &request->params[1], ret_model, err);
    if (code == HL_OK) { /* the layout's texts go with the look */
        ret_model->shown = request->params[1].data;
        ret_model->name = ret_model->name[0] ? ret_model->shown : "";
    }
    hl_holdings_close(&holdings);
    return code;
}

enum hl_code hl_head_call_put(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err)
{
    struct head_change *self = new_change(request, err);
    enum hl_code code;

    (void)reply;
    if (!self)
        return err->code;
    code = find_model(server, request, &self->model, err);
    if (code == HL_OK)
        code = hl_upload_finish(request->upload, err);
    if (code == HL_OK)
        code =
            hl_file_open(hl_upload_path(request->upload), HL_FILE_READ, &self->file, err);
    if (code == HL_OK)
        code = check_head(request, self, err);
    self->pending.run = put_records;
    self->pending.print = print_info;
    if (code == HL_OK)
        code = hl_pending_park(server, request, &self->pending, err);
    if (code != HL_OK)
        let_go(&self->pending);
    return code;
}

/* ---- getting and deleting ---- */

static enum hl_code fail_none(const char *model, struct hl_err *err)
{
    return hl_fail(err, HL_NOT_FOUND, "Not found: the vector \"%.255s\" has no head",
                   model);
}

static enum hl_code send_head(struct hl_server *server, struct hl_request *request,
                              const struct hl_holdings *holdings, struct hl_reply *reply,
                              struct hl_err *err)
{
    struct hl_store_record record;
    struct hl_model model;
    char key[HL_HOLDING_KEY];
    enum hl_code code = hl_holdings_model(holdings, &request->params[1], &model, err);

    if (code != HL_OK)
        return code;
    hl_holding_model_key(model.space, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_HEAD, key, &record, err);
    if (code == HL_NOT_FOUND)
        return fail_none(model.shown, err);
    if (code != HL_OK)
        return code;
    return hl_reply_bytes(server, request, reply,
                          &(const struct hl_span){record.body, record.size}, err);
}

enum hl_code hl_head_call_get(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err)
{
    return hl_holdings_reply(server, request, reply, send_head, err);
}

static enum hl_code delete_records(struct hl_pending *pending, struct hl_writing *writing,
                                   struct hl_err *err)
{
    const struct hl_span *name = &pending->request->params[1];
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_store *store = hl_writing_store(writing);
    struct hl_model model;
    char key[HL_HOLDING_KEY];
    bool existed = false;
    enum hl_code code = hl_holdings_model(&inside, name, &model, err);

    if (code != HL_OK)
        return code;
    hl_holding_model_key(model.space, key);
    code = hl_store_delete_record(store, HL_HOLDING_HEAD_INFO, key, &existed, err);
    if (code == HL_OK)
        code = hl_store_delete_record(store, HL_HOLDING_HEAD, key, &existed, err);
    return code == HL_OK && !existed ? fail_none(model.shown, err) : code;
}

enum hl_code hl_head_call_delete(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    struct head_change *self = new_change(request, err);

    (void)reply;
    if (!self)
        return err->code;
    self->pending.run = delete_records;
    self->pending.print = hl_pending_print_true;
    return hl_pending_park(server, request, &self->pending, err);
}
