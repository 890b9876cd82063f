/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search.h"

#include "server/collections.h"
#include "server/offers.h"
#include "server/search_part.h"
#include "server/server.h"

/* The flow of all queries:
 *
 *     decode (search_body.c) -> look -> settle -> aim -> find -> [group] -> show
 *
 * Of a batch all are aimed before the first is found, so that those who look for the same
 * find it together (search_batch.c).
 *
 * To aim is to find out whose query it is, which plan the layout has for it, and what the
 * query is in each of the spaces that the plan goes to. */
static enum hl_code aim_at(struct hl_search *search, size_t which, struct hl_aim *ret_aim,
                           struct hl_err *err)
{
    enum hl_code code = hl_look_settle(search->look, which, search->deadline, err);

    if (code == HL_OK)
        code = hl_aim_take(search, which, ret_aim, err);
    if (code == HL_OK && ret_aim->is_mapped)
        hl_metrics_mapped(search->metrics, ret_aim->map_us);
    return code;
}

static enum hl_code answer_one(struct hl_search *search, const struct hl_aim *aim,
                               struct hl_buf *out, struct hl_err *err)
{
    const struct hl_query *query = aim->query;
    struct hl_groups groups;
    struct hl_hits hits;
    size_t skipped;
    enum hl_code code;

    if (query->is_grouped) {
        code = hl_aim_group(search, aim, &groups, err);
        return code == HL_OK ? hl_search_show_groups(search, query, &groups, out, err)
                             : code;
    }
    code = hl_aim_find(search, aim, (size_t)query->offset + query->limit, search->arena,
                       &hits, err);
    if (code != HL_OK)
        return code;
    skipped = query->offset < hits.n ? query->offset : hits.n;
    hits = (struct hl_hits){hits.items + skipped, hits.n - skipped};
    hl_buf_add_text(out, search->is_bare ? "" : "{\"points\":");
    code = hl_search_show_hits(search, query, &hits, out, err);
    if (query->params.explains && code == HL_OK)
        hl_search_explain(search, aim, &hits, out);
    hl_buf_add_text(out, search->is_bare ? "" : "}");
    return code;
}

/* `is_prompt`: an HTTP thread does not wait for a writer. Then there may be none. */
static enum hl_code open_look(struct hl_search *search, bool is_prompt, struct hl_err *err)
{
    const size_t n = search->queries.n;
    const struct hl_filter **filters =
        hl_arena_array(search->arena, n ? n : 1, sizeof(const struct hl_filter *));
    struct hl_look_wish wish = {.filters = filters,
                                .n_filters = n,
                                .leave_out = hl_plan_leave_out,
                                .self = search,
                                .deadline = search->deadline,
                                .is_prompt = is_prompt};

    if (!filters)
        return hl_arena_fail(search->arena, err, "the filters of %zu queries", n);
    for (size_t i = 0; i < n; i++)
        filters[i] = search->queries.items[i].filter;
    return hl_look_open(search->collection, &wish, &search->look, err);
}

static bool is_settled(const struct hl_search *search)
{
    bool is = true;

    for (size_t i = 0; i < search->queries.n && is; i++)
        is = hl_look_is_settled(search->look, i);
    return is;
}

/* Asked of both models of a rollout later, beside the answers. */
static void offer(struct hl_server *server, const struct hl_request *request)
{
    const struct hl_search *search = request->state;
    const struct hl_answered answered = {.collection = search->collection,
                                         .layout = hl_look_layout(search->look),
                                         .queries = &search->queries,
                                         .form = search->form,
                                         .is_batch = search->is_batch,
                                         .request = request};

    hl_offers_put(server->offers, &answered);
}

static enum hl_code take_aims(struct hl_search *search, struct hl_aim *aims,
                              struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; i < search->queries.n && code == HL_OK; i++)
        code = aim_at(search, i, &aims[i], err);
    return code == HL_OK && search->queries.n > 1 ? hl_search_prepare(search, aims, err)
                                                  : code;
}

