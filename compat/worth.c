/* SPDX-License-Identifier: Apache-2.0 */
#include "compat/worth.h"

#include "compat/linalg.h"
#include "proto/alloc.h"

#include <string.h>

/* Rows compared at once: 1 MiB of cosines before a sample of the usual size. */
enum { BLOCK = 256 };

struct hl_worth {
    size_t n, dim;
    float *sample;
};

enum hl_code hl_worth_new(const float *sample, size_t n, size_t dim,
                          struct hl_worth **ret_worth, struct hl_err *err)
{
    struct hl_worth *worth = hl_alloc_zeroed(1, sizeof *worth);

    if (worth)
        worth->sample = hl_alloc_zeroed(n, dim * sizeof *worth->sample);
    if (!worth || !worth->sample) {
        hl_worth_free(worth);
        return hl_fail(err, HL_NO_MEMORY, "no memory for a sample of %zu vectors", n);
    }
    worth->n = n;
    worth->dim = dim;
    memcpy(worth->sample, sample, n * dim * sizeof *sample);
    *ret_worth = worth;
    return HL_OK;
}

void hl_worth_free(struct hl_worth *worth)
{
    if (!worth)
        return;
    hl_free(worth->sample);
    hl_free(worth);
}

/* The mean of the highest but one: that may be the item itself, and leaving it out of every
 * item's company is what makes those in the sample no better than others. */
static float company(const float *cosines, size_t n)
{
    float best[HL_WORTH_NEAREST + 1], sum = 0;
    size_t held = 0;

    for (size_t i = 0; i < n; i++) {
        size_t place;

        if (held > HL_WORTH_NEAREST && !(cosines[i] > best[HL_WORTH_NEAREST]))
            continue;
        held += held <= HL_WORTH_NEAREST;
        for (place = held - 1; place > 0 && best[place - 1] < cosines[i]; place--)
            best[place] = best[place - 1];
        best[place] = cosines[i];
    }
    for (size_t i = 1; i < held; i++)
        sum += best[i];
    return held > 1 ? sum / (float)(held - 1) : cosines[0];
}

enum hl_code hl_worth_of(const struct hl_worth *worth, const float *rows, size_t n,
                         float *worths, struct hl_err *err)
{
    size_t block = n < BLOCK ? n : BLOCK;
    float *cosines = hl_alloc_zeroed(block + 1, worth->n * sizeof *cosines);

    if (!cosines)
        return hl_fail(err, HL_NO_MEMORY, "no memory to compare %zu items with %zu", block,
                       worth->n);
    for (size_t first = 0; first < n; first += block) {
        size_t n_now = n - first < block ? n - first : block;
        const struct hl_product product = {
            .m = n_now, .n = worth->n, .k = worth->dim, .is_b_turned = true, .alpha = 1};

        hl_linalg_multiply(&product, rows + first * worth->dim, worth->sample, cosines);
        for (size_t i = 0; i < n_now; i++)
            worths[first + i] = company(cosines + i * worth->n, worth->n);
    }
    hl_free(cosines);
    return HL_OK;
}
