/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_STORE_H
#define HL_INDEX_STORE_H

#include "proto/deadline.h"
#include "proto/err.h"
#include "proto/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One collection's points.db: what must survive.
 *
 * A write transaction has a number, its commit, one more than the one before. A point's
 * state is kept in versions, so that a reader that fixed commit m sees exactly what was
 * there at m, however much is written meanwhile. `Number` is a point's for as long as it
 * lives and never another's; `row` is one stored vector version, rising, never used twice,
 * and never changed. `Space` is the internal id of a named vector, never used twice either.
 *
 * A store is the one writer of its file and used by one thread at a time; a reader is used
 * by one thread at a time, and there may be any number of them beside the writer. Nothing
 * below calls back into the store or the reader that called it, unless it says so.
 *
 * Any error of a write leaves the transaction fit for nothing but hl_store_undo (when a
 * savepoint is open) or hl_store_rollback. HL_DISK_FULL, HL_IO and HL_NO_MEMORY may cost
 * the whole transaction: hl_store_undo then fails as well, and so does all else until
 * hl_store_rollback. What was committed stays. */
struct hl_store;

/* Makes an empty points.db. HL_EXISTS when there is one. The folder must exist; it is
 * synced, so that the file survives a crash once this returns. */
enum hl_code hl_store_create(const char *path, struct hl_err *err);

/* Upgrades an older file in place. HL_NOT_FOUND, HL_DAMAGED, HL_NEWER_FORMAT as they say.
 * Old versions that nobody can read any more are removed. */
enum hl_code hl_store_open(const char *path, struct hl_store **ret_store,
                           struct hl_err *err);
void hl_store_close(struct hl_store *store); /* NULL is accepted; rolls back */

/* What is committed. */
struct hl_store_state {
    uint64_t commit;      /* 0 before the first */
    uint64_t last_row;    /* 0 when none was ever given */
    uint32_t last_number; /* likewise: numbers are 1 … UINT32_MAX */
};
void hl_store_state(const struct hl_store *store, struct hl_store_state *ret_state);

/* ---- a transaction ---- */

/* Everything up to hl_store_commit is commit `*ret_commit`. */
enum hl_code hl_store_begin(struct hl_store *store, uint64_t *ret_commit,
                            struct hl_err *err);

/* After HL_OK it is synced. After an error nothing of it is there, and no other call is
 * needed. A transaction that changed nothing uses up no commit: *ret_commit is then the one
 * before. */
enum hl_code hl_store_commit(struct hl_store *store, uint64_t *ret_commit,
                             struct hl_err *err);
void hl_store_rollback(struct hl_store *store); /* content without a transaction too */

/* One request of a group: save or mark, its writes, then keep or undo. They do not nest. A
 * save costs a copy of every page that is written behind it. A mark costs nothing, but
 * hl_store_undo succeeds only where no write was begun since: HL_CONFLICT where one was,
 * and the transaction is to be rolled back. */
enum hl_code hl_store_save(struct hl_store *store, struct hl_err *err);
enum hl_code hl_store_mark(struct hl_store *store, struct hl_err *err);
enum hl_code hl_store_keep(struct hl_store *store, struct hl_err *err);
enum hl_code hl_store_undo(struct hl_store *store, struct hl_err *err);

/* ---- what a transaction did, for those who keep the same in memory ---- */

struct hl_store_vector {
    uint32_t space;
    uint32_t n;              /* values, and indices where there are any */
    const float *values;     /* finite; a Cosine one normalised by the caller */
    const uint32_t *indices; /* ascending; NULL for a dense vector */
};

struct hl_store_birth {
    uint64_t row;
    uint32_t number;
    struct hl_store_vector vector; /* as it was handed in: good as long as the caller's */
};

struct hl_store_death {
    uint64_t row;
    uint32_t number;
    uint32_t space;
};

enum hl_store_event { HL_STORE_MADE, HL_STORE_CHANGED, HL_STORE_DELETED };

struct hl_store_touch {
    uint32_t number;
    enum hl_store_event event;
    bool has_payload_changed; /* of HL_STORE_CHANGED */
    struct hl_id id;
};

/* In the order of the calls since hl_store_begin, without what was undone. A row may be
 * born and die in one transaction. Good until the next write, commit or rollback;
 * `n_births` and so on before a call say where what it did begins. */
struct hl_store_changes {
    const struct hl_store_birth *births;
    size_t n_births;
    const struct hl_store_death *deaths;
    size_t n_deaths;
    const struct hl_store_touch *touches;
    size_t n_touches;
};
void hl_store_changes(const struct hl_store *store, struct hl_store_changes *ret_changes);

/* ---- points ---- */

