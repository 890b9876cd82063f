/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_LIVE_H
#define HL_SERVER_LIVE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* What is served now, and the one way to replace it.
 *
 * A view is immutable once published. Readers hold a reference for one request; a swap
 * publishes the next view, and the old one goes when its last reader lets go. Readers never
 * wait for a view to be built or freed, and nobody ever sees half of one. */

/* The first member of whatever is served. */
struct hl_view {
    atomic_size_t n_refs;
    uint64_t number; /* 1 for the first that was published, then counting */
    void (*free)(struct hl_view *view);
};

/* One reference, the caller's. `free` gets the view when the last reference goes, on the
 * thread that lets go; it must not call back into what it was served from. */
void hl_view_init(struct hl_view *view, void (*free)(struct hl_view *view));
void hl_view_unref(struct hl_view *view); /* any thread; NULL is accepted */

struct hl_live {
    pthread_mutex_t lock;    /* guards the two below, and is held for a few instructions */
    struct hl_view *current; /* one reference, or NULL before the first swap */
    uint64_t n_published;
};

void hl_live_init(struct hl_live *live);
void hl_live_done(
    struct hl_live *live); /* when no other thread is left; lets go of current */

/* A reference to the current view, or NULL before the first swap. Any thread. */
struct hl_view *hl_live_acquire(struct hl_live *live);

/* Publishes `next`, whose reference changes hands, and returns its number. Any thread. */
uint64_t hl_live_swap(struct hl_live *live, struct hl_view *next);

#endif
