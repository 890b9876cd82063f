/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SHELF_PART_H
#define HL_INDEX_SHELF_PART_H

#include "index/scan.h"
#include "index/shelf.h"

/* What the files that search a shelf share; for them alone. */
struct hl_searcher {
    struct hl_walker *walker;
    struct hl_scan *scan; /* NULL before the first that is exact */
    uint8_t *bytes;       /* the query as a sketch */
    size_t room_bytes;
    struct hl_walk_hit *found; /* of one part */
    size_t room_found;
    struct hl_shelf_hit *hits;
    size_t room_hits;
    size_t n_hits;
    uint32_t *positions; /* of the listed points in one segment */
    size_t room_positions;
};

bool hl_searcher_has_room(struct hl_searcher *searcher, size_t n_hits);

enum hl_code hl_shelf_fail_no_room(const struct hl_shelf_search *search,
                                   struct hl_err *err);

/* The best first, equal scores by number. */
void hl_shelf_sort(struct hl_shelf_hit *hits, size_t n);

#endif
