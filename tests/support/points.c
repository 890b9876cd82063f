/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 8, TEXT_SIZE = 64 };

static uint32_t draw(struct hl_points *points, uint32_t n)
{
    points->random = points->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(points->random >> 33) % n;
}

bool hl_points_init(struct hl_points *points, uint64_t seed)
{
    *points = (struct hl_points){.random = seed};
    points->at = calloc(HL_POINTS_MAX_COMMITS, sizeof *points->at);
    return points->at != NULL;
}

void hl_points_done(struct hl_points *points)
{
    free(points->at);
}

/* Numbers and UUIDs, so that both are in every order. */
struct hl_id hl_points_id(int which)
{
    struct hl_id id = hl_id_number((uint64_t)which * 1000003U);

    if (which % 3 == 2) {
        id.tag = HL_ID_UUID;
        id.bytes[15] = (uint8_t)(which * 7);
    }
    return id;
}

static struct hl_store_payload make_payload(uint32_t seed, char text[TEXT_SIZE])
{
    int len = snprintf(text, TEXT_SIZE, "{\"seed\":%u}", seed);

    return (struct hl_store_payload){.text = text, .len = (size_t)len};
}

static struct hl_store_vector make_vector(const struct hl_points *points, int space,
                                          uint32_t seed, float *values, uint32_t *indices)
{
    const bool is_sparse = space == HL_POINTS_SPACES - 1;
    const uint32_t n = is_sparse ? seed % DIM : DIM;

    for (uint32_t i = 0; i < n; i++) {
        values[i] = (float)(seed * 31U + i);
        indices[i] = i * 3 + seed % 3;
    }
    return (struct hl_store_vector){.space = points->spaces[space],
                                    .n = n,
                                    .values = values,
                                    .indices = is_sparse ? indices : NULL};
}

enum hl_code hl_points_begin(struct hl_points *points, struct hl_store *store,
                             struct hl_err *err)
{
    static const char *const names[] = {"", "v2", "words"};
    uint64_t commit;
    enum hl_code code = hl_store_begin(store, &commit, err);

    for (int i = 0; i < HL_POINTS_SPACES && code == HL_OK; i++) {
        const struct hl_store_space space = {
            .dim = i < HL_POINTS_SPACES - 1 ? DIM : 0, .name = names[i], .settings = "{}"};

        code = hl_store_add_space(store, &space, &points->spaces[i], err);
    }
    if (code == HL_OK)
        code = hl_store_commit(store, &commit, err);
    else
        hl_store_rollback(store);
    if (code == HL_OK)
        points->n_commits = commit;
    return code;
}

/* ---- requests ---- */

/* Some of the spaces, each with fresh content. */
static size_t draw_vectors(struct hl_points *points, uint32_t seeds[HL_POINTS_SPACES])
{
    size_t n = 0;

    for (int i = 0; i < HL_POINTS_SPACES; i++) {
        seeds[i] = draw(points, 2) ? ++points->next : 0;
        n += seeds[i] != 0;
    }
    return n;
}

struct content {
    struct hl_store_vector vectors[HL_POINTS_SPACES];
    float values[HL_POINTS_SPACES][DIM];
    uint32_t indices[HL_POINTS_SPACES][DIM];
};

static size_t fill(const struct hl_points *points, const uint32_t seeds[HL_POINTS_SPACES],
                   struct content *content)
{
    size_t n = 0;

    for (int i = 0; i < HL_POINTS_SPACES; i++)
        if (seeds[i])
            content->vectors[n++] =
                make_vector(points, i, seeds[i], content->values[i], content->indices[i]);
    return n;
}

static enum hl_code upsert(struct hl_points *points, struct hl_store *store, int which,
                           struct hl_err *err)
{
    const struct hl_id id = hl_points_id(which);
    char text[TEXT_SIZE];
    struct hl_store_content written = {0};
    struct content content;
    uint32_t number, seeds[HL_POINTS_SPACES];

    (void)draw_vectors(points, seeds);
    points->now.payloads[which] = ++points->next;
    memcpy(points->now.vectors[which], seeds, sizeof seeds);
    written.payload = make_payload(points->next, text);
    written.vectors = content.vectors;
    written.n_vectors = fill(points, seeds, &content);
    return hl_store_upsert(store, &id, &written, &number, err);
}

