/* SPDX-License-Identifier: Apache-2.0 */
#include "server/collection_calls.h"

#include "proto/encode.h"
#include "server/body.h"
#include "server/change.h"
#include "server/gallery_config.h"
#include "server/server.h"

#include <inttypes.h>
#include <string.h>

enum { LARGEST_CONFIG = 32 << 20 };

/* ---- looking ---- */

static bool print_name(void *self, const char *name, struct hl_collection *collection)
{
    struct hl_buf *buf = self;

    (void)collection;
    if (buf->len > 0 && buf->data[buf->len - 1] != '[')
        hl_buf_add_char(buf, ',');
    hl_buf_add_text(buf, "{\"name\":");
    hl_encode_string(buf, name);
    hl_buf_add_char(buf, '}');
    return true;
}

enum hl_code hl_collection_call_list(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err)
{
    hl_reply_begin(reply);
    hl_buf_add_text(&reply->body, "{\"collections\":[");
    hl_collections_each(server->collections, print_name, &reply->body);
    hl_buf_add_text(&reply->body, "]}");
    return hl_reply_end(reply, request, err);
}

enum hl_code hl_collection_call_exists(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    struct hl_err missing;
    const bool exists = hl_collections_acquire(server->collections, &request->params[0],
                                               &collection, &missing) == HL_OK;

    if (exists)
        hl_collection_unref(collection);
    hl_reply_begin(reply);
    hl_buf_print(&reply->body, "{\"exists\":%s}", exists ? "true" : "false");
    return hl_reply_end(reply, request, err);
}

static void print_schema(const struct hl_collection_info *info, struct hl_buf *buf)
{
    hl_buf_add_char(buf, '{');
    for (size_t i = 0; i < info->n_indexes; i++) {
        const struct hl_index_info *index = &info->indexes[i];

        hl_buf_add_text(buf, i > 0 ? "," : "");
        hl_encode_text(buf, index->index.key.text, index->index.key.len);
        hl_buf_print(buf, ":{\"data_type\":\"%s\"", hl_index_type_name(index->index.type));
        if (index->index.params.text) {
            hl_buf_add_text(buf, ",\"params\":");
            hl_buf_add(buf, index->index.params.text, index->index.params.len);
        }
        hl_buf_print(buf, ",\"points\":%" PRIu64 "}", index->n_points);
    }
    hl_buf_add_char(buf, '}');
}

static enum hl_code print_info(const struct hl_collection_info *info,
                               struct hl_arena *arena, struct hl_buf *buf,
                               struct hl_err *err)
{
    enum hl_code code;

    hl_buf_print(buf,
                 "{\"status\":\"%s\",\"optimizer_status\":\"ok\",\"warnings\":[],"
                 "\"indexed_vectors_count\":%" PRIu64 ",\"points_count\":%" PRIu64
                 ",\"segments_count\":%zu,\"config\":",
                 info->is_busy ? "yellow" : "green", info->n_indexed, info->n_points,
                 info->n_segments);
    code = hl_gallery_config_print(info->layout, arena, buf, err);
    hl_buf_add_text(buf, ",\"payload_schema\":");
    print_schema(info, buf);
    hl_buf_add_char(buf, '}');
    return code;
}

/* What the first parameter names, as it is now; its layout is the caller's to let go. */
static enum hl_code get_info(struct hl_server *server, struct hl_request *request,
                             struct hl_collection_info *ret_info, struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    enum hl_code code =
        hl_collections_acquire(server->collections, &request->params[0], &collection, err);

    if (code != HL_OK)
        return code;
    code = hl_collection_info(collection, request->arena, ret_info, err);
    hl_collection_unref(collection);
    return code;
}

enum hl_code hl_collection_call_info(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err)
{
    struct hl_collection_info info;
    enum hl_code code = get_info(server, request, &info, err);

    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    code = print_info(&info, request->arena, &reply->body, err);
    hl_layout_unref(info.layout);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

/* ---- making and changing ---- */

struct creation {
    const struct hl_create_collection *wanted;
    struct hl_text config;
};

static enum hl_code fill(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct creation *creation = self;
    enum hl_code code = hl_writing_set_config(writing, &creation->config, err);

    for (size_t i = 0; code == HL_OK && i < creation->wanted->vectors.n; i++)
        code = hl_writing_add_space(writing, &creation->wanted->vectors.items[i], err);
    return code;
}

static enum hl_code fill_collection(void *self, struct hl_collection *collection,
                                    struct hl_err *err)
{
    return hl_pending_run_now(collection, fill, self, err);
}

static enum hl_code check_names(const struct hl_create_collection *wanted,
                                struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < wanted->vectors.n; i++)
        code = hl_vector_name_check(&wanted->vectors.items[i].name, err);
    return code;
}

static enum hl_code create(struct hl_server *server, struct hl_request *request,
                           const struct hl_create_collection *wanted, struct hl_err *err)
{
    struct creation creation = {.wanted = wanted};
    const struct hl_collections_filler filler = {fill_collection, &creation};
    struct hl_gallery_config config = {0};
    const struct hl_text no_params = {NULL, 0};
    struct hl_buf text;
    enum hl_code code;

    hl_buf_init(&text, LARGEST_CONFIG);
    code = hl_gallery_config_merge(&config, &wanted->settings, &no_params, request->arena,
                                   err);
    if (code == HL_OK)
        code = hl_gallery_config_encode(&config, &text, err);
    creation.config = (struct hl_text){text.data, text.len};
    if (code == HL_OK)
        code =
            hl_collections_create(server->collections, &request->params[0], &filler, err);
    hl_buf_done(&text);
    return code;
}

