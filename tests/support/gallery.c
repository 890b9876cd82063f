/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/gallery.h"

#include "proto/random.h"

#include <math.h>
#include <stdlib.h>

enum { N_CLUSTERS = 2000, LATENT = 40 };

struct hl_gallery {
    size_t dim;
    uint64_t seed;
    float *layer; /* dim rows of LATENT */
    float centres[N_CLUSTERS][LATENT];
};

/* Numbers are a hash of where they stand, so that any row can be made by itself. The sum of
 * twelve uniform numbers is as good as normal here. */
static float normal(uint64_t *state)
{
    float sum = -6;

    for (int i = 0; i < 6; i++) {
        const uint64_t bits = hl_random_mix(++*state);

        sum += (float)(bits >> 40) * 0x1p-24F;
        sum += (float)(bits & 0xFFFFFFU) * 0x1p-24F;
    }
    return sum;
}

static float spectrum(size_t at)
{
    return 1.0F / sqrtf(1.0F + 0.15F * (float)at);
}

struct hl_gallery *hl_gallery_new(size_t dim, uint64_t seed)
{
    struct hl_gallery *gallery = malloc(sizeof *gallery);
    uint64_t state = hl_random_mix(seed);

    if (!gallery)
        return NULL;
    gallery->dim = dim;
    gallery->seed = seed;
    gallery->layer = malloc(dim * LATENT * sizeof *gallery->layer);
    if (!gallery->layer) {
        free(gallery);
        return NULL;
    }
    for (size_t i = 0; i < dim * LATENT; i++)
        gallery->layer[i] = normal(&state) * 0.35F;
    for (size_t cluster = 0; cluster < N_CLUSTERS; cluster++)
        for (size_t i = 0; i < LATENT; i++)
            gallery->centres[cluster][i] = normal(&state) * spectrum(i);
    return gallery;
}

void hl_gallery_free(struct hl_gallery *gallery)
{
    if (!gallery)
        return;
    free(gallery->layer);
    free(gallery);
}

void hl_gallery_row(const struct hl_gallery *gallery, uint64_t number, float *ret_values)
{
    uint64_t state = hl_random_mix(gallery->seed ^ hl_random_mix(number + 1));
    const float *centre = gallery->centres[hl_random_mix(state) % N_CLUSTERS];
    float latent[LATENT], norm = 0;

    for (size_t i = 0; i < LATENT; i++)
        latent[i] = centre[i] + 0.5F * normal(&state) * spectrum(i);
    for (size_t at = 0; at < gallery->dim; at++) {
        float sum = 0;

        for (size_t i = 0; i < LATENT; i++)
            sum += gallery->layer[at * LATENT + i] * latent[i];
        ret_values[at] = tanhf(sum) + 0.02F * normal(&state);
        norm += ret_values[at] * ret_values[at];
    }
    for (size_t at = 0; at < gallery->dim; at++)
        ret_values[at] /= sqrtf(norm);
}

float *hl_gallery_rows(const struct hl_gallery *gallery, uint64_t first, size_t n_rows)
{
    float *rows = malloc(n_rows * gallery->dim * sizeof *rows);

    for (size_t row = 0; rows && row < n_rows; row++)
        hl_gallery_row(gallery, first + row, rows + row * gallery->dim);
    return rows;
}
