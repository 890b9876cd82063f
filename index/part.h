/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_PART_H
#define HL_INDEX_PART_H

#include "index/ann.h"
#include "index/screen.h"
#include "index/segment.h"
#include "index/sprout.h"
#include "index/tail.h"
#include "proto/deadline.h"
#include "proto/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of a shelf in service: a sealed segment with the deaths of its rows, or a tail.
 *
 * Parts are shared between the views of a collection and counted: a view that comes later
 * keeps most of the parts of the one before. Any thread may read a part it holds a
 * reference to; kills are the collection's writer's alone. */
struct hl_part;

/* The part takes what it is given, also when it fails. One reference. */
enum hl_code hl_part_of_segment(struct hl_segment *segment, struct hl_part **ret_part,
                                struct hl_err *err);
enum hl_code hl_part_of_tail(struct hl_tail *tail, struct hl_part **ret_part,
                             struct hl_err *err);
struct hl_part *hl_part_ref(struct hl_part *part);
void hl_part_unref(struct hl_part *part); /* NULL is accepted */

/* Where its file is: said once by who made it, so that it can be removed when it has been
 * replaced and the last reference goes. Without memory for it the file stays until the next
 * start. The writer, or before anybody else has the part. */
void hl_part_set_path(struct hl_part *part, const char *path);
const char *hl_part_path(const struct hl_part *part); /* "" when it has none */
void hl_part_retire(struct hl_part *part);

/* What a keeper does for parts, because the searches that want it are not to wait for it:
 * to unmap a segment and to remove its file takes milliseconds, and the last reference is
 * often that of a search; to make short forms of rows takes tenths of a second. A part is
 * left here, and the search goes on. Whoever comes works for all. */
struct hl_part_keeper {
    _Atomic(struct hl_part *) buried; /* nobody has a reference to them any more */
    _Atomic(struct hl_part *) asking; /* for short forms, each with a reference */
    void (*call)(void *self);         /* by any thread: there is something to do */
    void *self;
};

/* Before anybody else has the part; the keeper outlives it. Without one the last reference
 * frees the part, and it gets no short forms. */
void hl_part_keep_by(struct hl_part *part, struct hl_part_keeper *keeper);

/* Frees what is buried. Any thread. */
void hl_part_keeper_dig(struct hl_part_keeper *keeper);

struct hl_part_screening {
    const struct hl_kernels *kernels;
    const struct hl_deadline *deadline;
    const struct hl_pause *pause; /* taken after every few hundred rows; may be NULL */
};

/* Makes the short forms that were asked for. One thread at a time. None for a part that was
 * replaced or that nobody else has any more, and no more of them when it is amid them; when
 * the deadline is over, or without `screening`, those who ask are sent away. What memory
 * has no room for may be asked for again. */
void hl_part_keeper_screen(struct hl_part_keeper *keeper,
                           const struct hl_part_screening *screening);

/* Sends who asks away, and digs: the end. */
void hl_part_keeper_clear(struct hl_part_keeper *keeper);

/* One of the two is NULL. Good while the part is. */
const struct hl_segment_view *hl_part_segment(const struct hl_part *part);
struct hl_tail *hl_part_tail(const struct hl_part *part);

size_t hl_part_count(const struct hl_part *part);    /* rows, the dead ones too */
size_t hl_part_capacity(const struct hl_part *part); /* how many there can ever be */
uint64_t hl_part_row(const struct hl_part *part, uint32_t position);
uint32_t hl_part_number(const struct hl_part *part, uint32_t position);
const float *hl_part_values(const struct hl_part *part, uint32_t position);
const struct hl_sketch *hl_part_sketch(const struct hl_part *part, uint32_t position);

/* The graph that a tail's first rows have already; else NULL. Good while the part is. */
struct hl_sprout *hl_part_sprout(const struct hl_part *part);

/* Gives a tail one, once, for which `bytes` of the allowance were taken: they go back with
 * it. Any thread. */
void hl_part_plant(struct hl_part *part, struct hl_sprout *sprout,
                   struct hl_allowance *allowance, size_t bytes);

/* Whether the segment of a full tail gets its graph, and the tail's dead rows with it: when
 * they are few, for walks pass over them until the next merge. A struck row goes into no
 * segment, since the store does not know of it. Of tails, any thread. */
bool hl_part_keeps_graph(const struct hl_part *part);

/* That graph as FAISS has it, when it has all rows of a tail, and nothing is appended any
 * more; else NULL. */
const struct hl_ann *hl_part_graph(const struct hl_part *part);

/* No graph is grown for the tail any more: it did not go well. Any thread. */
void hl_part_make_barren(struct hl_part *part);
bool hl_part_is_barren(const struct hl_part *part);

/* The short forms of a segment's rows for exact searches, as far as there are any; else
 * NULL. Good while the part is. */
const struct hl_screen *hl_part_screen(const struct hl_part *part);

/* So many exact queries are looking through all of it. When enough have, it asks its keeper
 * for short forms: of a segment that is held in memory, for where memory is scarce they are
 * not to take more of it. Any thread. */
void hl_part_look_through(struct hl_part *part, size_t n_queries);

/* Bytes: memory of its own, and what it reads of its file where the page cache has it. */
size_t hl_part_held(const struct hl_part *part);
size_t hl_part_mapped(const struct hl_part *part);

/* The writer: readers of `commit` and later do not see the row. False when it is not here.
 */
bool hl_part_kill(struct hl_part *part, uint64_t row, uint64_t commit);
uint64_t hl_part_died(const struct hl_part *part, uint32_t position);
size_t hl_part_n_dead(const struct hl_part *part);

/* The positions of a segment's living rows, ascending, for a reader of `commit`: at most
 * as many as there are rows but for hl_part_n_dead. False, and they mean nothing: some of
 * the dead are seen at that commit. */
bool hl_part_list_living(const struct hl_part *part, uint64_t commit,
                         uint32_t *ret_positions, size_t *ret_n);

/* Whether readers of `commit` need not look: there are no rows, or all of a sealed part
 * died. Points that are replaced leave such parts until the next merge. */
bool hl_part_is_over(const struct hl_part *part, uint64_t commit);

#endif
