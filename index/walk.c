/* SPDX-License-Identifier: Apache-2.0 */
#include "index/walk.h"

#include "index/heap.h"
#include "proto/alloc.h"

#include <string.h>

/* How many of the beam are looked at exactly: enough for the sketches' error. */
enum { LEAST_EXACT = 32, EXACT_PER_HIT = 3 };

/* Between two looks at the clock. */
enum { STEPS_PER_LOOK = 256 };

struct hl_walker {
    uint16_t *epochs; /* a row is visited when its mark is the current one */
    size_t n_epochs;
    uint16_t epoch;

    struct hl_scored *ahead; /* what was seen and not yet expanded, the best on top */
    size_t n_ahead;
    size_t room_ahead;

    struct hl_scored *kept; /* the beam, the worst on top */
    size_t n_kept;
    size_t room_kept;
};

struct hl_walker *hl_walker_new(void)
{
    return hl_alloc_zeroed(1, sizeof(struct hl_walker));
}

void hl_walker_free(struct hl_walker *walker)
{
    if (!walker)
        return;
    hl_free(walker->epochs);
    hl_free(walker->ahead);
    hl_free(walker->kept);
    hl_free(walker);
}

static bool grow_heap(struct hl_scored **heap, size_t *room, size_t wanted)
{
    size_t size = *room ? *room : 256, bytes;
    struct hl_scored *bigger;

    if (wanted <= *room)
        return true;
    while (size < wanted)
        size *= 2;
    if (!hl_size_mul(size, sizeof **heap, &bytes))
        return false;
    bigger = hl_realloc(*heap, bytes);
    if (!bigger)
        return false;
    *heap = bigger;
    *room = size;
    return true;
}

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
    if (!grow_heap(&walker->kept, &walker->room_kept, beam) ||
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
    return (struct hl_scored){
        hl_sketch_score(walk->query, hl_segment_sketch(walk->segment, position)), position};
}

static void prefetch_sketch(const struct hl_segment_view *segment, uint32_t position)
{
    const unsigned char *sketch = segment->sketches + position * segment->stride;

    for (size_t at = 0; at < segment->stride; at += 64)
        __builtin_prefetch(sketch + at);
}

/* On the levels above 0 only the nearest row matters: where to go down. */
static struct hl_scored descend(const struct hl_walk *walk, struct hl_walk_answer *answer)
{
    const struct hl_segment_view *segment = walk->segment;
    struct hl_scored nearest = score_of(walk, segment->entry);

    for (unsigned level = segment->levels[segment->entry]; level > 0; level--) {
        uint32_t from = HL_NO_POSITION;

        while (from != nearest.position) {
            const uint32_t *links;

            from = nearest.position;
            links = segment->upper +
                    ((size_t)segment->above[from] + level - 1) * segment->n_links;
            for (uint32_t i = 0; i < segment->n_links && links[i] != HL_NO_POSITION; i++) {
                const struct hl_scored next = score_of(walk, links[i]);

                answer->n_scored++;
                if (hl_scored_is_better(next, nearest))
                    nearest = next;
            }
        }
    }
    return nearest;
}

static void meet(struct hl_walker *walker, const struct hl_walk *walk, size_t beam,
                 struct hl_scored row)
{
    if (walker->n_kept == beam && !hl_scored_is_better(row, walker->kept[0]))
        return;
    hl_heap_push(walker->ahead, &walker->n_ahead, true, row);
    if (!walk->may_keep || walk->may_keep(walk->self, row.position))
        hl_heap_keep(walker->kept, &walker->n_kept, beam, row);
}

/* All links of one row. The unvisited are gathered first, so that their sketches are on the
 * way from memory while the earlier ones are compared. */
static bool expand(struct hl_walker *walker, const struct hl_walk *walk, size_t beam,
                   uint32_t position, struct hl_walk_answer *answer)
{
    const struct hl_segment_view *segment = walk->segment;
    const uint32_t *links = segment->links + (size_t)position * 2 * segment->n_links;
    uint32_t fresh[256];
    size_t n_fresh = 0;

    for (uint32_t i = 0; i < 2 * segment->n_links && links[i] != HL_NO_POSITION; i++) {
        if (!visit(walker, links[i]))
            continue;
        prefetch_sketch(segment, links[i]);
        fresh[n_fresh++] = links[i];
    }
    if (!grow_heap(&walker->ahead, &walker->room_ahead, walker->n_ahead + n_fresh))
        return false;
    for (size_t i = 0; i < n_fresh; i++)
        meet(walker, walk, beam, score_of(walk, fresh[i]));
    answer->n_scored += n_fresh;
    return true;
}

