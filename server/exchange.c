/* SPDX-License-Identifier: Apache-2.0 */
#include "server/exchange.h"

#include "proto/alloc.h"
#include "proto/encode.h"
#include "server/early.h"
#include "server/handling.h"
#include "server/keys.h"
#include "server/receive.h"
#include "server/server.h"
#include "server/upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { KEPT_REPLY = 64 << 10 };

static struct hl_exchange *exchange_of(struct hl_conn *conn)
{
    return (struct hl_exchange *)conn; /* its first member */
}

static void print_hex(char *to, uint64_t value, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
    to[digits] = '\0';
}

/* On the watch's thread, and only when the exchange is receiving: the request's own memory
 * is not looked at, since its thread may be filling it. */
static void cut_slow_sender(struct hl_conn *conn)
{
    struct hl_exchange *exchange = exchange_of(conn);
    struct hl_err err;

    hl_err_set(&err, HL_TIMEOUT, "the request was not complete within %" PRIu64 " seconds",
               exchange->server->config->service.receive_timeout_s);
    hl_early_say(exchange, exchange->id_prefix, &err);
}

static void cancel_long_request(struct hl_conn *conn)
{
    struct hl_exchange *exchange = exchange_of(conn);

    if (!atomic_exchange(&exchange->cancelled, true))
        hl_pool_poke(exchange->server->pool);
}

struct hl_exchange *hl_exchange_new(struct hl_server *server, int fd)
{
    struct hl_exchange *exchange = hl_alloc_zeroed(1, sizeof *exchange);
    size_t serial;

    if (!exchange)
        return NULL;
    serial = atomic_fetch_add(&server->n_conns_ever, 1);
    exchange->conn.fd = fd;
    exchange->conn.cut = cut_slow_sender;
    exchange->conn.gone = cancel_long_request;
    exchange->server = server;
    exchange->shard = serial;
    exchange->request.arena =
        hl_arena_new((size_t)server->config->limits.request_memory_mb << 20);
    hl_buf_init(&exchange->reply.body,
                (size_t)server->config->limits.request_memory_mb << 20);
    print_hex(exchange->id_prefix, server->boot_id + serial * 0x9e3779b97f4a7c15u, 16);
    if (!exchange->request.arena) {
        hl_exchange_free(exchange);
        return NULL;
    }
    if (!hl_watch_add(server->watch, &exchange->conn)) {
        struct hl_err err;

        hl_err_set(&err, HL_UNAVAILABLE, "the server has %" PRIu64 " connections already",
                   server->config->service.max_connections);
        hl_early_say(exchange, exchange->id_prefix, &err);
        shutdown(fd, SHUT_WR);
    }
    exchange->is_watched = true;
    hl_metrics_add(server->metrics, HL_METRIC_ACCEPTED, 1);
    hl_metrics_add(server->metrics, HL_METRIC_CONNECTIONS, 1);
    return exchange;
}

void hl_exchange_free(struct hl_exchange *exchange)
{
    if (!exchange)
        return;
    if (exchange->is_watched) {
        hl_watch_remove(exchange->server->watch, &exchange->conn);
        hl_metrics_add(exchange->server->metrics, HL_METRIC_CONNECTIONS, -1);
    }
    if (exchange->has_request)
        hl_metrics_add(exchange->server->metrics, HL_METRIC_IN_FLIGHT, -1);
    hl_handling_release(exchange);
    hl_receive_release(exchange);
    hl_upload_free(exchange->request.upload);
    hl_arena_free(exchange->request.arena);
    hl_file_close(exchange->reply.file);
    hl_buf_done(&exchange->reply.body);
    hl_free(exchange);
}

static void reset(struct hl_exchange *exchange)
{
    struct hl_request *request = &exchange->request;
    struct hl_buf body = exchange->reply.body;
    struct hl_arena *arena = request->arena;

    *request = (struct hl_request){.arena = arena, .exchange = exchange};
    exchange->reply = (struct hl_reply){.body = body};
    exchange->has_err = false;
    exchange->has_head = false;
    exchange->was_submitted = exchange->is_turned_away = false;
    exchange->allow = NULL;
    exchange->body = NULL;
    exchange->body_len = exchange->body_size = exchange->wasted = 0;
    atomic_store_explicit(&exchange->cancelled, false, memory_order_relaxed);
}

