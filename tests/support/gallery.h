/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_GALLERY_H
#define HL_TESTS_SUPPORT_GALLERY_H

#include <stddef.h>
#include <stdint.h>

/* Rows that look like embeddings, for tests and benchmarks of search: 2,000 clusters in a
 * latent space of few dimensions with a decaying spectrum, bent by a random layer of tanh,
 * with noise, on the unit sphere. The same seed gives the same rows everywhere. */

struct hl_gallery;

struct hl_gallery *hl_gallery_new(size_t dim, uint64_t seed); /* NULL: no memory */
void hl_gallery_free(struct hl_gallery *gallery);

/* Row `number` of the gallery, whatever was asked for before. */
void hl_gallery_row(const struct hl_gallery *gallery, uint64_t number, float *ret_values);

/* n rows from `first` on, one behind the other; the caller frees them. NULL: no memory. */
float *hl_gallery_rows(const struct hl_gallery *gallery, uint64_t first, size_t n_rows);

/* Where each of `n` rows begins that lie one behind the other. */
static inline void hl_gallery_point_at(const float *rows, size_t n, size_t dim,
                                       const float **ret_pointers)
{
    for (size_t i = 0; i < n; i++)
        ret_pointers[i] = rows + i * dim;
}

#endif
