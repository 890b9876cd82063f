/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/model_name.h"
#include "server/activations.h"
#include "server/caller.h"
#include "server/server.h"
#include "server/swap.h"

#include <assert.h>
#include <string.h>

enum { LONGEST_PATH = 8 << 10, MOST_RUNNING = 64 };

/* What hl_caller_escape takes is terminated. */
static void escape(struct hl_arena *arena, const struct hl_text *name, struct hl_buf *buf)
{
    const char *text = hl_arena_copy(arena, name->text, name->len);

    hl_caller_escape(text ? text : "", buf);
}

static const char *take_path(struct hl_arena *arena, struct hl_buf *buf)
{
    const char *path =
        buf->failed == HL_OK ? hl_arena_copy(arena, buf->data, buf->len) : NULL;

    hl_buf_done(buf);
    return path;
}

const char *hl_swap_path(const struct hl_swap_state *state, const char *behind,
                         const struct hl_text *name)
{
    struct hl_buf buf;

    hl_buf_init(&buf, LONGEST_PATH);
    hl_buf_add_text(&buf, state->base);
    hl_buf_add_text(&buf, behind);
    if (name)
        escape(state->arena, name, &buf);
    return take_path(state->arena, &buf);
}

static const char *print_base(const struct hl_swap_look *look)
{
    const struct hl_text name = {look->name->data, look->name->len};
    struct hl_buf buf;

    hl_buf_init(&buf, LONGEST_PATH);
    hl_buf_add_text(&buf, "/collections/");
    escape(look->arena, &name, &buf);
    return take_path(look->arena, &buf);
}

/* ---- the job that does it ---- */

struct running {
    uint64_t ids[MOST_RUNNING];
    const char *names[MOST_RUNNING];
    size_t n;
    struct hl_arena *arena;
};

static bool note_running(void *self, const struct hl_job *job)
{
    struct running *running = self;

    if (strcmp(job->kind, "swap") == 0 && !hl_job_is_over(job) &&
        running->n < MOST_RUNNING) {
        running->names[running->n] =
            hl_arena_copy(running->arena, job->collection, strlen(job->collection));
        running->ids[running->n++] = job->id;
    }
    return true;
}

/* A collection has several names: the job's is looked up, not compared. The oldest job is
 * the one that is at it. */
static enum hl_code find_job(const struct hl_swap_look *look,
                             const struct hl_collection *collection, uint64_t *ret_id,
                             struct hl_err *err)
{
    struct running running = {.arena = look->arena};
    enum hl_code code = hl_jobs_each(look->server->jobs, 0, note_running, &running, err);

    *ret_id = 0;
    for (size_t i = 0; code == HL_OK && i < running.n; i++) {
        const struct hl_span name = {running.names[i],
                                     running.names[i] ? strlen(running.names[i]) : 0};
        struct hl_collection *other = NULL;
        struct hl_err gone;

        if (name.data &&
            hl_collections_acquire(look->server->collections, &name, &other, &gone) ==
                HL_OK &&
            other == collection)
            *ret_id = running.ids[i];
        hl_collection_unref(other);
    }
    return code;
}

/* ---- whose it is ---- */

/* As paths write it; text NULL: it is gone. */
static struct hl_text shown(const struct hl_layout *layout, uint32_t id)
{
    const struct hl_space *space = id ? hl_layout_space(layout, id) : NULL;
    const char *name = space ? hl_model_shown(space->name) : NULL;

    return (struct hl_text){name, name ? strlen(name) : 0};
}

/* The body of the record is one that was read once. */
static enum hl_code read_asked(const struct hl_swap *swap, struct hl_arena *arena,
                               struct hl_swap_order *order, struct hl_err *err)
{
    struct hl_tokens tokens;
    struct hl_field root;

    hl_tokens_init(&tokens, swap->asked.data, swap->asked.len, arena);
    tokens.what = "the record of a swap";
    tokens.code = HL_DAMAGED;
    root = hl_field_root(&tokens);
    return hl_swap_order_read(&root, order, err);
}

