/* SPDX-License-Identifier: Apache-2.0 */
#include "index/engine_part.h"
#include "index/grow.h"

#include <stdlib.h>
#include <string.h>

/* Sealed rows that live. */
static uint64_t count_sealed(const struct hl_space *space)
{
    uint64_t n = 0;

    for (size_t i = 0; i < space->shelf.n_parts; i++)
        if (hl_part_segment(space->shelf.parts[i]))
            n += hl_part_count(space->shelf.parts[i]) -
                 hl_part_n_dead(space->shelf.parts[i]);
    return n;
}

static size_t count_full_tails(const struct hl_space *space)
{
    size_t n = 0;

    for (size_t i = 0; i < space->shelf.n_parts; i++)
        n += hl_shelf_is_full(&space->shelf, i);
    return n;
}

/* Of full tails: floats, sketches and what is beside them. */
static uint64_t count_waiting_bytes(const struct hl_space *space)
{
    uint64_t n_rows = 0;

    for (size_t i = 0; i < space->shelf.n_parts; i++)
        if (hl_shelf_is_full(&space->shelf, i))
            n_rows += hl_part_count(space->shelf.parts[i]);
    return n_rows * (space->dim * sizeof(float) + hl_sketch_stride(space->dim) + 32);
}

void hl_collection_account(struct hl_collection *collection, const struct hl_layout *layout)
{
    struct hl_engine_counts *counts = hl_engine_counts(collection->engine);
    uint64_t bytes = 0;
    size_t seals = 0;

    for (size_t i = 0; i < hl_layout_n_all(layout); i++) {
        bytes += count_waiting_bytes(&layout->spaces[i]);
        seals += count_full_tails(&layout->spaces[i]);
    }
    atomic_fetch_add(&counts->unindexed_bytes, bytes - collection->unindexed_bytes);
    atomic_fetch_add(&counts->seals_waiting, seals - collection->seals_waiting);
    collection->unindexed_bytes = bytes;
    collection->seals_waiting = seals;
    hl_grow_account(collection, layout);
}

static void count_bytes(const struct hl_space *space, struct hl_collection_info *info)
{
    for (size_t i = 0; i < space->shelf.n_parts; i++) {
        info->held_bytes += hl_part_held(space->shelf.parts[i]);
        info->mapped_bytes += hl_part_mapped(space->shelf.parts[i]);
    }
}

static enum hl_code list_spaces(struct hl_collection *collection, struct hl_arena *arena,
                                struct hl_collection_info *info, struct hl_err *err)
{
    const struct hl_layout *layout = collection->layout;
    struct hl_space_info *spaces =
        hl_arena_array(arena, layout->n_spaces ? layout->n_spaces : 1, sizeof *spaces);

    if (!spaces)
        return hl_arena_fail(arena, err, "what a collection has");
    for (size_t i = 0; i < layout->n_spaces; i++) {
        const struct hl_space *space = &layout->spaces[i];
        const struct hl_carriers *carriers = hl_collection_carriers(collection, space->id);

        spaces[i] = (struct hl_space_info){.name = space->name,
                                           .n_points = hl_rows_count(carriers->points),
                                           .n_indexed = count_sealed(space)};
        info->n_vectors += spaces[i].n_points;
        info->n_indexed += spaces[i].n_indexed;
        info->n_segments += space->sparse ? 1 : space->shelf.n_parts;
        info->is_busy |= count_full_tails(space) > 0;
        count_bytes(space, info);
    }
    for (size_t i = layout->n_spaces; i < hl_layout_n_all(layout); i++) {
        info->n_segments += layout->spaces[i].shelf.n_parts;
        count_bytes(&layout->spaces[i], info);
        info->is_busy |= count_full_tails(&layout->spaces[i]) > 0;
        info->is_busy |= !layout->spaces[i].image.is_served;
    }
    info->spaces = spaces;
    info->n_spaces = layout->n_spaces;
    return HL_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct hl_index_info *left = a, *right = b;
    const struct hl_text x = {left->index.key.text, left->index.key.len};
    const struct hl_text y = {right->index.key.text, right->index.key.len};

    return hl_text_compare(&x, &y);
}

static const char *copy(struct hl_arena *arena, const char *text, size_t len)
{
    return text ? hl_arena_copy(arena, text, len) : "";
}

static enum hl_code list_indexes(const struct hl_collection *collection,
                                 struct hl_arena *arena, struct hl_collection_info *info,
                                 struct hl_err *err)
{
    struct hl_index_info *indexes =
        hl_arena_array(arena, collection->n_kept ? collection->n_kept : 1, sizeof *indexes);

    if (!indexes)
        return hl_arena_fail(arena, err, "what a collection has");
    for (size_t i = 0; i < collection->n_kept; i++) {
        const struct hl_kept_index *kept = &collection->kept[i];
        struct hl_index_info *to = &indexes[i];

        *to = (struct hl_index_info){.index = kept->def};
        to->index.key.steps = NULL; /* they stay with the index */
        to->index.key.n_steps = 0;
        to->index.key.text = copy(arena, kept->def.key.text, kept->def.key.len);
        if (kept->def.params.text)
            to->index.params.text =
                copy(arena, kept->def.params.text, kept->def.params.len);
        if (!to->index.key.text || (kept->def.params.text && !to->index.params.text))
            return hl_arena_fail(arena, err, "what a collection has");
        if (kept->index) {
            to->n_points = hl_field_index_count(kept->index);
            to->bytes = hl_field_index_bytes(kept->index);
        }
    }
    qsort(indexes, collection->n_kept, sizeof *indexes, by_path);
    info->indexes = indexes;
    info->n_indexes = collection->n_kept;
    return HL_OK;
}

enum hl_code hl_collection_info(struct hl_collection *collection, struct hl_arena *arena,
                                struct hl_collection_info *ret_info, struct hl_err *err)
{
    struct hl_collection_info info = {0};
    enum hl_code code;

    pthread_rwlock_rdlock(&collection->indexes);
    info.n_points = hl_rows_count(collection->points);
    info.commit = collection->published;
    code = list_spaces(collection, arena, &info, err);
    if (code == HL_OK)
        code = list_indexes(collection, arena, &info, err);
    if (code == HL_OK)
        info.layout = hl_layout_ref(collection->layout);
    pthread_rwlock_unlock(&collection->indexes);
    if (code != HL_OK)
        return code;
    pthread_mutex_lock(&collection->desk);
    info.is_busy |= collection->n_kept_at > 0;
    pthread_mutex_unlock(&collection->desk);
    *ret_info = info;
    return HL_OK;
}
