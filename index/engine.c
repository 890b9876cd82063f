/* SPDX-License-Identifier: Apache-2.0 */
#include "index/collection_part.h"
#include "index/faiss_gap.h"
#include "proto/alloc.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* Searchers that nobody uses; more are not kept. Enough for the readers of a server.
 */
enum { IDLE_SEARCHERS = 64, KEEPER_NICE = 10, RETRY_MS = 1000 };

struct hl_engine {
    struct hl_engine_options options;
    const struct hl_kernels *kernels;
    atomic_bool is_stopping; /* set once, under `lock` */

    /* Guards the list of all collections. Before any desk. */
    pthread_mutex_t list;
    struct hl_collection *all; /* by next_tended */

    /* Guards: ready, graves, the threads' ends. Behind any desk. */
    pthread_mutex_t lock;
    pthread_cond_t has_work;
    struct hl_collection *ready, *last_ready; /* by next_ready */
    struct hl_collection *graves;             /* likewise: to be closed */
    bool has_ended;

    /* Guards the idle searchers. */
    pthread_mutex_t shelf;
    struct hl_searcher *idle[IDLE_SEARCHERS];
    size_t n_idle;

    atomic_uint_fast64_t n_commits, n_changes, unindexed_bytes;
    atomic_int_fast64_t commit_us;
    atomic_size_t n_seals_waiting;

    int wake; /* an eventfd, readable when the keeper shall look */
    bool has_keeper;
    pthread_t keeper;
    size_t n_writers; /* that were started */
    pthread_t writers[];
};

const struct hl_engine_options *hl_engine_options(const struct hl_engine *engine)
{
    return &engine->options;
}

const struct hl_kernels *hl_engine_kernels(const struct hl_engine *engine)
{
    return engine->kernels;
}

void hl_engine_tell(const struct hl_engine *engine, const struct hl_engine_event *event)
{
    if (engine->options.tell)
        engine->options.tell(engine->options.self, event);
}

/* ---- threads that commit ---- */

/* Under `lock`. */
static void push_ready(struct hl_engine *engine, struct hl_collection *collection)
{
    collection->next_ready = NULL;
    if (engine->last_ready)
        engine->last_ready->next_ready = collection;
    else
        engine->ready = collection;
    engine->last_ready = collection;
    (void)pthread_cond_signal(&engine->has_work);
}

static struct hl_collection *pop_ready(struct hl_engine *engine)
{
    struct hl_collection *collection = engine->ready;

    engine->ready = collection->next_ready;
    if (!engine->ready)
        engine->last_ready = NULL;
    return collection;
}

bool hl_engine_ready(struct hl_engine *engine, struct hl_collection *collection)
{
    bool is_taken;

    (void)pthread_mutex_lock(&engine->lock);
    is_taken = !atomic_load(&engine->is_stopping);
    if (is_taken)
        push_ready(engine, collection);
    (void)pthread_mutex_unlock(&engine->lock);
    return is_taken;
}

/* One group of the collection at a time, then it goes to the end of the line: a collection
 * that is written without pause does not keep others waiting. */
static void serve(struct hl_engine *engine, struct hl_collection *collection)
{
    if (!hl_group_run(collection)) {
        hl_collection_unref(collection);
        return;
    }
    (void)pthread_mutex_lock(&engine->lock);
    push_ready(engine, collection);
    (void)pthread_mutex_unlock(&engine->lock);
}

static void *run_writer(void *self)
{
    struct hl_engine *engine = self;

    (void)pthread_mutex_lock(&engine->lock);
    for (;;) {
        struct hl_collection *ready = NULL, *grave = NULL;

        while (!engine->ready && !engine->graves && !atomic_load(&engine->is_stopping))
            (void)pthread_cond_wait(&engine->has_work, &engine->lock);
        if (engine->ready) {
            ready = pop_ready(engine);
        } else if (engine->graves) {
            grave = engine->graves;
            engine->graves = grave->next_ready;
        } else {
            break;
        }
        (void)pthread_mutex_unlock(&engine->lock);
        if (ready)
            serve(engine, ready);
        else
            hl_collection_close(grave);
        (void)pthread_mutex_lock(&engine->lock);
    }
    (void)pthread_mutex_unlock(&engine->lock);
    return NULL;
}

/* ---- the thread that tends ---- */

void hl_engine_wake_keeper(struct hl_engine *engine)
{
    /* It only fails when it was written to very often and nobody read: it is readable. */
    (void)eventfd_write(engine->wake, 1);
}

static bool take_need(struct hl_collection *collection, uint64_t round)
{
    bool is_needed;

    (void)pthread_mutex_lock(&collection->desk);
    is_needed = collection->needs_keeper;
    (void)pthread_mutex_unlock(&collection->desk);
    if (!is_needed || collection->tended_round == round ||
        !hl_collection_ref_living(collection))
        return false;
    (void)pthread_mutex_lock(&collection->desk);
    collection->needs_keeper = false;
    (void)pthread_mutex_unlock(&collection->desk);
    return true;
}

