/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http.h"

#include "proto/alloc.h"
#include "server/exchange.h"
#include "server/listen.h"
#include "server/server.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct hl_http {
    struct hl_server *server;
    struct MHD_Daemon *daemon;
    struct hl_listener *listener;
};

static void resume(void *transport)
{
    MHD_resume_connection(transport);
}

static void on_connection(void *cls, struct MHD_Connection *connection,
                          void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    struct hl_exchange *exchange;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        hl_exchange_free(*socket_context);
        *socket_context = NULL;
        return;
    }
    exchange = hl_exchange_new(
        cls,
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    if (exchange) {
        exchange->transport = connection;
        exchange->resume = resume;
    }
    *socket_context = exchange;
}

/* The request line as it came: the library decodes leniently, and cuts the query out. What
 * is returned becomes the request's context. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct hl_exchange *exchange =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
            ->socket_context;

    (void)cls;
    if (exchange)
        hl_exchange_begin(exchange, target);
    return exchange;
}

/* We decode the target ourselves; nothing asks the library for it. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static bool is_field(const char *name, size_t len, const char *wanted)
{
    return strncasecmp(name, wanted, len) == 0 && wanted[len] == '\0';
}

static void read_transfer_coding(struct hl_head *head, const char *value)
{
    if (strcasecmp(value, "chunked") == 0 && !head->is_chunked)
        head->is_chunked = true;
    else
        head->has_other_coding = true;
}

/* One look at every field; the length of the name tells most of them apart. */
static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name,
                                size_t name_len, const char *value, size_t value_len)
{
    struct hl_head *head = cls;

    (void)kind;
    (void)value_len;
    if (!value)
        return MHD_YES;
    if (name_len > 0 && (name[name_len - 1] == ' ' || name[name_len - 1] == '\t'))
        head->has_loose_name = true;
    else if (name_len == 4 && is_field(name, 4, "Host"))
        head->n_hosts++;
    else if (name_len == 6 && is_field(name, 6, "Expect"))
        head->has_expect = true;
    else if (name_len == 7 && is_field(name, 7, "api-key"))
        head->api_key = value;
    else if (name_len == 12 && is_field(name, 12, "Content-Type"))
        head->content_type = value;
    else if (name_len == 12 && is_field(name, 12, "X-Request-Id"))
        head->request_id = value;
    else if (name_len == 13 && is_field(name, 13, "Authorization"))
        head->authorization = value;
    else if (name_len == 13 && is_field(name, 13, "If-None-Match"))
        head->if_none_match = value;
    else if (name_len == 14 && is_field(name, 14, "Content-Length")) {
        head->content_length = value;
        head->n_lengths++;
    } else if (name_len == 17 && is_field(name, 17, "Transfer-Encoding"))
        read_transfer_coding(head, value);
    return MHD_YES;
}

static enum hl_step read_head(struct hl_exchange *exchange,
                              struct MHD_Connection *connection, const char *method,
                              const char *version)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    struct hl_head head = {.method = method,
                           .must_have_host = strcmp(version, MHD_HTTP_VERSION_1_1) == 0,
                           .bytes = info ? info->header_size : 0};

    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_field, &head);
    return hl_exchange_head(exchange, &head);
}

static bool add_field(struct MHD_Response *response, const char *name, const char *value)
{
    return !value || MHD_add_response_header(response, name, value) == MHD_YES;
}

static bool add_fields(struct MHD_Response *response, const struct hl_exchange *exchange)
{
    const struct hl_reply *reply = &exchange->reply;
    char seconds[12] = "";

    if (reply->retry_after_s > 0)
        snprintf(seconds, sizeof seconds, "%d", reply->retry_after_s);
    return add_field(response, "X-Request-Id", exchange->request.id) &&
           add_field(response, "Content-Type", reply->content_type) &&
           add_field(response, "ETag", reply->etag) &&
           add_field(response, "Cache-Control", reply->cache_control) &&
           add_field(response, "Allow", reply->allow) &&
           add_field(response, "Connection", reply->must_close ? "close" : NULL) &&
           add_field(response, "WWW-Authenticate",
                     reply->status == MHD_HTTP_UNAUTHORIZED ? "Bearer" : NULL) &&
           add_field(response, "Retry-After", seconds[0] ? seconds : NULL);
}

enum { FILE_BLOCK = 256 << 10 };

/* The next bytes of a file, read on the connection's thread: out of the page cache, where a
 * download by many leaves it, or waiting for the disk for a block at a time. */
static ssize_t read_block(void *cls, uint64_t at, char *bytes, size_t size)
{
    const struct hl_exchange *exchange = cls;
    struct hl_err ignored;
    size_t n = 0;

    if (hl_file_read_at(exchange->reply.file, bytes, size, at, &n, &ignored) != HL_OK ||
        n == 0)
        return MHD_CONTENT_READER_END_WITH_ERROR; /* it became shorter: the length was said
                                                   */
    return (ssize_t)n;
}

/* What is sent is the exchange's until the library has reported the request's end, so
 * nothing is copied. The library takes a pointer to what it never writes. */
static struct MHD_Response *make_response(struct hl_exchange *exchange)
{
    const struct hl_reply *reply = &exchange->reply;
    struct hl_span bytes = reply->text;

