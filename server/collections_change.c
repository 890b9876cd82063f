/* SPDX-License-Identifier: Apache-2.0 */
#include "server/collections_part.h"

#include "proto/alloc.h"

#include <limits.h>
#include <string.h>
#include <time.h>

/* Changes of names: one at a time, with the desk held. What takes its time in between,
 * opening and filling a folder that nobody knows yet, happens without it. */

enum hl_code hl_collections_check_name(const char *name, size_t len, struct hl_err *err)
{
    bool is_fit = len > 0 && len <= HL_LONGEST_NAME &&
                  !(name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')));

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name[i];

        is_fit = is_fit && c >= 0x20 && c != 0x7f && !strchr("<>:\"/\\|?*", c);
    }
    if (is_fit)
        return HL_OK;
    return hl_fail(
        err, HL_INVALID,
        "Validation error: the name \"%.*s\" is not allowed: 1 to %d bytes without "
        "control characters and < > : \" / \\ | ? *",
        (int)(len < 100 ? len : 100), name, HL_LONGEST_NAME);
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_taken(struct hl_collections *collections, const struct hl_span *name)
{
    bool is_there;

    pthread_rwlock_rdlock(&collections->lock);
    is_there = hl_entries_find(collections, name) != NULL;
    pthread_rwlock_unlock(&collections->lock);
    return is_there;
}

static enum hl_code fail_taken(const char *name, struct hl_err *err)
{
    return hl_fail(err, HL_EXISTS, "Wrong input: Collection `%s` already exists!", name);
}

/* What is being made: a folder, then a collection in it, then a name in the table. */
struct making {
    char name[HL_LONGEST_NAME + 1];
    struct hl_catalog_collection row;
    char path[PATH_MAX];
    struct hl_entry entry;
};

static enum hl_code prepare(struct hl_collections *collections, const struct hl_span *name,
                            struct making *making, struct hl_err *err)
{
    enum hl_code code = hl_catalog_prepare(collections->catalog, &making->row.uuid, err);

    memcpy(making->name, name->data, name->len);
    making->name[name->len] = '\0';
    making->row.name = making->name;
    making->row.created_ms = now_ms();
    if (code == HL_OK)
        code = hl_catalog_path(collections->catalog, &making->row.uuid, NULL, making->path,
                               sizeof making->path, err);
    if (code != HL_OK)
        return code;
    making->entry.name = hl_strdup(making->name);
    return making->entry.name ? HL_OK : hl_collections_fail_no_memory(err);
}

/* Nothing of it stays; what does, the next start sweeps away. */
static void unmake(struct hl_collections *collections, struct making *making)
{
    struct hl_err ignored;

    hl_free(making->entry.name);
    making->entry.name = NULL;
    if (making->entry.collection) {
        hl_collection_retire(making->entry.collection);
        hl_collection_unref(making->entry.collection);
    } else if (making->path[0] != '\0') {
        (void)hl_catalog_discard(collections->catalog, &making->row.uuid, &ignored);
    }
}

static enum hl_code show(struct hl_collections *collections, struct making *making,
                         struct hl_err *err)
{
    bool has_room;

    pthread_rwlock_wrlock(&collections->lock);
    has_room = hl_entries_reserve(collections, 1);
    pthread_rwlock_unlock(&collections->lock);
    if (!has_room)
        return hl_collections_fail_no_memory(err);
    if (hl_catalog_publish(collections->catalog, &making->row, err) != HL_OK)
        return err->code == HL_EXISTS ? fail_taken(making->name, err) : err->code;
    pthread_rwlock_wrlock(&collections->lock);
    hl_entries_insert(collections, making->entry);
    pthread_rwlock_unlock(&collections->lock);
    return HL_OK;
}

/* A folder, unless the name is taken. */
static enum hl_code begin(struct hl_collections *collections, const struct hl_span *name,
                          bool is_recovery, struct making *making, struct hl_err *err)
{
    enum hl_code code = hl_collections_check_name(name->data, name->len, err);

    if (code != HL_OK)
        return code;
    pthread_mutex_lock(&collections->desk);
    if (is_taken(collections, name) && !hl_collections_exist(collections, name))
        code = hl_fail(err, HL_EXISTS, "Wrong input: `%s` is an alias of a collection",
                       name->data);
    else if (!is_recovery && is_taken(collections, name))
        code = fail_taken(name->data, err);
    else
        code = prepare(collections, name, making, err);
    pthread_mutex_unlock(&collections->desk);
    return code;
}

static enum hl_code open_made(struct hl_collections *collections, struct making *making,
                              struct hl_err *err)
{
    return hl_collection_open(collections->options.engine, making->path, making->name,
                              &making->entry.collection, err);
}

/* What was made is shown, or nothing of it stays. */
static enum hl_code end(struct hl_collections *collections, struct making *making,
                        enum hl_code code, struct hl_err *err)
{
    pthread_mutex_lock(&collections->desk);
    if (code == HL_OK)
        code = show(collections, making, err);
    if (code != HL_OK)
        unmake(collections, making);
    pthread_mutex_unlock(&collections->desk);
    return code;
}

enum hl_code hl_collections_create(struct hl_collections *collections,
                                   const struct hl_span *name,
                                   const struct hl_collections_filler *filler,
                                   struct hl_err *err)
{
    struct making making = {.path = ""};
    enum hl_code code = begin(collections, name, false, &making, err);

