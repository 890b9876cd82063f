/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/alloc.h"
#include "proto/model_name.h"
#include "server/drift.h"
#include "server/holdings.h"
#include "server/moment.h"
#include "server/overseer_part.h"
#include "server/probe_run.h"
#include "server/probes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STUDY_MEMORY = 1 << 20 };

/* ---- drift ---- */

static bool is_served(const struct hl_rollout *rollout)
{
    return rollout->stage == HL_STAGE_CANARY || rollout->stage == HL_STAGE_LIVE;
}

/* Of the new model: whoever is served by the old one is not helped by going back to it. */
static enum hl_code look_at_drift(struct hl_overseer *overseer, struct hl_watched *watched,
                                  const struct hl_holdings *holdings,
                                  const struct hl_rollout *rollout, struct hl_err *err)
{
    const struct hl_space *space = hl_layout_space(holdings->layout, rollout->to);
    char why[HL_GUARD_WORDS];
    const struct hl_guard_breach breach = {
        .collection = watched->name, .rollout = rollout, .what = "drift", .why = why};
    struct hl_drift drift;
    bool is_back;
    enum hl_code code = hl_drift_seen(holdings->reader, rollout->to, &drift, err);

    if (code != HL_OK || !space || !drift.was_compared || !drift.is_drifted)
        return code;
    hl_guard_describe_drift(hl_model_shown(space->name), &drift, why);
    return hl_guard_act(overseer->server, holdings->collection, &breach, &is_back, err);
}

/* ---- the probe set ---- */

