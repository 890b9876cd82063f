/* SPDX-License-Identifier: Apache-2.0 */
#include "index/look.h"
#include "proto/alloc.h"
#include "server/change.h"
#include "server/holdings.h"
#include "server/offers.h"
#include "server/overseer_part.h"

#include <string.h>

enum { SAVE_US = 3000000, FIGURES_MOST = 16 << 10 };

/* ---- the guard ---- */

static enum hl_code take_back(struct hl_overseer *overseer,
                              const struct hl_watched *watched,
                              struct hl_collection *collection,
                              const struct hl_guard_breach *breach, struct hl_err *err)
{
    struct hl_guard_breach named = *breach;
    bool is_back = false;

    named.collection = watched->name;
    return hl_guard_act(overseer->server, collection, &named, &is_back, err);
}

static void act(struct hl_overseer *overseer, struct hl_watched *watched,
                struct hl_collection *collection, const struct hl_rollout *rollout,
                const struct hl_guard_check *checks)
{
    char words[HL_GUARD_WORDS];
    struct hl_buf figures;
    struct hl_span span;
    struct hl_err err;
    struct hl_guard_breach breach = {.rollout = rollout, .why = words, .figures = &span};
    int first = 0;

    while (!checks[first].is_breached)
        first++;
    hl_guard_describe((enum hl_guard)first, &checks[first], words);
    breach.what = hl_guard_name((enum hl_guard)first);
    hl_buf_init(&figures, FIGURES_MOST);
    hl_guard_checks_print(checks, HL_N_GUARDS, &figures);
    span = (struct hl_span){figures.data, figures.len};
    if (hl_buf_check(&figures, "what the guard saw", &err) != HL_OK ||
        take_back(overseer, watched, collection, &breach, &err) != HL_OK)
        hl_log(overseer->server->log, HL_LOG_ERROR, hl_log_event("rollback_failed"),
               hl_log_text("collection", watched->name), hl_log_text("why", words),
               hl_log_error(&err));
    hl_buf_done(&figures);
}

void hl_overseer_guard(struct hl_overseer *overseer, struct hl_watched *watched,
                       struct hl_collection *collection, const struct hl_rollout *rollout)
{
    struct hl_guard_check checks[HL_N_GUARDS];
    struct hl_counts stage, shadow, first;
    struct hl_counts *counts;
    struct hl_guard_facts facts = {
        .rollout = rollout, .stage = &stage, .shadow = &shadow, .first = &first};

    pthread_mutex_lock(&overseer->lock);
    watched->n_new = 0;
    counts = hl_trial_counts(watched->trial, rollout->stage);
    if (counts) {
        stage = *counts;
        shadow = *hl_trial_counts(watched->trial, HL_STAGE_SHADOW);
        first = *hl_trial_first(watched->trial);
    }
    pthread_mutex_unlock(&overseer->lock);
    if (!counts)
        return;
    hl_guard_look(&facts, checks);
    for (int i = 0; i < HL_N_GUARDS; i++)
        if (checks[i].is_breached) {
            act(overseer, watched, collection, rollout, checks);
            return;
        }
}

/* ---- saving ---- */

struct saving {
    struct hl_overseer *overseer;
    struct hl_trial *trial;
};

static enum hl_code save(void *self, struct hl_writing *writing, struct hl_err *err)
{
    const struct saving *saving = self;
    const struct hl_rollout *now = hl_rollout_of(hl_writing_layout(writing));
    struct hl_trial copy;

    pthread_mutex_lock(&saving->overseer->lock);
    copy = *saving->trial;
    pthread_mutex_unlock(&saving->overseer->lock);
    return now ? hl_trial_save(writing, &copy, err) : HL_OK;
}

static void save_one(struct hl_overseer *overseer, struct hl_watched *watched,
                     struct hl_collection *collection)
{
    struct saving saving = {overseer, watched->trial};
    struct hl_err err;
    enum hl_code code;

