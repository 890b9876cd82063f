/* SPDX-License-Identifier: Apache-2.0 */
#include "index/store_part.h"

#include <string.h>

/* ---- spaces ---- */

static enum hl_code check_name(struct hl_store *store, const char *name, struct hl_err *err)
{
    struct hl_stmt *stmt;
    bool has_space;
    enum hl_code code = hl_store_stmt(store, STORE_FIND_SPACE, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_text(stmt, 1, name, strlen(name));
    code = hl_stmt_step(stmt, &has_space, err);
    hl_stmt_reset(stmt);
    if (code == HL_OK && has_space)
        return hl_fail(err, HL_EXISTS, "there is a vector \"%s\" already", name);
    return code;
}

static enum hl_code add_space(struct hl_store *store, const struct hl_store_space *space,
                              uint32_t *ret_space, struct hl_err *err)
{
    struct hl_stmt *stmt = NULL;
    enum hl_code code = check_name(store, space->name, err);

    if (code == HL_OK && store->last_space == UINT32_MAX)
        code = hl_fail(err, HL_CONFLICT, "the collection has used up its vector numbers");
    if (code == HL_OK)
        code = hl_store_stmt(store, STORE_ADD_SPACE, &stmt, err);
    if (code != HL_OK)
        return code;
    store->needs_marks = true;
    store->last_space++;
    hl_stmt_int(stmt, 1, store->last_space);
    hl_stmt_int(stmt, 2, space->dim);
    hl_stmt_text(stmt, 3, space->name, strlen(space->name));
    hl_stmt_text(stmt, 4, space->settings, strlen(space->settings));
    hl_stmt_int(stmt, 5, (int64_t)hl_store_current(store));
    code = hl_stmt_run(stmt, NULL, err);
    if (code == HL_OK)
        code = hl_reader_look_at_spaces(store->inside, err);
    if (code == HL_OK)
        *ret_space = store->last_space;
    return code;
}

enum hl_code hl_store_add_space(struct hl_store *store, const struct hl_store_space *space,
                                uint32_t *ret_space, struct hl_err *err)
{
    return hl_store_end_write(store, add_space(store, space, ret_space, err), err);
}

/* Runs a statement that must meet one live space. */
static enum hl_code change_space(struct hl_store *store, struct hl_stmt *stmt,
                                 uint32_t space, struct hl_err *err)
{
    size_t n_changed = 0;
    enum hl_code code;

    store->needs_marks = true;
    hl_stmt_int(stmt, 1, space);
    code = hl_stmt_run(stmt, &n_changed, err);
    if (code == HL_OK && n_changed == 0)
        return hl_fail(err, HL_NOT_FOUND, "there is no such vector");
    return code;
}

enum hl_code hl_store_set_space(struct hl_store *store, uint32_t space,
                                const char *settings, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_stmt(store, STORE_SET_SPACE, &stmt, err);

    if (code == HL_OK) {
        hl_stmt_text(stmt, 2, settings, strlen(settings));
        code = change_space(store, stmt, space, err);
    }
    return hl_store_end_write(store, code, err);
}

enum hl_code hl_store_drop_space(struct hl_store *store, uint32_t space, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_stmt(store, STORE_DROP_SPACE, &stmt, err);

    if (code == HL_OK) {
        hl_stmt_int(stmt, 2, (int64_t)hl_store_current(store));
        code = change_space(store, stmt, space, err);
    }
    if (code == HL_OK)
        code = hl_reader_look_at_spaces(store->inside, err);
    return hl_store_end_write(store, code, err);
}

/* ---- records ---- */

enum hl_code hl_store_put_record(struct hl_store *store, const char *kind, const char *key,
                                 const void *body, size_t size, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_stmt(store, STORE_PUT_RECORD, &stmt, err);

    if (code == HL_OK) {
        store->needs_marks = true;
        hl_stmt_text(stmt, 1, kind, strlen(kind));
        hl_stmt_text(stmt, 2, key, strlen(key));
        hl_stmt_int(stmt, 3, (int64_t)hl_store_current(store));
        hl_stmt_blob(stmt, 4, size ? body : NULL, size);
        code = hl_stmt_run(stmt, NULL, err);
    }
    return hl_store_end_write(store, code, err);
}

enum hl_code hl_store_delete_record(struct hl_store *store, const char *kind,
                                    const char *key, bool *ret_existed, struct hl_err *err)
{
    size_t n_changed = 0;
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_stmt(store, STORE_DELETE_RECORD, &stmt, err);

    if (code == HL_OK) {
        store->needs_marks = true;
        hl_stmt_text(stmt, 1, kind, strlen(kind));
        hl_stmt_text(stmt, 2, key, strlen(key));
        code = hl_stmt_run(stmt, &n_changed, err);
    }
    if (code == HL_OK)
        *ret_existed = n_changed > 0;
    return hl_store_end_write(store, code, err);
}

/* ---- what nobody can read any more ---- */

enum hl_code hl_store_forget_deaths(struct hl_store *store, uint32_t space, uint64_t first,
                                    uint64_t last, uint64_t until, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_stmt(store, STORE_FORGET_DEAD, &stmt, err);

    if (code == HL_OK) {
        store->needs_marks = true;
        hl_stmt_int(stmt, 1, space);
        hl_stmt_int(stmt, 2, (int64_t)first);
        hl_stmt_int(stmt, 3, (int64_t)(last < HL_COMMIT_LAST ? last : HL_COMMIT_LAST));
        hl_stmt_int(stmt, 4,
                    (int64_t)(until < HL_COMMIT_LAST ? until : HL_COMMIT_LAST - 1));
        code = hl_stmt_run(stmt, NULL, err);
    }
    return hl_store_end_write(store, code, err);
}

/* Runs a statement whose only value is one number. */
static enum hl_code run_with(struct hl_store *store, enum hl_store_stmt which,
                             int64_t value, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_stmt(store, which, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, value);
    return hl_stmt_run(stmt, NULL, err);
}

/* One state of a point; *ret_found is false when there is none left to remove. */
static enum hl_code remove_past(struct hl_store *store, uint64_t oldest, bool *ret_found,
                                struct hl_err *err)
{
    struct hl_stmt *stmt;
    int64_t seq = 0;
    enum hl_code code = hl_store_stmt(store, STORE_OLDEST_PAST, &stmt, err);