/* The next one that needs the keeper and was not refused in this round, with a reference.
 */
static struct hl_collection *next_needy(struct hl_engine *engine, uint64_t round)
{
    struct hl_collection *collection;

    (void)pthread_mutex_lock(&engine->list);
    collection = engine->all;
    while (collection && !take_need(collection, round))
        collection = collection->next_tended;
    (void)pthread_mutex_unlock(&engine->list);
    return collection;
}

/* Whether a collection asks for another round. */
static bool tend_all(struct hl_engine *engine, uint64_t round)
{
    const struct hl_deadline deadline = {engine->options.clock, HL_DEADLINE_NEVER,
                                         &engine->is_stopping};
    struct hl_collection *collection;
    bool is_again = false;

    while (!atomic_load(&engine->is_stopping) &&
           (collection = next_needy(engine, round)) != NULL) {
        if (hl_keeper_tend(collection, &deadline)) {
            is_again = true;
            collection->tended_round = round;
            (void)pthread_mutex_lock(&collection->desk);
            collection->needs_keeper = true;
            (void)pthread_mutex_unlock(&collection->desk);
        }
        hl_collection_unref(collection);
    }
    return is_again;
}

/* Until somebody wakes it, or a while when what failed is to be tried again. */
static void wait_for_upkeep(struct hl_engine *engine, bool is_again)
{
    struct pollfd wake = {.fd = engine->wake, .events = POLLIN};
    eventfd_t n_wakes;

    if (poll(&wake, 1, is_again ? RETRY_MS : -1) > 0)
        (void)eventfd_read(engine->wake, &n_wakes);
}

