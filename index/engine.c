/* SPDX-License-Identifier: Apache-2.0 */
#include "index/engine_part.h"

#include "index/faiss_gap.h"
#include "index/grow.h"
#include "proto/alloc.h"
#include "proto/priority.h"

#include <pthread.h>
#include <time.h>

/* What failed is tried again after two seconds, unless the engine stops. */
enum { PAUSE_MS = 100, PAUSES = 20 };

/* One in so many of what segments may hold is for the graphs of tails. */
enum { TAILS_SHARE = 4 };

struct hl_engine {
    struct hl_engine_options options;
    const struct hl_kernels *kernels;
    struct hl_engine_counts counts;
    struct hl_allowance allowance;
    struct hl_allowance tails; /* what of it graphs of tails may have */
    struct hl_deadline patience;
    struct hl_part_keeper part_keeper;
    atomic_bool is_stopping;

    /* Guards what follows. Innermost: nothing else is locked under it. */
    pthread_mutex_t lock;
    pthread_cond_t work; /* something is ready, or the end */
    pthread_cond_t rest; /* a writer has nothing to do any more */
    pthread_cond_t keep; /* the keeper has something to do */
    struct hl_collection *first_ready, *last_ready;
    struct hl_collection *tended; /* all that are open */
    struct hl_collection *buried; /* closed by the keeper */
    size_t n_busy;                /* writers at work */
    bool is_over;                 /* the writers go home */
    bool is_keeper_there;         /* it closes what is buried */
    uint64_t n_wakes;

    struct hl_searchers searchers;

    pthread_t *writers;
    size_t n_writers;
    pthread_t keeper;
    bool has_keeper; /* it was started, and is joined once */
};

const struct hl_engine_options *hl_engine_options(const struct hl_engine *engine)
{
    return &engine->options;
}

const struct hl_kernels *hl_engine_kernels(const struct hl_engine *engine)
{
    return engine->kernels;
}

struct hl_engine_counts *hl_engine_counts(struct hl_engine *engine)
{
    return &engine->counts;
}

struct hl_part_keeper *hl_engine_part_keeper(struct hl_engine *engine)
{
    return &engine->part_keeper;
}

struct hl_allowance *hl_engine_tails_allowance(struct hl_engine *engine)
{
    return &engine->tails;
}

struct hl_allowance *hl_engine_allowance(struct hl_engine *engine)
{
    return &engine->allowance;
}

bool hl_engine_is_stopping(const struct hl_engine *engine)
{
    return atomic_load(&engine->is_stopping);
}

const struct hl_deadline *hl_engine_patience(const struct hl_engine *engine)
{
    return &engine->patience;
}

void hl_engine_tell(const struct hl_engine *engine, const struct hl_engine_event *event)
{
    if (engine->options.tell)
        engine->options.tell(engine->options.self, event);
}

struct hl_searchers *hl_engine_searchers(struct hl_engine *engine)
{
    return &engine->searchers;
}

/* ---- writers ---- */

bool hl_engine_ready(struct hl_engine *engine, struct hl_collection *collection)
{
    bool is_taken;

    pthread_mutex_lock(&engine->lock);
    is_taken = !engine->is_over;
    if (is_taken) {
        collection->next_ready = NULL;
        if (engine->last_ready)
            engine->last_ready->next_ready = collection;
        else
            engine->first_ready = collection;
        engine->last_ready = collection;
        pthread_cond_signal(&engine->work);
    }
    pthread_mutex_unlock(&engine->lock);
    return is_taken;
}

bool hl_engine_is_wanted(struct hl_engine *engine)
{
    bool is_wanted;

    pthread_mutex_lock(&engine->lock);
    is_wanted = engine->first_ready != NULL;
    pthread_mutex_unlock(&engine->lock);
    return is_wanted;
}

/* The next collection, NULL at the end. */
static struct hl_collection *take_ready(struct hl_engine *engine)
{
    struct hl_collection *collection;

