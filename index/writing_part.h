/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_WRITING_PART_H
#define HL_INDEX_WRITING_PART_H

#include "index/collection_part.h"
#include "index/merge.h"
#include "index/writing.h"

/* One transaction on its way: what writing.c, group.c and publish.c share. */

/* Where rows were appended that are not published: what a failure strikes. */
struct hl_appended {
    struct hl_part *part;     /* a tail, a reference; or */
    struct hl_sparse *sparse; /* likewise */
    size_t first;
};

/* A part that takes the place of others when the transaction is published. */
struct hl_swap {
    const struct hl_merge *merge; /* the caller's, until it is done */
    uint32_t space;
    struct hl_part *part; /* NULL: nothing of them lives */
};

/* A payload index that goes: the published one, and those of `new_indexes` before
 * `n_new`. */
struct hl_dropped {
    struct hl_text path; /* in the arena */
    size_t n_new;
};

struct hl_writing {
    struct hl_collection *collection;
    struct hl_store *store;
    uint64_t commit;
    bool is_careful;                    /* a change that wrote can be undone by itself */
    bool wants_care;                    /* one had to be and could not */
    const struct hl_deadline *deadline; /* of the change that runs; NULL: none */
    struct hl_layout *next;             /* the layout it leaves; NULL: as it is published */

    struct hl_appended *appended;
    size_t n_appended, appended_room;
    struct hl_kept_index *new_indexes; /* filled before the commit */
    size_t n_new, new_room;
    struct hl_dropped *dropped;
    size_t n_dropped, dropped_room;
    struct hl_swap *swaps;
    size_t n_swaps, swaps_room;
    struct hl_arena *arena; /* as long as the transaction */

    /* As they were when the change that runs began. */
    struct hl_layout *saved;
    size_t saved_appended, saved_new, saved_dropped, saved_swaps;
};

/* Room for one more in an array (the address of its pointer is handed in) that grows by
 * doubling. */
bool hl_writing_make_room(void *array, size_t *room, size_t n, size_t size);

/* A layout of its own to be changed, for the change that runs. NULL: no memory. */
struct hl_layout *hl_writing_own_layout(struct hl_writing *writing);

/* The space is no more: in the store, the manifest and the layout. */
enum hl_code hl_writing_forget_space(struct hl_writing *writing, uint32_t space,
                                     struct hl_err *err);

/* The rows born since `first` go to the ends of their shelves. */
enum hl_code hl_writing_append(struct hl_writing *writing, size_t first,
                               struct hl_err *err);

/* A change begins; it went well; nothing of it is there. */
void hl_writing_save(struct hl_writing *writing);
void hl_writing_undo(struct hl_writing *writing);
void hl_writing_keep(struct hl_writing *writing);

/* Nobody will ever see what was appended since `first` of `appended`. */
void hl_writing_strike(struct hl_writing *writing, size_t first);
void hl_writing_done(struct hl_writing *writing);

/* The keeper's: when this is published, `part` stands where the merge's parts stood. */
enum hl_code hl_writing_swap(struct hl_writing *writing, const struct hl_swap *swap,
                             struct hl_err *err);

/* ---- publish.c: memory follows the store ---- */

/* What changes in memory, worked out before the commit, so that little can fail behind it.
 */
struct hl_publication;

enum hl_code hl_publication_new(struct hl_writing *writing,
                                struct hl_publication **ret_publication,
                                struct hl_err *err);

/* Behind the commit, before it is published: its rows that died are dead from it on. Needs
 * no lock, since nobody can look at that commit yet. */
void hl_publication_kill(struct hl_publication *publication);

/* Under the lock of the collection's indexes, for writing: what the payload indexes hold.
 */
void hl_publication_index(struct hl_publication *publication);

/* Behind it, under both locks, for writing: all else. False: memory ran out, the collection
 * is broken. */
bool hl_publication_apply(struct hl_publication *publication);

/* Payload indexes that there was no memory to keep up. */
size_t hl_publication_n_lost(const struct hl_publication *publication);

size_t hl_publication_n_died(const struct hl_publication *publication); /* rows */

/* What was replaced is let go, under no lock. */
void hl_publication_free(struct hl_publication *publication); /* NULL is accepted */

#endif
