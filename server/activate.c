/* SPDX-License-Identifier: Apache-2.0 */
#include "server/activate.h"

#include "compat/scale.h"
#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/members.h"
#include "server/activations.h"
#include "server/bridge_calls.h"
#include "server/change.h"
#include "server/express.h"
#include "server/job_calls.h"
#include "server/plan.h"
#include "server/rollout.h"
#include "server/server.h"

#include <inttypes.h>
#include <string.h>

/* Beginning to serve through a bridge, or another way, or no more: a job that makes the
 * images which the change wants, while queries keep the old plans, and then changes over in
 * one commit. Prompt jobs run one at a time, so nobody else changes what is
 * active meanwhile. */
struct activating {
    struct hl_bridge_work base; /* first */
    const char *name;           /* of the collection, as it was asked for */
    bool is_activation;         /* else a deactivation */
    struct hl_activation wanted;
    struct hl_activations now, next;
    bool has_scales, has_text; /* of the bridge: they were measured */
    struct hl_express express;
    struct hl_buf shown;
    uint64_t number; /* of the plans */
};

enum { LARGEST_SHOWN = 1 << 16 };

/* ---- what is wanted ---- */

static enum hl_code choose_strategy(struct activating *job, const struct hl_bridge *bridge,
                                    struct hl_err *err)
{
    const struct hl_bridge_pair *pair = &job->base.pair;
    struct hl_activation *wanted = &job->wanted;
    const bool is_chained = hl_plan_goal(&job->next, pair->from.space) != 0 &&
                            hl_reach_trail(&job->next, pair->from.space,
                                           hl_plan_goal(&job->next, pair->from.space))
                                    .n_hops > 1;

    if (wanted->strategy == HL_SERVING_DUAL && !job->has_scales)
        return hl_fail(err, HL_INVALID,
                       "revision %" PRIu64
                       " of the bridge from \"%.120s\" to \"%.120s\" carries no scales: "
                       "\"dual\" cannot merge scores without, \"backward\" can",
                       wanted->revision, pair->from.shown, pair->to.shown);
    if (wanted->strategy == HL_SERVING_DUAL && is_chained)
        return hl_fail(err, HL_INVALID,
                       "queries of \"%.120s\" go on over \"%.120s\" to another vector, and "
                       "nothing was measured over both bridges: \"dual\" cannot merge "
                       "scores there, \"backward\" can",
                       pair->from.shown, pair->to.shown);
    wanted->serving = wanted->strategy;
    if (wanted->strategy == HL_SERVING_AUTO)
        wanted->serving =
            bridge->strategy == HL_BRIDGE_DUAL && job->has_scales && !is_chained
                ? HL_SERVING_DUAL
                : HL_SERVING_BACKWARD;
    return HL_OK;
}

/* The set as it will be, with what auto comes to. */
static enum hl_code resolve(struct activating *job, const struct hl_holdings *holdings,
                            struct hl_err *err)
{
    const struct hl_bridge_pair *pair = &job->base.pair;
    const uint32_t from = pair->from.space, to = pair->to.space;
    struct hl_activation *wanted = job->is_activation ? &job->wanted : NULL;
    struct hl_bridge *bridge = NULL;
    enum hl_code code = hl_activations_load(holdings->reader, &job->now, err);

    job->next = job->now;
    if (code == HL_OK && wanted)
        code = hl_bridges_find(holdings, pair, &wanted->revision, err);
    if (code == HL_OK && wanted)
        code = hl_bridges_load(holdings, pair, wanted->revision, &bridge, err);
    if (code == HL_OK)
        code = hl_activations_set(&job->next, from, to, wanted, err);
    if (code == HL_OK && wanted) {
        job->has_scales =
            hl_scales_are_measured(bridge->ways[HL_MODALITY_IMAGE].old_items) &&
            hl_scale_is_measured(bridge->from_own);
        job->has_text = hl_scales_are_measured(bridge->ways[HL_MODALITY_TEXT].old_items);
        code = choose_strategy(job, bridge, err);
    }
    if (code == HL_OK && wanted) /* with what it serves now */
        code = hl_activations_set(&job->next, from, to, wanted, err);
    hl_bridge_free(bridge);
    return code;
}

static bool is_so(const struct activating *job)
{
    const struct hl_bridge_pair *pair = &job->base.pair;

    return hl_active_is(hl_activations_find(&job->now, pair->from.space, pair->to.space),
                        job->is_activation ? &job->wanted : NULL);
}

/* ---- the job ---- */

static void print_warnings(struct activating *job)
{
    const char *between = "";

    hl_buf_print(&job->shown, ",\"plan\":%" PRIu64 ",\"warnings\":[", job->number);
    if (job->is_activation && !job->has_scales) {
        hl_buf_add_text(&job->shown,
                        "\"the bridge carries no scales: scores that come through it "
                        "are shown as they are, and no threshold means the same before "
                        "and after it\"");
        between = ",";
    }
    if (job->is_activation && !job->has_text)
        hl_buf_print(&job->shown,
                     "%s\"queries that are text were never measured through this "
                     "bridge: they go the way of images\"",
                     between);
    hl_buf_add_text(&job->shown, "]}");
}

