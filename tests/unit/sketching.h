/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_SKETCHING_H
#define HL_TESTS_UNIT_SKETCHING_H

/* Values to be sketched, and the tables that read sketches. */
#include "index/kernels.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The best first. */
static const char *const tables[] = {"avx512", "avx2", "portable", "shipped"};

#define N_TABLES (sizeof tables / sizeof *tables)

/* NULL where this processor cannot run it. */
static inline const struct hl_kernels *table_of(const char *name)
{
    const struct hl_kernels *table = NULL;
    struct hl_err err;

    return hl_kernels_find(name, &table, &err) == HL_OK ? table : NULL;
}

/* So that -0 is not 0, and what is no number is equal to itself. */
static inline uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Between -1 and 1. */
static inline float value_at(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (float)(int32_t)(*state >> 32) * 0x1p-31F;
}

#endif
