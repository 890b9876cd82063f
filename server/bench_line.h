/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_SERVER_BENCH_LINE_H
#define HL_SERVER_BENCH_LINE_H

#include "proto/buf.h"
#include "server/reply_head.h"
#include "server/target.h"

#include <sys/socket.h>

/* One connection of a load: a request on its way and its reply, without ever waiting. It is
 * opened when it is first used, and again when it has gone. One thread. */
struct hl_bench_peer {
    struct sockaddr_storage address;
    socklen_t len;
};

enum hl_bench_state {
    HL_BENCH_WAITS,    /* for more of the reply, or for nothing */
    HL_BENCH_ANSWERED, /* `head` and the body are good until the next request */
    HL_BENCH_LOST      /* the connection has gone, `lost` says why */
};

struct hl_bench_line {
    const struct hl_bench_peer *peer;
    void *self;        /* what epoll gives back */
    struct hl_buf out; /* the request: filled by whoever sends */
    struct hl_buf in;
    struct hl_reply_head head;
    size_t sent;
    struct hl_err lost;
    int epoll;
    int fd; /* -1: not open */
    bool waits_to_send;
    bool has_answered; /* this connection, before */
};

void hl_bench_line_init(struct hl_bench_line *line, int epoll,
                        const struct hl_bench_peer *peer, void *self);
void hl_bench_line_done(struct hl_bench_line *line);

/* Sends what is in `out`, as much as goes now: the rest goes when epoll says so. */
enum hl_bench_state hl_bench_line_send(struct hl_bench_line *line);

/* What came of an event while a request is on its way. One that meets a connection which
 * rested and has just been closed is sent again, over a new one. */
enum hl_bench_state hl_bench_line_take(struct hl_bench_line *line, uint32_t events);

/* Gives up what is on its way, if anything is. */
void hl_bench_line_close(struct hl_bench_line *line);

struct hl_span hl_bench_line_body(const struct hl_bench_line *line);

#endif
