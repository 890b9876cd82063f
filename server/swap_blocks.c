/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/model_name.h"
#include "server/bridge_learn.h"
#include "server/probes.h"
#include "server/server.h"
#include "server/swap.h"

#include <inttypes.h>
#include <string.h>

/* What keeps the steps of a swap from being done, each with the call that takes it out of
 * the way. The same is refused at once, said by a dry run, and shown as what blocks. */

/* One look for it. */
struct finding {
    const struct hl_swap_look *look;
    const struct hl_holdings *holdings;
    struct hl_swap_state *state;
};

static bool is_wanted(const struct finding *f, enum hl_swap_step step)
{
    return step <= f->state->order.stop_at && !f->state->is_done[step];
}

/* One that is full has enough to say. */
static void block(const struct finding *f, enum hl_swap_step step, const struct hl_err *err,
                  struct hl_swap_call next)
{
    struct hl_swap_state *state = f->state;

    if (state->n_blocks < HL_SWAP_BLOCKS)
        state->blocks[state->n_blocks++] =
            (struct hl_swap_block){.step = step, .err = *err, .next = next};
}

/* ---- models ---- */

static enum hl_distance distance_of_other(const struct finding *f, bool is_from,
                                          uint32_t *ret_dim)
{
    const struct hl_text meant =
        hl_model_meant_by(is_from ? &f->state->to : &f->state->from);
    const struct hl_space *space = hl_layout_find(f->holdings->layout, &meant);

    *ret_dim = space ? space->dim : 0;
    return space ? space->distance : HL_COSINE;
}

/* The size of a model that is not there is not known: that of the other stands for it. */
static void block_model(const struct finding *f, bool is_from, const struct hl_err *err)
{
    const struct hl_swap_state *state = f->state;
    const struct hl_text *name = is_from ? &state->from : &state->to;
    uint32_t dim = 0;
    const char *distance = hl_distance_name(distance_of_other(f, is_from, &dim));
    const struct hl_swap_call next = {
        .method = "PUT",
        .path = hl_swap_path(state, "/vectors/", name),
        .body = hl_arena_print(state->arena,
                               "{\"dense\":{\"size\":%" PRIu32 ",\"distance\":\"%s\"}}",
                               dim ? dim : 512, distance),
        .why = "makes the model; with the size that its vectors have"};

    block(f, HL_SWAP_SNAPSHOT, err, next);
}

static enum hl_code check_model(const struct finding *f, bool is_from, struct hl_err *err)
{
    const struct hl_swap_state *state = f->state;
    const struct hl_text *name = is_from ? &state->from : &state->to;
    const struct hl_span span = {name->text, name->len};
    struct hl_model model;
    struct hl_err own;
    enum hl_code code;

    if (!name->text) {
        hl_err_set(&own, HL_CONFLICT, "a model of the swap was deleted: begin another one");
        block(f, HL_SWAP_SNAPSHOT, &own, (struct hl_swap_call){.method = NULL});
        return HL_OK;
    }
    code = hl_holdings_model(f->holdings, &span, &model, &own);
    if (code == HL_NOT_FOUND && !is_from && state->order.makes_model)
        return HL_OK;
    if (code == HL_NOT_FOUND) {
        block_model(f, is_from, &own);
        return HL_OK;
    }
    if (code == HL_INVALID) {
        block(f, HL_SWAP_SNAPSHOT, &own, (struct hl_swap_call){.method = NULL});
        return HL_OK;
    }
    if (code == HL_OK && !is_from && state->order.makes_model &&
        (model.dim != state->order.model.size ||
         model.distance != state->order.model.distance)) {
        hl_err_set(&own, HL_DIMENSION_MISMATCH,
                   "\"to_model\" says %" PRIu32 " dimensions and %s, the vector \"%.200s\" "
                   "has %" PRIu32 " and %s",
                   state->order.model.size, hl_distance_name(state->order.model.distance),
                   model.shown, model.dim, hl_distance_name(model.distance));
        block(f, HL_SWAP_SNAPSHOT, &own, (struct hl_swap_call){.method = NULL});
        return HL_OK;
    }
    if (code != HL_OK)
        *err = own;
    return code;
}

/* ---- learning ---- */

static struct hl_swap_call put_dataset(const struct finding *f, const struct hl_text *name)
{
    return (struct hl_swap_call){
        .method = "PUT",
        .path = hl_swap_path(f->state, "/datasets/", name),
        .why = "the body is a safetensors file with a tensor of each model, and perhaps "
               "labels"};
}

/* Points get the vectors that are missing where refresh says it is best. */
static struct hl_swap_call embed_more(const struct finding *f)
{
    const struct hl_swap_state *state = f->state;

