/* SPDX-License-Identifier: Apache-2.0 */
#include "index/store_part.h"

#include "proto/alloc.h"
#include "proto/dir.h"

#include <assert.h>
#include <string.h>

static const char *const steps[] = {
    /* 0 -> 1 */
    "CREATE TABLE marks(one INTEGER PRIMARY KEY CHECK (one = 1), \"commit\" INTEGER NOT "
    "NULL, last_row INTEGER NOT NULL, last_number INTEGER NOT NULL, "
    "last_space INTEGER NOT NULL);"
    "INSERT INTO marks VALUES(1, 0, 0, 0, 0);"
    "CREATE TABLE points(number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, "
    "born INTEGER NOT NULL, places BLOB, payload TEXT);"
    "CREATE TABLE past(seq INTEGER PRIMARY KEY, number INTEGER NOT NULL, id BLOB NOT NULL, "
    "born INTEGER NOT NULL, places BLOB, payload TEXT, died INTEGER NOT NULL);"
    "CREATE INDEX past_numbers ON past(number);"
    "CREATE INDEX past_ids ON past(id);"
    "CREATE TABLE vectors(row INTEGER PRIMARY KEY, number INTEGER NOT NULL, "
    "space INTEGER NOT NULL, born INTEGER NOT NULL, bytes BLOB NOT NULL, indices BLOB);"
    "CREATE TABLE dead(row INTEGER PRIMARY KEY, number INTEGER NOT NULL, "
    "space INTEGER NOT NULL, died INTEGER NOT NULL);"
    "CREATE TABLE lost(seq INTEGER PRIMARY KEY, row INTEGER NOT NULL, "
    "died INTEGER NOT NULL);"
    "CREATE TABLE spaces(space INTEGER PRIMARY KEY, dim INTEGER NOT NULL, "
    "name TEXT NOT NULL, settings TEXT NOT NULL, born INTEGER NOT NULL, dropped INTEGER, "
    "purged INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX space_names ON spaces(name) WHERE dropped IS NULL;"
    "CREATE TABLE records(kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, "
    "body BLOB, UNIQUE(kind, key));",
};

const struct hl_schema hl_store_schema = {
    .what = "a points database",
    .application = 0x484c5031, /* HLP1 */
    .steps = steps,
    .n_steps = sizeof steps / sizeof *steps,
};

static_assert(STORE_N_STMTS <= HL_STMTS_MAX, "more statements than there is room for");

