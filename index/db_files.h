/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_DB_FILES_H
#define HL_INDEX_DB_FILES_H

#include "proto/err.h"

/* How SQLite comes to its memory and its files: ours, so that tests can make both fail.
 *
 * For db.c alone; the two are SQLite's one home. */

/* The name of the file system to open with. */
#define HL_DB_FILES "heirloom"

/* Before the first connection, and harmless after it. Any thread. HL_NO_MEMORY. */
enum hl_code hl_db_start(struct hl_err *err);

#endif
