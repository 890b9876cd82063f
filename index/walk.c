/* SPDX-License-Identifier: Apache-2.0 */
#include "index/walk.h"

#include "index/heap.h"
#include "index/walker.h"
#include "proto/alloc.h"
#include "proto/pages.h"

#include <math.h>
#include <string.h>

/* Steps between two looks at the clock. */
enum { STEPS_PER_LOOK = 256 };

/* What a walk keeps beyond the horizon, so that it finds the way to what may lie within:
 * one in so many of its beam. With that the recall of a shelf of several segments is about
 * that of the beam in a single one, also where rows have no structure to lead the way
 * (tests/unit/test_breadth.c). */
enum { BEAM_KEPT = 4, LEAST_KEPT = 8 };

/* Bytes of floats that are asked of the disk before they are scanned; and how many links a
 * row may have on a level above 0. */
enum { FETCHED = 2 << 20, UPPER_LINKS = 128 };

/* Sketches that are on their way from memory at once. */
enum { SIFTED = 32 };

/* Marks of an earlier query are stale by their number alone; once in 65,535 queries the
 * numbers run out and the marks are wiped. */
static bool begin_epoch(struct hl_walker *walker, size_t n_rows)
{
    if (n_rows > walker->n_epochs) {
        uint16_t *epochs = hl_alloc_zeroed(n_rows, sizeof *epochs);

        if (!epochs)
            return false;
        hl_free(walker->epochs);
        walker->epochs = epochs;
        walker->n_epochs = n_rows;
        walker->epoch = 0;
    }
    if (++walker->epoch == 0) {
        memset(walker->epochs, 0, walker->n_epochs * sizeof *walker->epochs);
        walker->epoch = 1;
    }
    return true;
}

static enum hl_code begin(struct hl_walker *walker, const struct hl_walk *walk, size_t beam,
                          struct hl_err *err)
{
    walker->n_ahead = 0;
    walker->n_kept = 0;
    if (!hl_walker_grow(&walker->kept, &walker->room_kept, beam) ||
        !begin_epoch(walker, walk->segment->n_rows))
        return hl_fail(err, HL_NO_MEMORY, "no memory to search %zu rows",
                       walk->segment->n_rows);
    return HL_OK;
}

static bool visit(struct hl_walker *walker, uint32_t position)
{
    if (walker->epochs[position] == walker->epoch)
        return false;
    walker->epochs[position] = walker->epoch;
    return true;
}

static struct hl_scored score_of(const struct hl_walk *walk, uint32_t position)
{
    return hl_scored_encode(
        hl_sketch_score(walk->query, hl_segment_sketch(walk->segment, position)), position);
}

static void prefetch_sketch(const struct hl_segment_view *segment, uint32_t position)
{
    const unsigned char *sketch = segment->sketches + position * segment->stride;

    for (size_t at = 0; at < segment->stride; at += 64)
        __builtin_prefetch(sketch + at);
}

/* Of a row that will be expanded sooner or later, mostly sooner. */
static void prefetch_links(const struct hl_segment_view *segment, uint32_t position)
{
    const hl_link *links = segment->links + (size_t)position * 2 * segment->n_links;

    for (uint32_t at = 0; at < 2 * segment->n_links; at += 64 / sizeof *links)
        __builtin_prefetch(links + at);
}

/* Up to the end of the block. */
static uint32_t read_links(const hl_link *links, uint32_t n_links, uint32_t *ret_links)
{
    uint32_t n = 0, to;

    while (n < n_links && (to = hl_link_get(&links[n])) != HL_NO_POSITION)
        ret_links[n++] = to;
    return n;
}

/* On the levels above 0 only the nearest row matters: where to go down. */
static struct hl_scored descend(const struct hl_walk *walk, struct hl_walk_answer *answer)
{
    const struct hl_segment_view *segment = walk->segment;
    const uint32_t entry = hl_link_get(&segment->entry);
    struct hl_scored nearest = score_of(walk, entry);

    for (unsigned level = segment->levels[entry]; level > 0; level--) {
        uint32_t from = HL_NO_POSITION;

        while (from != hl_scored_position(nearest)) {
            uint32_t to[UPPER_LINKS];
            uint32_t n_to;

            from = hl_scored_position(nearest);
            n_to = read_links(segment->upper + ((size_t)segment->above[from] + level - 1) *
                                                   segment->n_links,
                              segment->n_links, to);
            for (uint32_t i = 0; i < n_to; i++)
                prefetch_sketch(segment, to[i]);
            for (uint32_t i = 0; i < n_to; i++) {
                const struct hl_scored next = score_of(walk, to[i]);

                answer->n_scored++;
                if (hl_scored_is_better(next, nearest))
                    nearest = next;
            }
        }
    }
    return nearest;
}

/* How wide the beam is, and what it does not reach beyond once it is `least` wide: as the
 * best of all rows that have the horizon's score. */
