/* SPDX-License-Identifier: Apache-2.0 */
#include "index/publish_part.h"

#include "proto/alloc.h"

#include <stdlib.h>
#include <string.h>

bool hl_publication_drops(const struct hl_publication *publication,
                          const struct hl_kept_index *kept, size_t at)
{
    const struct hl_writing *writing = publication->writing;

    for (size_t i = 0; i < writing->n_dropped; i++) {
        const struct hl_dropped *dropped = &writing->dropped[i];

        if ((at == SIZE_MAX || at < dropped->n_new) &&
            dropped->path.len == kept->def.key.len &&
            memcmp(dropped->path.text, kept->def.key.text, kept->def.key.len) == 0)
            return true;
    }
    return false;
}

static void apply_to_index(struct hl_publication *publication, struct hl_kept_index *kept)
{
    struct hl_err ignored;

    for (size_t i = 0; kept->index && i < publication->n_points; i++) {
        const struct hl_changed *point = &publication->points[i];

        if (!point->has_payload_changed)
            continue;
        if (point->was)
            hl_field_index_remove(kept->index, point->number, point->before);
        if (point->is && hl_field_index_add(kept->index, point->number, point->behind,
                                            &ignored) != HL_OK) {
            /* Better no answer than a wrong one: its conditions ask payloads from now on.
             */
            publication->lost[publication->n_lost++] = kept->index;
            kept->index = NULL;
        }
    }
}

/* The published ones that stay, then the new ones; what went is left in `kept`. */
void hl_publication_index(struct hl_publication *publication)
{
    struct hl_writing *writing = publication->writing;
    struct hl_collection *collection = writing->collection;
    struct hl_kept_index *old = collection->kept, *all = publication->kept;
    size_t n = 0, n_old = collection->n_kept;

    for (size_t i = 0; i < n_old; i++)
        apply_to_index(publication, &old[i]);
    if (!all)
        return;
    for (size_t i = 0; i < n_old; i++) {
        if (hl_publication_drops(publication, &old[i], SIZE_MAX))
            continue;
        all[n++] = old[i];
        old[i] = (struct hl_kept_index){0};
    }
    for (size_t i = 0; i < writing->n_new; i++) {
        if (hl_publication_drops(publication, &writing->new_indexes[i], i))
            continue;
        all[n++] = writing->new_indexes[i];
        writing->new_indexes[i] = (struct hl_kept_index){0};
    }
    collection->kept = all;
    collection->n_kept = n;
    publication->kept = old;
    publication->n_kept = n_old;
}

static bool apply_points(const struct hl_publication *publication)
{
    struct hl_collection *collection = publication->writing->collection;
    struct hl_err ignored;
    bool is_well = true;

    for (size_t i = 0; i < publication->n_points; i++) {
        const struct hl_changed *point = &publication->points[i];

        if (point->is && !point->was) {
            hl_roster_add(collection->roster, point->number, &point->id);
            is_well &= hl_rows_add(collection->points, point->number, &ignored) == HL_OK;
        } else if (point->was && !point->is) {
            hl_roster_remove(collection->roster, point->number);
            hl_rows_remove(collection->points, point->number);
        }
    }
    return is_well;
}

static void apply_spaces(struct hl_publication *publication)
{
    struct hl_collection *collection = publication->writing->collection;
    struct hl_carriers *old = collection->carriers;
    size_t n_old = collection->n_carriers;

    if (!publication->carriers)
        return;
    for (size_t i = 0; i < publication->n_carriers; i++) {
        struct hl_carriers *to = &publication->carriers[i];
        struct hl_carriers *from = hl_collection_carriers(collection, to->space);

        if (from) {
            to->points = from->points;
            from->points = NULL;
        }
    }
    collection->carriers = publication->carriers;
    collection->n_carriers = publication->n_carriers;
    publication->carriers = old;
    publication->n_carriers = n_old;
}

static bool has_died(const struct hl_publication *publication, uint64_t row)
{
    const struct hl_store_death wanted = {.row = row};

    return publication->n_deaths > 0 &&
           bsearch(&wanted, publication->deaths, publication->n_deaths,
                   sizeof *publication->deaths, hl_publication_by_row) != NULL;
}