void hl_exchange_begin(struct hl_exchange *exchange, const char *target)
{
    struct hl_server *server = exchange->server;
    struct hl_request *request = &exchange->request;
    size_t len = strlen(target);
    char *copy;

    reset(exchange);
    if (!exchange->has_request)
        hl_metrics_add(server->metrics, HL_METRIC_IN_FLIGHT, 1);
    exchange->has_request = true;
    request->started_us = hl_clock_now(&server->clock);
    request->deadline = (struct hl_deadline){.clock = &server->clock,
                                             .at_us = HL_DEADLINE_NEVER,
                                             .cancelled = &exchange->cancelled};
    (void)hl_conn_receives(&exchange->conn, request->started_us);
    copy = hl_arena_copy(request->arena, target, len);
    if (copy)
        hl_receive_remember(exchange, hl_target_decode(copy, len, request->arena,
                                                       &request->target, &exchange->err));
    else
        hl_receive_remember(exchange,
                            hl_arena_fail(request->arena, &exchange->err, "the path"));
}

static void choose_id(struct hl_exchange *exchange, const char *theirs)
{
    if (theirs && hl_head_id_is_sane(theirs)) {
        memcpy(exchange->their_id, theirs, strlen(theirs) + 1);
        exchange->request.id = exchange->their_id;
        return;
    }
    memcpy(exchange->own_id, exchange->id_prefix, 16);
    print_hex(exchange->own_id + 16, exchange->n_requests, 8);
    exchange->request.id = exchange->own_id;
}

static enum hl_code check_key(struct hl_exchange *exchange, const struct hl_head *head,
                              const struct hl_keys *keys)
{
    const char *secret = hl_head_secret(head);
    const struct hl_key *key;

    if (hl_keys_count(keys) == 0)
        return HL_OK;
    if (!secret)
        return hl_fail(&exchange->err, HL_UNAUTHORIZED,
                       "Must provide an API key or an Authorization bearer token");
    key = hl_keys_find(keys, secret, strlen(secret));
    if (!key)
        return hl_fail(&exchange->err, HL_UNAUTHORIZED, "Invalid API key");
    memcpy(exchange->key_id, key->id, sizeof exchange->key_id);
    exchange->request.key = exchange->key_id;
    if (exchange->request.route && exchange->request.route->door == HL_DOOR_WRITE &&
        key->access != HL_ACCESS_FULL)
        return hl_fail(&exchange->err, HL_FORBIDDEN, "the key \"%s\" may only read",
                       key->id);
    return HL_OK;
}

/* One view of the keys for the whole look. Who has no key does not learn which paths there
 * are: without a route it is asked for too. */
static enum hl_code check_door(struct hl_exchange *exchange, const struct hl_head *head)
{
    const struct hl_route *route = exchange->request.route;
    struct hl_view *view;
    enum hl_code code;

    if (route && route->door == HL_DOOR_OPEN)
        return HL_OK;
    view = hl_live_acquire(&exchange->server->keys);
    code = check_key(exchange, head, hl_keys_of(view));
    hl_view_unref(view);
    return code;
}

/* Everything that can be known before the body. */
static enum hl_code check_head(struct hl_exchange *exchange, const struct hl_head *head,
                               size_t *ret_len)
{
    struct hl_request *request = &exchange->request;
    const struct hl_config *config = exchange->server->config;
    enum hl_code code = hl_head_body_len(head, ret_len, &exchange->err);
    enum hl_code matched;
    const char *allow = NULL;

    if (code != HL_OK)
        return code;
    if (head->bytes > (size_t)config->service.max_header_size_kb << 10)
        return hl_fail(&exchange->err, HL_HEADERS_TOO_LARGE,
                       "the head of the request has %zu bytes, at most %" PRIu64
                       " KB are taken",
                       head->bytes, config->service.max_header_size_kb);
    if (exchange->has_err)
        return exchange->err.code;
    code = hl_head_check_host(head, &exchange->err);
    if (code != HL_OK)
        return code;
    matched = hl_router_match(exchange->server->router, request, &allow, &exchange->err);
    code = check_door(exchange, head);
    if (code != HL_OK)
        return code;
    exchange->allow = allow;
    if (matched != HL_OK)
        return matched;
    return hl_receive_announced(exchange, *ret_len);
}

static enum hl_step answer(struct hl_exchange *exchange)
{
    if (exchange->has_err)
        hl_reply_error(&exchange->reply, &exchange->err,
                       hl_request_seconds(&exchange->request));
    if (exchange->allow)
        exchange->reply.allow = exchange->allow;
    if (atomic_load_explicit(&exchange->server->phase, memory_order_relaxed) ==
        HL_SERVER_STOPPING)
        exchange->reply.must_close = true;
    return HL_STEP_ANSWER;
}

enum hl_step hl_exchange_head(struct hl_exchange *exchange, const struct hl_head *head)
{
    struct hl_request *request = &exchange->request;
    size_t len = SIZE_MAX; /* as long as the framing is not understood */
    bool is_known, must_end;

