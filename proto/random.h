/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_RANDOM_H
#define HL_PROTO_RANDOM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* Chance with a seed: the same numbers on every machine. Not for secrets. Plain functions
 * of what they are given; any thread. */

static inline uint64_t hl_random_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

struct hl_random {
    uint64_t state;
};

static inline uint64_t hl_random_next(struct hl_random *random)
{
    return hl_random_mix(random->state++);
}

/* splitmix64 as it was published, whose stride is longer. What was drawn with one of the
 * two stays with it: a seed means the same rows in every release. */
static inline uint64_t hl_random_stride(struct hl_random *random)
{
    const uint64_t number = hl_random_mix(random->state);

    random->state += 0x9e3779b97f4a7c15u;
    return number;
}

/* Below `n`, which is below 2^32. */
static inline uint32_t hl_random_below(struct hl_random *random, uint32_t n)
{
    return (uint32_t)(((hl_random_next(random) >> 32) * n) >> 32);
}

static inline double hl_random_unit(struct hl_random *random) /* 0 <= x < 1 */
{
    return (double)(hl_random_next(random) >> 11) * 0x1p-53;
}

static inline double hl_random_normal(struct hl_random *random)
{
    double radius = sqrt(-2 * log(1 - hl_random_unit(random)));

    return radius * cos(6.283185307179586 * hl_random_unit(random));
}

static inline void hl_random_shuffle(struct hl_random *random, uint32_t *numbers, size_t n)
{
    for (size_t left = n; left > 1; left--) {
        size_t chosen = hl_random_below(random, (uint32_t)left);
        uint32_t number = numbers[chosen];

        numbers[chosen] = numbers[left - 1];
        numbers[left - 1] = number;
    }
}

#endif