static const char *const texts[STORE_N_STMTS] = {
    [STORE_MARK] = "UPDATE marks SET \"commit\" = ?1, last_row = ?2, last_number = ?3, "
                   "last_space = ?4",
    [STORE_MAKE_POINT] = "INSERT INTO points(number, id, born, places, payload) "
                         "VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(id) DO NOTHING",
    [STORE_FIND_POINT] = "SELECT number, id, born, places FROM points WHERE id = ?1",
    [STORE_GET_POINT] = "SELECT number, id, born, places FROM points WHERE number = ?1",
    /* Nothing can conflict. SQLite would keep a copy of each page to take it back. */
    [STORE_KEEP_PAST] =
        "INSERT OR FAIL INTO past(number, id, born, places, payload, died) SELECT "
        "number, id, born, places, payload, ?2 FROM points WHERE number = ?1",
    [STORE_SET_PLACES] = "UPDATE points SET born = ?2, places = ?3 WHERE number = ?1",
    [STORE_SET_POINT] =
        "UPDATE points SET born = ?2, places = ?3, payload = ?4 WHERE number = ?1",
    [STORE_SET_PAYLOAD] = "UPDATE points SET born = ?2, payload = ?3 WHERE number = ?1",
    [STORE_DELETE_POINT] = "DELETE FROM points WHERE number = ?1",
    [STORE_ADD_ROW] = "INSERT INTO vectors(row, number, space, born, bytes, indices) "
                      "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [STORE_DELETE_ROW] = "DELETE FROM vectors WHERE row = ?1",
    [STORE_ADD_DEAD] = "INSERT INTO dead(row, number, space, died) VALUES(?1, ?2, ?3, ?4)",
    [STORE_ADD_LOST] = "INSERT INTO lost(row, died) VALUES(?1, ?2)",
    [STORE_OLDEST_PAST] = "SELECT seq, died FROM past ORDER BY seq LIMIT 1",
    [STORE_DELETE_PAST] = "DELETE FROM past WHERE seq = ?1",
    [STORE_OLDEST_LOST] = "SELECT seq, row, died FROM lost ORDER BY seq LIMIT 1",
    [STORE_DELETE_LOST] = "DELETE FROM lost WHERE seq = ?1",
    [STORE_FORGET_DEAD] =
        "DELETE FROM dead WHERE row BETWEEN ?2 AND ?3 AND space = ?1 AND died <= ?4 AND "
        "died < coalesce((SELECT died FROM lost ORDER BY seq LIMIT 1), ?4 + 1)",
    [STORE_FIND_SPACE] = "SELECT space FROM spaces WHERE name = ?1 AND dropped IS NULL",
    [STORE_ADD_SPACE] = "INSERT INTO spaces(space, dim, name, settings, born) "
                        "VALUES(?1, ?2, ?3, ?4, ?5)",
    [STORE_SET_SPACE] =
        "UPDATE spaces SET settings = ?2 WHERE space = ?1 AND dropped IS NULL",
    [STORE_DROP_SPACE] =
        "UPDATE spaces SET dropped = ?2 WHERE space = ?1 AND dropped IS NULL",
    [STORE_OLDEST_DROPPED] = "SELECT space, purged FROM spaces WHERE dropped <= ?1 LIMIT 1",
    [STORE_NEXT_POINTS] = "SELECT number, places FROM points WHERE number > ?1 "
                          "ORDER BY number LIMIT 1",
    [STORE_STRIP_POINT] = "UPDATE points SET places = ?2 WHERE number = ?1",
    [STORE_SET_PURGED] = "UPDATE spaces SET purged = ?2 WHERE space = ?1",
    [STORE_DELETE_SPACE] = "DELETE FROM spaces WHERE space = ?1",
    [STORE_DELETE_DEAD_SPACE] = "DELETE FROM dead WHERE space = ?1",
    [STORE_PUT_RECORD] =
        "INSERT INTO records(kind, key, version, body) VALUES(?1, ?2, ?3, ?4) "
        "ON CONFLICT(kind, key) DO UPDATE SET version = ?3, body = ?4",
    [STORE_DELETE_RECORD] = "DELETE FROM records WHERE kind = ?1 AND key = ?2",
};

/* ---- opening ---- */

enum hl_code hl_store_create(const char *path, struct hl_err *err)
{
    struct hl_db *db;
    enum hl_code code = hl_db_open(path, HL_DB_CREATE, &db, err);

    if (code != HL_OK)
        return code;
    code = hl_schema_apply(db, &hl_store_schema, true, err);
    hl_db_close(db);
    return code == HL_OK ? hl_dir_sync_above(path, err) : code;
}

/* A transaction that only made points leaves the marks alone (write_marks), so the newest
 * of each tells as well. */
static enum hl_code read_marks(struct hl_store *store, struct hl_err *err)
{
    int64_t commit = 0, last_row = 0, last_number = 0, last_space = 0;
    enum hl_code code = hl_db_ask(store->db,
                                  "SELECT max((SELECT \"commit\" FROM marks), "
                                  "coalesce((SELECT born FROM points ORDER "
                                  "BY number DESC LIMIT 1), 0))",
                                  &commit, err);

    if (code == HL_OK)
        code = hl_db_ask(store->db,
                         "SELECT max((SELECT last_row FROM marks), "
                         "coalesce((SELECT max(row) FROM vectors), 0))",
                         &last_row, err);
    if (code == HL_OK)
        code = hl_db_ask(store->db,
                         "SELECT max((SELECT last_number FROM marks), "
                         "coalesce((SELECT max(number) FROM points), 0))",
                         &last_number, err);
    if (code == HL_OK)
        code = hl_db_ask(store->db, "SELECT last_space FROM marks", &last_space, err);
    if (code != HL_OK)
        return code;
    if (commit < 0 || last_row < 0 || last_number < 0 || last_number > UINT32_MAX ||
        last_space < 0 || last_space > UINT32_MAX)
        return hl_db_fail_damaged(store->db, err, "its marks are out of range");
    store->state = (struct hl_store_state){
        .commit = (uint64_t)commit,
        .last_row = (uint64_t)last_row,
        .last_number = (uint32_t)last_number,
    };
    store->last_space = (uint32_t)last_space;
    return HL_OK;
}

