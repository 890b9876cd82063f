/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SCHEMA_H
#define HL_INDEX_SCHEMA_H

#include "index/db.h"

/* What a database of ours looks like, and the way there from every older look.
 *
 * A file says what it is (SQLite's application_id) and how far it has come (user_version).
 * Step n brings it from version n to n + 1; version 0 is empty. A step that was released is
 * never edited: what changes is a step more. Plain data, shared by all threads. */
struct hl_schema {
    const char *what; /* such as "a points database" */
    int32_t application;
    const char *const *steps; /* statements */
    int n_steps;              /* = the version this build writes */
};

/* Takes a new or older file all the way, in one transaction: after a failure it is as it
 * was. HL_NEWER_FORMAT when a later heirloom wrote it, HL_BAD_FILE when it is something
 * else. An empty database is only taken when `may_be_new`. */
enum hl_code hl_schema_apply(struct hl_db *db, const struct hl_schema *schema,
                             bool may_be_new, struct hl_err *err);

/* For a connection that only reads: HL_CONFLICT when it is not of this version yet. */
enum hl_code hl_schema_check(struct hl_db *db, const struct hl_schema *schema,
                             struct hl_err *err);

#endif
