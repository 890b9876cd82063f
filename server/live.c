/* SPDX-License-Identifier: Apache-2.0 */
#include "server/live.h"

#include <assert.h>
#include <stddef.h>

/* Why a mutex, a pointer and a counter are enough
 *
 * Requests share one thing that somebody changes: which view is current. Everything a view
 * points to was finished before it was published and never changes again, so a reader needs
 * no lock to look at it; it only needs the view not to be freed while it looks. That is
 * what the counter is for. The one moment that takes care is between reading the pointer
 * and counting the reader: a swap in between could drop the last reference and free what is
 * about to be counted. The mutex makes those two steps one. It is held for a load, an
 * increment and nothing else, whatever a search costs, and taken once a request: some tens
 * of nanoseconds, of the tens of microseconds that the cheapest request takes.
 *
 * Turned down, the simpler ones first:
 *
 * - A read-write lock held for the whole request. A swap then waits for the slowest search,
 *   and with a lock that favours writers all new searches wait behind the swap. A hot swap
 *   under load is the point of this server.
 * - Swapping the pointer and freeing the old view "some time later". Later than the slowest
 *   request is a time nobody knows.
 * - An atomic pointer and an atomic counter in the view, no mutex. It has exactly the hole
 *   described above, and it passes most tests: with the mutex taken away the swap suite
 *   passed 14 of 20 runs of a plain build. That is why it counts only under a sanitizer.
 * - atomic_load on a pointer beside its counter in one 16-byte word (split reference
 * counts). Correct, but it needs cmpxchg16b, which compilers reach through libatomic's own
 * lock, and a reader must be able to explain why it is correct.
 * - Hazard pointers, epochs, RCU. They make the read side free of shared writes, which pays
 *   with dozens of processors and requests of a few hundred nanoseconds. Ours are longer by
 *   orders of magnitude, and each of them needs every thread to announce itself, and a
 *   place and time to free what is left over. A mutex has neither.
 *
 * The counter goes up only under the mutex or by somebody who holds a reference, so it
 * never rises from zero. It goes down without the mutex, and whoever takes it to zero is
 * alone with the view: its release orders every reader's last look before the free. Freeing
 * happens outside the mutex, because freeing an index takes long. */

void hl_view_init(struct hl_view *view, void (*free)(struct hl_view *view))
{
    atomic_init(&view->n_refs, 1);
    view->number = 0;
    view->free = free;
}

void hl_view_unref(struct hl_view *view)
{
    if (!view)
        return;
    assert(atomic_load(&view->n_refs) > 0);
    if (atomic_fetch_sub(&view->n_refs, 1) == 1)
        view->free(view);
}

void hl_live_init(struct hl_live *live)
{
    /* With default attributes this only ever returns 0. */
    (void)pthread_mutex_init(&live->lock, NULL);
    live->current = NULL;
    live->n_published = 0;
}

void hl_live_done(struct hl_live *live)
{
    hl_view_unref(live->current);
    live->current = NULL;
    (void)pthread_mutex_destroy(&live->lock);
}

struct hl_view *hl_live_acquire(struct hl_live *live)
{
    struct hl_view *view;

    (void)pthread_mutex_lock(&live->lock);
    view = live->current;
    if (view)
        atomic_fetch_add(&view->n_refs, 1);
    (void)pthread_mutex_unlock(&live->lock);
    return view;
}

uint64_t hl_live_swap(struct hl_live *live, struct hl_view *next)
{
    struct hl_view *old;
    uint64_t number;

    (void)pthread_mutex_lock(&live->lock);
    number = ++live->n_published;
    next->number = number;
    old = live->current;
    live->current = next;
    (void)pthread_mutex_unlock(&live->lock);
    hl_view_unref(old);
    return number;
}