    exchange->has_head = true;
    exchange->n_requests++;
    choose_id(exchange, head->request_id);
    request->method = hl_method_of(head->method);
    request->content_type = head->content_type ? head->content_type : "";
    request->if_none_match = head->if_none_match;
    request->key = "";
    hl_receive_remember(exchange, check_head(exchange, head, &len));
    is_known = len != SIZE_MAX;
    if (!exchange->has_err) {
        exchange->body_size = is_known ? len : 0;
        return HL_STEP_MORE;
    }
    must_end = head->has_expect ||
               (is_known ? len > HL_WASTE_KEPT
                         : !head->is_chunked || exchange->err.code == HL_WRONG_INPUT);
    if (len == 0 || !must_end)
        return HL_STEP_MORE;
    if (is_known && !head->has_expect)
        return hl_early_turn_away(exchange) ? HL_STEP_MORE : HL_STEP_CLOSE;
    if (!hl_conn_is_served(&exchange->conn))
        return HL_STEP_CLOSE;
    exchange->reply.must_close = true;
    return answer(exchange);
}

enum hl_step hl_exchange_end(struct hl_exchange *exchange)
{
    struct hl_request *request = &exchange->request;

    if (exchange->was_submitted)
        return answer(exchange);
    if (atomic_load(&exchange->is_spilling))
        return HL_STEP_LATER;
    if (!exchange->has_err)
        hl_receive_remember(exchange, hl_receive_finish(exchange));
    if (!hl_conn_is_served(&exchange->conn))
        return HL_STEP_CLOSE;
    if (exchange->has_err) {
        if (exchange->err.code == HL_METHOD_NOT_ALLOWED &&
            request->method == HL_METHOD_OPTIONS) {
            exchange->has_err = false;
            exchange->reply.status = 204;
        }
        return answer(exchange);
    }
    if (exchange->body)
        exchange->body[exchange->body_len] = '\0';
    request->body =
        (struct hl_span){exchange->body ? exchange->body : "", exchange->body_len};
    request->deadline.at_us =
        hl_clock_now(&exchange->server->clock) +
        (int64_t)exchange->server->config->service.request_timeout_s * 1000000;
    if (request->route->place == HL_PLACE_WORKER ||
        (request->route->place == HL_PLACE_BY_SIZE &&
         exchange->body_len <= HL_SMALL_BODY)) {
        hl_handling_run(exchange);
        if (!request->then && !request->park) {
            hl_handling_release(exchange);
            return answer(exchange);
        }
    }
    exchange->was_submitted = true;
    return HL_STEP_LONG;
}

static void account(struct hl_exchange *exchange, bool is_sent, int64_t now_us)
{
    const struct hl_request *request = &exchange->request;
    const struct hl_reply *reply = &exchange->reply;
    struct hl_server *server = exchange->server;
    size_t route = hl_router_place(server->router, request->route);
    int64_t took_us = now_us - request->started_us;

    hl_metrics_add(server->metrics, HL_METRIC_IN_FLIGHT, -1);
    if (exchange->body_len > 0)
        hl_metrics_add(server->metrics, HL_METRIC_BYTES_IN, (int64_t)exchange->body_len);
    if (reply->status == 0)
        return;
    hl_metrics_answered(server->metrics, route, reply->status, took_us);
    hl_metrics_add(server->metrics, HL_METRIC_BYTES_OUT, (int64_t)hl_reply_size(reply));
    hl_log(server->log, HL_LOG_DEBUG, hl_log_event("request"),
           hl_log_text("id", request->id),
           hl_log_word("method", hl_method_name(request->method)),
           hl_log_word("route", request->route ? request->route->path : "none"),
           hl_log_u64("status", (uint64_t)reply->status),
           hl_log_u64("body_bytes", exchange->body_len), hl_log_word("key", request->key),
           hl_log_bool("sent", is_sent), hl_log_i64("took_us", took_us));
}

void hl_exchange_done(struct hl_exchange *exchange, bool is_sent)
{
    int64_t now_us;

    if (!exchange->has_request)
        return;
    exchange->has_request = false;
    now_us = hl_clock_now(&exchange->server->clock);
    account(exchange, is_sent, now_us);
    hl_upload_free(exchange->request.upload); /* of who left before the end */
    exchange->request.upload = NULL;
    hl_buf_clear(&exchange->reply.body, KEPT_REPLY);
    hl_file_close(exchange->reply.file);
    exchange->reply.file = NULL;
    hl_arena_reset(exchange->request.arena);
    hl_receive_release(exchange);
    if (is_sent)
        hl_conn_rests(&exchange->conn, now_us);
}
