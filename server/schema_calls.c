/* SPDX-License-Identifier: Apache-2.0 */
#include "server/collection_calls.h"

#include "proto/encode.h"
#include "proto/model_name.h"
#include "server/body.h"
#include "server/change.h"
#include "server/holdings.h"
#include "server/probes.h"
#include "server/rollout.h"
#include "server/server.h"

#include <string.h>

/* Aliases, payload indexes, and vectors of a collection that lives. */

/* ---- aliases ---- */

enum hl_code hl_collection_call_change_aliases(struct hl_server *server,
                                               struct hl_request *request,
                                               struct hl_reply *reply, struct hl_err *err)
{
    struct hl_alias_actions actions;
    struct hl_params params;
    struct hl_body body;
    enum hl_code code = hl_body_params(request, &params, err);

    hl_body_begin(request, &body);
    if (code == HL_OK)
        code = hl_body_end(&body, hl_alias_actions_read(&body.root, &actions, err), err);
    if (code == HL_OK)
        code = hl_collections_change_aliases(server->collections, &actions, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_buf_add_text(&reply->body, "true");
    return hl_reply_end(reply, request, err);
}

static bool print_alias(void *self, const char *alias, const char *collection)
{
    struct hl_buf *buf = self;

    if (buf->len > 0 && buf->data[buf->len - 1] != '[')
        hl_buf_add_char(buf, ',');
    hl_buf_add_text(buf, "{\"alias_name\":");
    hl_encode_string(buf, alias);
    hl_buf_add_text(buf, ",\"collection_name\":");
    hl_encode_string(buf, collection);
    hl_buf_add_char(buf, '}');
    return true;
}

static enum hl_code list_aliases(struct hl_server *server, struct hl_request *request,
                                 const char *collection, struct hl_reply *reply,
                                 struct hl_err *err)
{
    enum hl_code code;

    hl_reply_begin(reply);
    hl_buf_add_text(&reply->body, "{\"aliases\":[");
    code = hl_collections_aliases(server->collections, collection, print_alias,
                                  &reply->body, err);
    hl_buf_add_text(&reply->body, "]}");
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_collection_call_list_aliases(struct hl_server *server,
                                             struct hl_request *request,
                                             struct hl_reply *reply, struct hl_err *err)
{
    return list_aliases(server, request, NULL, reply, err);
}

enum hl_code hl_collection_call_list_own_aliases(struct hl_server *server,
                                                 struct hl_request *request,
                                                 struct hl_reply *reply, struct hl_err *err)
{
    if (!hl_collections_exist(server->collections, &request->params[0]))
        return hl_fail(err, HL_NOT_FOUND, "Not found: Collection `%.255s` doesn't exist!",
                       request->params[0].data);
    return list_aliases(server, request, request->params[0].data, reply, err);
}

/* ---- payload indexes ---- */

struct index_change {
    struct hl_pending pending; /* first */
    struct hl_payload_index index;
    struct hl_text path;
};

static enum hl_code add_index(struct hl_pending *pending, struct hl_writing *writing,
                              struct hl_err *err)
{
    return hl_writing_add_index(writing, &((struct index_change *)pending)->index, err);
}

/* What is not there is gone already. */
static enum hl_code drop_index(struct hl_pending *pending, struct hl_writing *writing,
                               struct hl_err *err)
{
    bool existed;

    return hl_writing_drop_index(writing, &((struct index_change *)pending)->path, &existed,
                                 err);
}

static struct index_change *new_index_change(struct hl_request *request, struct hl_err *err)
{
    struct index_change *self = hl_arena_alloc(request->arena, sizeof *self);

    if (self)
        *self = (struct index_change){.pending.print = hl_pending_print_update};
    else
        (void)hl_arena_fail(request->arena, err, "a payload index");
    return self;
}

enum hl_code hl_collection_call_add_index(struct hl_server *server,
                                          struct hl_request *request,
                                          struct hl_reply *reply, struct hl_err *err)
{
    struct index_change *self = new_index_change(request, err);
    struct hl_params params;
    struct hl_body body;
    enum hl_code code = self ? hl_body_params(request, &params, err) : err->code;

    (void)reply;
    hl_body_begin(request, &body);
    if (code == HL_OK)
        code =
            hl_body_end(&body, hl_payload_index_read(&body.root, &self->index, err), err);
    if (code != HL_OK)
        return code;
    self->pending.run = add_index;
    self->pending.waits = params.waits;
    return hl_pending_park(server, request, &self->pending, err);
}

enum hl_code hl_collection_call_drop_index(struct hl_server *server,
                                           struct hl_request *request,
                                           struct hl_reply *reply, struct hl_err *err)
{
    struct index_change *self = new_index_change(request, err);
    struct hl_params params;
    enum hl_code code = self ? hl_body_params(request, &params, err) : err->code;

