/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_DB_H
#define HL_INDEX_DB_H

#include "proto/deadline.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SQLite under our own words: connections, statements, transactions, copies.
 *
 * A connection and its statements are used by one thread at a time. Files are logged ahead
 * (WAL) in pages of 16 KiB, and a commit is synced before it returns. Memory comes from
 * proto/alloc.h and file access passes the failpoints file.open, file.read, file.write and
 * file.sync, so that tests make SQLite fail as they make everything else fail.
 *
 * HL_DISK_FULL, HL_DAMAGED (with what to do), HL_NO_MEMORY, HL_CONFLICT (another process
 * has it), HL_TIMEOUT and HL_CANCELLED (the deadline), HL_IO: each names the file. */
struct hl_db;
struct hl_stmt;

enum hl_db_mode {
    HL_DB_CREATE, /* must not exist, or be empty */
    HL_DB_WRITE,  /* must exist and hold something; the only writer */
    HL_DB_READ    /* never changes it */
};

enum hl_code hl_db_open(const char *path, enum hl_db_mode mode, struct hl_db **ret_db,
                        struct hl_err *err);

/* Every statement must be freed before. Rolls back. NULL is accepted. */
void hl_db_close(struct hl_db *db);

const char *hl_db_path(const struct hl_db *db); /* good until hl_db_close */
const char *hl_db_version(void);                /* SQLite's, good for ever */

/* What the statements of this connection must be done by; NULL: they may take as long as
 * they like, as at first. Borrowed until it is replaced. */
void hl_db_set_deadline(struct hl_db *db, const struct hl_deadline *deadline);

/* Fixed text of one or more statements without values, and without an answer that matters.
 */
enum hl_code hl_db_exec(struct hl_db *db, const char *sql, struct hl_err *err);

/* The first column of the only row of an answer, such as a pragma's. */
enum hl_code hl_db_ask(struct hl_db *db, const char *sql, int64_t *ret_value,
                       struct hl_err *err);

/* ---- transactions ---- */

/* For writing: the right to write is taken at once. */
enum hl_code hl_db_begin(struct hl_db *db, struct hl_err *err);

/* For reading: the state is fixed at once, not at the first statement. */
enum hl_code hl_db_begin_read(struct hl_db *db, struct hl_err *err);

/* After an error the transaction is rolled back. */
enum hl_code hl_db_commit(struct hl_db *db, struct hl_err *err);
void hl_db_rollback(struct hl_db *db); /* content when there is none */

/* False after SQLite has rolled back by itself, as it may on a full disk. */
bool hl_db_is_open(const struct hl_db *db);

/* One savepoint inside a transaction: set, then kept or undone. */
enum hl_code hl_db_save(struct hl_db *db, struct hl_err *err);
enum hl_code hl_db_keep(struct hl_db *db, struct hl_err *err);
enum hl_code hl_db_undo(struct hl_db *db, struct hl_err *err);

/* ---- statements ---- */

/* Prepared once, kept by the caller, run many times. */
enum hl_code hl_stmt_new(struct hl_db *db, const char *sql, struct hl_stmt **ret_stmt,
                         struct hl_err *err);
void hl_stmt_free(struct hl_stmt *stmt); /* NULL is accepted */
bool hl_stmt_may_write(const struct hl_stmt *stmt);

/* Values for ?1, ?2 … . Text and bytes are borrowed until the statement is run or reset; a
 * NULL pointer is SQL's NULL. What goes wrong is said by the next step. */
void hl_stmt_int(struct hl_stmt *stmt, int at, int64_t value);
void hl_stmt_text(struct hl_stmt *stmt, int at, const char *text, size_t len);
void hl_stmt_blob(struct hl_stmt *stmt, int at, const void *bytes, size_t size);

/* The next row; false after the last one, and the statement is then ready to be bound and
 * run again, as it is after an error and after hl_stmt_reset. */
enum hl_code hl_stmt_step(struct hl_stmt *stmt, bool *ret_has_row, struct hl_err *err);
void hl_stmt_reset(struct hl_stmt *stmt);

/* For what answers nothing: one step, and ready again. *ret_n_changed may be NULL. */
enum hl_code hl_stmt_run(struct hl_stmt *stmt, size_t *ret_n_changed, struct hl_err *err);

/* Columns of the row, from 0. Text comes as bytes too; they are good until the next step or
 * reset, neither aligned nor terminated, and NULL where SQL's is or where there are none.
 */
int64_t hl_stmt_get_int(struct hl_stmt *stmt, int column);
const void *hl_stmt_get_bytes(struct hl_stmt *stmt, int column, size_t *ret_size);

/* ---- the file ---- */

/* Moves what the log holds into the file, as far as readers let it. */
enum hl_code hl_db_checkpoint(struct hl_db *db, struct hl_err *err);

/* A compact, synced copy of what is committed now, in a new file: HL_EXISTS when there is
 * one. After an error there is none. Outside a transaction. */
enum hl_code hl_db_copy(struct hl_db *db, const char *path,
                        const struct hl_deadline *deadline, struct hl_err *err);

/* Reads all of it: HL_DAMAGED with the first thing that is wrong. */
enum hl_code hl_db_check(struct hl_db *db, const struct hl_deadline *deadline,
                         struct hl_err *err);

/* What to do about a damaged file, said in one place: "\"PATH\" is damaged (REASON): …". */
enum hl_code hl_db_fail_damaged(const struct hl_db *db, struct hl_err *err,
                                const char *reason);

#endif
