/* SPDX-License-Identifier: Apache-2.0 */
#include "index/engine_part.h"
#include "index/grow.h"
#include "index/writing_part.h"
#include "proto/alloc.h"

/* One transaction, from the queue to `done`.
 *
 * Whatever waits is taken, run and committed with one sync. A change that is refused before
 * it wrote anything leaves nothing to be undone, and the others go on. When one fails
 * behind that, the transaction is rolled back and all of it is run again with care, each
 * change between a save and a keep: then one that fails is undone and the others go on. To
 * be careful at once would copy every page that a change writes, for failures that are
 * rare. One alone needs no care. When an error costs the whole transaction (memory, the
 * disk), nothing of it is there, and the changes are run again one by one, each in a
 * transaction of its own: then it is known whose fault it was. */

/* After MOST_DEAD rows that died the keeper sees whether a part is worth making anew.
 * A transaction that has as many rows or points as this takes no further change: what
 * waits for its end shall not wait for ever, and to publish it takes the lock that searches
 * begin with for .2 us a point. */
enum { MOST_CHANGES = 1024, MOST_ROWS = 4096, CLEANED_BESIDE = 64, MOST_DEAD = 256 };
#define ARENA_BYTES ((size_t)4 << 30)

struct member { /* a change of the group */
    struct hl_change *change;
    bool was_in_time; /* it has run: that others fail shall not make it late */
    enum hl_code code;
    struct hl_err err;
};

struct group {
    struct hl_collection *collection;
    struct member *members;
    size_t n;
};

static size_t count_births(struct hl_store *store)
{
    struct hl_store_changes changes;

    hl_store_changes(store, &changes);
    return changes.n_births;
}

static enum hl_code save(struct hl_writing *writing, struct hl_err *err)
{
    return writing->is_careful ? hl_store_save(writing->store, err)
                               : hl_store_mark(writing->store, err);
}

/* False: the transaction is lost. */
static bool undo(struct hl_writing *writing)
{
    struct hl_err ignored;
    const enum hl_code code = hl_store_undo(writing->store, &ignored);

    writing->wants_care = code == HL_CONFLICT;
    return code == HL_OK;
}

/* False: the transaction is lost. */
static bool run_one(struct hl_writing *writing, struct member *member)
{
    struct hl_store *store = writing->store;
    struct hl_change *change = member->change;
    const size_t n_births = count_births(store);
    enum hl_code code = HL_OK;

    writing->deadline = member->was_in_time ? NULL : change->deadline;
    if (writing->deadline)
        code = hl_deadline_check(writing->deadline, "the write", &member->err);
    member->code = code;
    if (code != HL_OK)
        return true; /* nothing was begun */
    code = save(writing, &member->err);
    if (code != HL_OK) {
        member->code = code;
        return false;
    }
    hl_writing_save(writing);
    code = change->run(change, writing, &member->err);
    if (code == HL_OK)
        code = hl_writing_append(writing, n_births, &member->err);
    if (code == HL_OK)
        code = hl_store_keep(store, &member->err);
    member->code = code;
    if (code == HL_OK) {
        hl_writing_keep(writing);
        /* A new index is filled behind the last change: that has not run to its end. */
        member->was_in_time = writing->n_new == 0;
        return true;
    }
    hl_writing_undo(writing);
    return undo(writing);
}

static void tell_failed(const struct hl_collection *collection, const struct hl_err *err)
{
    const struct hl_engine_event event = {.kind = HL_ENGINE_COMMIT_FAILED,
                                          .collection = collection->label,
                                          .file = "",
                                          .err = err};

    hl_engine_tell(collection->engine, &event);
}

static void tell_broken(const struct hl_collection *collection)
{
    struct hl_err err;
    const struct hl_engine_event event = {
        .kind = HL_ENGINE_BROKEN, .collection = collection->label, .file = "", .err = &err};

    hl_err_set(&err, HL_NO_MEMORY, "no memory to follow a commit");
    hl_engine_tell(collection->engine, &event);
}

static void tell_lost(const struct hl_collection *collection, size_t n_lost)
{
    struct hl_err err;
    const struct hl_engine_event event = {.kind = HL_ENGINE_UPKEEP_FAILED,
                                          .collection = collection->label,
                                          .file = "",
                                          .err = &err};

    hl_err_set(&err, HL_NO_MEMORY,
               "no memory to keep %zu payload indexes: their conditions read payloads",
               n_lost);
    hl_engine_tell(collection->engine, &event);
}

