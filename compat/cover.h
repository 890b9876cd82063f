/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_COVER_H
#define HL_COMPAT_COVER_H

#include "proto/deadline.h"

#include <stddef.h>
#include <stdint.h>

/* Which of many items to take first, so that those that are taken lie all over them.
 *
 * First come centres: each is the item that is farthest from whatever was taken before
 * (farthest first: no choice of as many leaves any item farther than half as far away from
 * one). Then every item belongs to the centre it is nearest to, and each centre gives one
 * of its own in turn, the farthest first. Pure, any thread; costs n_centres + n_taken
 * passes over the rows. */
struct hl_cover {
    const float *rows; /* n of length 1 */
    size_t n, dim;
    const float *taken; /* n_taken of length 1 that were taken already; NULL: none */
    size_t n_taken;
    size_t n_centres; /* 1 or more */
    const struct hl_deadline *deadline;
};

/* `order` gets the indices of all n. Equal distances go by index. */
enum hl_code hl_cover_order(const struct hl_cover *cover, uint32_t *order,
                            struct hl_err *err);

#endif