static enum hl_code change(struct hl_points *points, struct hl_store *store, int which,
                           uint32_t number, struct hl_err *err)
{
    uint32_t seeds[HL_POINTS_SPACES], spaces[HL_POINTS_SPACES];
    char text[TEXT_SIZE];
    struct hl_store_payload payload;
    struct content content;
    size_t n = 0;

    switch (draw(points, 3)) {
    case 0:
        points->now.payloads[which] = ++points->next;
        payload = make_payload(points->next, text);
        return hl_store_set_payload(store, number, &payload, err);
    case 1:
        (void)draw_vectors(points, seeds);
        for (int i = 0; i < HL_POINTS_SPACES; i++)
            if (seeds[i])
                points->now.vectors[which][i] = seeds[i];
        n = fill(points, seeds, &content);
        return hl_store_put_vectors(store, number, content.vectors, n, err);
    default:
        (void)draw_vectors(points, seeds);
        for (int i = 0; i < HL_POINTS_SPACES; i++) {
            if (!seeds[i])
                continue;
            points->now.vectors[which][i] = 0;
            spaces[n++] = points->spaces[i];
        }
        return hl_store_drop_vectors(store, number, spaces, n, err);
    }
}

static enum hl_code request(struct hl_points *points, struct hl_store *store,
                            struct hl_err *err)
{
    const int which = (int)draw(points, HL_POINTS_IDS);
    const struct hl_id id = hl_points_id(which);
    const uint32_t kind = draw(points, 8);
    struct hl_store_point point;
    enum hl_code code;
    char body[16];

    if (kind == 0) {
        snprintf(body, sizeof body, "%u", points->now.record = ++points->next);
        return hl_store_put_record(store, "kind", "key", body, strlen(body), err);
    }
    if (kind < 4 || !points->now.payloads[which])
        return upsert(points, store, which, err);
    code = hl_reader_find(hl_store_inside(store), &id, &point, err);
    if (code != HL_OK)
        return code;
    if (kind < 7)
        return change(points, store, which, point.number, err);
    points->now.payloads[which] = 0;
    memset(points->now.vectors[which], 0, sizeof points->now.vectors[which]);
    return hl_store_delete(store, point.number, err);
}

static enum hl_code one_request(struct hl_points *points, struct hl_store *store,
                                struct hl_err *err)
{
    const struct hl_points_state before = points->now;
    const bool is_undone = draw(points, 5) == 0;
    enum hl_code code = hl_store_save(store, err);

    if (code == HL_OK)
        code = request(points, store, err);
    if (code == HL_OK && is_undone)
        code = request(points, store, err);
    if (code != HL_OK)
        return code;
    if (!is_undone)
        return hl_store_keep(store, err);
    points->now = before;
    return hl_store_undo(store, err);
}

enum hl_code hl_points_commit(struct hl_points *points, struct hl_store *store, int n,
                              uint64_t oldest, struct hl_err *err)
{
    uint64_t commit;
    bool is_done;
    enum hl_code code;

    points->now = points->at[points->n_commits];
    code = hl_store_begin(store, &commit, err);
    for (int i = 0; i < n && code == HL_OK; i++)
        code = one_request(points, store, err);
    if (code == HL_OK)
        code = hl_store_clean(store, oldest, 20, &is_done, err);
    if (code == HL_OK)
        code = hl_store_commit(store, &commit, err);
    else
        hl_store_rollback(store);
    if (code != HL_OK)
        return code;
    points->n_commits = commit;
    points->at[commit] = points->now;
    return HL_OK;
}

/* ---- comparing ---- */

static bool complain(const struct hl_points *points, const char *what, int which)
{
    if (!points->is_quiet)
        fprintf(stderr, "%s of point %d is not as it was written\n", what, which);
    return false;
}

static bool has_values(const struct hl_points *points, struct hl_reader *reader,
                       uint64_t row, int space, uint32_t seed)
{
    float values[DIM];
    uint32_t indices[DIM];
    const struct hl_store_vector wanted = make_vector(points, space, seed, values, indices);
    struct hl_store_vector vector;
    struct hl_err err;

    if (hl_reader_vector(reader, row, &vector, &err) != HL_OK)
        return false;
    return vector.space == wanted.space && vector.n == wanted.n &&
           memcmp(vector.values, values, wanted.n * sizeof *values) == 0 &&
           (!wanted.indices || wanted.n == 0 ||
            memcmp(vector.indices, indices, wanted.n * sizeof *indices) == 0);
}

