/* SPDX-License-Identifier: Apache-2.0 */
#include "server/service.h"

#include "index/index.h"
#include "proto/encode.h"
#include "proto/openapi.h"
#include "server/gallery_metrics.h"
#include "server/server.h"
#include "server/version.h"

#include <inttypes.h>
#include <string.h>

static struct hl_span span_of(const char *text)
{
    return (struct hl_span){text, strlen(text)};
}

/* Exactly these three: clients compare the version, and ours stands in the title. */
void hl_service_print_root(struct hl_buf *buf)
{
    hl_buf_print(buf,
                 "{\"title\":\"heirloom %s - backward-compatible embedding retrieval\",",
                 hl_version());
    hl_buf_print(buf, "\"version\":\"%s\",\"commit\":", HL_REST_VERSION);
    hl_encode_string(buf, hl_commit());
    hl_buf_add_char(buf, '}');
}

enum hl_code hl_service_root(struct hl_server *server, struct hl_request *request,
                             struct hl_reply *reply, struct hl_err *err)
{
    (void)request;
    (void)err;
    hl_reply_text(reply, "application/json", server->root);
    return HL_OK;
}

enum hl_code hl_service_healthz(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    (void)server;
    (void)request;
    (void)err;
    hl_reply_text(reply, "text/plain", span_of("healthz check passed"));
    return HL_OK;
}

enum hl_code hl_service_readyz(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    bool is_ready = atomic_load(&server->phase) == HL_SERVER_READY;

    (void)request;
    (void)err;
    hl_reply_text(reply, "text/plain",
                  span_of(is_ready ? "all shards are ready" : "some shards are not ready"));
    if (!is_ready)
        reply->status = 503;
    return HL_OK;
}

enum hl_code hl_service_metrics(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    reply->status = 200;
    reply->content_type = HL_METRICS_CONTENT_TYPE;
    hl_metrics_print(server->metrics, &reply->body);
    hl_gallery_metrics_print(server->collections, server->engine, request->arena,
                             &reply->body);
    return hl_buf_check(&reply->body, "the metrics", err);
}

/* Whether something stands in the object already. A buffer that failed may be empty. */
static bool needs_comma(const struct hl_buf *buf)
{
    return buf->len > 0 && buf->data[buf->len - 1] != '{';
}

static void print_limit(struct hl_buf *buf, const char *name, uint64_t limit, uint64_t use)
{
    if (needs_comma(buf))
        hl_buf_add_char(buf, ',');
    hl_encode_key(buf, name);
    hl_buf_add_text(buf, "{\"limit\":");
    hl_encode_u64(buf, limit);
    if (use != UINT64_MAX) {
        hl_buf_add_text(buf, ",\"in_use\":");
        hl_encode_u64(buf, use);
    }
    hl_buf_add_char(buf, '}');
}

/* Every limit in force, and how much of it is in use where that means anything. */
enum hl_code hl_service_limits(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    const struct hl_config *config = server->config;
    struct hl_pool_state pool = hl_pool_state(server->pool);
    struct hl_buf *buf = &reply->body;

    hl_reply_begin(reply);
    hl_buf_add_char(buf, '{');
    print_limit(buf, "connections", config->service.max_connections,
                hl_watch_count(server->watch));
    print_limit(buf, "http_workers", server->n_workers, UINT64_MAX);
    print_limit(buf, "readers", pool.n_readers, pool.running);
    print_limit(buf, "queued_long_requests", pool.max_queued, pool.queued);
    print_limit(buf, "request_body_bytes", config->service.max_request_size_mb << 20,
                UINT64_MAX);
    print_limit(buf, "inflight_body_bytes", server->bodies.most,
                hl_bodies_held(&server->bodies));
    print_limit(buf, "upload_bytes", config->service.max_upload_gb << 30, UINT64_MAX);
    print_limit(buf, "request_head_bytes", config->service.max_header_size_kb << 10,
                UINT64_MAX);
    print_limit(buf, "request_memory_bytes", config->limits.request_memory_mb << 20,
                hl_arena_used(request->arena));
    print_limit(buf, "query_parameters", HL_MAX_QUERY, request->target.n_query);
    print_limit(buf, "idle_timeout_seconds", config->service.idle_timeout_s, UINT64_MAX);
    print_limit(buf, "receive_timeout_seconds", config->service.receive_timeout_s,
                UINT64_MAX);
    print_limit(buf, "request_timeout_seconds", config->service.request_timeout_s,
                UINT64_MAX);
    print_limit(buf, "shutdown_grace_seconds", config->service.shutdown_grace_s,
                UINT64_MAX);
    hl_buf_add_char(buf, '}');
    return hl_reply_end(reply, request, err);
}