static enum hl_code walk_lowest(struct hl_walker *walker, const struct hl_walk *walk,
                                size_t beam, struct hl_walk_answer *answer,
                                struct hl_err *err)
{
    const struct hl_scored start = descend(walk, answer);
    size_t n_steps = 0;

    if (!grow_heap(&walker->ahead, &walker->room_ahead, 1))
        return hl_fail(err, HL_NO_MEMORY, "no memory to search");
    (void)visit(walker, start.position);
    meet(walker, walk, beam, start);
    while (walker->n_ahead > 0) {
        const struct hl_scored next = hl_heap_pop(walker->ahead, &walker->n_ahead, true);
        enum hl_code code = HL_OK;

        if (walker->n_kept == beam && hl_scored_is_better(walker->kept[0], next))
            break;
        if (++n_steps % STEPS_PER_LOOK == 0)
            code = hl_deadline_check(walk->deadline, "the search", err);
        if (code != HL_OK)
            return code;
        if (!expand(walker, walk, beam, next.position, answer))
            return hl_fail(err, HL_NO_MEMORY, "no memory to search");
    }
    return HL_OK;
}

static void give_hits(const struct hl_walker *walker, size_t k,
                      struct hl_walk_answer *answer)
{
    answer->n_hits = walker->n_kept < k ? walker->n_kept : k;
    for (size_t i = 0; i < answer->n_hits; i++)
        answer->hits[i] =
            (struct hl_walk_hit){walker->kept[i].score, walker->kept[i].position};
}

/* The sketches' order of the beam becomes the floats' order of its best. */
static void rank_exactly(struct hl_walker *walker, const struct hl_walk *walk,
                         struct hl_walk_answer *answer)
{
    const size_t wanted = walk->k > LEAST_EXACT / EXACT_PER_HIT ? walk->k * EXACT_PER_HIT
                                                                : (size_t)LEAST_EXACT;

    hl_heap_sort(walker->kept, walker->n_kept);
    if (walker->n_kept > wanted)
        walker->n_kept = wanted;
    for (size_t i = 0; i < walker->n_kept; i++)
        __builtin_prefetch(hl_segment_values(walk->segment, walker->kept[i].position));
    for (size_t i = 0, n = walker->n_kept; i < n; i++) {
        struct hl_scored row = walker->kept[i];
        size_t n_before = i;

        row.score =
            hl_sketch_exact(walk->query, hl_segment_values(walk->segment, row.position));
        hl_heap_push(walker->kept, &n_before, false, row);
    }
    hl_heap_sort(walker->kept, walker->n_kept);
    answer->n_exact += walker->n_kept;
}

enum hl_code hl_walk_search(struct hl_walker *walker, const struct hl_walk *walk,
                            struct hl_walk_answer *answer, struct hl_err *err)
{
    const size_t beam = walk->beam < walk->k ? walk->k : walk->beam;
    enum hl_code code = begin(walker, walk, beam, err);

    if (code == HL_OK)
        code = walk_lowest(walker, walk, beam, answer, err);
    if (code != HL_OK)
        return code;
    rank_exactly(walker, walk, answer);
    give_hits(walker, walk->k, answer);
    return HL_OK;
}

enum hl_code hl_walk_scan(struct hl_walker *walker, const struct hl_walk *walk,
                          const uint32_t *positions, size_t n_positions,
                          struct hl_walk_answer *answer, struct hl_err *err)
{
    const size_t n = positions ? n_positions : walk->segment->n_rows;
    enum hl_code code = HL_OK;

    walker->n_kept = 0;
    if (!grow_heap(&walker->kept, &walker->room_kept, walk->k))
        return hl_fail(err, HL_NO_MEMORY, "no memory to search %zu rows", n);
    for (size_t i = 0; i < n; i++) {
        const uint32_t position = positions ? positions[i] : (uint32_t)i;

        if (i % STEPS_PER_LOOK == 0)
            code = hl_deadline_check(walk->deadline, "the search", err);
        if (code != HL_OK)
            return code;
        if (walk->may_keep && !walk->may_keep(walk->self, position))
            continue;
        hl_heap_keep(
            walker->kept, &walker->n_kept, walk->k,
            (struct hl_scored){
                hl_sketch_exact(walk->query, hl_segment_values(walk->segment, position)),
                position});
        answer->n_exact++;
    }
    hl_heap_sort(walker->kept, walker->n_kept);
    give_hits(walker, walk->k, answer);
    return HL_OK;
}
