/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_EXCHANGING_H
#define HL_TESTS_UNIT_EXCHANGING_H

/* An exchange without HTTP: a server of the routes in `table`, which the file that includes
 * this has defined, behind the headers of cmocka. */
#include "server/exchange.h"
#include "server/keys.h"
#include "server/server.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct fixture {
    struct hl_server server;
    struct hl_config *config;
    struct hl_metrics_route labels[sizeof table / sizeof *table];
    struct hl_metrics_build build;
    int ends[2];
    struct hl_exchange *exchange;
    atomic_bool is_resumed;
    bool was_long; /* the last answer did not come at once */
    char seen[512];
};

static inline void resume(void *transport)
{
    atomic_store(&((struct fixture *)transport)->is_resumed, true);
}

static inline void publish_keys(struct fixture *f, const struct hl_key_config *keys,
                                size_t n)
{
    struct hl_keys *set = NULL;
    struct hl_err err;

    assert_int_equal(hl_keys_new(keys, n, &set, &err), HL_OK);
    hl_live_swap(&f->server.keys, hl_keys_view(set));
}

static inline void connect_both(struct fixture *f)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, f->ends), 0);
    f->exchange = hl_exchange_new(&f->server, f->ends[0]);
    assert_non_null(f->exchange);
    f->exchange->transport = f;
    f->exchange->resume = resume;
}

static inline void hang_up(struct fixture *f)
{
    hl_exchange_free(f->exchange);
    close(f->ends[0]);
    close(f->ends[1]);
}

enum { MOST_BODIES = 3 << 19 }; /* one and a half of the largest */

static inline int start(void **state)
{
    static struct fixture fixture;
    static const char text[] = "[service]\nmax_request_size_mb = 1\n";
    struct fixture *f = &fixture;
    struct hl_pool_options pool = {.n_readers = 1, .max_queued = 4};
    struct hl_watch_options watch = {
        .clock = &f->server.clock, .receive_us = 60000000, .max_connections = 4};
    struct hl_err err;

    *f = (struct fixture){.server = {.clock = {.now_us = now_us}, .boot_id = 7}};
    *state = f;
    hl_live_init(&f->server.keys);
    publish_keys(f, NULL, 0);
    if (hl_config_read("test", text, sizeof text - 1, &f->config, &err) != HL_OK ||
        hl_router_new(table, sizeof table / sizeof *table, &f->server.router, &err) !=
            HL_OK ||
        hl_pool_new(&pool, &f->server.pool, &err) != HL_OK ||
        hl_watch_new(&watch, &f->server.watch, &err) != HL_OK)
        return -1;
    f->server.config = f->config;
    hl_bodies_init(&f->server.bodies, MOST_BODIES);
    if (hl_metrics_new(f->labels, sizeof table / sizeof *table, &f->build,
                       &f->server.metrics, &err) != HL_OK)
        return -1;
    connect_both(f);
    return 0;
}

static inline int stop(void **state)
{
    struct fixture *f = *state;

    hang_up(f);
    hl_pool_free(f->server.pool);
    hl_watch_free(f->server.watch);
    hl_metrics_free(f->server.metrics);
    hl_router_free(f->server.router);
    hl_live_done(&f->server.keys);
    hl_config_free(f->config);
    return 0;
}

/* The status and the bytes of the reply, then makes the exchange ready for the next. */
static const char *seen(struct fixture *f)
{
    const struct hl_reply *reply = &f->exchange->reply;
    const char *bytes = reply->body.len > 0 ? reply->body.data : reply->text.data;

    snprintf(f->seen, sizeof f->seen, "%d %s", reply->status, bytes ? bytes : "");
    hl_exchange_done(f->exchange, true);
    return f->seen;
}

static const char *ask(struct fixture *f, const char *target, struct hl_head head,
                       const char *body)
{
    char len[32];
    const struct timespec pause = {.tv_nsec = 1000000};
    enum hl_step step;

    snprintf(len, sizeof len, "%zu", strlen(body));
    head.n_hosts = 1;
    if (*body && !head.content_length && !head.is_chunked) {
        head.content_length = len;
        head.n_lengths = 1;
    }
    atomic_store(&f->is_resumed, false);
    hl_exchange_begin(f->exchange, target);
    step = hl_exchange_head(f->exchange, &head);
    for (const char *c = body; step == HL_STEP_MORE && *c; c++)
        step = hl_exchange_body(f->exchange, c, 1);
    if (step == HL_STEP_MORE)
        step = hl_exchange_end(f->exchange);
    f->was_long = step == HL_STEP_LONG;
    if (step == HL_STEP_LONG) {
        hl_exchange_submit(f->exchange);
        for (int ms = 0; ms < 10000 && !atomic_load(&f->is_resumed); ms++)
            nanosleep(&pause, NULL);
        step = hl_exchange_end(f->exchange);
    }
    return step == HL_STEP_ANSWER ? seen(f) : "no answer";
}

static inline void assert_begins(const char *text, const char *beginning)
{
    if (strncmp(text, beginning, strlen(beginning)) != 0)
        assert_string_equal(text, beginning);
}

#endif