    if (code != HL_OK)
        return code;
    code = hl_stmt_step(stmt, ret_found, err);
    if (code != HL_OK || !*ret_found)
        return code;
    seq = hl_stmt_get_int(stmt, 0);
    *ret_found = (uint64_t)hl_stmt_get_int(stmt, 1) <= oldest;
    hl_stmt_reset(stmt);
    return *ret_found ? run_with(store, STORE_DELETE_PAST, seq, err) : HL_OK;
}

static enum hl_code remove_lost(struct hl_store *store, uint64_t oldest, bool *ret_found,
                                struct hl_err *err)
{
    struct hl_stmt *stmt;
    int64_t seq = 0, row = 0;
    enum hl_code code = hl_store_stmt(store, STORE_OLDEST_LOST, &stmt, err);

    if (code != HL_OK)
        return code;
    code = hl_stmt_step(stmt, ret_found, err);
    if (code != HL_OK || !*ret_found)
        return code;
    seq = hl_stmt_get_int(stmt, 0);
    row = hl_stmt_get_int(stmt, 1);
    *ret_found = (uint64_t)hl_stmt_get_int(stmt, 2) <= oldest;
    hl_stmt_reset(stmt);
    if (!*ret_found)
        return HL_OK;
    code = run_with(store, STORE_DELETE_ROW, row, err);
    return code == HL_OK ? run_with(store, STORE_DELETE_LOST, seq, err) : code;
}

/* Takes the space out of a point's places, and its row away. What readers see of the point
 * is what they saw before: to them the space has been gone for long. */
static enum hl_code strip_point(struct hl_store *store, int64_t number, uint32_t space,
                                struct hl_err *err)
{
    struct hl_places *places = &store->old_places;
    struct hl_stmt *stmt;
    uint64_t row = 0;
    size_t n = 0;
    enum hl_code code;

