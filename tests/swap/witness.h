/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SWAP_WITNESS_H
#define HL_TESTS_SWAP_WITNESS_H

#include <stdbool.h>

struct cJSON;

/* Whether an answer is what one plan gives, worked out from the vectors (pair.h).
 *
 * Points are 0 … n - 1: even ones have a v1, odd ones a v2. Those that may change have
 * either, and may be on any shelf or, for the moment of a look, on none that is searched.
 */

enum { WITNESS_LIMIT = 10 }; /* hits that were asked for */

struct witness {
    int model;  /* 1 or 2: whose query it was */
    long query; /* its number */
    long n_points;
    bool is_exact; /* it must have found the best */
};

/* Which points writers move from one model to the other. */
bool witness_may_change(long number);

struct testimony {
    long plan;       /* its number; 0: there is none */
    int revision;    /* of the bridge by which all is explained, 0: none, */
    bool is_certain; /* and by no other */
    char fault[160]; /* why it cannot be explained */
};

/* `result` is that of one query with explain. False: it is not what one plan gives. */
bool witness_check(const struct witness *witness, const struct cJSON *result,
                   struct testimony *ret_testimony);

#endif
