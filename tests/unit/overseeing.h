/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_OVERSEEING_H
#define HL_TESTS_UNIT_OVERSEEING_H

/* A rollout from "v1" to "v2" in the collection of tests/unit/activating.h, and searches
 * that were answered. Include it behind cmocka.h.
 *
 * As v1 the points 1, 2 and 4 are at 0, 30 and 90 degrees; v2 is turned by 30. */
#include "server/offers.h"
#include "server/overseer.h"
#include "tests/unit/stepping.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 30000 };

struct answering {
    struct rig *rig;
    struct hl_arena *arena;
    struct hl_collection *collection;
    struct hl_look *look;
    struct hl_request request;
    struct hl_query query;
    struct hl_queries queries;
    struct hl_answered answered;
};

/* Both at v1's 0 degrees. */
static const char both[] = "{\"query\":{\"vectors\":{\"v1\":[1,0],\"v2\":[0.866,-0.5]}}}";
/* v1's first is point 1, v2's is point 4. */
static const char apart[] = "{\"query\":{\"vectors\":{\"v1\":[1,0],\"v2\":[0.5,0.866]}}}";
static const char single[] = "{\"query\":[1,0],\"using\":\"v1\"}";

static inline void begin_rollout(struct rig *rig, double sample)
{
    struct stepping stepping = read_step("put 1>2");

    activate(rig, "v2>v1", "{\"revision\":1,\"strategy\":\"backward\"}");
    stepping.wanted.sample = sample;
    if (order(rig, &stepping) != HL_OK)
        fail_msg("%s", rig->err.msg);
}

/* A search of that id as it is when it was answered now. */
static inline struct answering *answer(struct rig *rig, const char *body,
                                       const char *query_id)
{
    static const struct hl_look_wish wish = {.n_filters = 0};
    struct answering *a = calloc(1, sizeof *a);
    struct hl_tokens tokens;
    struct hl_field root;

    assert_non_null(a);
    a->rig = rig;
    a->arena = hl_arena_new(1 << 20);
    a->collection = collection_of(rig);
    assert_int_equal(hl_look_open(a->collection, &wish, &a->look, &rig->err), HL_OK);
    hl_tokens_init(&tokens, body, strlen(body), a->arena);
    root = hl_field_root(&tokens);
    assert_int_equal(hl_query_read(&root, HL_FORM_QUERY, &a->query, &rig->err), HL_OK);
    a->queries = (struct hl_queries){&a->query, 1};
    a->request = (struct hl_request){.id = query_id, .body = {body, strlen(body)}};
    a->answered = (struct hl_answered){.collection = a->collection,
                                       .layout = hl_look_layout(a->look),
                                       .queries = &a->queries,
                                       .form = HL_FORM_QUERY,
                                       .request = &a->request};
    return a;
}

static inline void answer_end(struct answering *a)
{
    hl_look_close(a->look);
    hl_collection_unref(a->collection);
    hl_arena_free(a->arena);
    free(a);
}

static inline void put(struct rig *rig, const char *body, const char *query_id)
{
    struct answering *a = answer(rig, body, query_id);

    hl_offers_put(rig->server.offers, &a->answered);
    answer_end(a);
}

static inline void open_offers(struct rig *rig)
{
    rig->config.limits.request_memory_mb = 16;
    assert_int_equal(hl_offers_new(rig->server.metrics, 1, &rig->server.offers, &rig->err),
                     HL_OK);
}

/* ---- the thread, and what it says ---- */

static inline void open_overseer(struct rig *rig)
{
    open_offers(rig);
    assert_int_equal(hl_overseer_open(&rig->server, &rig->server.overseer, &rig->err),
                     HL_OK);
}

static inline void close_overseer(struct rig *rig)
{
    hl_overseer_stop(rig->server.overseer);
    hl_jobs_stop(rig->server.jobs);
    hl_overseer_close(rig->server.overseer);
    hl_offers_free(rig->server.offers);
}

/* ---- asking ---- */

struct waiting {
    struct hl_judging judging; /* first */
    struct hl_id relevant;
    struct hl_feedback feedback;
    struct hl_verdict verdict;
    sem_t told;
};

static inline void tell(struct hl_judging *judging)
{
    sem_post(&((struct waiting *)judging)->told);
}

static inline void begin_waiting(struct rig *rig, struct waiting *waiting,
                                 const char *query_id, uint64_t relevant)
{
    waiting->relevant = hl_id_number(relevant);
    waiting->feedback = (struct hl_feedback){.query_id = {query_id, strlen(query_id)},
                                             .relevant = {&waiting->relevant, 1}};
    waiting->judging = (struct hl_judging){.feedback = &waiting->feedback,
                                           .verdicts = &waiting->verdict,
                                           .n = 1,
                                           .collection = collection_of(rig),
                                           .tell = tell};
    sem_init(&waiting->told, 0, 0);
}

static inline void wait_till_told(struct waiting *waiting)
{
    while (sem_wait(&waiting->told) != 0)
        continue;
}

static inline void end_waiting(struct waiting *waiting)
{
    sem_destroy(&waiting->told);
    hl_collection_unref(waiting->judging.collection);
}

/* As a call does it, to the end. */
static inline struct hl_verdict feed(struct rig *rig, const char *query_id,
                                     uint64_t relevant)
{
    struct waiting waiting;
    bool is_done;

    begin_waiting(rig, &waiting, query_id, relevant);
    hl_overseer_judge(rig->server.overseer, &waiting.judging, &is_done);
    if (!is_done) {
        assert_int_equal(
            hl_overseer_await(rig->server.overseer, &waiting.judging, &rig->err), HL_OK);
        wait_till_told(&waiting);
    }
    end_waiting(&waiting);
    return waiting.verdict;
}

static inline void load(struct rig *rig, struct hl_rollout *ret_rollout)
{
    struct answering *a = answer(rig, both, "");

    *ret_rollout = *hl_rollout_of(a->answered.layout);
    answer_end(a);
}

/* What GET of the rollout says of it. */
static inline void print(struct rig *rig, struct hl_buf *buf)
{
    struct hl_collection *collection = collection_of(rig);
    struct hl_rollout rollout;

    load(rig, &rollout);
    hl_buf_clear(buf, 0);
    hl_overseer_print(rig->server.overseer, collection, &rollout, buf);
    hl_collection_unref(collection);
}

static inline bool says(struct rig *rig, const char *words)
{
    struct hl_buf buf;
    bool does;

    hl_buf_init(&buf, 1 << 20);
    print(rig, &buf);
    does = strstr(buf.data, words) != NULL;
    hl_buf_done(&buf);
    return does;
}

static inline void await_words(struct rig *rig, const char *words)
{
    const struct timespec pause = {.tv_nsec = 2000000};

    for (int ms = 0; !says(rig, words); ms += 2) {
        if (ms > PATIENCE_MS)
            fail_msg("it never said %s", words);
        nanosleep(&pause, NULL);
    }
}

static inline void await_stage(struct rig *rig, enum hl_stage stage)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    struct hl_rollout rollout;

    for (int ms = 0; ms < PATIENCE_MS; ms += 2) {
        load(rig, &rollout);
        if (rollout.stage == stage)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("it never came to be %s", hl_stage_name(stage));
}

#endif
