/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CHANGE_H
#define HL_SERVER_CHANGE_H

#include "index/writing.h"
#include "server/request.h"

/* A request that changes a collection: parked until its change is committed. In the arena
 * of the request. */
struct hl_pending {
    struct hl_change change; /* first */
    struct hl_request *request;
    struct hl_collection *collection; /* let go with the request */

    /* Does it, on a writer thread. */
    enum hl_code (*run)(struct hl_pending *pending, struct hl_writing *writing,
                        struct hl_err *err);

    /* Told when it is committed, before it is printed; NULL: nobody is. */
    void (*committed)(struct hl_pending *pending);

    /* Prints the result between hl_reply_begin and hl_reply_end. */
    void (*print)(const struct hl_pending *pending, struct hl_buf *buf);
    void (*let_go)(struct hl_pending *pending); /* with the request; may be NULL */
    void *self;                                 /* the call's own */
    bool waits; /* as the caller said: it changes a word of the answer */
    bool is_upsert;
};

/* Finds the collection that the request's first parameter names; `pending` is in the
 * request's arena and has `run` and `print`. After a failure `let_go` is not called. */
enum hl_code hl_pending_park(struct hl_server *server, struct hl_request *request,
                             struct hl_pending *pending, struct hl_err *err);

/* `{"operation_id":N,"status":"completed"}`. */
void hl_pending_print_update(const struct hl_pending *pending, struct hl_buf *buf);
void hl_pending_print_true(const struct hl_pending *pending, struct hl_buf *buf);

/* The change of a collection that no request has yet, waited for here: not on an HTTP
 * thread. The other one adds rows, and is refused as HL_TOO_MANY while too many are not
 * indexed. */
enum hl_code hl_pending_run_now(struct hl_collection *collection,
                                enum hl_code (*run)(void *self, struct hl_writing *writing,
                                                    struct hl_err *err),
                                void *self, struct hl_err *err);
enum hl_code hl_pending_upsert_now(struct hl_collection *collection,
                                   enum hl_code (*run)(void *self,
                                                       struct hl_writing *writing,
                                                       struct hl_err *err),
                                   void *self, struct hl_err *err);

#endif
