/* SPDX-License-Identifier: Apache-2.0 */
#include "index/publish_part.h"
#include "proto/alloc.h"

#include <stdlib.h>
#include <string.h>

static enum hl_code fail_no_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory to publish a transaction");
}

/* ---- before the commit: what the store did ---- */

static int by_number(const void *a, const void *b)
{
    const struct hl_store_touch *const *left = a, *const *right = b;

    if ((*left)->number != (*right)->number)
        return (*left)->number < (*right)->number ? -1 : 1;
    return *left < *right ? -1 : *left > *right; /* in the order they were made */
}

int hl_publication_by_row(const void *a, const void *b)
{
    const struct hl_store_death *left = a, *right = b;

    return left->row < right->row ? -1 : left->row > right->row;
}

static enum hl_code collect_points(struct hl_publication *publication,
                                   const struct hl_store_changes *changes,
                                   struct hl_err *err)
{
    struct hl_arena *arena = publication->writing->arena;
    const size_t n = changes->n_touches;
    const struct hl_store_touch **touches =
        hl_arena_array(arena, n + 1, sizeof(struct hl_store_touch *));
    struct hl_changed *point = hl_arena_array(arena, n + 1, sizeof *point);

    if (!touches || !point)
        return hl_arena_fail(arena, err, "what a transaction changed");
    for (size_t i = 0; i < n; i++)
        touches[i] = &changes->touches[i];
    qsort(touches, n, sizeof(struct hl_store_touch *), by_number);
    publication->points = point;
    for (size_t i = 0; i < n; i++) {
        const struct hl_store_touch *touch = touches[i];

        if (i == 0 || touch->number != touches[i - 1]->number) {
            point = &publication->points[publication->n_points++];
            *point = (struct hl_changed){.number = touch->number,
                                         .was = touch->event != HL_STORE_MADE,
                                         .id = touch->id};
        }
        point->is = touch->event != HL_STORE_DELETED;
        point->has_payload_changed |=
            touch->event != HL_STORE_CHANGED || touch->has_payload_changed;
    }
    return HL_OK;
}

static enum hl_code collect_rows(struct hl_publication *publication,
                                 const struct hl_store_changes *changes, struct hl_err *err)
{
    struct hl_arena *arena = publication->writing->arena;

    publication->births =
        hl_arena_array(arena, changes->n_births + 1, sizeof *publication->births);
    publication->deaths =
        hl_arena_array(arena, changes->n_deaths + 1, sizeof *publication->deaths);
    if (!publication->births || !publication->deaths)
        return hl_arena_fail(arena, err, "what a transaction changed");
    if (changes->n_births > 0)
        memcpy(publication->births, changes->births,
               changes->n_births * sizeof *publication->births);
    if (changes->n_deaths > 0)
        memcpy(publication->deaths, changes->deaths,
               changes->n_deaths * sizeof *publication->deaths);
    publication->n_births = changes->n_births;
    publication->n_deaths = changes->n_deaths;
    qsort(publication->deaths, publication->n_deaths, sizeof *publication->deaths,
          hl_publication_by_row);
    return HL_OK;
}

/* ---- before the commit: payloads for the indexes ---- */

static enum hl_code read_payload(struct hl_reader *reader, uint32_t number,
                                 struct hl_arena *arena,
                                 const struct hl_value **ret_payload, struct hl_err *err)
{
    struct hl_store_point point;
    const char *text = NULL;
    enum hl_code code = hl_reader_get(reader, number, &point, err);

    if (code != HL_OK)
        return code;
    if (point.payload.text) {
        text = hl_arena_copy(arena, point.payload.text, point.payload.len);
        if (!text)
            return hl_arena_fail(arena, err, "a payload");
    }
    return hl_payload_parse(text, point.payload.len, arena, ret_payload, err);
}

static enum hl_code read_before(struct hl_publication *publication, struct hl_err *err)
{
    struct hl_collection *collection = publication->writing->collection;
    enum hl_code code = HL_OK;

    if (!collection->before)
        code = hl_collection_take_reader(collection, &collection->before, err);
    if (code == HL_OK)
        code = hl_reader_begin(collection->before, collection->published, err);
    if (code != HL_OK)
        return code;
    for (size_t i = 0; code == HL_OK && i < publication->n_points; i++) {
        struct hl_changed *point = &publication->points[i];

        if (point->was && point->has_payload_changed)
            code = read_payload(collection->before, point->number,
                                publication->writing->arena, &point->before, err);
    }
    hl_reader_end(collection->before);
    return code;
}

static enum hl_code read_payloads(struct hl_publication *publication, struct hl_err *err)
{
    const struct hl_collection *collection = publication->writing->collection;
    bool is_wanted = false;
    enum hl_code code;

    for (size_t i = 0; i < collection->n_kept; i++)
        is_wanted |= collection->kept[i].index != NULL;
    if (!is_wanted || publication->n_points == 0)
        return HL_OK;
    code = read_before(publication, err);
    for (size_t i = 0; code == HL_OK && i < publication->n_points; i++) {
        struct hl_changed *point = &publication->points[i];

        if (point->is && point->has_payload_changed)
            code = read_payload(hl_store_inside(publication->writing->store), point->number,
                                publication->writing->arena, &point->behind, err);
    }
    return code;
}

