/* SPDX-License-Identifier: Apache-2.0 */
#include "index/store_part.h"

/* The new places of the store as bytes to be bound: NULL and 0 when there are none. */
static enum hl_code pack_new(struct hl_store *store, const void **ret_bytes,
                             size_t *ret_size, struct hl_err *err)
{
    const size_t size = store->new_places.n * HL_PLACE_BYTES;
    enum hl_code code = hl_store_reserve(&store->packed, &store->packed_room, size, 1, err);

    if (code != HL_OK)
        return code;
    if (size)
        hl_places_pack(&store->new_places, store->packed);
    *ret_bytes = size ? store->packed : NULL;
    *ret_size = size;
    return HL_OK;
}

/* ---- what happened ---- */

static enum hl_code touch(struct hl_store *store, uint32_t number,
                          enum hl_store_event event, bool has_payload_changed,
                          const struct hl_id *id, struct hl_err *err)
{
    struct hl_store_logs *logs = &store->logs;
    enum hl_code code = hl_store_reserve(&logs->touches, &logs->touches_room,
                                         logs->n_touches + 1, sizeof *logs->touches, err);

    if (code != HL_OK)
        return code;
    store->needs_marks |= event != HL_STORE_MADE;
    logs->touches[logs->n_touches++] = (struct hl_store_touch){
        .number = number,
        .event = event,
        .has_payload_changed = has_payload_changed,
        .id = *id,
    };
    return HL_OK;
}

static enum hl_code add_row(struct hl_store *store, uint32_t number, uint64_t row,
                            const struct hl_store_vector *vector, struct hl_err *err)
{
    struct hl_store_logs *logs = &store->logs;
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_reserve(&logs->births, &logs->births_room,
                                         logs->n_births + 1, sizeof *logs->births, err);

    if (code == HL_OK)
        code = hl_store_stmt(store, STORE_ADD_ROW, &stmt, err);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)row);
    hl_stmt_int(stmt, 2, number);
    hl_stmt_int(stmt, 3, vector->space);
    hl_stmt_int(stmt, 4, (int64_t)hl_store_current(store));
    /* An empty sparse vector has no bytes; a place that is NULL would be no vector. */
    hl_stmt_blob(stmt, 5, vector->n ? (const void *)vector->values : "",
                 vector->n * sizeof(float));
    if (vector->indices)
        hl_stmt_blob(stmt, 6, vector->indices, vector->n * sizeof(uint32_t));
    else
        hl_stmt_blob(stmt, 6, NULL, 0);
    code = hl_stmt_run(stmt, NULL, err);
    if (code == HL_OK)
        logs->births[logs->n_births++] =
            (struct hl_store_birth){.row = row, .number = number, .vector = *vector};
    return code;
}

static enum hl_code delete_row(struct hl_store *store, uint64_t row, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_stmt(store, STORE_DELETE_ROW, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)row);
    return hl_stmt_run(stmt, NULL, err);
}

/* Whatever becomes of the row: a segment may have it, and learns of it at the next start.
 */
static enum hl_code record_death(struct hl_store *store, uint32_t number,
                                 const struct hl_store_place *place, struct hl_err *err)
{
    struct hl_stmt *stmt;
    const enum hl_code code = hl_store_stmt(store, STORE_ADD_DEAD, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)place->row);
    hl_stmt_int(stmt, 2, number);
    hl_stmt_int(stmt, 3, place->space);
    hl_stmt_int(stmt, 4, (int64_t)hl_store_current(store));
    return hl_stmt_run(stmt, NULL, err);
}

/* A row that older readers may still want goes later. */
static enum hl_code queue_row(struct hl_store *store, uint64_t row, struct hl_err *err)
{
    struct hl_stmt *stmt;
    const enum hl_code code = hl_store_stmt(store, STORE_ADD_LOST, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)row);
    hl_stmt_int(stmt, 2, (int64_t)hl_store_current(store));
    return hl_stmt_run(stmt, NULL, err);
}

/* Every old place that is not among the new ones. */
static enum hl_code bury_rows(struct hl_store *store, uint32_t number, struct hl_err *err)
{
    struct hl_store_logs *logs = &store->logs;
    enum hl_code code =
        hl_store_reserve(&logs->deaths, &logs->deaths_room,
                         logs->n_deaths + store->old_places.n, sizeof *logs->deaths, err);

