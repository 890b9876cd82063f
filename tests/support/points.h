/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_POINTS_H
#define HL_TESTS_SUPPORT_POINTS_H

#include "index/store.h"

#include <stdbool.h>
#include <stdint.h>

/* A script of writes for a store, drawn from a seed, and what every commit of it must look
 * like: the slow and obvious copy that the store is compared with. One thread. */

enum { HL_POINTS_IDS = 24, HL_POINTS_SPACES = 3, HL_POINTS_MAX_COMMITS = 400 };

/* Zero is absent; otherwise what payload and values are made from. */
struct hl_points_state {
    uint32_t payloads[HL_POINTS_IDS]; /* a living point has one */
    uint32_t vectors[HL_POINTS_IDS][HL_POINTS_SPACES];
    uint32_t record;
};

struct hl_points {
    uint64_t random;
    uint32_t next;                     /* the last seed of a content */
    uint32_t spaces[HL_POINTS_SPACES]; /* the last one is sparse */
    struct hl_points_state now;        /* with the open transaction */
    struct hl_points_state *at;        /* [commit] */
    uint64_t n_commits;                /* acknowledged */
    bool is_quiet;                     /* differences are expected and not said */
};

bool hl_points_init(struct hl_points *points, uint64_t seed);
void hl_points_done(struct hl_points *points);

/* A store with the three spaces, which is the first commit. */
enum hl_code hl_points_begin(struct hl_points *points, struct hl_store *store,
                             struct hl_err *err);

/* One transaction of `n` requests, some of them undone. Old versions are cleaned up to
 * commit `oldest`. What was not acknowledged is not in `at`, but in `now`. */
enum hl_code hl_points_commit(struct hl_points *points, struct hl_store *store, int n,
                              uint64_t oldest, struct hl_err *err);

/* Whether the reader, which is begun, sees exactly the state; says on stderr what not. */
bool hl_points_check(const struct hl_points *points, struct hl_reader *reader,
                     const struct hl_points_state *state);

struct hl_id hl_points_id(int which);

#endif
