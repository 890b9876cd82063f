/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/encode.h"
#include "server/server.h"
#include "server/swap.h"

#include <inttypes.h>
#include <string.h>

/* How a swap looks, and which call comes next. */

/* ---- the next call ---- */

const char *hl_swap_refresh_body(const struct hl_swap_state *state, const char *limit)
{
    const char *body;
    struct hl_buf name;

    hl_buf_init(&name, (size_t)8 << 10);
    hl_encode_text(&name, state->to.text, state->to.len);
    body = hl_arena_print(state->arena, "{\"to\":%s,\"limit\":%s}", name.data, limit);
    hl_buf_done(&name);
    return body;
}

static struct hl_swap_call call_it(const struct hl_swap_state *state, const char *method,
                                   const char *behind, const char *body, const char *why)
{
    return (struct hl_swap_call){.method = method,
                                 .path = hl_swap_path(state, behind, NULL),
                                 .body = body,
                                 .why = why};
}

/* The body again, to go on or with what stands behind it. */
static const char *asked_again(const struct hl_swap_state *state, bool goes_to_end,
                               const char *members)
{
    const struct hl_span *asked = &state->order.asked;
    const enum hl_swap_step last = state->order.stop_at;
    const bool has_stop = !goes_to_end && last != HL_SWAP_SHADOW;

    return hl_arena_print(state->arena, "%.*s%s%s%s%s}", (int)(asked->len - 1), asked->data,
                          has_stop ? ",\"stop_at\":\"" : "",
                          has_stop ? hl_swap_step_name(last) : "", has_stop ? "\"" : "",
                          members);
}

/* Nothing was asked yet, so what is wanted is only guessed at. */
static struct hl_swap_call begin_one(const struct hl_swap_state *state)
{
    return call_it(state, "POST", "/swap",
                   "{\"from\":\"@default\",\"to\":\"v2\",\"data\":{\"pairs\":\"points\"},"
                   "\"dry_run\":true}",
                   "says what a swap from the one model to the other would do, and what is "
                   "missing; put the names of the models");
}

static struct hl_swap_call next_of_live(const struct hl_swap_state *state)
{
    if (state->has_models && state->coverage.n_own < state->coverage.n_points)
        return call_it(state, "POST", "/refresh", hl_swap_refresh_body(state, "1000"),
                       "says which photographs to embed with the new model next; until "
                       "all are, the bridge finds the others");
    return call_it(state, "DELETE", "/rollout", NULL,
                   "every photograph has a vector of the new model: the rollout may end, "
                   "and route goes on naming the new model");
}

static struct hl_swap_call next_of_rollout(const struct hl_swap_state *state)
{
    switch (state->rollout.stage) {
    case HL_STAGE_SHADOW:
        if (strcmp(state->rollout.changed_by, "guard") == 0)
            return call_it(state, "GET", "/rollout/events", NULL,
                           "the guard took the new model back: the last event says by "
                           "which figures; once that is mended, advance goes on");
        return call_it(
            state, "POST", "/rollout/advance", "{\"percent\":5}",
            "moves the first callers to the new model, if the gate is met; until "
            "then who sends both vectors is answered by the old one, and both "
            "answers are compared");
    case HL_STAGE_CANARY:
        return call_it(state, "POST", "/rollout/promote", "{}",
                       "moves every caller to the new model, if the gate is met; advance "
                       "with another percent moves a larger share, rollback takes it back");
    case HL_STAGE_LIVE:
        return next_of_live(state);
    case HL_STAGE_NONE:
        return (struct hl_swap_call){.why = "the migration is over"};
    case HL_STAGE_ABORTED:
    default:
        return state->swap.is_there
                   ? call_it(state, "POST", "/swap", asked_again(state, false, ""),
                             "the rollout was aborted: the same body begins another one")
                   : begin_one(state);
    }
}

static struct hl_swap_call next_of_steps(const struct hl_swap_state *state)
{
    const struct hl_swap *swap = &state->swap;

