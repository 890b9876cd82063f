/* SPDX-License-Identifier: Apache-2.0 */
#include "index/apply_part.h"

#include "index/normal.h"

/* The tree of a payload takes many times its text. */
enum { SCRATCH = 1 << 30 };

/* What an empty sparse vector has: an array that is there. */
static const float no_values[1];
static const uint32_t no_indices[1];

static enum hl_code fail_unknown(const struct hl_text *name, struct hl_err *err)
{
    return hl_fail(err, HL_UNKNOWN_VECTOR,
                   "Wrong input: Not existing vector name error: %.*s", (int)name->len,
                   name->text);
}

/* ---- vectors ---- */

static enum hl_code check_vector(const struct hl_space *space,
                                 const struct hl_vector *vector, struct hl_err *err)
{
    if (!space)
        return fail_unknown(&vector->name, err);
    if (vector->is_sparse != (space->dim == 0))
        return hl_fail(
            err, HL_WRONG_INPUT,
            "Wrong input: Conversion between sparse and regular vectors failed: vector "
            "\"%s\" is %s",
            space->name, space->dim == 0 ? "sparse" : "dense");
    if (space->dim > 0 && vector->n != space->dim)
        return hl_fail(err, HL_DIMENSION_MISMATCH,
                       "Wrong input: Vector dimension error: expected dim: %u, got %zu",
                       space->dim, vector->n);
    return HL_OK;
}

/* As they are stored. Values that are not normalised are the request's own. */
static enum hl_code take_vectors(const struct hl_apply *apply,
                                 const struct hl_vectors *vectors,
                                 struct hl_store_vector **ret_vectors, struct hl_err *err)
{
    struct hl_store_vector *taken =
        hl_arena_array(apply->arena, vectors->n + 1, sizeof *taken);

    if (!taken)
        return hl_arena_fail(apply->arena, err, "the vectors of a point");
    for (size_t i = 0; i < vectors->n; i++) {
        const struct hl_vector *vector = &vectors->items[i];
        const struct hl_space *space = hl_layout_find(apply->layout, &vector->name);
        enum hl_code code = check_vector(space, vector, err);
        float *normal;

        if (code != HL_OK)
            return code;
        taken[i] = (struct hl_store_vector){
            .space = space->id,
            .n = (uint32_t)vector->n,
            .values = vector->n > 0 ? vector->values : no_values,
            .indices = !vector->is_sparse || vector->n > 0 ? vector->indices : no_indices};
        if (space->dim == 0 || space->distance != HL_COSINE)
            continue;
        normal = hl_arena_floats(apply->arena, 1, vector->n);
        if (!normal)
            return hl_arena_fail(apply->arena, err, "the vectors of a point");
        hl_normalise(vector->values, vector->n, normal);
        taken[i].values = normal;
    }
    *ret_vectors = taken;
    return HL_OK;
}

/* ---- points ---- */

/* Whether the point is there, and whether the operation's filter lets it be changed. */
static enum hl_code find_point(struct hl_applying *applying, const struct hl_id *id,
                               const struct hl_filter *update_filter,
                               struct hl_store_point *ret_point, bool *ret_may_change,
                               struct hl_err *err)
{
    enum hl_code code = hl_applying_tick(applying, err);

    if (code == HL_OK)
        code = hl_reader_find(applying->reader, id, ret_point, err);
    if (code == HL_OK)
        code = hl_applying_test(applying, update_filter, ret_point, ret_may_change, err);
    return code;
}

/* Whether a point that is there already has a say in what becomes of it. */
static bool heeds_old(const struct hl_apply *apply, const struct hl_write_op *op)
{
    return op->mode != HL_WRITE_ANY || !hl_filter_is_empty(op->update_filter) ||
           (apply->losses && apply->layout->n_images > 0);
}

/* *ret_is_done: there is nothing more to be written. */
static enum hl_code heed_old(struct hl_applying *applying, const struct hl_write_op *op,
                             const struct hl_id *id, const struct hl_store_content *content,
                             bool *ret_is_done, struct hl_err *err)
{
    struct hl_store_point old;
    struct hl_err why;
    bool may_change = false;
    enum hl_code code =
        find_point(applying, id, op->update_filter, &old, &may_change, &why);

    if (code == HL_NOT_FOUND) {
        *ret_is_done = op->mode == HL_WRITE_UPDATE_ONLY;
        return HL_OK;
    }
    if (code != HL_OK) {
        *err = why;
        return code;
    }
    if (op->mode == HL_WRITE_INSERT_ONLY || !may_change) {
        *ret_is_done = true;
        return HL_OK;
    }
    return hl_apply_loss(applying, &old, content, ret_is_done, err);
}