/* The reply as it is before the job's own members: without the last brace. */
static enum hl_code print_shown(struct activating *job, const struct hl_holdings *holdings,
                                struct hl_err *err)
{
    enum hl_code code;

    hl_buf_clear(&job->shown, 0);
    code = hl_activation_print(holdings, &job->base.pair, &job->shown, err);
    if (code != HL_OK)
        return code;
    job->shown.len--;
    print_warnings(job);
    return hl_buf_check(&job->shown, "the result", err);
}

/* What was looked at is still so. */
static enum hl_code check_unchanged(const struct activating *job,
                                    const struct hl_holdings *inside, struct hl_err *err)
{
    const struct hl_bridge_pair *pair = &job->base.pair;
    uint64_t revision = job->wanted.revision;
    struct hl_activations now;
    enum hl_code code = hl_holdings_check(inside, &pair->from, err);

    if (code == HL_OK)
        code = hl_holdings_check(inside, &pair->to, err);
    if (code == HL_OK)
        code = hl_activations_load(inside->reader, &now, err);
    if (code == HL_OK && now.number != job->now.number)
        code = hl_fail(err, HL_CONFLICT, "what is active was changed meanwhile");
    if (code == HL_OK)
        code = hl_rollout_check_pair(inside, pair->from.space, pair->to.space, err);
    return code == HL_OK && job->is_activation
               ? hl_bridges_find(inside, pair, &revision, err)
               : code;
}

static enum hl_code change_over(void *self, struct hl_writing *writing, struct hl_err *err)
{
    struct activating *job = self;
    const struct hl_holdings before = hl_holdings_inside(writing);
    struct hl_holdings inside;
    enum hl_code code = check_unchanged(job, &before, err);

    if (code == HL_OK)
        code = hl_activation_put(writing, &job->base.pair,
                                 job->is_activation ? &job->wanted : NULL, err);
    if (code == HL_OK)
        code = hl_express_serve(&job->express, writing, err);
    if (code == HL_OK)
        code = hl_plans_publish(writing, &job->number, err);
    inside = hl_holdings_inside(writing);
    return code == HL_OK ? print_shown(job, &inside, err) : code;
}

static void log_change(const struct activating *job, int64_t began_us)
{
    const struct hl_server *server = job->base.server;
    const struct hl_bridge_pair *pair = &job->base.pair;

    hl_log(server->log, HL_LOG_INFO,
           hl_log_event(job->is_activation ? "activated" : "deactivated"),
           hl_log_text("collection", job->name), hl_log_text("from", pair->from.shown),
           hl_log_text("to", pair->to.shown), hl_log_u64("revision", job->wanted.revision),
           hl_log_word("strategy",
                       job->is_activation ? hl_serving_name(job->wanted.serving) : "none"),
           hl_log_u64("plan", job->number), hl_log_u64("points", job->express.n_points),
           hl_log_u64("spaces", job->express.changed.n),
           hl_log_i64("took_us", hl_clock_now(&server->clock) - began_us));
}

/* A failure is the job's; that nothing of it is left is the log's. */
static void undo(struct activating *job)
{
    struct hl_err err;

    if (hl_express_drop(&job->express, &err) != HL_OK && err.code != HL_NOT_FOUND)
        hl_log(job->base.server->log, HL_LOG_WARN, hl_log_event("images_left"),
               hl_log_text("collection", job->name), hl_log_error(&err));
}

static enum hl_code make_and_change(struct activating *job, const struct hl_errand *errand,
                                    struct hl_err *err)
{
    const int64_t began_us = hl_clock_now(&job->base.server->clock);
    enum hl_code code = hl_express_make(&job->express, errand, err);

    if (code == HL_OK)
        code = hl_deadline_check(errand->deadline, "an activation", err);
    if (code == HL_OK && errand->tell)
        errand->tell(errand->self, "switching", 0.99);
    if (code == HL_OK)
        code = hl_pending_run_now(job->base.collection, change_over, job, err);
    if (code == HL_OK)
        log_change(job, began_us);
    else
        undo(job);
    return code;
}

/* Nothing is done where it is so already. */
static enum hl_code prepare(struct activating *job, bool *ret_is_so, struct hl_err *err)
{
    const struct hl_bridge_pair *pair = &job->base.pair;
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_look(job->base.collection, &holdings, err);

    if (code != HL_OK)
        return code;
    code = hl_holdings_check(&holdings, &pair->from, err);
    if (code == HL_OK)
        code = hl_holdings_check(&holdings, &pair->to, err);
    if (code == HL_OK)
        code = resolve(job, &holdings, err);
    if (code == HL_OK) {
        job->number = job->now.number;
        *ret_is_so = is_so(job);
        code = *ret_is_so ? print_shown(job, &holdings, err)
                          : hl_express_init(&job->express, &holdings, &job->next, err);
    }
    hl_holdings_close(&holdings);
    return code;
}

/* Recovering a snapshot puts another collection in the place of the one that this is about,
 * whose last words would be that it does not exist. */
