/* SPDX-License-Identifier: Apache-2.0 */
#include "index/apply_part.h"

#include "proto/model_name.h"

/* Whether queries of other models find a point by its vector in this space, or would by
 * that of the point in another. */
static bool is_shared(const struct hl_layout *layout, uint32_t space)
{
    for (size_t i = layout->n_spaces; i < hl_layout_n_all(layout); i++) {
        const struct hl_image *image = &layout->spaces[i].image;

        if (image->is_served && (image->from == space || image->into == space))
            return true;
    }
    return false;
}

static bool is_brought(const struct hl_store_content *content, uint32_t space)
{
    for (size_t i = 0; i < content->n_vectors; i++)
        if (content->vectors[i].space == space)
            return true;
    return false;
}

/* The vectors that a point has and the new one has not: first those that are shared. Images
 * are not among them: they follow from the others. */
struct missing {
    uint32_t *spaces;
    size_t n_shared, n;
};

static enum hl_code find_missing(const struct hl_apply *apply,
                                 const struct hl_store_point *old,
                                 const struct hl_store_content *content,
                                 struct missing *missing, struct hl_err *err)
{
    const struct hl_layout *layout = apply->layout;

    missing->spaces =
        hl_arena_array(apply->arena, old->n_places + 1, sizeof *missing->spaces);
    if (!missing->spaces)
        return hl_arena_fail(apply->arena, err, "the vectors of a point");
    for (size_t i = 0; i < old->n_places; i++) {
        const struct hl_space *space = hl_layout_space(layout, old->places[i].space);

        if (!space || space->image.into != 0 || is_brought(content, space->id))
            continue;
        missing->spaces[missing->n++] = space->id;
        if (is_shared(layout, space->id)) {
            missing->spaces[missing->n - 1] = missing->spaces[missing->n_shared];
            missing->spaces[missing->n_shared++] = space->id;
        }
    }
    return HL_OK;
}

static enum hl_code refuse(const struct hl_layout *layout, const struct hl_id *id,
                           uint32_t space, struct hl_err *err)
{
    const char *name = hl_layout_space(layout, space)->name;
    char text[HL_ID_TEXT_SIZE];

    hl_id_print(id, text);
    return hl_fail(err, HL_CONFLICT,
                   "point %s would lose its vector \"%.200s\", by which queries of other "
                   "models find it, and the collection's \"on_vector_loss\" is \"refuse\": "
                   "send that vector along, or change vectors alone",
                   text, hl_model_shown(name));
}

/* The rows that are kept stay as they are, so nothing that was made of them is made anew
 * but by the new vectors. */
static enum hl_code keep(struct hl_store *store, uint32_t number,
                         const struct missing *missing,
                         const struct hl_store_content *content, struct hl_err *err)
{
    enum hl_code code =
        hl_store_drop_vectors(store, number, missing->spaces + missing->n_shared,
                              missing->n - missing->n_shared, err);

    if (code == HL_OK && content->n_vectors > 0)
        code =
            hl_store_put_vectors(store, number, content->vectors, content->n_vectors, err);
    return code == HL_OK ? hl_store_set_payload(store, number, &content->payload, err)
                         : code;
}

enum hl_code hl_apply_loss(struct hl_applying *applying, const struct hl_store_point *old,
                           const struct hl_store_content *content, bool *ret_is_written,
                           struct hl_err *err)
{
    const struct hl_apply *apply = applying->apply;
    struct hl_losses *losses = apply->losses;
    struct missing missing = {0};
    enum hl_code code;

    *ret_is_written = false;
    if (!losses || apply->layout->n_images == 0)
        return HL_OK;
    code = find_missing(apply, old, content, &missing, err);
    if (code != HL_OK || missing.n_shared == 0)
        return code;
    switch (losses->rule) {
    case HL_LOSS_ALLOW:
        losses->n_points++;
        losses->n_vectors += missing.n_shared;
        return HL_OK;
    case HL_LOSS_REFUSE:
        return refuse(apply->layout, &old->id, missing.spaces[0], err);
    case HL_LOSS_KEEP:
        break;
    }
    code = keep(apply->store, old->number, &missing, content, err);
    *ret_is_written = code == HL_OK;
    return code;
}
