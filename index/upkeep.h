/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_UPKEEP_H
#define HL_INDEX_UPKEEP_H

#include <stdbool.h>
#include <stddef.h>

/* Which parts of a shelf become one: pure arithmetic over their sizes.
 *
 * A tail that is full is sealed first, since searches scan it; then what hardly anything is
 * left of is made anew, which is quick. Sealed neighbours are merged when they are four or
 * more and three times what the largest of them is, so that a row is built into a graph
 * once for each power of three its shelf has grown by; a part of which a third is dead is
 * made anew at last. Nothing is merged into more rows than memory has room to build. */
struct hl_upkeep_part {
    size_t n_rows, n_dead;
    bool is_tail;
    bool is_full; /* of a tail: nothing is added any more, and all of it is published */
};

struct hl_upkeep_choice {
    size_t first, n; /* n 0: nothing is to be done */
};

struct hl_upkeep_choice hl_upkeep_choose(const struct hl_upkeep_part *parts, size_t n_parts,
                                         size_t seal_rows, size_t most_rows);

#endif
