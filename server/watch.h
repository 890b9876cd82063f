/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_WATCH_H
#define HL_SERVER_WATCH_H

#include "proto/deadline.h"
#include "proto/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All open connections, and the thread that ends those that take too long.
 *
 * An HTTP library's own timeout starts anew with every byte, so a client that sends one
 * byte a second holds a connection for ever, and a suspended connection has no timeout at
 * all. Here a request has one allowance from its first byte to its last; whoever hangs up
 * amid it, or while waiting for a long answer, is noticed. */
struct hl_watch;

/* One connection; storage of the caller, from hl_watch_add to hl_watch_remove. */
struct hl_conn {
    struct hl_conn *next; /* the watch's */
    struct hl_conn *prev; /* the watch's */
    int fd;
    int64_t partial_us;   /* the watch's: when part of a request was first seen */
    int64_t ended_us;     /* the watch's: when its sender was first seen to have ended, */
    uint64_t ended_state; /* and in which state it was then */
    _Atomic(uint64_t) state; /* phase and since when, in one word; watch.c */
    void (*cut)(
        struct hl_conn *conn); /* say what may be said; the socket is shut after it */
    void (*gone)(struct hl_conn *conn); /* nobody waits for the long answer any more */
};

struct hl_watch_options {
    const struct hl_clock *clock;
    int64_t receive_us; /* from the first byte of a request to its last */
    size_t max_connections;
};

enum hl_code hl_watch_new(const struct hl_watch_options *options,
                          struct hl_watch **ret_watch, struct hl_err *err);
void hl_watch_free(struct hl_watch *watch); /* when no connection is left */

/* From the thread that serves the connection. The socket must stay open until
 * hl_watch_remove has returned. False, though it was added, when there are more than
 * max_connections: the connection is in the phase "cut" then, to be told so and closed. */
bool hl_watch_add(struct hl_watch *watch, struct hl_conn *conn);
void hl_watch_remove(struct hl_watch *watch, struct hl_conn *conn);

/* What the serving thread reports. The two that return bool answer false when the watch has
 * cut the connection: nothing may be sent to it then. */
bool hl_conn_receives(struct hl_conn *conn, int64_t now_us); /* a request line is there */
bool hl_conn_is_served(struct hl_conn *conn);                /* the request is complete */
void hl_conn_waits(struct hl_conn *conn);                    /* for a long answer */
void hl_conn_is_answered(struct hl_conn *conn);              /* that answer is there */
void hl_conn_rests(struct hl_conn *conn, int64_t now_us);    /* the reply is sent */

/* It was answered before its end and is "cut": its socket is shut when the client has ended
 * its sending, or behind that time. */
void hl_conn_lingers(struct hl_conn *conn, int64_t until_us);

/* Calls `gone` for every connection that waits for a long answer. Any thread. */
void hl_watch_cancel_all(struct hl_watch *watch);

size_t hl_watch_count(struct hl_watch *watch);  /* open connections; any thread */
size_t hl_watch_active(struct hl_watch *watch); /* those with a request; any thread */

#endif