static enum hl_code upsert_point(struct hl_applying *applying, const struct hl_write_op *op,
                                 const struct hl_point *point, struct hl_err *err)
{
    struct hl_store_content content = {.payload = {point->payload.text, point->payload.len},
                                       .n_vectors = point->vectors.n};
    struct hl_store_vector *vectors = NULL;
    bool is_done = false;
    uint32_t number;
    enum hl_code code = take_vectors(applying->apply, &point->vectors, &vectors, err);

    if (code != HL_OK)
        return code;
    content.vectors = vectors;
    code = heeds_old(applying->apply, op)
               ? heed_old(applying, op, &point->id, &content, &is_done, err)
               : hl_applying_tick(applying, err);
    if (code != HL_OK || is_done)
        return code;
    return hl_store_upsert(applying->apply->store, &point->id, &content, &number, err);
}

static enum hl_code update_vectors(struct hl_applying *applying,
                                   const struct hl_write_op *op,
                                   const struct hl_point *point, struct hl_err *err)
{
    struct hl_store_vector *vectors = NULL;
    struct hl_store_point old = {0};
    char id[HL_ID_TEXT_SIZE];
    bool may_change = false;
    enum hl_code code = take_vectors(applying->apply, &point->vectors, &vectors, err);

    if (code == HL_OK)
        code = find_point(applying, &point->id, op->update_filter, &old, &may_change, err);
    if (code == HL_NOT_FOUND) {
        hl_id_print(&point->id, id);
        return hl_fail(err, HL_NOT_FOUND, "Not found: No point with id %s found", id);
    }
    if (code != HL_OK || !may_change)
        return code;
    return hl_store_put_vectors(applying->apply->store, old.number, vectors,
                                point->vectors.n, err);
}

static enum hl_code
each_given(struct hl_applying *applying, const struct hl_write_op *op,
           enum hl_code (*each)(struct hl_applying *applying, const struct hl_write_op *op,
                                const struct hl_point *point, struct hl_err *err),
           struct hl_err *err)
{
    enum hl_code code = HL_OK;

    for (size_t i = 0; code == HL_OK && i < op->points.n; i++)
        code = each(applying, op, &op->points.items[i], err);
    return code;
}

static enum hl_code delete_point(struct hl_applying *applying,
                                 const struct hl_store_point *point, void *self,
                                 struct hl_err *err)
{
    (void)self;
    return hl_store_delete(applying->apply->store, point->number, err);
}

struct dropped {
    uint32_t *spaces;
    size_t n;
};

static enum hl_code drop_vectors(struct hl_applying *applying,
                                 const struct hl_store_point *point, void *self,
                                 struct hl_err *err)
{
    const struct dropped *dropped = self;

    return hl_store_drop_vectors(applying->apply->store, point->number, dropped->spaces,
                                 dropped->n, err);
}

static enum hl_code delete_vectors(struct hl_applying *applying,
                                   const struct hl_write_op *op, struct hl_err *err)
{
    const struct hl_apply *apply = applying->apply;
    struct dropped dropped = {
        .spaces = hl_arena_array(apply->arena, op->names.n + 1, sizeof(uint32_t))};

    if (!dropped.spaces)
        return hl_arena_fail(apply->arena, err, "the names of vectors");
    for (; dropped.n < op->names.n; dropped.n++) {
        const struct hl_text *name = &op->names.items[dropped.n];
        const struct hl_space *space = hl_layout_find(apply->layout, name);

        if (!space)
            return fail_unknown(name, err);
        dropped.spaces[dropped.n] = space->id;
    }
    return hl_applying_visit(applying, &op->target,
                             &(struct hl_visit){drop_vectors, &dropped, false}, err);
}

static enum hl_code apply_op(struct hl_applying *applying, const struct hl_write_op *op,
                             struct hl_err *err)
{
    switch (op->kind) {
    case HL_WRITE_UPSERT:
        return each_given(applying, op, upsert_point, err);
    case HL_WRITE_DELETE:
        return hl_applying_visit(applying, &op->target,
                                 &(struct hl_visit){delete_point, NULL, false}, err);
    case HL_WRITE_UPDATE_VECTORS:
        return each_given(applying, op, update_vectors, err);
    case HL_WRITE_DELETE_VECTORS:
        return delete_vectors(applying, op, err);
    case HL_WRITE_SET_PAYLOAD:
    case HL_WRITE_OVERWRITE_PAYLOAD:
    case HL_WRITE_DELETE_PAYLOAD:
    case HL_WRITE_CLEAR_PAYLOAD:
        break;
    }
    return hl_apply_payload(applying, op, err);
}

enum hl_code hl_apply_ops(const struct hl_apply *apply, const struct hl_write_ops *ops,
                          struct hl_err *err)
{
    struct hl_applying applying = {.apply = apply,
                                   .scratch = hl_arena_new(SCRATCH),
                                   .reader = hl_store_inside(apply->store)};
    enum hl_code code = HL_OK;

    if (!applying.scratch)
        return hl_fail(err, HL_NO_MEMORY, "no memory for a change");
    for (size_t i = 0; code == HL_OK && i < ops->n; i++)
        code = apply_op(&applying, &ops->items[i], err);
    hl_arena_free(applying.scratch);
    return code;
}
