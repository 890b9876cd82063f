/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/client.h"

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

static bool open_socket(struct hl_client *client, unsigned port, int receive_bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;

    *client = (struct hl_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (client->fd < 0)
        return false;
    if (receive_bytes > 0)
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(client->fd, (const struct sockaddr *)&address, sizeof address) == 0)
        return true;
    hl_client_close(client);
    return false;
}

bool hl_client_open(struct hl_client *client, unsigned port)
{
    return open_socket(client, port, 0);
}

bool hl_client_open_narrow(struct hl_client *client, unsigned port, int receive_bytes)
{
    return open_socket(client, port, receive_bytes);
}

void hl_client_close(struct hl_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    free(client->in);
    *client = (struct hl_client){.fd = -1};
}

void hl_client_shut(struct hl_client *client)
{
    shutdown(client->fd, SHUT_WR);
}

bool hl_client_send(struct hl_client *client, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        struct pollfd ready = {.fd = client->fd, .events = POLLOUT};
        ssize_t sent = send(client->fd, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
        } else if ((errno != EAGAIN && errno != EINTR) ||
                   poll(&ready, 1, SEND_LIMIT_MS) == 0) {
            return false;
        }
    }
    return true;
}

bool hl_client_send_text(struct hl_client *client, const char *text)
{
    return hl_client_send(client, text, strlen(text));
}

/* More bytes into `in`, which stays terminated. */
static enum hl_client_got receive(struct hl_client *client, int64_t until_ms)
{
    int64_t left = until_ms - hl_now_ms();
    struct pollfd ready = {.fd = client->fd, .events = POLLIN};
    ssize_t got;

    if (poll(&ready, 1, left > 0 ? (int)left : 0) <= 0)
        return HL_CLIENT_LATE;
    if (client->cap < client->n_in + READ_AT_ONCE + 1) {
        client->cap = 2 * client->cap + READ_AT_ONCE + 1;
        client->in = realloc(client->in, client->cap);
        if (!client->in)
            abort();
    }
    got = recv(client->fd, client->in + client->n_in, READ_AT_ONCE, 0);
    if (got <= 0)
        return HL_CLIENT_CLOSED;
    client->n_in += (size_t)got;
    client->in[client->n_in] = '\0';
    return client->n_in > MAX_REPLY ? HL_CLIENT_GARBAGE : HL_CLIENT_REPLY;
}

static enum hl_client_got receive_until(struct hl_client *client, size_t size,
                                        int64_t until_ms)
{
    enum hl_client_got got = HL_CLIENT_REPLY;

    while (got == HL_CLIENT_REPLY && client->n_in < size)
        got = receive(client, until_ms);
    return got;
}

/* The offset behind the next CR LF, counted from `from`. */
static enum hl_client_got receive_line(struct hl_client *client, size_t from,
                                       int64_t until_ms, size_t *ret_end)
{
    enum hl_client_got got = HL_CLIENT_REPLY;

    while (got == HL_CLIENT_REPLY) {
        const char *end = client->n_in > from
                              ? memmem(client->in + from, client->n_in - from, "\r\n", 2)
                              : NULL;

        if (end) {
            *ret_end = (size_t)(end - client->in) + 2;
            return HL_CLIENT_REPLY;
        }
        got = receive(client, until_ms);
    }
    return got;
}

static void forget(struct hl_client *client, size_t size)
{
    client->n_in -= size;
    memmove(client->in, client->in + size, client->n_in + 1);
}

static bool read_headers(struct hl_client_reply *reply)
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

        if (!colon || reply->n_headers == HL_CLIENT_MAX_HEADERS)
            return false;
        *colon = '\0';
        colon[1 + strcspn(colon + 1, "\r")] = '\0';
        reply->headers[reply->n_headers++] = (struct hl_client_header){
            .name = line, .value = colon + 1 + strspn(colon + 1, " \t")};
    }
    return true;
}

static enum hl_client_got read_head(struct hl_client *client, int64_t until_ms,
                                    struct hl_client_reply *reply)
{
    size_t from = 0;
    size_t end = 0;
    enum hl_client_got got;

    do {
        from = end;
        got = receive_line(client, from, until_ms, &end);
    } while (got == HL_CLIENT_REPLY && end != from + 2);
    if (got != HL_CLIENT_REPLY)
        return got;
    reply->head = strndup(client->in, end);
    if (!reply->head)
        abort();
    forget(client, end);
    return read_headers(reply) ? HL_CLIENT_REPLY : HL_CLIENT_GARBAGE;
}

