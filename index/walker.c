/* SPDX-License-Identifier: Apache-2.0 */
#include "index/walker.h"

#include "proto/alloc.h"
#include "proto/pages.h"

#include <math.h>

/* Enough for the sketches' error: measured, three for each hit and never under thirty-two
 * lose no more than .0005 of recall@10. */
enum { LEAST_EXACT = 32, EXACT_PER_HIT = 3, FIRST_ROOM = 256 };

struct hl_walker *hl_walker_new(void)
{
    struct hl_walker *walker = hl_alloc_zeroed(1, sizeof *walker);

    if (walker)
        walker->horizon = NAN;
    return walker;
}

void hl_walker_free(struct hl_walker *walker)
{
    if (!walker)
        return;
    hl_free(walker->epochs);
    hl_free(walker->ahead);
    hl_free(walker->kept);
    hl_free(walker->others);
    hl_free(walker);
}

bool hl_walker_grow(struct hl_scored **heap, size_t *room, size_t wanted)
{
    size_t size = *room ? *room : FIRST_ROOM, bytes;
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

size_t hl_walker_exact(size_t k)
{
    return k > LEAST_EXACT / EXACT_PER_HIT ? k * EXACT_PER_HIT : (size_t)LEAST_EXACT;
}

bool hl_walker_join(struct hl_walker *walker, size_t k)
{
    const size_t most = k > 0 ? hl_walker_exact(k) : 0;

    walker->n_others = 0;
    walker->most_others = 0;
    walker->horizon = NAN;
    if (!hl_walker_grow(&walker->others, &walker->room_others, most))
        return false;
    walker->most_others = most;
    return true;
}

/* The sketches' list, the best first, ends at the horizon and moves it. */
static void look_around(struct hl_walker *walker)
{
    while (walker->n_kept > 0 &&
           hl_scored_score(walker->kept[walker->n_kept - 1]) <= walker->horizon)
        walker->n_kept--;
    for (size_t i = 0; walker->most_others > 0 && i < walker->n_kept; i++)
        hl_heap_keep(walker->others, &walker->n_others, walker->most_others,
                     walker->kept[i]);
    if (walker->most_others > 0 && walker->n_others == walker->most_others)
        walker->horizon = hl_scored_score(walker->others[0]);
}

void hl_walker_rank(struct hl_walker *walker, const struct hl_sketch_query *query, size_t k,
                    const struct hl_walker_values *values)
{
    hl_heap_sort(walker->kept, walker->n_kept);
    if (walker->n_kept > hl_walker_exact(k))
        walker->n_kept = hl_walker_exact(k);
    look_around(walker);
    for (size_t i = 0; i < walker->n_kept; i++) {
        const float *row = values->at(values->self, hl_scored_position(walker->kept[i]));

        if (values->is_cold)
            hl_pages_fetch(row, query->dim * sizeof *row);
        else
            __builtin_prefetch(row);
    }
    for (size_t i = 0, n = walker->n_kept; i < n; i++) {
        const uint32_t position = hl_scored_position(walker->kept[i]);
        size_t n_before = i;

        hl_heap_push(
            walker->kept, &n_before, false,
            hl_scored_encode(hl_sketch_exact(query, values->at(values->self, position)),
                             position));
    }
    hl_heap_sort(walker->kept, walker->n_kept);
}

void hl_walker_give(const struct hl_walker *walker, size_t k, struct hl_walk_answer *answer)
{
    answer->n_hits = walker->n_kept < k ? walker->n_kept : k;
    for (size_t i = 0; i < answer->n_hits; i++)
        answer->hits[i] = (struct hl_walk_hit){hl_scored_score(walker->kept[i]),
                                               hl_scored_position(walker->kept[i])};
}
