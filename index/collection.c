/* SPDX-License-Identifier: Apache-2.0 */
#include "index/engine_part.h"
#include "index/filter.h"
#include "proto/alloc.h"
#include "proto/dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum hl_code fail_no_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory to open a collection");
}

/* ---- from new to open ---- */

static void init_locks(struct hl_collection *collection)
{
    pthread_rwlockattr_t kind;

    /* The usual kind lets readers pass a writer that waits: commits would starve. */
    pthread_rwlockattr_init(&kind);
    pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&collection->lock, &kind);
    pthread_rwlock_init(&collection->indexes, &kind);
    pthread_rwlockattr_destroy(&kind);
    pthread_mutex_init(&collection->desk, NULL);
    collection->looks.next = collection->looks.prev = &collection->looks;
}

static enum hl_code open_store(struct hl_collection *collection, struct hl_err *err)
{
    struct hl_store_state state;
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/points.db", collection->folder);
    enum hl_code code;

    if (len < 0 || (size_t)len >= sizeof path)
        return hl_fail(err, HL_INVALID, "the path \"%.100s…\" is too long",
                       collection->folder);
    code = hl_store_open(path, &collection->store, err);
    if (code != HL_OK)
        return code;
    hl_store_state(collection->store, &state);
    collection->published = state.commit;
    return HL_OK;
}

enum hl_code hl_collection_open(struct hl_engine *engine, const char *folder,
                                const char *label, struct hl_collection **ret_collection,
                                struct hl_err *err)
{
    struct hl_collection *collection = hl_alloc_zeroed(1, sizeof *collection);
    enum hl_code code;

    if (!collection)
        return fail_no_memory(err);
    atomic_init(&collection->n_refs, 1);
    init_locks(collection);
    collection->engine = engine;
    (void)snprintf(collection->folder, sizeof collection->folder, "%s", folder);
    (void)snprintf(collection->label, sizeof collection->label, "%s", label);
    collection->roster = hl_roster_new();
    collection->points = hl_rows_new();
    collection->layout = hl_layout_new();
    code = collection->roster && collection->points && collection->layout
               ? open_store(collection, err)
               : fail_no_memory(err);
    if (code == HL_OK)
        code = hl_collection_load(collection, err);
    if (code != HL_OK) {
        hl_collection_close(collection);
        return code;
    }
    hl_collection_account(collection, collection->layout);
    hl_collection_drop_leftovers(collection); /* nobody tends it yet: the layout stands */
    hl_engine_add(engine, collection);
    *ret_collection = collection;
    return HL_OK;
}

void hl_collection_close(struct hl_collection *collection)
{
    static const struct hl_layout nothing = {0};
    struct hl_err err;

    hl_collection_account(collection, &nothing);
    for (size_t i = 0; i < collection->n_kept; i++)
        hl_kept_index_done(&collection->kept[i]);
    hl_free(collection->kept);
    for (size_t i = 0; i < collection->n_carriers; i++)
        hl_rows_free(collection->carriers[i].points);
    hl_free(collection->carriers);
    for (size_t i = 0; i < collection->n_readers; i++)
        hl_reader_close(collection->readers[i]);
    hl_free(collection->readers);
    hl_layout_unref(collection->layout);
    hl_rows_free(collection->points);
    hl_roster_free(collection->roster);
    hl_reader_close(collection->before);
    hl_store_close(collection->store);
    /* What stays behind is swept away by the next start: the folder has no name. */
    if (collection->is_retired)
        (void)hl_dir_remove(collection->folder, &err);
    pthread_rwlock_destroy(&collection->lock);
    pthread_rwlock_destroy(&collection->indexes);
    pthread_mutex_destroy(&collection->desk);
    hl_free(collection);
}

const char *hl_collection_folder(const struct hl_collection *collection)
{
    return collection->folder;
}

struct hl_collection *hl_collection_ref(struct hl_collection *collection)
{
    atomic_fetch_add(&collection->n_refs, 1);
    return collection;
}

void hl_collection_unref(struct hl_collection *collection)
{
    if (collection && atomic_fetch_sub(&collection->n_refs, 1) == 1)
        hl_engine_bury(collection->engine, collection);
}

void hl_collection_retire(struct hl_collection *collection)
{
    pthread_mutex_lock(&collection->desk);
    collection->is_retired = true;
    pthread_mutex_unlock(&collection->desk);
}

/* ---- what its files share ---- */

uint64_t hl_collection_oldest(struct hl_collection *collection)
{
    uint64_t oldest;

    /* Without a reader, the newest commit: who begins to read later reads that one. */
    pthread_rwlock_rdlock(&collection->lock);
    oldest = collection->published;
    pthread_mutex_lock(&collection->desk);
    if (collection->looks.next != &collection->looks)
        oldest = collection->looks.next->commit;
    pthread_mutex_unlock(&collection->desk);
    pthread_rwlock_unlock(&collection->lock);
    return oldest;
}

struct hl_carriers *hl_collection_carriers(const struct hl_collection *collection,
                                           uint32_t space)
{
    for (size_t i = 0; i < collection->n_carriers; i++)
        if (collection->carriers[i].space == space)
            return &collection->carriers[i];
    return NULL;
}

static bool number_of(void *self, const struct hl_id *id, uint32_t *ret_number)
{
    const struct hl_collection *collection = self;

    return hl_roster_number(collection->roster, id, ret_number);
}

static const struct hl_id *id_of(void *self, uint32_t number)
{
    const struct hl_collection *collection = self;

    return hl_roster_id(collection->roster, number);
}