static bool check_point(const struct hl_points *points, struct hl_reader *reader,
                        const struct hl_points_state *state, int which,
                        const struct hl_store_point *point)
{
    char text[TEXT_SIZE];
    const struct hl_store_payload payload = make_payload(state->payloads[which], text);
    size_t n = 0;

    if (point->payload.len != payload.len ||
        memcmp(point->payload.text, text, payload.len) != 0)
        return complain(points, "the payload", which);
    for (int i = 0; i < HL_POINTS_SPACES; i++) {
        const uint32_t seed = state->vectors[which][i];

        if (!seed)
            continue;
        if (n == point->n_places || point->places[n].space != points->spaces[i] ||
            !has_values(points, reader, point->places[n].row, i, seed))
            return complain(points, "a vector", which);
        n++;
    }
    return n == point->n_places || complain(points, "a dropped vector", which);
}

struct tour {
    const struct hl_points *points;
    const struct hl_points_state *state;
    struct hl_reader *reader;
    struct hl_store_point last;
    int n;
    bool is_right;
};

static int which_of(const struct hl_id *id)
{
    for (int i = 0; i < HL_POINTS_IDS; i++) {
        const struct hl_id known = hl_points_id(i);

        if (hl_id_compare(&known, id) == 0)
            return i;
    }
    return -1;
}

static bool visit(void *self, const struct hl_store_point *point)
{
    struct tour *tour = self;
    const int which = which_of(&point->id);

    tour->is_right = which >= 0 && tour->state->payloads[which] &&
                     check_point(tour->points, tour->reader, tour->state, which, point);
    tour->n++;
    return tour->is_right;
}

static bool visit_by_number(void *self, const struct hl_store_point *point)
{
    struct tour *tour = self;

    if (tour->n > 0 && point->number <= tour->last.number)
        return tour->is_right =
                   complain(tour->points, "the order by number", (int)point->number);
    tour->last = *point;
    return visit(self, point);
}

static bool visit_by_id(void *self, const struct hl_store_point *point)
{
    struct tour *tour = self;

    if (tour->n > 0 && hl_id_compare(&point->id, &tour->last.id) <= 0)
        return tour->is_right =
                   complain(tour->points, "the order by id", (int)point->number);
    tour->last = *point;
    return visit(self, point);
}

static bool check_tour(const struct hl_points *points, struct hl_reader *reader,
                       const struct hl_points_state *state, enum hl_reader_order order)
{
    const struct hl_reader_scan scan = {.order = order};
    struct tour tour = {
        .points = points, .state = state, .reader = reader, .is_right = true};
    struct hl_err err;
    int n = 0;

    for (int i = 0; i < HL_POINTS_IDS; i++)
        n += state->payloads[i] != 0;
    if (hl_reader_scan(reader, &scan,
                       order == HL_READ_BY_ID ? visit_by_id : visit_by_number, &tour,
                       &err) != HL_OK)
        return complain(points, err.msg, -1);
    return tour.is_right && (tour.n == n || complain(points, "the number", tour.n));
}

bool hl_points_check(const struct hl_points *points, struct hl_reader *reader,
                     const struct hl_points_state *state)
{
    for (int i = 0; i < HL_POINTS_IDS; i++) {
        const struct hl_id id = hl_points_id(i);
        struct hl_store_point point, again;
        struct hl_err err;
        const enum hl_code code = hl_reader_find(reader, &id, &point, &err);

        if (code != (state->payloads[i] ? HL_OK : HL_NOT_FOUND))
            return complain(points, "the presence", i);
        if (code != HL_OK)
            continue;
        if (!check_point(points, reader, state, i, &point))
            return false;
        if (hl_reader_get(reader, point.number, &again, &err) != HL_OK ||
            !check_point(points, reader, state, i, &again))
            return complain(points, "the number", i);
    }
    return check_tour(points, reader, state, HL_READ_BY_NUMBER) &&
           check_tour(points, reader, state, HL_READ_BY_ID);
}