    for (size_t i = 0; i < store->old_places.n && code == HL_OK; i++) {
        const struct hl_store_place *place = &store->old_places.all[i];

        if (hl_places_has_row(&store->new_places, place->row))
            continue;
        code = record_death(store, number, place, err);
        if (code == HL_OK)
            code = place->row >= store->first_row ? delete_row(store, place->row, err)
                                                  : queue_row(store, place->row, err);
        if (code == HL_OK)
            logs->deaths[logs->n_deaths++] = (struct hl_store_death){
                .row = place->row, .number = number, .space = place->space};
    }
    return code;
}

/* ---- points that are there ---- */

struct found {
    uint32_t number;
    struct hl_id id;
    uint64_t born;
};

/* Runs a statement bound to look for one point; its places become the old ones. */
static enum hl_code find(struct hl_store *store, struct hl_stmt *stmt,
                         struct found *ret_found, struct hl_err *err)
{
    bool has_point, is_sound = false;
    const void *bytes;
    size_t size;
    enum hl_code code = hl_stmt_step(stmt, &has_point, err);

    if (code != HL_OK)
        return code;
    if (!has_point)
        return hl_fail(err, HL_NOT_FOUND, "there is no such point");
    ret_found->number = (uint32_t)hl_stmt_get_int(stmt, 0);
    bytes = hl_stmt_get_bytes(stmt, 1, &size);
    if (bytes)
        is_sound = hl_id_decode(bytes, size, &ret_found->id);
    ret_found->born = (uint64_t)hl_stmt_get_int(stmt, 2);
    if (is_sound) {
        bytes = hl_stmt_get_bytes(stmt, 3, &size);
        code = hl_places_unpack(&store->old_places, bytes, size, &is_sound, err);
    }
    if (code == HL_OK && !is_sound)
        code = hl_db_fail_damaged(store->db, err, "a point cannot be read");
    hl_stmt_reset(stmt);
    return code;
}

static enum hl_code find_number(struct hl_store *store, uint32_t number,
                                struct found *ret_found, struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_stmt(store, STORE_GET_POINT, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, number);
    return find(store, stmt, ret_found, err);
}

/* What older readers see, unless this transaction has put that aside already. */
static enum hl_code keep_past(struct hl_store *store, const struct found *found,
                              struct hl_err *err)
{
    struct hl_stmt *stmt;
    enum hl_code code = HL_OK;

    if (found->born == hl_store_current(store))
        return HL_OK;
    code = hl_store_stmt(store, STORE_KEEP_PAST, &stmt, err);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, found->number);
    hl_stmt_int(stmt, 2, (int64_t)hl_store_current(store));
    return hl_stmt_run(stmt, NULL, err);
}

static void bind_payload(struct hl_stmt *stmt, int at,
                         const struct hl_store_payload *payload)
{
    hl_stmt_text(stmt, at, payload ? payload->text : NULL, payload ? payload->len : 0);
}

/* The new state of a point, its new places ready in the store; without a payload, and
 * STORE_SET_PLACES, the old payload stays. */
static enum hl_code replace(struct hl_store *store, const struct found *found,
                            enum hl_store_stmt how, const struct hl_store_payload *payload,
                            struct hl_err *err)
{
    struct hl_stmt *stmt = NULL;
    const void *bytes = NULL;
    size_t size = 0;
    enum hl_code code = keep_past(store, found, err);

    if (code == HL_OK)
        code = pack_new(store, &bytes, &size, err);
    if (code == HL_OK)
        code = hl_store_stmt(store, how, &stmt, err);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, found->number);
    hl_stmt_int(stmt, 2, (int64_t)hl_store_current(store));
    hl_stmt_blob(stmt, 3, bytes, size);
    if (how == STORE_SET_POINT)
        bind_payload(stmt, 4, payload);
    code = hl_stmt_run(stmt, NULL, err);
    if (code == HL_OK)
        code = bury_rows(store, found->number, err);
    if (code == HL_OK)
        code = touch(store, found->number, HL_STORE_CHANGED, how == STORE_SET_POINT,
                     &found->id, err);
    return code;
}

/* ---- upsert ---- */