/* In pieces, so that a file with much to remove does not need a log as large as itself. A
 * full disk keeps nobody from reading: what could not be removed waits for the next start.
 */
static enum hl_code clean_all(struct hl_store *store, struct hl_err *err)
{
    bool is_done = false;
    enum hl_code code = HL_OK;

    while (code == HL_OK && !is_done) {
        uint64_t commit = 0;

        code = hl_store_begin(store, &commit, err);
        if (code == HL_OK)
            code = hl_store_clean(store, commit - 1, 20000, &is_done, err);
        if (code == HL_OK)
            code = hl_store_commit(store, &commit, err);
        else
            hl_store_rollback(store);
    }
    return code == HL_DISK_FULL ? HL_OK : code;
}

enum hl_code hl_store_open(const char *path, struct hl_store **ret_store,
                           struct hl_err *err)
{
    struct hl_store *store = hl_alloc_zeroed(1, sizeof *store);
    enum hl_code code;

    if (!store)
        return hl_fail(err, HL_NO_MEMORY, "no memory to open \"%s\"", path);
    code = hl_db_open(path, HL_DB_WRITE, &store->db, err);
    if (code == HL_OK)
        code = hl_schema_apply(store->db, &hl_store_schema, false, err);
    if (code == HL_OK)
        code = read_marks(store, err);
    if (code == HL_OK) {
        hl_stmts_init(&store->stmts, store->db, texts);
        code = hl_reader_new_inside(store->db, &store->inside, err);
    }
    if (code == HL_OK)
        code = clean_all(store, err);
    if (code == HL_OK)
        *ret_store = store;
    else
        hl_store_close(store);
    return code;
}

void hl_store_close(struct hl_store *store)
{
    if (!store)
        return;
    if (store->db)
        hl_store_rollback(store);
    hl_reader_close(store->inside);
    hl_stmts_done(&store->stmts);
    hl_db_close(store->db);
    hl_free(store->logs.births);
    hl_free(store->logs.deaths);
    hl_free(store->logs.touches);
    hl_free(store->old_places.all);
    hl_free(store->new_places.all);
    hl_free(store->packed);
    hl_free(store);
}

void hl_store_state(const struct hl_store *store, struct hl_store_state *ret_state)
{
    *ret_state = store->state;
}

struct hl_reader *hl_store_inside(struct hl_store *store)
{
    return store->inside;
}

enum hl_code hl_store_checkpoint(struct hl_store *store, struct hl_err *err)
{
    return hl_db_checkpoint(store->db, err);
}

/* ---- a transaction ---- */

/* SQLite may have rolled back by itself, and would then take every further statement for a
 * transaction of its own. */
static enum hl_code check_transaction(const struct hl_store *store, struct hl_err *err)
{
    assert(store->is_writing);
    if (store->is_writing && hl_db_is_open(store->db))
        return HL_OK;
    if (store->lost.code != HL_OK) {
        *err = store->lost;
        return hl_err_code(err);
    }
    return hl_fail(err, HL_INTERNAL, "the transaction on \"%s\" is over",
                   hl_db_path(store->db));
}

enum hl_code hl_store_stmt(struct hl_store *store, enum hl_store_stmt which,
                           struct hl_stmt **ret_stmt, struct hl_err *err)
{
    enum hl_code code = check_transaction(store, err);

    if (code == HL_OK)
        code = hl_stmts_get(&store->stmts, which, ret_stmt, err);
    if (code == HL_OK)
        store->has_begun |= hl_stmt_may_write(*ret_stmt);
    return code;
}

enum hl_code hl_store_end_write(struct hl_store *store, enum hl_code code,
                                struct hl_err *err)
{
    if (code == HL_OK)
        store->is_changed = true;
    else if (!hl_db_is_open(store->db) && store->lost.code == HL_OK)
        store->lost = *err;
    return code;
}

static void forget_changes(struct hl_store *store)
{
    store->logs.n_births = store->logs.n_deaths = store->logs.n_touches = 0;
    store->saved_births = store->saved_deaths = store->saved_touches = 0;
}

enum hl_code hl_store_begin(struct hl_store *store, uint64_t *ret_commit,
                            struct hl_err *err)
{
    enum hl_code code;

