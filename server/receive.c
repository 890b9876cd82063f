/* SPDX-License-Identifier: Apache-2.0 */
#include "server/receive.h"

#include "server/early.h"
#include "server/server.h"
#include "server/upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CHUNK = 16 << 10 };

bool hl_receive_is_upload(const struct hl_exchange *exchange)
{
    return exchange->request.route && exchange->request.route->place == HL_PLACE_UPLOAD;
}

/* Of bodies that are held in memory. */
static size_t request_limit(const struct hl_exchange *exchange)
{
    return (size_t)exchange->server->config->service.max_request_size_mb << 20;
}

static size_t body_limit(const struct hl_exchange *exchange)
{
    return hl_receive_is_upload(exchange)
               ? (size_t)exchange->server->config->service.max_upload_gb << 30
               : request_limit(exchange);
}

static enum hl_code fail_too_large(struct hl_exchange *exchange)
{
    if (hl_receive_is_upload(exchange))
        return hl_fail(&exchange->err, HL_TOO_LARGE,
                       "the upload is larger than %" PRIu64 " GB, the most that is taken",
                       exchange->server->config->service.max_upload_gb);
    return hl_fail(&exchange->err, HL_TOO_LARGE,
                   "the body is larger than %" PRIu64 " MB, the most that is taken",
                   exchange->server->config->service.max_request_size_mb);
}

/* Room among all bodies, so that this one has `wanted` bytes of it. */
static enum hl_code take_room(struct hl_exchange *exchange, size_t wanted)
{
    struct hl_server *server = exchange->server;
    size_t more, held = 0;

    if (wanted <= HL_SMALL_BODY || wanted <= exchange->held)
        return HL_OK;
    more = wanted - exchange->held;
    if (!hl_bodies_take(&server->bodies, exchange->held, more, &held)) {
        hl_metrics_add(server->metrics, HL_METRIC_BODIES_TURNED_AWAY, 1);
        return hl_fail(&exchange->err, HL_TOO_MANY,
                       "this body wants %zu bytes beside the %zu that request bodies have "
                       "at the moment, and at most %zu are taken at once: send it again",
                       more, held, server->bodies.most);
    }
    hl_metrics_add(server->metrics, HL_METRIC_BODY_BYTES, (int64_t)more);
    exchange->held = wanted;
    return HL_OK;
}

void hl_receive_release(struct hl_exchange *exchange)
{
    struct hl_server *server = exchange->server;

    if (exchange->held == 0)
        return;
    hl_bodies_give(&server->bodies, exchange->held);
    hl_metrics_add(server->metrics, HL_METRIC_BODY_BYTES, -(int64_t)exchange->held);
    exchange->held = 0;
}

/* What goes to the disk has no more than a block in memory. */
static size_t in_memory(const struct hl_exchange *exchange, size_t len)
{
    return hl_receive_is_upload(exchange) && len > HL_UPLOAD_BLOCK ? HL_UPLOAD_BLOCK : len;
}

enum hl_code hl_receive_announced(struct hl_exchange *exchange, size_t len)
{
    if (len == SIZE_MAX)
        return HL_OK;
    if (len > body_limit(exchange))
        return fail_too_large(exchange);
    return take_room(exchange, in_memory(exchange, len));
}

/* Room for `n` more bytes of the body. A length that was announced is taken at once, but
 * not before the first byte came. Without one it grows by doubling, and what it has
 * outgrown stays with the request: together that is less than twice the last. */
static enum hl_code grow_body(struct hl_exchange *exchange, size_t n)
{
    struct hl_arena *arena = exchange->request.arena;
    size_t size = exchange->body_size, wanted = exchange->body_len + n;
    char *body;

    if (exchange->body && wanted <= size)
        return HL_OK;
    if (size < FIRST_CHUNK && wanted > size)
        size = FIRST_CHUNK;
    while (size < wanted)
        size *= 2;
    if (wanted > exchange->body_size && take_room(exchange, 2 * size) != HL_OK)
        return exchange->err.code;
    body = hl_arena_alloc(arena, size + 1);
    if (!body)
        return hl_arena_fail(arena, &exchange->err, "the body");
    if (exchange->body)
        memcpy(body, exchange->body, exchange->body_len);
    exchange->body = body;
    exchange->body_size = size;
    return HL_OK;
}

/* Throws bytes away; when there were too many, the answer goes out at once. */
static enum hl_step waste(struct hl_exchange *exchange, size_t n)
{
    exchange->wasted += n;
    if (exchange->is_turned_away ||
        exchange->wasted <= request_limit(exchange) + HL_WASTE_KEPT)
        return HL_STEP_MORE;
    if (hl_conn_is_served(&exchange->conn))
        hl_early_say(exchange, exchange->request.id, &exchange->err);
    return HL_STEP_CLOSE;
}

/* What goes to the disk is named after this run and this request. */
static enum hl_code open_upload(struct hl_exchange *exchange)
{
    char folder[HL_CONFIG_TEXT_SIZE + 16], name[64];

    (void)snprintf(folder, sizeof folder, "%s/uploads",
                   exchange->server->config->storage.path);
    (void)snprintf(name, sizeof name, "%s-%" PRIx64, exchange->id_prefix,
                   exchange->n_requests);
    return hl_upload_new(folder, name, &exchange->request.upload, &exchange->err);
}

static enum hl_step gather(struct hl_exchange *exchange, const void *bytes, size_t n)
{
    bool is_full = false;

    hl_receive_remember(exchange,
                        take_room(exchange, in_memory(exchange, exchange->body_len + n)));
    if (!exchange->has_err)
        hl_receive_remember(exchange, hl_upload_add(exchange->request.upload, bytes, n,
                                                    &is_full, &exchange->err));
    if (exchange->has_err)
        return waste(exchange, n);
    exchange->body_len += n;
    if (!is_full)
        return HL_STEP_MORE;
    if (!hl_conn_is_served(&exchange->conn)) /* the time to receive is not for writing */
        return HL_STEP_CLOSE;
    atomic_store(&exchange->is_spilling, true);
    return HL_STEP_SPILL;
}

enum hl_step hl_exchange_body(struct hl_exchange *exchange, const void *bytes, size_t n)
{
    if (atomic_load(&exchange->is_spilling))
        return HL_STEP_LATER;
    if (!exchange->has_err && n > body_limit(exchange) - exchange->body_len)
        hl_receive_remember(exchange, fail_too_large(exchange));
    if (!exchange->has_err && hl_receive_is_upload(exchange) && !exchange->request.upload)
        hl_receive_remember(exchange, open_upload(exchange));
    if (!exchange->has_err && hl_receive_is_upload(exchange))
        return gather(exchange, bytes, n);
    if (!exchange->has_err)
        hl_receive_remember(exchange, grow_body(exchange, n));
    if (exchange->has_err)
        return waste(exchange, n);
    memcpy(exchange->body + exchange->body_len, bytes, n);
    exchange->body_len += n;
    return HL_STEP_MORE;
}

enum hl_code hl_receive_finish(struct hl_exchange *exchange)
{
    if (hl_receive_is_upload(exchange) && !exchange->request.upload)
        return open_upload(exchange); /* of no bytes */
    return HL_OK;
}
