/* SPDX-License-Identifier: Apache-2.0 */
#include "index/normal.h"

#include <math.h>
#include <string.h>

enum { LANES = 8 };

/* A length that rounding to floats explains. */
static const double is_one_within = 1e-6;

/* Sums side by side, so that one addition need not wait for the one before. The square of a
 * float fits a double, whatever the float. */
static double sum_squares(const float *from, size_t dim)
{
    double sums[LANES] = {0}, sum = 0;
    size_t i = 0;

    for (; i + LANES <= dim; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            sums[j] += (double)from[i + j] * (double)from[i + j];
    for (; i < dim; i++)
        sum += (double)from[i] * (double)from[i];
    for (size_t j = 0; j < LANES; j++)
        sum += sums[j];
    return sum;
}

void hl_normalise(const float *from, size_t dim, float *to)
{
    const double length = sqrt(sum_squares(from, dim));

    if (!(length > 0) || fabs(length - 1) < is_one_within) {
        memmove(to, from, dim * sizeof *to);
        return;
    }
    /* A double's last places are none of a float's, and dividing takes five times as long.
     */
    for (size_t i = 0; i < dim; i++)
        to[i] = (float)((double)from[i] * (1 / length));
}
