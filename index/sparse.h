/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SPARSE_H
#define HL_INDEX_SPARSE_H

#include "index/rows.h"
#include "index/shelf.h"
#include "index/store.h"

/* The sparse vectors of one space, searched exactly by their inner product.
 *
 * One writer appends, kills and compacts while any number of readers search: rows are
 * written whole, then counted, carry the commit they were born in and the one they died in,
 * and lie in chunks that never move. Counted: layouts share it. A vector that has no index
 * in common with the query is not a hit. */
struct hl_sparse;

struct hl_sparse *hl_sparse_new(void); /* one reference; NULL: no memory */
struct hl_sparse *hl_sparse_ref(struct hl_sparse *sparse);
void hl_sparse_unref(struct hl_sparse *sparse); /* NULL is accepted */

/* The writer only, rows rising. Copies the values. */
enum hl_code hl_sparse_append(struct hl_sparse *sparse, const struct hl_store_row *row,
                              struct hl_err *err);
size_t hl_sparse_count(const struct hl_sparse *sparse);        /* rows, the dead ones too */
void hl_sparse_strike(struct hl_sparse *sparse, size_t first); /* born in no commit */
bool hl_sparse_kill(struct hl_sparse *sparse, uint64_t row, uint64_t commit);
size_t hl_sparse_n_dead(const struct hl_sparse *sparse);

/* What lives at `commit`, in one of its own, for the writer to put into the next layout. */
enum hl_code hl_sparse_compact(const struct hl_sparse *sparse, uint64_t commit,
                               struct hl_sparse **ret_sparse, struct hl_err *err);

struct hl_sparse_search {
    const struct hl_sparse *sparse;
    const uint32_t *indices; /* ascending */
    const float *values;
    size_t n;
    uint64_t commit;
    size_t k;
    const struct hl_shelf_filter *filter; /* NULL: all points */
    const struct hl_deadline *deadline;
};

/* The k best, best first, equal scores by number. `hits` is the caller's and has room for
 * k. */
enum hl_code hl_sparse_find(const struct hl_sparse_search *search,
                            struct hl_shelf_hit *hits, size_t *ret_n_hits,
                            struct hl_err *err);

#endif
