/* SPDX-License-Identifier: Apache-2.0 */
#include "index/store_part.h"

#include "proto/alloc.h"

#include <assert.h>
#include <string.h>

#define POINT "number, id, born, places, payload"

static_assert(READER_N_STMTS <= HL_STMTS_MAX, "more statements than there is room for");

static const char *const texts[READER_N_STMTS] = {
    [READER_FIND] = "SELECT " POINT " FROM points WHERE id = ?1",
    [READER_FIND_PAST] =
        "SELECT " POINT " FROM past WHERE id = ?1 AND born <= ?2 AND died > ?2",
    [READER_GET] = "SELECT " POINT " FROM points WHERE number = ?1",
    [READER_GET_PAST] =
        "SELECT " POINT " FROM past WHERE number = ?1 AND born <= ?2 AND died > ?2",
    [READER_VECTOR] = "SELECT space, bytes, indices FROM vectors WHERE row = ?1",
    [READER_SCAN_NUMBERS] =
        "SELECT " POINT " FROM points WHERE number >= ?1 AND born <= ?2 "
        "ORDER BY number",
    [READER_SCAN_NUMBERS_PAST] =
        "SELECT " POINT " FROM past INDEXED BY past_numbers WHERE number >= ?1 AND "
        "born <= ?2 AND died > ?2 ORDER BY number",
    [READER_SCAN_IDS] =
        "SELECT " POINT " FROM points WHERE id >= ?1 AND born <= ?2 ORDER BY id",
    [READER_SCAN_IDS_PAST] =
        "SELECT " POINT " FROM past INDEXED BY past_ids WHERE id >= ?1 "
        "AND born <= ?2 AND died > ?2 ORDER BY id",
    [READER_ROWS] =
        "SELECT row, v.number, born, v.space, bytes, indices FROM vectors v "
        "LEFT JOIN dead USING(row) WHERE row > ?1 AND row <= ?2 AND born <= ?3 AND "
        "(died IS NULL OR died > ?3) ORDER BY row",
    [READER_SPACE_ROWS] =
        "SELECT row, v.number, born, v.space, bytes, indices FROM vectors v "
        "LEFT JOIN dead USING(row) WHERE row > ?1 AND row <= ?2 AND born <= ?3 AND "
        "v.space = ?4 AND (died IS NULL OR died > ?3) ORDER BY row",
    [READER_DEATHS] = "SELECT row, number, space, died FROM dead WHERE died <= ?1 "
                      "ORDER BY row",
    [READER_SPACES] = "SELECT space, dim, name, settings FROM spaces WHERE born <= ?1 AND "
                      "(dropped IS NULL OR dropped > ?1) ORDER BY space",
    [READER_LIVE] = "SELECT space FROM spaces WHERE born <= ?1 AND "
                    "(dropped IS NULL OR dropped > ?1) ORDER BY space",
    [READER_RECORDS] = "SELECT kind, key, version, body FROM records ORDER BY kind, key",
    [READER_KIND_RECORDS] =
        "SELECT kind, key, version, body FROM records WHERE kind = ?1 ORDER BY key",
    [READER_RECORD] =
        "SELECT kind, key, version, body FROM records WHERE kind = ?1 AND key = ?2",
};

/* ---- opening ---- */

enum hl_code hl_reader_new_inside(struct hl_db *db, struct hl_reader **ret_reader,
                                  struct hl_err *err)
{
    struct hl_reader *reader = hl_alloc_zeroed(1, sizeof *reader);

    if (!reader)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"", hl_db_path(db));
    reader->db = db;
    reader->is_inside = true;
    reader->is_begun = true;
    reader->commit = HL_COMMIT_LAST;
    hl_stmts_init(&reader->stmts, db, texts);
    *ret_reader = reader;
    return HL_OK;
}

enum hl_code hl_reader_open(const char *path, struct hl_reader **ret_reader,
                            struct hl_err *err)
{
    struct hl_reader *reader = NULL;
    struct hl_db *db;
    enum hl_code code = hl_db_open(path, HL_DB_READ, &db, err);

    if (code != HL_OK)
        return code;
    code = hl_schema_check(db, &hl_store_schema, err);
    if (code == HL_OK)
        code = hl_reader_new_inside(db, &reader, err);
    if (code != HL_OK) {
        hl_db_close(db);
        return code;
    }
    reader->is_inside = false;
    reader->is_begun = false;
    *ret_reader = reader;
    return HL_OK;
}

void hl_reader_close(struct hl_reader *reader)
{
    if (!reader)
        return;
    hl_stmts_done(&reader->stmts);
    if (!reader->is_inside)
        hl_db_close(reader->db);
    hl_free(reader->spaces);
    hl_free(reader->places.all);
    hl_free(reader->text);
    hl_free(reader->values);
    hl_free(reader);
}

