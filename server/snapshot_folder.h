/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SNAPSHOT_FOLDER_H
#define HL_SERVER_SNAPSHOT_FOLDER_H

#include "server/request.h"

#include <limits.h>
#include <time.h>

/* The snapshots of one folder, whatever they are of: DATA/snapshots/COLLECTION has those of
 * a collection, DATA/full-snapshots those of everything. Beside NAME.snapshot stands
 * NAME.snapshot.checksum. For snapshots.c and snapshots_full.c, on readers' threads: it all
 * waits for the disk. */
enum { HL_SNAPSHOT_NAME = 200 };

/* Of the collection, or of everything when `collection` is NULL. `make` makes it, too. */
enum hl_code hl_snapshot_folder_path(const struct hl_server *server,
                                     const struct hl_span *collection,
                                     char folder[PATH_MAX], struct hl_err *err);
enum hl_code hl_snapshot_folder_make(const struct hl_server *server,
                                     const struct hl_span *collection,
                                     char folder[PATH_MAX], struct hl_err *err);

/* Where one is. */
struct hl_snapshot_place {
    char folder[PATH_MAX];
    char name[HL_SNAPSHOT_NAME];
};

/* FOLDER/NAME */
enum hl_code hl_snapshot_folder_join(const char *folder, const char *name,
                                     char path[PATH_MAX], struct hl_err *err);

/* As Qdrant's: what it is of, a number, the moment. The number is that of milliseconds, so
 * that two of one second differ. Long names are cut where a character ends. */
void hl_snapshot_folder_name(const struct hl_span *prefix, const struct timespec *now,
                             char name[HL_SNAPSHOT_NAME]);

/* A gallery takes as long as it takes: only who goes away or a server that stops ends it,
 * not the time that other requests are given. */
struct hl_deadline hl_snapshot_patience(const struct hl_request *request);

/* A SnapshotDescription of the one, and the whole reply for all. */
enum hl_code hl_snapshot_folder_show(const char *folder, const char *name,
                                     struct hl_buf *buf, struct hl_err *err);
enum hl_code hl_snapshot_folder_list(const char *folder, const struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err);

/* The names come from outside: HL_NOT_FOUND for what is none of a snapshot. */
enum hl_code hl_snapshot_folder_download(const char *folder, const char *name,
                                         struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_snapshot_folder_delete(const char *folder, const char *name,
                                       struct hl_err *err);

#endif
