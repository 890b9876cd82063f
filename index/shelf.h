/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SHELF_H
#define HL_INDEX_SHELF_H

#include "index/part.h"
#include "index/sketch.h"
#include "index/walk.h"
#include "proto/deadline.h"
#include "proto/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The rows that one source contributes to one space: sealed parts and tails, searched as
 * one.
 *
 * A shelf is a list of parts, immutable once it is in a view. What a search sees is fixed
 * by the commit it brings; a point has one living row in a shelf at any commit, so no
 * answer names a point twice. */
struct hl_shelf {
    enum hl_metric metric;
    size_t dim;
    size_t n_parts;
    struct hl_part **parts; /* the shelf holds a reference to each */
};

/* Whether the part is a tail to which nothing is added any more. */
bool hl_shelf_is_full(const struct hl_shelf *shelf, size_t part);

/* Which points may be found. Without one, all. */
struct hl_shelf_filter {
    bool (*has)(void *self, uint32_t number);
    void *self;
    size_t n_points; /* how many it has, for choosing the way; more is no harm */

    /* The same points, ascending, when they are few enough to be worth listing; else NULL.
     */
    const uint32_t *numbers;
    size_t n_numbers;
};

struct hl_shelf_search {
    const struct hl_shelf *shelf;
    const float *query;
    uint64_t commit;
    size_t k;
    size_t beam;
    bool is_exact;                        /* every row by its floats: the truth */
    const struct hl_shelf_filter *filter; /* NULL: all points */
    const struct hl_kernels *kernels;
    const struct hl_deadline *deadline;
};

struct hl_shelf_hit {
    float score; /* greater is nearer */
    uint32_t number;
    uint64_t row;
};

/* What a search did; added to what is there. */
struct hl_shelf_tally {
    uint64_t n_walks; /* segments searched through their graph */
    uint64_t n_scans; /* segments and tails looked through */
    uint64_t n_scored;
    uint64_t n_exact;
};

/* The scratch of one thread. */
struct hl_searcher;

struct hl_searcher *hl_searcher_new(void);
void hl_searcher_free(struct hl_searcher *searcher);

/* The k best, best first, equal scores by number. The hits are the searcher's, good until
 * its next search. Memory follows the rows there are, whatever k. */
enum hl_code hl_shelf_find(struct hl_searcher *searcher,
                           const struct hl_shelf_search *search,
                           const struct hl_shelf_hit **ret_hits, size_t *ret_n_hits,
                           struct hl_shelf_tally *tally, struct hl_err *err);

/* An exact search for several queries, who want the same of the same shelf: the rows are
 * read once. */
enum { HL_SHELF_MOST_QUERIES = 64 };

struct hl_shelf_found {
    const struct hl_shelf_hit *hits;
    size_t n;
};

struct hl_shelf_many {
    const float *const *queries;
    size_t n;                     /* 1 to HL_SHELF_MOST_QUERIES */
    struct hl_shelf_found *found; /* n of them, to be filled */
};

/* Whether its rows can be looked through as sketches, which is what pays for several. */
bool hl_shelf_takes_many(const struct hl_shelf_search *search);

/* Of each query what hl_shelf_find would give it; search->query is not looked at. The
 * search is one that takes many. */
enum hl_code hl_shelf_find_many(struct hl_searcher *searcher,
                                const struct hl_shelf_search *search,
                                const struct hl_shelf_many *many,
                                struct hl_shelf_tally *tally, struct hl_err *err);

#endif
