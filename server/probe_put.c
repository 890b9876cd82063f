/* SPDX-License-Identifier: Apache-2.0 */
#include "server/probe_calls.h"

#include "proto/file.h"
#include "server/change.h"
#include "server/probes.h"
#include "server/rollout.h"
#include "server/server.h"
#include "server/upload.h"

#include <inttypes.h>
#include <string.h>

enum {
    LARGEST_TEXT = 256 << 20, /* of a set as it is kept */
    LARGEST_SHOWN = 1 << 20,
    LARGEST_QUERY = 64 << 20, /* in memory */
    SETTINGS_ROOM = 96        /* their line is printed last and stands first */
};

struct putting {
    struct hl_pending pending;     /* first */
    struct hl_probe_taker taker;   /* whose `take` is this file's */
    struct hl_probe_model *models; /* all there are, as they were looked at */
    size_t n_models;
    struct hl_probe_entry entry;
    struct hl_buf text, shown;
};

static void let_go(struct hl_pending *pending)
{
    struct putting *self = (struct putting *)pending;

    hl_arena_free(self->taker.scratch);
    hl_buf_done(&self->text);
    hl_buf_done(&self->shown);
}

/* ---- what came ---- */

static struct hl_probe_model *find_model(const struct putting *self,
                                         const struct hl_text *name)
{
    for (size_t i = 0; i < self->n_models; i++)
        if (hl_text_compare(&self->models[i].name, name) == 0)
            return &self->models[i];
    return NULL;
}

static enum hl_code check_vector(const struct putting *self, const struct hl_vector *vector,
                                 struct hl_err *err)
{
    struct hl_probe_model *model = find_model(self, &vector->name);
    const uint64_t query = self->taker.n;

    if (!model)
        return hl_fail(err, HL_UNKNOWN_VECTOR,
                       "Wrong input: Not existing vector name error: %.*s (query %" PRIu64
                       ")",
                       (int)vector->name.len, vector->name.text, query);
    if (model->dim == 0)
        return hl_fail(err, HL_WRONG_INPUT,
                       "Wrong input: the vector \"%.*s\" is sparse, probes have dense ones "
                       "(query %" PRIu64 ")",
                       (int)vector->name.len, vector->name.text, query);
    if (model->dim != vector->n)
        return hl_fail(err, HL_DIMENSION_MISMATCH,
                       "Wrong input: Vector dimension error: expected dim: %" PRIu32
                       ", got %zu (query %" PRIu64 ", \"%.*s\")",
                       model->dim, vector->n, query, (int)vector->name.len,
                       vector->name.text);
    model->n++;
    return HL_OK;
}

static enum hl_code take(struct hl_probe_taker *taker, const struct hl_probe *probe,
                         struct hl_err *err)
{
    struct putting *self =
        (struct putting *)((char *)taker - offsetof(struct putting, taker));
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < probe->vectors.n; i++)
        code = check_vector(self, &probe->vectors.items[i], err);
    hl_probe_print(probe, &self->text);
    return code == HL_OK ? hl_buf_check(&self->text, "the probe set", err) : code;
}

static bool is_lines(const struct hl_request *request)
{
    return hl_request_is_of_type(request, "application/x-ndjson") ||
           hl_request_is_of_type(request, "application/ndjson") ||
           hl_request_is_of_type(request, "application/jsonl");
}

/* curl announces a form where nobody said more. */
static enum hl_code hint_at_lines(const char *text, size_t len, enum hl_code code,
                                  struct hl_err *err)
{
    const struct hl_err before = *err;

    if (code != HL_MALFORMED || !memmem(text, len, "}\n{", 3))
        return code;
    return hl_fail(err, code, "%s; a set as lines comes as application/x-ndjson",
                   before.msg);
}

static enum hl_code read_body(struct putting *self, struct hl_request *request,
                              const char *text, size_t len, struct hl_err *err)
{
    struct hl_probe_settings *settings = &self->entry.set.settings;
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    if (is_lines(request))
        return hl_probes_read_lines(text, len, &self->taker, settings, err);
    hl_tokens_init(&tokens, text, len, request->arena);
    root = hl_field_root(&tokens);
    code = hl_probes_read(&root, &self->taker, settings, err);
    if (code == HL_OK)
        code = hl_tokens_finish(&tokens, err);
    return hint_at_lines(text, len, code, err);
}

/* Behind white space, which a line of JSON may end in. */
static enum hl_code put_settings_in_front(struct putting *self, struct hl_err *err)
{
    struct hl_buf line;
    enum hl_code code;

    hl_buf_init(&line, SETTINGS_ROOM);
    hl_probe_settings_print(&self->entry.set.settings, &line);
    code = hl_buf_check(&line, "the settings of a probe set", err);
    if (code == HL_OK)
        memcpy(self->text.data, line.data, line.len - 1);
    hl_buf_done(&line);
    return code;
}

static enum hl_code read_upload(struct putting *self, struct hl_request *request,
                                struct hl_err *err)
{
    struct hl_file *file = NULL;
    void *bytes = NULL;
    size_t size = 0;
    enum hl_code code = hl_upload_finish(request->upload, err);

    if (code == HL_OK && hl_upload_size(request->upload) == 0)
        return read_body(self, request, "", 0, err);
    if (code == HL_OK)
        code = hl_file_open(hl_upload_path(request->upload), HL_FILE_READ, &file, err);
    if (code == HL_OK)
        code = hl_file_map(file, &bytes, &size, err);
    hl_file_close(file);
    if (code == HL_OK)
        code = read_body(self, request, bytes, size, err);
    hl_file_unmap(bytes, size);
    return code == HL_OK ? put_settings_in_front(self, err) : code;
}