    if (swap->is_over)
        return call_it(state, "POST", "/swap", asked_again(state, true, ""),
                       "it was to stop here: this goes on behind what is done");
    if (swap->is_stopped && swap->why.code == HL_GATE_UNMET)
        return call_it(state, "POST", "/swap", asked_again(state, false, ",\"anew\":true"),
                       "learns again: with more or better data, or put another kind, or "
                       "other gates and leave \"anew\" out");
    return call_it(state, "POST", "/swap", asked_again(state, false, ""),
                   "the same body goes on behind what is done");
}

struct hl_swap_call hl_swap_next(const struct hl_swap_state *state)
{
    const bool has_rollout =
        state->rollout.number > 0 &&
        (!state->swap.is_there || state->swap.rollout == state->rollout.number);

    if (state->job)
        return (struct hl_swap_call){
            .method = "GET",
            .path = hl_arena_print(state->arena, "/jobs/%" PRIu64, state->job),
            .why = "it is under way; DELETE of the same path stops it, and the same body "
                   "goes on later"};
    if (has_rollout && (state->swap.is_over || !state->swap.is_there))
        return next_of_rollout(state);
    if (!state->swap.is_there)
        return begin_one(state);
    return next_of_steps(state);
}

/* ---- pieces ---- */

static void print_text(struct hl_buf *buf, const char *name, const char *text)
{
    hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    if (text && text[0])
        hl_encode_string(buf, text);
    else
        hl_encode_null(buf);
}

static void print_call(struct hl_buf *buf, const struct hl_swap_call *call)
{
    hl_buf_add_text(buf, ",\"next\":");
    if (!call->method) {
        hl_encode_null(buf);
        return;
    }
    hl_buf_print(buf, "{\"method\":\"%s\"", call->method);
    print_text(buf, "path", call->path);
    hl_buf_print(buf, ",\"body\":%s", call->body ? call->body : "null");
    print_text(buf, "why", call->why);
    hl_buf_add_char(buf, '}');
}

static void print_block(struct hl_buf *buf, const struct hl_swap_block *block)
{
    hl_buf_print(buf, "{\"step\":\"%s\",\"code\":\"%s\"", hl_swap_step_name(block->step),
                 hl_code_name(block->err.code));
    print_text(buf, "error", block->err.msg);
    print_call(buf, &block->next);
    hl_buf_add_char(buf, '}');
}

static void print_blocks(const struct hl_swap_state *state, struct hl_buf *buf)
{
    hl_buf_add_text(buf, ",\"blocks\":[");
    for (size_t i = 0; i < state->n_blocks; i++) {
        hl_buf_add_text(buf, i > 0 ? "," : "");
        print_block(buf, &state->blocks[i]);
    }
    hl_buf_add_char(buf, ']');
}

static void print_models(const struct hl_swap_state *state, struct hl_buf *buf)
{
    const struct hl_coverage *coverage = &state->coverage;

    print_text(buf, "from", state->from.text);
    print_text(buf, "to", state->to.text);
    if (state->has_models)
        hl_buf_print(buf,
                     ",\"coverage\":{\"points\":%" PRIu64 ",\"own\":%" PRIu64
                     ",\"reached\":%" PRIu64 "}",
                     coverage->n_points, coverage->n_own, coverage->n_reached);
    else
        hl_buf_add_text(buf, ",\"coverage\":null");
}

static void print_rollout(const struct hl_rollout *rollout, struct hl_buf *buf)
{
    if (rollout->number == 0) {
        hl_buf_add_text(buf, ",\"rollout\":null");
        return;
    }
    hl_buf_print(buf,
                 ",\"rollout\":{\"number\":%" PRIu64 ",\"step\":%" PRIu64
                 ",\"stage\":\"%s\",\"percent\":",
                 rollout->number, rollout->step, hl_stage_name(rollout->stage));
    hl_encode_double(buf, rollout->percent);
    print_text(buf, "changed_at", rollout->changed_at);
    print_text(buf, "changed_by", rollout->changed_by);
    hl_buf_add_char(buf, '}');
}

