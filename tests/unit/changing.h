/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_CHANGING_H
#define HL_TESTS_UNIT_CHANGING_H

/* Changes that wait together: one holds the writer's desk until the others are in the
 * queue, so that they are one group. Include it behind cmocka.h. */
#include "tests/unit/looking.h"

enum { MOST_WAITING = 16 };

struct waiting {
    struct stand_change base; /* its operations, or */
    enum hl_code (*act)(struct stand *s, struct hl_writing *writing, struct hl_err *err);
    struct stand *s;
    int n_runs;
};

struct queue {
    struct stand *s;
    struct hl_change gate;
    sem_t is_in, may_go, gate_done;
    struct waiting all[MOST_WAITING];
    size_t n;
};

static inline enum hl_code hold_gate(struct hl_change *change, struct hl_writing *writing,
                                     struct hl_err *err)
{
    struct queue *queue =
        (struct queue *)(void *)((char *)change - offsetof(struct queue, gate));

    (void)writing;
    (void)err;
    sem_post(&queue->is_in);
    while (sem_wait(&queue->may_go) != 0)
        continue;
    sem_post(&queue->may_go); /* it may be run again */
    return HL_OK;
}

static inline void end_gate(struct hl_change *change, enum hl_code code,
                            const struct hl_err *err)
{
    struct queue *queue =
        (struct queue *)(void *)((char *)change - offsetof(struct queue, gate));

    (void)code;
    (void)err;
    sem_post(&queue->gate_done);
}

/* The writer waits until hl_queue `go`. */
static inline void begin_queue(struct queue *queue, struct stand *s)
{
    memset(queue, 0, sizeof *queue);
    queue->s = s;
    queue->gate.run = hold_gate;
    queue->gate.done = end_gate;
    sem_init(&queue->is_in, 0, 0);
    sem_init(&queue->may_go, 0, 0);
    sem_init(&queue->gate_done, 0, 0);
    assert_int_equal(hl_collection_submit(s->collection, &queue->gate, &s->err), HL_OK);
    while (sem_wait(&queue->is_in) != 0)
        continue;
}

static inline enum hl_code run_waiting(struct hl_change *change, struct hl_writing *writing,
                                       struct hl_err *err)
{
    struct waiting *waiting = (struct waiting *)change;

    waiting->n_runs++;
    return waiting->act ? waiting->act(waiting->s, writing, err)
                        : run_stand_change(change, writing, err);
}

static inline struct waiting *put(struct queue *queue)
{
    struct waiting *waiting = &queue->all[queue->n++];

    assert_true(queue->n <= MOST_WAITING);
    waiting->s = queue->s;
    waiting->base.arena = queue->s->arena;
    waiting->base.change.run = run_waiting;
    waiting->base.change.done = end_stand_change;
    sem_init(&waiting->base.done, 0, 0);
    return waiting;
}

static inline void knock(struct queue *queue, struct waiting *waiting)
{
    assert_int_equal(
        hl_collection_submit(queue->s->collection, &waiting->base.change, &queue->s->err),
        HL_OK);
}

static inline struct waiting *put_points(struct queue *queue, const char *operations)
{
    struct stand *s = queue->s;
    struct waiting *waiting = put(queue);
    struct hl_write_ops *ops = hl_arena_alloc(s->arena, sizeof *ops);
    struct hl_tokens tokens;
    char *body = hl_arena_print(s->arena, "{\"operations\":[%s]}", operations);
    struct hl_field root;

    assert_non_null(ops);
    assert_non_null(body);
    root = stand_body(&tokens, body, s->arena);
    if (hl_write_ops_read(&root, ops, &s->err) != HL_OK)
        fail_msg("%s\n    %s", body, s->err.msg);
    waiting->base.ops = ops;
    knock(queue, waiting);
    return waiting;
}

static inline struct waiting *put_index(struct queue *queue, const char *path,
                                        const char *type)
{
    struct waiting *waiting = put(queue);

    waiting->base.index = hl_arena_print(
        queue->s->arena, "{\"field_name\":\"%s\",\"field_schema\":\"%s\"}", path, type);
    knock(queue, waiting);
    return waiting;
}

