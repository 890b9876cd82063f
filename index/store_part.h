/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_STORE_PART_H
#define HL_INDEX_STORE_PART_H

#include "index/schema.h"
#include "index/stmts.h"
#include "index/store.h"

/* What the files of the store share; for them alone.
 *
 * points holds each living point's newest state, past the states before it, in the order in
 * which they ended. A reader of commit m takes the state with born <= m, from past if it
 * also has m < died. Vector versions never change: a state lists its rows as packed
 * (row, space) pairs, `places`. lost queues the rows that no state after `died` lists, to
 * be removed once nobody can read them; dead remembers them for the sealed segments. */
extern const struct hl_schema hl_store_schema;

/* Beyond any commit: what the writer itself sees. SQLite's integers are signed. */
#define HL_COMMIT_LAST ((uint64_t)INT64_MAX)

enum { HL_PLACE_BYTES = 12 };

struct hl_places {
    struct hl_store_place *all;
    size_t n;
    size_t room;
};

/* Room for `n` things of `size` bytes in an array (the address of its pointer is handed in)
 * that grows by doubling. */
enum hl_code hl_store_reserve(void *array, size_t *room, size_t n, size_t size,
                              struct hl_err *err);

/* Room for `n`, with what is there kept. */
enum hl_code hl_places_reserve(struct hl_places *places, size_t n, struct hl_err *err);

/* Replaces what is there. False sizes are the file's damage, said by the caller. */
enum hl_code hl_places_unpack(struct hl_places *places, const void *bytes, size_t size,
                              bool *ret_is_sound, struct hl_err *err);
bool hl_places_has_row(const struct hl_places *places, uint64_t row);

/* In the order of spaces; there is room. */
void hl_places_insert(struct hl_places *places, uint32_t space, uint64_t row);
void hl_places_pack(const struct hl_places *places, unsigned char *bytes);

/* ---- the writer ---- */

struct hl_store_logs { /* the arrays that hl_store_changes shows */
    struct hl_store_birth *births;
    struct hl_store_death *deaths;
    struct hl_store_touch *touches;
    size_t n_births, n_deaths, n_touches;
    size_t births_room, deaths_room, touches_room;
};

struct hl_store {
    struct hl_db *db;
    struct hl_stmts stmts;
    struct hl_reader *inside;
    struct hl_store_state state; /* of what is committed, but the numbers only rise */
    uint32_t last_space;
    uint64_t first_row; /* rows from here on were born in this transaction */
    bool is_writing;    /* between begin and commit or rollback */
    bool is_changed;    /* anything at all */
    bool needs_marks;   /* more than points were made: see write_marks */
    struct hl_store_logs logs;
    bool is_saved;  /* a savepoint is open; else what follows is as of the mark */
    bool has_begun; /* to write, since the mark */
    size_t saved_births, saved_deaths, saved_touches;
    struct hl_err lost; /* why SQLite rolled back by itself */
    struct hl_places old_places, new_places;
    unsigned char *packed;
    size_t packed_room;
};

enum hl_store_stmt {
    STORE_MARK,
    STORE_MAKE_POINT,
    STORE_FIND_POINT,
    STORE_GET_POINT,
    STORE_KEEP_PAST,
    STORE_SET_PLACES,
    STORE_SET_POINT,
    STORE_SET_PAYLOAD,
    STORE_DELETE_POINT,
    STORE_ADD_ROW,
    STORE_DELETE_ROW,
    STORE_ADD_DEAD,
    STORE_ADD_LOST,
    STORE_OLDEST_PAST,
    STORE_DELETE_PAST,
    STORE_OLDEST_LOST,
    STORE_DELETE_LOST,
    STORE_FORGET_DEAD,
    STORE_FIND_SPACE,
    STORE_ADD_SPACE,
    STORE_SET_SPACE,
    STORE_DROP_SPACE,
    STORE_OLDEST_DROPPED,
    STORE_NEXT_POINTS,
    STORE_STRIP_POINT,
    STORE_SET_PURGED,
    STORE_DELETE_SPACE,
    STORE_DELETE_DEAD_SPACE,
    STORE_PUT_RECORD,
    STORE_DELETE_RECORD,
    STORE_N_STMTS
};

/* A statement of the open transaction; what the lost one was lost to when there is none. */
enum hl_code hl_store_stmt(struct hl_store *store, enum hl_store_stmt which,
                           struct hl_stmt **ret_stmt, struct hl_err *err);

/* How every write ends: notes that something changed, or that the transaction is lost. */
enum hl_code hl_store_end_write(struct hl_store *store, enum hl_code code,
                                struct hl_err *err);

/* Commit numbers of this transaction. */
static inline uint64_t hl_store_current(const struct hl_store *store)
{
    return store->state.commit + 1;
}

/* ---- the reader ---- */

enum hl_code hl_reader_new_inside(struct hl_db *db, struct hl_reader **ret_reader,
                                  struct hl_err *err);

/* Learns again which spaces live. */
enum hl_code hl_reader_look_at_spaces(struct hl_reader *reader, struct hl_err *err);

struct hl_reader {
    struct hl_db *db;
    struct hl_stmts stmts;
    bool is_inside; /* on the writer's connection, which it must not close */
    bool is_begun;
    uint64_t commit;
    int64_t begun_us; /* by the clock of the scan that runs; 0 when none has looked */
    uint32_t *spaces; /* that live at `commit` */
    size_t n_spaces, spaces_room;
    struct hl_places places;
    char *text; /* what find, get and record answer with */
    size_t text_room;
    void *values; /* what vector answers with */
    size_t values_room;
};

enum hl_reader_stmt {
    READER_FIND,
    READER_FIND_PAST,
    READER_GET,
    READER_GET_PAST,
    READER_VECTOR,
    READER_SCAN_NUMBERS,
    READER_SCAN_NUMBERS_PAST,
    READER_SCAN_IDS,
    READER_SCAN_IDS_PAST,
    READER_ROWS,
    READER_SPACE_ROWS,
    READER_DEATHS,
    READER_SPACES,
    READER_LIVE,
    READER_RECORDS,
    READER_KIND_RECORDS,
    READER_RECORD,
    READER_N_STMTS
};

/* The point in the columns (number, id, born, places, payload) of the row, its payload
 * borrowed from the statement. */
enum hl_code hl_reader_point(struct hl_reader *reader, struct hl_stmt *stmt,
                             struct hl_store_point *ret_point, struct hl_err *err);

/* The vector in the columns from `column` (space, bytes, indices), copied and aligned. */
enum hl_code hl_reader_values(struct hl_reader *reader, struct hl_stmt *stmt, int column,
                              struct hl_store_vector *ret_vector, struct hl_err *err);
bool hl_reader_has_space(const struct hl_reader *reader, uint32_t space);

/* Room for the text buffer; NULL when there is none. */
char *hl_reader_text_room(struct hl_reader *reader, size_t size);

#endif
