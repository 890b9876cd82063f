/* SPDX-License-Identifier: Apache-2.0 */
#include "server/early.h"

#include "proto/encode.h"
#include "server/server.h"

#include <sys/socket.h>

static const char *reason_phrase(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } known[] = {{400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {408, "Request Timeout"},
                 {413, "Content Too Large"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].status == status)
            return known[i].phrase;
    }
    return "Service Unavailable";
}

/* A whole reply, in one piece. */
static void send_reply(int fd, const char *id, const char *allow, const struct hl_err *err)
{
    int status = hl_code_status(err->code);
    struct hl_buf body, all;

    hl_buf_init(&body, 8192);
    hl_buf_init(&all, 8192);
    hl_encode_error(&body, err, 0);
    hl_buf_print(&all,
                 "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
                 "X-Request-Id: %s\r\nContent-Length: %zu\r\n%s",
                 status, reason_phrase(status), id, body.len,
                 status == 401 ? "WWW-Authenticate: Bearer\r\n" : "");
    if (hl_reply_retry_s(err->code) > 0)
        hl_buf_print(&all, "Retry-After: %d\r\n", hl_reply_retry_s(err->code));
    if (allow)
        hl_buf_print(&all, "Allow: %s\r\n", allow);
    hl_buf_add(&all, "\r\n", 2);
    hl_buf_add(&all, body.data, body.len);
    if (all.failed == HL_OK && body.failed == HL_OK)
        (void)send(fd, all.data, all.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    hl_buf_done(&all);
    hl_buf_done(&body);
}

void hl_early_say(struct hl_exchange *exchange, const char *id, const struct hl_err *err)
{
    send_reply(exchange->conn.fd, id, NULL, err);
    hl_metrics_answered(exchange->server->metrics,
                        hl_router_place(exchange->server->router, NULL),
                        hl_code_status(err->code), 0);
}

bool hl_early_turn_away(struct hl_exchange *exchange)
{
    const struct hl_server *server = exchange->server;

    if (!hl_conn_is_served(&exchange->conn))
        return false;
    send_reply(exchange->conn.fd, exchange->request.id, exchange->allow, &exchange->err);
    shutdown(exchange->conn.fd, SHUT_WR);
    exchange->is_turned_away = true;
    exchange->reply.status = hl_code_status(exchange->err.code);
    hl_conn_lingers(&exchange->conn,
                    exchange->request.started_us +
                        (int64_t)server->config->service.receive_timeout_s * 1000000);
    return true;
}
