/* SPDX-License-Identifier: Apache-2.0 */
#include "index/store_part.h"

#include "proto/alloc.h"

#include <assert.h>
#include <string.h>

/* A scan looks up after this many rows, and gives the log its due twice a second. */
enum { ROWS_BETWEEN_LOOKS = 256, RENEW_AFTER_US = 500000 };

/* Whether the deadline has passed, and whether to renew: then every statement must be
 * begun again behind the last row. */
static enum hl_code look_up(struct hl_reader *reader, const struct hl_deadline *deadline,
                            bool *ret_renew, struct hl_err *err)
{
    int64_t now;
    enum hl_code code;

    *ret_renew = false;
    if (!deadline)
        return HL_OK;
    code = hl_deadline_check(deadline, "the scan", err);
    if (code != HL_OK)
        return code;
    now = hl_clock_now(deadline->clock);
    if (reader->begun_us == 0)
        reader->begun_us = now;
    *ret_renew = !reader->is_inside && now - reader->begun_us > RENEW_AFTER_US;
    return HL_OK;
}

/* ---- points ---- */

/* Two statements in the same order: the points as they are now and as they were. What was
 * visible at the commit is in exactly one of them. */
struct merge {
    struct hl_reader *reader;
    const struct hl_reader_scan *scan;
    struct hl_stmt *stmts[2];
    bool has_row[2];
    uint32_t number; /* where to begin */
    uint8_t id[HL_ID_ENCODED_MAX + 1];
    size_t id_size;
};

static enum hl_code begin_merge(struct merge *merge, struct hl_err *err)
{
    const bool is_by_id = merge->scan->order == HL_READ_BY_ID;
    const int first = is_by_id ? READER_SCAN_IDS : READER_SCAN_NUMBERS;

    /* The writer sees the newest alone. */
    for (int i = 0; i < (merge->reader->is_inside ? 1 : 2); i++) {
        enum hl_code code =
            hl_stmts_get(&merge->reader->stmts, first + i, &merge->stmts[i], err);

        if (code != HL_OK)
            return code;
        if (is_by_id)
            hl_stmt_blob(merge->stmts[i], 1, merge->id, merge->id_size);
        else
            hl_stmt_int(merge->stmts[i], 1, merge->number);
        hl_stmt_int(merge->stmts[i], 2, (int64_t)merge->reader->commit);
        code = hl_stmt_step(merge->stmts[i], &merge->has_row[i], err);
        if (code != HL_OK)
            return code;
    }
    return HL_OK;
}

static void end_merge(struct merge *merge)
{
    for (int i = 0; i < 2; i++)
        if (merge->stmts[i])
            hl_stmt_reset(merge->stmts[i]);
}

/* Which of the two comes next. */
static int choose(const struct merge *merge)
{
    const void *ids[2];
    size_t sizes[2];
    int order;

    if (!merge->has_row[0] || !merge->has_row[1])
        return merge->has_row[0] ? 0 : 1;
    if (merge->scan->order == HL_READ_BY_NUMBER)
        return hl_stmt_get_int(merge->stmts[0], 0) > hl_stmt_get_int(merge->stmts[1], 0);
    for (int i = 0; i < 2; i++)
        ids[i] = hl_stmt_get_bytes(merge->stmts[i], 1, &sizes[i]);
    /* The tag says the length, so equal beginnings are equal ids. */
    order = memcmp(ids[0], ids[1], sizes[0] < sizes[1] ? sizes[0] : sizes[1]);
    return order > 0;
}

static enum hl_code visit(struct merge *merge, hl_reader_point_fn *each, void *self,
                          bool *ret_go_on, struct hl_err *err)
{
    const int which = choose(merge);
    struct hl_store_point point;
    enum hl_code code = hl_reader_point(merge->reader, merge->stmts[which], &point, err);

    if (code != HL_OK)
        return code;
    *ret_go_on = each(self, &point) && point.number < UINT32_MAX;
    /* One byte more is the smallest thing behind an id. */
    merge->number = point.number + 1;
    merge->id_size = hl_id_encode(&point.id, merge->id) + 1;
    merge->id[merge->id_size - 1] = 0;
    return *ret_go_on ? hl_stmt_step(merge->stmts[which], &merge->has_row[which], err)
                      : HL_OK;
}

static enum hl_code run_merge(struct merge *merge, hl_reader_point_fn *each, void *self,
                              struct hl_err *err)
{
    bool go_on = true;
    enum hl_code code = begin_merge(merge, err);

    for (size_t n = 1; code == HL_OK && go_on && (merge->has_row[0] || merge->has_row[1]);
         n++) {
        bool must_renew = false;

        code = visit(merge, each, self, &go_on, err);
        if (code == HL_OK && go_on && n % ROWS_BETWEEN_LOOKS == 0)
            code = look_up(merge->reader, merge->scan->deadline, &must_renew, err);
        if (code == HL_OK && must_renew) {
            end_merge(merge);
            code = hl_reader_renew(merge->reader, err);
            if (code == HL_OK)
                code = begin_merge(merge, err);
        }
    }
    end_merge(merge);
    return code;
}

