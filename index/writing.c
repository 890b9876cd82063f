/* SPDX-License-Identifier: Apache-2.0 */
#include "index/writing_part.h"

#include "index/apply.h"
#include "index/filter.h"
#include "proto/alloc.h"

bool hl_writing_make_room(void *array, size_t *room, size_t n, size_t size)
{
    void **at = array;
    size_t wanted = *room ? *room * 2 : 8, bytes;
    void *bigger;

    if (n < *room)
        return true;
    if (!hl_size_mul(wanted, size, &bytes))
        return false;
    bigger = hl_realloc(*at, bytes);
    if (!bigger)
        return false;
    *at = bigger;
    *room = wanted;
    return true;
}

static enum hl_code fail_no_memory(struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory for a transaction");
}

/* ---- layouts ---- */

const struct hl_layout *hl_writing_layout(const struct hl_writing *writing)
{
    return writing->next ? writing->next : writing->collection->layout;
}

struct hl_layout *hl_writing_own_layout(struct hl_writing *writing)
{
    struct hl_layout *copy;

    if (writing->next && writing->next != writing->saved)
        return writing->next;
    copy = hl_layout_copy(hl_writing_layout(writing));
    if (!copy)
        return NULL;
    writing->next = copy; /* `saved` keeps the reference to the one before */
    return copy;
}

void hl_writing_save(struct hl_writing *writing)
{
    writing->saved = writing->next;
    writing->saved_appended = writing->n_appended;
    writing->saved_new = writing->n_new;
    writing->saved_dropped = writing->n_dropped;
    writing->saved_swaps = writing->n_swaps;
}

void hl_writing_keep(struct hl_writing *writing)
{
    if (writing->saved != writing->next)
        hl_layout_unref(writing->saved);
    writing->saved = NULL;
}

void hl_writing_undo(struct hl_writing *writing)
{
    hl_writing_strike(writing, writing->saved_appended);
    while (writing->n_new > writing->saved_new)
        hl_kept_index_done(&writing->new_indexes[--writing->n_new]);
    writing->n_dropped = writing->saved_dropped;
    writing->n_swaps = writing->saved_swaps;
    if (writing->saved != writing->next)
        hl_layout_unref(writing->next);
    writing->next = writing->saved;
    writing->saved = NULL;
}

void hl_writing_done(struct hl_writing *writing)
{
    for (size_t i = 0; i < writing->n_appended; i++) {
        hl_part_unref(writing->appended[i].part);
        hl_sparse_unref(writing->appended[i].sparse);
    }
    while (writing->n_new > 0)
        hl_kept_index_done(&writing->new_indexes[--writing->n_new]);
    hl_free(writing->appended);
    hl_free(writing->new_indexes);
    hl_free(writing->dropped);
    hl_free(writing->swaps);
    if (writing->saved != writing->next)
        hl_layout_unref(writing->saved);
    hl_layout_unref(writing->next);
    hl_arena_free(writing->arena);
}

/* ---- rows ---- */

void hl_writing_strike(struct hl_writing *writing, size_t first)
{
    while (writing->n_appended > first) {
        struct hl_appended *last = &writing->appended[--writing->n_appended];

        if (last->part)
            hl_tail_strike(hl_part_tail(last->part), last->first);
        if (last->sparse)
            hl_sparse_strike(last->sparse, last->first);
        hl_part_unref(last->part);
        hl_sparse_unref(last->sparse);
    }
}

/* Remembers where this change begins in a tail or among sparse rows. */
static enum hl_code note(struct hl_writing *writing, struct hl_part *part,
                         struct hl_sparse *sparse, struct hl_err *err)
{
    for (size_t i = writing->saved_appended; i < writing->n_appended; i++)
        if (writing->appended[i].part == part && writing->appended[i].sparse == sparse)
            return HL_OK;
    if (!hl_writing_make_room(&writing->appended, &writing->appended_room,
                              writing->n_appended, sizeof *writing->appended))
        return fail_no_memory(err);
    writing->appended[writing->n_appended++] =
        (struct hl_appended){.part = part ? hl_part_ref(part) : NULL,
                             .sparse = sparse ? hl_sparse_ref(sparse) : NULL,
                             .first = part     ? hl_part_count(part)
                                      : sparse ? hl_sparse_count(sparse)
                                               : 0};
    return HL_OK;
}

static struct hl_part *last_tail(const struct hl_space *space)
{
    struct hl_part *last =
        space->shelf.n_parts ? space->shelf.parts[space->shelf.n_parts - 1] : NULL;

