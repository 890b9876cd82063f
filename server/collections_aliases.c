/* SPDX-License-Identifier: Apache-2.0 */
#include "server/collections_part.h"

#include "proto/alloc.h"

#include <string.h>

/* The table as it will be, made before the catalog is asked: behind its commit nothing can
 * fail any more. */
struct plan {
    struct hl_entry *entries;
    size_t n, room;
};

static void drop_plan(struct plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        hl_free(plan->entries[i].name);
        hl_collection_unref(plan->entries[i].collection);
    }
    hl_free(plan->entries);
}

static size_t seek(const struct plan *plan, const struct hl_text *name, bool *ret_is_there)
{
    size_t at = 0;
    int side = -1;

    while (at < plan->n && side < 0) {
        const struct hl_text text = {plan->entries[at].name,
                                     strlen(plan->entries[at].name)};

        side = hl_text_compare(&text, name);
        at += side < 0;
    }
    *ret_is_there = side == 0;
    return at;
}

static bool copy_table(struct hl_collections *collections, size_t n_more, struct plan *plan)
{
    bool is_well;

    pthread_rwlock_rdlock(&collections->lock);
    plan->room = collections->n + n_more + 1;
    plan->entries = hl_alloc_zeroed(plan->room, sizeof *plan->entries);
    is_well = plan->entries != NULL;
    for (size_t i = 0; is_well && i < collections->n; i++) {
        struct hl_entry *to = &plan->entries[plan->n];

        *to = collections->entries[i];
        to->name = hl_strdup(to->name);
        is_well = to->name != NULL;
        if (is_well) {
            (void)hl_collection_ref(to->collection);
            plan->n++;
        }
    }
    pthread_rwlock_unlock(&collections->lock);
    return is_well;
}

static void take_out(struct plan *plan, const struct hl_text *alias)
{
    bool is_there;
    size_t at = seek(plan, alias, &is_there);

    if (!is_there || !plan->entries[at].is_alias)
        return;
    hl_free(plan->entries[at].name);
    hl_collection_unref(plan->entries[at].collection);
    plan->n--;
    memmove(&plan->entries[at], &plan->entries[at + 1],
            (plan->n - at) * sizeof *plan->entries);
}

/* `collection` NULL: there is none of that name, which the catalog will say. */
static bool put_in(struct plan *plan, const struct hl_text *alias,
                   struct hl_collection *collection)
{
    char *name = hl_alloc(alias->len + 1);
    bool is_there;
    size_t at;

    if (!name)
        return false;
    memcpy(name, alias->text, alias->len);
    name[alias->len] = '\0';
    take_out(plan, alias);
    at = seek(plan, alias, &is_there);
    if (is_there || !collection) {
        hl_free(name);
        return true;
    }
    memmove(&plan->entries[at + 1], &plan->entries[at],
            (plan->n - at) * sizeof *plan->entries);
    plan->entries[at] = (struct hl_entry){name, true, hl_collection_ref(collection)};
    plan->n++;
    return true;
}

static struct hl_collection *lookup(const struct plan *plan, const struct hl_text *name,
                                    bool is_alias)
{
    bool is_there;
    size_t at = seek(plan, name, &is_there);

    return is_there && plan->entries[at].is_alias == is_alias ? plan->entries[at].collection
                                                              : NULL;
}

static bool plan_action(struct plan *plan, const struct hl_alias_action *action)
{
    struct hl_collection *collection;
    bool is_well;

    switch (action->kind) {
    case HL_ALIAS_CREATE:
        return put_in(plan, &action->alias, lookup(plan, &action->collection, false));
    case HL_ALIAS_RENAME:
        collection = lookup(plan, &action->alias, true);
        if (!collection)
            return true;
        (void)hl_collection_ref(collection);
        take_out(plan, &action->alias);
        is_well = put_in(plan, &action->new_alias, collection);
        hl_collection_unref(collection);
        return is_well;
    case HL_ALIAS_DELETE:
    default:
        take_out(plan, &action->alias);
        return true;
    }
}

/* ---- the catalog's words ---- */

static const char *terminated(struct hl_arena *arena, const struct hl_text *text)
{
    return text->text ? hl_arena_copy(arena, text->text, text->len) : "";
}

/* What is new is a name like a collection's; what is only looked for may be an odd one. */
static enum hl_code check_words(const struct hl_alias_action *action, struct hl_err *err)
{
    const struct hl_text *made = action->kind == HL_ALIAS_RENAME   ? &action->new_alias
                                 : action->kind == HL_ALIAS_CREATE ? &action->alias
                                                                   : NULL;
    const struct hl_text *const all[] = {&action->alias, &action->collection,
                                         &action->new_alias};