/* ---- a transaction ---- */

enum hl_code hl_reader_look_at_spaces(struct hl_reader *reader, struct hl_err *err)
{
    struct hl_stmt *stmt;
    bool has_space = true;
    enum hl_code code = hl_stmts_get(&reader->stmts, READER_LIVE, &stmt, err);

    if (code != HL_OK)
        return code;
    reader->n_spaces = 0;
    hl_stmt_int(stmt, 1, (int64_t)reader->commit);
    while ((code = hl_stmt_step(stmt, &has_space, err)) == HL_OK && has_space) {
        code = hl_store_reserve(&reader->spaces, &reader->spaces_room, reader->n_spaces + 1,
                                sizeof *reader->spaces, err);
        if (code != HL_OK)
            break;
        reader->spaces[reader->n_spaces++] = (uint32_t)hl_stmt_get_int(stmt, 0);
    }
    hl_stmt_reset(stmt);
    return code;
}

bool hl_reader_has_space(const struct hl_reader *reader, uint32_t space)
{
    for (size_t i = 0; i < reader->n_spaces; i++)
        if (reader->spaces[i] == space)
            return true;
    return false;
}

enum hl_code hl_reader_begin(struct hl_reader *reader, uint64_t commit, struct hl_err *err)
{
    enum hl_code code;

    assert(!reader->is_begun);
    code = hl_db_begin_read(reader->db, err);
    if (code != HL_OK)
        return code;
    reader->is_begun = true;
    reader->commit = commit;
    reader->begun_us = 0;
    code = hl_reader_look_at_spaces(reader, err);
    if (code != HL_OK)
        hl_reader_end(reader);
    return code;
}

enum hl_code hl_reader_renew(struct hl_reader *reader, struct hl_err *err)
{
    assert(reader->is_begun);
    if (reader->is_inside)
        return HL_OK;
    hl_reader_end(reader);
    return hl_reader_begin(reader, reader->commit, err);
}

void hl_reader_end(struct hl_reader *reader)
{
    if (reader->is_inside)
        return;
    hl_db_rollback(reader->db);
    reader->is_begun = false;
}

/* ---- points ---- */

char *hl_reader_text_room(struct hl_reader *reader, size_t size)
{
    struct hl_err err;

    return hl_store_reserve(&reader->text, &reader->text_room, size + 1, 1, &err) == HL_OK
               ? reader->text
               : NULL;
}

static void leave_live(struct hl_reader *reader)
{
    struct hl_places *places = &reader->places;
    size_t n = 0;

    for (size_t i = 0; i < places->n; i++)
        if (hl_reader_has_space(reader, places->all[i].space))
            places->all[n++] = places->all[i];
    places->n = n;
}

enum hl_code hl_reader_point(struct hl_reader *reader, struct hl_stmt *stmt,
                             struct hl_store_point *ret_point, struct hl_err *err)
{
    struct hl_store_point point = {.number = (uint32_t)hl_stmt_get_int(stmt, 0),
                                   .born = (uint64_t)hl_stmt_get_int(stmt, 2)};
    size_t size;
    const void *bytes = hl_stmt_get_bytes(stmt, 1, &size);
    bool is_sound = bytes && hl_id_decode(bytes, size, &point.id);
    enum hl_code code = HL_OK;

    if (is_sound) {
        bytes = hl_stmt_get_bytes(stmt, 3, &size);
        code = hl_places_unpack(&reader->places, bytes, size, &is_sound, err);
    }
    if (code == HL_OK && !is_sound)
        code = hl_db_fail_damaged(reader->db, err, "a point cannot be read");
    if (code != HL_OK)
        return code;
    leave_live(reader);
    point.places = reader->places.all;
    point.n_places = reader->places.n;
    point.payload.text = hl_stmt_get_bytes(stmt, 4, &point.payload.len);
    *ret_point = point;
    return HL_OK;
}

/* One step of a statement that looks for one point. */
static enum hl_code look(struct hl_reader *reader, struct hl_stmt *stmt, bool *ret_found,
                         struct hl_store_point *ret_point, struct hl_err *err)
{
    bool has_row;
    enum hl_code code = hl_stmt_step(stmt, &has_row, err);

    *ret_found = false;
    if (code != HL_OK || !has_row)
        return code;
    if ((uint64_t)hl_stmt_get_int(stmt, 2) <= reader->commit) {
        struct hl_store_point point;
        char *text = NULL;

        code = hl_reader_point(reader, stmt, &point, err);
        if (code == HL_OK && point.payload.text) {
            text = hl_reader_text_room(reader, point.payload.len);
            if (text)
                memcpy(text, point.payload.text, point.payload.len);
            else
                code = hl_fail(err, HL_NO_MEMORY, "no memory for a payload");
        }
        if (code == HL_OK) {
            point.payload.text = text;
            *ret_point = point;
            *ret_found = true;
        }
    }
    hl_stmt_reset(stmt);
    return code;
}

