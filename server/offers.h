/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_OFFERS_H
#define HL_SERVER_OFFERS_H

#include "index/collection.h"
#include "proto/query.h"
#include "server/metrics.h"
#include "server/request.h"
#include "server/rollout.h"

/* Searches that were answered and are to be compared, on their way from the threads that
 * answer to the one that compares (overseer.h).
 *
 * To put takes a copy and no lock, and waits for nobody: what there is no room for is
 * dropped and counted. Bounded by number and by bytes, from putting to freeing. Any thread
 * puts; one takes. */
struct hl_offers;

enum { HL_OFFERS_MOST = 1024, HL_OFFERS_BYTES = 16 << 20 };

enum hl_code hl_offers_new(struct hl_metrics *metrics, uint64_t seed,
                           struct hl_offers **ret_offers, struct hl_err *err);
void hl_offers_free(struct hl_offers *offers); /* with all there are; NULL is accepted */

/* A search as it was answered; all of it is copied. */
struct hl_answered {
    struct hl_collection *collection;
    const struct hl_layout *layout; /* that it was answered by */
    const struct hl_queries *queries;
    enum hl_query_form form;
    bool is_batch;
    const struct hl_request *request; /* its body and id */
};

/* What one of them holds both models' vectors, while a rollout runs and as often as it
 * samples, is put. Nothing happens and nothing is looked at where no rollout runs. */
void hl_offers_put(struct hl_offers *offers, const struct hl_answered *answered);

struct hl_offer {
    struct hl_offer *next;
    struct hl_collection *collection; /* a reference */
    struct hl_rollout rollout;        /* as it was then */
    enum hl_query_form form;
    bool is_batch;
    char query_id[HL_REQUEST_ID_SIZE];
    size_t size;
    char body[];
};

/* All there are, the oldest first; NULL: none. What was taken is freed one by one. */
struct hl_offer *hl_offers_take(struct hl_offers *offers);
void hl_offer_free(struct hl_offers *offers, struct hl_offer *offer);

/* Whether some were put and are not freed. */
bool hl_offers_are_pending(const struct hl_offers *offers);

/* Sleeps until something is put, somebody pokes, or so long. The taker's thread. */
void hl_offers_wait(struct hl_offers *offers, int64_t us);
void hl_offers_poke(struct hl_offers *offers);

/* How many were dropped of a rollout's stage since the last call that asked for it. */
uint64_t hl_offers_take_drops(struct hl_offers *offers,
                              const struct hl_collection *collection,
                              const struct hl_rollout *rollout);

#endif
