/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_ASK_H
#define HL_SERVER_ASK_H

#include "proto/deadline.h"
#include "proto/query.h"
#include "server/server.h"

/* Searches without a request: what the server would answer to some queries, each as if
 * `using` named a model that the caller chooses, all on one look.
 *
 * Where a query has vectors of several models, the model's alone is asked with, as by a
 * client that has embedded with it and with no other: what else was sent would help it
 * through a bridge. Whoever compares two models so compares what their callers get.
 *
 * Reads the disk where filters need it and waits for nothing else: any thread but an HTTP
 * one. One thread at a time. A look must end soon (index/look.h): whoever has many queries
 * asks a few hundred of them at a time. */
struct hl_ask;

struct hl_ask_task {
    struct hl_server *server;
    struct hl_collection *collection; /* borrowed, as all here, until the ask is closed */
    struct hl_queries queries;        /* of HL_FORM_QUERY or what decodes to the same */
    const struct hl_filter *const *filters; /* others that points may be asked about; each
                                               may be NULL, which all points match */
    size_t n_filters;
    const struct hl_deadline *deadline;
    struct hl_arena *arena; /* for what lives as long as the ask */
};

/* HL_NO_MEMORY, HL_TOO_LARGE as the arena says; HL_CANCELLED, HL_TIMEOUT. */
enum hl_code hl_ask_open(const struct hl_ask_task *task, struct hl_ask **ret_ask,
                         struct hl_err *err);
void hl_ask_close(struct hl_ask *ask); /* NULL is accepted */

/* What is asked about: which models there are, which points, at which commit. */
const struct hl_look *hl_ask_look(const struct hl_ask *ask);

struct hl_answer {
    struct hl_id id;
    uint32_t number; /* of the point, for hl_ask_is_match */
    float score;     /* as a reply shows it */
};

struct hl_ask_query {
    size_t which;   /* of the queries */
    uint32_t space; /* the model's; 0: whichever the query means by itself */
    size_t k;       /* instead of its limit, and of its offset */
};

/* The best first, at most k of them, into room for k. HL_UNKNOWN_VECTOR: there is no such
 * model any more, or the query brings no vector of it; else what the call would answer. */
enum hl_code hl_ask_as(struct hl_ask *ask, const struct hl_ask_query *query,
                       struct hl_answer *ret_answers, size_t *ret_n, struct hl_err *err);

/* Finds the points that a query's filter means, which may read payloads; hl_ask_as does it
 * otherwise, and then takes the longer. */
enum hl_code hl_ask_settle(struct hl_ask *ask, size_t which, struct hl_err *err);

/* Of another filter: how many points match, once it is settled, which may read payloads;
 * and then whether one does. */
enum hl_code hl_ask_matches(struct hl_ask *ask, size_t which, uint64_t *ret_n,
                            struct hl_err *err);
bool hl_ask_is_match(const struct hl_ask *ask, size_t which, uint32_t number);

#endif
