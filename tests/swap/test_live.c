/* SPDX-License-Identifier: Apache-2.0 */
/* Many readers, one writer, the pointer between them. A plain build passes most runs of a
 * broken swap: what counts is this under AddressSanitizer and ThreadSanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/live.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { N_READERS = 4, N_SWAPS = 4000, N_WORDS = 8 };

struct shelf {
    struct hl_view view; /* first: what is served begins with it */
    atomic_size_t *n_freed;
    uint64_t words[N_WORDS]; /* all the same, and the same for as long as anybody looks */
};

struct stage {
    struct hl_live live;
    atomic_size_t n_freed;
    atomic_bool is_over;
    atomic_size_t n_faults;
    atomic_size_t n_ready; /* readers that have seen a view */
};

static void free_shelf(struct hl_view *view)
{
    struct shelf *shelf = (struct shelf *)(void *)view;

    atomic_fetch_add(shelf->n_freed, 1);
    for (size_t i = 0; i < N_WORDS; i++)
        shelf->words[i] = 0;
    free(shelf);
}

static void publish(struct stage *stage, uint64_t word)
{
    struct shelf *shelf = calloc(1, sizeof *shelf);

    if (!shelf)
        abort();
    hl_view_init(&shelf->view, free_shelf);
    shelf->n_freed = &stage->n_freed;
    for (size_t i = 0; i < N_WORDS; i++)
        shelf->words[i] = word;
    if (hl_live_swap(&stage->live, &shelf->view) != word)
        atomic_fetch_add(&stage->n_faults, 1);
}

/* No assertion in a thread that is not cmocka's: faults are counted. */
static void *read_views(void *self)
{
    struct stage *stage = self;
    uint64_t last = 0;
    bool is_first = true;

    while (!atomic_load(&stage->is_over)) {
        struct hl_view *view = hl_live_acquire(&stage->live);
        const struct shelf *shelf = (const struct shelf *)(const void *)view;
        bool is_whole = view && view->number >= last;

        for (size_t i = 0; is_whole && i < N_WORDS; i++)
            is_whole = shelf->words[i] == view->number;
        if (!is_whole)
            atomic_fetch_add(&stage->n_faults, 1);
        last = view ? view->number : last;
        hl_view_unref(view);
        if (is_first)
            atomic_fetch_add(&stage->n_ready, 1);
        is_first = false;
    }
    return NULL;
}

static void readers_see_whole_views_in_order_and_each_is_freed_once(void **state)
{
    struct stage stage = {.n_freed = 0};
    pthread_t readers[N_READERS];

    (void)state;
    hl_live_init(&stage.live);
    publish(&stage, 1);
    for (size_t i = 0; i < N_READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_views, &stage), 0);
    /* Swaps before anybody looks would prove nothing. */
    while (atomic_load(&stage.n_ready) < N_READERS)
        sched_yield();
    for (uint64_t word = 2; word <= N_SWAPS; word++) {
        publish(&stage, word);
        if (word % 8 == 0)
            sched_yield();
    }
    atomic_store(&stage.is_over, true);
    for (size_t i = 0; i < N_READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(atomic_load(&stage.n_faults), 0);
    assert_int_equal(atomic_load(&stage.n_freed), N_SWAPS - 1);
    hl_live_done(&stage.live);
    assert_int_equal(atomic_load(&stage.n_freed), N_SWAPS);
}

static void a_view_outlives_its_swap_for_who_still_holds_it(void **state)
{
    struct stage stage = {.n_freed = 0};
    struct hl_view *held;

    (void)state;
    hl_live_init(&stage.live);
    assert_null(hl_live_acquire(&stage.live));
    publish(&stage, 1);
    held = hl_live_acquire(&stage.live);
    publish(&stage, 2);
    assert_int_equal(atomic_load(&stage.n_freed), 0);
    assert_int_equal(held->number, 1);
    hl_view_unref(held);
    assert_int_equal(atomic_load(&stage.n_freed), 1);
    hl_live_done(&stage.live);
    assert_int_equal(atomic_load(&stage.n_freed), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_outlives_its_swap_for_who_still_holds_it),
        cmocka_unit_test(readers_see_whole_views_in_order_and_each_is_freed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
