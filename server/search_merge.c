/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_part.h"

static bool is_before(enum hl_distance order, const struct hl_pick *a,
                      const struct hl_pick *b)
{
    if (hl_distance_is_better(order, a->score, b->score))
        return true;
    return !hl_distance_is_better(order, b->score, a->score) && a->number < b->number;
}

/* Lists are few, so looking at the head of each is as quick as a heap of them. */
static size_t find_best(const struct hl_hits *lists, size_t n, const size_t *heads,
                        enum hl_distance order)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++)
        if (heads[i] < lists[i].n &&
            (best == n ||
             is_before(order, &lists[i].items[heads[i]], &lists[best].items[heads[best]])))
            best = i;
    return best;
}

enum hl_code hl_hits_merge(const struct hl_hits *lists, size_t n, enum hl_distance order,
                           struct hl_arena *arena, struct hl_hits *ret_hits,
                           struct hl_err *err)
{
    struct hl_hits hits = {0};
    size_t n_hits = 0;
    size_t *heads;

    if (n == 1) {
        *ret_hits = lists[0];
        return HL_OK;
    }
    heads = hl_arena_array(arena, n ? n : 1, sizeof *heads);
    for (size_t i = 0; i < n; i++)
        n_hits += lists[i].n;
    hits.items = hl_arena_array(arena, n_hits ? n_hits : 1, sizeof *hits.items);
    if (!heads || !hits.items)
        return hl_arena_fail(arena, err, "%zu hits", n_hits);
    for (size_t i = 0; i < n; i++)
        heads[i] = 0;
    while (hits.n < n_hits) {
        const size_t best = find_best(lists, n, heads, order);

        hits.items[hits.n++] = lists[best].items[heads[best]++];
    }
    *ret_hits = hits;
    return HL_OK;
}