/* ---- the steps ---- */

static enum hl_swap_step first_undone(const struct hl_swap_state *state)
{
    enum hl_swap_step step = HL_SWAP_SNAPSHOT;

    while (step < state->swap.stop_at && state->is_done[step])
        step++;
    return step;
}

static const char *state_of_step(const struct hl_swap_state *state, enum hl_swap_step step)
{
    if (state->is_done[step])
        return "done";
    if (state->job && step == first_undone(state))
        return "running";
    for (size_t i = 0; i < state->n_blocks; i++)
        if (state->blocks[i].step == step)
            return "blocked";
    return step > state->order.stop_at ? "not_asked" : "waiting";
}

/* What came of it, where something did. */
static void print_outcome(const struct hl_swap_state *state, enum hl_swap_step step,
                          struct hl_buf *buf)
{
    const struct hl_swap *swap = &state->swap;

    if (!state->is_same)
        return;
    if (step == HL_SWAP_SNAPSHOT)
        print_text(buf, "snapshot", swap->snapshot);
    if (step == HL_SWAP_FIT && state->is_done[step])
        hl_buf_print(buf, ",\"revision\":%" PRIu64, swap->revision);
    if (step == HL_SWAP_GATE) {
        hl_buf_add_text(buf, ",\"figures\":");
        if (swap->figures.len > 0)
            hl_buf_add(buf, swap->figures.data, swap->figures.len);
        else
            hl_encode_null(buf);
    }
    if (step == HL_SWAP_SHADOW && swap->rollout > 0)
        hl_buf_print(buf, ",\"rollout\":%" PRIu64, swap->rollout);
}

static void print_does(const struct hl_swap_state *state, enum hl_swap_step step,
                       struct hl_buf *buf)
{
    const struct hl_swap_order *order = &state->order;
    const char *probes = order->wanted.probes;
    const char *text = "";
    struct hl_arena *arena = state->arena;

    if (step == HL_SWAP_SNAPSHOT)
        text = hl_arena_print(arena, "takes a snapshot of %" PRIu64 " points",
                              state->coverage.n_points);
    else if (step == HL_SWAP_FIT)
        text = hl_arena_print(
            arena, "learns a bridge of kind \"%s\" from \"%.200s\" to \"%.200s\"%s%.*s",
            hl_kind_name(order->kind), state->to.text, state->from.text,
            order->dataset.text ? " on the dataset " : " on points of the gallery",
            (int)order->dataset.len, order->dataset.text ? order->dataset.text : "");
    else if (step == HL_SWAP_GATE)
        text = hl_arena_print(arena, "holds its report against the gates %s",
                              order->gate.data);
    else if (step == HL_SWAP_ACTIVATE)
        text = hl_arena_print(arena,
                              "serves queries of \"%.200s\" through it: they find %" PRIu64
                              " points instead of %" PRIu64,
                              state->to.text, state->coverage.n_points,
                              state->coverage.n_reached);
    else
        text = hl_arena_print(arena, "%s%s%sbegins a rollout in shadow: no caller is moved",
                              probes[0] ? "runs the probes \"" : "", probes,
                              probes[0] ? "\" against the gates and " : "");
    print_text(buf, "does", text);
}

static void print_steps(const struct hl_swap_state *state, bool is_dry, struct hl_buf *buf)
{
    hl_buf_add_text(buf, ",\"steps\":[");
    for (unsigned i = 0; i < HL_N_SWAP_STEPS; i++) {
        const enum hl_swap_step step = (enum hl_swap_step)i;

        if (is_dry && step > state->order.stop_at)
            break;
        hl_buf_print(buf, "%s{\"step\":\"%s\",\"state\":\"%s\"", i > 0 ? "," : "",
                     hl_swap_step_name(step), state_of_step(state, step));
        if (is_dry)
            print_does(state, step, buf);
        print_outcome(state, step, buf);
        hl_buf_add_char(buf, '}');
    }
    hl_buf_add_char(buf, ']');
}

