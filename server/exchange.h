/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_EXCHANGE_H
#define HL_SERVER_EXCHANGE_H

#include "server/config.h"
#include "server/head.h"
#include "server/pool.h"
#include "server/request.h"
#include "server/watch.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What happens between a request's first byte and its reply's last, whoever carries the
 * bytes.
 *
 * One exchange belongs to one connection and is used for one request after the other, so
 * that a small request finds its memory ready. The carrier (http.c) reports what came and
 * does what the answer says. Everything is called on the connection's own thread, but that
 * a long request is answered on a reader thread while the connection rests: between
 * hl_exchange_submit and `resume` the exchange belongs to the pool. */

struct hl_server;

enum hl_step {
    HL_STEP_MORE,   /* go on receiving */
    HL_STEP_ANSWER, /* send exchange->reply now */
    HL_STEP_LONG,   /* suspend the connection, then call hl_exchange_submit */
    HL_STEP_SPILL,  /* likewise, then call hl_exchange_spill; more of the body comes */
    HL_STEP_LATER,  /* nothing was taken: ask again when the connection is resumed */
    HL_STEP_CLOSE   /* the connection is to be closed; what could be said was said */
};

struct hl_exchange {
    struct hl_conn conn; /* first: the watch's callbacks come back with it */
    struct hl_server *server;
    void *transport; /* the carrier's */
    void (*resume)(void *transport);

    struct hl_request request;
    struct hl_reply reply;
    struct hl_err err;
    bool has_err;     /* the reply will be `err`; what still comes is thrown away */
    bool has_request; /* between begin and done */
    bool has_head;    /* hl_exchange_head was called for this request */
    bool was_submitted;
    bool is_turned_away; /* answered past the carrier, before its body */
    bool is_watched;     /* known to the watch */
    const char *allow;

    struct hl_chore job;
    atomic_bool cancelled;
    atomic_bool is_spilling; /* a reader writes a block of the upload: no body is taken */

    char *body;
    size_t body_len;
    size_t body_size;
    size_t wasted; /* bytes thrown away */
    size_t held;   /* room among the bodies of all requests */

    size_t shard; /* which of the counters' copies this connection uses */
    uint64_t n_requests;
    char id_prefix[17];
    char own_id[32];
    char their_id[HL_REQUEST_ID_SIZE];
    char key_id[HL_KEY_ID_SIZE];
};

/* NULL when there is no memory. `fd` is the connection's socket. */
struct hl_exchange *hl_exchange_new(struct hl_server *server, int fd);
void hl_exchange_free(struct hl_exchange *exchange);

/* The request line is there; `target` is good for the call. */
void hl_exchange_begin(struct hl_exchange *exchange, const char *target);
enum hl_step hl_exchange_head(struct hl_exchange *exchange, const struct hl_head *head);
enum hl_step hl_exchange_body(struct hl_exchange *exchange, const void *bytes, size_t n);
enum hl_step hl_exchange_end(struct hl_exchange *exchange);

/* Gives the request to the reader pool, or begins what its handler parked it for. `resume`
 * is called when the reply is there, maybe before this returns. */
void hl_exchange_submit(struct hl_exchange *exchange);

/* Has a reader write what is gathered of an upload. `resume` is called as above, but the
 * request goes on with its next bytes. */
void hl_exchange_spill(struct hl_exchange *exchange);

/* The reply is sent, or never will be. */
void hl_exchange_done(struct hl_exchange *exchange, bool is_sent);

#endif