enum hl_code hl_reader_scan(struct hl_reader *reader, const struct hl_reader_scan *scan,
                            hl_reader_point_fn *each, void *self, struct hl_err *err)
{
    struct merge merge = {.reader = reader, .scan = scan, .number = scan->from_number};
    bool must_renew;
    enum hl_code code = look_up(reader, scan->deadline, &must_renew, err);

    assert(reader->is_begun);
    if (code != HL_OK)
        return code;
    if (scan->from_id)
        merge.id_size = hl_id_encode(scan->from_id, merge.id);
    else
        merge.id_size = 1; /* the least tag */
    return run_merge(&merge, each, self, err);
}

/* ---- rows ---- */

struct row_scan {
    struct hl_reader *reader;
    const struct hl_reader_rows *rows;
    uint64_t after;
};

static int64_t no_more_than(uint64_t value)
{
    return (int64_t)(value < HL_COMMIT_LAST ? value : HL_COMMIT_LAST);
}

static enum hl_code begin_rows(const struct row_scan *scan, struct hl_stmt **ret_stmt,
                               struct hl_err *err)
{
    const uint32_t space = scan->rows->space;
    struct hl_stmt *stmt;
    enum hl_code code = hl_stmts_get(&scan->reader->stmts,
                                     space ? READER_SPACE_ROWS : READER_ROWS, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, no_more_than(scan->after));
    hl_stmt_int(stmt, 2, no_more_than(scan->rows->last));
    hl_stmt_int(stmt, 3, (int64_t)scan->reader->commit);
    if (space)
        hl_stmt_int(stmt, 4, space);
    *ret_stmt = stmt;
    return HL_OK;
}

static enum hl_code visit_row(struct row_scan *scan, struct hl_stmt *stmt,
                              hl_reader_row_fn *each, void *self, bool *ret_go_on,
                              struct hl_err *err)
{
    struct hl_store_row row = {.row = (uint64_t)hl_stmt_get_int(stmt, 0),
                               .number = (uint32_t)hl_stmt_get_int(stmt, 1),
                               .born = (uint64_t)hl_stmt_get_int(stmt, 2)};
    enum hl_code code;

    scan->after = row.row;
    if (!hl_reader_has_space(scan->reader, (uint32_t)hl_stmt_get_int(stmt, 3)))
        return HL_OK;
    code = hl_reader_values(scan->reader, stmt, 3, &row.vector, err);
    if (code == HL_OK)
        *ret_go_on = each(self, &row);
    return code;
}

static enum hl_code run_rows(struct row_scan *scan, hl_reader_row_fn *each, void *self,
                             struct hl_err *err)
{
    struct hl_stmt *stmt = NULL;
    bool has_row = true, go_on = true;
    enum hl_code code = begin_rows(scan, &stmt, err);

    for (size_t n = 1; code == HL_OK && go_on; n++) {
        bool must_renew = false;

        code = hl_stmt_step(stmt, &has_row, err);
        if (code != HL_OK || !has_row)
            return code;
        code = visit_row(scan, stmt, each, self, &go_on, err);
        if (code == HL_OK && go_on && n % ROWS_BETWEEN_LOOKS == 0)
            code = look_up(scan->reader, scan->rows->deadline, &must_renew, err);
        if (code == HL_OK && must_renew) {
            hl_stmt_reset(stmt);
            code = hl_reader_renew(scan->reader, err);
            if (code == HL_OK)
                code = begin_rows(scan, &stmt, err);
        }
    }
    if (stmt)
        hl_stmt_reset(stmt);
    return code;
}

enum hl_code hl_reader_rows(struct hl_reader *reader, const struct hl_reader_rows *rows,
                            hl_reader_row_fn *each, void *self, struct hl_err *err)
{
    struct row_scan scan = {.reader = reader, .rows = rows, .after = rows->after};
    bool must_renew;
    enum hl_code code = look_up(reader, rows->deadline, &must_renew, err);

    assert(reader->is_begun);
    return code == HL_OK ? run_rows(&scan, each, self, err) : code;
}

enum hl_code hl_reader_deaths(struct hl_reader *reader, hl_reader_death_fn *each,
                              void *self, struct hl_err *err)
{
    struct hl_stmt *stmt;
    bool has_row = true, go_on = true;
    enum hl_code code = hl_stmts_get(&reader->stmts, READER_DEATHS, &stmt, err);

    assert(reader->is_begun);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)reader->commit);
    while (go_on && (code = hl_stmt_step(stmt, &has_row, err)) == HL_OK && has_row) {
        const struct hl_store_death death = {
            .row = (uint64_t)hl_stmt_get_int(stmt, 0),
            .number = (uint32_t)hl_stmt_get_int(stmt, 1),
            .space = (uint32_t)hl_stmt_get_int(stmt, 2),
        };

        go_on = each(self, &death, (uint64_t)hl_stmt_get_int(stmt, 3));
    }
    hl_stmt_reset(stmt);
    return code;
}

