/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_CATALOG_PART_H
#define HL_INDEX_CATALOG_PART_H

#include "index/catalog.h"
#include "index/schema.h"
#include "index/stmts.h"
#include "proto/buf.h"

/* What the files of the catalog share; for them alone. */
extern const struct hl_schema hl_catalog_schema;

struct hl_catalog {
    struct hl_db *db;
    struct hl_stmts stmts;
    char *folder;
    struct hl_buf text; /* what the callbacks are given */
};

enum hl_catalog_stmt {
    CATALOG_ADD,
    CATALOG_REMOVE,
    CATALOG_REMOVE_ALIASES,
    CATALOG_REPLACE,
    CATALOG_LIST,
    CATALOG_HAS,
    CATALOG_HAS_UUID,
    CATALOG_HAS_ALIAS,
    CATALOG_SET_ALIAS,
    CATALOG_DELETE_ALIAS,
    CATALOG_RENAME_ALIAS,
    CATALOG_LIST_ALIASES,
    CATALOG_ADD_JOB,
    CATALOG_SET_JOB,
    CATALOG_LIST_JOBS,
    CATALOG_RECOVER_JOBS,
    CATALOG_TRIM_JOBS,
    CATALOG_N_STMTS
};

enum hl_code hl_catalog_stmt(struct hl_catalog *catalog, enum hl_catalog_stmt which,
                             struct hl_stmt **ret_stmt, struct hl_err *err);

/* Ends a transaction that was begun: committed after HL_OK, else rolled back. */
enum hl_code hl_catalog_end(struct hl_catalog *catalog, enum hl_code code,
                            struct hl_err *err);

/* The first columns of the row as terminated texts. */
enum hl_code hl_catalog_texts(struct hl_catalog *catalog, struct hl_stmt *stmt, size_t n,
                              const char **ret_texts, struct hl_err *err);

void hl_catalog_bind(struct hl_stmt *stmt, int at, const char *text);

#endif
