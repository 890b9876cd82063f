/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_FAKE_LOOK_H
#define HL_TESTS_UNIT_FAKE_LOOK_H

/* A collection that is an array: what a search needs of index/look.h and of a reader, each
 * in a few lines and exact. For files of tests that link nothing else of a collection;
 * include it behind cmocka.h.
 *
 * A filter, whatever it says, means the points with an even number. Spaces are known by
 * their id: 1 "v" and 2 "s", and where a test has them 3 "w", of vectors too, and 4, the
 * images into "v" of "w". */
#include "index/look.h"
#include "index/store.h"
#include "server/collections.h"
#include "server/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_POINTS = 128 };

struct fake_point {
    struct hl_id id;
    float values[2]; /* of the space "v" */
    bool has_values;
    float others[2][2]; /* of the spaces 3 and 4 */
    bool has_others[2];
    float weight; /* of index 7 in the sparse space "s"; 0: none */
    const char *payload;
};

struct hl_reader {
    struct hl_store_place places[4];
    uint32_t index;
};

struct hl_look {
    struct hl_collection *collection;
    struct hl_look_wish wish;
    bool *is_settled;
    struct hl_reader reader;
};

struct hl_collection {
    int n_refs;
    int n_looks;
    int n_finds;
    int n_manys;
    bool has_slow_filters;
    struct hl_space spaces[4];
    struct hl_layout layout;
    struct fake_point points[FAKE_POINTS];
    uint32_t n_points;
    const char *name;
};

/* ---- the collection ---- */

enum hl_code hl_collections_acquire(struct hl_collections *collections,
                                    const struct hl_span *name,
                                    struct hl_collection **ret_collection,
                                    struct hl_err *err)
{
    struct hl_collection *collection = (struct hl_collection *)(void *)collections;

    if (name->len != strlen(collection->name) ||
        memcmp(name->data, collection->name, name->len) != 0)
        return hl_fail(err, HL_NOT_FOUND, "Not found: Collection `%s` doesn't exist!",
                       name->data);
    collection->n_refs++;
    *ret_collection = collection;
    return HL_OK;
}

struct hl_collection *hl_collection_ref(struct hl_collection *collection)
{
    collection->n_refs++;
    return collection;
}

const char *hl_collection_folder(const struct hl_collection *collection)
{
    return collection->name;
}

void hl_collection_unref(struct hl_collection *collection)
{
    collection->n_refs -= collection ? 1 : 0;
}

const struct hl_space *hl_layout_find(const struct hl_layout *layout,
                                      const struct hl_text *name)
{
    for (size_t i = 0; i < layout->n_spaces; i++)
        if (hl_text_is(name, layout->spaces[i].name))
            return &layout->spaces[i];
    return NULL;
}

const struct hl_space *hl_layout_space(const struct hl_layout *layout, uint32_t id)
{
    for (size_t i = 0; i < hl_layout_n_all(layout); i++)
        if (layout->spaces[i].id == id)
            return &layout->spaces[i];
    return NULL;
}

/* The values that a point has in a dense space; NULL: none. */
static const float *fake_values(const struct fake_point *point, uint32_t space)
{
    if (space == 1)
        return point->has_values ? point->values : NULL;
    return point->has_others[space - 3] ? point->others[space - 3] : NULL;
}

/* ---- the look ---- */

enum hl_code hl_look_open(struct hl_collection *collection, const struct hl_look_wish *wish,
                          struct hl_look **ret_look, struct hl_err *err)
{
    struct hl_look *look = hl_alloc_zeroed(1, sizeof *look);

    (void)err;
    look->is_settled = hl_alloc_zeroed(wish->n_filters + 1, sizeof *look->is_settled);
    look->collection = collection;
    look->wish = *wish;
    for (size_t i = 0; i < wish->n_filters; i++)
        look->is_settled[i] = !wish->filters[i] || !collection->has_slow_filters;
    collection->n_looks++;
    *ret_look = look;
    return HL_OK;
}

void hl_look_close(struct hl_look *look)
{
    if (!look)
        return;
    look->collection->n_looks--;
    hl_free(look->is_settled);
    hl_free(look);
}

const struct hl_layout *hl_look_layout(const struct hl_look *look)
{
    return &look->collection->layout;
}