    if (reply->file && reply->file_size > 0)
        return MHD_create_response_from_callback(reply->file_size, FILE_BLOCK, read_block,
                                                 exchange, NULL);
    if (reply->body.len > 0)
        bytes = (struct hl_span){reply->body.data, reply->body.len};
    return MHD_create_response_from_buffer(bytes.len, (void *)bytes.data,
                                           MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_reply(struct hl_exchange *exchange,
                                  struct MHD_Connection *connection)
{
    const struct hl_reply *reply = &exchange->reply;
    struct MHD_Response *response = make_response(exchange);
    enum MHD_Result result = MHD_NO;

    if (!response)
        return MHD_NO;
    if (add_fields(response, exchange))
        result = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called when the head is complete, then for each piece of the body, then once more; and
 * after a suspension. */
/* NOLINTNEXTLINE(readability-function-size): the library says how many parameters. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection,
                                  const char *url, const char *method, const char *version,
                                  const char *bytes, size_t *n_bytes, void **context)
{
    struct hl_exchange *exchange = *context;
    enum hl_step step;

    (void)cls;
    (void)url;
    if (!exchange)
        return MHD_NO;
    if (!exchange->has_head) {
        step = read_head(exchange, connection, method, version);
    } else if (*n_bytes > 0) {
        step = hl_exchange_body(exchange, bytes, *n_bytes);
        if (step != HL_STEP_LATER)
            *n_bytes = 0;
    } else {
        step = hl_exchange_end(exchange);
    }
    switch (step) {
    case HL_STEP_MORE:
    case HL_STEP_LATER:
        return MHD_YES;
    case HL_STEP_SPILL:
        MHD_suspend_connection(connection);
        hl_exchange_spill(exchange);
        return MHD_YES;
    case HL_STEP_ANSWER:
        return send_reply(exchange, connection);
    case HL_STEP_LONG:
        /* In this order: the answer may be there before the submission returns. */
        MHD_suspend_connection(connection);
        hl_exchange_submit(exchange);
        return MHD_YES;
    case HL_STEP_CLOSE:
        break;
    }
    return MHD_NO;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode code)
{
    (void)cls;
    (void)connection;
    if (*context)
        hl_exchange_done(*context, code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *context = NULL;
}

/* Our own limit is exact, and who is beyond it is told so and has a moment to read it. Of
 * those there may be as many again and a thousand: a flood beyond is closed without a word.
 */
static bool is_flooded(const struct hl_server *server)
{
    return hl_watch_count(server->watch) >=
           2 * server->config->service.max_connections + 1024;
}

/* On the accepting thread. The library takes the socket whatever happens, and deals them
 * out among its threads. */
static void take_connection(void *to, int fd, const struct sockaddr *address,
                            socklen_t size)
{
    struct hl_http *http = to;

    if (is_flooded(http->server))
        close(fd);
    else
        (void)MHD_add_connection(http->daemon, fd, address, size);
}

/* The library's own limit is never to be met: in 0.9.75, which Debian 12 has, the thread
 * that meets it keeps a lock and waits for it with its next connection, for ever. */
enum { LIBRARY_LIMIT = 1 << 30 };

/* One block for each connection: the head, a note for each field of it, and a window for
 * the body, all from the same bytes. Twice the largest head, so that our own limit is met
 * first unless the fields are very many. The library clears it after every request, which
 * makes a generous limit expensive: 64 KB cost 1 us. */
static size_t library_memory(const struct hl_config *config)
{
    return (size_t)config->service.max_header_size_kb << 11;
}

static enum hl_code start_daemon(struct hl_http *http, struct hl_err *err)
{
    const struct hl_config *config = http->server->config;
    const unsigned n_workers = (unsigned)http->server->n_workers;
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                           MHD_USE_TURBO | MHD_USE_NO_LISTEN_SOCKET;

    http->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http->server, MHD_OPTION_THREAD_POOL_SIZE,
        n_workers > 1 ? n_workers : 0, MHD_OPTION_CONNECTION_LIMIT, (unsigned)LIBRARY_LIMIT,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)config->service.idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, library_memory(config),
        MHD_OPTION_URI_LOG_CALLBACK, on_target, http->server, MHD_OPTION_UNESCAPE_CALLBACK,
        leave_escaped, http->server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        http->server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http->server,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (!http->daemon)
        return hl_fail(err, HL_INTERNAL, "could not start %u threads for HTTP", n_workers);
    return HL_OK;
}

enum hl_code hl_http_open(struct hl_server *server, struct hl_http **ret_http,
                          struct hl_err *err)
{
    const struct hl_config *config = server->config;
    struct hl_http *http = hl_alloc_zeroed(1, sizeof *http);
    enum hl_code code;

    if (!http)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the HTTP server");
    http->server = server;
    code = hl_listener_open(config->service.host, (uint16_t)config->service.http_port,
                            &http->listener, err);
    if (code == HL_OK)
        code = start_daemon(http, err);
    if (code == HL_OK)
        code = hl_listener_start(http->listener,
                                 &(struct hl_accepted){.give = take_connection, .to = http},
                                 err);
    if (code != HL_OK) {
        hl_http_close(http);
        return code;
    }
    *ret_http = http;
    return HL_OK;
}

uint16_t hl_http_port(const struct hl_http *http)
{
    return hl_listener_port(http->listener);
}

void hl_http_stop_accepting(struct hl_http *http)
{
    hl_listener_stop(http->listener);
}

void hl_http_close(struct hl_http *http)
{
    if (!http)
        return;
    if (http->listener)
        hl_listener_stop(http->listener);
    if (http->daemon)
        MHD_stop_daemon(http->daemon);
    hl_listener_close(http->listener);
    hl_free(http);
}

const char *hl_http_library_version(void)
{
    return MHD_get_version();
}