/* What cannot be cleaned waits: it is no reason not to write. An error that costs the
 * transaction is one. */
static enum hl_code clean(struct hl_writing *writing, bool *ret_is_clean,
                          struct hl_err *err)
{
    const uint64_t oldest = hl_collection_oldest(writing->collection);
    struct hl_store_changes changes;
    enum hl_code code;

    *ret_is_clean = false;
    hl_store_changes(writing->store, &changes);
    code = save(writing, err);
    if (code != HL_OK)
        return code;
    code = hl_store_clean(writing->store, oldest, 2 * changes.n_touches + CLEANED_BESIDE,
                          ret_is_clean, err);
    if (code == HL_OK)
        return hl_store_keep(writing->store, err);
    *ret_is_clean = false;
    return undo(writing) ? HL_OK : code;
}

/* Everything that can fail, up to the sync. */
static enum hl_code prepare_and_commit(struct hl_writing *writing,
                                       struct hl_publication **ret_publication,
                                       struct hl_err *err)
{
    struct hl_engine *engine = writing->collection->engine;
    const struct hl_clock *clock = hl_engine_options(engine)->clock;
    struct hl_publication *publication = NULL;
    const int64_t started = hl_clock_now(clock);
    bool is_clean;
    enum hl_code code = hl_publication_new(writing, &publication, err);

    if (code != HL_OK)
        return code;
    code = clean(writing, &is_clean, err);
    if (code == HL_OK)
        code = hl_store_commit(writing->store, &writing->commit, err);
    if (code != HL_OK) {
        hl_publication_free(publication);
        return code;
    }
    atomic_store(&writing->collection->is_clean, is_clean);
    atomic_fetch_add(&hl_engine_counts(engine)->commits, 1);
    atomic_fetch_add(&hl_engine_counts(engine)->commit_us, hl_clock_now(clock) - started);
    *ret_publication = publication;
    return HL_OK;
}

static void publish(struct hl_writing *writing, struct hl_publication *publication)
{
    struct hl_collection *collection = writing->collection;
    size_t n_lost;
    bool is_well;

    hl_publication_kill(publication);
    pthread_rwlock_wrlock(&collection->indexes);
    hl_publication_index(publication);
    pthread_rwlock_wrlock(&collection->lock);
    is_well = hl_publication_apply(publication);
    pthread_rwlock_unlock(&collection->lock);
    pthread_rwlock_unlock(&collection->indexes);
    n_lost = hl_publication_n_lost(publication);
    collection->n_died += hl_publication_n_died(publication);
    hl_publication_free(publication);
    if (n_lost > 0)
        tell_lost(collection, n_lost);
    if (!is_well) {
        atomic_store(&collection->is_broken, true);
        tell_broken(collection);
    }
    hl_collection_account(collection, collection->layout);
    if (collection->seals_waiting > 0 || hl_grow_is_due(collection) ||
        collection->n_died >= MOST_DEAD || !atomic_load(&collection->is_clean)) {
        collection->n_died = 0;
        hl_engine_wake_keeper(collection->engine);
    }
}

static bool is_large(struct hl_store *store)
{
    struct hl_store_changes changes;

    hl_store_changes(store, &changes);
    return changes.n_births > MOST_ROWS || changes.n_touches > MOST_ROWS;
}

/* HL_OK: each of group->n members, which may be fewer than before, knows how it ended.
 * Otherwise nothing of it is there. */
static enum hl_code run_transaction(struct group *group, struct hl_writing *writing,
                                    struct hl_err *err)
{
    struct hl_publication *publication = NULL;
    enum hl_code code = hl_store_begin(writing->store, &writing->commit, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < group->n; i++) {
        if (run_one(writing, &group->members[i])) {
            /* A new index is filled for as long as the change that asked for it may take:
             * nobody comes after that one. */
            if (is_large(writing->store) || writing->n_new > 0)
                group->n = i + 1;
            continue;
        }
        *err = group->members[i].err;
        hl_writing_strike(writing, 0);
        hl_store_rollback(writing->store);
        return hl_err_code(err);
    }
    code = prepare_and_commit(writing, &publication, err);
    if (code != HL_OK) {
        hl_writing_strike(writing, 0);
        hl_store_rollback(writing->store);
        return code;
    }
    publish(writing, publication);
    return HL_OK;
}