struct hl_id hl_look_id(const struct hl_look *look, uint32_t number)
{
    return look->collection->points[number].id;
}

void hl_look_expect(const struct hl_look *look, uint32_t number)
{
    (void)look;
    (void)number;
}

uint64_t hl_look_n_points(const struct hl_look *look)
{
    return look->collection->n_points;
}

uint64_t hl_look_n_carriers(const struct hl_look *look, uint32_t space)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < look->collection->n_points; i++)
        n += fake_values(&look->collection->points[i], space) != NULL;
    return n;
}

bool hl_look_is_settled(const struct hl_look *look, size_t which)
{
    return look->is_settled[which];
}

enum hl_code hl_look_settle(struct hl_look *look, size_t which,
                            const struct hl_deadline *deadline, struct hl_err *err)
{
    look->is_settled[which] = true;
    return hl_deadline_check(deadline, "the filter", err);
}

static bool fake_has(const struct hl_look *look, size_t which, uint32_t number)
{
    assert_true(look->is_settled[which]);
    return !look->wish.filters[which] || number % 2 == 0;
}

uint64_t hl_look_count(const struct hl_look *look, size_t which)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < look->collection->n_points; i++)
        n += fake_has(look, which, i);
    return n;
}

enum hl_code hl_look_scroll(struct hl_look *look, const struct hl_look_page *page,
                            struct hl_arena *arena, const uint32_t **ret_numbers,
                            size_t *ret_n, struct hl_err *err)
{
    uint32_t *numbers = hl_arena_array(arena, FAKE_POINTS, sizeof *numbers);
    size_t n = 0;

    (void)err;
    for (uint32_t i = 0; i < look->collection->n_points && n < page->limit; i++)
        if (fake_has(look, page->which, i))
            numbers[n++] = i;
    *ret_numbers = numbers;
    *ret_n = n;
    return HL_OK;
}

/* ---- plans and ways: there are none, or they are the test's own ---- */

float hl_way_fidelity(const struct hl_way *way, float fidelity)
{
    return fidelity < 0 ? way->bridges[0]->fidelity : fidelity;
}

const struct hl_bridge_way *hl_way_scales(const struct hl_way *way,
                                          enum hl_modality modality)
{
    const struct hl_bridge_way *scales = &way->bridges[0]->ways[modality];

    return way->n_hops == 1 && scales->old_items[0].slope > 0 ? scales : NULL;
}

/* ---- search ---- */

bool hl_distance_is_better(enum hl_distance distance, float a, float b)
{
    return distance == HL_EUCLID || distance == HL_MANHATTAN ? a < b : a > b;
}

static bool fake_sparse(const struct hl_find *find, const struct fake_point *point,
                        float *ret_score)
{
    float dot = 0;

    for (size_t i = 0; i < find->n; i++)
        if (find->indices[i] == 7)
            dot = find->values[i] * point->weight;
    *ret_score = dot;
    return point->weight > 0 && dot < 0 ? true : dot > 0;
}

static bool fake_score(const struct hl_find *find, const struct fake_point *point,
                       float *ret_score)
{
    const float *values;
    float dot = 0, square = 0, norm = 0;

    if (find->space->dim == 0)
        return fake_sparse(find, point, ret_score);
    values = fake_values(point, find->space->id);
    for (size_t i = 0; i < find->n_without; i++)
        if (fake_values(point, find->without[i]))
            return false;
    assert_int_equal(find->n, find->space->dim);
    for (size_t i = 0; values && i < 2; i++) {
        float gap = find->values[i] - values[i];

        dot += find->values[i] * values[i];
        norm += find->values[i] * find->values[i];
        square += gap * gap;
    }
    if (find->space->distance == HL_COSINE)
        dot /= norm > 0 ? sqrtf(norm) : 1;
    *ret_score = find->space->distance == HL_EUCLID ? sqrtf(square) : dot;
    return values != NULL;
}

static enum hl_distance fake_distance; /* what the comparison below goes by */

static int fake_compare(const void *a, const void *b)
{
    const struct hl_hit *one = a, *other = b;

    if (hl_distance_is_better(fake_distance, one->score, other->score))
        return -1;
    if (hl_distance_is_better(fake_distance, other->score, one->score))
        return 1;
    return (one->number > other->number) - (one->number < other->number);
}