/* The rest of a search, on the HTTP thread or on a reader. */
static enum hl_code answer_all(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    struct hl_search *search = request->state;
    const size_t n = search->queries.n;
    struct hl_aim *aims = hl_arena_array(request->arena, n ? n : 1, sizeof *aims);
    enum hl_code code;

    if (!aims)
        return hl_arena_fail(request->arena, err, "%zu queries", n);
    code = search->look ? HL_OK : open_look(search, false, err);
    if (code == HL_OK)
        code = take_aims(search, aims, err);
    if (code != HL_OK)
        return code;
    hl_reply_begin(reply);
    if (search->is_batch)
        hl_buf_add_char(&reply->body, '[');
    for (size_t i = 0; i < n && code == HL_OK; i++) {
        if (i > 0)
            hl_buf_add_char(&reply->body, ',');
        code = answer_one(search, &aims[i], &reply->body, err);
    }
    if (search->is_batch)
        hl_buf_add_char(&reply->body, ']');
    if (code != HL_OK)
        return code;
    offer(server, request);
    return hl_reply_end(reply, request, err);
}

static void let_go(struct hl_request *request)
{
    struct hl_search *search = request->state;

    hl_look_close(search->look);
    hl_collection_unref(search->collection);
}

static enum hl_code begin(struct hl_server *server, struct hl_request *request,
                          struct hl_reply *reply, const struct hl_search_call *call,
                          struct hl_err *err)
{
    struct hl_search *search = hl_arena_alloc(request->arena, sizeof *search);
    enum hl_code code;

    if (!search)
        return hl_arena_fail(request->arena, err, "a search");
    *search = (struct hl_search){.form = call->form,
                                 .is_batch = call->is_batch,
                                 .is_bare = call->form != HL_FORM_QUERY,
                                 .scratch_bytes =
                                     (size_t)server->config->limits.request_memory_mb << 20,
                                 .arena = request->arena,
                                 .deadline = &request->deadline,
                                 .clock = server->clock,
                                 .metrics = server->metrics};
    code = hl_search_decode(request, call, &search->queries, err);
    if (code == HL_OK)
        code = hl_collections_acquire(server->collections, &request->params[0],
                                      &search->collection, err);
    if (code != HL_OK)
        return code;
    request->state = search;
    request->release = let_go;
    if (!hl_search_is_long(&search->queries)) {
        code = open_look(search, true, err);
        if (code != HL_OK)
            return code;
        if (search->look && is_settled(search))
            return answer_all(server, request, reply, err);
    }
    request->then = answer_all;
    return HL_OK;
}

enum hl_code hl_search_query(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_search_call call = {HL_FORM_QUERY, false, true};

    return begin(server, request, reply, &call, err);
}

enum hl_code hl_search_query_batch(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_search_call call = {HL_FORM_QUERY, true, false};

    return begin(server, request, reply, &call, err);
}

enum hl_code hl_search_query_groups(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_search_call call = {HL_FORM_QUERY_GROUPS, false, false};

    return begin(server, request, reply, &call, err);
}

enum hl_code hl_search_search(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_search_call call = {HL_FORM_SEARCH, false, false};

    return begin(server, request, reply, &call, err);
}

enum hl_code hl_search_search_batch(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_search_call call = {HL_FORM_SEARCH, true, false};

    return begin(server, request, reply, &call, err);
}

enum hl_code hl_search_search_groups(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_search_call call = {HL_FORM_SEARCH_GROUPS, false, false};

    return begin(server, request, reply, &call, err);
}

enum hl_code hl_search_recommend(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_search_call call = {HL_FORM_RECOMMEND, false, false};

    return begin(server, request, reply, &call, err);
}

enum hl_code hl_search_recommend_batch(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err)
{
    static const struct hl_search_call call = {HL_FORM_RECOMMEND, true, false};

    return begin(server, request, reply, &call, err);
}

enum hl_code hl_search_recommend_groups(struct hl_server *server,
                                        struct hl_request *request, struct hl_reply *reply,
                                        struct hl_err *err)
{
    static const struct hl_search_call call = {HL_FORM_RECOMMEND_GROUPS, false, false};

    return begin(server, request, reply, &call, err);
}
