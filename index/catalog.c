/* SPDX-License-Identifier: Apache-2.0 */
#include "index/catalog_part.h"

#include "index/store.h"
#include "proto/alloc.h"
#include "proto/dir.h"
#include "proto/file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { PATH_SIZE = 4096, TEXT_CEILING = 1 << 30, TEXT_KEPT = 1 << 16 };

static const char *const steps[] = {
    /* 0 -> 1 */
    "CREATE TABLE collections(name TEXT PRIMARY KEY, uuid BLOB NOT NULL UNIQUE, "
    "created INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE aliases(alias TEXT PRIMARY KEY, collection TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX alias_collections ON aliases(collection);"
    "CREATE TABLE jobs(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, "
    "collection TEXT NOT NULL, request TEXT NOT NULL, phase TEXT NOT NULL, "
    "outcome TEXT NOT NULL, state INTEGER NOT NULL, progress INTEGER NOT NULL, "
    "created INTEGER NOT NULL, changed INTEGER NOT NULL);",
};

const struct hl_schema hl_catalog_schema = {
    .what = "a catalog",
    .application = 0x484c4331, /* HLC1 */
    .steps = steps,
    .n_steps = sizeof steps / sizeof *steps,
};

static_assert(CATALOG_N_STMTS <= HL_STMTS_MAX, "more statements than there is room for");

static const char *const texts[CATALOG_N_STMTS] = {
    [CATALOG_ADD] = "INSERT INTO collections(name, uuid, created) VALUES(?1, ?2, ?3)",
    [CATALOG_REMOVE] = "DELETE FROM collections WHERE name = ?1",
    [CATALOG_REMOVE_ALIASES] = "DELETE FROM aliases WHERE collection = ?1",
    [CATALOG_REPLACE] = "UPDATE collections SET uuid = ?2, created = ?3 WHERE name = ?1",
    [CATALOG_LIST] = "SELECT name, uuid, created FROM collections ORDER BY name",
    [CATALOG_HAS] = "SELECT 1 FROM collections WHERE name = ?1",
    [CATALOG_HAS_UUID] = "SELECT 1 FROM collections WHERE uuid = ?1",
    [CATALOG_HAS_ALIAS] = "SELECT 1 FROM aliases WHERE alias = ?1",
    [CATALOG_SET_ALIAS] = "INSERT INTO aliases(alias, collection) VALUES(?1, ?2) "
                          "ON CONFLICT(alias) DO UPDATE SET collection = ?2",
    [CATALOG_DELETE_ALIAS] = "DELETE FROM aliases WHERE alias = ?1",
    [CATALOG_RENAME_ALIAS] = "UPDATE OR REPLACE aliases SET alias = ?2 WHERE alias = ?1",
    [CATALOG_LIST_ALIASES] = "SELECT alias, collection FROM aliases "
                             "WHERE ?1 IS NULL OR collection = ?1 ORDER BY alias",
    [CATALOG_ADD_JOB] =
        "INSERT INTO jobs(kind, collection, request, phase, outcome, state, "
        "progress, created, changed) "
        "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING id",
    [CATALOG_SET_JOB] = "UPDATE jobs SET phase = ?2, outcome = ?3, state = ?4, "
                        "progress = ?5, changed = ?6 WHERE id = ?1",
    [CATALOG_LIST_JOBS] = "SELECT kind, collection, request, phase, outcome, state, "
                          "progress, created, changed, id FROM jobs "
                          "WHERE ?1 = 0 OR id = ?1 ORDER BY id DESC",
    [CATALOG_RECOVER_JOBS] =
        "UPDATE jobs SET state = ?1, changed = ?2, outcome = ?3 WHERE state <= ?4",
    [CATALOG_TRIM_JOBS] =
        "DELETE FROM jobs WHERE state > ?2 AND id <= coalesce((SELECT id FROM jobs WHERE "
        "state > ?2 ORDER BY id DESC LIMIT 1 OFFSET ?1), 0)",
};

/* ---- opening ---- */

struct emptiness {
    bool has_any;
};

static bool note_any(void *self, const char *name)
{
    struct emptiness *emptiness = self;

    (void)name;
    emptiness->has_any = true;
    return false;
}

/* A new catalog beside old collections would let the sweep take them all away. */
static enum hl_code check_new(const char *collections, const char *path, struct hl_err *err)
{
    struct emptiness emptiness = {0};
    enum hl_code code = hl_dir_walk(collections, note_any, &emptiness, err);

    if (code == HL_OK && emptiness.has_any)
        return hl_fail(err, HL_DAMAGED,
                       "\"%s\" is missing or empty, but \"%s\" holds collections: restore "
                       "both from a snapshot",
                       path, collections);
    return code;
}

/* A crash while it was first made leaves a file that says nothing yet. */
static enum hl_code open_db(const char *path, const char *collections,
                            struct hl_db **ret_db, struct hl_err *err)
{
    struct hl_db *db = NULL;
    int64_t n = 0;
    enum hl_code code = hl_db_open(path, HL_DB_CREATE, &db, err);