/* ---- keeping it ---- */

static enum hl_code copy_models(struct putting *self, struct hl_request *request,
                                const struct hl_layout *layout, struct hl_err *err)
{
    const size_t n = layout->n_spaces;

    self->models = hl_arena_array(request->arena, n ? n : 1, sizeof *self->models);
    if (!self->models)
        return hl_arena_fail(request->arena, err, "%zu models", n);
    for (size_t i = 0; i < n; i++) {
        const size_t len = strlen(layout->spaces[i].name);
        const char *name = hl_arena_copy(request->arena, layout->spaces[i].name, len);

        if (!name)
            return hl_arena_fail(request->arena, err, "the name of a model");
        self->models[i] =
            (struct hl_probe_model){.name = {name, len}, .dim = layout->spaces[i].dim};
    }
    self->n_models = n;
    return HL_OK;
}

/* Those that there are vectors of. */
static void keep_used(struct putting *self)
{
    size_t n = 0;

    for (size_t i = 0; i < self->n_models; i++)
        if (self->models[i].n > 0)
            self->models[n++] = self->models[i];
    self->entry.set.models = self->models;
    self->entry.set.n_models = n;
    self->entry.set.n_queries = self->taker.n;
    self->entry.text = (struct hl_span){self->text.data, self->text.len};
}

static bool has_vectors(const struct putting *self, const struct hl_holdings *inside,
                        uint32_t model)
{
    const struct hl_space *space = hl_layout_space(inside->layout, model);

    return space && hl_probe_set_model(&self->entry.set, space->name);
}

/* A rollout that runs the set would be stuck at its gate. */
static enum hl_code check_rollout(const struct putting *self,
                                  const struct hl_holdings *inside, struct hl_err *err)
{
    char words[HL_ROLLOUT_WORDS];
    struct hl_rollout rollout;
    enum hl_code code = hl_rollout_load(inside->reader, &rollout, err);

    if (code != HL_OK || !hl_rollout_is_running(&rollout) ||
        strcmp(rollout.probes, self->entry.name) != 0 ||
        (has_vectors(self, inside, rollout.from) && has_vectors(self, inside, rollout.to)))
        return code;
    hl_rollout_describe(&rollout, inside->layout, words);
    return hl_fail(err, HL_CONFLICT,
                   "%s and runs this set: it needs vectors of both models", words);
}

static enum hl_code put_set(struct hl_pending *pending, struct hl_writing *writing,
                            struct hl_err *err)
{
    struct putting *self = (struct putting *)pending;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    uint64_t version = 0;
    enum hl_code code = check_rollout(self, &inside, err);

    if (code == HL_OK)
        code = hl_probes_put(writing, &self->entry, &version, err);
    hl_buf_clear(&self->shown, 0); /* it may be called again */
    if (code == HL_OK)
        code =
            hl_probes_print(&inside, self->entry.name, version, false, &self->shown, err);
    return code == HL_OK ? hl_buf_check(&self->shown, "the reply", err) : code;
}

static void print_shown(const struct hl_pending *pending, struct hl_buf *buf)
{
    const struct putting *self = (const struct putting *)pending;

    hl_buf_add(buf, self->shown.data, self->shown.len);
}

static enum hl_code look(struct putting *self, struct hl_server *server,
                         struct hl_request *request, struct hl_err *err)
{
    struct hl_holdings holdings;
    enum hl_code code = hl_probes_check_name(&request->params[1], err);

    if (code == HL_OK)
        code = hl_holdings_open(server, &request->params[0], &holdings, err);
    if (code != HL_OK)
        return code;
    code = copy_models(self, request, holdings.layout, err);
    hl_holdings_close(&holdings);
    return code;
}

static enum hl_code read_set(struct putting *self, struct hl_request *request,
                             struct hl_err *err)
{
    char *room = hl_buf_reserve(&self->text, SETTINGS_ROOM);
    enum hl_code code = hl_buf_check(&self->text, "the probe set", err);

    if (code != HL_OK || !room)
        return code;
    memset(room, ' ', SETTINGS_ROOM);
    room[SETTINGS_ROOM - 1] = '\n';
    self->text.len = SETTINGS_ROOM;
    self->taker.take = take;
    self->taker.scratch = hl_arena_new(LARGEST_QUERY);
    if (!self->taker.scratch)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read a probe set");
    code = read_upload(self, request, err);
    if (code == HL_OK)
        keep_used(self);
    return code;
}

enum hl_code hl_probe_call_put(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    struct putting *self = hl_arena_alloc(request->arena, sizeof *self);
    enum hl_code code;

    (void)reply;
    if (!self)
        return hl_arena_fail(request->arena, err, "a probe set");
    *self = (struct putting){
        .pending = {.run = put_set, .print = print_shown, .let_go = let_go},
        .entry = {.name = request->params[1].data, .by = request->key}};
    hl_buf_init(&self->text, LARGEST_TEXT);
    hl_buf_init(&self->shown, LARGEST_SHOWN);
    code = look(self, server, request, err);
    if (code == HL_OK)
        code = read_set(self, request, err);
    if (code == HL_OK)
        code = hl_pending_park(server, request, &self->pending, err);
    if (code != HL_OK)
        let_go(&self->pending);
    return code;
}
