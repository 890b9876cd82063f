/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_ACTIVATING_H
#define HL_TESTS_UNIT_ACTIVATING_H

/* A server (tests/unit/housing.h) of one collection with three models, four points and four
 * bridges, and what is asked of it. Include it behind cmocka.h.
 *
 * Models "v1", "v2" and "v3" of two numbers are spaces 1, 2 and 3; the bridges between them
 * turn. Images are shown as `POINT:INTO<FROM@DEGREES`. */
#include "proto/fail.h"
#include "server/bridge_calls.h"
#include "server/change.h"
#include "tests/unit/bridging.h"
#include "tests/unit/housing.h"

static const struct hl_span name = {"c", 1};

/* ---- the rig ---- */

static inline enum hl_code make_spaces(void *self, struct hl_writing *writing,
                                       struct hl_err *err)
{
    static const char *const names[] = {"v1", "v2", "v3"};
    enum hl_code code = HL_OK;

    (void)self;
    for (size_t i = 0; code == HL_OK && i < 3; i++) {
        const struct hl_vector_config config = {
            .name = {names[i], 2},
            .size = 2,
            .distance = HL_COSINE,
            .text = {"{\"size\":2,\"distance\":\"Cosine\"}", 30}};

        code = hl_writing_add_space(writing, &config, err);
    }
    return code;
}

struct written {
    const char *body;
    struct hl_arena *arena; /* is read until the change is done */
};

static inline enum hl_code write_points(void *self, struct hl_writing *writing,
                                        struct hl_err *err)
{
    const struct written *written = self;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_write_ops ops;
    enum hl_code code;

    hl_tokens_init(&tokens, written->body, strlen(written->body), written->arena);
    root = hl_field_root(&tokens);
    code = hl_write_ops_read(&root, &ops, err);
    return code == HL_OK ? hl_writing_apply(writing, &ops, NULL, written->arena, err)
                         : code;
}

static inline enum hl_code fill(void *self, struct hl_collection *collection,
                                struct hl_err *err)
{
    return hl_pending_run_now(collection, make_spaces, self, err);
}

static inline struct hl_collection *collection_of(struct rig *rig)
{
    struct hl_collection *collection = NULL;

    assert_int_equal(
        hl_collections_acquire(rig->server.collections, &name, &collection, &rig->err),
        HL_OK);
    return collection;
}

static inline enum hl_code
change(struct rig *rig,
       enum hl_code (*run)(void *self, struct hl_writing *writing, struct hl_err *err),
       void *self)
{
    struct hl_collection *collection = collection_of(rig);
    enum hl_code code = hl_pending_run_now(collection, run, self, &rig->err);

    hl_collection_unref(collection);
    return code;
}

static inline void write_ops(struct rig *rig, const char *ops)
{
    char body[2000];
    struct written written = {body, hl_arena_new(1 << 20)};

    assert_non_null(written.arena);
    (void)snprintf(body, sizeof body, "{\"operations\":[%s]}", ops);
    if (change(rig, write_points, &written) != HL_OK)
        fail_msg("%s", rig->err.msg);
    hl_arena_free(written.arena);
}

static inline enum hl_code add_bridge(void *self, struct hl_writing *writing,
                                      struct hl_err *err)
{
    const struct turning *turning = self;
    const struct hl_holdings inside = hl_holdings_inside(writing);
    const struct hl_span from = {turning->from, 2}, to = {turning->to, 2};
    struct hl_bridge *bridge = turning_bridge(turning);
    struct hl_bridge_pair pair;
    struct hl_bridge_entry entry = {.pair = &pair, .bridge = bridge};
    struct hl_buf file;
    uint64_t revision;
    enum hl_code code = hl_bridges_pair_of(&inside, &from, &to, &pair, err);

    hl_buf_init(&file, 1 << 20);
    print_turning(turning, &file);
    entry.file = (struct hl_span){file.data, file.len};
    if (code == HL_OK)
        code = hl_bridges_add(writing, &entry, &revision, err);
    hl_buf_done(&file);
    hl_bridge_free(bridge);
    return code;
}

static inline int set_up(void **state)
{
    static struct turning turnings[] = {
        {"v2", "v1", 30, 0, 0, true, HL_BRIDGE_DUAL},
        {"v2", "v1", 40, 0, 0, false, HL_BRIDGE_DUAL},
        {"v3", "v2", 100, 0, 0, true, HL_BRIDGE_DUAL},
        {"v3", "v1", 10, 0, 0, true, HL_BRIDGE_BACKWARD},
    };
    const struct hl_collections_filler filler = {fill, NULL};
    struct rig *rig = new_rig();

    *state = rig;
    assert_int_equal(
        hl_collections_create(rig->server.collections, &name, &filler, &rig->err), HL_OK);
    write_ops(rig, "{\"upsert\":{\"points\":[{\"id\":1,\"vector\":{\"v1\":[1,0]}},"
                   "{\"id\":2,\"vector\":{\"v2\":[1,0]}},"
                   "{\"id\":3,\"vector\":{\"v3\":[1,0]}},"
                   "{\"id\":4,\"vector\":{\"v1\":[0,1],\"v2\":[1,0]}}]}}");
    for (size_t i = 0; i < sizeof turnings / sizeof *turnings; i++)
        assert_int_equal(change(rig, add_bridge, &turnings[i]), HL_OK);
    return 0;
}