static enum hl_code fail_missing(struct hl_err *err)
{
    return hl_fail(err, HL_NOT_FOUND, "there is no such point");
}

enum hl_code hl_reader_find(struct hl_reader *reader, const struct hl_id *id,
                            struct hl_store_point *ret_point, struct hl_err *err)
{
    static const enum hl_reader_stmt stages[] = {READER_FIND, READER_FIND_PAST};
    uint8_t encoded[HL_ID_ENCODED_MAX];
    const size_t size = hl_id_encode(id, encoded);
    bool is_found = false;

    assert(reader->is_begun);
    for (int i = 0; i < (reader->is_inside ? 1 : 2) && !is_found; i++) {
        struct hl_stmt *stmt;
        enum hl_code code = hl_stmts_get(&reader->stmts, (int)stages[i], &stmt, err);

        if (code != HL_OK)
            return code;
        hl_stmt_blob(stmt, 1, encoded, size);
        if (i == 1)
            hl_stmt_int(stmt, 2, (int64_t)reader->commit);
        code = look(reader, stmt, &is_found, ret_point, err);
        if (code != HL_OK)
            return code;
    }
    return is_found ? HL_OK : fail_missing(err);
}

enum hl_code hl_reader_get(struct hl_reader *reader, uint32_t number,
                           struct hl_store_point *ret_point, struct hl_err *err)
{
    static const enum hl_reader_stmt stages[] = {READER_GET, READER_GET_PAST};
    bool is_found = false;

    assert(reader->is_begun);
    for (int i = 0; i < (reader->is_inside ? 1 : 2) && !is_found; i++) {
        struct hl_stmt *stmt;
        enum hl_code code = hl_stmts_get(&reader->stmts, (int)stages[i], &stmt, err);

        if (code != HL_OK)
            return code;
        hl_stmt_int(stmt, 1, number);
        if (i == 1)
            hl_stmt_int(stmt, 2, (int64_t)reader->commit);
        code = look(reader, stmt, &is_found, ret_point, err);
        if (code != HL_OK)
            return code;
    }
    return is_found ? HL_OK : fail_missing(err);
}

/* ---- vectors ---- */

enum hl_code hl_reader_values(struct hl_reader *reader, struct hl_stmt *stmt, int column,
                              struct hl_store_vector *ret_vector, struct hl_err *err)
{
    size_t size, indices_size;
    const void *bytes = hl_stmt_get_bytes(stmt, column + 1, &size);
    const void *indices = hl_stmt_get_bytes(stmt, column + 2, &indices_size);
    char *room;
    enum hl_code code;

    if (size % sizeof(float) != 0 || size / sizeof(float) > UINT32_MAX ||
        (indices && indices_size != size))
        return hl_db_fail_damaged(reader->db, err, "a vector cannot be read");
    code = hl_store_reserve(&reader->values, &reader->values_room, size + indices_size + 1,
                            1, err);
    if (code != HL_OK)
        return code;
    room = reader->values;
    if (size)
        memcpy(room, bytes, size);
    if (indices)
        memcpy(room + size, indices, indices_size);
    *ret_vector = (struct hl_store_vector){
        .space = (uint32_t)hl_stmt_get_int(stmt, column),
        .n = (uint32_t)(size / sizeof(float)),
        .values = reader->values,
        .indices = indices ? (const void *)(room + size) : NULL,
    };
    return HL_OK;
}

enum hl_code hl_reader_vector(struct hl_reader *reader, uint64_t row,
                              struct hl_store_vector *ret_vector, struct hl_err *err)
{
    struct hl_stmt *stmt;
    bool has_row = false;
    enum hl_code code = hl_stmts_get(&reader->stmts, READER_VECTOR, &stmt, err);

    assert(reader->is_begun);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)row);
    code = hl_stmt_step(stmt, &has_row, err);
    if (code == HL_OK && !has_row)
        code = hl_db_fail_damaged(reader->db, err, "a vector of a point is missing");
    else if (code == HL_OK)
        code = hl_reader_values(reader, stmt, 0, ret_vector, err);
    hl_stmt_reset(stmt);
    return code;
}

/* ---- the file ---- */

enum hl_code hl_reader_copy(struct hl_reader *reader, const char *path,
                            const struct hl_deadline *deadline, struct hl_err *err)
{
    assert(!reader->is_begun);
    return hl_db_copy(reader->db, path, deadline, err);
}

enum hl_code hl_reader_check(struct hl_reader *reader, const struct hl_deadline *deadline,
                             struct hl_err *err)
{
    assert(!reader->is_begun);
    return hl_db_check(reader->db, deadline, err);
}
