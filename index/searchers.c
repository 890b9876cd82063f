/* SPDX-License-Identifier: Apache-2.0 */
#include "index/searchers.h"

#include <sched.h>

void hl_searchers_init(struct hl_searchers *searchers)
{
    for (size_t i = 0; i < HL_SEARCHER_LANES; i++) {
        searchers->lanes[i].n = 0;
        pthread_mutex_init(&searchers->lanes[i].lock, NULL);
    }
}

void hl_searchers_done(struct hl_searchers *searchers)
{
    for (size_t i = 0; i < HL_SEARCHER_LANES; i++) {
        struct hl_searcher_lane *lane = &searchers->lanes[i];

        while (lane->n > 0)
            hl_searcher_free(lane->idle[--lane->n]);
        pthread_mutex_destroy(&lane->lock);
    }
}

/* A thread that is moved meanwhile only takes a worse one. */
static struct hl_searcher_lane *lane_here(struct hl_searchers *searchers)
{
    const int cpu = sched_getcpu();

    return &searchers->lanes[(cpu < 0 ? 0U : (unsigned)cpu) % HL_SEARCHER_LANES];
}

struct hl_searcher *hl_searchers_take(struct hl_searchers *searchers)
{
    struct hl_searcher_lane *lane = lane_here(searchers);
    struct hl_searcher *searcher = NULL;

    pthread_mutex_lock(&lane->lock);
    if (lane->n > 0)
        searcher = lane->idle[--lane->n];
    pthread_mutex_unlock(&lane->lock);
    return searcher ? searcher : hl_searcher_new();
}

void hl_searchers_give(struct hl_searchers *searchers, struct hl_searcher *searcher)
{
    struct hl_searcher_lane *lane = lane_here(searchers);

    pthread_mutex_lock(&lane->lock);
    if (lane->n < HL_SEARCHERS_PER_LANE) {
        lane->idle[lane->n++] = searcher;
        searcher = NULL;
    }
    pthread_mutex_unlock(&lane->lock);
    hl_searcher_free(searcher);
}