    if (code == HL_OK)
        code = open_made(collections, &making, err);
    if (code == HL_OK)
        code = filler->fill(filler->self, making.entry.collection, err);
    return end(collections, &making, code, err);
}

/* The name, and the aliases that lead where it leads. */
static void remove_names(struct hl_collections *collections, const struct hl_span *name)
{
    struct hl_entry *entry;
    struct hl_collection *collection;

    pthread_rwlock_wrlock(&collections->lock);
    entry = hl_entries_find(collections, name);
    collection = hl_collection_ref(entry->collection);
    for (size_t i = collections->n; i > 0; i--)
        if (collections->entries[i - 1].collection == collection)
            hl_entries_remove(collections, i - 1);
    pthread_rwlock_unlock(&collections->lock);
    hl_collection_retire(collection);
    hl_collection_unref(collection);
}

enum hl_code hl_collections_delete(struct hl_collections *collections,
                                   const struct hl_span *name, bool *ret_existed,
                                   struct hl_err *err)
{
    enum hl_code code = HL_OK;
    bool exists;

    pthread_mutex_lock(&collections->desk);
    exists = hl_collections_exist(collections, name);
    if (exists)
        code = hl_catalog_withdraw(collections->catalog, name->data, err);
    if (exists && code == HL_OK)
        remove_names(collections, name);
    pthread_mutex_unlock(&collections->desk);
    if (code == HL_OK)
        *ret_existed = exists;
    return code;
}

/* Every name that led to the old one leads to the new one. */
static void replace(struct hl_collections *collections, const struct hl_span *name,
                    struct hl_collection *next)
{
    struct hl_collection *old;

    pthread_rwlock_wrlock(&collections->lock);
    old = hl_collection_ref(hl_entries_find(collections, name)->collection);
    for (size_t i = 0; i < collections->n; i++)
        if (collections->entries[i].collection == old) {
            collections->entries[i].collection = hl_collection_ref(next);
            hl_collection_unref(old);
        }
    pthread_rwlock_unlock(&collections->lock);
    hl_collection_retire(old);
    hl_collection_unref(old);
}

/* In the place of the one that has the name, if there is one still. */
static enum hl_code replace_or_show(struct hl_collections *collections,
                                    const struct hl_span *name, struct making *making,
                                    struct hl_err *err)
{
    enum hl_code code;

    if (!hl_collections_exist(collections, name))
        return show(collections, making, err);
    code = hl_catalog_replace(collections->catalog, &making->row, err);
    if (code != HL_OK)
        return code;
    replace(collections, name, making->entry.collection);
    hl_collection_unref(making->entry.collection);
    hl_free(making->entry.name);
    return HL_OK;
}

enum hl_code hl_collections_recover(struct hl_collections *collections,
                                    const struct hl_span *name,
                                    const struct hl_collections_folder *folder,
                                    struct hl_err *err)
{
    struct making making = {.path = ""};
    enum hl_code code = begin(collections, name, true, &making, err);

    if (code == HL_OK)
        code = folder->fill(folder->self, making.path, err);
    if (code == HL_OK)
        code = open_made(collections, &making, err);
    pthread_mutex_lock(&collections->desk);
    if (code == HL_OK)
        code = replace_or_show(collections, name, &making, err);
    if (code != HL_OK)
        unmake(collections, &making);
    pthread_mutex_unlock(&collections->desk);
    return code;
}
