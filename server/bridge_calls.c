/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bridge_calls.h"

#include "proto/alloc.h"
#include "proto/encode.h"
#include "server/bridges.h"
#include "server/change.h"
#include "server/rollout.h"
#include "server/server.h"
#include "server/upload.h"

#include <string.h>

/* ---- looking ---- */

static enum hl_code print_cell(const struct hl_holdings *holdings,
                               const struct hl_bridge_pair *pair, struct hl_buf *buf,
                               struct hl_err *err)
{
    uint64_t revision = 0;
    enum hl_code code = hl_bridges_latest(holdings, pair, &revision, err);

    if (code == HL_OK && revision != 0)
        return hl_bridges_print(holdings, pair, revision, false, buf, err);
    hl_buf_add_text(buf, "{\"from\":");
    hl_encode_string(buf, pair->from.shown);
    hl_buf_add_text(buf, ",\"to\":");
    hl_encode_string(buf, pair->to.shown);
    hl_buf_add_text(buf, ",\"revision\":null}");
    return code;
}

static bool is_joinable(const struct hl_space *space)
{
    return space->dim > 0 && space->distance != HL_MANHATTAN;
}

/* Every ordered pair of models that a bridge can join. */
static enum hl_code print_matrix(const struct hl_holdings *holdings, struct hl_buf *buf,
                                 struct hl_err *err)
{
    const struct hl_layout *layout = holdings->layout;
    const size_t n = layout->n_spaces * layout->n_spaces;
    enum hl_code code = HL_OK;
    size_t n_printed = 0;

    for (size_t i = 0; code == HL_OK && i < n; i++) {
        const struct hl_space *from = &layout->spaces[i / layout->n_spaces];
        const struct hl_space *to = &layout->spaces[i % layout->n_spaces];
        struct hl_bridge_pair pair;

        if (from == to || !is_joinable(from) || !is_joinable(to))
            continue;
        hl_buf_add_text(buf, n_printed++ > 0 ? "," : "");
        code = hl_holdings_describe(holdings, from, &pair.from, err);
        if (code == HL_OK)
            code = hl_holdings_describe(holdings, to, &pair.to, err);
        if (code == HL_OK)
            code = print_cell(holdings, &pair, buf, err);
    }
    return code;
}

static enum hl_code show_matrix(struct hl_server *server, struct hl_request *request,
                                const struct hl_holdings *holdings, struct hl_reply *reply,
                                struct hl_err *err)
{
    enum hl_code code;

    (void)server;
    hl_reply_begin(reply);
    hl_buf_add_text(&reply->body, "{\"bridges\":[");
    code = print_matrix(holdings, &reply->body, err);
    hl_buf_add_text(&reply->body, "]}");
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_bridge_call_list(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    return hl_holdings_reply(server, request, reply, show_matrix, err);
}

static enum hl_code send_file(struct hl_server *server, const struct hl_request *request,
                              const struct hl_holdings *holdings, const char *key,
                              struct hl_reply *reply, struct hl_err *err)
{
    struct hl_store_record record;
    enum hl_code code =
        hl_reader_record(holdings->reader, HL_HOLDING_BRIDGE, key, &record, err);

    return code == HL_OK
               ? hl_reply_bytes(server, request, reply,
                                &(const struct hl_span){record.body, record.size}, err)
               : code;
}

static enum hl_code show(struct hl_server *server, struct hl_request *request,
                         const struct hl_holdings *holdings, struct hl_reply *reply,
                         struct hl_err *err)
{
    struct hl_bridge_pair pair;
    char key[HL_HOLDING_KEY];
    uint64_t revision = 0;
    bool is_file = false;
    enum hl_code code = hl_request_number(request, "revision", &revision, err);

    if (code == HL_OK)
        code = hl_request_format(request, "safetensors", &is_file, err);
    if (code == HL_OK)
        code = hl_bridges_pair(holdings, request, &pair, err);
    if (code == HL_OK)
        code = hl_bridges_find(holdings, &pair, &revision, err);
    if (code != HL_OK)
        return code;
    if (is_file) {
        hl_holding_bridge_key(pair.from.space, pair.to.space, revision, key);
        return send_file(server, request, holdings, key, reply, err);
    }
    hl_reply_begin(reply);
    code = hl_bridges_print(holdings, &pair, revision, true, &reply->body, err);
    return code == HL_OK ? hl_reply_end(reply, request, err) : code;
}

enum hl_code hl_bridge_call_get(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    return hl_holdings_reply(server, request, reply, show, err);
}

/* ---- changes ---- */

struct bridge_change {
    struct hl_pending pending; /* first */
    uint64_t revision;
    struct hl_buf shown;

    /* of a bridge that was put */
    struct hl_bridge_pair pair;
    struct hl_bridge *bridge;
    struct hl_file *file;
    void *bytes;
    size_t size;
};

static void let_go(struct hl_pending *pending)
{
    struct bridge_change *self = (struct bridge_change *)pending;

    hl_buf_done(&self->shown);
    hl_bridge_free(self->bridge);
    hl_file_unmap(self->bytes, self->size);
    hl_file_close(self->file);
}

static void print_shown(const struct hl_pending *pending, struct hl_buf *buf)
{
    const struct bridge_change *self = (const struct bridge_change *)pending;

    hl_buf_add(buf, self->shown.data, self->shown.len);
}

static struct bridge_change *new_change(struct hl_request *request, struct hl_err *err)
{
    struct bridge_change *self = hl_arena_alloc(request->arena, sizeof *self);