/* Rows for the vectors, and the new places that name them. */
static enum hl_code place_vectors(struct hl_store *store,
                                  const struct hl_store_vector *vectors, size_t n,
                                  uint64_t *ret_first, struct hl_err *err)
{
    enum hl_code code = hl_places_reserve(&store->new_places, store->new_places.n + n, err);

    if (code != HL_OK)
        return code;
    *ret_first = store->state.last_row + 1;
    for (size_t i = 0; i < n; i++)
        hl_places_insert(&store->new_places, vectors[i].space, ++store->state.last_row);
    return HL_OK;
}

/* *ret_is_made is false when the id was there already. */
static enum hl_code make_point(struct hl_store *store, const struct hl_id *id,
                               const struct hl_store_payload *payload, bool *ret_is_made,
                               struct hl_err *err)
{
    uint8_t encoded[HL_ID_ENCODED_MAX];
    struct hl_stmt *stmt = NULL;
    const void *bytes = NULL;
    size_t size = 0, n_changed = 0;
    enum hl_code code = pack_new(store, &bytes, &size, err);

    if (code == HL_OK)
        code = hl_store_stmt(store, STORE_MAKE_POINT, &stmt, err);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, (int64_t)store->state.last_number + 1);
    hl_stmt_blob(stmt, 2, encoded, hl_id_encode(id, encoded));
    hl_stmt_int(stmt, 3, (int64_t)hl_store_current(store));
    hl_stmt_blob(stmt, 4, bytes, size);
    bind_payload(stmt, 5, payload);
    code = hl_stmt_run(stmt, &n_changed, err);
    if (code == HL_OK)
        *ret_is_made = n_changed == 1;
    return code;
}

static enum hl_code replace_id(struct hl_store *store, const struct hl_id *id,
                               const struct hl_store_payload *payload, uint32_t *ret_number,
                               struct hl_err *err)
{
    uint8_t encoded[HL_ID_ENCODED_MAX];
    struct found found = {0};
    struct hl_stmt *stmt;
    enum hl_code code = hl_store_stmt(store, STORE_FIND_POINT, &stmt, err);

    if (code != HL_OK)
        return code;
    hl_stmt_blob(stmt, 1, encoded, hl_id_encode(id, encoded));
    code = find(store, stmt, &found, err);
    if (code == HL_OK)
        code = replace(store, &found, STORE_SET_POINT, payload, err);
    if (code == HL_OK)
        *ret_number = found.number;
    return code;
}

static enum hl_code upsert(struct hl_store *store, const struct hl_id *id,
                           const struct hl_store_content *content, uint32_t *ret_number,
                           struct hl_err *err)
{
    uint64_t row = 0;
    bool is_made = false;
    uint32_t number = 0;
    enum hl_code code;

    store->new_places.n = 0;
    if (store->state.last_number == UINT32_MAX)
        return hl_fail(err, HL_CONFLICT,
                       "the collection has used up its 4294967295 point numbers: export "
                       "it into a new one");
    code = place_vectors(store, content->vectors, content->n_vectors, &row, err);
    if (code == HL_OK)
        code = make_point(store, id, &content->payload, &is_made, err);
    if (code != HL_OK)
        return code;
    if (is_made) {
        number = ++store->state.last_number;
        code = touch(store, number, HL_STORE_MADE, true, id, err);
    } else {
        code = replace_id(store, id, &content->payload, &number, err);
    }
    for (size_t i = 0; i < content->n_vectors && code == HL_OK; i++)
        code = add_row(store, number, row + i, &content->vectors[i], err);
    if (code == HL_OK)
        *ret_number = number;
    return code;
}

enum hl_code hl_store_upsert(struct hl_store *store, const struct hl_id *id,
                             const struct hl_store_content *content, uint32_t *ret_number,
                             struct hl_err *err)
{
    return hl_store_end_write(store, upsert(store, id, content, ret_number, err), err);
}

/* ---- changes ---- */

static enum hl_code set_payload(struct hl_store *store, uint32_t number,
                                const struct hl_store_payload *payload, struct hl_err *err)
{
    struct found found;
    struct hl_stmt *stmt = NULL;
    enum hl_code code = find_number(store, number, &found, err);

    if (code == HL_OK)
        code = keep_past(store, &found, err);
    if (code == HL_OK)
        code = hl_store_stmt(store, STORE_SET_PAYLOAD, &stmt, err);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, number);
    hl_stmt_int(stmt, 2, (int64_t)hl_store_current(store));
    bind_payload(stmt, 3, payload);
    code = hl_stmt_run(stmt, NULL, err);
    return code == HL_OK ? touch(store, number, HL_STORE_CHANGED, true, &found.id, err)
                         : code;
}