/* Text of JSON as it came, stored as it is; NULL is no payload. */
struct hl_store_payload {
    const char *text;
    size_t len;
};

/* Makes the point, or replaces payload and vectors of the one with this id. The spaces
 * exist, each at most once: the caller has checked them and the sizes. HL_CONFLICT when the
 * numbers are used up. */
struct hl_store_content {
    struct hl_store_payload payload;
    const struct hl_store_vector *vectors;
    size_t n_vectors;
};
enum hl_code hl_store_upsert(struct hl_store *store, const struct hl_id *id,
                             const struct hl_store_content *content, uint32_t *ret_number,
                             struct hl_err *err);

/* These take a number that is alive in this transaction, as hl_reader_find inside it says.
 * HL_NOT_FOUND otherwise, with nothing changed. */
enum hl_code hl_store_set_payload(struct hl_store *store, uint32_t number,
                                  const struct hl_store_payload *payload,
                                  struct hl_err *err);
enum hl_code hl_store_put_vectors(struct hl_store *store, uint32_t number,
                                  const struct hl_store_vector *vectors, size_t n_vectors,
                                  struct hl_err *err);
enum hl_code hl_store_drop_vectors(struct hl_store *store, uint32_t number,
                                   const uint32_t *spaces, size_t n_spaces,
                                   struct hl_err *err);
enum hl_code hl_store_delete(struct hl_store *store, uint32_t number, struct hl_err *err);

/* ---- spaces ---- */

/* `settings` is the server's own text (distance, what it echoes), kept as it is. */
struct hl_store_space {
    uint32_t space;
    uint32_t dim; /* 0: sparse */
    const char *name;
    const char *settings;
};

/* HL_EXISTS when a live space has the name. `space->space` is not read. */
enum hl_code hl_store_add_space(struct hl_store *store, const struct hl_store_space *space,
                                uint32_t *ret_space, struct hl_err *err);
enum hl_code hl_store_set_space(struct hl_store *store, uint32_t space,
                                const char *settings, struct hl_err *err);

/* At once for later commits; its rows go by and by in hl_store_clean. The points keep their
 * other vectors, and no deaths are reported: the whole space has died. */
enum hl_code hl_store_drop_space(struct hl_store *store, uint32_t space,
                                 struct hl_err *err);

/* ---- records: the server's own objects ---- */

/* Kept in one version, the newest: whoever needs an older one keeps it in memory. Payload
 * index definitions and the manifest of segments are records like any other. */
struct hl_store_record {
    const char *kind;
    const char *key;
    uint64_t version; /* the commit that wrote it */
    const void *body;
    size_t size;
};

enum hl_code hl_store_put_record(struct hl_store *store, const char *kind, const char *key,
                                 const void *body, size_t size, struct hl_err *err);

/* *ret_existed says whether there was one. */
enum hl_code hl_store_delete_record(struct hl_store *store, const char *kind,
                                    const char *key, bool *ret_existed, struct hl_err *err);

/* ---- rows that died ---- */

/* A row that died is remembered, so that a sealed segment that holds it can be told at
 * start. Forgets those of a space with first <= row <= last that died at `until` or before:
 * for the transaction behind which no file has a row of that range that died by then. */
enum hl_code hl_store_forget_deaths(struct hl_store *store, uint32_t space, uint64_t first,
                                    uint64_t last, uint64_t until, struct hl_err *err);

/* Removes up to `limit` old versions that no reader of commit `oldest` or later can see.
 * `oldest`: the oldest commit that is fixed or may still be. *ret_is_done: none was left.
 * Belongs into a transaction that has other work, or into one of its own. */
enum hl_code hl_store_clean(struct hl_store *store, uint64_t oldest, size_t limit,
                            bool *ret_is_done, struct hl_err *err);

/* ---- the file ---- */

/* Moves what the log holds into the file, as far as readers let it. Outside a transaction.
 */
enum hl_code hl_store_checkpoint(struct hl_store *store, struct hl_err *err);

/* ---- reading ---- */

struct hl_reader;

/* A connection of its own; keep some and hand them round. The store must be open. */
enum hl_code hl_reader_open(const char *path, struct hl_reader **ret_reader,
                            struct hl_err *err);
void hl_reader_close(struct hl_reader *reader); /* NULL is accepted */

/* The reader that sees the store's transaction as it stands, for those who must read before
 * they write. Good until hl_store_close, only between begin and commit, and needs neither
 * hl_reader_begin nor hl_reader_end. */
struct hl_reader *hl_store_inside(struct hl_store *store);

/* From now on the reader sees commit `commit`, which must be published already and must not
 * be cleaned away (the caller keeps it registered). Holds back the log, so it should end
 * within a second; the scans below renew by themselves. */