    if (code == HL_EXISTS)
        code = hl_db_open(path, HL_DB_WRITE, &db, err);
    if (code == HL_OK)
        code = hl_db_ask(db, "SELECT count(*) FROM sqlite_schema", &n, err);
    if (code == HL_OK && n == 0)
        code = check_new(collections, path, err);
    if (code == HL_OK)
        code = hl_schema_apply(db, &hl_catalog_schema, true, err);
    if (code == HL_OK)
        code = hl_dir_sync_above(path, err);
    if (code == HL_OK)
        *ret_db = db;
    else
        hl_db_close(db);
    return code;
}

enum hl_code hl_catalog_open(const char *folder, struct hl_catalog **ret_catalog,
                             struct hl_err *err)
{
    char path[PATH_SIZE], collections[PATH_SIZE];
    struct hl_catalog *catalog = NULL;
    enum hl_code code;

    if ((size_t)snprintf(path, sizeof path, "%s/catalog.db", folder) >= sizeof path ||
        (size_t)snprintf(collections, sizeof collections, "%s/collections", folder) >=
            sizeof collections)
        return hl_fail(err, HL_INVALID, "the path \"%.100s…\" is too long", folder);
    code = hl_dir_make(collections, err);
    if (code != HL_OK)
        return code;
    catalog = hl_alloc_zeroed(1, sizeof *catalog);
    if (!catalog || !(catalog->folder = hl_strdup(folder))) {
        hl_free(catalog);
        return hl_fail(err, HL_NO_MEMORY, "no memory to open \"%s\"", path);
    }
    hl_buf_init(&catalog->text, TEXT_CEILING);
    code = open_db(path, collections, &catalog->db, err);
    if (code != HL_OK) {
        hl_catalog_close(catalog);
        return code;
    }
    hl_stmts_init(&catalog->stmts, catalog->db, texts);
    *ret_catalog = catalog;
    return HL_OK;
}

void hl_catalog_close(struct hl_catalog *catalog)
{
    if (!catalog)
        return;
    hl_stmts_done(&catalog->stmts);
    hl_db_close(catalog->db);
    hl_buf_done(&catalog->text);
    hl_free(catalog->folder);
    hl_free(catalog);
}

enum hl_code hl_catalog_check(struct hl_catalog *catalog, struct hl_err *err)
{
    return hl_db_check(catalog->db, NULL, err);
}

enum hl_code hl_catalog_copy(struct hl_catalog *catalog, const char *path,
                             struct hl_err *err)
{
    return hl_db_copy(catalog->db, path, NULL, err);
}

/* ---- what every call does ---- */

enum hl_code hl_catalog_stmt(struct hl_catalog *catalog, enum hl_catalog_stmt which,
                             struct hl_stmt **ret_stmt, struct hl_err *err)
{
    return hl_stmts_get(&catalog->stmts, (int)which, ret_stmt, err);
}

enum hl_code hl_catalog_end(struct hl_catalog *catalog, enum hl_code code,
                            struct hl_err *err)
{
    struct hl_err ignored;

    if (code == HL_OK)
        code = hl_db_commit(catalog->db, err);
    else
        hl_db_rollback(catalog->db);
    /* The log begins again from its front each time: on a full disk a collection can still
     * be deleted. */
    if (code == HL_OK)
        (void)hl_db_checkpoint(catalog->db, &ignored);
    return code;
}

void hl_catalog_bind(struct hl_stmt *stmt, int at, const char *text)
{
    hl_stmt_text(stmt, at, text, text ? strlen(text) : 0);
}

enum hl_code hl_catalog_texts(struct hl_catalog *catalog, struct hl_stmt *stmt, size_t n,
                              const char **ret_texts, struct hl_err *err)
{
    const char *at;
    enum hl_code code;

    hl_buf_clear(&catalog->text, TEXT_KEPT);
    for (size_t i = 0; i < n; i++) {
        size_t size;
        const void *bytes = hl_stmt_get_bytes(stmt, (int)i, &size);

        hl_buf_add(&catalog->text, size ? bytes : "", size);
        hl_buf_add_char(&catalog->text, '\0');
    }
    code = hl_buf_check(&catalog->text, "a row of the catalog", err);
    if (code != HL_OK)
        return code;
    at = catalog->text.data;
    for (size_t i = 0; i < n; i++) {
        size_t size;

        ret_texts[i] = at;
        (void)hl_stmt_get_bytes(stmt, (int)i, &size);
        at += size + 1;
    }
    return HL_OK;
}

/* ---- folders ---- */

enum hl_code hl_catalog_path(const struct hl_catalog *catalog, const struct hl_id *uuid,
                             const char *name, char *path, size_t size, struct hl_err *err)
{
    char text[HL_ID_TEXT_SIZE];

    (void)hl_id_print(uuid, text);
    if ((size_t)snprintf(path, size, "%s/collections/%s%s%s", catalog->folder, text,
                         name ? "/" : "", name ? name : "") >= size)
        return hl_fail(err, HL_INVALID, "the path \"%.100s…\" is too long",
                       catalog->folder);
    return HL_OK;
}

