/* SPDX-License-Identifier: Apache-2.0 */
#include "index/shelf_part.h"

#include <assert.h>
#include <math.h>

_Static_assert((int)HL_SHELF_MOST_QUERIES == (int)HL_TILE_QUERIES, "one tile at a time");

/* One part and the search, for the rows that a sketch could not rule out. */
struct sight {
    const struct hl_shelf_search *search;
    struct hl_part *part;
    const struct hl_tail *tail; /* NULL of a segment, all of which every reader knows */
};

static bool is_seen(void *self, uint32_t position)
{
    const struct sight *sight = self;
    const struct hl_shelf_search *search = sight->search;
    const struct hl_shelf_filter *filter = search->filter;

    return (!sight->tail || hl_tail_born(sight->tail, position) <= search->commit) &&
           search->commit < hl_part_died(sight->part, position) &&
           (!filter || filter->has(filter->self, hl_part_number(sight->part, position)));
}

bool hl_shelf_takes_many(const struct hl_shelf_search *search)
{
    const bool is_listed = search->filter && search->filter->numbers;

    return search->is_exact && search->shelf->metric != HL_METRIC_L1 && search->k > 0 &&
           search->k <= HL_SCAN_MOST_HITS && !is_listed;
}

static enum hl_code look_through_segment(struct hl_scan *scan, struct sight *sight,
                                         const struct hl_segment_view *segment,
                                         struct hl_err *err)
{
    const bool is_free = !sight->search->filter && hl_part_n_dead(sight->part) == 0;
    const struct hl_scan_run run = {.sketches = segment->sketches,
                                    .values = segment->values,
                                    .stride = segment->stride,
                                    .n_rows = segment->n_rows,
                                    .screen = hl_part_screen(sight->part),
                                    .may_keep = is_free ? NULL : is_seen,
                                    .self = sight};

    return hl_scan_look(scan, &run, err);
}

static enum hl_code look_through_tail(struct hl_scan *scan, struct sight *sight,
                                      struct hl_err *err)
{
    const size_t n_rows = hl_tail_count(sight->tail);
    enum hl_code code = HL_OK;

    for (size_t at = 0; at < n_rows && code == HL_OK;) {
        struct hl_scan_run run;

        hl_tail_run(sight->tail, at, n_rows, &run);
        run.may_keep = is_seen;
        run.self = sight;
        code = hl_scan_look(scan, &run, err);
        at += run.n_rows;
    }
    return code;
}

static enum hl_code look_through(struct hl_scan *scan, struct sight *sight,
                                 struct hl_err *err)
{
    const struct hl_segment_view *segment = hl_part_segment(sight->part);

    hl_scan_turn(scan);
    return segment ? look_through_segment(scan, sight, segment, err)
                   : look_through_tail(scan, sight, err);
}

/* What a part gave joins what the others gave, and is what the next ones must reach. */
static void take_hits(struct hl_scan *scan, const struct sight *sight, size_t which,
                      struct hl_shelf_hit *hits, size_t *n)
{
    const size_t k = sight->search->k;
    size_t n_found;
    const struct hl_scored *found = hl_scan_take(scan, which, &n_found);

    for (size_t i = 0; i < n_found; i++)
        hits[(*n)++] = (struct hl_shelf_hit){
            .score = hl_scored_score(found[i]),
            .number = hl_part_number(sight->part, hl_scored_position(found[i])),
            .row = hl_part_row(sight->part, hl_scored_position(found[i]))};
    hl_shelf_sort(hits, *n);
    if (*n < k)
        return;
    *n = k;
    hl_scan_raise(scan, which, hits[k - 1].score);
}

static enum hl_code begin(struct hl_searcher *searcher,
                          const struct hl_shelf_search *search,
                          const struct hl_shelf_many *many, struct hl_err *err)
{
    const struct hl_scan_wish wish = {.kernels = search->kernels,
                                      .metric = search->shelf->metric,
                                      .dim = search->shelf->dim,
                                      .queries = many->queries,
                                      .n_queries = many->n,
                                      .k = search->k,
                                      .deadline = search->deadline};

    if (!searcher->scan)
        searcher->scan = hl_scan_new();
    if (!searcher->scan || !hl_searcher_has_room(searcher, many->n * 2 * search->k))
        return hl_shelf_fail_no_room(search, err);
    return hl_scan_begin(searcher->scan, &wish, err);
}

enum hl_code hl_shelf_find_many(struct hl_searcher *searcher,
                                const struct hl_shelf_search *search,
                                const struct hl_shelf_many *many,
                                struct hl_shelf_tally *tally, struct hl_err *err)
{
    const struct hl_shelf *shelf = search->shelf;
    size_t n_hits[HL_SHELF_MOST_QUERIES] = {0};
    uint64_t n_scored, n_exact;
    enum hl_code code;

    assert(hl_shelf_takes_many(search) && many->n >= 1 && many->n <= HL_SHELF_MOST_QUERIES);
    code = begin(searcher, search, many, err);
    for (size_t i = 0; i < shelf->n_parts && code == HL_OK; i++) {
        struct sight sight = {search, shelf->parts[i], hl_part_tail(shelf->parts[i])};

        if (hl_part_is_over(sight.part, search->commit))
            continue;
        tally->n_scans++;
        hl_part_look_through(sight.part, many->n);
        code = look_through(searcher->scan, &sight, err);
        for (size_t which = 0; which < many->n && code == HL_OK; which++)
            take_hits(searcher->scan, &sight, which, searcher->hits + which * 2 * search->k,
                      &n_hits[which]);
    }
    if (code != HL_OK)
        return code;
    hl_scan_tally(searcher->scan, &n_scored, &n_exact);
    tally->n_scored += n_scored;
    tally->n_exact += n_exact;
    for (size_t which = 0; which < many->n; which++)
        many->found[which] =
            (struct hl_shelf_found){searcher->hits + which * 2 * search->k, n_hits[which]};
    return HL_OK;
}
