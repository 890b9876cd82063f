/* SPDX-License-Identifier: Apache-2.0 */
#include "server/compare.h"

#include "index/look.h"
#include "server/ask.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct comparing {
    const struct hl_compare_task *task;
    struct hl_arena *arena;
    struct hl_query *queries;
    size_t n;
    struct hl_ask *ask;
    const struct hl_space *spaces[HL_N_SIDES];
};

/* ---- the queries ---- */

static enum hl_code decode(struct comparing *c, struct hl_queries *ret_queries,
                           struct hl_err *err)
{
    const struct hl_offer *offer = c->task->offer;
    struct hl_query *query = hl_arena_alloc(c->arena, sizeof *query);
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    if (!query)
        return hl_arena_fail(c->arena, err, "a query");
    hl_tokens_init(&tokens, offer->body, offer->size, c->arena);
    root = hl_field_root(&tokens);
    if (offer->is_batch)
        return hl_queries_read(&root, offer->form, ret_queries, err);
    code = hl_query_read(&root, offer->form, query, err);
    if (code == HL_OK)
        *ret_queries = (struct hl_queries){query, 1};
    return code;
}

/* Scores are not compared, so none is asked to be on another scale or above a threshold:
 * each model's first ten are. */
static enum hl_code take_queries(struct comparing *c, struct hl_err *err)
{
    struct hl_queries decoded = {.n = 0};
    enum hl_code code = decode(c, &decoded, err);

    if (code != HL_OK)
        return code;
    c->queries = hl_arena_array(c->arena, decoded.n ? decoded.n : 1, sizeof *c->queries);
    if (!c->queries)
        return hl_arena_fail(c->arena, err, "%zu queries", decoded.n);
    for (size_t i = 0; i < decoded.n; i++) {
        c->queries[i] = decoded.items[i];
        c->queries[i].has_threshold = false;
        c->queries[i].params.score_scale = (struct hl_text){NULL, 0};
    }
    c->n = decoded.n;
    return HL_OK;
}

static bool has_both(const struct comparing *c, const struct hl_query *query)
{
    return hl_query_sent(query, c->spaces[HL_SIDE_FROM]->name) &&
           hl_query_sent(query, c->spaces[HL_SIDE_TO]->name);
}

/* ---- one of them ---- */

static int64_t work_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static enum hl_code ask_side(struct comparing *c, size_t which, enum hl_side side,
                             struct hl_comparison *comparison, struct hl_err *err)
{
    const struct hl_ask_query query = {which, c->spaces[side]->id, HL_COMPARED_HITS};
    struct hl_answer answers[HL_COMPARED_HITS];
    const int64_t begun_us = work_us();
    size_t n = 0;
    enum hl_code code = hl_ask_as(c->ask, &query, answers, &n, err);

    comparison->took_us[side] = work_us() - begun_us;
    comparison->has_failed[side] = code != HL_OK;
    comparison->item.n[side] = (uint8_t)n;
    for (size_t i = 0; i < n; i++)
        comparison->item.hits[side][i] = answers[i].id;
    return code == HL_CANCELLED ? code : HL_OK;
}

static bool is_new_served(const struct comparing *c, const struct hl_query *query)
{
    return query->using_name.text
               ? hl_text_is(&query->using_name, c->spaces[HL_SIDE_TO]->name)
               : hl_rollout_serves_new(&c->task->offer->rollout, &query->params.key);
}

/* Which side comes first alternates: the second finds the filter's points and the memory
 * warm. */
static enum hl_code compare_one(struct comparing *c, size_t which, struct hl_err *err)
{
    const struct hl_offer *offer = c->task->offer;
    const size_t len = strlen(offer->query_id);
    const int first = len > 0 ? (offer->query_id[len - 1] ^ (int)which) & 1 : 0;
    struct hl_comparison comparison = {
        .rollout = &offer->rollout,
        .item = {.place = (uint32_t)which,
                 .is_new_served = is_new_served(c, &c->queries[which])}};
    enum hl_code code = hl_ask_settle(c->ask, which, err);

    (void)snprintf(comparison.item.query_id, sizeof comparison.item.query_id, "%s",
                   offer->query_id);
    for (int i = 0; i < HL_N_SIDES && code == HL_OK; i++)
        code = ask_side(c, which, (enum hl_side)(first ^ i), &comparison, err);
    if (code == HL_OK)
        c->task->tell(c->task->self, &comparison);
    return code;
}

static bool find_models(struct comparing *c)
{
    const struct hl_layout *layout = hl_look_layout(hl_ask_look(c->ask));
    const struct hl_rollout *then = &c->task->offer->rollout;
    const struct hl_rollout *now = hl_rollout_of(layout);

    c->spaces[HL_SIDE_FROM] = hl_layout_space(layout, then->from);
    c->spaces[HL_SIDE_TO] = hl_layout_space(layout, then->to);
    return hl_rollout_is_running(now) && now->number == then->number &&
           c->spaces[HL_SIDE_FROM] && c->spaces[HL_SIDE_TO];
}

static enum hl_code compare_all(struct comparing *c, bool *ret_is_stale, struct hl_err *err)
{
    const struct hl_ask_task task = {.server = c->task->server,
                                     .collection = c->task->offer->collection,
                                     .queries = {c->queries, c->n},
                                     .deadline = c->task->deadline,
                                     .arena = c->arena};
    enum hl_code code = hl_ask_open(&task, &c->ask, err);

    if (code != HL_OK)
        return code;
    *ret_is_stale = !find_models(c);
    for (size_t i = 0; i < c->n && code == HL_OK && !*ret_is_stale; i++)
        if (has_both(c, &c->queries[i]))
            code = compare_one(c, i, err);
    hl_ask_close(c->ask);
    return code;
}

enum hl_code hl_compare_run(const struct hl_compare_task *task, bool *ret_is_stale,
                            struct hl_err *err)
{
    const size_t room = (size_t)task->server->config->limits.request_memory_mb << 20;
    struct comparing c = {.task = task, .arena = hl_arena_new(room)};
    enum hl_code code;

    if (!c.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a comparison");
    code = take_queries(&c, err);
    if (code == HL_OK)
        code = compare_all(&c, ret_is_stale, err);
    hl_arena_free(c.arena);
    return code;
}