static enum hl_code say_true(struct hl_request *request, struct hl_reply *reply, bool is,
                             struct hl_err *err)
{
    hl_reply_begin(reply);
    hl_encode_bool(&reply->body, is);
    return hl_reply_end(reply, request, err);
}

enum hl_code hl_collection_call_create(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err)
{
    struct hl_create_collection wanted;
    struct hl_params params;
    struct hl_body body;
    enum hl_code code = hl_body_params(request, &params, err);

    hl_body_begin(request, &body);
    if (code == HL_OK)
        code = hl_body_end(&body, hl_create_collection_read(&body.root, &wanted, err), err);
    if (code == HL_OK)
        code = check_names(&wanted, err);
    if (code == HL_OK)
        code = create(server, request, &wanted, err);
    return code == HL_OK ? say_true(request, reply, true, err) : code;
}

enum hl_code hl_collection_call_delete(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err)
{
    struct hl_params params;
    bool existed = false;
    enum hl_code code = hl_body_params(request, &params, err);

    if (code == HL_OK)
        code =
            hl_collections_delete(server->collections, &request->params[0], &existed, err);
    return code == HL_OK ? say_true(request, reply, existed, err) : code;
}

struct update {
    struct hl_pending pending; /* first */
    struct hl_update_collection wanted;
};

static enum hl_code update_vector(struct hl_writing *writing,
                                  const struct hl_vector_patch *patch,
                                  struct hl_arena *arena, struct hl_err *err)
{
    const struct hl_space *space = hl_layout_find(hl_writing_layout(writing), &patch->name);
    struct hl_text old, merged;
    struct hl_buf buf;
    enum hl_code code;

    if (!space || (space->dim == 0) != patch->is_sparse)
        return hl_fail(err, HL_UNKNOWN_VECTOR,
                       "Wrong input: Not existing vector name error: %.*s",
                       (int)patch->name.len, patch->name.text);
    old = (struct hl_text){space->settings, strlen(space->settings)};
    hl_buf_init(&buf, LARGEST_CONFIG);
    code = hl_tuning_merge(&old, &patch->text, HL_MERGE_NULL_ABSENT, arena, &buf, err);
    if (code == HL_OK)
        code = hl_buf_check(&buf, "a vector's settings", err);
    merged = (struct hl_text){buf.data, buf.len};
    if (code == HL_OK)
        code = hl_writing_set_space(writing, &patch->name, &merged, err);
    hl_buf_done(&buf);
    return code;
}

static enum hl_code update(struct hl_pending *pending, struct hl_writing *writing,
                           struct hl_err *err)
{
    const struct hl_update_collection *wanted = &((struct update *)pending)->wanted;
    struct hl_arena *arena = pending->request->arena;
    struct hl_gallery_config config;
    struct hl_text text;
    struct hl_buf buf;
    enum hl_code code =
        hl_gallery_config_decode(hl_writing_layout(writing)->config, arena, &config, err);

    if (code == HL_OK)
        code = hl_gallery_config_merge(&config, &wanted->settings, &wanted->params, arena,
                                       err);
    if (code != HL_OK)
        return code;
    hl_buf_init(&buf, LARGEST_CONFIG);
    code = hl_gallery_config_encode(&config, &buf, err);
    text = (struct hl_text){buf.data, buf.len};
    if (code == HL_OK)
        code = hl_writing_set_config(writing, &text, err);
    hl_buf_done(&buf);
    for (size_t i = 0; code == HL_OK && i < wanted->n_vectors; i++)
        code = update_vector(writing, &wanted->vectors[i], arena, err);
    return code;
}

enum hl_code hl_collection_call_update(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err)
{
    struct update *self = hl_arena_alloc(request->arena, sizeof *self);
    struct hl_params params;
    struct hl_body body;
    enum hl_code code = hl_body_params(request, &params, err);

    (void)reply;
    if (!self)
        return hl_arena_fail(request->arena, err, "a collection's update");
    *self = (struct update){.pending = {.run = update, .print = hl_pending_print_true}};
    hl_body_begin(request, &body);
    if (code == HL_OK)
        code = hl_body_end(&body, hl_update_collection_read(&body.root, &self->wanted, err),
                           err);
    return code == HL_OK ? hl_pending_park(server, request, &self->pending, err) : code;
}

/* ---- one node, which is all there is ---- */

enum hl_code hl_collection_call_node(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err)
{
    (void)server;
    hl_reply_begin(reply);
    hl_buf_add_text(&reply->body, "{\"status\":\"disabled\"}");
    return hl_reply_end(reply, request, err);
}

enum hl_code hl_collection_call_cluster(struct hl_server *server,
                                        struct hl_request *request, struct hl_reply *reply,
                                        struct hl_err *err)
{
    struct hl_collection_info info;
    enum hl_code code = get_info(server, request, &info, err);

    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    hl_buf_print(&reply->body,
                 "{\"peer_id\":0,\"shard_count\":1,\"local_shards\":[{\"shard_id\":0,"
                 "\"points_count\":%" PRIu64 ",\"state\":\"Active\"}],"
                 "\"remote_shards\":[],\"shard_transfers\":[]}",
                 info.n_points);
    hl_layout_unref(info.layout);
    return hl_reply_end(reply, request, err);
}
