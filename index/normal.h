/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_NORMAL_H
#define HL_INDEX_NORMAL_H

#include <stddef.h>

/* A vector of a space whose distance is Cosine, as it is stored and searched: of length 1.
 * One without a length stays zero, and one that has length 1 already stays to the bit, so
 * that a vector that was read can be written again. `to` may be `from`. Any thread. */
void hl_normalise(const float *from, size_t dim, float *to);

#endif