static void *run_keeper(void *self)
{
    struct hl_engine *engine = self;
    bool is_again = false;

    /* Linux gives each thread its own: searches go before building. Who may not be nicer
     * goes on as he is. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), KEEPER_NICE);
    for (uint64_t round = 1;; round++) {
        wait_for_upkeep(engine, is_again);
        if (atomic_load(&engine->is_stopping))
            return NULL;
        is_again = tend_all(engine, round);
    }
}

/* ---- collections ---- */

void hl_engine_enlist(struct hl_engine *engine, struct hl_collection *collection)
{
    (void)pthread_mutex_lock(&engine->list);
    collection->next_tended = engine->all;
    engine->all = collection;
    (void)pthread_mutex_unlock(&engine->list);
}

/* One that failed to open was never on it. */
static void take_off_list(struct hl_engine *engine, struct hl_collection *collection)
{
    struct hl_collection **at = &engine->all;

    (void)pthread_mutex_lock(&engine->list);
    while (*at && *at != collection)
        at = &(*at)->next_tended;
    if (*at)
        *at = collection->next_tended;
    (void)pthread_mutex_unlock(&engine->list);
}

void hl_engine_weigh(struct hl_engine *engine, struct hl_collection *collection,
                     const struct hl_unindexed *unindexed)
{
    const struct hl_unindexed old = collection->unindexed;

    /* Unsigned: a difference that is negative wraps, and wraps back. */
    (void)atomic_fetch_add(&engine->unindexed_bytes, unindexed->bytes - old.bytes);
    (void)atomic_fetch_add(&engine->n_seals_waiting, unindexed->n_full - old.n_full);
    collection->unindexed = *unindexed;
}

void hl_engine_bury(struct hl_engine *engine, struct hl_collection *collection)
{
    const struct hl_unindexed nothing = {0};
    bool has_ended;

    take_off_list(engine, collection);
    hl_engine_weigh(engine, collection, &nothing);
    (void)pthread_mutex_lock(&engine->lock);
    has_ended = engine->has_ended;
    if (!has_ended) {
        collection->next_ready = engine->graves;
        engine->graves = collection;
        (void)pthread_cond_signal(&engine->has_work);
    }
    (void)pthread_mutex_unlock(&engine->lock);
    if (has_ended)
        hl_collection_close(collection);
}

bool hl_engine_is_full(struct hl_engine *engine)
{
    return atomic_load(&engine->unindexed_bytes) > engine->options.max_unindexed_bytes;
}

void hl_engine_note_commit(struct hl_engine *engine, size_t n_changes, int64_t took_us)
{
    (void)atomic_fetch_add(&engine->n_commits, 1);
    (void)atomic_fetch_add(&engine->n_changes, n_changes);
    (void)atomic_fetch_add(&engine->commit_us, took_us);
}

static size_t count_queued(struct hl_engine *engine)
{
    size_t n_queued = 0;

    (void)pthread_mutex_lock(&engine->list);
    for (struct hl_collection *at = engine->all; at; at = at->next_tended) {
        (void)pthread_mutex_lock(&at->desk);
        n_queued += at->n_queued;
        (void)pthread_mutex_unlock(&at->desk);
    }
    (void)pthread_mutex_unlock(&engine->list);
    return n_queued;
}

void hl_engine_state(struct hl_engine *engine, struct hl_engine_state *ret_state)
{
    *ret_state =
        (struct hl_engine_state){.n_commits = atomic_load(&engine->n_commits),
                                 .n_changes = atomic_load(&engine->n_changes),
                                 .unindexed_bytes = atomic_load(&engine->unindexed_bytes),
                                 .max_unindexed_bytes = engine->options.max_unindexed_bytes,
                                 .n_queued = count_queued(engine),
                                 .n_seals_waiting = atomic_load(&engine->n_seals_waiting),
                                 .commit_us = atomic_load(&engine->commit_us)};
}

/* ---- scratch ---- */

struct hl_searcher *hl_engine_take_searcher(struct hl_engine *engine)
{
    struct hl_searcher *searcher = NULL;

    (void)pthread_mutex_lock(&engine->shelf);
    if (engine->n_idle > 0)
        searcher = engine->idle[--engine->n_idle];
    (void)pthread_mutex_unlock(&engine->shelf);
    return searcher ? searcher : hl_searcher_new();
}

void hl_engine_give_searcher(struct hl_engine *engine, struct hl_searcher *searcher)
{
    (void)pthread_mutex_lock(&engine->shelf);
    if (engine->n_idle < IDLE_SEARCHERS) {
        engine->idle[engine->n_idle++] = searcher;
        searcher = NULL;
    }
    (void)pthread_mutex_unlock(&engine->shelf);
    hl_searcher_free(searcher);
}

/* ---- the engine ---- */

static void init_locks(struct hl_engine *engine)
{
    (void)pthread_mutex_init(&engine->list, NULL);
    (void)pthread_mutex_init(&engine->lock, NULL);
    (void)pthread_mutex_init(&engine->shelf, NULL);
    (void)pthread_cond_init(&engine->has_work, NULL);
}

static enum hl_code start(struct hl_engine *engine, struct hl_err *err)
{
    int error = 0;

    engine->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (engine->wake < 0)
        return hl_fail_errno(err, errno, "make an eventfd");
    while (error == 0 && engine->n_writers < engine->options.n_writers) {
        error =
            pthread_create(&engine->writers[engine->n_writers], NULL, run_writer, engine);
        engine->n_writers += error == 0;
    }
    if (error == 0) {
        error = pthread_create(&engine->keeper, NULL, run_keeper, engine);
        engine->has_keeper = error == 0;
    }
    return error == 0 ? HL_OK : hl_fail_errno(err, error, "start a thread of the engine");
}

enum hl_code hl_engine_new(const struct hl_engine_options *options,
                           struct hl_engine **ret_engine, struct hl_err *err)
{
    struct hl_engine *engine = NULL;
    enum hl_code code;
    size_t bytes;

    assert(options->n_writers > 0 && options->seal_rows >= 64);
    if (hl_size_mul(options->n_writers, sizeof(pthread_t), &bytes) &&
        hl_size_add(bytes, sizeof *engine, &bytes))
        engine = hl_alloc_zeroed(1, bytes);
    if (!engine)
        return hl_fail(err, HL_NO_MEMORY, "no memory for an engine");
    engine->options = *options;
    engine->kernels = hl_gap_kernels();
    init_locks(engine);
    code = start(engine, err);
    if (code == HL_OK)
        *ret_engine = engine;
    else
        hl_engine_free(engine);
    return code;
}

/* The keeper first: what it waits for is done by the writers. They end when nothing is
 * left; what the keeper or the last of them let go is closed here. */
void hl_engine_stop(struct hl_engine *engine)
{
    struct hl_collection *grave;

    (void)pthread_mutex_lock(&engine->lock);
    atomic_store(&engine->is_stopping, true);
    (void)pthread_cond_broadcast(&engine->has_work);
    (void)pthread_mutex_unlock(&engine->lock);
    if (engine->has_keeper) {
        hl_engine_wake_keeper(engine);
        (void)pthread_join(engine->keeper, NULL);
    }
    engine->has_keeper = false;
    while (engine->n_writers > 0)
        (void)pthread_join(engine->writers[--engine->n_writers], NULL);
    (void)pthread_mutex_lock(&engine->lock);
    engine->has_ended = true;
    grave = engine->graves;
    engine->graves = NULL;
    (void)pthread_mutex_unlock(&engine->lock);
    while (grave) {
        struct hl_collection *next = grave->next_ready;

        hl_collection_close(grave);
        grave = next;
    }
}

void hl_engine_free(struct hl_engine *engine)
{
    if (!engine)
        return;
    hl_engine_stop(engine);
    assert(!engine->all);
    while (engine->n_idle > 0)
        hl_searcher_free(engine->idle[--engine->n_idle]);
    (void)pthread_cond_destroy(&engine->has_work);
    if (engine->wake >= 0)
        (void)close(engine->wake);
    (void)pthread_mutex_destroy(&engine->list);
    (void)pthread_mutex_destroy(&engine->lock);
    (void)pthread_mutex_destroy(&engine->shelf);
    hl_free(engine);
}
