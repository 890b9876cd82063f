/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_CRASH_ORACLE_H
#define HL_TESTS_CRASH_ORACLE_H

#include "tests/support/rest.h"

#include <stdint.h>

/* One writer's points and what must be true of them: it draws an operation, says it to the
 * server, and remembers what was acknowledged. One call is on its way at a time, so after a
 * crash the server shows either the state before it or the one behind it, whole. One
 * thread. */
enum { ORACLE_POINTS = 96, ORACLE_DIM = 16 };

struct oracle_point {
    uint32_t payload; /* what it is made from; 0: there is no such point */
    uint32_t vector;  /* likewise; 0: the point has none */
};

struct oracle {
    const char *collection;
    int writer; /* its points are writer * ORACLE_POINTS … */
    uint64_t random;
    uint32_t next; /* the last seed of a content */
    struct oracle_point now[ORACLE_POINTS];
    struct oracle_point then[ORACLE_POINTS]; /* when the call on its way is done */
    bool is_on_its_way;
    bool is_spoilt; /* it is to be refused, behind what it wrote */
    uint64_t n_acknowledged;
    char *body;
};

void oracle_init(struct oracle *oracle, const char *collection, int writer, uint64_t seed);
void oracle_done(struct oracle *oracle);

/* One operation. False: no reply came, or a refusal that says so on stdout and sets
 * *ret_is_wrong. */
bool oracle_step(struct oracle *oracle, struct hl_rest *rest, bool *ret_is_wrong);

/* Whether the server shows one of the two states, by id, by search and by count; then that
 * one is `now`. Says on stdout what is wrong. */
bool oracle_check(struct oracle *oracle, struct hl_rest *rest);

#endif