    assert(!store->is_writing);
    code = hl_db_begin(store->db, err);
    if (code != HL_OK)
        return code;
    code = hl_reader_look_at_spaces(store->inside, err);
    if (code != HL_OK) {
        hl_db_rollback(store->db);
        return code;
    }
    forget_changes(store);
    store->is_writing = true;
    store->is_changed = false;
    store->needs_marks = false;
    store->lost.code = HL_OK;
    store->first_row = store->state.last_row + 1;
    *ret_commit = hl_store_current(store);
    return HL_OK;
}

/* The marks are a page of their own, which is a good part of a small commit. When all a
 * transaction did was to make points, the newest of them says the same, and nothing but a
 * transaction that writes the marks can take it away. */
static enum hl_code write_marks(struct hl_store *store, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code;

    if (!store->needs_marks && store->logs.n_touches > 0)
        return HL_OK;
    code = hl_store_stmt(store, STORE_MARK, &stmt, err);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)hl_store_current(store));
    hl_stmt_int(stmt, 2, (int64_t)store->state.last_row);
    hl_stmt_int(stmt, 3, store->state.last_number);
    hl_stmt_int(stmt, 4, store->last_space);
    return hl_stmt_run(stmt, NULL, err);
}

enum hl_code hl_store_commit(struct hl_store *store, uint64_t *ret_commit,
                             struct hl_err *err)
{
    enum hl_code code = check_transaction(store, err);

    if (code == HL_OK && store->is_changed)
        code = write_marks(store, err);
    if (code == HL_OK)
        code = hl_db_commit(store->db, err);
    if (code != HL_OK) {
        hl_store_rollback(store);
        return code;
    }
    if (store->is_changed)
        store->state.commit = hl_store_current(store);
    store->is_writing = false;
    *ret_commit = store->state.commit;
    return HL_OK;
}

void hl_store_rollback(struct hl_store *store)
{
    hl_db_rollback(store->db);
    store->is_writing = false;
    forget_changes(store);
}

enum hl_code hl_store_mark(struct hl_store *store, struct hl_err *err)
{
    enum hl_code code = check_transaction(store, err);

    if (code != HL_OK)
        return code;
    store->is_saved = false;
    store->saved_births = store->logs.n_births;
    store->saved_deaths = store->logs.n_deaths;
    store->saved_touches = store->logs.n_touches;
    store->has_begun = false;
    return HL_OK;
}

enum hl_code hl_store_save(struct hl_store *store, struct hl_err *err)
{
    enum hl_code code = hl_store_mark(store, err);

    if (code == HL_OK)
        code = hl_db_save(store->db, err);
    store->is_saved = code == HL_OK;
    return code;
}

enum hl_code hl_store_keep(struct hl_store *store, struct hl_err *err)
{
    enum hl_code code = check_transaction(store, err);

    return code == HL_OK && store->is_saved ? hl_db_keep(store->db, err) : code;
}

/* What is only marked was not written to, or cannot be undone. */
static enum hl_code undo_writes(struct hl_store *store, struct hl_err *err)
{
    if (store->is_saved)
        return hl_db_undo(store->db, err);
    if (!store->has_begun)
        return HL_OK;
    return hl_fail(err, HL_CONFLICT, "what was written cannot be undone by itself");
}

enum hl_code hl_store_undo(struct hl_store *store, struct hl_err *err)
{
    enum hl_code code = check_transaction(store, err);

    if (code == HL_OK)
        code = undo_writes(store, err);
    if (code == HL_OK)
        code = hl_reader_look_at_spaces(store->inside, err);
    if (code != HL_OK)
        return code;
    store->logs.n_births = store->saved_births;
    store->logs.n_deaths = store->saved_deaths;
    store->logs.n_touches = store->saved_touches;
    return HL_OK;
}

void hl_store_changes(const struct hl_store *store, struct hl_store_changes *ret_changes)
{
    const struct hl_store_logs *logs = &store->logs;

    *ret_changes = (struct hl_store_changes){
        .births = logs->births,
        .n_births = logs->n_births,
        .deaths = logs->deaths,
        .n_deaths = logs->n_deaths,
        .touches = logs->touches,
        .n_touches = logs->n_touches,
    };
}