    return (struct hl_swap_call){
        .method = "POST",
        .path = hl_swap_path(state, "/refresh", NULL),
        .body = hl_swap_refresh_body(state, "2000,\"order\":\"random\""),
        .why = "says which points to embed with the new model; their vectors go to "
               "PUT …/points/vectors"};
}

static enum hl_code check_pairs(const struct finding *f, struct hl_err *err)
{
    const struct hl_bridge_pair *pair = &f->state->pair;
    const struct hl_models both = {{pair->from.space, pair->to.space}, 2};
    struct hl_err own;
    uint64_t n = 0;
    enum hl_code code =
        hl_coverage_count(f->holdings, &both, true, f->state->arena, &n, err);

    if (code != HL_OK || n >= pair->from.dim)
        return code;
    hl_err_set(&own, HL_INVALID,
               "%" PRIu64 " points carry a vector of \"%.120s\" and one of \"%.120s\": at "
               "least %" PRIu32 " pairs are wanted, better 2000",
               n, pair->from.shown, pair->to.shown, pair->from.dim);
    block(f, HL_SWAP_FIT, &own, embed_more(f));
    return HL_OK;
}

/* All that learning refuses at once. */
static enum hl_code check_learning(const struct finding *f, struct hl_err *err)
{
    const struct hl_swap_state *state = f->state;
    const struct hl_learning_order learning = {
        .ask = {.server = f->look->server,
                .collection = *f->look->name,
                .from = {state->to.text, state->to.len},
                .to = {state->from.text, state->from.len},
                .body = state->order.fit,
                .deadline = f->look->deadline}};
    const struct hl_text *dataset = &state->order.dataset;
    struct hl_swap_call next = {.method = NULL};
    struct hl_work *work = NULL;
    struct hl_err own;
    enum hl_code code = hl_learning_new(&learning, &work, &own);

    if (work)
        work->free(work);
    if (code == HL_OK)
        return HL_OK;
    if (hl_code_status(code) >= 500 || code == HL_CANCELLED || code == HL_TIMEOUT) {
        *err = own;
        return code;
    }
    if (dataset->text && (code == HL_NOT_FOUND || code == HL_INVALID))
        next = put_dataset(f, dataset);
    block(f, HL_SWAP_FIT, &own, next);
    return HL_OK;
}

/* What is not there is refused already. */
static bool has_labels(const struct finding *f)
{
    const struct hl_swap_order *order = &f->state->order;
    const struct hl_text *text = &order->dataset;
    struct hl_span name = {NULL, text->len};
    struct hl_dataset *dataset = NULL;
    struct hl_err ignored;
    bool has;

    if (order->has_label || !text->text)
        return order->has_label;
    name.data = hl_arena_copy(f->state->arena, text->text, text->len);
    if (!name.data)
        return true; /* whoever needs more memory says so */
    has = hl_dataset_open(f->holdings->collection, &name, &dataset, &ignored) != HL_OK ||
          dataset->labels;
    hl_dataset_close(dataset);
    return has;
}

static struct hl_swap_call put_head(const struct finding *f)
{
    const struct hl_swap_state *state = f->state;
    const char *vector = hl_swap_path(state, "/vectors/", &state->from);

    return (struct hl_swap_call){
        .method = "PUT",
        .path = vector ? hl_arena_print(state->arena, "%s/head", vector) : NULL,
        .why = "the body is a safetensors file: weight, and perhaps bias"};
}

/* Kinds that learn by a judge need the old model's head, or labels to learn one by. */
static enum hl_code check_head(const struct finding *f, struct hl_err *err)
{
    const enum hl_kind kind = f->state->order.kind;
    const bool needs_judge = kind == HL_KIND_INFLUENCE || kind == HL_KIND_ANCHORED ||
                             kind == HL_KIND_RESIDUAL || kind == HL_KIND_LSQ;
    struct hl_store_record record;
    char key[HL_HOLDING_KEY];
    struct hl_err own;
    enum hl_code code;

    if (!needs_judge || has_labels(f))
        return HL_OK;
    hl_holding_model_key(f->state->pair.to.space, key);
    code = hl_reader_record(f->holdings->reader, HL_HOLDING_HEAD_INFO, key, &record, err);
    if (code != HL_NOT_FOUND)
        return code;
    hl_err_set(&own, HL_NOT_FOUND,
               "Not found: \"%.200s\" has no head and the data no labels: a bridge of kind "
               "\"%s\" is learnt by one of them",
               f->state->pair.to.shown, hl_kind_name(kind));
    block(f, HL_SWAP_FIT, &own, put_head(f));
    return HL_OK;
}

static enum hl_code check_fit(const struct finding *f, struct hl_err *err)
{
    enum hl_code code = check_learning(f, err);