enum hl_code hl_reader_begin(struct hl_reader *reader, uint64_t commit, struct hl_err *err);
enum hl_code hl_reader_renew(struct hl_reader *reader, struct hl_err *err);
void hl_reader_end(struct hl_reader *reader);

struct hl_store_place {
    uint64_t row;
    uint32_t space;
};

/* A point as it is at the reader's commit. */
struct hl_store_point {
    uint32_t number;
    struct hl_id id;
    uint64_t born; /* the commit that brought this state */
    struct hl_store_payload payload;
    const struct hl_store_place *places; /* its vectors, by space */
    size_t n_places;
};

/* HL_NOT_FOUND when there is none. What they give is good until the reader's next call. */
enum hl_code hl_reader_find(struct hl_reader *reader, const struct hl_id *id,
                            struct hl_store_point *ret_point, struct hl_err *err);
enum hl_code hl_reader_get(struct hl_reader *reader, uint32_t number,
                           struct hl_store_point *ret_point, struct hl_err *err);

/* The values of a row, which must be one that a point's places named: HL_DAMAGED if it is
 * not there. Aligned. Good until the reader's next hl_reader_vector: places stay good. */
enum hl_code hl_reader_vector(struct hl_reader *reader, uint64_t row,
                              struct hl_store_vector *ret_vector, struct hl_err *err);

/* Called for each; what it is given is good until it returns. It may call hl_reader_vector
 * of the same reader and nothing else of it. False ends the scan, which is then HL_OK. */
typedef bool hl_reader_point_fn(void *self, const struct hl_store_point *point);

enum hl_reader_order {
    HL_READ_BY_NUMBER, /* faster: the order of the file */
    HL_READ_BY_ID      /* the order of scrolling */
};

struct hl_reader_scan {
    enum hl_reader_order order;
    const struct hl_id
        *from_id;         /* by id: this one and those behind it; NULL from the first */
    uint32_t from_number; /* by number: likewise; 0 from the first */
    const struct hl_deadline *deadline;
};

/* Every live point once. Renews about twice a second. */
enum hl_code hl_reader_scan(struct hl_reader *reader, const struct hl_reader_scan *scan,
                            hl_reader_point_fn *each, void *self, struct hl_err *err);

struct hl_store_row {
    uint64_t row;
    uint32_t number;
    uint64_t born;
    struct hl_store_vector vector;
};

typedef bool hl_reader_row_fn(void *self, const struct hl_store_row *row);

/* The rows behind `after` up to `last` that live at the reader's commit, rising; of one
 * space, or of every live one when `space` is 0. For tails at start, and for sealing and
 * merging. */
struct hl_reader_rows {
    uint32_t space;
    uint64_t after;
    uint64_t last; /* UINT64_MAX: all there are */
    const struct hl_deadline *deadline;
};
enum hl_code hl_reader_rows(struct hl_reader *reader, const struct hl_reader_rows *rows,
                            hl_reader_row_fn *each, void *self, struct hl_err *err);

/* Rows that died at the reader's commit or before and are not forgotten, rising. */
typedef bool hl_reader_death_fn(void *self, const struct hl_store_death *death,
                                uint64_t died);
enum hl_code hl_reader_deaths(struct hl_reader *reader, hl_reader_death_fn *each,
                              void *self, struct hl_err *err);

/* Live spaces at the reader's commit, in the order they were made. */
typedef bool hl_reader_space_fn(void *self, const struct hl_store_space *space);
enum hl_code hl_reader_spaces(struct hl_reader *reader, hl_reader_space_fn *each,
                              void *self, struct hl_err *err);

/* Records of a kind in the order of their keys, or of every kind when it is NULL. Records
 * are not versioned by commit: the reader sees those of its newest renewal. */
typedef bool hl_reader_record_fn(void *self, const struct hl_store_record *record);
enum hl_code hl_reader_records(struct hl_reader *reader, const char *kind,
                               hl_reader_record_fn *each, void *self, struct hl_err *err);

/* HL_NOT_FOUND when there is none. Good until the reader's next call. */
enum hl_code hl_reader_record(struct hl_reader *reader, const char *kind, const char *key,
                              struct hl_store_record *ret_record, struct hl_err *err);

/* A whole, compact, synced copy in a new file, of the reader's file as it is now: whatever
 * is committed by then is in it, older versions too. Outside hl_reader_begin. Holds the log
 * back for as long as it takes. */
enum hl_code hl_reader_copy(struct hl_reader *reader, const char *path,
                            const struct hl_deadline *deadline, struct hl_err *err);

/* Reads everything and says what is wrong first, HL_DAMAGED. Outside hl_reader_begin. */
enum hl_code hl_reader_check(struct hl_reader *reader, const struct hl_deadline *deadline,
                             struct hl_err *err);

#endif