static bool apply_carriers(const struct hl_publication *publication)
{
    const struct hl_collection *collection = publication->writing->collection;
    struct hl_err ignored;
    bool is_well = true;

    for (size_t i = 0; i < publication->n_deaths; i++) {
        const struct hl_carriers *carriers =
            hl_collection_carriers(collection, publication->deaths[i].space);

        if (carriers)
            hl_rows_remove(carriers->points, publication->deaths[i].number);
    }
    for (size_t i = 0; i < publication->n_births; i++) {
        const struct hl_store_birth *birth = &publication->births[i];
        const struct hl_carriers *carriers =
            hl_collection_carriers(collection, birth->vector.space);

        if (carriers && !has_died(publication, birth->row))
            is_well &= hl_rows_add(carriers->points, birth->number, &ignored) == HL_OK;
    }
    return is_well;
}

/* True when the row was there. */
static bool kill_row(const struct hl_layout *layout, const struct hl_store_death *death,
                     uint64_t commit)
{
    const struct hl_space *space = hl_layout_space(layout, death->space);

    if (!space)
        return false;
    if (space->sparse)
        return hl_sparse_kill(space->sparse, death->row, commit);
    for (size_t i = space->shelf.n_parts; i > 0; i--) /* the newest dies first, often */
        if (hl_part_kill(space->shelf.parts[i - 1], death->row, commit))
            return true;
    return false;
}

/* Sparse rows that were compacted are in two places. */
static void kill_compacted(const struct hl_publication *publication,
                           const struct hl_store_death *death)
{
    const struct hl_writing *writing = publication->writing;
    const struct hl_space *next = hl_layout_space(publication->layout, death->space);
    const struct hl_space *now = hl_layout_space(writing->collection->layout, death->space);

    if (next && now && next->sparse && next->sparse != now->sparse)
        (void)hl_sparse_kill(next->sparse, death->row, writing->commit);
}

/* Where rows are published, else in the tails that this transaction began. A part that was
 * merged learns of a death when it catches up. */
void hl_publication_kill(struct hl_publication *publication)
{
    const struct hl_writing *writing = publication->writing;

    for (size_t i = 0; i < publication->n_deaths; i++) {
        const struct hl_store_death *death = &publication->deaths[i];
        bool was_there = kill_row(writing->collection->layout, death, writing->commit);

        if (publication->layout && !was_there)
            (void)kill_row(publication->layout, death, writing->commit);
        else if (publication->layout)
            kill_compacted(publication, death);
    }
    for (size_t i = 0; i < writing->n_swaps; i++)
        if (writing->swaps[i].part)
            hl_merge_catch_up(writing->swaps[i].merge, writing->swaps[i].part);
}

size_t hl_publication_n_lost(const struct hl_publication *publication)
{
    return publication->n_lost;
}

size_t hl_publication_n_died(const struct hl_publication *publication)
{
    return publication->n_deaths;
}

bool hl_publication_apply(struct hl_publication *publication)
{
    struct hl_writing *writing = publication->writing;
    struct hl_collection *collection = writing->collection;
    struct hl_layout *layout = publication->layout;
    bool is_well;

    apply_spaces(publication);
    is_well = apply_points(publication);
    is_well &= apply_carriers(publication);
    if (layout) {
        publication->layout = collection->layout;
        collection->layout = layout;
    }
    for (size_t i = 0; i < writing->n_swaps; i++)
        for (size_t j = 0; j < writing->swaps[i].merge->n_parts; j++)
            hl_part_retire(writing->swaps[i].merge->parts[j]);
    collection->published = writing->commit;
    return is_well;
}

void hl_publication_free(struct hl_publication *publication)
{
    if (!publication)
        return;
    for (size_t i = 0; i < publication->n_kept; i++)
        hl_kept_index_done(&publication->kept[i]);
    hl_free(publication->kept);
    for (size_t i = 0; i < publication->n_carriers; i++)
        hl_rows_free(publication->carriers[i].points);
    hl_free(publication->carriers);
    for (size_t i = 0; i < publication->n_lost; i++)
        hl_field_index_free(publication->lost[i]);
    hl_layout_unref(publication->layout);
    hl_free(publication);
}
