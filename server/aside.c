/* SPDX-License-Identifier: Apache-2.0 */
#include "server/aside.h"

#include "proto/governor.h"
#include "proto/priority.h"
#include "server/server.h"

#include <pthread.h>

struct call {
    enum hl_code (*handler)(struct hl_server *server, struct hl_request *request,
                            struct hl_reply *reply, struct hl_err *err);
    struct hl_server *server;
    struct hl_request *request;
    struct hl_reply *reply;
    struct hl_err *err;
    enum hl_code code;
};

static void *run(void *arg)
{
    struct call *call = arg;
    struct hl_governed *governed;

    hl_priority_set(HL_PRIORITY_BEHIND);
    governed = hl_governor_enter(call->server->governor);
    call->code = call->handler(call->server, call->request, call->reply, call->err);
    hl_governor_leave(governed);
    return NULL;
}

enum hl_code
hl_aside_run(enum hl_code (*handler)(struct hl_server *server, struct hl_request *request,
                                     struct hl_reply *reply, struct hl_err *err),
             struct hl_server *server, struct hl_request *request, struct hl_reply *reply,
             struct hl_err *err)
{
    struct call call = {handler, server, request, reply, err, HL_OK};
    pthread_t thread;

    if (pthread_create(&thread, NULL, run, &call) != 0)
        return handler(server, request, reply, err);
    (void)pthread_join(thread, NULL);
    return call.code;
}