static void take_body(struct hl_client *client, struct hl_client_reply *reply, size_t size)
{
    reply->body = realloc(reply->body, reply->n_body + size + 1);
    if (!reply->body)
        abort();
    if (size > 0)
        memcpy(reply->body + reply->n_body, client->in, size);
    reply->n_body += size;
    reply->body[reply->n_body] = '\0';
}

static enum hl_client_got read_chunks(struct hl_client *client, int64_t until_ms,
                                      struct hl_client_reply *reply)
{
    for (;;) {
        size_t line;
        char *end;
        unsigned long size;
        enum hl_client_got got = receive_line(client, 0, until_ms, &line);

        if (got != HL_CLIENT_REPLY)
            return got;
        size = strtoul(client->in, &end, 16);
        if (end == client->in || size > MAX_REPLY)
            return HL_CLIENT_GARBAGE;
        got = receive_until(client, line + size + 2, until_ms);
        if (got != HL_CLIENT_REPLY)
            return got;
        forget(client, line);
        take_body(client, reply, size);
        forget(client, size + 2);
        if (size == 0)
            return HL_CLIENT_REPLY;
    }
}

static enum hl_client_got read_body(struct hl_client *client, int64_t until_ms,
                                    struct hl_client_reply *reply)
{
    const char *length = hl_client_header(reply, "Content-Length");
    const char *coding = hl_client_header(reply, "Transfer-Encoding");
    enum hl_client_got got = HL_CLIENT_REPLY;
    size_t size = 0;

    if (coding && strcasecmp(coding, "chunked") == 0)
        return read_chunks(client, until_ms, reply);
    if (length) {
        size = strtoul(length, NULL, 10);
        if (size > MAX_REPLY)
            return HL_CLIENT_GARBAGE;
        got = receive_until(client, size, until_ms);
    } else {
        while (got == HL_CLIENT_REPLY)
            got = receive(client, until_ms);
        size = client->n_in;
        if (got == HL_CLIENT_CLOSED)
            got = HL_CLIENT_REPLY;
    }
    if (got != HL_CLIENT_REPLY)
        return got;
    take_body(client, reply, size);
    if (size > 0)
        forget(client, size);
    return HL_CLIENT_REPLY;
}

enum hl_client_got hl_client_read(struct hl_client *client, bool is_head, int64_t limit_ms,
                                  struct hl_client_reply *ret_reply)
{
    int64_t until = hl_now_ms() + limit_ms;
    enum hl_client_got got;

    *ret_reply = (struct hl_client_reply){0};
    got = read_head(client, until, ret_reply);
    take_body(client, ret_reply, 0);
    if (got != HL_CLIENT_REPLY || is_head || ret_reply->status < 200 ||
        ret_reply->status == 204 || ret_reply->status == 304)
        return got;
    return read_body(client, until, ret_reply);
}

enum hl_client_got hl_client_read_end(struct hl_client *client, int64_t limit_ms)
{
    enum hl_client_got got;

    if (client->n_in > 0)
        return HL_CLIENT_REPLY;
    got = receive(client, hl_now_ms() + limit_ms);
    return got;
}

void hl_client_reply_done(struct hl_client_reply *reply)
{
    free(reply->head);
    free(reply->body);
    *reply = (struct hl_client_reply){0};
}

const char *hl_client_header(const struct hl_client_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->n_headers; i++)
        if (strcasecmp(reply->headers[i].name, name) == 0)
            return reply->headers[i].value;
    return NULL;
}

int hl_client_ask(unsigned port, const char *request, int64_t limit_ms,
                  struct hl_client_reply *ret_reply)
{
    struct hl_client_reply reply = {0};
    struct hl_client client;
    enum hl_client_got got;
    int status;

    if (!hl_client_open(&client, port))
        return -(int)HL_CLIENT_CLOSED;
    /* A server may answer and close before it has taken all: what counts is the reply. */
    (void)hl_client_send_text(&client, request);
    got = hl_client_read(&client, strncmp(request, "HEAD ", 5) == 0, limit_ms, &reply);
    hl_client_close(&client);
    status = got == HL_CLIENT_REPLY ? reply.status : -(int)got;
    if (ret_reply)
        *ret_reply = reply;
    else
        hl_client_reply_done(&reply);
    return status;
}
