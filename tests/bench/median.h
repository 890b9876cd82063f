/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_BENCH_MEDIAN_H
#define HL_TESTS_BENCH_MEDIAN_H

#include <stddef.h>
#include <stdlib.h>

/* The middle of what the rounds gave: what else the machine does has a say in a mean. */
static inline int hl_median_compare(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Sorts the values, so that quartiles can be read from them afterwards. */
static inline double hl_median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, hl_median_compare);
    return values[n / 2];
}

#endif