/* ---- spaces and records ---- */

/* Two columns as terminated texts in the reader's buffer. */
static enum hl_code copy_texts(struct hl_reader *reader, struct hl_stmt *stmt,
                               const int columns[2], const char *ret_texts[2],
                               struct hl_err *err)
{
    size_t lens[2];
    const void *bytes[2];
    char *room;

    for (int i = 0; i < 2; i++)
        bytes[i] = hl_stmt_get_bytes(stmt, columns[i], &lens[i]);
    room = hl_reader_text_room(reader, lens[0] + lens[1] + 2);
    if (!room)
        return hl_fail(err, HL_NO_MEMORY, "no memory to read \"%s\"",
                       hl_db_path(reader->db));
    for (int i = 0; i < 2; i++) {
        if (lens[i])
            memcpy(room, bytes[i], lens[i]);
        room[lens[i]] = '\0';
        ret_texts[i] = room;
        room += lens[i] + 1;
    }
    return HL_OK;
}

enum hl_code hl_reader_spaces(struct hl_reader *reader, hl_reader_space_fn *each,
                              void *self, struct hl_err *err)
{
    struct hl_stmt *stmt;
    bool has_row = true, go_on = true;
    enum hl_code code = hl_stmts_get(&reader->stmts, READER_SPACES, &stmt, err);

    assert(reader->is_begun);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)reader->commit);
    while (go_on && (code = hl_stmt_step(stmt, &has_row, err)) == HL_OK && has_row) {
        struct hl_store_space space = {.space = (uint32_t)hl_stmt_get_int(stmt, 0),
                                       .dim = (uint32_t)hl_stmt_get_int(stmt, 1)};
        const char *copied[2];

        code = copy_texts(reader, stmt, (const int[]){2, 3}, copied, err);
        if (code != HL_OK)
            break;
        space.name = copied[0];
        space.settings = copied[1];
        go_on = each(self, &space);
    }
    hl_stmt_reset(stmt);
    return code;
}

static enum hl_code read_record(struct hl_reader *reader, struct hl_stmt *stmt,
                                struct hl_store_record *ret_record, struct hl_err *err)
{
    const char *copied[2];
    enum hl_code code = copy_texts(reader, stmt, (const int[]){0, 1}, copied, err);

    if (code != HL_OK)
        return code;
    *ret_record = (struct hl_store_record){
        .kind = copied[0], .key = copied[1], .version = (uint64_t)hl_stmt_get_int(stmt, 2)};
    ret_record->body = hl_stmt_get_bytes(stmt, 3, &ret_record->size);
    return HL_OK;
}

enum hl_code hl_reader_records(struct hl_reader *reader, const char *kind,
                               hl_reader_record_fn *each, void *self, struct hl_err *err)
{
    struct hl_stmt *stmt;
    bool has_row = true, go_on = true;
    enum hl_code code = hl_stmts_get(
        &reader->stmts, kind ? READER_KIND_RECORDS : READER_RECORDS, &stmt, err);

    assert(reader->is_begun);
    if (code != HL_OK)
        return code;
    if (kind)
        hl_stmt_text(stmt, 1, kind, strlen(kind));
    while (go_on && (code = hl_stmt_step(stmt, &has_row, err)) == HL_OK && has_row) {
        struct hl_store_record record;

        code = read_record(reader, stmt, &record, err);
        if (code != HL_OK)
            break;
        go_on = each(self, &record);
    }
    hl_stmt_reset(stmt);
    return code;
}

/* The body is copied behind the vectors' buffer's back: both are the reader's. */
static enum hl_code keep_body(struct hl_reader *reader, struct hl_store_record *record,
                              struct hl_err *err)
{
    enum hl_code code =
        hl_store_reserve(&reader->values, &reader->values_room, record->size + 1, 1, err);

    if (code != HL_OK)
        return code;
    if (record->size)
        memcpy(reader->values, record->body, record->size);
    record->body = reader->values;
    return HL_OK;
}

enum hl_code hl_reader_record(struct hl_reader *reader, const char *kind, const char *key,
                              struct hl_store_record *ret_record, struct hl_err *err)
{
    struct hl_store_record record;
    struct hl_stmt *stmt;
    bool has_row = false;
    enum hl_code code = hl_stmts_get(&reader->stmts, READER_RECORD, &stmt, err);

    assert(reader->is_begun);
    if (code != HL_OK)
        return code;
    hl_stmt_text(stmt, 1, kind, strlen(kind));
    hl_stmt_text(stmt, 2, key, strlen(key));
    code = hl_stmt_step(stmt, &has_row, err);
    if (code == HL_OK && !has_row)
        return hl_fail(err, HL_NOT_FOUND, "there is no %s \"%s\"", kind, key);
    if (code == HL_OK)
        code = read_record(reader, stmt, &record, err);
    if (code == HL_OK)
        code = keep_body(reader, &record, err);
    hl_stmt_reset(stmt);
    if (code == HL_OK)
        *ret_record = record;
    return code;
}
