/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/head.h"

#include "compat/linalg.h"
#include "proto/alloc.h"

#include <math.h>

double hl_head_mean_norm(const struct hl_head *head)
{
    double sum = 0;

    for (size_t row = 0; row < head->n_rows; row++) {
        const float *weight = head->weight + row * head->dim;

        sum += sqrt((double)hl_linalg_dot(weight, weight, head->dim));
    }
    return sum / (double)head->n_rows;
}