/* `"GET /healthz":{"200":{"count":3,"total_duration_micros":41}}`, and nothing for a route
 * that was never asked. */
static void print_answers(struct hl_buf *buf, const struct hl_server *server, size_t route)
{
    struct hl_metrics_answers answers;
    bool is_first = true;

    for (size_t n = 0; hl_metrics_answers(server->metrics, route, n, &answers); n++) {
        if (answers.count == 0)
            continue;
        if (is_first)
            hl_buf_print(buf, "%s\"%s %s\":{", needs_comma(buf) ? "," : "",
                         hl_method_name(hl_routes[route].method), hl_routes[route].path);
        hl_buf_print(
            buf, "%s\"%d\":{\"count\":%" PRIu64 ",\"total_duration_micros\":%" PRIu64 "}",
            is_first ? "" : ",", answers.status, answers.count, answers.total_us);
        is_first = false;
    }
    if (!is_first)
        hl_buf_add_char(buf, '}');
}

static void print_requests(struct hl_buf *buf, const struct hl_server *server)
{
    hl_buf_add_text(buf, ",\"requests\":{\"rest\":{\"responses\":{");
    for (size_t route = 0; route < hl_n_routes; route++)
        print_answers(buf, server, route);
    hl_buf_add_text(buf, "}},\"grpc\":{\"responses\":{}}}");
}

/* Qdrant's shape as far as it means anything here. */
enum hl_code hl_service_telemetry(struct hl_server *server, struct hl_request *request,
                                  struct hl_reply *reply, struct hl_err *err)
{
    struct hl_buf *buf = &reply->body;

    hl_reply_begin(reply);
    hl_buf_print(buf, "{\"id\":\"%s\",\"app\":{\"name\":\"heirloom\",\"version\":",
                 server->boot_name);
    hl_encode_string(buf, hl_version());
    hl_buf_add_text(buf, ",\"commit\":");
    hl_encode_string(buf, hl_commit());
    hl_buf_print(buf, ",\"rest_version\":\"%s\",\"startup\":\"%s\",\"uptime_seconds\":",
                 HL_REST_VERSION, server->started_at);
    hl_encode_double(buf,
                     (double)(hl_clock_now(&server->clock) - server->started_us) / 1e6);
    hl_buf_add_text(buf, ",\"kernels\":");
    hl_encode_string(buf, hl_index_kernels());
    hl_buf_print(buf, ",\"http_workers\":%zu,\"readers\":%zu}", server->n_workers,
                 server->n_readers);
    hl_buf_print(buf, ",\"collections\":{\"number_of_collections\":%zu}",
                 hl_collections_count(server->collections));
    print_requests(buf, server);
    hl_buf_add_char(buf, '}');
    return hl_reply_end(reply, request, err);
}

enum hl_code hl_service_openapi(struct hl_server *server, struct hl_request *request,
                                struct hl_reply *reply, struct hl_err *err)
{
    struct hl_span json;

    (void)server;
    (void)request;
    (void)err;
    json.data = hl_openapi_json(&json.len);
    hl_reply_text(reply, "application/json", json);
    return HL_OK;
}

/* Qdrant reports here what it would have configured otherwise; we have nothing to say. */
enum hl_code hl_service_issues(struct hl_server *server, struct hl_request *request,
                               struct hl_reply *reply, struct hl_err *err)
{
    (void)server;
    hl_reply_begin(reply);
    hl_buf_add_text(&reply->body,
                    request->method == HL_METHOD_DELETE ? "true" : "{\"issues\":[]}");
    return hl_reply_end(reply, request, err);
}
