/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_HOUSING_H
#define HL_TESTS_UNIT_HOUSING_H

/* A server without a network, over a folder of its own, with a request to be answered and a
 * gate at which its jobs can be held up. Include it behind cmocka.h. */
#include "proto/alloc.h"
#include "proto/dir.h"
#include "server/plan.h"
#include "server/server.h"
#include "tests/support/still.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rig {
    char folder[48];
    struct hl_config config;
    struct hl_server server;
    struct hl_request request;
    struct hl_reply reply;
    struct hl_err err;
    /* One job that holds the runner up, so that others wait. */
    struct hl_work gate;
    sem_t begun, may_end;
    bool is_shut;
    size_t max_unindexed_bytes; /* 0: 64 MB */
};

/* ---- the gate ---- */

static inline struct rig *rig_of(struct hl_work *work)
{
    return (struct rig *)(void *)((char *)work - offsetof(struct rig, gate));
}

static inline enum hl_code wait_at_gate(struct hl_work *work,
                                        const struct hl_errand *errand,
                                        struct hl_buf *result, struct hl_err *err)
{
    struct rig *rig = rig_of(work);

    (void)errand, (void)err;
    sem_post(&rig->begun);
    while (sem_wait(&rig->may_end) != 0)
        continue;
    hl_buf_add_text(result, "{}");
    return HL_OK;
}

static inline void leave_gate(struct hl_work *work)
{
    (void)work;
}

/* For the prompt jobs, or for the others. */
static inline void shut_gate(struct rig *rig, bool is_prompt)
{
    const struct hl_job_order order = {"gate", "c", "", false};
    uint64_t id;

    rig->gate = (struct hl_work){wait_at_gate, leave_gate, is_prompt};
    assert_int_equal(hl_jobs_add(rig->server.jobs, &order, &rig->gate, &id, &rig->err),
                     HL_OK);
    while (sem_wait(&rig->begun) != 0)
        continue;
    rig->is_shut = true;
}

static inline void open_gate(struct rig *rig)
{
    if (rig->is_shut)
        sem_post(&rig->may_end);
    rig->is_shut = false;
}

/* ---- the server ---- */

static inline void open_server(struct rig *rig)
{
    static const struct hl_metrics_build build = {"0", "0", "0", "portable"};
    const struct hl_engine_options engine = {
        .clock = &hl_still,
        .n_writers = 1,
        .seal_rows = 64,
        .max_unindexed_bytes =
            rig->max_unindexed_bytes ? rig->max_unindexed_bytes : 64 << 20,
        .n_links = 8,
        .ef_construction = 40,
        .beam = 64,
        .find_mapper = hl_way_find_mapper,
        .compile = hl_plans_open};
    struct hl_collections_options collections = {.folder = rig->folder, .clock = &hl_still};
    struct hl_jobs_options jobs = {.clock = &hl_still};
    struct hl_server *server = &rig->server;

    server->config = &rig->config;
    server->clock = hl_still;
    assert_int_equal(hl_metrics_new(NULL, 0, &build, &server->metrics, &rig->err), HL_OK);
    assert_int_equal(hl_engine_new(&engine, &server->engine, &rig->err), HL_OK);
    collections.engine = server->engine;
    assert_int_equal(hl_collections_open(&collections, &server->collections, &rig->err),
                     HL_OK);
    jobs.collections = server->collections;
    jobs.metrics = server->metrics;
    assert_int_equal(hl_jobs_open(&jobs, &server->jobs, &rig->err), HL_OK);
    hl_datasets_init(&server->datasets);
}

static inline void close_server(struct rig *rig)
{
    struct hl_server *server = &rig->server;

    open_gate(rig);
    hl_jobs_close(server->jobs);
    hl_engine_stop(server->engine);
    hl_collections_close(server->collections);
    hl_engine_free(server->engine);
    hl_metrics_free(server->metrics);
    hl_datasets_done(&server->datasets);
}

/* Over a new folder, a server is open. */
static inline struct rig *new_rig(void)
{
    struct rig *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/heirloom-housing-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->config.storage.path, sizeof rig->config.storage.path, "%s", rig->folder);
    sem_init(&rig->begun, 0, 0);
    sem_init(&rig->may_end, 0, 0);
    rig->request.arena = hl_arena_new(16 << 20);
    rig->request.deadline = never;
    hl_buf_init(&rig->reply.body, 1 << 20);
    open_server(rig);
    return rig;
}

static inline int tear_down(void **state)
{
    struct rig *rig = *state;

    close_server(rig);
    hl_buf_done(&rig->reply.body);
    hl_arena_free(rig->request.arena);
    assert_int_equal(hl_dir_remove(rig->folder, &rig->err), HL_OK);
    free(rig);
    return 0;
}

/* ---- jobs as they are ---- */

struct seen {
    size_t n;
    enum hl_job_state state;
    char outcome[4096];
};

static inline bool see(void *self, const struct hl_job *job)
{
    struct seen *seen = self;

    if (seen->n++ == 0) { /* the newest */
        seen->state = job->state;
        snprintf(seen->outcome, sizeof seen->outcome, "%s", job->outcome);
    }
    return true;
}

static inline struct seen see_newest(struct rig *rig)
{
    struct seen seen = {0};

    assert_int_equal(hl_jobs_each(rig->server.jobs, 0, see, &seen, &rig->err), HL_OK);
    return seen;
}

static inline struct seen await_newest(struct rig *rig)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    struct seen seen = see_newest(rig);

    for (int ms = 0;
         ms < 60000 && (seen.state == HL_JOB_QUEUED || seen.state == HL_JOB_RUNNING);
         ms++) {
        nanosleep(&pause, NULL);
        seen = see_newest(rig);
    }
    return seen;
}

#endif