static void say_what_became_of_it(const struct activating *job, struct hl_err *err)
{
    const struct hl_span name = {job->name, strlen(job->name)};
    struct hl_collection *now = NULL;
    struct hl_err why;

    if (hl_collections_acquire(job->base.server->collections, &name, &now, &why) != HL_OK)
        return;
    if (now != job->base.collection)
        hl_err_set(
            err, HL_CONFLICT,
            "the collection \"%.200s\" was recovered or made anew meanwhile: what is "
            "active in it is what came with it",
            job->name);
    hl_collection_unref(now);
}

static enum hl_code run(struct hl_work *work, const struct hl_errand *errand,
                        struct hl_buf *result, struct hl_err *err)
{
    struct activating *job = (struct activating *)work;
    bool is_so = false;
    enum hl_code code;

    if (errand->tell)
        errand->tell(errand->self, "preparing", 0.0);
    code = prepare(job, &is_so, err);
    if (code == HL_OK && !is_so)
        code = make_and_change(job, errand, err);
    if (code == HL_NOT_FOUND) {
        say_what_became_of_it(job, err);
        code = hl_err_code(err);
    }
    if (code == HL_OK)
        hl_buf_add(result, job->shown.data, job->shown.len);
    return code;
}

static void free_activating(struct hl_work *work)
{
    struct activating *job = (struct activating *)work;

    hl_express_done(&job->express);
    hl_buf_done(&job->shown);
    hl_bridge_work_done(&job->base);
    hl_free(job);
}

/* ---- the calls ---- */

/* There is nothing to say of an end, so whatever is said is a mistake. */
static enum hl_code read_nothing(const struct hl_field *body, struct hl_err *err)
{
    static const struct hl_members none = {.n_names = 0};

    return hl_members_read(body, &none, NULL, err);
}

static enum hl_code read_ask(struct activating *job, const struct hl_bridge_ask *ask,
                             struct hl_err *err)
{
    enum hl_code code;

    job->wanted = (struct hl_activation){.is_auto = true};
    job->name = hl_arena_copy(job->base.arena, ask->collection.data, ask->collection.len);
    if (!job->name)
        return hl_arena_fail(job->base.arena, err, "the name of a collection");
    if (ask->body.len == 0)
        return HL_OK;
    code = job->is_activation ? hl_activation_read(&job->base.body, &job->wanted, err)
                              : read_nothing(&job->base.body, err);
    return code == HL_OK ? hl_tokens_finish(&job->base.tokens, err) : code;
}

/* What can be refused at once is. */
static enum hl_code begin(struct activating *job, const struct hl_bridge_ask *ask,
                          struct hl_err *err)
{
    struct hl_activation asked;
    struct hl_holdings holdings;
    enum hl_code code = hl_holdings_open(ask->server, &ask->collection, &holdings, err);

    if (code != HL_OK)
        return code;
    code = hl_bridge_work_init(&job->base, ask, &holdings, err);
    if (code == HL_OK)
        code = read_ask(job, ask, err);
    if (code == HL_OK && job->is_activation)
        code = hl_bridges_check_norms(&holdings, &job->base.pair, ask->deadline, err);
    asked = job->wanted;
    if (code == HL_OK)
        code = resolve(job, &holdings, err);
    if (code == HL_OK && !is_so(job))
        code = hl_rollout_check_pair(&holdings, job->base.pair.from.space,
                                     job->base.pair.to.space, err);
    /* The latest is the latest when it was asked for; what auto comes to can change. */
    asked.revision = job->wanted.revision;
    job->wanted = asked;
    hl_holdings_close(&holdings);
    return code;
}

enum hl_code hl_activating_new(const struct hl_bridge_ask *ask, bool is_activation,
                               struct hl_work **ret_work, struct hl_err *err)
{
    struct activating *job = hl_alloc_zeroed(1, sizeof *job);
    enum hl_code code;

    if (!job)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    job->base.work = (struct hl_work){run, free_activating, true};
    job->is_activation = is_activation;
    hl_buf_init(&job->shown, LARGEST_SHOWN);
    code = begin(job, ask, err);
    if (code == HL_OK)
        *ret_work = &job->base.work;
    else
        free_activating(&job->base.work);
    return code;
}

static enum hl_code begin_job(struct hl_server *server, struct hl_request *request,
                              struct hl_reply *reply, bool is_activation,
                              struct hl_err *err)
{
    const struct hl_bridge_ask ask = hl_bridge_ask_of(server, request);
    struct hl_work *work = NULL;
    enum hl_code code = hl_activating_new(&ask, is_activation, &work, err);

    return code == HL_OK
               ? hl_job_begin(server, request, reply,
                              is_activation ? "activate" : "deactivate", work, err)
               : code;
}

enum hl_code hl_bridge_call_activate(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err)
{
    return begin_job(server, request, reply, true, err);
}

enum hl_code hl_bridge_call_deactivate(struct hl_server *server, struct hl_request *request,
                                       struct hl_reply *reply, struct hl_err *err)
{
    return begin_job(server, request, reply, false, err);
}
