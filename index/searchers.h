/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_INDEX_SEARCHERS_H
#define HL_INDEX_SEARCHERS_H

#include "index/shelf.h"

#include <pthread.h>

/* The scratch of searches, lent to whichever thread searches. Any thread.
 *
 * What a search has touched last lies in the caches of the processor it ran on: above all
 * the marks of a walk, two bytes for every row of a segment, of which it writes a thousand
 * all over. So a searcher goes back to the lane of that processor and is taken from there;
 * from one pile, two threads would take each other's in turn. */
enum { HL_SEARCHER_LANES = 16, HL_SEARCHERS_PER_LANE = 16 };

struct hl_searchers {
    struct hl_searcher_lane {
        pthread_mutex_t lock; /* guards what follows */
        size_t n;
        struct hl_searcher *idle[HL_SEARCHERS_PER_LANE];
    } lanes[HL_SEARCHER_LANES];
};

void hl_searchers_init(struct hl_searchers *searchers);
void hl_searchers_done(struct hl_searchers *searchers); /* all were given back */

/* To be given back. NULL: no memory. */
struct hl_searcher *hl_searchers_take(struct hl_searchers *searchers);
void hl_searchers_give(struct hl_searchers *searchers, struct hl_searcher *searcher);

#endif