static inline struct waiting *put_act(struct queue *queue,
                                      enum hl_code (*act)(struct stand *s,
                                                          struct hl_writing *writing,
                                                          struct hl_err *err))
{
    struct waiting *waiting = put(queue);

    waiting->act = act;
    knock(queue, waiting);
    return waiting;
}

/* All of it is done when this returns. */
static inline void end_queue(struct queue *queue)
{
    sem_post(&queue->may_go);
    for (size_t i = 0; i < queue->n; i++) {
        while (sem_wait(&queue->all[i].base.done) != 0)
            continue;
        sem_destroy(&queue->all[i].base.done);
    }
    while (sem_wait(&queue->gate_done) != 0)
        continue;
    sem_destroy(&queue->is_in);
    sem_destroy(&queue->may_go);
    sem_destroy(&queue->gate_done);
}

/* The keeper is held in the ear of its engine: failpoints are armed while nobody but the
 * writer passes them. */
struct hush {
    struct stand *s;
    atomic_bool is_wanted;
    sem_t is_held, may_go;
};

static inline void hear(void *self, const struct hl_engine_event *event)
{
    struct hush *hush = self;

    if (event->kind != HL_ENGINE_SEALED || !atomic_exchange(&hush->is_wanted, false))
        return;
    sem_post(&hush->is_held);
    while (sem_wait(&hush->may_go) != 0)
        continue;
}

/* Points that come and go fill a tail, whose sealing is told. */
static inline void hold_keeper(struct hush *hush)
{
    struct stand *s = hush->s;
    char *text = hl_arena_alloc(s->arena, 8192);
    size_t len;

    assert_non_null(text);
    len = (size_t)snprintf(text, 8192, "{\"upsert\":{\"points\":[");
    for (int i = 0; i < 64; i++)
        len += (size_t)snprintf(
            text + len, 8192 - len,
            "%s{\"id\":%d,\"payload\":{\"hush\":1},\"vector\":{\"m\":[1,1]}}", i ? "," : "",
            90000 + i);
    (void)snprintf(text + len, 8192 - len,
                   "]}},{\"delete\":{\"filter\":{\"must\":[{\"key\":\"hush\","
                   "\"match\":{\"value\":1}}]}}}");
    atomic_store(&hush->is_wanted, true);
    assert_true(change_points(s, text) > 0);
    while (sem_wait(&hush->is_held) != 0)
        continue;
}

static inline void release_keeper(struct hush *hush)
{
    sem_post(&hush->may_go);
}

/* The stand is opened anew for it; to be closed before `hush` goes. */
static inline void begin_hush(struct hush *hush, struct stand *s)
{
    hush->s = s;
    atomic_init(&hush->is_wanted, false);
    sem_init(&hush->is_held, 0, 0);
    sem_init(&hush->may_go, 0, 0);
    close_stand(s);
    s->options.tell = hear;
    s->options.self = hush;
    assert_int_equal(open_stand(s), HL_OK);
    hold_keeper(hush);
}

static inline void end_hush(struct hush *hush)
{
    release_keeper(hush);
    close_stand(hush->s);
    hush->s->options.tell = NULL;
    sem_destroy(&hush->is_held);
    sem_destroy(&hush->may_go);
    assert_int_equal(open_stand(hush->s), HL_OK);
}

static inline void reopen_hushed(struct hush *hush)
{
    release_keeper(hush);
    close_stand(hush->s);
    assert_int_equal(open_stand(hush->s), HL_OK);
    hold_keeper(hush);
}

/* One alone; its code, and the sentence in `err`. */
static inline enum hl_code
act_alone(struct stand *s, enum hl_code (*act)(struct stand *s, struct hl_writing *writing,
                                               struct hl_err *err))
{
    struct queue queue;
    struct waiting *waiting;

    begin_queue(&queue, s);
    waiting = put_act(&queue, act);
    end_queue(&queue);
    if (waiting->base.code != HL_OK)
        s->err = waiting->base.err;
    return waiting->base.code;
}

#endif
