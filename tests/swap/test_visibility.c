/* SPDX-License-Identifier: Apache-2.0 */
/* Every answer is of one moment.
 *
 * A writer moves all points from one state to the next in one request, payload and vectors
 * together, as fast as it can. Readers ask by search, scroll, count, facet and retrieval:
 * whatever they are told, all of it is of one state. A second writer deletes and makes
 * again points that do not matter, so that segments, tails and filters are busy too.
 *
 *     test_visibility HEIRLOOM [SECONDS [POINTS]] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/daemon.h"
#include "tests/support/rest.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_READERS = 3, BODY_ROOM = 1 << 20, STANDARD_SECONDS = 3, STANDARD_POINTS = 200 };

struct stage {
    struct hl_daemon daemon;
    const char *program;
    int n_points;
    int seconds;
    atomic_bool is_over;
    atomic_size_t n_moves;
    atomic_size_t n_answers;
    atomic_size_t n_faults;
};

struct reader {
    struct stage *stage;
    struct hl_rest rest;
    pthread_t thread;
};

/* Sealed every few moves, so that a point's rows wander through tails and segments. */
static const char config[] = "[search]\nseal_rows = 512\n";

/* ---- writers ---- */

/* The states' vectors are far apart: around (4 * state, 0, 0, 0), in a ring of 8. */
static void print_move(char *body, int n_points, int state)
{
    size_t len = (size_t)snprintf(body, BODY_ROOM, "{\"points\":[");

    for (int i = 0; i < n_points; i++)
        len += (size_t)snprintf(body + len, BODY_ROOM - len,
                                "%s{\"id\":%d,\"payload\":{\"moved\":true,\"state\":%d},"
                                "\"vector\":[%d.0,0.%03d,0.0,0.0]}",
                                i ? "," : "", i, state, state % 8 * 4, i % 1000);
    snprintf(body + len, BODY_ROOM - len, "]}");
}

static bool put(struct hl_rest *rest, const char *body)
{
    int status = hl_rest_ask(rest, "PUT", "/collections/c/points?wait=true", body);

    if (status != 200 && status != 429)
        printf("# a write was answered %d %s\n", status, rest->said);
    return status == 200 || status == 429;
}

static void *move_points(void *arg)
{
    struct stage *stage = arg;
    struct hl_rest rest;
    char *body = malloc(BODY_ROOM);

    hl_rest_init(&rest, stage->daemon.port);
    for (int state = 1; body && !atomic_load(&stage->is_over); state++) {
        print_move(body, stage->n_points, state);
        if (!put(&rest, body))
            atomic_fetch_add(&stage->n_faults, 1);
        atomic_fetch_add(&stage->n_moves, 1);
    }
    hl_rest_done(&rest);
    free(body);
    return NULL;
}

/* Points of no state, far away, made and deleted. */
static void *make_noise(void *arg)
{
    static const char drop[] = "{\"filter\":{\"must\":[{\"key\":\"noise\","
                               "\"match\":{\"value\":true}}]}}";
    struct stage *stage = arg;
    struct hl_rest rest;
    char body[4096];

    hl_rest_init(&rest, stage->daemon.port);
    for (int round = 0; !atomic_load(&stage->is_over); round++) {
        size_t len = (size_t)snprintf(body, sizeof body, "{\"points\":[");

        for (int i = 0; i < 20; i++)
            len += (size_t)snprintf(body + len, sizeof body - len,
                                    "%s{\"id\":%d,\"payload\":{\"noise\":true},"
                                    "\"vector\":[0.0,0.0,999.0,%d.0]}",
                                    i ? "," : "", 100000 + round % 50 * 20 + i, i);
        snprintf(body + len, sizeof body - len, "]}");
        if (!put(&rest, body))
            atomic_fetch_add(&stage->n_faults, 1);
        if (round % 10 == 9 &&
            hl_rest_ask(&rest, "POST", "/collections/c/points/delete?wait=true", drop) !=
                200)
            atomic_fetch_add(&stage->n_faults, 1);
    }
    hl_rest_done(&rest);
    return NULL;
}

/* ---- readers ---- */

static void fault(struct reader *reader, const char *what)
{
    if (atomic_fetch_add(&reader->stage->n_faults, 1) < 10)
        printf("# %s: %s\n", what, reader->rest.said);
}

