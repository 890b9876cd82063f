/* SPDX-License-Identifier: Apache-2.0 */
#include "index/db.h"

#include "index/db_files.h"
#include "proto/alloc.h"
#include "proto/dir.h"
#include "proto/file.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum control { BEGIN, COMMIT, ROLLBACK, SAVE, KEEP, UNDO, N_CONTROLS };

struct hl_db {
    sqlite3 *handle;
    char *path;
    struct hl_stmt *controls[N_CONTROLS]; /* prepared when first run */
    struct hl_stmt *look;                 /* fixes what a reader sees */
    const struct hl_deadline *deadline;
};

struct hl_stmt {
    struct hl_db *db;
    sqlite3_stmt *stmt;
    int bound; /* the first failure of a binding, said by the next step */
};

/* ---- errors ---- */

enum hl_code hl_db_fail_damaged(const struct hl_db *db, struct hl_err *err,
                                const char *reason)
{
    return hl_fail(err, HL_DAMAGED,
                   "\"%s\" is damaged (%s): put it aside and restore it from a snapshot",
                   db->path, reason);
}

static enum hl_code fail_interrupted(const struct hl_db *db, struct hl_err *err)
{
    if (db->deadline && hl_deadline_check(db->deadline, "the statement", err) != HL_OK)
        return hl_err_code(err);
    return hl_fail(err, HL_CANCELLED, "the statement was interrupted");
}

/* What SQLite says, in our words. */
static enum hl_code fail_db(const struct hl_db *db, int rc, struct hl_err *err)
{
    const char *reason = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(rc);
    int error = db->handle ? sqlite3_system_errno(db->handle) : 0;

    if (rc == SQLITE_IOERR_NOMEM || (rc & 0xff) == SQLITE_NOMEM)
        return hl_fail(err, HL_NO_MEMORY, "no memory to work on \"%s\"", db->path);
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return hl_fail(err, HL_DISK_FULL, "could not write \"%s\": the disk is full",
                       db->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return hl_db_fail_damaged(db, err, reason);
    case SQLITE_READONLY:
        return hl_fail(err, HL_IO, "could not write \"%s\": it or its folder is read-only",
                       db->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return hl_fail(err, HL_CONFLICT, "could not use \"%s\": another process does",
                       db->path);
    case SQLITE_INTERRUPT:
        return fail_interrupted(db, err);
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
        return hl_fail_errno(err, error ? error : EIO, "could not %s \"%s\"",
                             (rc & 0xff) == SQLITE_IOERR ? "read or write" : "open",
                             db->path);
    default:
        return hl_fail(err, HL_INTERNAL, "could not work on \"%s\": %s", db->path, reason);
    }
}

/* ---- connections ---- */

static int look_at_deadline(void *self)
{
    const struct hl_db *db = self;
    struct hl_err err;

    return db->deadline && hl_deadline_check(db->deadline, "the statement", &err) != HL_OK;
}

/* SQLite takes a missing or an empty file for a new database; to us it is a lost one. */
static enum hl_code check_file(const char *path, enum hl_db_mode mode, struct hl_err *err)
{
    const bool is_new = mode == HL_DB_CREATE;
    struct hl_file *file;
    uint64_t size = 0;
    enum hl_code code = hl_file_open(path, HL_FILE_READ, &file, err);

    if (code == HL_NOT_FOUND && is_new) /* made by us: with the rights our files have */
        code = hl_file_open(path, HL_FILE_CREATE, &file, err);
    if (code != HL_OK)
        return code;
    code = hl_file_size(file, &size, err);
    hl_file_close(file);
    if (code == HL_OK && is_new && size > 0)
        return hl_fail(err, HL_EXISTS, "could not make \"%s\": it exists", path);
    if (code == HL_OK && !is_new && size == 0)
        return hl_fail(err, HL_DAMAGED,
                       "\"%s\" is empty: put it aside and restore it from a snapshot",
                       path);
    return code;
}

/* What belongs to a file and what to a connection. Debian's SQLite wipes whatever is
 * deleted, which costs writes and protects nothing here. Files may come from outside
 * (snapshots): their triggers and views do not run. */
static enum hl_code set_up(struct hl_db *db, enum hl_db_mode mode, struct hl_err *err)
{
    enum hl_code code;

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, 2000);
    sqlite3_progress_handler(db->handle, 20000, look_at_deadline, db);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    code = hl_db_exec(db,
                      "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
                      "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=OFF",
                      err);
    if (code == HL_OK && mode == HL_DB_CREATE)
        code = hl_db_exec(db, "PRAGMA page_size=16384", err);
    if (code == HL_OK && mode == HL_DB_READ)
        return hl_db_exec(db, "PRAGMA cache_size=-4096", err);
    if (code == HL_OK)
        code = hl_db_exec(db,
                          "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                          "PRAGMA cache_size=-32768; PRAGMA wal_autocheckpoint=2000;"
                          "PRAGMA journal_size_limit=67108864",
                          err);
    return code;
}