/* It may be gone: then nothing is run, and right is who has a relevant one first. */
static enum hl_code look_at_probes(struct hl_overseer *overseer, struct hl_watched *watched,
                                   const struct hl_holdings *holdings,
                                   const struct hl_rollout *rollout, struct hl_err *err)
{
    struct hl_arena *arena = hl_arena_new(STUDY_MEMORY);
    struct hl_probe_set set = {.settings = {.flip_at = 1}};
    enum hl_code code = HL_NOT_FOUND;

    if (!arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a probe set");
    if (rollout->probes[0])
        code = hl_probes_find(holdings, rollout->probes, 0, arena, &set, err);
    hl_arena_free(arena);
    if (code != HL_OK && code != HL_NOT_FOUND)
        return code;
    pthread_mutex_lock(&overseer->lock);
    watched->trial->flip_at =
        set.settings.flip_at < HL_COMPARED_HITS ? set.settings.flip_at : HL_COMPARED_HITS;
    watched->every_s = set.settings.every_s;
    pthread_mutex_unlock(&overseer->lock);
    return HL_OK;
}

void hl_overseer_study(struct hl_overseer *overseer, struct hl_watched *watched,
                       struct hl_collection *collection, const struct hl_rollout *rollout)
{
    struct hl_holdings holdings;
    struct hl_err err;
    enum hl_code code = hl_holdings_look(collection, &holdings, &err);

    if (code != HL_OK)
        return; /* in a second */
    code = look_at_probes(overseer, watched, &holdings, rollout, &err);
    if (code == HL_OK && is_served(rollout))
        code = look_at_drift(overseer, watched, &holdings, rollout, &err);
    hl_holdings_close(&holdings);
    if (code == HL_OK)
        watched->studied = watched->commit;
    else
        hl_log(overseer->server->log, HL_LOG_WARN, hl_log_event("rollout_not_studied"),
               hl_log_text("collection", watched->name), hl_log_error(&err));
}

/* ---- the schedule ---- */

/* A job holds no collection while it waits: one that is deleted must go. */
struct scheduled {
    struct hl_work work; /* first */
    struct hl_overseer *overseer;
    uint32_t from, to;
    char set[HL_PROBES_NAME];
    char *name, *folder;
};

static enum hl_code run_on(const struct scheduled *scheduled,
                           struct hl_collection *collection, const struct hl_errand *errand,
                           struct hl_buf *result, struct hl_err *err)
{
    const struct hl_probe_task task = {.server = scheduled->overseer->server,
                                       .collection = collection,
                                       .set = scheduled->set,
                                       .from = scheduled->from,
                                       .to = scheduled->to,
                                       .by = "",
                                       .why = "schedule",
                                       .errand = *errand};
    struct hl_probe_result found;
    enum hl_code code;

    if (strcmp(hl_collection_folder(collection), scheduled->folder) != 0)
        return hl_fail(err, HL_NOT_FOUND, "the collection was replaced meanwhile");
    code = hl_probes_run(&task, &found, err);
    if (code != HL_OK)
        return code;
    hl_buf_add(result, found.summary.data, found.summary.len);
    hl_probe_result_done(&found);
    return HL_OK;
}

static enum hl_code run(struct hl_work *work, const struct hl_errand *errand,
                        struct hl_buf *result, struct hl_err *err)
{
    const struct scheduled *scheduled = (const struct scheduled *)work;
    const struct hl_span name = {scheduled->name, strlen(scheduled->name)};
    struct hl_collection *collection;
    enum hl_code code = hl_collections_acquire(scheduled->overseer->server->collections,
                                               &name, &collection, err);

    if (code != HL_OK)
        return code;
    code = run_on(scheduled, collection, errand, result, err);
    hl_collection_unref(collection);
    return code;
}

static void free_scheduled(struct hl_work *work)
{
    struct scheduled *scheduled = (struct scheduled *)work;

    atomic_store(&scheduled->overseer->is_probing, false);
    hl_free(scheduled->name);
    hl_free(scheduled->folder);
    hl_free(scheduled);
}

static struct hl_work *new_scheduled(struct hl_overseer *overseer,
                                     const struct hl_watched *watched,
                                     const struct hl_rollout *rollout)
{
    struct scheduled *scheduled = hl_alloc_zeroed(1, sizeof *scheduled);

    if (!scheduled)
        return NULL;
    scheduled->work = (struct hl_work){run, free_scheduled, false};
    scheduled->overseer = overseer;
    scheduled->from = rollout->from;
    scheduled->to = rollout->to;
    (void)snprintf(scheduled->set, sizeof scheduled->set, "%s", rollout->probes);
    scheduled->name = hl_strdup(watched->name);
    scheduled->folder = hl_strdup(watched->folder);
    if (scheduled->name && scheduled->folder)
        return &scheduled->work;
    free_scheduled(&scheduled->work);
    return NULL;
}

static bool is_due(struct hl_overseer *overseer, const struct hl_watched *watched,
                   uint64_t now_ms)
{
    bool is;

    pthread_mutex_lock(&overseer->lock);
    is = watched->every_s > 0 &&
         now_ms >= watched->trial->probed_ms + UINT64_C(1000) * watched->every_s;
    pthread_mutex_unlock(&overseer->lock);
    return is;
}

static enum hl_code order(struct hl_overseer *overseer, const struct hl_watched *watched,
                          const struct hl_rollout *rollout, struct hl_err *err)
{
    char request[HL_PROBES_NAME + 40];
    const struct hl_job_order order = {"probes", watched->name, request, false};
    struct hl_work *work = new_scheduled(overseer, watched, rollout);
    uint64_t id;

    if (!work)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a job");
    /* The name of a set needs no escapes. */
    (void)snprintf(request, sizeof request, "{\"probes\":\"%s\",\"why\":\"schedule\"}",
                   rollout->probes);
    return hl_jobs_add(overseer->server->jobs, &order, work, &id, err);
}

void hl_overseer_probe(struct hl_overseer *overseer, struct hl_watched *watched,
                       const struct hl_rollout *rollout)
{
    const uint64_t now_ms = (uint64_t)hl_moment_now_ms();
    struct hl_err err;

    if (!is_due(overseer, watched, now_ms) || atomic_exchange(&overseer->is_probing, true))
        return;
    if (order(overseer, watched, rollout, &err) != HL_OK) {
        atomic_store(&overseer->is_probing, false);
        return; /* in a second */
    }
    pthread_mutex_lock(&overseer->lock);
    watched->trial->probed_ms = now_ms;
    watched->trial->is_dirty = true;
    pthread_mutex_unlock(&overseer->lock);
}