    pthread_mutex_lock(&overseer->lock);
    watched->trial->is_dirty = false; /* what is counted from here on comes next time */
    pthread_mutex_unlock(&overseer->lock);
    watched->saved_us = hl_overseer_now_us();
    code = hl_pending_run_now(collection, save, &saving, &err);
    if (code == HL_OK) {
        watched->is_save_failing = false;
        return;
    }
    pthread_mutex_lock(&overseer->lock);
    watched->trial->is_dirty = true;
    pthread_mutex_unlock(&overseer->lock);
    if (code != HL_NOT_FOUND && !watched->is_save_failing)
        hl_log(overseer->server->log, HL_LOG_WARN, hl_log_event("counts_not_saved"),
               hl_log_text("collection", watched->name), hl_log_error(&err));
    watched->is_save_failing = true;
}

/* ---- one collection ---- */

static bool load_rollout(struct hl_collection *collection, struct hl_rollout *ret_rollout,
                         uint64_t *ret_commit)
{
    const struct hl_look_wish wish = {.n_filters = 0};
    const struct hl_rollout *rollout;
    struct hl_look *look;
    struct hl_err ignored; /* it is looked at again in a second */

    if (hl_look_open(collection, &wish, &look, &ignored) != HL_OK)
        return false;
    rollout = hl_rollout_of(hl_look_layout(look));
    if (rollout)
        *ret_rollout = *rollout;
    *ret_commit = hl_look_commit(look);
    hl_look_close(look);
    return rollout != NULL;
}

static void free_watched(struct hl_watched *watched)
{
    if (!watched)
        return;
    hl_trial_free(watched->trial);
    hl_free(watched->folder);
    hl_free(watched->name);
    hl_free(watched);
}

/* What was counted before a restart. What cannot be read is told, and counted anew: a
 * rollout goes on without. */
static void load_counts(struct hl_overseer *overseer, struct hl_collection *collection,
                        struct hl_watched *watched)
{
    struct hl_holdings holdings;
    struct hl_err err;
    enum hl_code code = hl_holdings_look(collection, &holdings, &err);

    if (code == HL_OK) {
        code = hl_trial_load(watched->trial, &holdings, &err);
        hl_holdings_close(&holdings);
    }
    if (code != HL_OK)
        hl_log(overseer->server->log, HL_LOG_ERROR, hl_log_event("counts_not_loaded"),
               hl_log_text("collection", watched->name), hl_log_error(&err));
}

static struct hl_watched *watch(struct hl_overseer *overseer, const char *name,
                                struct hl_collection *collection)
{
    struct hl_watched *watched = hl_alloc_zeroed(1, sizeof *watched);

    if (!watched)
        return NULL;
    watched->trial = hl_trial_new();
    watched->folder = hl_strdup(hl_collection_folder(collection));
    watched->name = hl_strdup(name);
    if (!watched->trial || !watched->folder || !watched->name) {
        free_watched(watched);
        return NULL;
    }
    load_counts(overseer, collection, watched);
    pthread_mutex_lock(&overseer->lock);
    watched->next = overseer->first;
    overseer->first = watched;
    pthread_mutex_unlock(&overseer->lock);
    return watched;
}

static void follow(struct hl_overseer *overseer, struct hl_watched *watched,
                   struct hl_collection *collection, const struct hl_rollout *rollout)
{
    struct hl_offers *offers = overseer->server->offers;
    const uint64_t before = hl_offers_take_drops(offers, collection, &watched->known);
    const uint64_t dropped = hl_offers_take_drops(offers, collection, rollout);

    pthread_mutex_lock(&overseer->lock);
    hl_trial_drop(watched->trial, &watched->known, before);
    hl_trial_follow(watched->trial, rollout);
    hl_trial_drop(watched->trial, rollout, dropped);
    watched->known = *rollout;
    pthread_mutex_unlock(&overseer->lock);
}

/* The guard looks first: what else there is to do waits for disks. */
static void tend(struct hl_overseer *overseer, struct hl_watched *watched,
                 struct hl_collection *collection, const struct hl_rollout *rollout)
{
    bool is_new, is_dirty;