    for (size_t i = 0; i < places->n; i++) {
        if (places->all[i].space == space)
            row = places->all[i].row;
        else
            places->all[n++] = places->all[i];
    }
    if (n == places->n)
        return HL_OK;
    places->n = n;
    code =
        hl_store_reserve(&store->packed, &store->packed_room, n * HL_PLACE_BYTES, 1, err);
    if (code == HL_OK)
        code = hl_store_stmt(store, STORE_STRIP_POINT, &stmt, err);
    if (code != HL_OK)
        return code;
    if (n)
        hl_places_pack(places, store->packed);
    hl_stmt_int(stmt, 1, number);
    hl_stmt_blob(stmt, 2, n ? store->packed : NULL, n * HL_PLACE_BYTES);
    code = hl_stmt_run(stmt, NULL, err);
    return code == HL_OK ? run_with(store, STORE_DELETE_ROW, (int64_t)row, err) : code;
}

/* The point behind *number, stripped; *ret_found is false behind the last one. */
static enum hl_code strip_next(struct hl_store *store, uint32_t space, int64_t *number,
                               bool *ret_found, struct hl_err *err)
{
    struct hl_stmt *stmt;
    const void *bytes;
    size_t size;
    bool is_sound = false;
    enum hl_code code = hl_store_stmt(store, STORE_NEXT_POINTS, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, *number);
    code = hl_stmt_step(stmt, ret_found, err);
    if (code != HL_OK || !*ret_found)
        return code;
    *number = hl_stmt_get_int(stmt, 0);
    bytes = hl_stmt_get_bytes(stmt, 1, &size);
    code = hl_places_unpack(&store->old_places, bytes, size, &is_sound, err);
    hl_stmt_reset(stmt);
    if (code == HL_OK && !is_sound)
        code = hl_db_fail_damaged(store->db, err, "a point cannot be read");
    return code == HL_OK ? strip_point(store, *number, space, err) : code;
}

static enum hl_code save_purged(struct hl_store *store, uint32_t space, int64_t number,
                                bool is_over, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code;

    if (is_over) {
        code = run_with(store, STORE_DELETE_DEAD_SPACE, space, err);
        return code == HL_OK ? run_with(store, STORE_DELETE_SPACE, space, err) : code;
    }
    code = hl_store_stmt(store, STORE_SET_PURGED, &stmt, err);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, space);
    hl_stmt_int(stmt, 2, number);
    return hl_stmt_run(stmt, NULL, err);
}

/* Some points of a dropped space; *ret_found is false when there is no such space. */
static enum hl_code purge_space(struct hl_store *store, uint64_t oldest, size_t *limit,
                                bool *ret_found, struct hl_err *err)
{
    struct hl_stmt *stmt;
    uint32_t space = 0;
    int64_t number = 0;
    bool has_point = true;
    enum hl_code code = hl_store_stmt(store, STORE_OLDEST_DROPPED, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)oldest);
    code = hl_stmt_step(stmt, ret_found, err);
    if (code != HL_OK || !*ret_found)
        return code;
    space = (uint32_t)hl_stmt_get_int(stmt, 0);
    number = hl_stmt_get_int(stmt, 1);
    hl_stmt_reset(stmt);
    for (; *limit > 0 && has_point && code == HL_OK; --*limit)
        code = strip_next(store, space, &number, &has_point, err);
    return code == HL_OK ? save_purged(store, space, number, !has_point, err) : code;
}

static enum hl_code clean(struct hl_store *store, uint64_t oldest, size_t limit,
                          bool *ret_is_done, struct hl_err *err)
{
    bool has_past = true, has_lost = true, has_space = true, did_any = false;
    enum hl_code code = HL_OK;

    while (limit > 0 && has_past && code == HL_OK) {
        code = remove_past(store, oldest, &has_past, err);
        did_any |= has_past;
        limit -= has_past;
    }
    while (limit > 0 && has_lost && code == HL_OK) {
        code = remove_lost(store, oldest, &has_lost, err);
        did_any |= has_lost;
        limit -= has_lost;
    }
    while (limit > 0 && has_space && code == HL_OK) {
        code = purge_space(store, oldest, &limit, &has_space, err);
        did_any |= has_space;
    }
    store->is_changed |= did_any;
    if (code == HL_OK)
        *ret_is_done = !has_past && !has_lost && !has_space;
    return code;
}

/* Not by hl_store_end_write: finding nothing to do changes nothing. */
enum hl_code hl_store_clean(struct hl_store *store, uint64_t oldest, size_t limit,
                            bool *ret_is_done, struct hl_err *err)
{
    enum hl_code code = clean(store, oldest, limit, ret_is_done, err);

    if (code != HL_OK)
        (void)hl_store_end_write(store, code, err);
    return code;
}
