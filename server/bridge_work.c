/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bridge_work.h"

#include "server/server.h"

#include <string.h>

enum { WORK_MEMORY = 8 << 20 };

static enum hl_code keep_model(struct hl_arena *arena, struct hl_model *model,
                               struct hl_err *err)
{
    model->shown = hl_arena_copy(arena, model->shown, strlen(model->shown));
    if (!model->shown)
        return hl_arena_fail(arena, err, "the name of a model");
    model->name = model->name[0] ? model->shown : "";
    return HL_OK;
}

struct hl_bridge_ask hl_bridge_ask_of(struct hl_server *server,
                                      const struct hl_request *request)
{
    return (struct hl_bridge_ask){.server = server,
                                  .collection = request->params[0],
                                  .from = request->params[1],
                                  .to = request->params[2],
                                  .body = request->body,
                                  .deadline = &request->deadline};
}

enum hl_code hl_bridge_work_init(struct hl_bridge_work *work,
                                 const struct hl_bridge_ask *ask,
                                 const struct hl_holdings *holdings, struct hl_err *err)
{
    const char *body;
    enum hl_code code =
        hl_bridges_pair_of(holdings, &ask->from, &ask->to, &work->pair, err);

    work->server = ask->server;
    work->collection = hl_collection_ref(holdings->collection);
    work->arena = hl_arena_new(WORK_MEMORY);
    if (code == HL_OK && !work->arena)
        code = hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    if (code == HL_OK)
        code = keep_model(work->arena, &work->pair.from, err);
    if (code == HL_OK)
        code = keep_model(work->arena, &work->pair.to, err);
    if (code != HL_OK)
        return code;
    body = hl_arena_copy(work->arena, ask->body.data, ask->body.len);
    if (!body)
        return hl_arena_fail(work->arena, err, "the body");
    hl_tokens_init(&work->tokens, body, ask->body.len, work->arena);
    work->body = hl_field_root(&work->tokens);
    return HL_OK;
}

void hl_bridge_work_done(struct hl_bridge_work *work)
{
    hl_labels_free(work->labels);
    hl_head_free(work->head);
    hl_head_free(work->own_head);
    hl_collection_unref(work->collection);
    hl_arena_free(work->arena);
}

/* ---- on the job's thread ---- */

void hl_bridge_work_note(struct hl_bridge_work *work, const char *name, const char *sha256)
{
    struct hl_learn_source *source = &work->source;

    if (source->n_inputs < HL_LEARN_INPUTS)
        source->inputs[source->n_inputs++] = (struct hl_learn_input){name, sha256};
}

/* NULL: the model has none. */
static enum hl_code load_head(struct hl_bridge_work *work,
                              const struct hl_holdings *holdings,
                              const struct hl_model *model, struct hl_head **ret_head,
                              struct hl_err *err)
{
    struct hl_store_record record;
    struct hl_memory memory;
    struct hl_source source;
    struct hl_sha256 sha;
    char key[HL_HOLDING_KEY], sum[HL_SHA256_TEXT_SIZE];
    enum hl_code code;

    hl_holding_model_key(model->space, key);
    code = hl_reader_record(holdings->reader, HL_HOLDING_HEAD, key, &record, err);
    if (code == HL_NOT_FOUND)
        return HL_OK;
    if (code != HL_OK)
        return code;
    hl_sha256_init(&sha);
    hl_sha256_add(&sha, record.body, record.size);
    hl_sha256_finish_text(&sha, sum);
    hl_bridge_work_note(work, hl_arena_print(work->arena, "head of %s", model->shown),
                        hl_arena_copy(work->arena, sum, sizeof sum - 1));
    memory = (struct hl_memory){record.body, record.size};
    source = hl_source_of_memory(&memory, "the head");
    return hl_head_load(&source, model->dim, ret_head, err);
}

static enum hl_code load_heads(struct hl_bridge_work *work,
                               const struct hl_holdings *holdings, struct hl_err *err)
{
    enum hl_code code = hl_holdings_check(holdings, &work->pair.from, err);

    if (code == HL_OK)
        code = hl_holdings_check(holdings, &work->pair.to, err);
    if (code == HL_OK)
        code = load_head(work, holdings, &work->pair.to, &work->head, err);
    if (code == HL_OK)
        code = load_head(work, holdings, &work->pair.from, &work->own_head, err);
    return code;
}

enum hl_code hl_bridge_work_begin(struct hl_bridge_work *work, struct hl_err *err)
{
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_look(work->collection, &holdings, err);

    if (code != HL_OK)
        return code;
    code = load_heads(work, &holdings, err);
    hl_holdings_close(&holdings);
    if (code == HL_OK)
        code = hl_labels_new(&work->labels, err);
    if (code == HL_OK && work->head)
        code = hl_learn_add_head(work->labels, work->head, err);
    work->source.labels = work->labels;
    work->source.head = work->head;
    work->source.own_head = work->own_head;
    return code;
}

/* ---- datasets ---- */

enum hl_code hl_bridge_work_dataset(struct hl_bridge_work *work, const struct hl_text *name,
                                    struct hl_dataset **ret_dataset, struct hl_err *err)
{
    const char *text = hl_arena_copy(work->arena, name->text, name->len);
    const struct hl_span span = {text, name->len};
    enum hl_code code;

    if (!text)
        return hl_arena_fail(work->arena, err, "the name of a dataset");
    code = hl_dataset_open(work->collection, &span, ret_dataset, err);
    if (code == HL_OK)
        hl_bridge_work_note(work, (*ret_dataset)->name, (*ret_dataset)->sha256);
    return code;
}

enum hl_code hl_bridge_work_needs(const struct hl_dataset *dataset,
                                  const struct hl_model *model, const char *why,
                                  struct hl_err *err)
{
    if (hl_dataset_model(dataset, model->name))
        return HL_OK;
    return hl_fail(err, HL_INVALID,
                   "the dataset \"%.100s\" has no vectors of \"%.200s\": %s", dataset->name,
                   model->shown, why);
}
