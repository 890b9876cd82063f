/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_TAIL_H
#define HL_INDEX_TAIL_H

#include "index/segment.h"
#include "index/walk.h"
#include "proto/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The newest rows of a shelf: appended by one writer while any number of readers scan.
 *
 * Rows lie in chunks that never move. A row is written whole, then counted: a reader takes
 * the count once and everything before it is there. A row is born in a commit and dies in
 * one; both are numbers, so a reader that fixed a commit sees each point in one state
 * however long it takes. A tail only grows; when it is full it is sealed into a segment and
 * the next one takes its place.
 *
 * Rows go in before their commit is published, so a reader of the commit before does not
 * see them. When the commit fails they are struck: born in no commit at all. */
struct hl_tail;

#define HL_COMMIT_NEVER UINT64_MAX

struct hl_tail_options {
    enum hl_metric metric;
    size_t dim;
    size_t max_rows;
};

enum hl_code hl_tail_new(const struct hl_tail_options *options, struct hl_tail **ret_tail,
                         struct hl_err *err);
void hl_tail_free(struct hl_tail *tail);

struct hl_tail_row {
    uint64_t row; /* the store's, greater than all before it */
    uint32_t number;
    uint64_t born;
    const float *values;
};

/* The writer only. HL_TOO_MANY when it is full: seal it and begin another. */
enum hl_code hl_tail_append(struct hl_tail *tail, const struct hl_tail_row *row,
                            struct hl_err *err);

/* The writer only: nobody will ever see the rows from `first` on. */
void hl_tail_strike(struct hl_tail *tail, size_t first);
bool hl_tail_has_struck(const struct hl_tail *tail); /* any thread */

/* The writer only: the row is not seen by readers of `commit` and later. */
void hl_tail_kill(struct hl_tail *tail, uint32_t position, uint64_t commit);

/* Any thread. Positions below the count are good for ever. */
size_t hl_tail_count(const struct hl_tail *tail);
size_t hl_tail_capacity(const struct hl_tail *tail);
uint32_t hl_tail_find(const struct hl_tail *tail, uint64_t row); /* or HL_NO_POSITION */
uint64_t hl_tail_row(const struct hl_tail *tail, uint32_t position);
uint32_t hl_tail_number(const struct hl_tail *tail, uint32_t position);
uint64_t hl_tail_died(const struct hl_tail *tail, uint32_t position);
uint64_t hl_tail_born(const struct hl_tail *tail, uint32_t position);
const float *hl_tail_values(const struct hl_tail *tail, uint32_t position);
const struct hl_sketch *hl_tail_sketch(const struct hl_tail *tail, uint32_t position);
size_t hl_tail_held(const struct hl_tail *tail); /* bytes, of all its rows */

/* Of the n_rows that a reader counted, those from `first` on that lie one behind the other:
 * ret_run says where, and how many. */
struct hl_scan_run;
void hl_tail_run(const struct hl_tail *tail, size_t first, size_t n_rows,
                 struct hl_scan_run *ret_run);

/* What a scan looks for. `commit` is the one the reader fixed; `may_keep`, of a point's
 * number, may be NULL. */
struct hl_tail_scan {
    const struct hl_sketch_query *query;
    uint64_t commit;
    size_t k;
    size_t first;  /* the position that it begins at */
    bool is_exact; /* ask the floats of every row, not only of the best */
    bool (*may_keep)(void *self, uint32_t number);
    void *self;
    const struct hl_deadline *deadline;
};

/* Whether the scan may find what is there: the commit sees it, and it may be kept. */
bool hl_tail_is_seen(const struct hl_tail *tail, const struct hl_tail_scan *scan,
                     uint32_t position);

/* The k best rows that the commit sees, best first. */
enum hl_code hl_tail_search(const struct hl_tail *tail, struct hl_walker *walker,
                            const struct hl_tail_scan *scan, struct hl_walk_answer *answer,
                            struct hl_err *err);

#endif