struct reach {
    size_t beam, least;
    struct hl_scored horizon;
};

/* Whether the beam has no place for the row. */
static bool is_too_far(const struct hl_walker *walker, const struct reach *reach,
                       struct hl_scored row)
{
    if (walker->n_kept < reach->least)
        return false;
    if (walker->n_kept < reach->beam &&
        hl_scored_is_better(walker->kept[0], reach->horizon))
        return !hl_scored_is_better(row, reach->horizon);
    return !hl_scored_is_better(row, walker->kept[0]);
}

/* Whether the links of the next row, the best that is left, lead nowhere any more. */
static bool is_over(const struct hl_walker *walker, const struct reach *reach,
                    struct hl_scored next)
{
    if (walker->n_kept < reach->least)
        return false;
    if (walker->n_kept < reach->beam &&
        hl_scored_is_better(walker->kept[0], reach->horizon))
        return !hl_scored_is_better(next, reach->horizon);
    return hl_scored_is_better(walker->kept[0], next);
}

/* A beam that has something beyond the horizon gives that away for what is nearer. */
static void keep(struct hl_walker *walker, const struct reach *reach, struct hl_scored row)
{
    const bool is_wide = walker->n_kept >= reach->least &&
                         !hl_scored_is_better(walker->kept[0], reach->horizon);

    hl_heap_keep(walker->kept, &walker->n_kept, is_wide ? walker->n_kept : reach->beam,
                 row);
}

static void meet(struct hl_walker *walker, const struct hl_walk *walk,
                 const struct reach *reach, struct hl_scored row)
{
    if (is_too_far(walker, reach, row))
        return;
    prefetch_links(walk->segment, hl_scored_position(row));
    hl_heap_push(walker->ahead, &walker->n_ahead, true, row);
    if (!walk->may_keep || walk->may_keep(walk->self, hl_scored_position(row)))
        keep(walker, reach, row);
}

/* All links of one row. The unvisited are gathered first, so that their sketches are on the
 * way from memory while the earlier ones are compared. */
static bool expand(struct hl_walker *walker, const struct hl_walk *walk,
                   const struct reach *reach, uint32_t position,
                   struct hl_walk_answer *answer)
{
    const struct hl_segment_view *segment = walk->segment;
    const hl_link *links = segment->links + (size_t)position * 2 * segment->n_links;
    uint32_t fresh[2 * UPPER_LINKS], to;
    size_t n_fresh = 0;

    for (uint32_t i = 0; i < 2 * segment->n_links; i++) {
        to = hl_link_get(&links[i]);
        if (to == HL_NO_POSITION)
            break;
        if (!visit(walker, to))
            continue;
        prefetch_sketch(segment, to);
        fresh[n_fresh++] = to;
    }
    if (!hl_walker_grow(&walker->ahead, &walker->room_ahead, walker->n_ahead + n_fresh))
        return false;
    for (size_t i = 0; i < n_fresh; i++)
        meet(walker, walk, reach, score_of(walk, fresh[i]));
    answer->n_scored += n_fresh;
    return true;
}

static size_t least_of(const struct hl_walker *walker, size_t beam)
{
    const size_t least = beam / BEAM_KEPT > LEAST_KEPT ? beam / BEAM_KEPT : LEAST_KEPT;

    return isnan(walker->horizon) || beam < least ? beam : least;
}

static enum hl_code walk_lowest(struct hl_walker *walker, const struct hl_walk *walk,
                                size_t beam, struct hl_walk_answer *answer,
                                struct hl_err *err)
{
    const struct reach reach = {beam, least_of(walker, beam),
                                hl_scored_encode(walker->horizon, 0)};
    const struct hl_scored start = descend(walk, answer);
    size_t n_steps = 0;

    if (!hl_walker_grow(&walker->ahead, &walker->room_ahead, 1))
        return hl_fail(err, HL_NO_MEMORY, "no memory to search");
    (void)visit(walker, hl_scored_position(start));
    meet(walker, walk, &reach, start);
    while (walker->n_ahead > 0) {
        const struct hl_scored next = hl_heap_pop(walker->ahead, &walker->n_ahead, true);
        enum hl_code code = HL_OK;

        if (is_over(walker, &reach, next))
            break;
        if (++n_steps % STEPS_PER_LOOK == 0)
            code = hl_deadline_check(walk->deadline, "the search", err);
        if (code != HL_OK)
            return code;
        if (!expand(walker, walk, &reach, hl_scored_position(next), answer))
            return hl_fail(err, HL_NO_MEMORY, "no memory to search");
    }
    return HL_OK;
}

static const float *values_at(const void *segment, uint32_t position)
{
    return hl_segment_values(segment, position);
}