    pthread_mutex_lock(&engine->lock);
    while (!engine->first_ready && !engine->is_over)
        pthread_cond_wait(&engine->work, &engine->lock);
    collection = engine->first_ready;
    if (collection) {
        engine->first_ready = collection->next_ready;
        if (!engine->first_ready)
            engine->last_ready = NULL;
        engine->n_busy++;
    }
    pthread_mutex_unlock(&engine->lock);
    return collection;
}

static void *write_on(void *arg)
{
    struct hl_engine *engine = arg;
    struct hl_collection *collection;

    while ((collection = take_ready(engine))) {
        bool has_more;

        if (!hl_grow_hold_back(collection))
            hl_group_run(collection);
        pthread_mutex_lock(&collection->desk);
        has_more = collection->first != NULL;
        collection->is_with_writer = has_more;
        pthread_mutex_unlock(&collection->desk);
        if (has_more)
            (void)hl_engine_ready(engine, collection); /* never over while one is busy */
        else
            hl_collection_unref(collection);
        pthread_mutex_lock(&engine->lock);
        engine->n_busy--;
        pthread_cond_broadcast(&engine->rest);
        pthread_mutex_unlock(&engine->lock);
    }
    return NULL;
}

/* ---- the keeper ---- */

void hl_engine_wake_keeper(struct hl_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
    engine->n_wakes++;
    pthread_cond_signal(&engine->keep);
    pthread_mutex_unlock(&engine->lock);
}

void hl_engine_add(struct hl_engine *engine, struct hl_collection *collection)
{
    pthread_mutex_lock(&engine->lock);
    collection->next_tended = engine->tended;
    engine->tended = collection;
    engine->n_wakes++;
    pthread_cond_signal(&engine->keep);
    pthread_mutex_unlock(&engine->lock);
}

static void forget(struct hl_engine *engine, const struct hl_collection *collection)
{
    struct hl_collection **at = &engine->tended;

    while (*at && *at != collection)
        at = &(*at)->next_tended;
    if (*at)
        *at = collection->next_tended;
}

void hl_engine_bury(struct hl_engine *engine, struct hl_collection *collection)
{
    bool is_kept;

    pthread_mutex_lock(&engine->lock);
    forget(engine, collection);
    is_kept = engine->is_keeper_there;
    if (is_kept) {
        collection->next_tended = engine->buried;
        engine->buried = collection;
        engine->n_wakes++;
        pthread_cond_signal(&engine->keep);
    }
    pthread_mutex_unlock(&engine->lock);
    if (!is_kept)
        hl_collection_close(collection);
}

static void close_buried(struct hl_engine *engine)
{
    struct hl_collection *collection, *next;

    pthread_mutex_lock(&engine->lock);
    collection = engine->buried;
    engine->buried = NULL;
    pthread_mutex_unlock(&engine->lock);
    for (; collection; collection = next) {
        next = collection->next_tended;
        hl_collection_close(collection);
    }
    hl_part_keeper_dig(&engine->part_keeper);
}

/* A reference, unless the last one has gone. */
static bool try_ref(struct hl_collection *collection)
{
    size_t n = atomic_load(&collection->n_refs);

    while (n > 0)
        if (atomic_compare_exchange_weak(&collection->n_refs, &n, n + 1))
            return true;
    return false;
}

/* The n-th open collection, with a reference; NULL behind the last. */
static struct hl_collection *nth_tended(struct hl_engine *engine, size_t n)
{
    struct hl_collection *collection;

    pthread_mutex_lock(&engine->lock);
    collection = engine->tended;
    while (collection && (n > 0 || !try_ref(collection))) {
        n -= n > 0;
        collection = collection->next_tended;
    }
    pthread_mutex_unlock(&engine->lock);
    return collection;
}

/* One round over all collections. */
static enum hl_tending tend_all(struct hl_engine *engine)
{
    struct hl_collection *collection;
    enum hl_tending all = HL_TENDING_NOTHING;

