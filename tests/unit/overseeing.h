/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_OVERSEEING_H
#define HL_TESTS_UNIT_OVERSEEING_H

/* A rollout from "v1" to "v2" in the collection of tests/unit/activating.h, and searches
 * that were answered. Include it behind cmocka.h.
 *
 * As v1 the points 1, 2 and 4 are at 0, 30 and 90 degrees; v2 is turned by 30. */
#include "server/offers.h"
#include "tests/unit/stepping.h"

struct answering {
    struct rig *rig;
    struct hl_arena *arena;
    struct hl_collection *collection;
    struct hl_look *look;
    struct hl_request request;
    struct hl_query query;
    struct hl_queries queries;
    struct hl_answered answered;
};

/* Both at v1's 0 degrees. */
static const char both[] = "{\"query\":{\"vectors\":{\"v1\":[1,0],\"v2\":[0.866,-0.5]}}}";
/* v1's first is point 1, v2's is point 4. */
static const char apart[] = "{\"query\":{\"vectors\":{\"v1\":[1,0],\"v2\":[0.5,0.866]}}}";
static const char single[] = "{\"query\":[1,0],\"using\":\"v1\"}";

static inline void begin_rollout(struct rig *rig, double sample)
{
    struct stepping stepping = read_step("put 1>2");

    activate(rig, "v2>v1", "{\"revision\":1,\"strategy\":\"backward\"}");
    stepping.wanted.sample = sample;
    if (order(rig, &stepping) != HL_OK)
        fail_msg("%s", rig->err.msg);
}

/* A search of that id as it is when it was answered now. */
static inline struct answering *answer(struct rig *rig, const char *body,
                                       const char *query_id)
{
    static const struct hl_look_wish wish = {.n_filters = 0};
    struct answering *a = calloc(1, sizeof *a);
    struct hl_tokens tokens;
    struct hl_field root;

    assert_non_null(a);
    a->rig = rig;
    a->arena = hl_arena_new(1 << 20);
    a->collection = collection_of(rig);
    assert_int_equal(hl_look_open(a->collection, &wish, &a->look, &rig->err), HL_OK);
    hl_tokens_init(&tokens, body, strlen(body), a->arena);
    root = hl_field_root(&tokens);
    assert_int_equal(hl_query_read(&root, HL_FORM_QUERY, &a->query, &rig->err), HL_OK);
    a->queries = (struct hl_queries){&a->query, 1};
    a->request = (struct hl_request){.id = query_id, .body = {body, strlen(body)}};
    a->answered = (struct hl_answered){.collection = a->collection,
                                       .layout = hl_look_layout(a->look),
                                       .queries = &a->queries,
                                       .form = HL_FORM_QUERY,
                                       .request = &a->request};
    return a;
}

static inline void answer_end(struct answering *a)
{
    hl_look_close(a->look);
    hl_collection_unref(a->collection);
    hl_arena_free(a->arena);
    free(a);
}

static inline void put(struct rig *rig, const char *body, const char *query_id)
{
    struct answering *a = answer(rig, body, query_id);

    hl_offers_put(rig->server.offers, &a->answered);
    answer_end(a);
}

static inline void open_offers(struct rig *rig)
{
    assert_int_equal(hl_offers_new(rig->server.metrics, 1, &rig->server.offers, &rig->err),
                     HL_OK);
}

#endif