static enum hl_code draw_uuid(struct hl_id *ret_uuid, struct hl_err *err)
{
    struct hl_id uuid = {.tag = HL_ID_UUID};

    if (getrandom(uuid.bytes, sizeof uuid.bytes, 0) != (ssize_t)sizeof uuid.bytes)
        return hl_fail_errno(err, errno, "could not draw a random number");
    uuid.bytes[6] = (uint8_t)((uuid.bytes[6] & 0x0f) | 0x40); /* version 4: random */
    uuid.bytes[8] = (uint8_t)((uuid.bytes[8] & 0x3f) | 0x80);
    *ret_uuid = uuid;
    return HL_OK;
}

enum hl_code hl_catalog_prepare(struct hl_catalog *catalog, struct hl_id *ret_uuid,
                                struct hl_err *err)
{
    char folder[PATH_SIZE], points[PATH_SIZE], segments[PATH_SIZE];
    struct hl_err other;
    struct hl_id uuid;
    enum hl_code code = draw_uuid(&uuid, err);

    if (code == HL_OK)
        code = hl_catalog_path(catalog, &uuid, NULL, folder, sizeof folder, err);
    if (code == HL_OK)
        code = hl_catalog_path(catalog, &uuid, "points.db", points, sizeof points, err);
    if (code == HL_OK)
        code = hl_catalog_path(catalog, &uuid, "segments", segments, sizeof segments, err);
    if (code != HL_OK)
        return code;
    code = hl_dir_make(folder, err);
    if (code == HL_OK)
        code = hl_dir_make(segments, err);
    if (code == HL_OK)
        code = hl_store_create(points, err); /* syncs the folder */
    if (code == HL_OK)
        code = hl_dir_sync_above(folder, err);
    if (code == HL_OK)
        *ret_uuid = uuid;
    else
        (void)hl_dir_remove(folder, &other);
    return code;
}

enum hl_code hl_catalog_discard(struct hl_catalog *catalog, const struct hl_id *uuid,
                                struct hl_err *err)
{
    char folder[PATH_SIZE];
    enum hl_code code = hl_catalog_path(catalog, uuid, NULL, folder, sizeof folder, err);

    if (code == HL_OK)
        code = hl_dir_remove(folder, err);
    return code == HL_OK ? hl_dir_sync_above(folder, err) : code;
}

struct sweep {
    struct hl_catalog *catalog;
    hl_catalog_swept_fn *each;
    void *self;
    struct hl_err *err;
    enum hl_code code;
};

/* Removing an entry while the folder is read may show it again or not, never hide others.
 */
static bool sweep_entry(void *self, const char *name)
{
    struct sweep *sweep = self;
    uint8_t encoded[HL_ID_ENCODED_MAX];
    struct hl_stmt *stmt;
    struct hl_id uuid;
    bool is_named = false;

    /* What is not a collection's folder is somebody's own, and stays. */
    if (!hl_id_parse_uuid(name, strlen(name), &uuid))
        return true;
    sweep->code = hl_catalog_stmt(sweep->catalog, CATALOG_HAS_UUID, &stmt, sweep->err);
    if (sweep->code != HL_OK)
        return false;
    hl_stmt_blob(stmt, 1, encoded, hl_id_encode(&uuid, encoded));
    sweep->code = hl_stmt_step(stmt, &is_named, sweep->err);
    hl_stmt_reset(stmt);
    if (sweep->code == HL_OK && !is_named) {
        sweep->code = hl_catalog_discard(sweep->catalog, &uuid, sweep->err);
        if (sweep->code == HL_OK)
            sweep->each(sweep->self, name);
    }
    return sweep->code == HL_OK;
}

static bool check_folder(void *self, const struct hl_catalog_collection *collection)
{
    struct sweep *sweep = self;
    char path[PATH_SIZE];
    struct hl_file *file = NULL;

    sweep->code = hl_catalog_path(sweep->catalog, &collection->uuid, "points.db", path,
                                  sizeof path, sweep->err);
    if (sweep->code == HL_OK)
        sweep->code = hl_file_open(path, HL_FILE_READ, &file, sweep->err);
    hl_file_close(file);
    if (sweep->code == HL_NOT_FOUND)
        sweep->code = hl_fail(sweep->err, HL_DAMAGED,
                              "collection \"%s\" has lost \"%s\": restore it from a "
                              "snapshot",
                              collection->name, path);
    return sweep->code == HL_OK;
}

enum hl_code hl_catalog_sweep(struct hl_catalog *catalog, hl_catalog_swept_fn *each,
                              void *self, struct hl_err *err)
{
    struct sweep sweep = {.catalog = catalog, .each = each, .self = self, .err = err};
    char path[PATH_SIZE];
    enum hl_code code = hl_catalog_collections(catalog, check_folder, &sweep, err);

    if (code == HL_OK)
        code = sweep.code;
    if (code != HL_OK)
        return code;
    snprintf(path, sizeof path, "%s/collections", catalog->folder);
    code = hl_dir_walk(path, sweep_entry, &sweep, err);
    return code == HL_OK ? sweep.code : code;
}
