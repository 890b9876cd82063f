/* SPDX-License-Identifier: Apache-2.0 */
#include "index/normal.h"

#include <math.h>

/* A length that rounding to floats explains. */
static const double is_one_within = 1e-6;

void hl_normalise(const float *from, size_t dim, float *to)
{
    double sum = 0, length;

    /* The square of a float fits a double, whatever the float. */
    for (size_t i = 0; i < dim; i++)
        sum += (double)from[i] * (double)from[i];
    length = sqrt(sum);
    if (!(length > 0) || fabs(length - 1) < is_one_within)
        length = 1;
    for (size_t i = 0; i < dim; i++)
        to[i] = (float)((double)from[i] / length);
}
