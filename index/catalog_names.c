/* SPDX-License-Identifier: Apache-2.0 */
#include "index/catalog_part.h"

#include <string.h>

/* Whether a statement that looks for one text finds it. */
static enum hl_code has(struct hl_catalog *catalog, enum hl_catalog_stmt which,
                        const char *text, bool *ret_has, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_catalog_stmt(catalog, which, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_catalog_bind(stmt, 1, text);
    code = hl_stmt_step(stmt, ret_has, err);
    hl_stmt_reset(stmt);
    return code;
}

/* Runs a statement over two texts, the second of which may be NULL. */
static enum hl_code run_with(struct hl_catalog *catalog, enum hl_catalog_stmt which,
                             const char *first, const char *second, size_t *ret_n_changed,
                             struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_catalog_stmt(catalog, which, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_catalog_bind(stmt, 1, first);
    if (second)
        hl_catalog_bind(stmt, 2, second);
    return hl_stmt_run(stmt, ret_n_changed, err);
}

static enum hl_code fail_missing(struct hl_err *err, const char *what, const char *name)
{
    return hl_fail(err, HL_NOT_FOUND, "Not found: %s `%s` doesn't exist!", what, name);
}

/* ---- collections ---- */

static enum hl_code check_free(struct hl_catalog *catalog, const char *name,
                               struct hl_err *err)
{
    bool has_one = false;
    enum hl_code code = has(catalog, CATALOG_HAS, name, &has_one, err);

    if (code == HL_OK && has_one)
        return hl_fail(err, HL_EXISTS, "Wrong input: Collection `%s` already exists!",
                       name);
    if (code == HL_OK)
        code = has(catalog, CATALOG_HAS_ALIAS, name, &has_one, err);
    if (code == HL_OK && has_one)
        return hl_fail(err, HL_EXISTS, "Wrong input: `%s` is the alias of a collection",
                       name);
    return code;
}

static enum hl_code write_collection(struct hl_catalog *catalog, enum hl_catalog_stmt which,
                                     const struct hl_catalog_collection *collection,
                                     size_t *ret_n_changed, struct hl_err *err)
{
    uint8_t encoded[HL_ID_ENCODED_MAX];
    struct hl_stmt *stmt;
    enum hl_code code = hl_catalog_stmt(catalog, which, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_catalog_bind(stmt, 1, collection->name);
    hl_stmt_blob(stmt, 2, encoded, hl_id_encode(&collection->uuid, encoded));
    hl_stmt_int(stmt, 3, collection->created_ms);
    return hl_stmt_run(stmt, ret_n_changed, err);
}

enum hl_code hl_catalog_publish(struct hl_catalog *catalog,
                                const struct hl_catalog_collection *collection,
                                struct hl_err *err)
{
    enum hl_code code = hl_db_begin(catalog->db, err);

    if (code != HL_OK)
        return code;
    code = check_free(catalog, collection->name, err);
    if (code == HL_OK)
        code = write_collection(catalog, CATALOG_ADD, collection, NULL, err);
    return hl_catalog_end(catalog, code, err);
}

enum hl_code hl_catalog_replace(struct hl_catalog *catalog,
                                const struct hl_catalog_collection *collection,
                                struct hl_err *err)
{
    size_t n_changed = 0;
    enum hl_code code = hl_db_begin(catalog->db, err);

    if (code != HL_OK)
        return code;
    code = write_collection(catalog, CATALOG_REPLACE, collection, &n_changed, err);
    if (code == HL_OK && n_changed == 0)
        code = fail_missing(err, "Collection", collection->name);
    return hl_catalog_end(catalog, code, err);
}

enum hl_code hl_catalog_withdraw(struct hl_catalog *catalog, const char *name,
                                 struct hl_err *err)
{
    size_t n_changed = 0;
    enum hl_code code = hl_db_begin(catalog->db, err);

    if (code != HL_OK)
        return code;
    code = run_with(catalog, CATALOG_REMOVE, name, NULL, &n_changed, err);
    if (code == HL_OK && n_changed == 0)
        code = fail_missing(err, "Collection", name);
    if (code == HL_OK)
        code = run_with(catalog, CATALOG_REMOVE_ALIASES, name, NULL, NULL, err);
    return hl_catalog_end(catalog, code, err);
}

enum hl_code hl_catalog_collections(struct hl_catalog *catalog,
                                    hl_catalog_collection_fn *each, void *self,
                                    struct hl_err *err)
{
    struct hl_stmt *stmt;
    bool has_row = true, go_on = true;
    enum hl_code code = hl_catalog_stmt(catalog, CATALOG_LIST, &stmt, err);

    if (code != HL_OK)
        return code;
    while (go_on && (code = hl_stmt_step(stmt, &has_row, err)) == HL_OK && has_row) {
        struct hl_catalog_collection collection = {.created_ms = hl_stmt_get_int(stmt, 2)};
        size_t size;
        const void *bytes = hl_stmt_get_bytes(stmt, 1, &size);

        if (!bytes || !hl_id_decode(bytes, size, &collection.uuid))
            code = hl_db_fail_damaged(catalog->db, err, "a collection cannot be read");
        else
            code = hl_catalog_texts(catalog, stmt, 1, &collection.name, err);
        if (code != HL_OK)
            break;
        go_on = each(self, &collection);
    }
    hl_stmt_reset(stmt);
    return code;
}

/* ---- aliases ---- */

static enum hl_code check_alias(struct hl_catalog *catalog, const char *alias,
                                struct hl_err *err)
{
    bool has_one = false;
    enum hl_code code = has(catalog, CATALOG_HAS, alias, &has_one, err);

    if (code == HL_OK && has_one)
        return hl_fail(err, HL_EXISTS,
                       "Wrong input: Collection with the same name already exists `%s`",
                       alias);
    return code;
}

static enum hl_code set_alias(struct hl_catalog *catalog, const char *alias, const char *to,
                              struct hl_err *err)
{
    bool has_collection = false;
    enum hl_code code = has(catalog, CATALOG_HAS, to, &has_collection, err);

    if (code == HL_OK && !has_collection)
        return fail_missing(err, "Collection", to);
    if (code == HL_OK)
        code = check_alias(catalog, alias, err);
    return code == HL_OK ? run_with(catalog, CATALOG_SET_ALIAS, alias, to, NULL, err)
                         : code;
}

static enum hl_code do_action(struct hl_catalog *catalog,
                              const struct hl_catalog_alias_action *action,
                              struct hl_err *err)
{
    size_t n_changed = 0;
    enum hl_code code = HL_OK;

    switch (action->verb) {
    case HL_CATALOG_ALIAS_SET:
        return set_alias(catalog, action->alias, action->to, err);
    case HL_CATALOG_ALIAS_RENAME:
        code = check_alias(catalog, action->to, err);
        if (code == HL_OK)
            code = run_with(catalog, CATALOG_RENAME_ALIAS, action->alias, action->to,
                            &n_changed, err);
        break;
    case HL_CATALOG_ALIAS_DELETE:
    default:
        code =
            run_with(catalog, CATALOG_DELETE_ALIAS, action->alias, NULL, &n_changed, err);
        break;
    }
    if (code == HL_OK && n_changed == 0)
        return fail_missing(err, "Alias", action->alias);
    return code;
}

enum hl_code hl_catalog_change_aliases(struct hl_catalog *catalog,
                                       const struct hl_catalog_alias_action *actions,
                                       size_t n, struct hl_err *err)
{
    enum hl_code code = hl_db_begin(catalog->db, err);

    if (code != HL_OK)
        return code;
    for (size_t i = 0; i < n && code == HL_OK; i++)
        code = do_action(catalog, &actions[i], err);
    return hl_catalog_end(catalog, code, err);
}

enum hl_code hl_catalog_aliases(struct hl_catalog *catalog, const char *collection,
                                hl_catalog_alias_fn *each, void *self, struct hl_err *err)
{
    struct hl_stmt *stmt;
    bool has_row = true, go_on = true;
    enum hl_code code = hl_catalog_stmt(catalog, CATALOG_LIST_ALIASES, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_catalog_bind(stmt, 1, collection);
    while (go_on && (code = hl_stmt_step(stmt, &has_row, err)) == HL_OK && has_row) {
        const char *names[2];

        code = hl_catalog_texts(catalog, stmt, 2, names, err);
        if (code != HL_OK)
            break;
        go_on = each(self, names[0], names[1]);
    }
    hl_stmt_reset(stmt);
    return code;
}