/* The state of a point's payload, -1 when it has none. */
static int state_of(const cJSON *point)
{
    const cJSON *payload = cJSON_GetObjectItemCaseSensitive(point, "payload");
    const cJSON *state = cJSON_GetObjectItemCaseSensitive(payload, "state");

    return state ? state->valueint : -1;
}

/* All points, each once, of one state, which is returned; -1 and a fault otherwise. */
static int check_points(struct reader *reader, const cJSON *points, const char *what)
{
    const int n_points = reader->stage->n_points;
    char *seen = calloc((size_t)n_points, 1);
    const cJSON *point;
    int state = -1, n = 0;

    cJSON_ArrayForEach(point, points)
    {
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(point, "id");

        if (!id || id->valueint < 0 || id->valueint >= n_points || seen[id->valueint] ||
            (n > 0 && state_of(point) != state)) {
            n = -1;
            break;
        }
        seen[id->valueint] = 1;
        state = state_of(point);
        n++;
    }
    free(seen);
    if (n == n_points && state >= 0)
        return state;
    fault(reader, what);
    printf("# %d of %d points, state %d\n", n, n_points, state);
    return -1;
}

static bool ask(struct reader *reader, const char *call, const char *body)
{
    char path[128];

    snprintf(path, sizeof path, "/collections/c%s", call);
    if (hl_rest_ask(&reader->rest, "POST", path, body) == 200)
        return true;
    fault(reader, call);
    return false;
}

static const cJSON *points_of(const struct reader *reader)
{
    return cJSON_GetObjectItemCaseSensitive(hl_rest_result(&reader->rest), "points");
}

#define MOVED "\"filter\":{\"must\":[{\"key\":\"moved\",\"match\":{\"value\":true}}]}"

static int look_by_scroll(struct reader *reader)
{
    char body[256];

    snprintf(body, sizeof body, "{\"limit\":%d," MOVED "}", reader->stage->n_points);
    return ask(reader, "/points/scroll", body)
               ? check_points(reader, points_of(reader), "a scroll")
               : -1;
}

/* The neighbours of where a state is: all its points or none of them, and the payload says
 * the same as the place. */
static void look_by_search(struct reader *reader, int state, bool is_exact)
{
    char body[512];
    const cJSON *points;
    int seen;

    snprintf(body, sizeof body,
             "{\"query\":[%d.0,0.5,0.0,0.0],\"limit\":%d,\"score_threshold\":2.0,"
             "\"with_payload\":true,\"params\":{\"exact\":%s,\"hnsw_ef\":%d}}",
             state % 8 * 4, reader->stage->n_points * 2, is_exact ? "true" : "false",
             reader->stage->n_points * 2);
    if (!ask(reader, "/points/query", body))
        return;
    points = points_of(reader);
    if (cJSON_GetArraySize(points) == 0)
        return;
    seen = check_points(reader, points, is_exact ? "an exact search" : "a search");
    if (seen >= 0 && seen % 8 != state % 8)
        fault(reader, "a search whose payloads are of another state than its vectors");
}

static void look_by_count(struct reader *reader, int state)
{
    char body[256];
    const cJSON *count;

    snprintf(body, sizeof body,
             "{\"exact\":true,\"filter\":{\"must\":[{\"key\":\"state\",\"match\":{"
             "\"value\":%d}}]}}",
             state);
    if (!ask(reader, "/points/count", body))
        return;
    count = cJSON_GetObjectItemCaseSensitive(hl_rest_result(&reader->rest), "count");
    if (!count || (count->valueint != 0 && count->valueint != reader->stage->n_points))
        fault(reader, "a count");
}

static void look_by_facet(struct reader *reader)
{
    const cJSON *hits, *count;

    if (!ask(reader, "/facet", "{\"key\":\"state\",\"exact\":true," MOVED "}"))
        return;
    hits = cJSON_GetObjectItemCaseSensitive(hl_rest_result(&reader->rest), "hits");
    count = cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(hits, 0), "count");
    if (cJSON_GetArraySize(hits) != 1 || !count ||
        count->valueint != reader->stage->n_points)
        fault(reader, "a facet");
}

/* Two queries of one batch are of one moment as well. */
static void look_by_batch(struct reader *reader)
{
    char body[512];
    const cJSON *answers;
    int first, second;

    snprintf(body, sizeof body,
             "{\"searches\":[{\"limit\":%d,\"with_payload\":true," MOVED "},"
             "{\"query\":[0.0,0.0,0.0,0.0],\"params\":{\"exact\":true},\"limit\":%d,"
             "\"with_payload\":true," MOVED "}]}",
             reader->stage->n_points, reader->stage->n_points);
    if (!ask(reader, "/points/query/batch", body))
        return;
    answers = hl_rest_result(&reader->rest);
    first = check_points(
        reader, cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(answers, 0), "points"),
        "the first of a batch");
    second = check_points(
        reader, cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(answers, 1), "points"),
        "the second of a batch");
    if (first >= 0 && second >= 0 && first != second)
        fault(reader, "a batch of two moments");
}

