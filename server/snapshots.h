/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_SNAPSHOTS_H
#define HL_SERVER_SNAPSHOTS_H

#include "index/collection.h"
#include "server/snapshot_folder.h"

/* Collections as files: DATA/snapshots/COLLECTION/NAME.snapshot, and NAME.snapshot.checksum
 * beside it. Handlers for readers' threads: they wait for the disk, however long. */

/* GET and POST /collections/{c}/snapshots */
enum hl_code hl_snapshots_list(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_snapshots_create(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err);

/* The same for who is no request; the folder and the name it got. `name` is what the
 * collection is called by who asks. */
enum hl_code hl_snapshots_take(struct hl_server *server, struct hl_collection *collection,
                               const struct hl_span *name,
                               const struct hl_deadline *deadline,
                               struct hl_snapshot_place *ret_place, struct hl_err *err);

/* GET and DELETE /collections/{c}/snapshots/{snapshot} */
enum hl_code hl_snapshots_download(struct hl_server *server, struct hl_request *request,
                                   struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_snapshots_delete(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err);

/* PUT /collections/{c}/snapshots/recover: from the URL of a file alone. What was there
 * under this name is gone when it answers. */
enum hl_code hl_snapshots_recover(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err);

/* POST /collections/{c}/snapshots/upload: the same from the part `snapshot` of a form. The
 * form is a body like any other, in memory and at most max_request_size_mb large. */
enum hl_code hl_snapshots_upload(struct hl_server *server, struct hl_request *request,
                                 struct hl_reply *reply, struct hl_err *err);

/* GET and POST /snapshots: one archive with a snapshot of every collection, each of a
 * moment of its own, and in its heirloom.json which is which and the aliases. What is
 * deleted while it is made may be left out. While it is made, NAME.snapshot.parts stands
 * beside it and the disk needs room for both. */
enum hl_code hl_snapshots_full_list(struct hl_server *server, struct hl_request *request,
                                    struct hl_reply *reply, struct hl_err *err);
enum hl_code hl_snapshots_full_create(struct hl_server *server, struct hl_request *request,
                                      struct hl_reply *reply, struct hl_err *err);

/* GET and DELETE /snapshots/{snapshot} */
enum hl_code hl_snapshots_full_download(struct hl_server *server,
                                        struct hl_request *request, struct hl_reply *reply,
                                        struct hl_err *err);
enum hl_code hl_snapshots_full_delete(struct hl_server *server, struct hl_request *request,
                                      struct hl_reply *reply, struct hl_err *err);

/* At start: the parts of full snapshots that a crash cut off. */
enum hl_code hl_snapshots_full_sweep(const struct hl_server *server, struct hl_err *err);

#endif
