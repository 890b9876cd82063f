/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_HEAP_H
#define HL_INDEX_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Scored rows in a binary heap over the caller's array: the best on top, or the worst.
 *
 * Inline, because a walk does little else. A score that is not a number ranks below all. */
struct hl_scored {
    float score;
    uint32_t position;
};

/* Equal scores are ordered by position, so that an answer does not depend on the way. */
static inline bool hl_scored_is_better(struct hl_scored a, struct hl_scored b)
{
    if (a.score > b.score)
        return true;
    if (a.score < b.score)
        return false;
    if (a.score != a.score || b.score != b.score) /* one is not a number */
        return a.score == a.score;
    return a.position < b.position;
}

/* Whether `a` belongs above `b`. */
static inline bool hl_heap_is_above(bool best_on_top, struct hl_scored a,
                                    struct hl_scored b)
{
    return best_on_top ? hl_scored_is_better(a, b) : hl_scored_is_better(b, a);
}

static inline void hl_heap_push(struct hl_scored *heap, size_t *n, bool best_on_top,
                                struct hl_scored item)
{
    size_t at = (*n)++;

    while (at > 0) {
        const size_t parent = (at - 1) / 2;

        if (!hl_heap_is_above(best_on_top, item, heap[parent]))
            break;
        heap[at] = heap[parent];
        at = parent;
    }
    heap[at] = item;
}

/* Puts `item` in the place of the top. */
static inline void hl_heap_replace(struct hl_scored *heap, size_t n, bool best_on_top,
                                   struct hl_scored item)
{
    size_t at = 0;

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= n)
            break;
        if (child + 1 < n && hl_heap_is_above(best_on_top, heap[child + 1], heap[child]))
            child++;
        if (!hl_heap_is_above(best_on_top, heap[child], item))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = item;
}

static inline struct hl_scored hl_heap_pop(struct hl_scored *heap, size_t *n,
                                           bool best_on_top)
{
    const struct hl_scored top = heap[0];

    if (--*n > 0)
        hl_heap_replace(heap, *n, best_on_top, heap[*n]);
    return top;
}

/* Keeps the `room` best, the worst of them on top. */
static inline void hl_heap_keep(struct hl_scored *heap, size_t *n, size_t room,
                                struct hl_scored item)
{
    if (*n < room)
        hl_heap_push(heap, n, false, item);
    else if (hl_scored_is_better(item, heap[0]))
        hl_heap_replace(heap, *n, false, item);
}

/* A heap with the worst on top becomes a list with the best first. */
static inline void hl_heap_sort(struct hl_scored *heap, size_t n)
{
    while (n > 1) {
        const size_t last = n - 1;
        const struct hl_scored worst = hl_heap_pop(heap, &n, false);

        heap[last] = worst;
    }
}

#endif