static enum hl_code try_once(struct group *group, bool *is_careful, struct hl_err *err)
{
    struct hl_writing writing = {.collection = group->collection,
                                 .store = group->collection->store,
                                 .is_careful = *is_careful,
                                 .arena = hl_arena_new(ARENA_BYTES)};
    enum hl_code code;

    if (!writing.arena)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a transaction");
    code = run_transaction(group, &writing, err);
    for (size_t i = 0; code == HL_OK && i < group->n; i++)
        group->members[i].change->commit = writing.commit;
    *is_careful = writing.wants_care;
    hl_writing_done(&writing);
    return code;
}

static enum hl_code try_group(struct group *group, struct hl_err *err)
{
    bool is_careful = false;
    enum hl_code code = try_once(group, &is_careful, err);

    if (code == HL_OK || !is_careful)
        return code;
    if (group->n == 1 && group->members->code != HL_OK)
        return HL_OK; /* with the transaction all that it wrote has gone */
    return try_once(group, &is_careful, err);
}

static void finish(struct group *group)
{
    struct hl_engine *engine = group->collection->engine;

    for (size_t i = 0; i < group->n; i++) {
        struct member *member = &group->members[i];
        struct hl_change *change = member->change;

        atomic_fetch_add(&hl_engine_counts(engine)->changes, member->code == HL_OK);
        change->done(change, member->code, &member->err); /* it may be gone now */
    }
}

/* A full disk may have room in the database for what is in its log: then the log begins
 * again from its front. */
static bool made_room(const struct group *group, enum hl_code code)
{
    struct hl_err ignored;

    return code == HL_DISK_FULL &&
           hl_store_checkpoint(group->collection->store, &ignored) == HL_OK;
}

static void run_alone(struct group *group, size_t at)
{
    struct group single = {group->collection, &group->members[at], 1};
    struct hl_err err;
    enum hl_code code = try_group(&single, &err);

    if (made_room(&single, code))
        code = try_group(&single, &err);
    if (code != HL_OK) {
        single.members->code = hl_err_code(&err);
        single.members->err = err;
        if (code != HL_TIMEOUT && code != HL_CANCELLED)
            tell_failed(group->collection, &err);
    }
    finish(&single);
}

/* As many as one transaction takes, from `at` on; how many that was. */
static size_t run_together(struct group *all, size_t at)
{
    struct group group = {all->collection, &all->members[at], all->n - at};
    struct hl_err err;

    if (group.n > 1 && try_group(&group, &err) == HL_OK) {
        finish(&group);
        return group.n;
    }
    for (size_t i = 0; i < group.n; i++)
        run_alone(&group, i);
    return group.n;
}

/* Up to `most` of what waits. */
static size_t take_queue(struct hl_collection *collection, struct member *members,
                         size_t most)
{
    size_t n = 0;

    pthread_mutex_lock(&collection->desk);
    while (n < most && collection->first) {
        members[n++] = (struct member){.change = collection->first};
        collection->first = collection->first->next;
        collection->n_queued--;
    }
    if (!collection->first)
        collection->last = NULL;
    pthread_mutex_unlock(&collection->desk);
    atomic_fetch_sub(&hl_engine_counts(collection->engine)->queued, n);
    return n;
}

static size_t count_queue(struct hl_collection *collection)
{
    size_t n;

    pthread_mutex_lock(&collection->desk);
    n = collection->n_queued;
    pthread_mutex_unlock(&collection->desk);
    return n < MOST_CHANGES ? n : MOST_CHANGES;
}

void hl_group_run(struct hl_collection *collection)
{
    const size_t most = count_queue(collection);
    struct member one;
    struct member *members = most > 1 ? hl_alloc_zeroed(most, sizeof *members) : NULL;
    struct group group = {collection, members ? members : &one, 0};

    /* Without memory for many, one after the other. */
    group.n = take_queue(collection, group.members, members ? most : 1);
    for (size_t at = 0; at < group.n;)
        at += run_together(&group, at);
    hl_free(members);
}