    for (size_t n = 0;
         !hl_engine_is_stopping(engine) && (collection = nth_tended(engine, n)) != NULL;
         n++) {
        enum hl_tending one = hl_keeper_tend(collection);

        if (one == HL_TENDING_FAILED || all == HL_TENDING_NOTHING)
            all = one;
        hl_collection_unref(collection);
    }
    return all;
}

/* False: something failed. */
static bool seal_waiting(struct hl_engine *engine)
{
    struct hl_collection *collection;

    hl_part_keeper_dig(&engine->part_keeper);
    if (atomic_load(&engine->counts.seals_waiting) == 0 &&
        atomic_load(&engine->counts.growths_due) == 0)
        return true;
    for (size_t n = 0;
         !hl_engine_is_stopping(engine) && (collection = nth_tended(engine, n)) != NULL;
         n++) {
        enum hl_tending tending;

        do
            tending = hl_keeper_seal(collection);
        while (tending == HL_TENDING_DONE && !hl_engine_is_stopping(engine));
        hl_collection_unref(collection);
        if (tending == HL_TENDING_FAILED)
            return false;
    }
    return true;
}

void hl_engine_seal_between(void *between)
{
    struct hl_engine_between *work = between;

    if (!work->has_failed)
        work->has_failed = !seal_waiting(work->engine);
}

void hl_engine_screen_asking(struct hl_engine *engine)
{
    struct hl_engine_between between = {.engine = engine};
    const struct hl_pause pause = {hl_engine_seal_between, &between};

    hl_part_keeper_screen(&engine->part_keeper,
                          &(struct hl_part_screening){.kernels = engine->kernels,
                                                      .deadline = &engine->patience,
                                                      .pause = &pause});
}

static void pause_keeper(const struct hl_engine *engine)
{
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};

    for (int i = 0; i < PAUSES && !hl_engine_is_stopping(engine); i++)
        (void)nanosleep(&pause, NULL);
}

/* Sleeps until somebody wakes it. */
static uint64_t await_wake(struct hl_engine *engine, uint64_t n_seen)
{
    pthread_mutex_lock(&engine->lock);
    while (engine->n_wakes == n_seen && !hl_engine_is_stopping(engine))
        pthread_cond_wait(&engine->keep, &engine->lock);
    n_seen = engine->n_wakes;
    pthread_mutex_unlock(&engine->lock);
    return n_seen;
}

static void *keep_on(void *arg)
{
    struct hl_engine *engine = arg;
    uint64_t n_seen = 0;

    hl_priority_set(HL_PRIORITY_BEHIND); /* lower than the searches */
    while (!hl_engine_is_stopping(engine)) {
        enum hl_tending tending = HL_TENDING_DONE;
        struct hl_governed *governed;

        n_seen = await_wake(engine, n_seen);
        governed = hl_governor_enter(engine->options.governor);
        while (tending != HL_TENDING_NOTHING && !hl_engine_is_stopping(engine)) {
            close_buried(engine);
            hl_engine_screen_asking(engine);
            tending = tend_all(engine);
            if (tending == HL_TENDING_FAILED)
                pause_keeper(engine);
        }
        hl_governor_leave(governed);
    }
    pthread_mutex_lock(&engine->lock);
    engine->is_keeper_there = false;
    pthread_mutex_unlock(&engine->lock);
    close_buried(engine);
    return NULL;
}

/* ---- beginning and end ---- */

static enum hl_code start_threads(struct hl_engine *engine, struct hl_err *err)
{
    engine->writers = hl_alloc_zeroed(engine->options.n_writers, sizeof(pthread_t));
    if (!engine->writers)
        return hl_fail(err, HL_NO_MEMORY, "no memory for %zu writers",
                       engine->options.n_writers);
    engine->is_keeper_there = true;
    if (pthread_create(&engine->keeper, NULL, keep_on, engine) != 0) {
        engine->is_keeper_there = false;
        return hl_fail(err, HL_NO_MEMORY,
                       "could not start the thread that seals and merges");
    }
    engine->has_keeper = true;
    while (engine->n_writers < engine->options.n_writers) {
        if (pthread_create(&engine->writers[engine->n_writers], NULL, write_on, engine) !=
            0)
            return hl_fail(err, HL_NO_MEMORY, "could not start a thread that writes");
        engine->n_writers++;
    }
    return HL_OK;
}

