/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/swap/stage.h"

#include "tests/swap/pair.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_FAULTS_SAID = 8 };

void stage_fault(struct stage *stage, const char *what, const char *why)
{
    if (atomic_fetch_add(&stage->n_faults, 1) < N_FAULTS_SAID)
        printf("# %s: %s\n", what, why);
}

void stage_caller(const struct stage *stage, struct hl_rest *rest)
{
    hl_rest_init(rest, stage->daemon.port);
    rest->limit_ms = STAGE_LIMIT_MS;
}

/* ---- the collection ---- */

static size_t print_point(long number, int model, char *text, size_t room)
{
    char values[PAIR_VECTOR_TEXT];
    float vector[PAIR_DIM];

    pair_vector(model, number, vector);
    pair_print(vector, values);
    return (size_t)snprintf(text, room, "{\"id\":%ld,\"vector\":{\"v%d\":%s}}", number,
                            model, values);
}

void stage_put(struct hl_rest *rest, const char *path, struct stage_points points)
{
    enum { ROOM = STAGE_BATCH * (PAIR_VECTOR_TEXT + 64) };
    char *body = malloc(ROOM);
    size_t len = 0;

    assert_non_null(body);
    for (long i = 0; i < points.n; i++) {
        const long number = points.first + i;
        const int model = points.model ? points.model : 1 + (int)(number % 2);

        len += (size_t)snprintf(body + len, ROOM - len, i ? "," : "{\"points\":[");
        len += print_point(number, model, body + len, ROOM - len);
    }
    snprintf(body + len, ROOM - len, "]}");
    assert_int_equal(hl_rest_ask(rest, "PUT", path, body), 200);
    free(body);
}

void stage_put_bridge(struct hl_rest *rest, int revision)
{
    const struct cJSON *models, *model;
    const char *prints[2] = {NULL, NULL};
    struct hl_client client;
    struct hl_client_reply reply;
    char head[256], *file;
    size_t size;

    assert_int_equal(hl_rest_ask(rest, "GET", "/collections/c/models", NULL), 200);
    models = cJSON_GetObjectItem(hl_rest_result(rest), "models");
    cJSON_ArrayForEach(model, models)
    {
        const char *name = cJSON_GetObjectItem(model, "name")->valuestring;

        prints[strcmp(name, "v1") == 0] =
            cJSON_GetObjectItem(model, "fingerprint")->valuestring;
    }
    file = pair_file(revision, prints, &size);
    snprintf(head, sizeof head,
             "PUT /collections/c/bridges/v2/v1 HTTP/1.1\r\nHost: x\r\n"
             "Content-Length: %zu\r\n\r\n",
             size);
    assert_true(hl_client_open(&client, rest->port));
    assert_true(hl_client_send_text(&client, head));
    assert_true(hl_client_send(&client, file, size));
    assert_int_equal(hl_client_read(&client, false, STAGE_LIMIT_MS, &reply),
                     HL_CLIENT_REPLY);
    if (reply.status != 200)
        printf("# %s\n", reply.body);
    assert_int_equal(reply.status, 200);
    hl_client_reply_done(&reply);
    hl_client_close(&client);
    free(file);
}

/* Until all is sealed and merged: the clients are not to wait for what filling left. */
static void await_rest(struct hl_rest *rest)
{
    const char *status = "";

    while (strcmp(status, "green") != 0) {
        hl_rest();
        assert_int_equal(hl_rest_ask(rest, "GET", "/collections/c", NULL), 200);
        status = cJSON_GetObjectItem(hl_rest_result(rest), "status")->valuestring;
    }
}

void stage_begin(struct stage *stage, const char *program, long n_points)
{
    struct hl_rest rest;

    stage->n_points = n_points;
    assert_true(
        hl_daemon_start(&stage->daemon, &(struct hl_daemon_setup){.program = program}));
    stage_caller(stage, &rest);
    assert_int_equal(
        hl_rest_ask(&rest, "PUT", "/collections/c",
                    "{\"vectors\":{\"v1\":{\"size\":16,\"distance\":\"Cosine\"},"
                    "\"v2\":{\"size\":16,\"distance\":\"Cosine\"}}}"),
        200);
    for (long first = 0; first < n_points; first += STAGE_BATCH)
        stage_put(&rest, "/collections/c/points?wait=true",
                  (struct stage_points){.first = first,
                                        .n = n_points - first < STAGE_BATCH
                                                 ? n_points - first
                                                 : STAGE_BATCH});
    for (int revision = 1; revision <= PAIR_N_REVISIONS; revision++)
        stage_put_bridge(&rest, revision);
    await_rest(&rest);
    hl_rest_done(&rest);
}

void stage_end(struct stage *stage)
{
    if (atomic_load(&stage->n_faults) > 0)
        hl_daemon_show(&stage->daemon);
    assert_int_equal(atomic_load(&stage->n_faults), 0);
    assert_true(hl_daemon_stop(&stage->daemon));
    hl_daemon_done(&stage->daemon);
}

void stage_print_point(long number, int model, char body[STAGE_POINT_ROOM])
{
    size_t len = (size_t)snprintf(body, STAGE_POINT_ROOM, "{\"points\":[");

    len += print_point(number, model, body + len, STAGE_POINT_ROOM - len);
    snprintf(body + len, STAGE_POINT_ROOM - len, "]}");
}

int stage_ask(struct hl_rest *rest, const struct witness *witness)
{
    char body[PAIR_VECTOR_TEXT + 256], values[PAIR_VECTOR_TEXT];
    float query[PAIR_DIM];

    pair_vector(witness->model, witness->query, query);
    pair_print(query, values);
    snprintf(body, sizeof body,
             "{\"query\":%s,\"using\":\"v%d\",\"limit\":%d,"
             "\"params\":{\"explain\":true,\"exact\":%s}}",
             values, witness->model, WITNESS_LIMIT, witness->is_exact ? "true" : "false");
    return hl_rest_ask(rest, "POST", "/collections/c/points/query", body);
}

bool stage_swap(struct hl_rest *rest, long turn)
{
    static const char *const steps[STAGE_N_STEPS] = {
        "{\"revision\":1,\"strategy\":\"backward\",\"fidelity\":0}",
        "{\"revision\":2,\"strategy\":\"backward\",\"fidelity\":0}",
        "{\"revision\":2,\"strategy\":\"dual\",\"fidelity\":0}",
        NULL,
        "{\"revision\":1,\"strategy\":\"dual\",\"fidelity\":0}",
        "{\"revision\":2,\"strategy\":\"backward\",\"fidelity\":0}",
        "{\"revision\":1,\"strategy\":\"backward\",\"fidelity\":0}",
        NULL};
    const char *body = steps[turn % STAGE_N_STEPS];
    char path[96];
    const struct cJSON *state;

    snprintf(path, sizeof path,
             "/collections/c/bridges/v2/v1/%sactivate?wait=true&timeout=250",
             body ? "" : "de");
    if (hl_rest_ask(rest, "POST", path, body ? body : "{}") != 200)
        return false;
    state = cJSON_GetObjectItem(hl_rest_result(rest), "state");
    return cJSON_IsString(state) && strcmp(state->valuestring, "done") == 0;
}