enum hl_code hl_look_find(struct hl_look *look, const struct hl_find *find,
                          struct hl_arena *arena, const struct hl_hit **ret_hits,
                          size_t *ret_n, struct hl_err *err)
{
    struct hl_hit *hits = hl_arena_array(arena, FAKE_POINTS, sizeof *hits);
    size_t n = 0;

    look->collection->n_finds++;
    if (!hits)
        return hl_arena_fail(arena, err, "hits");
    for (uint32_t i = 0; i < look->collection->n_points; i++) {
        hits[n].number = i;
        if (fake_has(look, find->which, i) &&
            fake_score(find, &look->collection->points[i], &hits[n].score))
            n++;
    }
    fake_distance = find->space->distance;
    qsort(hits, n, sizeof *hits, fake_compare);
    *ret_hits = hits;
    *ret_n = n < find->k ? n : find->k;
    return hl_deadline_check(find->deadline, "the search", err);
}

bool hl_look_means_same(const struct hl_look *look, size_t a, size_t b)
{
    return !look->wish.filters[a] == !look->wish.filters[b];
}

enum hl_code hl_look_find_many(struct hl_look *look, const struct hl_find *find,
                               const struct hl_find_many *many, struct hl_arena *arena,
                               struct hl_err *err)
{
    enum hl_code code = HL_OK;

    look->collection->n_manys++;
    for (size_t i = 0; i < many->n && code == HL_OK; i++) {
        struct hl_find one = *find;

        one.values = many->queries[i];
        code =
            hl_look_find(look, &one, arena, &many->found[i].hits, &many->found[i].n, err);
    }
    return code;
}

/* ---- reading ---- */

enum hl_code hl_look_reader(struct hl_look *look, struct hl_reader **ret_reader,
                            struct hl_err *err)
{
    (void)err;
    *ret_reader = &look->reader;
    return HL_OK;
}

static struct hl_look *fake_look_of(struct hl_reader *reader)
{
    return (struct hl_look *)((char *)reader - offsetof(struct hl_look, reader));
}

enum hl_code hl_reader_renew(struct hl_reader *reader, struct hl_err *err)
{
    (void)reader, (void)err;
    return HL_OK;
}

enum hl_code hl_reader_get(struct hl_reader *reader, uint32_t number,
                           struct hl_store_point *ret_point, struct hl_err *err)
{
    const struct fake_point *point = &fake_look_of(reader)->collection->points[number];
    size_t n = 0;

    (void)err;
    for (uint32_t space = 1; space <= 4; space++)
        if (space == 2 ? point->weight > 0 : fake_values(point, space) != NULL)
            reader->places[n++] = (struct hl_store_place){4ull * number + space - 1, space};
    *ret_point = (struct hl_store_point){
        .number = number,
        .id = point->id,
        .payload = {point->payload, point->payload ? strlen(point->payload) : 0},
        .places = reader->places,
        .n_places = n};
    return HL_OK;
}

enum hl_code hl_reader_find(struct hl_reader *reader, const struct hl_id *id,
                            struct hl_store_point *ret_point, struct hl_err *err)
{
    const struct hl_collection *collection = fake_look_of(reader)->collection;

    for (uint32_t i = 0; i < collection->n_points; i++)
        if (hl_id_compare(id, &collection->points[i].id) == 0)
            return hl_reader_get(reader, i, ret_point, err);
    return hl_fail(err, HL_NOT_FOUND, "no such point");
}

enum hl_code hl_reader_vector(struct hl_reader *reader, uint64_t row,
                              struct hl_store_vector *ret_vector, struct hl_err *err)
{
    const struct fake_point *point = &fake_look_of(reader)->collection->points[row / 4];
    const uint32_t space = (uint32_t)(row % 4) + 1;

    (void)err;
    reader->index = 7;
    *ret_vector = space == 2
                      ? (struct hl_store_vector){.space = 2,
                                                 .n = 1,
                                                 .values = &point->weight,
                                                 .indices = &reader->index}
                      : (struct hl_store_vector){
                            .space = space, .n = 2, .values = fake_values(point, space)};
    return HL_OK;
}

#endif