/* ---- all of it ---- */

/* Of the migration: a step of the swap, then the stage of the rollout, then "ended". */
static const char *stage_of(const struct hl_swap_state *state)
{
    const struct hl_swap *swap = &state->swap;
    const struct hl_rollout *rollout = &state->rollout;

    const bool is_rolling =
        swap->is_over && swap->rollout > 0 && swap->rollout == rollout->number;

    if (swap->is_there && !is_rolling)
        return hl_swap_step_name(swap->is_over ? swap->stop_at : first_undone(state));
    if (rollout->number > 0 && rollout->stage == HL_STAGE_NONE && rollout->model)
        return "ended";
    return hl_stage_name(rollout->stage);
}

static const char *state_word(const struct hl_swap_state *state)
{
    if (state->job)
        return "running";
    if (!state->swap.is_there)
        return "none";
    return state->swap.is_over ? "done" : "stopped";
}

struct job_page {
    struct hl_buf *buf;
};

static bool print_job(void *self, const struct hl_job *job)
{
    struct job_page *page = self;

    hl_buf_print(page->buf, ",\"job\":{\"id\":%" PRIu64 ",\"phase\":", job->id);
    hl_encode_string(page->buf, job->phase);
    hl_buf_add_text(page->buf, ",\"progress\":");
    hl_encode_double(page->buf, job->progress);
    hl_buf_add_char(page->buf, '}');
    return true;
}

enum hl_code hl_swap_print(const struct hl_swap_state *state, struct hl_buf *buf,
                           struct hl_err *err)
{
    const struct hl_swap_call next = hl_swap_next(state);
    const struct hl_swap *swap = &state->swap;
    struct job_page page = {buf};
    enum hl_code code = HL_OK;

    hl_buf_print(buf, "{\"stage\":\"%s\",\"state\":\"%s\"", stage_of(state),
                 state_word(state));
    print_models(state, buf);
    print_text(buf, "began_at", swap->began_at);
    print_text(buf, "changed_at", swap->changed_at);
    print_text(buf, "by", swap->by);
    hl_buf_add_text(buf, ",\"asked\":");
    if (swap->asked.len > 0)
        hl_buf_add(buf, swap->asked.data, swap->asked.len);
    else
        hl_encode_null(buf);
    print_text(buf, "stop_at", swap->is_there ? hl_swap_step_name(swap->stop_at) : NULL);
    if (swap->is_there)
        print_steps(state, false, buf);
    else
        hl_buf_add_text(buf, ",\"steps\":[]");
    if (state->job)
        code = hl_jobs_each(state->server->jobs, state->job, print_job, &page, err);
    else
        hl_buf_add_text(buf, ",\"job\":null");
    print_rollout(&state->rollout, buf);
    print_blocks(state, buf);
    print_call(buf, &next);
    hl_buf_add_char(buf, '}');
    return code;
}

enum hl_code hl_swap_print_dry(const struct hl_swap_state *state, struct hl_buf *buf,
                               struct hl_err *err)
{
    struct hl_swap_call next = {.method = "POST",
                                .path = hl_swap_path(state, "/swap", NULL),
                                .body = asked_again(state, false, ""),
                                .why = "nothing blocks: this does it"};

    if (state->n_blocks > 0)
        next = state->blocks[0].next;
    hl_buf_add_text(buf, "{\"dry_run\":true");
    print_models(state, buf);
    print_steps(state, true, buf);
    print_rollout(&state->rollout, buf);
    print_blocks(state, buf);
    print_call(buf, &next);
    hl_buf_add_char(buf, '}');
    return hl_buf_check(buf, "a dry run", err);
}
