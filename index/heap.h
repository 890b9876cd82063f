/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_HEAP_H
#define HL_INDEX_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Scored rows in a binary heap over the caller's array: the best on top, or the worst.
 *
 * Inline, because a walk does little else. A score and a position are one number whose
 * order is theirs, so that which of two is better is no branch that a processor can guess
 * wrong. */
struct hl_scored {
    uint64_t rank;
};

/* Equal scores are ordered by position, so that an answer does not depend on the way: the
 * lower is better. A score that is not a number ranks below all. */
static inline struct hl_scored hl_scored_encode(float score, uint32_t position)
{
    const uint32_t sign = UINT32_C(1) << 31;
    const float plain = score + 0.0F; /* there is one 0 */
    uint32_t bits;

    memcpy(&bits, &plain, sizeof bits);
    bits = bits & sign ? ~bits : bits | sign;
    return (struct hl_scored){(uint64_t)(plain == plain ? bits : 0) << 32 |
                              (uint32_t)~position};
}

static inline float hl_scored_score(struct hl_scored item)
{
    const uint32_t sign = UINT32_C(1) << 31, ordered = (uint32_t)(item.rank >> 32);
    const uint32_t bits = ordered & sign ? ordered & ~sign : ~ordered;
    float score;

    memcpy(&score, &bits, sizeof score);
    return score;
}

static inline uint32_t hl_scored_position(struct hl_scored item)
{
    return (uint32_t)~item.rank;
}

static inline bool hl_scored_is_better(struct hl_scored a, struct hl_scored b)
{
    return a.rank > b.rank;
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
        if (child + 1 < n)
            child += hl_heap_is_above(best_on_top, heap[child + 1], heap[child]);
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
