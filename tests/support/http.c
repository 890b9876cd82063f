/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/http.h"

#include "tests/support/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_AT_ONCE = 65536, SEND_LIMIT_MS = 5000, MAX_REPLY = 64 << 20 };

static bool open_socket(struct hl_http *http, unsigned port, int receive_bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    *http = (struct hl_http){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (http->fd < 0)
        return false;
    if (receive_bytes > 0)
        setsockopt(http->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    setsockopt(http->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(http->fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return true;
    hl_http_close(http);
    return false;
}

bool hl_http_open(struct hl_http *http, unsigned port)
{
    return open_socket(http, port, 0);
}

bool hl_http_open_narrow(struct hl_http *http, unsigned port, int receive_bytes)
{
    return open_socket(http, port, receive_bytes);
}

void hl_http_close(struct hl_http *http)
{
    if (http->fd >= 0)
        close(http->fd);
    free(http->in);
    *http = (struct hl_http){.fd = -1};
}

void hl_http_shut(struct hl_http *http)
{
    shutdown(http->fd, SHUT_WR);
}

bool hl_http_send(struct hl_http *http, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        struct pollfd ready = {.fd = http->fd, .events = POLLOUT};
        ssize_t sent = send(http->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        } else if (errno != EAGAIN && errno != EINTR) {
            return false;
        } else if (poll(&ready, 1, SEND_LIMIT_MS) == 0) {
            return false;
        }
    }
    return true;
}

bool hl_http_send_text(struct hl_http *http, const char *text)
{
    return hl_http_send(http, text, strlen(text));
}

/* More bytes into `in`, which stays terminated. */
static enum hl_http_got receive(struct hl_http *http, int64_t until_ms)
{
    int64_t left = until_ms - hl_now_ms();
    struct pollfd ready = {.fd = http->fd, .events = POLLIN};
    ssize_t got;

    if (poll(&ready, 1, left > 0 ? (int)left : 0) <= 0)
        return HL_HTTP_LATE;
    if (http->cap < http->n_in + READ_AT_ONCE + 1) {
        http->cap = 2 * http->cap + READ_AT_ONCE + 1;
        http->in = realloc(http->in, http->cap);
        if (!http->in)
            abort();
    }
    got = recv(http->fd, http->in + http->n_in, READ_AT_ONCE, 0);
    if (got <= 0)
        return HL_HTTP_CLOSED;
    http->n_in += (size_t)got;
    http->in[http->n_in] = '\0';
    return http->n_in > MAX_REPLY ? HL_HTTP_GARBAGE : HL_HTTP_REPLY;
}

static enum hl_http_got receive_until(struct hl_http *http, size_t size, int64_t until_ms)
{
    enum hl_http_got got = HL_HTTP_REPLY;

    while (got == HL_HTTP_REPLY && http->n_in < size)
        got = receive(http, until_ms);
    return got;
}

/* The offset behind the next CR LF, counted from `from`. */
static enum hl_http_got receive_line(struct hl_http *http, size_t from, int64_t until_ms,
                                     size_t *ret_end)
{
    enum hl_http_got got = HL_HTTP_REPLY;

    while (got == HL_HTTP_REPLY) {
        const char *end = http->n_in > from
                              ? memmem(http->in + from, http->n_in - from, "\r\n", 2)
                              : NULL;

        if (end) {
            *ret_end = (size_t)(end - http->in) + 2;
            return HL_HTTP_REPLY;
        }
        got = receive(http, until_ms);
    }
    return got;
}

static void forget(struct hl_http *http, size_t size)
{
    http->n_in -= size;
    memmove(http->in, http->in + size, http->n_in + 1);
}

static bool read_headers(struct hl_http_reply *reply)
{
    char *rest = reply->head;
    char *line = strsep(&rest, "\n");
    char *end;

    if (strncmp(line, "HTTP/1.", 7) != 0 || strlen(line) < 12)
        return false;
    reply->status = (int)strtol(line + 9, &end, 10);
    if (end != line + 12)
        return false;
    while ((line = strsep(&rest, "\n")) && *line != '\r' && *line != '\0') {
        char *colon = strchr(line, ':');

        if (!colon || reply->n_headers == HL_HTTP_MAX_HEADERS)
            return false;
        *colon = '\0';
        colon[1 + strcspn(colon + 1, "\r")] = '\0';
        reply->headers[reply->n_headers++] = (struct hl_http_header){
            .name = line, .value = colon + 1 + strspn(colon + 1, " \t")};
    }
    return true;
}

static enum hl_http_got read_head(struct hl_http *http, int64_t until_ms,
                                  struct hl_http_reply *reply)
{
    size_t from = 0;
    size_t end = 0;
    enum hl_http_got got;

    do {
        from = end;
        got = receive_line(http, from, until_ms, &end);
    } while (got == HL_HTTP_REPLY && end != from + 2);
    if (got != HL_HTTP_REPLY)
        return got;
    reply->head = strndup(http->in, end);
    if (!reply->head)
        abort();
    forget(http, end);
    return read_headers(reply) ? HL_HTTP_REPLY : HL_HTTP_GARBAGE;
}

static void take_body(struct hl_http *http, struct hl_http_reply *reply, size_t size)
{
    reply->body = realloc(reply->body, reply->n_body + size + 1);
    if (!reply->body)
        abort();
    if (size > 0)
        memcpy(reply->body + reply->n_body, http->in, size);
    reply->n_body += size;
    reply->body[reply->n_body] = '\0';
}

static enum hl_http_got read_chunks(struct hl_http *http, int64_t until_ms,
                                    struct hl_http_reply *reply)
{
    for (;;) {
        size_t line;
        char *end;
        unsigned long size;
        enum hl_http_got got = receive_line(http, 0, until_ms, &line);

        if (got != HL_HTTP_REPLY)
            return got;
        size = strtoul(http->in, &end, 16);
        if (end == http->in || size > MAX_REPLY)
            return HL_HTTP_GARBAGE;
        got = receive_until(http, line + size + 2, until_ms);
        if (got != HL_HTTP_REPLY)
            return got;
        forget(http, line);
        take_body(http, reply, size);
        forget(http, size + 2);
        if (size == 0)
            return HL_HTTP_REPLY;
    }
}

static enum hl_http_got read_body(struct hl_http *http, int64_t until_ms,
                                  struct hl_http_reply *reply)
{
    const char *length = hl_http_header(reply, "Content-Length");
    const char *coding = hl_http_header(reply, "Transfer-Encoding");
    enum hl_http_got got = HL_HTTP_REPLY;
    size_t size = 0;

    if (coding && strcasecmp(coding, "chunked") == 0)
        return read_chunks(http, until_ms, reply);
    if (length) {
        size = strtoul(length, NULL, 10);
        if (size > MAX_REPLY)
            return HL_HTTP_GARBAGE;
        got = receive_until(http, size, until_ms);
    } else {
        while (got == HL_HTTP_REPLY)
            got = receive(http, until_ms);
        size = http->n_in;
        if (got == HL_HTTP_CLOSED)
            got = HL_HTTP_REPLY;
    }
    if (got != HL_HTTP_REPLY)
        return got;
    take_body(http, reply, size);
    if (size > 0)
        forget(http, size);
    return HL_HTTP_REPLY;
}

enum hl_http_got hl_http_read(struct hl_http *http, bool is_head, int64_t limit_ms,
                              struct hl_http_reply *ret_reply)
{
    int64_t until = hl_now_ms() + limit_ms;
    enum hl_http_got got;

    *ret_reply = (struct hl_http_reply){0};
    got = read_head(http, until, ret_reply);
    take_body(http, ret_reply, 0);
    if (got != HL_HTTP_REPLY || is_head || ret_reply->status < 200 ||
        ret_reply->status == 204 || ret_reply->status == 304)
        return got;
    return read_body(http, until, ret_reply);
}

enum hl_http_got hl_http_read_end(struct hl_http *http, int64_t limit_ms)
{
    enum hl_http_got got;

    if (http->n_in > 0)
        return HL_HTTP_REPLY;
    got = receive(http, hl_now_ms() + limit_ms);
    return got;
}

void hl_http_reply_done(struct hl_http_reply *reply)
{
    free(reply->head);
    free(reply->body);
    *reply = (struct hl_http_reply){0};
}

const char *hl_http_header(const struct hl_http_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->n_headers; i++)
        if (strcasecmp(reply->headers[i].name, name) == 0)
            return reply->headers[i].value;
    return NULL;
}

int hl_http_ask(unsigned port, const char *request, int64_t limit_ms,
                struct hl_http_reply *ret_reply)
{
    struct hl_http_reply reply = {0};
    struct hl_http http;
    enum hl_http_got got;
    int status;

    if (!hl_http_open(&http, port))
        return -(int)HL_HTTP_CLOSED;
    /* A server may answer and close before it has taken all: what counts is the reply. */
    (void)hl_http_send_text(&http, request);
    got = hl_http_read(&http, strncmp(request, "HEAD ", 5) == 0, limit_ms, &reply);
    hl_http_close(&http);
    status = got == HL_HTTP_REPLY ? reply.status : -(int)got;
    if (ret_reply)
        *ret_reply = reply;
    else
        hl_http_reply_done(&reply);
    return status;
}
