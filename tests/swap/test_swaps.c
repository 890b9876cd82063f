/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges activated, replaced, removed and activated again under load, over the wire.
 *
 * Usage: test_swaps HEIRLOOM [POINTS SWAPS SECONDS [RATE]]. Sixteen clients search and four
 * write while another one swaps; windows without swaps, as long or two minutes, lie
 * between. No request fails, and each answer is what the one plan that it names gives
 * (witness.h). SECONDS ends it earlier; with all three the 99th percentile may be 1.3 times
 * that without swaps. RATE: requests a second of each client, timed from when they were
 * meant; without it, one as soon as the last is answered, which leaves no processor idle.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/swap/stage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    N_SEARCHERS = 16,
    N_WRITERS = 4,
    N_CLIENTS = N_SEARCHERS + N_WRITERS,
    N_WINDOWS = 4,
    MOST_REST_S = 120,
    N_QUERIES = 64,
    N_PLANS = 1 << 15,
    MAX_EXACT = 5000 /* points of a gallery whose best ones are worked out each time */
};

struct setting {
    const char *program;
    long n_points, n_swaps;
    double seconds;
    double rate; /* requests a second of each client; 0: one after the other */
    bool is_measured;
};

struct play {
    struct stage stage;
    const struct setting *setting;
    atomic_bool is_swapping;
    atomic_long n_writes;
    atomic_int plans[N_PLANS]; /* by number: 1 + the revision, 0: not seen */
};

struct client {
    struct play *play;
    pthread_t thread;
    struct hl_rest rest;
    int which;
    double due;      /* when its next request is meant to begin */
    float *times[2]; /* ms of answers, without swaps and with */
    size_t n[2], room[2];
};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Waits until the client's next request is due; when that was. */
static double await_turn(struct client *client)
{
    const double rate = client->play->setting->rate;
    const double due = client->due, left = due - now_s();

    if (rate == 0)
        return now_s();
    if (left > 0) {
        const time_t whole = (time_t)left;
        const struct timespec rest = {whole, (long)((left - (double)whole) * 1e9)};

        (void)nanosleep(&rest, NULL);
    }
    client->due = due + 1 / rate;
    return due;
}

/* ---- searching ---- */

/* `of`: 1 when it was asked while bridges were swapped. */
static void note_time(struct client *client, int of, double seconds)
{
    if (client->n[of] == client->room[of]) {
        client->room[of] = client->room[of] ? client->room[of] * 2 : 1024;
        client->times[of] =
            realloc(client->times[of], client->room[of] * sizeof *client->times[of]);
        if (!client->times[of])
            abort();
    }
    client->times[of][client->n[of]++] = (float)(seconds * 1000);
}

/* A plan's number stands for one revision, whoever is told of it. */
static bool agrees(struct play *play, const struct testimony *told)
{
    int known = 0;

    if (!told->is_certain || told->plan <= 0)
        return true;
    if (atomic_compare_exchange_strong(&play->plans[told->plan % N_PLANS], &known,
                                       told->revision + 1))
        return true;
    return known == told->revision + 1;
}

static void *search(void *arg)
{
    struct client *client = arg;
    struct stage *stage = &client->play->stage;

    for (long turn = client->which; !atomic_load(&stage->is_over); turn++) {
        const struct witness witness = {.model = client->which % 4 == 0 ? 1 : 2,
                                        .query = -1 - turn % N_QUERIES,
                                        .n_points = stage->n_points,
                                        .is_exact = stage->n_points <= MAX_EXACT};
        const double from = await_turn(client);
        const int of = atomic_load(&client->play->is_swapping);
        const int status = stage_ask(&client->rest, &witness);
        struct testimony told;

        note_time(client, of, now_s() - from);
        atomic_fetch_add(&stage->n_answers, 1);
        if (status != 200)
            stage_fault(stage, "a search failed", client->rest.said);
        else if (!witness_check(&witness, hl_rest_result(&client->rest), &told))
            stage_fault(stage, "an answer that no one plan gives", told.fault);
        else if (!agrees(client->play, &told))
            stage_fault(stage, "two revisions", "under one plan's number");
    }
    return NULL;
}

/* ---- writing ---- */

static void *write_points(void *arg)
{
    struct client *client = arg;
    struct stage *stage = &client->play->stage;

    for (long turn = client->which; !atomic_load(&stage->is_over); turn++) {
        const long number = turn * 7919 % stage->n_points;
        const long of = witness_may_change(number) ? turn / N_WRITERS : number;
        char body[STAGE_POINT_ROOM];

        stage_print_point(number, 1 + (int)(of % 2), body);
        (void)await_turn(client);
        if (hl_rest_ask(&client->rest, "PUT", "/collections/c/points?wait=true", body) !=
            200)
            stage_fault(stage, "a write failed", client->rest.said);
        atomic_fetch_add(&client->play->n_writes, 1);
    }
    return NULL;
}

