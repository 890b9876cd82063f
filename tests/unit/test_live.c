/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "server/live.h"

#include <stdbool.h>

enum { N_READERS = 6, N_SWAPS = 3000, N_WORDS = 64 };

/* Every word of a whole view is its mark. */
struct sample {
    struct hl_view view;
    atomic_int *n_alive;
    uint64_t words[N_WORDS];
};

static void free_sample(struct hl_view *view)
{
    struct sample *sample = (struct sample *)view;

    /* Whoever still reads it sees words that do not agree, even without a sanitizer. */
    for (size_t i = 0; i < N_WORDS; i++)
        sample->words[i] = i;
    atomic_fetch_sub(sample->n_alive, 1);
    hl_free(sample);
}

static struct hl_view *new_sample(uint64_t mark, atomic_int *n_alive)
{
    struct sample *sample = hl_alloc_zeroed(1, sizeof *sample);

    assert_non_null(sample);
    hl_view_init(&sample->view, free_sample);
    sample->n_alive = n_alive;
    for (size_t i = 0; i < N_WORDS; i++)
        sample->words[i] = mark;
    atomic_fetch_add(n_alive, 1);
    return &sample->view;
}

static void nothing_is_served_before_the_first_swap(void **state)
{
    struct hl_live live;

    (void)state;
    hl_live_init(&live);
    assert_null(hl_live_acquire(&live));
    hl_live_done(&live);
}

static void views_are_numbered_in_the_order_they_are_published(void **state)
{
    atomic_int n_alive = 0;
    struct hl_live live;

    (void)state;
    hl_live_init(&live);
    assert_int_equal(hl_live_swap(&live, new_sample(1, &n_alive)), 1);
    assert_int_equal(hl_live_swap(&live, new_sample(2, &n_alive)), 2);
    hl_live_done(&live);
}

static void a_swapped_view_lives_until_its_last_reader_lets_go(void **state)
{
    atomic_int n_alive = 0;
    struct hl_live live;
    struct hl_view *first;
    struct hl_view *again;

    (void)state;
    hl_live_init(&live);
    hl_live_swap(&live, new_sample(1, &n_alive));
    first = hl_live_acquire(&live);
    again = hl_live_acquire(&live);
    assert_ptr_equal(first, again);
    hl_live_swap(&live, new_sample(2, &n_alive));
    assert_int_equal(n_alive, 2);
    hl_view_unref(again);
    assert_int_equal(n_alive, 2);
    assert_int_equal(((struct sample *)first)->words[0], 1);
    hl_view_unref(first);
    assert_int_equal(n_alive, 1);
    hl_live_done(&live);
    assert_int_equal(n_alive, 0);
}

static void a_view_that_nobody_reads_goes_with_the_swap(void **state)
{
    atomic_int n_alive = 0;
    struct hl_live live;

    (void)state;
    hl_live_init(&live);
    hl_live_swap(&live, new_sample(1, &n_alive));
    hl_live_swap(&live, new_sample(2, &n_alive));
    assert_int_equal(n_alive, 1);
    hl_live_done(&live);
    hl_view_unref(NULL);
    assert_int_equal(n_alive, 0);
}

struct crowd {
    struct hl_live live;
    atomic_bool is_over;
    atomic_int n_torn;
    atomic_int n_backward;
    atomic_size_t n_reads;
};

static void *read_for_ever(void *argument)
{
    struct crowd *crowd = argument;
    uint64_t newest = 0;

    while (!atomic_load(&crowd->is_over)) {
        struct hl_view *view = hl_live_acquire(&crowd->live);
        const struct sample *sample = (const struct sample *)view;

        for (size_t i = 1; i < N_WORDS; i++)
            if (sample->words[i] != sample->words[0])
                atomic_fetch_add(&crowd->n_torn, 1);
        if (sample->words[0] < newest || sample->words[0] != view->number)
            atomic_fetch_add(&crowd->n_backward, 1);
        newest = sample->words[0];
        hl_view_unref(view);
        atomic_fetch_add(&crowd->n_reads, 1);
    }
    return NULL;
}

static void readers_see_whole_views_in_order_while_they_are_swapped(void **state)
{
    static struct crowd crowd;
    pthread_t readers[N_READERS];
    atomic_int n_alive = 0;

    (void)state;
    hl_live_init(&crowd.live);
    hl_live_swap(&crowd.live, new_sample(1, &n_alive));
    for (size_t i = 0; i < N_READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_for_ever, &crowd), 0);
    /* The last swaps must be read, too, however late the readers start. */
    for (uint64_t mark = 2; mark <= N_SWAPS || atomic_load(&crowd.n_reads) < N_SWAPS;
         mark++)
        hl_live_swap(&crowd.live, new_sample(mark, &n_alive));
    atomic_store(&crowd.is_over, true);
    for (size_t i = 0; i < N_READERS; i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    assert_int_equal(crowd.n_torn, 0);
    assert_int_equal(crowd.n_backward, 0);
    assert_int_equal(n_alive, 1);
    hl_live_done(&crowd.live);
    assert_int_equal(n_alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_served_before_the_first_swap),
        cmocka_unit_test(views_are_numbered_in_the_order_they_are_published),
        cmocka_unit_test(a_swapped_view_lives_until_its_last_reader_lets_go),
        cmocka_unit_test(a_view_that_nobody_reads_goes_with_the_swap),
        cmocka_unit_test(readers_see_whole_views_in_order_while_they_are_swapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