enum hl_code hl_db_open(const char *path, enum hl_db_mode mode, struct hl_db **ret_db,
                        struct hl_err *err)
{
    const int flags = mode == HL_DB_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    struct hl_db *db = NULL;
    enum hl_code code = hl_db_start(err);
    int rc;

    if (code == HL_OK)
        code = check_file(path, mode, err);
    if (code != HL_OK)
        return code;
    db = hl_alloc_zeroed(1, sizeof *db);
    if (!db || !(db->path = hl_strdup(path))) {
        code = hl_fail(err, HL_NO_MEMORY, "no memory to open \"%s\"", path);
        goto out;
    }
    rc = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, HL_DB_FILES);
    code = rc == SQLITE_OK ? set_up(db, mode, err) : fail_db(db, rc, err);
    if (code != HL_OK)
        goto out;
    *ret_db = db;
    db = NULL;
out:
    hl_db_close(db);
    return code;
}

void hl_db_close(struct hl_db *db)
{
    int rc;

    if (!db)
        return;
    for (int i = 0; i < N_CONTROLS; i++)
        hl_stmt_free(db->controls[i]);
    hl_stmt_free(db->look);
    /* Refuses while a statement lives, which would be our bug. */
    rc = sqlite3_close(db->handle);
    assert(rc == SQLITE_OK);
    (void)rc;
    hl_free(db->path);
    hl_free(db);
}

const char *hl_db_path(const struct hl_db *db)
{
    return db->path;
}

void hl_db_set_deadline(struct hl_db *db, const struct hl_deadline *deadline)
{
    db->deadline = deadline;
}

enum hl_code hl_db_exec(struct hl_db *db, const char *sql, struct hl_err *err)
{
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? HL_OK : fail_db(db, rc, err);
}

enum hl_code hl_db_ask(struct hl_db *db, const char *sql, int64_t *ret_value,
                       struct hl_err *err)
{
    struct hl_stmt *stmt = NULL;
    bool has_row = false;
    enum hl_code code = hl_stmt_new(db, sql, &stmt, err);

    if (code != HL_OK)
        return code;
    assert(stmt);
    code = hl_stmt_step(stmt, &has_row, err);
    if (code == HL_OK && !has_row)
        code = hl_fail(err, HL_INTERNAL, "no answer to \"%s\"", sql);
    if (code == HL_OK)
        *ret_value = hl_stmt_get_int(stmt, 0);
    hl_stmt_free(stmt);
    return code;
}

/* ---- transactions ---- */

static enum hl_code prepare(struct hl_db *db, enum control what, struct hl_err *err)
{
    static const char *const texts[] = {
        [BEGIN] = "BEGIN IMMEDIATE", [COMMIT] = "COMMIT",    [ROLLBACK] = "ROLLBACK",
        [SAVE] = "SAVEPOINT one",    [KEEP] = "RELEASE one", [UNDO] = "ROLLBACK TO one",
    };
    struct hl_stmt **stmt = &db->controls[what];

    return *stmt ? HL_OK : hl_stmt_new(db, texts[what], stmt, err);
}

static enum hl_code control(struct hl_db *db, enum control what, struct hl_err *err)
{
    enum hl_code code = prepare(db, what, err);

    return code == HL_OK ? hl_stmt_run(db->controls[what], NULL, err) : code;
}