static bool is_span(const struct hl_span *a, const struct hl_span *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* The models by names of an order, else by what was recorded, else by the rollout. */
static enum hl_code choose_models(const struct hl_swap_look *look,
                                  const struct hl_holdings *holdings,
                                  struct hl_swap_state *state, struct hl_err *err)
{
    const struct hl_layout *layout = holdings->layout;
    enum hl_code code = HL_OK;

    if (look->order) {
        state->order = *look->order;
        state->from = look->order->from;
        state->to = look->order->to;
        return HL_OK;
    }
    if (state->swap.is_there) {
        state->is_same = true;
        code = read_asked(&state->swap, look->arena, &state->order, err);
        state->order.stop_at = state->swap.stop_at;
        state->from = shown(layout, state->swap.from);
        state->to = shown(layout, state->swap.to);
    } else if (state->rollout.number > 0) {
        state->from = shown(layout, state->rollout.from);
        state->to = shown(layout, state->rollout.to);
    }
    return code;
}

static enum hl_code find_pair(const struct hl_holdings *holdings,
                              struct hl_swap_state *state, struct hl_err *err)
{
    const struct hl_span from = {state->from.text, state->from.len},
                         to = {state->to.text, state->to.len};
    enum hl_code code;

    if (!from.data || !to.data)
        return HL_OK;
    code = hl_bridges_pair_of(holdings, &to, &from, &state->pair, err);
    state->has_models = code == HL_OK;
    return code == HL_NOT_FOUND ? HL_OK : code;
}

/* ---- what is done ---- */

static bool is_active_as(const struct hl_active *active, const struct hl_swap_state *state)
{
    const struct hl_activation *wanted = &state->order.activation;
    struct hl_activation same = *wanted;

    same.revision = state->swap.revision;
    same.serving = active->serving; /* what auto came to */
    return hl_active_is(active, &same);
}

static enum hl_code find_done(const struct hl_holdings *holdings,
                              struct hl_swap_state *state, struct hl_err *err)
{
    const struct hl_swap *swap = &state->swap;
    const uint32_t from = state->pair.to.space, to = state->pair.from.space;
    const struct hl_active *active;
    struct hl_activations activations;
    uint64_t revision = swap->revision;
    enum hl_code code = HL_OK;

    if (!state->is_same || state->order.is_anew)
        return HL_OK;
    state->is_done[HL_SWAP_SNAPSHOT] = swap->snapshot[0] != '\0';
    if (revision > 0)
        code = hl_bridges_find(holdings, &state->pair, &revision, err);
    state->is_done[HL_SWAP_FIT] = code == HL_OK && revision > 0;
    if (code != HL_OK && code != HL_NOT_FOUND)
        return code;
    state->is_done[HL_SWAP_GATE] =
        state->is_done[HL_SWAP_FIT] && is_span(&swap->gate, &state->order.gate);
    code = hl_activations_load(holdings->reader, &activations, err);
    if (code != HL_OK)
        return code;
    active = hl_activations_find(&activations, to, from);
    state->is_done[HL_SWAP_ACTIVATE] =
        state->is_done[HL_SWAP_FIT] && active && is_active_as(active, state);
    state->is_done[HL_SWAP_SHADOW] = state->is_done[HL_SWAP_ACTIVATE] && state->is_mine &&
                                     hl_rollout_is_running(&state->rollout);
    return HL_OK;
}

static enum hl_code look_at_models(const struct hl_swap_look *look,
                                   const struct hl_holdings *holdings,
                                   struct hl_swap_state *state, struct hl_err *err)
{
    const struct hl_swap *swap = &state->swap;
    enum hl_code code = find_pair(holdings, state, err);

    if (code != HL_OK || !state->has_models)
        return code;
    if (look->order)
        state->is_same = swap->is_there && swap->to == state->pair.from.space &&
                         swap->from == state->pair.to.space &&
                         is_span(&swap->fit, &look->order->fit);
    state->is_same_body = state->is_same && swap->stop_at == state->order.stop_at &&
                          is_span(&swap->asked, &state->order.asked);
    state->is_mine = state->rollout.number > 0 &&
                     state->rollout.from == state->pair.to.space &&
                     state->rollout.to == state->pair.from.space;
    code = hl_coverage_take(holdings, state->pair.from.space, look->arena, &state->coverage,
                            err);
    return code == HL_OK ? find_done(holdings, state, err) : code;
}

static enum hl_code describe_rollout(const struct hl_holdings *holdings,
                                     struct hl_swap_state *state, struct hl_err *err)
{
    char words[HL_ROLLOUT_WORDS];
    enum hl_code code = hl_rollout_load(holdings->reader, &state->rollout, err);

    if (code != HL_OK)
        return code;
    hl_rollout_describe(&state->rollout, holdings->layout, words);
    state->rollout_words = hl_arena_copy(state->arena, words, strlen(words));
    return state->rollout_words ? HL_OK : hl_arena_fail(state->arena, err, "a rollout");
}

/* Names of models in the state are the layout's until they are copied. */
static enum hl_code keep_names(struct hl_swap_state *state, struct hl_err *err)
{
    struct hl_text *const texts[] = {&state->from, &state->to};
    struct hl_model *const models[] = {&state->pair.from, &state->pair.to};

    for (size_t i = 0; i < 2; i++) {
        if (!texts[i]->text)
            continue;
        texts[i]->text = hl_arena_copy(state->arena, texts[i]->text, texts[i]->len);
        if (!texts[i]->text)
            return hl_arena_fail(state->arena, err, "the name of a model");
    }
    for (size_t i = 0; state->has_models && i < 2; i++) {
        assert(texts[1 - i]->text);
        models[i]->shown = texts[1 - i]->text;
        models[i]->name = hl_model_meant(models[i]->shown);
    }
    return HL_OK;
}

static enum hl_code look_inside(const struct hl_swap_look *look,
                                const struct hl_holdings *holdings,
                                struct hl_swap_state *state, struct hl_err *err)
{
    enum hl_code code;

    state->base = print_base(look);
    if (!state->base)
        return hl_arena_fail(look->arena, err, "a path");
    code = hl_swap_load(holdings->reader, look->arena, &state->swap, err);
    if (code == HL_OK)
        code = describe_rollout(holdings, state, err);
    if (code == HL_OK)
        code = choose_models(look, holdings, state, err);
    if (code == HL_OK)
        code = look_at_models(look, holdings, state, err);
    if (code == HL_OK)
        code = find_job(look, holdings->collection, &state->job, err);
    if (code == HL_OK)
        code = hl_swap_find_blocks(look, holdings, state, err);
    return code == HL_OK ? keep_names(state, err) : code;
}

enum hl_code hl_swap_look(const struct hl_swap_look *look, struct hl_swap_state *ret_state,
                          struct hl_err *err)
{
    struct hl_swap_state state = {.server = look->server, .arena = look->arena};
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_open(look->server, look->name, &holdings, err);

    if (code != HL_OK)
        return code;
    code = look_inside(look, &holdings, &state, err);
    hl_holdings_close(&holdings);
    if (code == HL_OK)
        *ret_state = state;
    return code;
}
