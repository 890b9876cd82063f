/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_COMPAT_COVER_H
#define HL_COMPAT_COVER_H

#include "proto/deadline.h"

#include <stddef.h>
#include <stdint.h>

/* Which items to take first, so that every item soon has one of those that are taken close
 * by.
 *
 * Each is the one that brings the items most of the way: the sum, over all of them, of what
 * their cosine to the nearest that is taken rises by. So the first is in the middle of all,
 * the next in the middle of those that are left alone, and what is like nothing else comes
 * late. Pure, any thread; takes n x n floats. */
struct hl_cover {
    const float *rows; /* n of length 1 */
    size_t n, dim;
    const float *taken; /* n_taken of length 1 that were taken before; NULL: none */
    size_t n_taken;
    size_t n_wanted; /* at most n */
    const struct hl_deadline *deadline;
};

enum { HL_COVER_MOST = 4096 }; /* rows; more would be 64 MiB and seconds */

/* `order` gets the indices of n_wanted rows. Equal ones go by index. */
enum hl_code hl_cover_order(const struct hl_cover *cover, uint32_t *order,
                            struct hl_err *err);

#endif