/* The way back is prepared before the way there: it must not want memory. */
enum hl_code hl_db_begin(struct hl_db *db, struct hl_err *err)
{
    enum hl_code code = prepare(db, ROLLBACK, err);

    return code == HL_OK ? control(db, BEGIN, err) : code;
}

enum hl_code hl_db_begin_read(struct hl_db *db, struct hl_err *err)
{
    bool has_row;
    enum hl_code code = prepare(db, ROLLBACK, err);

    if (code == HL_OK && !db->look)
        code = hl_stmt_new(db, "SELECT 1 FROM sqlite_schema LIMIT 1", &db->look, err);
    if (code == HL_OK)
        code = hl_db_exec(db, "BEGIN", err);
    if (code != HL_OK)
        return code;
    code = hl_stmt_step(db->look, &has_row, err);
    hl_stmt_reset(db->look);
    if (code != HL_OK)
        hl_db_rollback(db);
    return code;
}

enum hl_code hl_db_commit(struct hl_db *db, struct hl_err *err)
{
    enum hl_code code = control(db, COMMIT, err);

    if (code != HL_OK)
        hl_db_rollback(db);
    return code;
}

bool hl_db_is_open(const struct hl_db *db)
{
    return !sqlite3_get_autocommit(db->handle);
}

void hl_db_rollback(struct hl_db *db)
{
    struct hl_err err;

    if (hl_db_is_open(db))
        (void)control(db, ROLLBACK, &err);
}

enum hl_code hl_db_save(struct hl_db *db, struct hl_err *err)
{
    return control(db, SAVE, err);
}

enum hl_code hl_db_keep(struct hl_db *db, struct hl_err *err)
{
    return control(db, KEEP, err);
}

enum hl_code hl_db_undo(struct hl_db *db, struct hl_err *err)
{
    enum hl_code code = control(db, UNDO, err);

    return code == HL_OK ? control(db, KEEP, err) : code;
}

/* ---- statements ---- */

enum hl_code hl_stmt_new(struct hl_db *db, const char *sql, struct hl_stmt **ret_stmt,
                         struct hl_err *err)
{
    struct hl_stmt *stmt = hl_alloc_zeroed(1, sizeof *stmt);
    int rc;

    if (!stmt)
        return hl_fail(err, HL_NO_MEMORY, "no memory to work on \"%s\"", db->path);
    stmt->db = db;
    rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt->stmt,
                            NULL);
    if (rc != SQLITE_OK) {
        hl_free(stmt);
        return fail_db(db, rc, err);
    }
    *ret_stmt = stmt;
    return HL_OK;
}

void hl_stmt_free(struct hl_stmt *stmt)
{
    if (!stmt)
        return;
    (void)sqlite3_finalize(stmt->stmt);
    hl_free(stmt);
}

bool hl_stmt_may_write(const struct hl_stmt *stmt)
{
    return !sqlite3_stmt_readonly(stmt->stmt);
}

static void note_binding(struct hl_stmt *stmt, int rc)
{
    /* A place that the statement does not have is our bug, not a circumstance. */
    assert(rc != SQLITE_RANGE && rc != SQLITE_MISUSE);
    if (stmt->bound == SQLITE_OK)
        stmt->bound = rc;
}

void hl_stmt_int(struct hl_stmt *stmt, int at, int64_t value)
{
    note_binding(stmt, sqlite3_bind_int64(stmt->stmt, at, value));
}

void hl_stmt_text(struct hl_stmt *stmt, int at, const char *text, size_t len)
{
    note_binding(
        stmt, sqlite3_bind_text64(stmt->stmt, at, text, len, SQLITE_STATIC, SQLITE_UTF8));
}

void hl_stmt_blob(struct hl_stmt *stmt, int at, const void *bytes, size_t size)
{
    note_binding(stmt, sqlite3_bind_blob64(stmt->stmt, at, bytes, size, SQLITE_STATIC));
}

void hl_stmt_reset(struct hl_stmt *stmt)
{
    (void)sqlite3_reset(stmt->stmt);
    (void)sqlite3_clear_bindings(stmt->stmt);
    stmt->bound = SQLITE_OK;
}

