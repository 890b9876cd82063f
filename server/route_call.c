/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"
#include "proto/sha256.h"
#include "server/rollout_calls.h"
#include "server/server.h"
#include "server/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TAG = 40, CACHE = 48 };

static enum hl_code fail_unsaid(const struct hl_layout *layout, struct hl_err *err)
{
    struct hl_buf names;
    size_t n = 0;

    hl_buf_init(&names, HL_ERR_MSG_SIZE); /* what is longer is cut anyway */
    for (size_t i = 0; i < layout->n_spaces; i++)
        if (layout->spaces[i].dim > 0)
            hl_buf_print(&names, "%s\"%s\"", n++ > 0 ? ", " : "", layout->spaces[i].name);
    hl_err_set(
        err, HL_NOT_FOUND,
        "Not found: no rollout says which of the models callers embed with, and none "
        "is unnamed: there %s %s",
        n == 1 ? "is" : "are", n > 0 ? names.data : "none yet");
    hl_buf_done(&names);
    return hl_err_code(err);
}

/* Without a rollout: what needs no name, else what is alone. */
static const struct hl_space *find_plain(const struct hl_layout *layout)
{
    const struct hl_text unnamed = {"", 0};
    const struct hl_space *space = hl_layout_find(layout, &unnamed), *alone = NULL;
    size_t n = 0;

    for (size_t i = 0; i < layout->n_spaces; i++) {
        if (layout->spaces[i].dim == 0)
            continue;
        alone = &layout->spaces[i];
        n++;
    }
    return space ? space : n == 1 ? alone : NULL;
}

/* The other one of a rollout that compares them. */
static const struct hl_space *find_also(const struct hl_layout *layout,
                                        const struct hl_rollout *rollout, uint32_t model)
{
    if (!hl_rollout_is_running(rollout))
        return NULL;
    return hl_layout_space(layout, model == rollout->to ? rollout->from : rollout->to);
}

static void print_route(const struct hl_layout *layout, const struct hl_rollout *rollout,
                        const struct hl_space *model, struct hl_buf *buf)
{
    static const struct hl_rollout none = {.number = 0};
    const struct hl_space *also = find_also(layout, rollout, model->id);
    const struct hl_rollout *said = rollout ? rollout : &none;

    hl_buf_add_text(buf, "{\"model\":");
    hl_show_model(buf, model);
    hl_buf_add_text(buf, ",\"also\":");
    if (also)
        hl_show_model(buf, also);
    else
        hl_encode_null(buf);
    hl_buf_print(buf, ",\"stage\":\"%s\",\"percent\":", hl_stage_name(said->stage));
    hl_encode_double(buf, said->percent);
    hl_buf_print(
        buf, ",\"rollout\":%" PRIu64 ",\"step\":%" PRIu64 ",\"ttl_s\":%" PRIu32 "}",
        said->number, said->step, rollout ? rollout->ttl_s : hl_rollout_default().ttl_s);
}

/* Weak, since the time a reply took is not of the result. */
static enum hl_code add_tags(struct hl_request *request, const struct hl_span *result,
                             uint32_t ttl_s, struct hl_reply *reply, struct hl_err *err)
{
    char *tag = hl_arena_alloc(request->arena, TAG);
    char *cache = hl_arena_alloc(request->arena, CACHE);
    char sum[HL_SHA256_TEXT_SIZE];
    struct hl_sha256 sha;

    if (!tag || !cache)
        return hl_arena_fail(request->arena, err, "the tag of a reply");
    hl_sha256_init(&sha);
    hl_sha256_add(&sha, result->data, result->len);
    hl_sha256_finish_text(&sha, sum);
    (void)snprintf(tag, TAG, "W/\"%.32s\"", sum);
    (void)snprintf(cache, CACHE, "private, max-age=%" PRIu32, ttl_s);
    reply->etag = tag;
    reply->cache_control = cache;
    return HL_OK;
}

static enum hl_code answer(struct hl_request *request, const struct hl_layout *layout,
                           struct hl_reply *reply, struct hl_err *err)
{
    const struct hl_rollout *rollout = hl_rollout_of(layout);
    const char *key = hl_request_query(request, "key");
    const struct hl_text text = {key, key ? strlen(key) : 0};
    const uint32_t id = hl_rollout_model(rollout, layout, &text);
    const struct hl_space *model =
        id != 0 ? hl_layout_space(layout, id) : find_plain(layout);
    struct hl_span result;
    size_t at;
    enum hl_code code;

    if (!model)
        return fail_unsaid(layout, err);
    hl_reply_begin(reply);
    at = reply->body.len;
    print_route(layout, rollout, model, &reply->body);
    result = (struct hl_span){reply->body.data + at, reply->body.len - at};
    code = add_tags(request, &result, rollout ? rollout->ttl_s : hl_rollout_default().ttl_s,
                    reply, err);
    if (code == HL_OK)
        code = hl_reply_end(reply, request, err);
    if (code == HL_OK)
        hl_reply_tag(reply, request);
    return code;
}

enum hl_code hl_route_call(struct hl_server *server, struct hl_request *request,
                           struct hl_reply *reply, struct hl_err *err)
{
    const struct hl_look_wish wish = {.n_filters = 0};
    struct hl_collection *collection = NULL;
    struct hl_look *look = NULL;
    enum hl_code code =
        hl_collections_acquire(server->collections, &request->params[0], &collection, err);

    if (code == HL_OK)
        code = hl_look_open(collection, &wish, &look, err);
    if (code == HL_OK)
        code = answer(request, hl_look_layout(look), reply, err);
    hl_look_close(look);
    hl_collection_unref(collection);
    return code;
}
