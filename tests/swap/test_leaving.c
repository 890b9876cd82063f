/* SPDX-License-Identifier: Apache-2.0 */
/* A model removed while queries of it are on their way: they are answered, or told that the
 * vector is unknown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/swap/stage.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { N_POINTS = 40, N_CLIENTS = 4, N_ROUNDS = 4 };

struct leaving {
    struct stage stage;
    atomic_long n_refused;
};

struct client {
    struct leaving *leaving;
    pthread_t thread;
    struct hl_rest rest;
    int which;
};

static void *search(void *arg)
{
    struct client *client = arg;
    struct stage *stage = &client->leaving->stage;

    while (!atomic_load(&stage->is_over)) {
        const struct witness witness = {.model = 2, .query = -1 - client->which};
        const int status = stage_ask(&client->rest, &witness);
        const bool is_unknown =
            status == 400 && strstr(client->rest.said, "Not existing vector name");

        atomic_fetch_add(&stage->n_answers, 1);
        atomic_fetch_add(&client->leaving->n_refused, is_unknown);
        if (status != 200 && !is_unknown)
            stage_fault(stage, "a search", client->rest.said);
    }
    return NULL;
}

/* Beside the v1 that they have: a model that is all a point has is kept for it. */
static void give_v2(struct hl_rest *rest)
{
    stage_put(rest, "/collections/c/points/vectors?wait=true",
              (struct stage_points){.n = N_POINTS, .model = 2});
}

static void leave_and_return(struct leaving *leaving, struct hl_rest *rest, int round)
{
    const long refused = atomic_load(&leaving->n_refused);
    const int64_t until = hl_now_ms() + STAGE_LIMIT_MS;

    assert_true(stage_swap(rest, round % STAGE_REMOVED));
    assert_int_equal(hl_rest_ask(rest, "DELETE", "/collections/c/vectors/v2", NULL), 409);
    assert_true(stage_swap(rest, STAGE_REMOVED));
    assert_int_equal(hl_rest_ask(rest, "DELETE", "/collections/c/vectors/v2", NULL), 200);
    while (atomic_load(&leaving->n_refused) < refused + N_CLIENTS && hl_now_ms() < until)
        hl_rest();
    assert_true(atomic_load(&leaving->n_refused) >= refused + N_CLIENTS);
    assert_int_equal(hl_rest_ask(rest, "PUT", "/collections/c/vectors/v2",
                                 "{\"dense\":{\"size\":16,\"distance\":\"Cosine\"}}"),
                     200);
    stage_put_bridge(rest, 1);
    stage_put_bridge(rest, 2);
    give_v2(rest);
}

static void a_model_that_goes_while_it_is_asked_is_there_or_unknown(void **state)
{
    struct leaving *leaving = calloc(1, sizeof *leaving);
    struct client clients[N_CLIENTS];
    struct hl_rest rest;

    assert_non_null(leaving);
    stage_begin(&leaving->stage, *state, N_POINTS);
    stage_caller(&leaving->stage, &rest);
    stage_put(&rest, "/collections/c/points?wait=true",
              (struct stage_points){.n = N_POINTS, .model = 1});
    give_v2(&rest);
    for (int i = 0; i < N_CLIENTS; i++) {
        clients[i] = (struct client){.leaving = leaving, .which = i};
        stage_caller(&leaving->stage, &clients[i].rest);
        assert_int_equal(pthread_create(&clients[i].thread, NULL, search, &clients[i]), 0);
    }
    for (int round = 0; round < N_ROUNDS; round++)
        leave_and_return(leaving, &rest, round);
    atomic_store(&leaving->stage.is_over, true);
    for (int i = 0; i < N_CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        hl_rest_done(&clients[i].rest);
    }
    hl_rest_done(&rest);
    print_message("# %ld answers, %ld of them of an unknown vector\n",
                  atomic_load(&leaving->stage.n_answers), atomic_load(&leaving->n_refused));
    stage_end(&leaving->stage);
    free(leaving);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(a_model_that_goes_while_it_is_asked_is_there_or_unknown,
                                  argv[1]),
    };

    return argc == 2 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