static void call_keeper(void *self)
{
    hl_engine_wake_keeper(self);
}

enum hl_code hl_engine_new(const struct hl_engine_options *options,
                           struct hl_engine **ret_engine, struct hl_err *err)
{
    struct hl_engine *engine = hl_alloc_zeroed(1, sizeof *engine);
    enum hl_code code;

    if (!engine)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the engine");
    engine->options = *options;
    engine->allowance.most = options->most_held_bytes;
    engine->tails.most = options->most_held_bytes / TAILS_SHARE;
    engine->tails.whole = &engine->allowance;
    engine->patience = (struct hl_deadline){.clock = options->clock,
                                            .at_us = HL_DEADLINE_NEVER,
                                            .cancelled = &engine->is_stopping};
    pthread_mutex_init(&engine->lock, NULL);
    hl_searchers_init(&engine->searchers);
    pthread_cond_init(&engine->work, NULL);
    pthread_cond_init(&engine->rest, NULL);
    pthread_cond_init(&engine->keep, NULL);
    engine->part_keeper = (struct hl_part_keeper){.call = call_keeper, .self = engine};
    engine->kernels = hl_gap_kernels();
    code = start_threads(engine, err);
    if (code == HL_OK)
        *ret_engine = engine;
    else
        hl_engine_free(engine);
    return code;
}

void hl_engine_stop(struct hl_engine *engine)
{
    if (atomic_exchange(&engine->is_stopping, true))
        return;
    pthread_mutex_lock(&engine->lock);
    pthread_cond_broadcast(&engine->keep);
    pthread_mutex_unlock(&engine->lock);
    /* The keeper waits for its own changes, so the writers go on until it has gone. */
    if (engine->has_keeper)
        pthread_join(engine->keeper, NULL);
    pthread_mutex_lock(&engine->lock);
    while (engine->first_ready || engine->n_busy > 0)
        pthread_cond_wait(&engine->rest, &engine->lock);
    engine->is_over = true;
    pthread_cond_broadcast(&engine->work);
    pthread_mutex_unlock(&engine->lock);
    for (size_t i = 0; i < engine->n_writers; i++)
        pthread_join(engine->writers[i], NULL);
    engine->n_writers = 0;
}

void hl_engine_free(struct hl_engine *engine)
{
    if (!engine)
        return;
    hl_engine_stop(engine);
    hl_part_keeper_clear(&engine->part_keeper);
    hl_searchers_done(&engine->searchers);
    hl_free(engine->writers);
    pthread_mutex_destroy(&engine->lock);
    pthread_cond_destroy(&engine->work);
    pthread_cond_destroy(&engine->rest);
    pthread_cond_destroy(&engine->keep);
    hl_free(engine);
}

void hl_engine_state(struct hl_engine *engine, struct hl_engine_state *ret_state)
{
    const struct hl_engine_counts *counts = &engine->counts;

    *ret_state =
        (struct hl_engine_state){.n_commits = atomic_load(&counts->commits),
                                 .n_changes = atomic_load(&counts->changes),
                                 .unindexed_bytes = atomic_load(&counts->unindexed_bytes),
                                 .max_unindexed_bytes = engine->options.max_unindexed_bytes,
                                 .held_bytes = atomic_load(&engine->allowance.taken),
                                 .most_held_bytes = engine->allowance.most,
                                 .n_queued = atomic_load(&counts->queued),
                                 .n_seals_waiting = atomic_load(&counts->seals_waiting),
                                 .n_bare_rows = atomic_load(&counts->bare_rows),
                                 .commit_us = atomic_load(&counts->commit_us)};
}
