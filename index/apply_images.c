/* SPDX-License-Identifier: Apache-2.0 */
#include "index/apply.h"

#include <string.h>

/* A space may be reached from every other model. */
enum { MAX_WORK = 64 };

static uint64_t row_in(const struct hl_store_point *point, uint32_t space)
{
    for (size_t i = 0; i < point->n_places; i++)
        if (point->places[i].space == space)
            return point->places[i].row;
    return 0; /* rows begin at 1 */
}

/* Whether images by `a` go before those by `b`: the shorter way, then the newest model. */
static bool is_before(const struct hl_image *a, const struct hl_image *b)
{
    return a->n_hops != b->n_hops ? a->n_hops < b->n_hops : a->from > b->from;
}

/* A point has an image where it has no vector of its own and no better image. */
static bool is_wanted(const struct hl_layout *layout, const struct hl_store_point *point,
                      const struct hl_space *space)
{
    const struct hl_image *image = &space->image;

    if (row_in(point, image->from) == 0 || row_in(point, image->into) != 0)
        return false;
    for (size_t i = layout->n_spaces; i < hl_layout_n_all(layout); i++) {
        const struct hl_image *other = &layout->spaces[i].image;

        if (other->into == image->into && other->is_served == image->is_served &&
            other->from != image->from && row_in(point, other->from) != 0 &&
            is_before(other, image))
            return false;
    }
    return true;
}

/* An image is written behind what it is of, so an older row is of an older vector. */
static bool is_right(const struct hl_layout *layout, const struct hl_store_point *point,
                     const struct hl_space *space)
{
    uint64_t row = row_in(point, space->id);

    if (!space->image.mapper) /* what was left unserved goes by the next change */
        return true;
    return is_wanted(layout, point, space) ? row > row_in(point, space->image.from)
                                           : row == 0;
}

bool hl_apply_is_expressed(const struct hl_layout *layout,
                           const struct hl_store_point *point)
{
    for (size_t i = layout->n_spaces; i < hl_layout_n_all(layout); i++)
        if (!is_right(layout, point, &layout->spaces[i]))
            return false;
    return true;
}

/* What is to be done to one point; it is worked out before the first write, since what the
 * reader gave does not outlive one. */
struct work {
    uint32_t dropped[MAX_WORK];
    size_t n_dropped;
    struct hl_store_vector made[MAX_WORK];
    size_t n_made;
};

static enum hl_code make_image(const struct hl_apply *apply,
                               const struct hl_store_point *point,
                               const struct hl_space *space, struct work *work,
                               struct hl_err *err)
{
    float *values = hl_arena_floats(apply->arena, 1, space->dim);
    struct hl_store_vector of;
    enum hl_code code;

    if (!values)
        return hl_arena_fail(apply->arena, err, "the image of a vector");
    code = hl_reader_vector(hl_store_inside(apply->store), row_in(point, space->image.from),
                            &of, err);
    if (code != HL_OK)
        return code;
    space->image.mapper->map(space->image.mapper, of.values, values);
    work->made[work->n_made++] =
        (struct hl_store_vector){.space = space->id, .n = space->dim, .values = values};
    return HL_OK;
}

static enum hl_code plan_work(const struct hl_apply *apply,
                              const struct hl_store_point *point, struct work *work,
                              struct hl_err *err)
{
    const struct hl_layout *layout = apply->layout;
    enum hl_code code = HL_OK;

    for (size_t i = layout->n_spaces; code == HL_OK && i < hl_layout_n_all(layout); i++) {
        const struct hl_space *space = &layout->spaces[i];

        if (is_right(layout, point, space))
            continue;
        if (work->n_dropped == MAX_WORK || work->n_made == MAX_WORK)
            return hl_fail(err, HL_CONFLICT, "a point cannot have more than %d images",
                           MAX_WORK);
        if (is_wanted(layout, point, space))
            code = make_image(apply, point, space, work, err);
        else
            work->dropped[work->n_dropped++] = space->id;
    }
    return code;
}

enum hl_code hl_apply_image(const struct hl_apply *apply, uint32_t number, size_t *ret_n,
                            struct hl_err *err)
{
    struct hl_store_point point;
    struct hl_err why;
    struct work work = {.n_made = 0};
    enum hl_code code = hl_reader_get(hl_store_inside(apply->store), number, &point, &why);

    *ret_n = 0;
    if (code == HL_NOT_FOUND) /* deleted by the same change */
        return HL_OK;
    if (code != HL_OK) {
        *err = why;
        return code;
    }
    code = plan_work(apply, &point, &work, err);
    if (code == HL_OK && work.n_dropped > 0)
        code =
            hl_store_drop_vectors(apply->store, number, work.dropped, work.n_dropped, err);
    if (code == HL_OK && work.n_made > 0)
        code = hl_store_put_vectors(apply->store, number, work.made, work.n_made, err);
    if (code == HL_OK)
        *ret_n = work.n_made + work.n_dropped;
    return code;
}

enum hl_code hl_apply_images(const struct hl_apply *apply, size_t first, struct hl_err *err)
{
    struct hl_store_changes changes;
    uint32_t *numbers;
    size_t n, n_done;
    enum hl_code code = HL_OK;

    hl_store_changes(apply->store, &changes);
    n = changes.n_touches - first;
    numbers = hl_arena_array(apply->arena, n ? n : 1, sizeof *numbers);
    if (!numbers)
        return hl_arena_fail(apply->arena, err, "the points of a change");
    for (size_t i = 0; i < n; i++) /* the list does not outlive the next write */
        numbers[i] = changes.touches[first + i].number;
    for (size_t i = 0; code == HL_OK && i < n; i++) {
        if (i > 0 && numbers[i] == numbers[i - 1])
            continue;
        code = hl_apply_image(apply, numbers[i], &n_done, err);
        if (code == HL_OK && apply->deadline && i % 64 == 0)
            code = hl_deadline_check(apply->deadline, "the change", err);
    }
    return code;
}
