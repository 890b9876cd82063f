/* SPDX-License-Identifier: Apache-2.0 */
#include "server/collections_part.h"

#include "proto/alloc.h"

#include <limits.h>
#include <string.h>

static enum hl_code fail_missing(const struct hl_span *name, struct hl_err *err)
{
    return hl_fail(err, HL_NOT_FOUND, "Not found: Collection `%.*s` doesn't exist!",
                   (int)(name->len < HL_LONGEST_NAME ? name->len : HL_LONGEST_NAME),
                   name->data);
}

enum hl_code hl_collections_fail_no_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for the names of collections");
}

/* ---- the table: the caller has the lock ---- */

/* Where the name is, or where it would be. */
static size_t seek(const struct hl_collections *collections, const struct hl_span *name,
                   bool *ret_is_there)
{
    const struct hl_text wanted = {name->data, name->len};
    size_t from = 0, to = collections->n;

    *ret_is_there = false;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        const char *at = collections->entries[middle].name;
        const struct hl_text text = {at, strlen(at)};
        int side = hl_text_compare(&text, &wanted);

        if (side == 0) {
            *ret_is_there = true;
            return middle;
        }
        if (side < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

struct hl_entry *hl_entries_find(const struct hl_collections *collections,
                                 const struct hl_span *name)
{
    bool is_there;
    size_t at = seek(collections, name, &is_there);

    return is_there ? &collections->entries[at] : NULL;
}

bool hl_entries_reserve(struct hl_collections *collections, size_t n)
{
    size_t room = collections->room ? collections->room : 16;
    struct hl_entry *entries;

    while (room < collections->n + n)
        room *= 2;
    entries = hl_realloc(collections->entries, room * sizeof *entries);
    if (!entries)
        return false;
    collections->entries = entries;
    collections->room = room;
    return true;
}

/* There is room; takes the name and the reference. */
void hl_entries_insert(struct hl_collections *collections, struct hl_entry entry)
{
    const struct hl_span name = {entry.name, strlen(entry.name)};
    bool is_there;
    size_t at = seek(collections, &name, &is_there);

    memmove(&collections->entries[at + 1], &collections->entries[at],
            (collections->n - at) * sizeof entry);
    collections->entries[at] = entry;
    collections->n++;
}

void hl_entries_remove(struct hl_collections *collections, size_t at)
{
    hl_free(collections->entries[at].name);
    hl_collection_unref(collections->entries[at].collection);
    collections->n--;
    memmove(&collections->entries[at], &collections->entries[at + 1],
            (collections->n - at) * sizeof *collections->entries);
}

/* ---- finding ---- */

enum hl_code hl_collections_acquire(struct hl_collections *collections,
                                    const struct hl_span *name,
                                    struct hl_collection **ret_collection,
                                    struct hl_err *err)
{
    struct hl_collection *collection = NULL;
    const struct hl_entry *entry;

    pthread_rwlock_rdlock(&collections->lock);
    entry = hl_entries_find(collections, name);
    if (entry)
        collection = hl_collection_ref(entry->collection);
    pthread_rwlock_unlock(&collections->lock);
    if (!collection)
        return fail_missing(name, err);
    *ret_collection = collection;
    return HL_OK;
}

bool hl_collections_exist(struct hl_collections *collections, const struct hl_span *name)
{
    const struct hl_entry *entry;
    bool exists;

    pthread_rwlock_rdlock(&collections->lock);
    entry = hl_entries_find(collections, name);
    exists = entry && !entry->is_alias;
    pthread_rwlock_unlock(&collections->lock);
    return exists;
}

struct counter {
    size_t n;
};

static bool count_one(void *self, const char *name, struct hl_collection *collection)
{
    (void)name;
    (void)collection;
    ((struct counter *)self)->n++;
    return true;
}

size_t hl_collections_count(struct hl_collections *collections)
{
    struct counter counter = {0};

    hl_collections_each(collections, count_one, &counter);
    return counter.n;
}

void hl_collections_each(struct hl_collections *collections, hl_collections_fn *each,
                         void *self)
{
    pthread_rwlock_rdlock(&collections->lock);
    for (size_t i = 0; i < collections->n; i++)
        if (!collections->entries[i].is_alias &&
            !each(self, collections->entries[i].name, collections->entries[i].collection))
            break;
    pthread_rwlock_unlock(&collections->lock);
}

/* ---- opening and closing ---- */

struct opening {
    struct hl_collections *collections;
    enum hl_code code;
    struct hl_err err;
};

static int64_t count_points(struct hl_collection *collection)
{
    struct hl_arena *arena = hl_arena_new((size_t)1 << 24);
    struct hl_collection_info info;
    struct hl_err ignored;
    int64_t n = -1;

    if (arena && hl_collection_info(collection, arena, &info, &ignored) == HL_OK) {
        n = (int64_t)info.n_points;
        hl_layout_unref(info.layout);
    }
    hl_arena_free(arena);
    return n;
}

static enum hl_code open_one(struct hl_collections *collections,
                             const struct hl_catalog_collection *row, struct hl_err *err)
{
    const int64_t started = hl_clock_now(collections->options.clock);
    struct hl_entry entry = {.name = hl_strdup(row->name)};
    char path[PATH_MAX];
    enum hl_code code =
        hl_catalog_path(collections->catalog, &row->uuid, NULL, path, sizeof path, err);

    if (code == HL_OK && (!entry.name || !hl_entries_reserve(collections, 1)))
        code = hl_collections_fail_no_memory(err);
    if (code == HL_OK)
        code = hl_collection_open(collections->options.engine, path, row->name,
                                  &entry.collection, err);
    if (code != HL_OK) {
        hl_free(entry.name);
        return hl_fail_in(err, "collection \"%s\"", row->name);
    }
    hl_log(collections->options.log, HL_LOG_INFO, hl_log_event("collection_opened"),
           hl_log_text("collection", row->name),
           hl_log_i64("points", count_points(entry.collection)),
           hl_log_i64("took_us", hl_clock_now(collections->options.clock) - started));
    hl_entries_insert(collections, entry);
    return HL_OK;
}

static bool open_next(void *self, const struct hl_catalog_collection *row)
{
    struct opening *opening = self;

    opening->code = open_one(opening->collections, row, &opening->err);
    return opening->code == HL_OK;
}

/* An alias leads where its collection's name leads. */
static bool add_alias(void *self, const char *alias, const char *collection)
{
    struct opening *opening = self;
    struct hl_collections *collections = opening->collections;
    const struct hl_span name = {collection, strlen(collection)};
    const struct hl_entry *of = hl_entries_find(collections, &name);
    struct hl_entry entry = {.is_alias = true};

    if (!of)
        return true; /* the catalog keeps no alias of what is not there */
    entry.name = hl_strdup(alias);
    entry.collection = of->collection;
    if (!entry.name || !hl_entries_reserve(collections, 1)) {
        hl_free(entry.name);
        opening->code = hl_collections_fail_no_memory(&opening->err);
        return false;
    }
    (void)hl_collection_ref(entry.collection);
    hl_entries_insert(collections, entry);
    return true;
}

static void tell_swept(void *self, const char *folder)
{
    const struct hl_collections *collections = self;

    hl_log(collections->options.log, HL_LOG_INFO, hl_log_event("swept"),
           hl_log_text("folder", folder));
}

static enum hl_code outcome(const struct opening *opening, enum hl_code code,
                            struct hl_err *err)
{
    if (code == HL_OK && opening->code != HL_OK) {
        *err = opening->err;
        return opening->code;
    }
    return code;
}

enum hl_code hl_collections_open(const struct hl_collections_options *options,
                                 struct hl_collections **ret_collections,
                                 struct hl_err *err)
{
    struct hl_collections *collections = hl_alloc_zeroed(1, sizeof *collections);
    struct opening opening = {.collections = collections};
    enum hl_code code;

    if (!collections)
        return hl_collections_fail_no_memory(err);
    collections->options = *options;
    pthread_rwlock_init(&collections->lock, NULL);
    pthread_mutex_init(&collections->desk, NULL);
    code = hl_catalog_open(options->folder, &collections->catalog, err);
    if (code == HL_OK)
        code = hl_catalog_sweep(collections->catalog, tell_swept, collections, err);
    if (code == HL_OK)
        code = outcome(
            &opening,
            hl_catalog_collections(collections->catalog, open_next, &opening, err), err);
    if (code == HL_OK)
        code = outcome(
            &opening,
            hl_catalog_aliases(collections->catalog, NULL, add_alias, &opening, err), err);
    if (code == HL_OK)
        *ret_collections = collections;
    else
        hl_collections_close(collections);
    return code;
}

void hl_collections_close(struct hl_collections *collections)
{
    if (!collections)
        return;
    while (collections->n > 0)
        hl_entries_remove(collections, collections->n - 1);
    hl_catalog_close(collections->catalog);
    hl_free(collections->entries);
    pthread_rwlock_destroy(&collections->lock);
    pthread_mutex_destroy(&collections->desk);
    hl_free(collections);
}