    for (size_t i = 0; i < 3; i++)
        if (all[i]->text && memchr(all[i]->text, '\0', all[i]->len))
            return hl_fail(err, HL_INVALID,
                           "Validation error: a name of %zu bytes has a zero byte in it",
                           all[i]->len);
    return made ? hl_collections_check_name(made->text, made->len, err) : HL_OK;
}

static enum hl_code translate(const struct hl_alias_actions *actions,
                              struct hl_arena *arena, struct hl_catalog_alias_action *words,
                              struct hl_err *err)
{
    for (size_t i = 0; i < actions->n; i++) {
        const struct hl_alias_action *action = &actions->items[i];
        const struct hl_text *to =
            action->kind == HL_ALIAS_RENAME ? &action->new_alias : &action->collection;

        words[i].verb = action->kind == HL_ALIAS_CREATE   ? HL_CATALOG_ALIAS_SET
                        : action->kind == HL_ALIAS_RENAME ? HL_CATALOG_ALIAS_RENAME
                                                          : HL_CATALOG_ALIAS_DELETE;
        words[i].alias = terminated(arena, &action->alias);
        words[i].to = terminated(arena, to);
        if (!words[i].alias || !words[i].to)
            return hl_collections_fail_no_memory(err);
        if (strlen(words[i].alias) > HL_LONGEST_NAME ||
            strlen(words[i].to) > HL_LONGEST_NAME)
            return hl_fail(err, HL_INVALID, "an alias has at most %d bytes",
                           HL_LONGEST_NAME);
    }
    return HL_OK;
}

static void swap_table(struct hl_collections *collections, struct plan *plan)
{
    const struct plan old = {collections->entries, collections->n, collections->room};

    pthread_rwlock_wrlock(&collections->lock);
    collections->entries = plan->entries;
    collections->n = plan->n;
    collections->room = plan->room;
    pthread_rwlock_unlock(&collections->lock);
    *plan = old;
}

static enum hl_code change(struct hl_collections *collections,
                           const struct hl_alias_actions *actions, struct hl_arena *arena,
                           struct plan *plan, struct hl_err *err)
{
    struct hl_catalog_alias_action *words =
        hl_arena_array(arena, actions->n + 1, sizeof *words);
    enum hl_code code = HL_OK;

    if (!words || !copy_table(collections, actions->n, plan))
        return hl_collections_fail_no_memory(err);
    for (size_t i = 0; code == HL_OK && i < actions->n; i++)
        code = check_words(&actions->items[i], err);
    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < actions->n; i++)
        if (!plan_action(plan, &actions->items[i]))
            return hl_collections_fail_no_memory(err);
    code = translate(actions, arena, words, err);
    if (code == HL_OK)
        code = hl_catalog_change_aliases(collections->catalog, words, actions->n, err);
    if (code == HL_OK)
        swap_table(collections, plan);
    return code;
}

enum hl_code hl_collections_change_aliases(struct hl_collections *collections,
                                           const struct hl_alias_actions *actions,
                                           struct hl_err *err)
{
    struct hl_arena *arena = hl_arena_new((size_t)64 << 20);
    struct plan plan = {0};
    enum hl_code code;

    if (!arena)
        return hl_collections_fail_no_memory(err);
    pthread_mutex_lock(&collections->desk);
    code = change(collections, actions, arena, &plan, err);
    pthread_mutex_unlock(&collections->desk);
    drop_plan(&plan);
    hl_arena_free(arena);
    return code;
}

enum hl_code hl_collections_aliases(struct hl_collections *collections,
                                    const char *collection, hl_catalog_alias_fn *each,
                                    void *self, struct hl_err *err)
{
    enum hl_code code;

    pthread_mutex_lock(&collections->desk);
    code = hl_catalog_aliases(collections->catalog, collection, each, self, err);
    pthread_mutex_unlock(&collections->desk);
    return code;
}

enum hl_code hl_collections_use_catalog(struct hl_collections *collections,
                                        enum hl_code (*use)(void *self,
                                                            struct hl_catalog *catalog,
                                                            struct hl_err *err),
                                        void *self, struct hl_err *err)
{
    enum hl_code code;

    pthread_mutex_lock(&collections->desk);
    code = use(self, collections->catalog, err);
    pthread_mutex_unlock(&collections->desk);
    return code;
}
