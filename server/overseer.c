/* SPDX-License-Identifier: Apache-2.0 */
#include "server/overseer_part.h"

#include "proto/alloc.h"
#include "proto/priority.h"
#include "server/compare.h"
#include "server/offers.h"

#include <string.h>
#include <time.h>

/* The rhythm: sleep until something is offered or a second is over; take whoever waits for
 * judgement, then what is offered, so that everything that was answered before a feedback
 * came is compared before it is judged; then judge. */
enum {
    ROLL_US = 1000000,
    PATIENCE_US = 10000000, /* of one search that is compared */
    LOOK_EVERY = 16         /* comparisons, between two looks of the guard in a second */
};

int64_t hl_overseer_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct hl_watched *hl_overseer_find(const struct hl_overseer *overseer,
                                    const struct hl_collection *collection)
{
    struct hl_watched *watched = overseer->first;

    while (watched && strcmp(watched->folder, hl_collection_folder(collection)) != 0)
        watched = watched->next;
    return watched;
}

/* ---- what was offered ---- */

struct counting {
    struct hl_overseer *overseer;
    struct hl_watched *watched;
};

static void count(void *self, const struct hl_comparison *comparison)
{
    const struct counting *counting = self;
    struct hl_overseer *overseer = counting->overseer;
    const bool *has_failed = comparison->has_failed;
    enum hl_counter counter = HL_METRIC_COMPARISONS_STALE;

    pthread_mutex_lock(&overseer->lock);
    if (hl_trial_add(counting->watched->trial, comparison)) {
        counter = has_failed[HL_SIDE_FROM] || has_failed[HL_SIDE_TO]
                      ? HL_METRIC_COMPARISONS_FAILED
                      : HL_METRIC_COMPARED;
        counting->watched->n_new++;
    }
    pthread_mutex_unlock(&overseer->lock);
    hl_metrics_add(overseer->server->metrics, counter, 1);
}

static void drop(struct hl_overseer *overseer, struct hl_watched *watched,
                 const struct hl_offer *offer)
{
    pthread_mutex_lock(&overseer->lock);
    hl_trial_drop(watched->trial, &offer->rollout, 1);
    pthread_mutex_unlock(&overseer->lock);
    hl_metrics_add(overseer->server->metrics, HL_METRIC_COMPARISONS_DROPPED, 1);
}

static void compare(struct hl_overseer *overseer, struct hl_watched *watched,
                    const struct hl_offer *offer)
{
    struct hl_server *server = overseer->server;
    const struct hl_deadline deadline = {.clock = &server->clock,
                                         .at_us =
                                             hl_clock_now(&server->clock) + PATIENCE_US,
                                         .cancelled = &overseer->is_stopping};
    struct counting counting = {overseer, watched};
    const struct hl_compare_task task = {server, offer, &deadline, count, &counting};
    struct hl_err err;
    bool is_stale = false;

    pthread_mutex_lock(&overseer->lock);
    hl_trial_follow(watched->trial, &offer->rollout);
    pthread_mutex_unlock(&overseer->lock);
    if (hl_compare_run(&task, &is_stale, &err) != HL_OK)
        drop(overseer, watched, offer);
    else if (is_stale)
        hl_metrics_add(server->metrics, HL_METRIC_COMPARISONS_STALE, 1);
}

static bool is_time_to_look(struct hl_overseer *overseer, const struct hl_watched *watched)
{
    bool is;

    pthread_mutex_lock(&overseer->lock);
    is = watched->n_new >= LOOK_EVERY;
    pthread_mutex_unlock(&overseer->lock);
    return is;
}

static void take_offer(struct hl_overseer *overseer, const struct hl_offer *offer)
{
    struct hl_watched *watched = hl_overseer_find(overseer, offer->collection);

    if (!watched) {
        hl_overseer_roll(overseer);
        watched = hl_overseer_find(overseer, offer->collection);
    }
    if (!watched) { /* the collection has no name any more */
        hl_metrics_add(overseer->server->metrics, HL_METRIC_COMPARISONS_STALE, 1);
    } else if (atomic_load(&overseer->is_stopping)) {
        drop(overseer, watched, offer);
    } else {
        compare(overseer, watched, offer);
        if (is_time_to_look(overseer, watched))
            hl_overseer_guard(overseer, watched, offer->collection, &offer->rollout);
    }
}

/* ---- the thread ---- */

static void roll_in_time(struct hl_overseer *overseer)
{
    if (hl_overseer_now_us() - overseer->rolled_us >= ROLL_US)
        hl_overseer_roll(overseer);
}

static void take_all(struct hl_overseer *overseer, bool is_end)
{
    struct hl_offers *offers = overseer->server->offers;
    struct hl_judging *waiting = hl_overseer_take_waiting(overseer, is_end), *next;
    struct hl_offer *offer, *after;

    for (offer = hl_offers_take(offers); offer; offer = after) {
        after = offer->next;
        take_offer(overseer, offer);
        hl_offer_free(offers, offer);
        roll_in_time(overseer);
    }
    for (; waiting; waiting = next) {
        next = waiting->next;
        pthread_mutex_lock(&overseer->lock);
        (void)hl_overseer_judge_now(overseer, waiting); /* nothing is pending any more */
        pthread_mutex_unlock(&overseer->lock);
        waiting->tell(waiting);
    }
}

static void *oversee(void *arg)
{
    struct hl_overseer *overseer = arg;

    hl_priority_set(HL_PRIORITY_LAST);
    while (!atomic_load(&overseer->is_stopping)) {
        const int64_t left_us = overseer->rolled_us + ROLL_US - hl_overseer_now_us();

        if (left_us > 0)
            hl_offers_wait(overseer->server->offers, left_us);
        take_all(overseer, false);
        roll_in_time(overseer);
    }
    take_all(overseer, true);
    hl_overseer_save_all(overseer);
    return NULL;
}

/* ---- beginning and end ---- */

enum hl_code hl_overseer_open(struct hl_server *server, struct hl_overseer **ret_overseer,
                              struct hl_err *err)
{
    struct hl_overseer *overseer = hl_alloc_zeroed(1, sizeof *overseer);

    if (!overseer)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the comparing of models");
    overseer->server = server;
    pthread_mutex_init(&overseer->lock, NULL);
    overseer->rolled_us = hl_overseer_now_us() - ROLL_US;
    overseer->has_thread = pthread_create(&overseer->thread, NULL, oversee, overseer) == 0;
    if (overseer->has_thread) {
        *ret_overseer = overseer;
        return HL_OK;
    }
    hl_overseer_close(overseer);
    return hl_fail(err, HL_NO_MEMORY, "could not start the thread that compares models");
}

void hl_overseer_stop(struct hl_overseer *overseer)
{
    if (!overseer || !overseer->has_thread)
        return;
    atomic_store(&overseer->is_stopping, true);
    hl_offers_poke(overseer->server->offers);
    (void)pthread_join(overseer->thread, NULL);
    overseer->has_thread = false;
}

void hl_overseer_close(struct hl_overseer *overseer)
{
    if (!overseer)
        return;
    hl_overseer_stop(overseer);
    hl_overseer_forget_all(overseer);
    pthread_mutex_destroy(&overseer->lock);
    hl_free(overseer);
}
