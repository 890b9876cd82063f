/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_STMTS_H
#define HL_INDEX_STMTS_H

#include "index/db.h"

/* A table of statements over one connection, each prepared when it is first asked for.
 *
 * Used by the thread that uses the connection. `texts` outlives it. */
#define HL_STMTS_MAX 32

struct hl_stmts {
    struct hl_db *db;
    const char *const *texts; /* at most HL_STMTS_MAX */
    struct hl_stmt *all[HL_STMTS_MAX];
};

void hl_stmts_init(struct hl_stmts *stmts, struct hl_db *db, const char *const *texts);
void hl_stmts_done(struct hl_stmts *stmts); /* before the connection is closed */

/* Ready to be bound. Good until hl_stmts_done. */
enum hl_code hl_stmts_get(struct hl_stmts *stmts, int which, struct hl_stmt **ret_stmt,
                          struct hl_err *err);

#endif
