/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_OVERSEER_PART_H
#define HL_SERVER_OVERSEER_PART_H

#include "server/guard.h"
#include "server/overseer.h"

#include <pthread.h>
#include <stdatomic.h>

/* What the files of the overseer share; for them alone.
 *
 *   overseer.c        the thread: what was offered, and the beginning and the end
 *   overseer_roll.c   which rollouts there are, and once a second what each needs
 *   overseer_study.c  what else concerns one: drift, its probe set and that one's schedule
 *   overseer_judge.c  feedback and figures, for other threads */

/* A rollout that is watched. Its list and what is in it are written by the overseer's
 * thread, and counts by feedback too, all with the lock; that thread reads without it what
 * it alone writes. */
struct hl_watched {
    char *folder; /* of the collection: no other ever has it */
    char *name;   /* of the collection, for the log */
    struct hl_trial *trial;
    struct hl_rollout known; /* as it was in the last roll */
    uint64_t n_new;          /* counted since the guard looked */
    uint32_t every_s;        /* how often its probe set is run; 0: not by itself */
    uint64_t commit;         /* of the collection, in the last roll, */
    uint64_t studied;        /* and when it was studied */
    uint64_t roll;           /* in which it was seen last */
    int64_t saved_us;
    bool is_save_failing; /* it was told */
    struct hl_watched *next;
};

struct hl_overseer {
    struct hl_server *server;
    pthread_t thread;
    bool has_thread;
    atomic_bool is_stopping; /* cancels what is being compared */
    atomic_bool is_probing;  /* a scheduled run is queued or runs: one at a time */

    /* A stack that many push to and the thread empties at once, without a lock, because
     * that thread may hold one for as long as others keep it from running.
     * &the_end: nobody may wait any more. */
    _Atomic(struct hl_judging *) waiting;
    struct hl_judging the_end;

    /* Guards what follows, to the blank line; nothing that waits is called under it. Who
     * serves requests does not wait for it. */
    pthread_mutex_t lock;
    struct hl_watched *first;

    uint64_t roll; /* the thread's own */
    int64_t rolled_us;
};

int64_t hl_overseer_now_us(void);

/* With the lock, or on the overseer's thread. NULL: it has no rollout that is known. */
struct hl_watched *hl_overseer_find(const struct hl_overseer *overseer,
                                    const struct hl_collection *collection);

/* ---- overseer_roll.c: on its thread ---- */

/* Goes through the collections: what begins is watched from now on, what is over no more;
 * drops are counted, the guard looks, and counts are saved. */
void hl_overseer_roll(struct hl_overseer *overseer);
void hl_overseer_guard(struct hl_overseer *overseer, struct hl_watched *watched,
                       struct hl_collection *collection, const struct hl_rollout *rollout);
void hl_overseer_save_all(struct hl_overseer *overseer);
void hl_overseer_forget_all(struct hl_overseer *overseer);

/* ---- overseer_study.c: on its thread ---- */

/* After a commit: whether a model has drifted, which is a breach, and what the probe set
 * says. And, as often as that says, its run as a job of the lowest priority. */
void hl_overseer_study(struct hl_overseer *overseer, struct hl_watched *watched,
                       struct hl_collection *collection, const struct hl_rollout *rollout);
void hl_overseer_probe(struct hl_overseer *overseer, struct hl_watched *watched,
                       const struct hl_rollout *rollout);

/* ---- overseer_judge.c ---- */

/* Those that wait, the longest first; from the end on nobody may. */
struct hl_judging *hl_overseer_take_waiting(struct hl_overseer *overseer, bool is_end);

/* With the lock: what is not judged yet of it. False: some are not known. */
bool hl_overseer_judge_now(struct hl_overseer *overseer, struct hl_judging *judging);

#endif
