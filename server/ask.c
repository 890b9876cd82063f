/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ask.h"

#include "index/look.h"
#include "index/rows.h"
#include "server/search_part.h"

#include <string.h>

struct hl_ask {
    struct hl_ask_task task;
    struct hl_search search;
    struct hl_queries asked;          /* the task's, each once for every vector it brings */
    struct hl_query one;              /* what is being asked; the search has no other */
    const struct hl_filter **filters; /* of the queries, then the others */
    struct hl_arena *scratch;         /* for one question */
};

/* ---- as a model ---- */

static struct hl_query ask_with(const struct hl_query *query, const struct hl_vector *sent)
{
    struct hl_query alone = *query;

    alone.vectors = (struct hl_vectors){sent, 1};
    alone.using_name = sent->name;
    return alone;
}

/* Whose carriers may be left out is found in one moment, for all models it may be asked as.
 */
static enum hl_code spread_queries(struct hl_ask *ask, struct hl_err *err)
{
    const struct hl_queries *queries = &ask->task.queries;
    struct hl_query *items;
    size_t n = 0;

    for (size_t i = 0; i < queries->n; i++)
        n += queries->items[i].vectors.n ? queries->items[i].vectors.n : 1;
    items = hl_arena_array(ask->task.arena, n ? n : 1, sizeof *items);
    if (!items)
        return hl_arena_fail(ask->task.arena, err, "%zu queries", n);
    n = 0;
    for (size_t i = 0; i < queries->n; i++) {
        const struct hl_query *query = &queries->items[i];

        if (query->vectors.n == 0)
            items[n++] = *query;
        for (size_t j = 0; j < query->vectors.n; j++)
            items[n++] = ask_with(query, &query->vectors.items[j]);
    }
    ask->asked = (struct hl_queries){items, n};
    return HL_OK;
}

static enum hl_code choose_model(struct hl_ask *ask, const struct hl_ask_query *query,
                                 struct hl_err *err)
{
    const struct hl_query *asked = &ask->task.queries.items[query->which];
    const struct hl_vector *sent;
    const struct hl_space *space;

    ask->one = *asked;
    if (query->space == 0)
        return HL_OK;
    space = hl_layout_space(hl_look_layout(ask->search.look), query->space);
    if (!space)
        return hl_fail(err, HL_UNKNOWN_VECTOR,
                       "Wrong input: Not existing vector name error: the model is gone");
    if (asked->vectors.n == 0) {
        ask->one.using_name = (struct hl_text){space->name, strlen(space->name)};
        return HL_OK;
    }
    sent = hl_query_sent(asked, space->name);
    if (!sent)
        return hl_fail(
            err, HL_UNKNOWN_VECTOR,
            "Wrong input: Not existing vector name error: no vector of \"%s\" is "
            "among \"vectors\"",
            space->name);
    ask->one = ask_with(asked, sent);
    return HL_OK;
}

/* ---- from the task to a look ---- */

static enum hl_code take_filters(struct hl_ask *ask, struct hl_err *err)
{
    const struct hl_ask_task *task = &ask->task;
    const size_t n_queries = task->queries.n, n = n_queries + task->n_filters;

    ask->filters = hl_arena_array(task->arena, n ? n : 1, sizeof(const struct hl_filter *));
    if (!ask->filters)
        return hl_arena_fail(task->arena, err, "the filters of %zu queries", n);
    for (size_t i = 0; i < n; i++)
        ask->filters[i] =
            i < n_queries ? task->queries.items[i].filter : task->filters[i - n_queries];
    return HL_OK;
}

static enum hl_code open_look(struct hl_ask *ask, struct hl_err *err)
{
    const struct hl_ask_task *task = &ask->task;
    const struct hl_look_wish wish = {.filters = ask->filters,
                                      .n_filters = task->queries.n + task->n_filters,
                                      .leave_out = hl_plan_leave_out,
                                      .self = &ask->search,
                                      .deadline = task->deadline};
    enum hl_code code;

    ask->search.queries = ask->asked;
    code = hl_look_open(task->collection, &wish, &ask->search.look, err);
    ask->search.queries = (struct hl_queries){&ask->one, 1};
    return code;
}

enum hl_code hl_ask_open(const struct hl_ask_task *task, struct hl_ask **ret_ask,
                         struct hl_err *err)
{
    const size_t scratch = (size_t)task->server->config->limits.request_memory_mb << 20;
    struct hl_ask *ask = hl_arena_alloc(task->arena, sizeof *ask);
    enum hl_code code;

    if (!ask)
        return hl_arena_fail(task->arena, err, "a question");
    *ask = (struct hl_ask){.task = *task, .scratch = hl_arena_new(scratch)};
    ask->search = (struct hl_search){.scratch_bytes = scratch,
                                     .arena = ask->scratch,
                                     .deadline = task->deadline,
                                     .clock = task->server->clock,
                                     .metrics = task->server->metrics,
                                     .collection = task->collection};
    code = ask->scratch ? take_filters(ask, err)
                        : hl_fail(err, HL_NO_MEMORY, "no memory for a question");
    if (code == HL_OK)
        code = spread_queries(ask, err);
    if (code == HL_OK)
        code = open_look(ask, err);
    if (code == HL_OK)
        *ret_ask = ask;
    else
        hl_ask_close(ask);
    return code;
}

void hl_ask_close(struct hl_ask *ask)
{
    if (!ask)
        return;
    hl_look_close(ask->search.look);
    hl_arena_free(ask->scratch);
}

const struct hl_look *hl_ask_look(const struct hl_ask *ask)
{
    return ask->search.look;
}

/* ---- questions ---- */

enum hl_code hl_ask_settle(struct hl_ask *ask, size_t which, struct hl_err *err)
{
    return hl_look_settle(ask->search.look, which, ask->search.deadline, err);
}

enum hl_code hl_ask_as(struct hl_ask *ask, const struct hl_ask_query *query,
                       struct hl_answer *ret_answers, size_t *ret_n, struct hl_err *err)
{
    struct hl_search *search = &ask->search;
    struct hl_hits hits;
    struct hl_aim aim;
    enum hl_code code = choose_model(ask, query, err);

    hl_arena_reset(ask->scratch);
    if (code == HL_OK)
        code = hl_ask_settle(ask, query->which, err);
    if (code == HL_OK)
        code = hl_aim_take(search, 0, &aim, err);
    if (code != HL_OK)
        return code;
    aim.which = query->which; /* in the look, which has all of the task's */
    code = hl_aim_find(search, &aim, query->k, search->arena, &hits, err);
    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < hits.n; i++)
        ret_answers[i] =
            (struct hl_answer){.id = hl_look_id(search->look, hits.items[i].number),
                               .number = hits.items[i].number,
                               .score = hits.items[i].score};
    *ret_n = hits.n;
    return HL_OK;
}

enum hl_code hl_ask_matches(struct hl_ask *ask, size_t which, uint64_t *ret_n,
                            struct hl_err *err)
{
    const size_t at = ask->task.queries.n + which;
    enum hl_code code = hl_ask_settle(ask, at, err);

    if (code == HL_OK)
        *ret_n = hl_look_count(ask->search.look, at);
    return code;
}

bool hl_ask_is_match(const struct hl_ask *ask, size_t which, uint32_t number)
{
    const struct hl_rows *rows =
        hl_look_matches(ask->search.look, ask->task.queries.n + which);

    return !rows || hl_rows_has(rows, number);
}