enum hl_code hl_store_set_payload(struct hl_store *store, uint32_t number,
                                  const struct hl_store_payload *payload,
                                  struct hl_err *err)
{
    return hl_store_end_write(store, set_payload(store, number, payload, err), err);
}

static bool is_among(uint32_t space, const uint32_t *spaces, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (spaces[i] == space)
            return true;
    return false;
}

/* The old places but those of some spaces become the new ones. */
static enum hl_code copy_places(struct hl_store *store, const uint32_t *without, size_t n,
                                struct hl_err *err)
{
    enum hl_code code = hl_places_reserve(&store->new_places, store->old_places.n, err);

    if (code != HL_OK)
        return code;
    store->new_places.n = 0;
    for (size_t i = 0; i < store->old_places.n; i++)
        if (!is_among(store->old_places.all[i].space, without, n))
            store->new_places.all[store->new_places.n++] = store->old_places.all[i];
    return HL_OK;
}

static enum hl_code drop_vectors(struct hl_store *store, uint32_t number,
                                 const uint32_t *spaces, size_t n_spaces,
                                 struct hl_err *err)
{
    struct found found = {0};
    enum hl_code code = find_number(store, number, &found, err);

    if (code == HL_OK)
        code = copy_places(store, spaces, n_spaces, err);
    if (code != HL_OK || store->new_places.n == store->old_places.n)
        return code;
    return replace(store, &found, STORE_SET_PLACES, NULL, err);
}

enum hl_code hl_store_drop_vectors(struct hl_store *store, uint32_t number,
                                   const uint32_t *spaces, size_t n_spaces,
                                   struct hl_err *err)
{
    return hl_store_end_write(store, drop_vectors(store, number, spaces, n_spaces, err),
                              err);
}

static bool is_replaced(const struct hl_store_place *place,
                        const struct hl_store_vector *vectors, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (vectors[i].space == place->space)
            return true;
    return false;
}

static enum hl_code put_vectors(struct hl_store *store, uint32_t number,
                                const struct hl_store_vector *vectors, size_t n_vectors,
                                struct hl_err *err)
{
    struct found found = {0};
    uint64_t row = 0;
    enum hl_code code = find_number(store, number, &found, err);

    if (code == HL_OK)
        code = hl_places_reserve(&store->new_places, store->old_places.n, err);
    if (code != HL_OK || n_vectors == 0)
        return code;
    store->new_places.n = 0;
    for (size_t i = 0; i < store->old_places.n; i++)
        if (!is_replaced(&store->old_places.all[i], vectors, n_vectors))
            store->new_places.all[store->new_places.n++] = store->old_places.all[i];
    code = place_vectors(store, vectors, n_vectors, &row, err);
    if (code == HL_OK)
        code = replace(store, &found, STORE_SET_PLACES, NULL, err);
    for (size_t i = 0; i < n_vectors && code == HL_OK; i++)
        code = add_row(store, number, row + i, &vectors[i], err);
    return code;
}

enum hl_code hl_store_put_vectors(struct hl_store *store, uint32_t number,
                                  const struct hl_store_vector *vectors, size_t n_vectors,
                                  struct hl_err *err)
{
    return hl_store_end_write(store, put_vectors(store, number, vectors, n_vectors, err),
                              err);
}

static enum hl_code delete_point(struct hl_store *store, uint32_t number,
                                 struct hl_err *err)
{
    struct found found = {0};
    struct hl_stmt *stmt = NULL;
    enum hl_code code = find_number(store, number, &found, err);

    if (code == HL_OK)
        code = keep_past(store, &found, err);
    if (code == HL_OK)
        code = hl_store_stmt(store, STORE_DELETE_POINT, &stmt, err);
    if (code != HL_OK)
        return code;
    hl_stmt_int(stmt, 1, number);
    code = hl_stmt_run(stmt, NULL, err);
    store->new_places.n = 0;
    if (code == HL_OK)
        code = bury_rows(store, number, err);
    return code == HL_OK ? touch(store, number, HL_STORE_DELETED, true, &found.id, err)
                         : code;
}

enum hl_code hl_store_delete(struct hl_store *store, uint32_t number, struct hl_err *err)
{
    return hl_store_end_write(store, delete_point(store, number, err), err);
}