    return last && hl_part_tail(last) && hl_part_count(last) < hl_part_capacity(last)
               ? last
               : NULL;
}

static enum hl_code append_dense(struct hl_writing *writing, uint32_t space,
                                 const struct hl_tail_row *row, struct hl_err *err)
{
    struct hl_part *part = last_tail(hl_layout_space(hl_writing_layout(writing), space));
    enum hl_code code = HL_OK;

    if (!part) {
        struct hl_layout *own = hl_writing_own_layout(writing);

        code = own ? hl_collection_add_tail(writing->collection, own, space, err)
                   : fail_no_memory(err);
        if (code != HL_OK)
            return code;
        part = last_tail(hl_layout_space(own, space));
    }
    code = note(writing, part, NULL, err);
    return code == HL_OK ? hl_tail_append(hl_part_tail(part), row, err) : code;
}

static enum hl_code append_sparse(struct hl_writing *writing, const struct hl_space *space,
                                  const struct hl_store_birth *birth, struct hl_err *err)
{
    const struct hl_store_row row = {.row = birth->row,
                                     .number = birth->number,
                                     .born = writing->commit,
                                     .vector = birth->vector};
    enum hl_code code = note(writing, NULL, space->sparse, err);

    return code == HL_OK ? hl_sparse_append(space->sparse, &row, err) : code;
}

enum hl_code hl_writing_append(struct hl_writing *writing, size_t first, struct hl_err *err)
{
    struct hl_store_changes changes;
    enum hl_code code = HL_OK;

    hl_store_changes(writing->store, &changes);
    for (size_t i = first; code == HL_OK && i < changes.n_births; i++) {
        const struct hl_store_birth *birth = &changes.births[i];
        const struct hl_tail_row row = {birth->row, birth->number, writing->commit,
                                        birth->vector.values};
        const struct hl_space *space =
            hl_layout_space(hl_writing_layout(writing), birth->vector.space);

        if (!space) /* it was dropped behind the birth, in the same change */
            continue;
        code = space->sparse ? append_sparse(writing, space, birth, err)
                             : append_dense(writing, birth->vector.space, &row, err);
    }
    return code;
}

/* ---- points ---- */

/* The published sets, and whoever was touched since as somebody to be asked. */
static enum hl_code find_candidates(void *self, const struct hl_filter *filter,
                                    struct hl_matches *ret_matches, struct hl_err *err)
{
    struct hl_writing *writing = self;
    struct hl_collection *collection = writing->collection;
    struct hl_field_index **room = hl_arena_array(writing->arena, collection->n_kept + 1,
                                                  sizeof(struct hl_field_index *));
    struct hl_filter_scope scope;
    struct hl_store_changes changes;
    struct hl_matches matches;
    enum hl_code code;

    if (!room)
        return hl_arena_fail(writing->arena, err, "a filter");
    hl_collection_scope(collection, room, &scope);
    scope.deadline = writing->deadline;
    code = hl_filter_find(filter, &scope, &matches, err);
    if (code != HL_OK)
        return code;
    hl_store_changes(writing->store, &changes);
    for (size_t i = 0; code == HL_OK && i < changes.n_touches; i++) {
        hl_rows_remove(matches.sure, changes.touches[i].number);
        code = hl_rows_add(matches.unsure, changes.touches[i].number, err);
    }
    if (code == HL_OK)
        *ret_matches = matches;
    else
        hl_matches_done(&matches);
    return code;
}

enum hl_code hl_writing_apply(struct hl_writing *writing, const struct hl_write_ops *ops,
                              struct hl_losses *losses, struct hl_arena *arena,
                              struct hl_err *err)
{
    const struct hl_apply apply = {.store = writing->store,
                                   .layout = hl_writing_layout(writing),
                                   .arena = arena,
                                   .deadline = writing->deadline,
                                   .losses = losses,
                                   .candidates = find_candidates,
                                   .self = writing};

    struct hl_store_changes before;
    enum hl_code code;

    hl_store_changes(writing->store, &before);
    code = hl_apply_ops(&apply, ops, err);
    if (code == HL_OK && apply.layout->n_images > 0)
        code = hl_apply_images(&apply, before.n_touches, err);
    return code;
}

struct hl_store *hl_writing_store(struct hl_writing *writing)
{
    return writing->store;
}

uint64_t hl_writing_commit(const struct hl_writing *writing)
{
    return writing->commit;
}