    (void)reply;
    if (code != HL_OK)
        return code;
    self->path = (struct hl_text){request->params[1].data, request->params[1].len};
    self->pending.run = drop_index;
    self->pending.waits = params.waits;
    return hl_pending_park(server, request, &self->pending, err);
}

/* ---- vectors ---- */

struct vector_change {
    struct hl_pending pending; /* first */
    struct hl_vector_config config;
};

/* What the model was before it had a revision is another model to everything that was made
 * for it. */
static enum hl_code check_unused(const struct hl_holdings *inside,
                                 const struct hl_model *model, struct hl_err *err)
{
    struct hl_store_record record;
    char key[HL_HOLDING_KEY];
    enum hl_code code;

    hl_holding_model_key(model->space, key);
    code = hl_reader_record(inside->reader, HL_HOLDING_HEAD, key, &record, err);
    if (code == HL_NOT_FOUND)
        code = hl_holdings_has_bridge(inside, model->space, err);
    if (code == HL_NOT_FOUND)
        return HL_OK;
    return code == HL_OK ? hl_fail(err, HL_CONFLICT,
                                   "the vector \"%.200s\" has a head or bridges of its "
                                   "time without a revision: delete them first",
                                   model->shown)
                         : code;
}

static enum hl_code set_revision(struct hl_writing *writing,
                                 const struct hl_vector_config *config, struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    const struct hl_space *space = hl_layout_find(inside.layout, &config->name);
    struct hl_model model;
    char key[HL_HOLDING_KEY];
    enum hl_code code;

    if (config->revision.len == 0)
        return HL_OK;
    code = hl_holdings_describe(&inside, space, &model, err);
    if (code != HL_OK)
        return code;
    if (hl_text_is(&config->revision, model.revision))
        return HL_OK;
    if (model.revision[0])
        return hl_fail(err, HL_CONFLICT,
                       "the vector \"%.200s\" has the revision \"%s\" already: another "
                       "version of a model is another vector",
                       model.shown, model.revision);
    code = check_unused(&inside, &model, err);
    if (code != HL_OK)
        return code;
    hl_holding_model_key(model.space, key);
    return hl_store_put_record(hl_writing_store(writing), HL_HOLDING_REVISION, key,
                               config->revision.text, config->revision.len, err);
}

enum hl_code hl_vector_add(struct hl_writing *writing,
                           const struct hl_vector_config *config, struct hl_err *err)
{
    const struct hl_space *space =
        hl_layout_find(hl_writing_layout(writing), &config->name);
    enum hl_code code = HL_OK;

    if (!space)
        code = hl_writing_add_space(writing, config, err);
    else if (space->dim != (config->is_sparse ? 0 : config->size) ||
             space->distance != config->distance)
        code = hl_fail(err, HL_EXISTS,
                       "Wrong input: there is a vector \"%.*s\" already, of another kind",
                       (int)config->name.len, config->name.text);
    return code == HL_OK ? set_revision(writing, config, err) : code;
}

static enum hl_code add_vector(struct hl_pending *pending, struct hl_writing *writing,
                               struct hl_err *err)
{
    return hl_vector_add(writing, &((struct vector_change *)pending)->config, err);
}

/* With everything that was learnt for it, unless that is served. */
static enum hl_code drop_vector(struct hl_pending *pending, struct hl_writing *writing,
                                struct hl_err *err)
{
    const struct hl_text *name = &((struct vector_change *)pending)->config.name;
    const struct hl_space *space = hl_layout_find(hl_writing_layout(writing), name);
    const struct hl_holdings inside = hl_holdings_inside(writing);
    enum hl_code code = space ? hl_holdings_check_idle(&inside, space->id, err) : HL_OK;

    if (code == HL_OK && space)
        code = hl_probes_check_idle(&inside, space->name, err);
    if (code == HL_OK && space)
        code = hl_rollout_check_model(&inside, space->id, err);
    if (code == HL_OK && space)
        code = hl_holdings_drop_model(writing, space->id, err);
    return code == HL_OK ? hl_writing_drop_space(writing, name, err) : code;
}

/* In paths the unnamed vector is written @default. */
static struct hl_text vector_name(const struct hl_span *param)
{
    const struct hl_text written = {param->data, param->len};

    return hl_model_meant_by(&written);
}

static enum hl_code park_vector(struct hl_server *server, struct hl_request *request,
                                struct vector_change *self, struct hl_err *err)
{
    struct hl_params params;
    enum hl_code code = hl_body_params(request, &params, err);

    if (code != HL_OK)
        return code;
    self->pending.print = hl_pending_print_update;
    self->pending.waits = params.waits;
    return hl_pending_park(server, request, &self->pending, err);
}

enum hl_code hl_collection_call_add_vector(struct hl_server *server,
                                           struct hl_request *request,
                                           struct hl_reply *reply, struct hl_err *err)
{
    struct vector_change *self = hl_arena_alloc(request->arena, sizeof *self);
    struct hl_body body;
    enum hl_code code;

    (void)reply;
    if (!self)
        return hl_arena_fail(request->arena, err, "a vector's settings");
    *self = (struct vector_change){.pending.run = add_vector};
    hl_body_begin(request, &body);

    code = hl_body_end(&body, hl_vector_config_read(&body.root, &self->config, err), err);
    self->config.name = vector_name(&request->params[1]);
    if (code == HL_OK)
        code = hl_vector_name_check(&self->config.name, err);
    return code == HL_OK ? park_vector(server, request, self, err) : code;
}

enum hl_code hl_collection_call_drop_vector(struct hl_server *server,
                                            struct hl_request *request,
                                            struct hl_reply *reply, struct hl_err *err)
{
    struct vector_change *self = hl_arena_alloc(request->arena, sizeof *self);

    (void)reply;
    if (!self)
        return hl_arena_fail(request->arena, err, "a vector's name");
    *self = (struct vector_change){.pending.run = drop_vector,
                                   .config.name = vector_name(&request->params[1])};
    return park_vector(server, request, self, err);
}
