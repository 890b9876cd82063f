/* SPDX-License-Identifier: Apache-2.0 */
#include "index/shelf_part.h"

#include "index/walker.h"
#include "proto/alloc.h"

#include <stdlib.h>

struct hl_searcher *hl_searcher_new(void)
{
    struct hl_searcher *searcher = hl_alloc_zeroed(1, sizeof *searcher);

    if (!searcher)
        return NULL;
    searcher->walker = hl_walker_new();
    if (searcher->walker)
        return searcher;
    hl_searcher_free(searcher);
    return NULL;
}

void hl_searcher_free(struct hl_searcher *searcher)
{
    if (!searcher)
        return;
    hl_walker_free(searcher->walker);
    hl_scan_free(searcher->scan);
    hl_free(searcher->bytes);
    hl_free(searcher->found);
    hl_free(searcher->hits);
    hl_free(searcher->positions);
    hl_free(searcher);
}

/* The array with room for at least `wanted` things, maybe at another place; NULL, and the
 * array is as it was, when there is no memory. */
static void *make_room(void *array, size_t *room, size_t wanted, size_t size)
{
    size_t bytes;
    void *bigger;

    if (array && wanted <= *room)
        return array;
    wanted += wanted / 2 + 1;
    if (!hl_size_mul(wanted, size, &bytes))
        return NULL;
    bigger = hl_realloc(array, bytes);
    if (bigger)
        *room = wanted;
    return bigger;
}

bool hl_searcher_has_room(struct hl_searcher *searcher, size_t n_hits)
{
    struct hl_shelf_hit *hits =
        make_room(searcher->hits, &searcher->room_hits, n_hits, sizeof *hits);

    if (hits)
        searcher->hits = hits;
    return hits != NULL;
}

static bool make_room_for_found(struct hl_searcher *searcher, size_t wanted)
{
    struct hl_walk_hit *found =
        make_room(searcher->found, &searcher->room_found, wanted, sizeof *found);

    if (found)
        searcher->found = found;
    return found != NULL;
}

static bool make_room_for_positions(struct hl_searcher *searcher, size_t wanted)
{
    uint32_t *positions = make_room(searcher->positions, &searcher->room_positions, wanted,
                                    sizeof *positions);

    if (positions)
        searcher->positions = positions;
    return positions != NULL;
}

static bool make_room_for_bytes(struct hl_searcher *searcher, size_t wanted)
{
    uint8_t *bytes = make_room(searcher->bytes, &searcher->room_bytes, wanted, 1);

    if (bytes)
        searcher->bytes = bytes;
    return bytes != NULL;
}

bool hl_shelf_is_full(const struct hl_shelf *shelf, size_t part)
{
    const struct hl_part *one = shelf->parts[part];

    return hl_part_tail(one) &&
           (part + 1 < shelf->n_parts || hl_part_count(one) == hl_part_capacity(one));
}

enum hl_code hl_shelf_fail_no_room(const struct hl_shelf_search *search, struct hl_err *err)
{
    return hl_fail(err, HL_NO_MEMORY, "no memory to find the best %zu", search->k);
}

/* One part under one search: what the callbacks of a walk need to know. */
struct look {
    const struct hl_shelf_search *search;
    const struct hl_part *part;
    const struct hl_segment_view *segment;
};

static bool may_keep(void *self, uint32_t position)
{
    const struct look *look = self;
    const struct hl_shelf_filter *filter = look->search->filter;

    return look->search->commit < hl_part_died(look->part, position) &&
           (!filter || filter->has(filter->self, look->segment->numbers[position]));
}

/* There is no graph for what sketches cannot estimate. */
static bool is_exact(const struct hl_shelf_search *search)
{
    return search->is_exact || search->shelf->metric == HL_METRIC_L1;
}

/* Of the links that a walk meets, one in so many leads to a row it has not seen. */
enum { LINKS_PER_NEW_ROW = 4 };

