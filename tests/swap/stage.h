/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SWAP_STAGE_H
#define HL_TESTS_SWAP_STAGE_H

#include "tests/support/daemon.h"
#include "tests/support/rest.h"
#include "tests/swap/witness.h"

#include <stdatomic.h>

/* A server with the collection "c" of pair.h's models and points and both revisions of the
 * bridge, for clients that do something to it at the same time. For files that include
 * cmocka before it: what does not work fails the test. */

enum { STAGE_LIMIT_MS = 300000 };

struct stage {
    struct hl_daemon daemon;
    long n_points;
    atomic_bool is_over;
    atomic_long n_faults, n_answers;
};

void stage_begin(struct stage *stage, const char *program, long n_points);
void stage_end(struct stage *stage); /* no fault was said */

/* Any thread; says the first few. */
void stage_fault(struct stage *stage, const char *what, const char *why);

void stage_caller(const struct stage *stage, struct hl_rest *rest);

/* `{"points":[…]}` of one point with a vector of that model. */
enum { STAGE_POINT_ROOM = 512 };
void stage_print_point(long number, int model, char body[STAGE_POINT_ROOM]);

/* A request of points that follow each other. */
enum { STAGE_BATCH = 250 };
struct stage_points {
    long first, n; /* at most STAGE_BATCH */
    int model;     /* 0: v1 and v2 turn about, as the collection has them */
};
void stage_put(struct hl_rest *rest, const char *path, struct stage_points points);

/* The status. */
int stage_ask(struct hl_rest *rest, const struct witness *witness);

/* The next of: activated, replaced, served otherwise, removed, activated again … */
enum { STAGE_N_STEPS = 8, STAGE_REMOVED = 3 };
bool stage_swap(struct hl_rest *rest, long turn);

/* As the next revision. */
void stage_put_bridge(struct hl_rest *rest, int revision);

#endif