/* ---- asking ---- */

static inline enum hl_code ask(struct rig *rig, bool is_activation, const char *pair,
                               const char *body)
{
    struct hl_arena *arena = rig->request.arena;

    hl_arena_reset(arena);
    rig->request.params[0] = name;
    rig->request.params[1] = (struct hl_span){hl_arena_copy(arena, pair, 2), 2};
    rig->request.params[2] = (struct hl_span){hl_arena_copy(arena, pair + 3, 2), 2};
    if (!rig->request.params[1].data || !rig->request.params[2].data)
        return HL_NO_MEMORY;
    rig->request.body = (struct hl_span){body, strlen(body)};
    hl_buf_done(&rig->reply.body);
    rig->reply.status = 0;
    return is_activation ? hl_bridge_call_activate(&rig->server, &rig->request, &rig->reply,
                                                   &rig->err)
                         : hl_bridge_call_deactivate(&rig->server, &rig->request,
                                                     &rig->reply, &rig->err);
}

/* The whole of it, which goes well. */
static inline struct seen do_now(struct rig *rig, bool is_activation, const char *pair,
                                 const char *body)
{
    struct seen seen;

    if (ask(rig, is_activation, pair, body) != HL_OK)
        fail_msg("%s", rig->err.msg);
    assert_int_equal(rig->reply.status, 202);
    seen = await_newest(rig);
    if (seen.state != HL_JOB_DONE)
        fail_msg("%s", seen.outcome);
    return seen;
}

static inline void activate(struct rig *rig, const char *pair, const char *body)
{
    (void)do_now(rig, true, pair, body);
}

static inline void deactivate(struct rig *rig, const char *pair)
{
    (void)do_now(rig, false, pair, "");
}

static inline void assert_says(const struct seen *seen, const char *words)
{
    if (!strstr(seen->outcome, words))
        fail_msg("\"%s\" is not in %s", words, seen->outcome);
}

/* ---- looking ---- */

struct looking {
    struct rig *rig;
    struct hl_holdings *holdings;
    char text[400];
};

static inline bool show_point(void *self, const struct hl_store_point *point)
{
    struct looking *looking = self;
    struct hl_holdings *holdings = looking->holdings;
    char *text = looking->text;

    for (size_t i = 0; i < point->n_places; i++) {
        const struct hl_space *space =
            hl_layout_space(holdings->layout, point->places[i].space);
        const size_t len = strlen(text);
        struct hl_store_vector vector;

        if (!space || space->image.into == 0)
            continue;
        assert_int_equal(hl_reader_vector(holdings->reader, point->places[i].row, &vector,
                                          &looking->rig->err),
                         HL_OK);
        (void)snprintf(text + len, sizeof looking->text - len, "%s%d:%u<%u@%d%s",
                       len ? " " : "", (int)hl_id_value(&point->id), space->image.into,
                       space->image.from, degrees_of(vector.values),
                       space->image.is_served ? "" : "(unserved)");
    }
    return true;
}

/* Good until the next one. */
static inline const char *images(struct rig *rig)
{
    const struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER, .deadline = &never};
    struct hl_collection *collection = collection_of(rig);
    struct hl_holdings holdings;
    static struct looking looking;

    looking = (struct looking){rig, &holdings, ""};
    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    assert_int_equal(
        hl_reader_scan(holdings.reader, &scan, show_point, &looking, &rig->err), HL_OK);
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
    return looking.text;
}

/* How many spaces of images there are, and what is served: the number of the plans, 0 when
 * there are none, and the strategy for queries of v2. */
static inline void assert_served(struct rig *rig, size_t n_images, uint64_t number,
                                 const char *strategy)
{
    struct hl_collection *collection = collection_of(rig);
    struct hl_holdings holdings;
    const struct hl_plans *plans;
    const struct hl_plan *plan;

    assert_int_equal(hl_holdings_look(collection, &holdings, &rig->err), HL_OK);
    plans = hl_plans_of(holdings.layout);
    plan = hl_plan_in(plans, 2, HL_PLAN_SOME);
    assert_int_equal(holdings.layout->n_images, n_images);
    assert_int_equal(plans ? plans->number : 0, number);
    assert_string_equal(plan ? hl_serving_name(plan->strategy) : "none", strategy);
    for (size_t i = 0; plan && i < plan->n_legs; i++)
        assert_true((plan->legs[i].way != NULL) == (plan->legs[i].n_hops > 0));
    hl_holdings_close(&holdings);
    hl_collection_unref(collection);
}

static inline void open_again(struct rig *rig)
{
    close_server(rig);
    open_server(rig);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