static const struct hl_rows *with_vector(void *self, const struct hl_text *name)
{
    const struct hl_collection *collection = self;
    const struct hl_space *space = hl_layout_find(collection->layout, name);
    const struct hl_carriers *carriers =
        space ? hl_collection_carriers(collection, space->id) : NULL;

    return carriers ? carriers->points : NULL;
}

void hl_collection_scope(struct hl_collection *collection, struct hl_field_index **room,
                         struct hl_filter_scope *ret_scope)
{
    size_t n = 0;

    for (size_t i = 0; i < collection->n_kept; i++)
        if (collection->kept[i].index)
            room[n++] = collection->kept[i].index;
    *ret_scope = (struct hl_filter_scope){.points = collection->points,
                                          .indexes = room,
                                          .n_indexes = n,
                                          .number_of = number_of,
                                          .id_of = id_of,
                                          .with_vector = with_vector,
                                          .self = collection};
}

enum hl_code hl_collection_take_reader(struct hl_collection *collection,
                                       struct hl_reader **ret_reader, struct hl_err *err)
{
    struct hl_reader *reader = NULL;
    char path[PATH_MAX + 16];

    pthread_mutex_lock(&collection->desk);
    if (collection->n_readers > 0)
        reader = collection->readers[--collection->n_readers];
    pthread_mutex_unlock(&collection->desk);
    if (reader) {
        *ret_reader = reader;
        return HL_OK;
    }
    (void)snprintf(path, sizeof path, "%s/points.db", collection->folder);
    return hl_reader_open(path, ret_reader, err);
}

void hl_collection_give_reader(struct hl_collection *collection, struct hl_reader *reader)
{
    pthread_mutex_lock(&collection->desk);
    if (collection->n_readers == collection->readers_room) {
        size_t room = collection->readers_room ? collection->readers_room * 2 : 8;
        struct hl_reader **readers =
            hl_realloc(collection->readers, room * sizeof(struct hl_reader *));

        if (readers) {
            collection->readers = readers;
            collection->readers_room = room;
        }
    }
    if (collection->n_readers < collection->readers_room) {
        collection->readers[collection->n_readers++] = reader;
        reader = NULL;
    }
    pthread_mutex_unlock(&collection->desk);
    hl_reader_close(reader);
}

enum hl_code hl_collection_add_tail(const struct hl_collection *collection,
                                    struct hl_layout *layout, uint32_t space,
                                    struct hl_err *err)
{
    const struct hl_space *of = hl_layout_space(layout, space);
    const struct hl_tail_options options = {
        .metric = of->shelf.metric,
        .dim = of->dim,
        .max_rows = hl_engine_options(collection->engine)->seal_rows};
    struct hl_tail *tail = NULL;
    struct hl_part *part = NULL;
    enum hl_code code = hl_tail_new(&options, &tail, err);

    if (code == HL_OK)
        code = hl_part_of_tail(tail, &part, err);
    if (code == HL_OK)
        hl_part_keep_by(part, hl_engine_part_keeper(collection->engine));
    if (code == HL_OK)
        code = hl_layout_add_part(layout, space, part, err);
    hl_part_unref(part);
    return code;
}

/* ---- the front door of writing ---- */

static enum hl_code fail_stopping(struct hl_err *err)
{
    return hl_fail(err, HL_UNAVAILABLE, "the server is stopping");
}

static enum hl_code check_door(const struct hl_collection *collection,
                               const struct hl_change *change, struct hl_err *err)
{
    struct hl_engine *engine = collection->engine;
    const size_t most = hl_engine_options(engine)->max_unindexed_bytes;

    if (collection->is_retired)
        return hl_fail(err, HL_NOT_FOUND, "Not found: Collection `%s` doesn't exist!",
                       collection->label);
    if (hl_engine_is_stopping(engine))
        return fail_stopping(err);
    if (atomic_load(&collection->is_broken))
        return hl_fail(
            err, HL_NO_MEMORY,
            "memory ran out behind a commit: nothing is lost, but the server must "
            "be restarted to serve \"%s\"",
            collection->label);
    if (change->is_upsert && atomic_load(&hl_engine_counts(engine)->unindexed_bytes) > most)
        return hl_fail(
            err, HL_TOO_MANY,
            "rows come faster than they are indexed: more than %zu MB wait for it",
            most >> 20);
    return HL_OK;
}

/* Under the desk: between the door and the writers nobody may go home. */
static bool call_writer(struct hl_collection *collection)
{
    if (collection->is_with_writer)
        return true;
    (void)hl_collection_ref(collection);
    collection->is_with_writer = hl_engine_ready(collection->engine, collection);
    if (!collection->is_with_writer)
        atomic_fetch_sub(&collection->n_refs, 1); /* not the last: the caller has one */
    return collection->is_with_writer;
}

enum hl_code hl_collection_submit(struct hl_collection *collection,
                                  struct hl_change *change, struct hl_err *err)
{
    enum hl_code code;

    change->next = NULL;
    pthread_mutex_lock(&collection->desk);
    code = check_door(collection, change, err);
    if (code == HL_OK && !call_writer(collection))
        code = fail_stopping(err);
    if (code == HL_OK) {
        if (collection->last)
            collection->last->next = change;
        else
            collection->first = change;
        collection->last = change;
        collection->n_queued++;
        atomic_fetch_add(&hl_engine_counts(collection->engine)->queued, 1);
    }
    pthread_mutex_unlock(&collection->desk);
    return code;
}