    pthread_mutex_lock(&overseer->lock);
    is_new = watched->n_new > 0;
    is_dirty = watched->trial->is_dirty;
    pthread_mutex_unlock(&overseer->lock);
    if (is_new)
        hl_overseer_guard(overseer, watched, collection, rollout);
    if (hl_rollout_is_running(rollout) && watched->studied != watched->commit)
        hl_overseer_study(overseer, watched, collection, rollout);
    if (hl_rollout_is_running(rollout))
        hl_overseer_probe(overseer, watched, rollout);
    if (is_dirty && hl_overseer_now_us() - watched->saved_us >= SAVE_US)
        save_one(overseer, watched, collection);
}

static void attend(struct hl_overseer *overseer, const char *name,
                   struct hl_collection *collection)
{
    struct hl_watched *watched = hl_overseer_find(overseer, collection);
    struct hl_rollout rollout;
    uint64_t commit;

    if (!load_rollout(collection, &rollout, &commit))
        return;
    if (!watched)
        watched = watch(overseer, name, collection);
    if (!watched)
        return; /* no memory: in a second */
    watched->roll = overseer->roll;
    watched->commit = commit;
    follow(overseer, watched, collection, &rollout);
    tend(overseer, watched, collection, &rollout);
}

/* ---- all of them ---- */

struct called {
    char *name;
    struct hl_collection *collection; /* a reference */
};

struct roll {
    struct called *items;
    size_t n, room;
    bool has_failed; /* no memory */
};

static bool note(void *self, const char *name, struct hl_collection *collection)
{
    struct roll *roll = self;

    if (roll->n == roll->room) {
        const size_t room = roll->room ? roll->room * 2 : 16;
        struct called *items = hl_realloc(roll->items, room * sizeof *items);

        roll->has_failed = !items;
        if (!items)
            return false;
        roll->items = items;
        roll->room = room;
    }
    roll->items[roll->n].name = hl_strdup(name);
    roll->has_failed = !roll->items[roll->n].name;
    if (!roll->has_failed)
        roll->items[roll->n++].collection = hl_collection_ref(collection);
    return !roll->has_failed;
}

static void each(struct hl_overseer *overseer,
                 void (*visit)(struct hl_overseer *overseer, const char *name,
                               struct hl_collection *collection),
                 bool *ret_is_whole)
{
    struct roll roll = {.n = 0};

    hl_collections_each(overseer->server->collections, note, &roll);
    for (size_t i = 0; i < roll.n; i++) {
        visit(overseer, roll.items[i].name, roll.items[i].collection);
        hl_collection_unref(roll.items[i].collection);
        hl_free(roll.items[i].name);
    }
    *ret_is_whole = !roll.has_failed;
    hl_free(roll.items);
}

/* Those that were not seen: deleted, recovered over, or without a rollout. */
static void forget_others(struct hl_overseer *overseer, uint64_t roll)
{
    struct hl_watched **link = &overseer->first, *gone = NULL, *next;

    pthread_mutex_lock(&overseer->lock);
    while (*link) {
        struct hl_watched *watched = *link;

        if (watched->roll == roll) {
            link = &watched->next;
            continue;
        }
        *link = watched->next;
        watched->next = gone;
        gone = watched;
    }
    pthread_mutex_unlock(&overseer->lock);
    for (; gone; gone = next) {
        next = gone->next;
        free_watched(gone);
    }
}

void hl_overseer_roll(struct hl_overseer *overseer)
{
    bool is_whole;

    overseer->roll++;
    each(overseer, attend, &is_whole);
    if (is_whole)
        forget_others(overseer, overseer->roll);
    overseer->rolled_us = hl_overseer_now_us();
}

static void save_if_dirty(struct hl_overseer *overseer, const char *name,
                          struct hl_collection *collection)
{
    struct hl_watched *watched = hl_overseer_find(overseer, collection);
    bool is_dirty;

    (void)name;
    pthread_mutex_lock(&overseer->lock);
    is_dirty = watched && watched->trial->is_dirty;
    pthread_mutex_unlock(&overseer->lock);
    if (is_dirty)
        save_one(overseer, watched, collection);
}

void hl_overseer_save_all(struct hl_overseer *overseer)
{
    bool ignored; /* without memory what changed in the last seconds is lost */

    each(overseer, save_if_dirty, &ignored);
}

void hl_overseer_forget_all(struct hl_overseer *overseer)
{
    forget_others(overseer, UINT64_MAX);
}
