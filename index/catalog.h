/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_CATALOG_H
#define HL_INDEX_CATALOG_H

#include "proto/err.h"
#include "proto/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names of a data folder: which collections there are, what else they are called, and
 * the jobs that work on them. catalog.db, beside the folder collections/.
 *
 * Every change is one synced transaction. Used by one thread at a time. Names are the
 * server's to judge; here they are text without zero bytes. What a callback is given is
 * good until it returns, and it calls nothing of the catalog. */
struct hl_catalog;

/* Makes catalog.db and collections/ in a folder that has neither. HL_DAMAGED when
 * catalog.db is missing although there are collections: their names would be lost. */
enum hl_code hl_catalog_open(const char *folder, struct hl_catalog **ret_catalog,
                             struct hl_err *err);
void hl_catalog_close(struct hl_catalog *catalog); /* NULL is accepted */

/* Reads everything and says what is wrong first, HL_DAMAGED. */
enum hl_code hl_catalog_check(struct hl_catalog *catalog, struct hl_err *err);

/* A whole, synced copy in a new file. */
enum hl_code hl_catalog_copy(struct hl_catalog *catalog, const char *path,
                             struct hl_err *err);

/* ---- collections ----
 *
 * A collection begins as a folder of its own: prepared, filled by the caller, and
 * published, after which it is there. It ends by its name being withdrawn and, when nobody
 * uses it any more, its folder discarded. A crash in between leaves a folder without a
 * name, which the next start sweeps away. */

struct hl_catalog_collection {
    const char *name;
    struct hl_id uuid;
    int64_t created_ms; /* since 1970 */
};

/* A synced folder with an empty points.db and a folder for segments. */
enum hl_code hl_catalog_prepare(struct hl_catalog *catalog, struct hl_id *ret_uuid,
                                struct hl_err *err);
enum hl_code hl_catalog_publish(struct hl_catalog *catalog,
                                const struct hl_catalog_collection *collection,
                                struct hl_err *err); /* HL_EXISTS: name or alias is taken */

/* With every alias of it. HL_NOT_FOUND; an alias is not a name. */
enum hl_code hl_catalog_withdraw(struct hl_catalog *catalog, const char *name,
                                 struct hl_err *err);

/* In one step `name` means the folder `uuid`, which was prepared; its aliases stay. For
 * recovering a snapshot over what is there. HL_NOT_FOUND. */
enum hl_code hl_catalog_replace(struct hl_catalog *catalog,
                                const struct hl_catalog_collection *collection,
                                struct hl_err *err);
enum hl_code hl_catalog_discard(struct hl_catalog *catalog, const struct hl_id *uuid,
                                struct hl_err *err);

/* FOLDER/collections/UUID[/NAME] into `path`. HL_INVALID when it is too long. */
enum hl_code hl_catalog_path(const struct hl_catalog *catalog, const struct hl_id *uuid,
                             const char *name, char *path, size_t size, struct hl_err *err);

typedef bool hl_catalog_collection_fn(void *self,
                                      const struct hl_catalog_collection *collection);
enum hl_code hl_catalog_collections(struct hl_catalog *catalog,
                                    hl_catalog_collection_fn *each, void *self,
                                    struct hl_err *err); /* by name */

/* At start, before anything is prepared: removes the folders without a name and tells each.
 * HL_DAMAGED when a name has no points.db. */
typedef void hl_catalog_swept_fn(void *self, const char *folder);
enum hl_code hl_catalog_sweep(struct hl_catalog *catalog, hl_catalog_swept_fn *each,
                              void *self, struct hl_err *err);

/* ---- aliases ---- */

enum hl_catalog_alias_verb {
    HL_CATALOG_ALIAS_SET,
    HL_CATALOG_ALIAS_DELETE,
    HL_CATALOG_ALIAS_RENAME
};

struct hl_catalog_alias_action {
    enum hl_catalog_alias_verb verb;
    const char *alias;
    const char
        *to; /* the collection, or the new alias; not read by HL_CATALOG_ALIAS_DELETE */
};

/* All in order, or none. HL_NOT_FOUND: the alias or the collection; HL_EXISTS: a collection
 * is called so. Setting an alias that exists moves it. */
enum hl_code hl_catalog_change_aliases(struct hl_catalog *catalog,
                                       const struct hl_catalog_alias_action *actions,
                                       size_t n, struct hl_err *err);

/* By alias; of every collection, or of the one named. */
typedef bool hl_catalog_alias_fn(void *self, const char *alias, const char *collection);
enum hl_code hl_catalog_aliases(struct hl_catalog *catalog, const char *collection,
                                hl_catalog_alias_fn *each, void *self, struct hl_err *err);

/* ---- jobs ---- */

enum hl_job_state {
    HL_JOB_QUEUED,
    HL_JOB_RUNNING,
    HL_JOB_DONE,
    HL_JOB_FAILED,
    HL_JOB_CANCELLED
};

/* Texts are the server's own, kept as they are; none is NULL. */
struct hl_job {
    uint64_t id; /* rising, never used twice */
    enum hl_job_state state;
    double progress; /* 0 … 1 */
    int64_t created_ms, changed_ms;
    const char *kind, *collection, *request, *phase;
    const char *outcome; /* the result or the error */
};

/* `job->id` is not read. */
enum hl_code hl_catalog_add_job(struct hl_catalog *catalog, const struct hl_job *job,
                                uint64_t *ret_id, struct hl_err *err);

/* State, progress, changed_ms, phase and outcome of the job with this id. HL_NOT_FOUND. */
enum hl_code hl_catalog_set_job(struct hl_catalog *catalog, const struct hl_job *job,
                                struct hl_err *err);

/* Newest first; of one id unless it is 0. */
typedef bool hl_catalog_job_fn(void *self, const struct hl_job *job);
enum hl_code hl_catalog_jobs(struct hl_catalog *catalog, uint64_t id,
                             hl_catalog_job_fn *each, void *self, struct hl_err *err);

/* At start: what was queued or running has failed, with this outcome. */
enum hl_code hl_catalog_recover_jobs(struct hl_catalog *catalog, int64_t now_ms,
                                     const char *outcome, size_t *ret_n,
                                     struct hl_err *err);

/* Forgets the oldest finished ones but `n`. */
enum hl_code hl_catalog_trim_jobs(struct hl_catalog *catalog, size_t n, struct hl_err *err);

#endif