static void *look_around(void *arg)
{
    struct reader *reader = arg;
    struct stage *stage = reader->stage;
    int last = 0;

    hl_rest_init(&reader->rest, stage->daemon.port);
    while (!atomic_load(&stage->is_over)) {
        int state = look_by_scroll(reader);

        /* What was acknowledged before stays seen: nobody goes back. */
        if (state >= 0 && state < last)
            fault(reader, "an older state than before");
        last = state > last ? state : last;
        look_by_search(reader, last + 1, false);
        look_by_search(reader, last + 1, true);
        look_by_count(reader, last);
        look_by_count(reader, last + 1);
        look_by_facet(reader);
        look_by_batch(reader);
        atomic_fetch_add(&stage->n_answers, 7);
    }
    hl_rest_done(&reader->rest);
    return NULL;
}

/* ---- the test ---- */

static void make_collection(struct stage *stage)
{
    static const char *const indexes[] = {"moved\",\"field_schema\":\"bool",
                                          "state\",\"field_schema\":\"integer"};
    struct hl_rest rest;
    char *body = malloc(BODY_ROOM);

    assert_non_null(body);
    hl_rest_init(&rest, stage->daemon.port);
    assert_int_equal(hl_rest_ask(&rest, "PUT", "/collections/c",
                                 "{\"vectors\":{\"size\":4,\"distance\":\"Euclid\"}}"),
                     200);
    for (size_t i = 0; i < 2; i++) {
        snprintf(body, BODY_ROOM, "{\"field_name\":\"%s\"}", indexes[i]);
        assert_int_equal(hl_rest_ask(&rest, "PUT", "/collections/c/index?wait=true", body),
                         200);
    }
    print_move(body, stage->n_points, 0);
    assert_true(put(&rest, body));
    hl_rest_done(&rest);
    free(body);
}

static void every_answer_is_of_one_moment(void **state)
{
    struct stage *stage = *state;
    struct reader readers[N_READERS];
    pthread_t writer, noise;
    int64_t until;

    make_collection(stage);
    until = hl_now_ms() + (int64_t)stage->seconds * 1000;
    assert_int_equal(pthread_create(&writer, NULL, move_points, stage), 0);
    assert_int_equal(pthread_create(&noise, NULL, make_noise, stage), 0);
    for (int i = 0; i < N_READERS; i++) {
        readers[i].stage = stage;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, look_around, &readers[i]),
                         0);
    }
    while (hl_now_ms() < until && atomic_load(&stage->n_faults) == 0)
        hl_rest();
    atomic_store(&stage->is_over, true);
    pthread_join(writer, NULL);
    pthread_join(noise, NULL);
    for (int i = 0; i < N_READERS; i++)
        pthread_join(readers[i].thread, NULL);
    printf("# %d points, %zu moves, %zu answers\n", stage->n_points,
           atomic_load(&stage->n_moves), atomic_load(&stage->n_answers));
    assert_int_equal(atomic_load(&stage->n_faults), 0);
    assert_true(atomic_load(&stage->n_moves) > 2);
    assert_true(atomic_load(&stage->n_answers) > 7);
    assert_true(hl_daemon_stop(&stage->daemon));
}

static int set_up(void **state)
{
    struct stage *stage = *state;
    const struct hl_daemon_setup setup = {.program = stage->program, .config = config};

    return hl_daemon_start(&stage->daemon, &setup) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;

    hl_daemon_done(&stage->daemon);
    return 0;
}

int main(int argc, char **argv)
{
    static struct stage stage;
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate_setup_teardown(
        every_answer_is_of_one_moment, set_up, tear_down, &stage)};

    if (argc < 2) {
        fprintf(stderr, "usage: test_visibility HEIRLOOM [SECONDS [POINTS]]\n");
        return 2;
    }
    stage.program = argv[1];
    stage.seconds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : STANDARD_SECONDS;
    stage.n_points = argc > 3 ? (int)strtol(argv[3], NULL, 10) : STANDARD_POINTS;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