    if (!self) {
        (void)hl_arena_fail(request->arena, err, "a change of bridges");
        return NULL;
    }
    *self = (struct bridge_change){.pending = {.print = print_shown, .let_go = let_go}};
    hl_buf_init(&self->shown, (size_t)64 << 20);
    return self;
}

static enum hl_code park(struct hl_server *server, struct hl_request *request,
                         struct bridge_change *self, struct hl_err *err)
{
    enum hl_code code = hl_pending_park(server, request, &self->pending, err);

    if (code != HL_OK)
        let_go(&self->pending);
    return code;
}

/* What was there before the change failed is printed anew when it is run again. */
static enum hl_code end_shown(struct bridge_change *self, enum hl_code code,
                              struct hl_err *err)
{
    return code == HL_OK ? hl_buf_check(&self->shown, "the reply", err) : code;
}

/* ---- deleting ---- */

static enum hl_code delete_bridge(struct hl_pending *pending, struct hl_writing *writing,
                                  struct hl_err *err)
{
    const struct hl_holdings inside = hl_holdings_inside(writing);
    struct hl_bridge_pair pair;
    enum hl_code code = hl_bridges_pair(&inside, pending->request, &pair, err);

    if (code == HL_OK)
        code = hl_rollout_check_pair(&inside, pair.from.space, pair.to.space, err);
    return code == HL_OK
               ? hl_bridges_remove(writing, &pair,
                                   ((struct bridge_change *)pending)->revision, err)
               : code;
}

enum hl_code hl_bridge_call_delete(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err)
{
    struct bridge_change *self = new_change(request, err);
    enum hl_code code;

    (void)reply;
    if (!self)
        return err->code;
    code = hl_request_number(request, "revision", &self->revision, err);
    if (code != HL_OK)
        return code;
    self->pending.run = delete_bridge;
    self->pending.print = hl_pending_print_true;
    return park(server, request, self, err);
}

/* ---- putting one that was learnt elsewhere ---- */

static enum hl_code add_bridge(struct hl_pending *pending, struct hl_writing *writing,
                               struct hl_err *err)
{
    struct bridge_change *self = (struct bridge_change *)pending;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    const struct hl_bridge_entry entry = {
        .pair = &self->pair, .bridge = self->bridge, .file = {self->bytes, self->size}};
    uint64_t revision = 0;
    enum hl_code code =
        hl_rollout_check_pair(&inside, self->pair.from.space, self->pair.to.space, err);

    if (code == HL_OK)
        code = hl_bridges_add(writing, &entry, &revision, err);

    hl_buf_clear(&self->shown, 0);
    if (code == HL_OK)
        code = hl_bridges_print(&inside, &self->pair, revision, true, &self->shown, err);
    return end_shown(self, code, err);
}

/* A report that is no JSON would make every reply that shows it none. */
static enum hl_code check_report(const struct hl_request *request,
                                 const struct hl_bridge *bridge, struct hl_err *err)
{
    struct hl_tokens tokens;
    enum hl_code code;

    if (!bridge->report)
        return HL_OK;
    hl_tokens_init(&tokens, bridge->report, strlen(bridge->report), request->arena);
    tokens.what = "the bridge's report";
    tokens.code = HL_INVALID;
    code = hl_tokens_skip(&tokens, err);
    return code == HL_OK ? hl_tokens_finish(&tokens, err) : code;
}

static enum hl_code read_bridge(struct bridge_change *self,
                                const struct hl_holdings *holdings,
                                const struct hl_request *request, struct hl_err *err)
{
    struct hl_bridge_wanted wanted = {.needs_prints = true};
    struct hl_source source;
    enum hl_code code = hl_bridges_pair(holdings, request, &self->pair, err);

    if (code == HL_OK)
        code = hl_bridges_check_norms(holdings, &self->pair, &request->deadline, err);
    if (code == HL_OK)
        code =
            hl_file_open(hl_upload_path(request->upload), HL_FILE_READ, &self->file, err);
    if (code == HL_OK)
        code = hl_source_of_file(self->file, &source, err);
    if (code != HL_OK)
        return code;
    source.name = "the bridge";
    wanted.from = self->pair.from.name;
    wanted.to = self->pair.to.name;
    wanted.dim_from = self->pair.from.dim;
    wanted.dim_to = self->pair.to.dim;
    wanted.from_print = self->pair.from.print;
    wanted.to_print = self->pair.to.print;
    code = hl_bridge_load(&source, &wanted, &self->bridge, err);
    if (code == HL_OK)
        code = check_report(request, self->bridge, err);
    return code == HL_OK ? hl_file_map(self->file, &self->bytes, &self->size, err) : code;
}

/* The layout's texts go with the look; those of the path are the request's. */
static void keep_names(struct bridge_change *self, const struct hl_request *request)
{
    struct hl_model *models[] = {&self->pair.from, &self->pair.to};

    for (size_t i = 0; i < 2; i++) {
        models[i]->shown = request->params[i + 1].data;
        models[i]->name = models[i]->name[0] ? models[i]->shown : "";
    }
}

enum hl_code hl_bridge_call_put(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    struct bridge_change *self = new_change(request, err);
    struct hl_holdings holdings;
    enum hl_code code;

    (void)reply;
    if (!self)
        return err->code;
    code = hl_upload_finish(request->upload, err);
    if (code == HL_OK)
        code = hl_holdings_open(server, &request->params[0], &holdings, err);
    if (code != HL_OK)
        return code;
    code = read_bridge(self, &holdings, request, err);
    if (code == HL_OK)
        keep_names(self, request);
    hl_holdings_close(&holdings);
    self->pending.run = add_bridge;
    if (code == HL_OK)
        return park(server, request, self, err);
    let_go(&self->pending);
    return code;
}
