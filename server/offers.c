/* SPDX-License-Identifier: Apache-2.0 */
#include "server/offers.h"

#include "proto/alloc.h"
#include "proto/random.h"

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Why no lock: the taker runs at the lowest priority, and whoever waited for a lock of its
 * would wait as long as it is not let run.
 *
 * Offers are a stack that many push to and one empties at once. Nobody pops one, so an
 * address that comes back does no harm. Drops are counted in slots: one belongs to the
 * first rollout's stage that needs it and to no other afterwards, so that a count never
 * goes to the wrong one; what finds none counts in the metrics alone. */
enum { N_SLOTS = 1024 };

struct slot {
    _Atomic(uint64_t) owner; /* 0: nobody's */
    _Atomic(uint64_t) n;
};

struct hl_offers {
    _Atomic(struct hl_offer *) newest;
    atomic_size_t n, bytes;
    _Atomic(uint64_t) draws; /* so many searches were sampled or not */
    uint64_t seed;
    sem_t something;
    struct hl_metrics *metrics;
    struct slot slots[N_SLOTS];
};

enum hl_code hl_offers_new(struct hl_metrics *metrics, uint64_t seed,
                           struct hl_offers **ret_offers, struct hl_err *err)
{
    struct hl_offers *offers = hl_alloc_zeroed(1, sizeof *offers);

    if (!offers)
        return hl_fail(err, HL_NO_MEMORY, "no memory for what is to be compared");
    offers->metrics = metrics;
    offers->seed = seed;
    sem_init(&offers->something, 0, 0);
    *ret_offers = offers;
    return HL_OK;
}

void hl_offers_free(struct hl_offers *offers)
{
    struct hl_offer *next;

    if (!offers)
        return;
    for (struct hl_offer *offer = hl_offers_take(offers); offer; offer = next) {
        next = offer->next;
        hl_offer_free(offers, offer);
    }
    sem_destroy(&offers->something);
    hl_free(offers);
}

/* ---- drops ---- */

static uint64_t owner_of(const struct hl_collection *collection,
                         const struct hl_rollout *rollout)
{
    uint64_t owner = hl_random_mix(rollout->stage_step);

    for (const char *at = hl_collection_folder(collection); *at; at++)
        owner = hl_random_mix(owner ^ (unsigned char)*at);
    return owner ? owner : 1;
}

/* NULL: all are others'. */
static struct slot *find_slot(struct hl_offers *offers, uint64_t owner)
{
    for (size_t i = 0; i < N_SLOTS; i++) {
        struct slot *slot = &offers->slots[(owner + i) % N_SLOTS];
        uint64_t now = 0;

        if (atomic_compare_exchange_strong(&slot->owner, &now, owner) || now == owner)
            return slot;
    }
    return NULL;
}

static void drop(struct hl_offers *offers, const struct hl_answered *answered,
                 const struct hl_rollout *rollout)
{
    struct slot *slot = find_slot(offers, owner_of(answered->collection, rollout));

    if (slot)
        atomic_fetch_add(&slot->n, 1);
    hl_metrics_add(offers->metrics, HL_METRIC_COMPARISONS_DROPPED, 1);
}

uint64_t hl_offers_take_drops(struct hl_offers *offers,
                              const struct hl_collection *collection,
                              const struct hl_rollout *rollout)
{
    const uint64_t owner = owner_of(collection, rollout);

    for (size_t i = 0; i < N_SLOTS; i++) {
        struct slot *slot = &offers->slots[(owner + i) % N_SLOTS];
        const uint64_t now = atomic_load(&slot->owner);

        if (now == owner)
            return atomic_exchange(&slot->n, 0);
        if (now == 0)
            break;
    }
    return 0;
}

/* ---- putting ---- */

static void give_room(struct hl_offers *offers, size_t size)
{
    atomic_fetch_sub(&offers->bytes, size);
    atomic_fetch_sub(&offers->n, 1);
}

static bool take_room(struct hl_offers *offers, size_t size)
{
    const bool has_place = atomic_fetch_add(&offers->n, 1) < HL_OFFERS_MOST;
    const bool has_bytes = atomic_fetch_add(&offers->bytes, size) + size <= HL_OFFERS_BYTES;

    if (has_place && has_bytes)
        return true;
    give_room(offers, size);
    return false;
}

static bool has_both(const struct hl_answered *answered, const struct hl_rollout *rollout)
{
    const struct hl_space *from = hl_layout_space(answered->layout, rollout->from);
    const struct hl_space *to = hl_layout_space(answered->layout, rollout->to);

    for (size_t i = 0; from && to && i < answered->queries->n; i++)
        if (hl_query_sent(&answered->queries->items[i], from->name) &&
            hl_query_sent(&answered->queries->items[i], to->name))
            return true;
    return false;
}

static bool is_drawn(struct hl_offers *offers, double sample)
{
    struct hl_random random = {offers->seed + atomic_fetch_add(&offers->draws, 1)};

    return hl_random_unit(&random) < sample;
}

static struct hl_offer *copy(const struct hl_answered *answered,
                             const struct hl_rollout *rollout)
{
    const struct hl_span *body = &answered->request->body;
    struct hl_offer *offer = hl_alloc(sizeof *offer + body->len);

    if (!offer)
        return NULL;
    *offer = (struct hl_offer){.collection = hl_collection_ref(answered->collection),
                               .rollout = *rollout,
                               .form = answered->form,
                               .is_batch = answered->is_batch,
                               .size = body->len};
    (void)snprintf(offer->query_id, sizeof offer->query_id, "%s", answered->request->id);
    memcpy(offer->body, body->data, body->len);
    return offer;
}

static void push(struct hl_offers *offers, struct hl_offer *offer)
{
    struct hl_offer *newest = atomic_load(&offers->newest);

    do
        offer->next = newest;
    while (!atomic_compare_exchange_weak(&offers->newest, &newest, offer));
    if (!newest) /* else the taker was woken for the one before, and takes all */
        hl_offers_poke(offers);
}

void hl_offers_put(struct hl_offers *offers, const struct hl_answered *answered)
{
    const struct hl_rollout *rollout = hl_rollout_of(answered->layout);
    const size_t size = answered->request->body.len;
    struct hl_offer *offer = NULL;

    if (!hl_rollout_is_running(rollout) || !has_both(answered, rollout) ||
        !is_drawn(offers, rollout->sample))
        return;
    if (take_room(offers, size)) {
        offer = copy(answered, rollout);
        if (!offer)
            give_room(offers, size);
    }
    if (offer)
        push(offers, offer);
    else
        drop(offers, answered, rollout);
}

/* ---- taking ---- */

struct hl_offer *hl_offers_take(struct hl_offers *offers)
{
    struct hl_offer *newest = atomic_exchange(&offers->newest, NULL), *oldest = NULL;

    while (newest) {
        struct hl_offer *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void hl_offer_free(struct hl_offers *offers, struct hl_offer *offer)
{
    hl_collection_unref(offer->collection);
    give_room(offers, offer->size);
    hl_free(offer);
}

bool hl_offers_are_pending(const struct hl_offers *offers)
{
    return atomic_load(&offers->n) > 0;
}

void hl_offers_wait(struct hl_offers *offers, int64_t us)
{
    const int64_t second = 1000000;
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    us += until.tv_nsec / 1000;
    until.tv_sec += us / second;
    until.tv_nsec = (us % second) * 1000;
    while (sem_clockwait(&offers->something, CLOCK_MONOTONIC, &until) != 0 &&
           errno == EINTR)
        continue;
}

void hl_offers_poke(struct hl_offers *offers)
{
    (void)sem_post(&offers->something);
}