/* ---- before the commit: what takes the place of what ---- */

/* Between two looks at the clock. */
enum { FILLS_PER_LOOK = 256 };

struct fill {
    struct hl_publication *publication;
    struct hl_arena *arena;
    size_t n_filled;
    enum hl_code code;
    struct hl_err *err;
};

static bool fill_point(void *self, const struct hl_store_point *point)
{
    struct fill *fill = self;
    struct hl_writing *writing = fill->publication->writing;
    const struct hl_value *payload = NULL;

    if (writing->deadline && fill->n_filled++ % FILLS_PER_LOOK == 0)
        fill->code = hl_deadline_check(writing->deadline, "a payload index", fill->err);
    if (fill->code != HL_OK)
        return false;
    hl_arena_reset(fill->arena);
    fill->code = hl_payload_parse(point->payload.text, point->payload.len, fill->arena,
                                  &payload, fill->err);
    for (size_t i = 0; fill->code == HL_OK && i < writing->n_new; i++)
        if (!hl_publication_drops(fill->publication, &writing->new_indexes[i], i))
            fill->code = hl_field_index_add(writing->new_indexes[i].index, point->number,
                                            payload, fill->err);
    return fill->code == HL_OK;
}

/* New indexes see the transaction as it ends. The last change of it is the one that asked
 * for them. */
static enum hl_code fill_indexes(struct hl_publication *publication, struct hl_err *err)
{
    struct hl_writing *writing = publication->writing;
    const struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER};
    struct fill fill = {.publication = publication, .err = err};
    enum hl_code code;

    if (writing->n_new == 0)
        return HL_OK;
    fill.arena = hl_arena_new(SIZE_MAX / 2);
    if (!fill.arena)
        return fail_no_memory(err);
    code = hl_reader_scan(hl_store_inside(writing->store), &scan, fill_point, &fill, err);
    hl_arena_free(fill.arena);
    return code == HL_OK ? fill.code : code;
}

static enum hl_code prepare_indexes(struct hl_publication *publication, struct hl_err *err)
{
    const struct hl_writing *writing = publication->writing;
    const size_t n = writing->collection->n_kept + writing->n_new;

    if (writing->n_new == 0 && writing->n_dropped == 0)
        return HL_OK;
    publication->kept = hl_alloc_zeroed(n ? n : 1, sizeof *publication->kept);
    return publication->kept ? fill_indexes(publication, err) : fail_no_memory(err);
}

static enum hl_code prepare_carriers(struct hl_publication *publication, struct hl_err *err)
{
    const struct hl_collection *collection = publication->writing->collection;
    const struct hl_layout *layout = publication->layout;
    const size_t n_all = layout ? hl_layout_n_all(layout) : 0;

    if (!layout)
        return HL_OK;
    publication->carriers = hl_alloc_zeroed(n_all ? n_all : 1, sizeof(struct hl_carriers));
    if (!publication->carriers)
        return fail_no_memory(err);
    for (size_t i = 0; i < n_all; i++) {
        struct hl_carriers *to = &publication->carriers[publication->n_carriers++];

        to->space = layout->spaces[i].id;
        if (!hl_collection_carriers(collection, to->space)) {
            to->points = hl_rows_new();
            if (!to->points)
                return fail_no_memory(err);
        }
    }
    return HL_OK;
}

static enum hl_code prepare_loss(struct hl_publication *publication, struct hl_err *err)
{
    struct hl_writing *writing = publication->writing;

    publication->lost = hl_arena_array(writing->arena, writing->collection->n_kept + 1,
                                       sizeof(struct hl_field_index *));
    return publication->lost ? HL_OK : fail_no_memory(err);
}

static enum hl_code reserve_ids(const struct hl_publication *publication,
                                struct hl_err *err)
{
    uint32_t first = UINT32_MAX, last = 0;

    for (size_t i = 0; i < publication->n_points; i++) {
        const struct hl_changed *point = &publication->points[i];

        if (point->was || !point->is)
            continue;
        first = point->number < first ? point->number : first;
        last = point->number > last ? point->number : last;
    }
    return first <= last ? hl_roster_reserve(publication->writing->collection->roster,
                                             first, last, err)
                         : HL_OK;
}

enum hl_code hl_publication_new(struct hl_writing *writing,
                                struct hl_publication **ret_publication, struct hl_err *err)
{
    struct hl_publication *publication = hl_alloc_zeroed(1, sizeof *publication);
    struct hl_store_changes changes;
    enum hl_code code;

    if (!publication)
        return fail_no_memory(err);
    publication->writing = writing;
    if (writing->next)
        publication->layout = hl_layout_ref(writing->next);
    hl_store_changes(writing->store, &changes);
    code = collect_points(publication, &changes, err);
    if (code == HL_OK)
        code = prepare_loss(publication, err);
    if (code == HL_OK)
        code = collect_rows(publication, &changes, err);
    if (code == HL_OK)
        code = read_payloads(publication, err);
    if (code == HL_OK)
        code = prepare_indexes(publication, err);
    if (code == HL_OK)
        code = prepare_carriers(publication, err);
    if (code == HL_OK)
        code = reserve_ids(publication, err);
    if (code == HL_OK)
        *ret_publication = publication;
    else
        hl_publication_free(publication);
    return code;
}