/* ---- swapping ---- */

static int compare(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* The 99th percentile of all that was asked, in ms. */
static double p99(const struct client *clients, int of, size_t *ret_n)
{
    float *all;
    double at;
    size_t n = 0;

    for (int i = 0; i < N_SEARCHERS; i++)
        n += clients[i].n[of];
    all = malloc((n + 1) * sizeof *all);
    assert_non_null(all);
    *ret_n = n;
    n = 0;
    for (int i = 0; i < N_SEARCHERS; i++) {
        memcpy(all + n, clients[i].times[of], clients[i].n[of] * sizeof *all);
        n += clients[i].n[of];
    }
    qsort(all, n, sizeof *all, compare);
    at = n > 0 ? (double)all[n * 99 / 100] : 0;
    free(all);
    return at;
}

static void rest_for(double seconds)
{
    const double until = now_s() + seconds;

    while (now_s() < until)
        hl_rest();
}

static long swap_all(struct play *play)
{
    const struct setting *setting = play->setting;
    const double until = now_s() + setting->seconds;
    struct hl_rest rest;
    long done = 0;

    for (long window = 1; window <= N_WINDOWS; window++) {
        const double from = now_s();
        double took;

        /* A connection that rested through a window is closed by now. */
        stage_caller(&play->stage, &rest);
        atomic_store(&play->is_swapping, true);
        for (; done < setting->n_swaps * window / N_WINDOWS && now_s() < until; done++)
            if (!stage_swap(&rest, done))
                stage_fault(&play->stage, "a swap failed", rest.said);
        atomic_store(&play->is_swapping, false);
        hl_rest_done(&rest);
        took = now_s() - from;
        rest_for(took < MOST_REST_S ? took : MOST_REST_S);
    }
    return done;
}

static void run(struct play *play, long *ret_done, struct client clients[N_CLIENTS])
{
    const double rate = play->setting->rate;

    for (int i = 0; i < N_CLIENTS; i++) {
        const double turn = rate > 0 ? i / (rate * N_CLIENTS) : 0;

        clients[i] = (struct client){.play = play, .which = i, .due = now_s() + turn};
        stage_caller(&play->stage, &clients[i].rest);
        assert_int_equal(pthread_create(&clients[i].thread, NULL,
                                        i < N_SEARCHERS ? search : write_points,
                                        &clients[i]),
                         0);
    }
    *ret_done = swap_all(play);
    atomic_store(&play->stage.is_over, true);
    for (int i = 0; i < N_CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        hl_rest_done(&clients[i].rest);
    }
}

static void no_request_fails_and_no_answer_mixes_two_plans(void **state)
{
    const struct setting *setting = *state;
    struct play *play = calloc(1, sizeof *play);
    struct client clients[N_CLIENTS];
    size_t n_without, n_with;
    double without, with;
    long done;

    assert_non_null(play);
    play->setting = setting;
    stage_begin(&play->stage, setting->program, setting->n_points);
    run(play, &done, clients);
    without = p99(clients, 0, &n_without);
    with = p99(clients, 1, &n_with);
    for (int i = 0; i < N_CLIENTS; i++) {
        free(clients[i].times[0]);
        free(clients[i].times[1]);
    }
    print_message("# %ld points, %ld swaps, %ld answers, %ld writes; p99 without swaps "
                  "%.2f ms of %zu, with %.2f ms of %zu: %.2f times\n",
                  setting->n_points, done, atomic_load(&play->stage.n_answers),
                  atomic_load(&play->n_writes), without, n_without, with, n_with,
                  with / without);
    assert_true(done > 0 && n_without > 0 && n_with > 0);
    stage_end(&play->stage);
    free(play);
    if (setting->is_measured) {
        assert_int_equal(done, setting->n_swaps);
        assert_true(with <= 1.3 * without);
    }
}

int main(int argc, char **argv)
{
    struct setting setting = {.n_points = 240, .n_swaps = 48, .seconds = 20};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(no_request_fails_and_no_answer_mixes_two_plans, &setting),
    };

    if (argc != 2 && argc != 5 && argc != 6)
        return 2;
    setting.program = argv[1];
    if (argc > 5 && (setting.rate = strtod(argv[5], NULL)) <= 0)
        return 2;
    if (argc > 4) {
        setting.n_points = strtol(argv[2], NULL, 10);
        setting.n_swaps = strtol(argv[3], NULL, 10);
        setting.seconds = strtod(argv[4], NULL);
        setting.is_measured = true;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
