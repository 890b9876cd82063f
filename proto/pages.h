/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_PROTO_PAGES_H
#define HL_PROTO_PAGES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Large memory that is read at random, and how much of it there may be.
 *
 * A processor remembers where a few thousand pages are. Memory of hundreds of megabytes
 * that is jumped about in wants pages of two megabytes: the kernel gives them to who asks,
 * as far as it has some, and small ones otherwise. Any thread. */

/* Zeroed; NULL: there is none (failpoint `alloc`). */
void *hl_pages_new(size_t bytes);
void hl_pages_free(void *pages, size_t bytes); /* NULL is accepted */

/* Hints for memory that a file is mapped to. Scattered, it is read at random: what is
 * looked at brings no neighbours along. Who is about to read a run of it in order then
 * fetches it, a few megabytes at a time. */
void hl_pages_scatter(void *bytes, size_t size);
void hl_pages_fetch(const void *bytes, size_t size);

/* It is read seldom: it leaves memory now. */
void hl_pages_cool(void *bytes, size_t size);

/* A bound that many share. What is taken from one that is a part of another is taken from
 * that too. `most` and `whole` are set before it is shared. */
struct hl_allowance {
    size_t most;
    struct hl_allowance *whole; /* NULL: it is a part of nothing */
    atomic_size_t taken;
};

/* False, and nothing is taken, when that would be too much: more than `most`, and `lent`
 * beside it, which is what the caller sees to that is given back soon. */
bool hl_allowance_take(struct hl_allowance *allowance, size_t bytes, size_t lent);
void hl_allowance_give(struct hl_allowance *allowance, size_t bytes);

#endif