/* From the sketches' order of what was kept to the answer. */
static void finish(struct hl_walker *walker, const struct hl_walk *walk,
                   struct hl_walk_answer *answer)
{
    hl_walker_rank(walker, walk->query, walk->k,
                   walk->values ? walk->values
                                : &(struct hl_walker_values){values_at, walk->segment,
                                                             walk->segment->is_cold});
    answer->n_exact += walker->n_kept;
    hl_walker_give(walker, walk->k, answer);
}

enum hl_code hl_walk_search(struct hl_walker *walker, const struct hl_walk *walk,
                            struct hl_walk_answer *answer, struct hl_err *err)
{
    const size_t n_rows = walk->segment->n_rows;
    const size_t wanted = walk->beam < walk->k ? walk->k : walk->beam;
    const size_t beam = wanted < n_rows ? wanted : n_rows;
    enum hl_code code = begin(walker, walk, beam, err);

    if (code == HL_OK)
        code = walk_lowest(walker, walk, beam, answer, err);
    if (code != HL_OK)
        return code;
    finish(walker, walk, answer);
    return HL_OK;
}

/* Those of the next positions that may be found, and where the rest begins. Their sketches
 * are on the way from memory. */
static size_t gather(const struct hl_walk *walk, const uint32_t *positions, size_t n,
                     size_t *io_at, uint32_t ret_found[SIFTED])
{
    size_t n_found = 0, at = *io_at;
    const size_t end = n - at < STEPS_PER_LOOK ? n : at + STEPS_PER_LOOK;

    for (; at < end && n_found < SIFTED; at++) {
        const uint32_t position = positions ? positions[at] : (uint32_t)at;

        if (walk->may_keep && !walk->may_keep(walk->self, position))
            continue;
        prefetch_sketch(walk->segment, position);
        ret_found[n_found++] = position;
    }
    *io_at = at;
    return n_found;
}

enum hl_code hl_walk_sift(struct hl_walker *walker, const struct hl_walk *walk,
                          const uint32_t *positions, size_t n_positions,
                          struct hl_walk_answer *answer, struct hl_err *err)
{
    const size_t n = positions ? n_positions : walk->segment->n_rows;
    const size_t wanted = hl_walker_exact(walk->k < n ? walk->k : n);
    const size_t room = wanted < n ? wanted : n;

    walker->n_kept = 0;
    if (!hl_walker_grow(&walker->kept, &walker->room_kept, room))
        return hl_fail(err, HL_NO_MEMORY, "no memory to search %zu rows", n);
    for (size_t at = 0; at < n;) {
        const enum hl_code code = hl_deadline_check(walk->deadline, "the search", err);
        uint32_t found[SIFTED];
        size_t n_found;

        if (code != HL_OK)
            return code;
        n_found = gather(walk, positions, n, &at, found);
        for (size_t i = 0; i < n_found; i++) {
            const struct hl_scored row = score_of(walk, found[i]);

            if (!(hl_scored_score(row) <= walker->horizon))
                hl_heap_keep(walker->kept, &walker->n_kept, room, row);
        }
        answer->n_scored += n_found;
    }
    finish(walker, walk, answer);
    return HL_OK;
}

enum hl_code hl_walk_scan(struct hl_walker *walker, const struct hl_walk *walk,
                          const uint32_t *positions, size_t n_positions,
                          struct hl_walk_answer *answer, struct hl_err *err)
{
    const size_t n = positions ? n_positions : walk->segment->n_rows;
    const size_t k = walk->k < n ? walk->k : n;
    const size_t bytes_of_row = walk->segment->dim * sizeof(float);
    const size_t n_fetched = FETCHED / bytes_of_row + 1;
    size_t next_fetch = positions ? n : 0; /* what is not read is not asked for */
    enum hl_code code = HL_OK;

    walker->n_kept = 0;
    if (!hl_walker_grow(&walker->kept, &walker->room_kept, k))
        return hl_fail(err, HL_NO_MEMORY, "no memory to search %zu rows", n);
    for (size_t i = 0; i < n; i++) {
        const uint32_t position = positions ? positions[i] : (uint32_t)i;

        if (i % STEPS_PER_LOOK == 0)
            code = hl_deadline_check(walk->deadline, "the search", err);
        if (code != HL_OK)
            return code;
        if (walk->may_keep && !walk->may_keep(walk->self, position))
            continue;
        if (i >= next_fetch) {
            hl_pages_fetch(hl_segment_values(walk->segment, position),
                           (n - i < n_fetched ? n - i : n_fetched) * bytes_of_row);
            next_fetch = i + n_fetched;
        }
        hl_heap_keep(
            walker->kept, &walker->n_kept, k,
            hl_scored_encode(
                hl_sketch_exact(walk->query, hl_segment_values(walk->segment, position)),
                position));
        answer->n_exact++;
    }
    hl_heap_sort(walker->kept, walker->n_kept);
    hl_walker_give(walker, k, answer);
    return HL_OK;
}
