/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/logits.h"

#include "compat/linalg.h"

#include <math.h>

void hl_logits_take(const struct hl_logits *of, float scale, const float *vectors, size_t n,
                    float *logits)
{
    const struct hl_product product = {
        .m = n, .n = of->n_rows, .k = of->dim, .is_b_turned = true, .alpha = scale};

    hl_linalg_multiply(&product, vectors, of->weight, logits);
    for (size_t i = 0; i < n && of->bias; i++)
        hl_linalg_add(logits + i * of->n_rows, scale, of->bias, of->n_rows);
}

float hl_logits_soften(float *logits, size_t n)
{
    float most = logits[0], sum = 0;

    for (size_t i = 1; i < n; i++)
        most = logits[i] > most ? logits[i] : most;
    for (size_t i = 0; i < n; i++) {
        logits[i] = expf(logits[i] - most);
        sum += logits[i];
    }
    for (size_t i = 0; i < n; i++)
        logits[i] /= sum;
    return sum > 0 ? most + logf(sum) : most; /* that of `most` itself is 1 */
}

size_t hl_logits_highest(const float *logits, const float *bias, size_t n)
{
    size_t highest = 0;

    for (size_t i = 1; i < n; i++)
        if (logits[i] + (bias ? bias[i] : 0) > logits[highest] + (bias ? bias[highest] : 0))
            highest = i;
    return highest;
}