/* A walk looks at the links of about beam * n / matches rows before it has enough that
 * match, a scan reads the matches; the dead match nothing. Where the two cost the same is
 * where the way changes: of 20,000 rows it was measured at 14 % of them for 784 floats and
 * at 32 % for 256, and this is in between. */
static bool is_scan_cheaper(const struct look *look, size_t n_rows)
{
    const struct hl_shelf_search *search = look->search;
    const size_t n_dead = hl_part_n_dead(look->part);
    const size_t n_living = n_dead < n_rows ? n_rows - n_dead : 0;
    const bool is_fewer = search->filter && search->filter->n_points < n_living;
    const double n_matches = (double)(is_fewer ? search->filter->n_points : n_living);
    const double beam = (double)(search->beam > search->k ? search->beam : search->k);
    const double links = 2.0 * look->segment->n_links / LINKS_PER_NEW_ROW;

    return n_matches * n_matches <= beam * (double)n_rows * links;
}

/* Where in by_number the first position of `number` or a later one stands, from `from` on:
 * in leaps, since the numbers asked for ascend. */
static size_t seek_number(const struct hl_segment_view *segment, size_t from,
                          uint32_t number)
{
    size_t step = 1, to = from;

    while (to < segment->n_rows && segment->numbers[segment->by_number[to]] < number) {
        from = to + 1;
        to += step;
        step *= 2;
    }
    if (to > segment->n_rows)
        to = segment->n_rows;
    while (from < to) {
        const size_t middle = from + (to - from) / 2;

        if (segment->numbers[segment->by_number[middle]] < number)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* The positions of the listed points. A point that was updated has several; the dead ones
 * are left out later, by their commits. */
static bool list_positions(struct hl_searcher *searcher,
                           const struct hl_shelf_filter *filter,
                           const struct hl_segment_view *segment, size_t *ret_n)
{
    size_t at = 0, n = 0;

    for (size_t i = 0; i < filter->n_numbers && at < segment->n_rows; i++) {
        at = seek_number(segment, at, filter->numbers[i]);
        for (; at < segment->n_rows &&
               segment->numbers[segment->by_number[at]] == filter->numbers[i];
             at++) {
            if (!make_room_for_positions(searcher, n + 1))
                return false;
            searcher->positions[n++] = segment->by_number[at];
        }
    }
    *ret_n = n;
    return true;
}

/* Where no more are left than would be asked for their floats, these are asked at once. */
static enum hl_code look_through(struct hl_searcher *searcher, const struct look *look,
                                 const struct hl_walk *walk, struct hl_walk_answer *answer,
                                 struct hl_err *err)
{
    const struct hl_shelf_filter *filter = look->search->filter;
    size_t n = walk->segment->n_rows;
    const uint32_t *positions;
    bool is_listed = filter && filter->numbers;

    if (is_listed && !list_positions(searcher, filter, walk->segment, &n))
        return hl_fail(err, HL_NO_MEMORY, "no memory to list %zu points",
                       filter->n_numbers);
    if (!is_listed && !is_exact(look->search)) {
        if (!make_room_for_positions(searcher, n - hl_part_n_dead(look->part)))
            return hl_shelf_fail_no_room(look->search, err);
        is_listed =
            hl_part_list_living(look->part, look->search->commit, searcher->positions, &n);
    }
    if (is_listed && n == 0) {
        answer->n_hits = 0;
        return HL_OK;
    }
    positions = is_listed ? searcher->positions : NULL;
    return is_exact(look->search) || (is_listed && n <= hl_walker_exact(walk->k))
               ? hl_walk_scan(searcher->walker, walk, positions, n, answer, err)
               : hl_walk_sift(searcher->walker, walk, positions, n, answer, err);
}

static enum hl_code search_segment(struct hl_searcher *searcher, struct look *look,
                                   const struct hl_sketch_query *query,
                                   struct hl_walk_answer *answer,
                                   struct hl_shelf_tally *tally, struct hl_err *err)
{
    const struct hl_shelf_search *search = look->search;
    const bool is_free = !search->filter && hl_part_n_dead(look->part) == 0;
    const struct hl_walk walk = {.segment = look->segment,
                                 .query = query,
                                 .k = search->k,
                                 .beam = search->beam,
                                 .may_keep = is_free ? NULL : may_keep,
                                 .self = look,
                                 .deadline = search->deadline};

    if (is_exact(search) || (!is_free && is_scan_cheaper(look, look->segment->n_rows))) {
        tally->n_scans++;
        return look_through(searcher, look, &walk, answer, err);
    }
    tally->n_walks++;
    return hl_walk_search(searcher->walker, &walk, answer, err);
}

static enum hl_code take_hits(struct hl_searcher *searcher, const struct hl_part *part,
                              const struct hl_walk_answer *answer,
                              const struct hl_shelf_search *search, struct hl_err *err)
{
    if (!hl_searcher_has_room(searcher, searcher->n_hits + answer->n_hits))
        return hl_shelf_fail_no_room(search, err);
    for (size_t i = 0; i < answer->n_hits; i++) {
        const struct hl_walk_hit *hit = &answer->hits[i];

        searcher->hits[searcher->n_hits++] =
            (struct hl_shelf_hit){.score = hit->score,
                                  .number = hl_part_number(part, hit->position),
                                  .row = hl_part_row(part, hit->position)};
    }
    return HL_OK;
}

/* The rows of a tail that have a graph already, and how they are looked at. */
struct grown {
    const struct hl_tail *tail;
    const struct hl_tail_scan *scan;
    size_t n_rows;
};

static bool may_keep_grown(void *self, uint32_t position)
{
    const struct grown *grown = self;

    return position < grown->n_rows && hl_tail_is_seen(grown->tail, grown->scan, position);
}

static const float *grown_values(const void *tail, uint32_t position)
{
    return hl_tail_values(tail, position);
}

static enum hl_code walk_grown(struct hl_searcher *searcher, const struct look *look,
                               struct grown *grown, struct hl_walk_answer *answer,
                               struct hl_err *err)
{
    const struct hl_walker_values values = {grown_values, grown->tail, false};
    const struct hl_walk walk = {.segment = look->segment,
                                 .values = &values,
                                 .query = grown->scan->query,
                                 .k = look->search->k,
                                 .beam = look->search->beam,
                                 .may_keep = may_keep_grown,
                                 .self = grown,
                                 .deadline = look->search->deadline};

    return hl_walk_search(searcher->walker, &walk, answer, err);
}

/* Walks what has a graph, where that pays, and scans the rest. */
static enum hl_code search_tail(struct hl_searcher *searcher, struct look *look,
                                const struct hl_sketch_query *query,
                                struct hl_walk_answer *answer, struct hl_shelf_tally *tally,
                                struct hl_err *err)
{
    const struct hl_shelf_search *search = look->search;
    const struct hl_sprout *sprout = hl_part_sprout(look->part);
    struct hl_tail_scan scan = {.query = query,
                                .commit = search->commit,
                                .k = search->k,
                                .is_exact = is_exact(search),
                                .may_keep = search->filter ? search->filter->has : NULL,
                                .self = search->filter ? search->filter->self : NULL,
                                .deadline = search->deadline};
    struct grown grown = {hl_part_tail(look->part), &scan,
                          sprout ? hl_sprout_count(sprout) : 0};
    enum hl_code code = HL_OK;

    if (grown.n_rows > 0 && !scan.is_exact) {
        look->segment = hl_sprout_view(sprout);
        if (!is_scan_cheaper(look, grown.n_rows)) {
            tally->n_walks++;
            code = walk_grown(searcher, look, &grown, answer, err);
            scan.first = grown.n_rows;
        }
    }
    if (code == HL_OK && scan.first > 0)
        code = take_hits(searcher, look->part, answer, search, err);
    if (code != HL_OK)
        return code;
    tally->n_scans++;
    return hl_tail_search(grown.tail, searcher->walker, &scan, answer, err);
}

static enum hl_code search_part(struct hl_searcher *searcher, struct look *look,
                                const struct hl_sketch_query *query,
                                struct hl_shelf_tally *tally, struct hl_err *err)
{
    const struct hl_shelf_search *search = look->search;
    const size_t n_rows = hl_part_capacity(look->part);
    struct hl_walk_answer answer = {0};
    enum hl_code code;

    if (hl_part_is_over(look->part, search->commit))
        return HL_OK;
    if (!make_room_for_found(searcher, search->k < n_rows ? search->k : n_rows))
        return hl_shelf_fail_no_room(search, err);
    answer.hits = searcher->found;
    if (look->segment)
        code = search_segment(searcher, look, query, &answer, tally, err);
    else
        code = search_tail(searcher, look, query, &answer, tally, err);
    tally->n_scored += answer.n_scored;
    tally->n_exact += answer.n_exact;
    return code == HL_OK ? take_hits(searcher, look->part, &answer, search, err) : code;
}

static int best_first(const void *a, const void *b)
{
    const struct hl_shelf_hit *left = a, *right = b;

    if (left->score > right->score)
        return -1;
    if (left->score < right->score)
        return 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

void hl_shelf_sort(struct hl_shelf_hit *hits, size_t n)
{
    if (n > 0) /* qsort takes no NULL, which nothing found leaves */
        qsort(hits, n, sizeof *hits, best_first);
}

/* What the parts found first is known to those that are searched later: of a shelf that is
 * being written to, all but the largest are small and seldom have anything that is better.
 */
static bool join_parts(struct hl_searcher *searcher, const struct hl_shelf_search *search)
{
    const struct hl_shelf *shelf = search->shelf;
    size_t n_rows = 0;

    for (size_t i = 0; i < shelf->n_parts; i++)
        n_rows += hl_part_capacity(shelf->parts[i]);
    if (shelf->n_parts < 2)
        n_rows = 0;
    return hl_walker_join(searcher->walker, search->k < n_rows ? search->k : n_rows);
}

enum hl_code hl_shelf_find(struct hl_searcher *searcher,
                           const struct hl_shelf_search *search,
                           const struct hl_shelf_hit **ret_hits, size_t *ret_n_hits,
                           struct hl_shelf_tally *tally, struct hl_err *err)
{
    const struct hl_shelf *shelf = search->shelf;
    struct hl_sketch_query query;

    if (hl_shelf_takes_many(search)) {
        struct hl_shelf_found found = {NULL, 0};
        const struct hl_shelf_many one = {&search->query, 1, &found};
        const enum hl_code code = hl_shelf_find_many(searcher, search, &one, tally, err);

        if (code == HL_OK) {
            *ret_hits = found.hits;
            *ret_n_hits = found.n;
        }
        return code;
    }
    searcher->n_hits = 0;
    if (!make_room_for_bytes(searcher, hl_sketch_stride(shelf->dim)) ||
        !join_parts(searcher, search))
        return hl_shelf_fail_no_room(search, err);
    hl_sketch_query_init(&query, search->kernels, shelf->metric, search->query, shelf->dim,
                         searcher->bytes);
    for (size_t i = 0; i < shelf->n_parts; i++) {
        struct look look = {search, shelf->parts[i], hl_part_segment(shelf->parts[i])};
        const enum hl_code code = search_part(searcher, &look, &query, tally, err);

        if (code != HL_OK)
            return code;
    }
    hl_shelf_sort(searcher->hits, searcher->n_hits);
    *ret_hits = searcher->hits;
    *ret_n_hits = searcher->n_hits < search->k ? searcher->n_hits : search->k;
    return HL_OK;
}