    if (code == HL_OK && f->state->order.needs_pairs)
        code = check_pairs(f, err);
    return code == HL_OK ? check_head(f, err) : code;
}

/* ---- the rollout ---- */

static struct hl_swap_call put_probes(const struct finding *f)
{
    const char *probes = f->state->order.wanted.probes;
    const struct hl_text name = {probes, strlen(probes)};

    return (struct hl_swap_call){
        .method = "PUT",
        .path = hl_swap_path(f->state, "/probes/", &name),
        .why = "the body has queries with vectors of both models, and what they must find"};
}

static enum hl_code check_probes(const struct finding *f, struct hl_err *err)
{
    const struct hl_swap_state *state = f->state;
    const char *name = state->order.wanted.probes;
    const struct hl_text models[] = {hl_model_meant_by(&state->from),
                                     hl_model_meant_by(&state->to)};
    struct hl_probe_set set;
    struct hl_err own;
    enum hl_code code;

    if (!name[0])
        return HL_OK;
    code = hl_probes_find(f->holdings, name, 0, state->arena, &set, &own);
    if (code == HL_NOT_FOUND) {
        block(f, HL_SWAP_SHADOW, &own, put_probes(f));
        return HL_OK;
    }
    if (code != HL_OK) {
        *err = own;
        return code;
    }
    for (size_t i = 0; i < 2; i++) {
        size_t at = 0;

        while (at < set.n_models && hl_text_compare(&set.models[at].name, &models[i]) != 0)
            at++;
        if (at < set.n_models)
            continue;
        hl_err_set(&own, HL_CONFLICT,
                   "no query of the probe set \"%s\" has a vector of \"%.200s\"", name,
                   i == 0 ? state->from.text : state->to.text);
        block(f, HL_SWAP_SHADOW, &own, put_probes(f));
    }
    return HL_OK;
}

/* How what is there ends: by its stage. */
static struct hl_swap_call end_rollout(const struct finding *f)
{
    const enum hl_stage stage = f->state->rollout.stage;
    const bool is_live = stage == HL_STAGE_LIVE;

    return (struct hl_swap_call){.method = is_live ? "DELETE" : "POST",
                                 .path = hl_swap_path(f->state,
                                                      is_live ? "/rollout"
                                                      : stage == HL_STAGE_CANARY
                                                          ? "/rollout/rollback"
                                                          : "/rollout/abort",
                                                      NULL),
                                 .why = "ends it, or leads there"};
}

/* One of other models, or of these while their bridge is to be another one. */
static void check_rollout(const struct finding *f)
{
    const struct hl_swap_state *state = f->state;
    const struct hl_rollout *rollout = &state->rollout;
    const bool goes_on = rollout->stage == HL_STAGE_LIVE && state->has_models &&
                         rollout->to == state->pair.to.space;
    struct hl_err own;

    if (!hl_rollout_is_running(rollout) || goes_on)
        return;
    if (!state->is_mine && is_wanted(f, HL_SWAP_SHADOW)) {
        hl_err_set(&own, HL_ILLEGAL_STEP, "%s: a collection has one rollout",
                   state->rollout_words);
        block(f, HL_SWAP_SHADOW, &own, end_rollout(f));
    }
    if (state->is_mine && is_wanted(f, HL_SWAP_ACTIVATE)) {
        hl_err_set(&own, HL_CONFLICT, "%s, and its bridge may not change meanwhile",
                   state->rollout_words);
        block(f, HL_SWAP_ACTIVATE, &own, end_rollout(f));
    }
}

/* ---- all of it ---- */

/* What stopped it, as long as the same is asked for: nobody has tried again. */
static void check_stopped(const struct finding *f)
{
    const struct hl_swap_state *state = f->state;
    const struct hl_swap *swap = &state->swap;

    if (!f->look->order && swap->is_there && swap->is_stopped)
        block(f, swap->stopped_at, &swap->why, hl_swap_next(state));
}

enum hl_code hl_swap_find_blocks(const struct hl_swap_look *look,
                                 const struct hl_holdings *holdings,
                                 struct hl_swap_state *state, struct hl_err *err)
{
    const struct finding f = {look, holdings, state};
    enum hl_code code = HL_OK;

    if (!look->order && (!state->swap.is_there || state->swap.is_over || state->job))
        return HL_OK;
    check_stopped(&f);
    code = check_model(&f, true, err);
    if (code == HL_OK)
        code = check_model(&f, false, err);
    if (code == HL_OK && state->has_models && is_wanted(&f, HL_SWAP_FIT))
        code = check_fit(&f, err);
    if (code == HL_OK && is_wanted(&f, HL_SWAP_SHADOW) && state->to.text &&
        state->from.text)
        code = check_probes(&f, err);
    if (code == HL_OK)
        check_rollout(&f);
    return code;
}
