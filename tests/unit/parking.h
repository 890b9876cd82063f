/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_PARKING_H
#define HL_TESTS_UNIT_PARKING_H

/* Requests that are parked until a collection has changed, without an exchange around them.
 * Include it behind cmocka.h, in one file of a program: it defines what the server would.
 */
#include "server/collections.h"
#include "server/server.h"
#include "tests/unit/looking.h"

struct parked {
    struct hl_request request; /* first */
    struct hl_server server;
    struct hl_reply reply;
    struct hl_target_pair pairs[2];
    enum hl_code code;
    struct hl_err err;
    unsigned n_finished;
    sem_t is_finished;
};

/* There is one collection, called "c". */
static struct hl_collection *the_one;

enum hl_code hl_collections_acquire(struct hl_collections *collections,
                                    const struct hl_span *name,
                                    struct hl_collection **ret_collection,
                                    struct hl_err *err)
{
    (void)collections;
    if (strcmp(name->data, "c") != 0)
        return hl_fail(err, HL_NOT_FOUND, "there is no \"%s\"", name->data);
    *ret_collection = hl_collection_ref(the_one);
    return HL_OK;
}

struct hl_reply *hl_request_reply(struct hl_request *request)
{
    return &((struct parked *)request)->reply;
}

void hl_request_finish(struct hl_request *request, enum hl_code code,
                       const struct hl_err *err)
{
    struct parked *parked = (struct parked *)request;

    parked->code = code;
    if (code != HL_OK)
        parked->err = *err;
    parked->n_finished++;
    sem_post(&parked->is_finished);
}

#define HANDLER(name)                                                                      \
    enum hl_code (*(name))(struct hl_server *, struct hl_request *, struct hl_reply *,     \
                           struct hl_err *)

/* A request of "c", ready to be handled. */
static inline void begin_parked(struct parked *parked, struct stand *s, const char *body)
{
    *parked = (struct parked){.request = {.params = {{"c", 1}},
                                          .body = {body, strlen(body)},
                                          .content_type = "",
                                          .id = "r",
                                          .arena = s->arena,
                                          .deadline = never}};
    the_one = s->collection;
    hl_buf_init(&parked->reply.body, 1 << 20);
    sem_init(&parked->is_finished, 0, 0);
}

/* Handles it to its end; the answer's body, or the sentence of the refusal, is in the
 * stand's arena, and the code in `parked`. */
static inline const char *handle(struct parked *parked, struct stand *s, HANDLER(handler))
{
    struct hl_request *request = &parked->request;
    const char *said;
    enum hl_code code;

    code = handler(&parked->server, request, &parked->reply, &parked->err);
    if (code == HL_OK && request->park)
        code = request->park(&parked->server, request, &parked->reply, &parked->err);
    /* What is parked ends by hl_request_finish, perhaps already. */
    if (code == HL_OK && request->park)
        while (sem_wait(&parked->is_finished) != 0)
            continue;
    else
        parked->code = code;
    if (request->release)
        request->release(request);
    said = parked->code == HL_OK ? parked->reply.body.data : parked->err.msg;
    said = hl_arena_print(s->arena, "%s", said);
    hl_buf_done(&parked->reply.body);
    sem_destroy(&parked->is_finished);
    assert_non_null(said);
    return said;
}

#endif
