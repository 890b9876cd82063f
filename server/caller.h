/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_CALLER_H
#define HL_SERVER_CALLER_H

#include "proto/buf.h"
#include "proto/err.h"
#include "server/target.h"

/* The other end of the wire: how the command line asks a running server.
 *
 * One connection, kept open from call to call and opened again when it has gone. One
 * thread. What a reply holds is good until the next call. */
struct hl_caller;

/* `url` is http://HOST[:PORT][/PREFIX]; the port is 6333 when none is named. `key` may be
 * NULL. Connects to nothing yet. HL_INVALID. */
enum hl_code hl_caller_new(const char *url, const char *key, struct hl_caller **ret_caller,
                           struct hl_err *err);
void hl_caller_free(struct hl_caller *caller); /* NULL is accepted */

struct hl_call {
    const char *method;
    const char *path; /* escaped already: hl_caller_escape */
    struct hl_span body;
    int patience_s; /* for the reply to begin and between two pieces of it */

    /* Takes the body of a 2xx reply piece by piece, however long it is; its error ends the
     * call and is the call's. NULL: the body is gathered. */
    enum hl_code (*take)(void *self, const void *bytes, size_t n, struct hl_err *err);
    void *self;
};

struct hl_called {
    int status;
    int retry_after_s; /* 0: the reply says nothing of it */
    struct hl_span body;
};

/* HL_OK: there is a reply, whatever its status. HL_UNAVAILABLE: nobody answered, and
 * whether the request was done is not known; what is taken piece by piece must say its
 * length, else HL_NOT_SUPPORTED. HL_TIMEOUT, HL_TOO_LARGE, HL_NO_MEMORY. */
enum hl_code hl_caller_ask(struct hl_caller *caller, const struct hl_call *call,
                           struct hl_called *ret_called, struct hl_err *err);

/* A reply that is not 2xx as an error: the server's own sentence. */
enum hl_code hl_called_check(const struct hl_called *called, struct hl_err *err);

/* One segment of a path, or the value of a parameter. */
void hl_caller_escape(const char *text, struct hl_buf *buf);

#endif