enum hl_code hl_stmt_step(struct hl_stmt *stmt, bool *ret_has_row, struct hl_err *err)
{
    int rc = stmt->bound == SQLITE_OK ? sqlite3_step(stmt->stmt) : stmt->bound;
    enum hl_code code = HL_OK;

    if (rc == SQLITE_ROW) {
        *ret_has_row = true;
        return HL_OK;
    }
    if (rc != SQLITE_DONE)
        code = fail_db(stmt->db, rc, err);
    hl_stmt_reset(stmt);
    if (code == HL_OK)
        *ret_has_row = false;
    return code;
}

enum hl_code hl_stmt_run(struct hl_stmt *stmt, size_t *ret_n_changed, struct hl_err *err)
{
    bool has_row;
    enum hl_code code = hl_stmt_step(stmt, &has_row, err);

    if (code != HL_OK)
        return code;
    if (has_row)
        hl_stmt_reset(stmt);
    if (ret_n_changed)
        *ret_n_changed = (size_t)sqlite3_changes64(stmt->db->handle);
    return HL_OK;
}

int64_t hl_stmt_get_int(struct hl_stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->stmt, column);
}

const void *hl_stmt_get_bytes(struct hl_stmt *stmt, int column, size_t *ret_size)
{
    const void *bytes = sqlite3_column_blob(stmt->stmt, column);

    *ret_size = (size_t)sqlite3_column_bytes(stmt->stmt, column);
    return bytes;
}

/* ---- the file ---- */

enum hl_code hl_db_checkpoint(struct hl_db *db, struct hl_err *err)
{
    int rc =
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

    return rc == SQLITE_OK || rc == SQLITE_BUSY ? HL_OK : fail_db(db, rc, err);
}

static enum hl_code vacuum_into(struct hl_db *db, const char *path, struct hl_err *err)
{
    struct hl_stmt *stmt = NULL;
    enum hl_code code = hl_stmt_new(db, "VACUUM INTO ?1", &stmt, err);

    if (code != HL_OK)
        return code;
    assert(stmt);
    hl_stmt_text(stmt, 1, path, strlen(path));
    code = hl_stmt_run(stmt, NULL, err);
    hl_stmt_free(stmt);
    return code;
}

enum hl_code hl_db_copy(struct hl_db *db, const char *path,
                        const struct hl_deadline *deadline, struct hl_err *err)
{
    const struct hl_deadline *before = db->deadline;
    struct hl_file *file;
    struct hl_err other;
    /* SQLite takes an empty file for a new one, so the name is ours before it begins. */
    enum hl_code code = hl_file_open(path, HL_FILE_CREATE, &file, err);

    if (code != HL_OK)
        return code;
    db->deadline = deadline;
    code = vacuum_into(db, path, err);
    db->deadline = before;
    if (code == HL_OK)
        code = hl_file_sync(file, err);
    hl_file_close(file);
    if (code == HL_OK)
        code = hl_dir_sync_above(path, err);
    if (code != HL_OK) {
        hl_fail_in(err, "could not copy to \"%s\"", path);
        (void)hl_file_remove(path, &other);
    }
    return code;
}

/* One row: "ok", or the first thing that is wrong. */
static enum hl_code judge_check(struct hl_stmt *stmt, struct hl_err *err)
{
    char said[160];
    size_t len;
    const void *text = hl_stmt_get_bytes(stmt, 0, &len);

    snprintf(said, sizeof said, "%.*s", (int)len, text ? (const char *)text : "");
    return strcmp(said, "ok") == 0 ? HL_OK : hl_db_fail_damaged(stmt->db, err, said);
}

enum hl_code hl_db_check(struct hl_db *db, const struct hl_deadline *deadline,
                         struct hl_err *err)
{
    const struct hl_deadline *before = db->deadline;
    struct hl_stmt *stmt = NULL;
    bool has_row = false;
    enum hl_code code = hl_stmt_new(db, "PRAGMA integrity_check(1)", &stmt, err);

    if (code != HL_OK)
        return code;
    assert(stmt);
    db->deadline = deadline;
    code = hl_stmt_step(stmt, &has_row, err);
    if (code == HL_OK && has_row)
        code = judge_check(stmt, err);
    db->deadline = before;
    hl_stmt_free(stmt);
    return code;
}
