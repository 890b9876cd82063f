/* SPDX-License-Identifier: Apache-2.0 */
#include "server/caller.h"

#include "proto/alloc.h"
#include "proto/number.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HOST_SIZE = 256,
    PORT_SIZE = 6,
    PREFIX_SIZE = 512,
    READ_AT_ONCE = 64 << 10,
    LARGEST_HEAD = 64 << 10
};
#define LARGEST_REPLY ((size_t)1 << 30)

struct hl_caller {
    char host[HOST_SIZE];
    char port[PORT_SIZE];
    char prefix[PREFIX_SIZE]; /* without a slash at its end */
    const char *key;
    int fd; /* -1: not connected */
    struct hl_buf out;
    struct hl_buf in;
    struct hl_buf words; /* of a reply in chunks, joined */
};

/* ---- where it is ---- */

static enum hl_code refuse_url(const char *url, struct hl_err *err)
{
    return hl_fail(err, HL_INVALID, "\"%.200s\" is no address, it must be http://HOST:PORT",
                   url);
}

static bool take_part(char *to, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

static enum hl_code read_url(struct hl_caller *caller, const char *url, struct hl_err *err)
{
    static const char scheme[] = "http://";
    const char *host = url + sizeof scheme - 1, *end, *port;
    size_t host_len, port_len;

    if (strncmp(url, scheme, sizeof scheme - 1) != 0)
        return refuse_url(url, err);
    end = host + strcspn(host, "/");
    if (*host == '[') {
        host++;
        host_len = strcspn(host, "]/");
        port = host + host_len + (host[host_len] == ']');
    } else {
        host_len = strcspn(host, ":/");
        port = host + host_len;
    }
    port_len = *port == ':' ? (size_t)(end - port) - 1 : 0;
    if (host_len == 0 || (port < end && *port != ':') || (*port == ':' && port_len == 0) ||
        strspn(port + 1, "0123456789") < port_len ||
        !take_part(caller->host, sizeof caller->host, host, host_len) ||
        !take_part(caller->port, sizeof caller->port, port_len ? port + 1 : "6333",
                   port_len ? port_len : 4))
        return refuse_url(url, err);
    port_len = strlen(end);
    while (port_len > 0 && end[port_len - 1] == '/')
        port_len--;
    return take_part(caller->prefix, sizeof caller->prefix, end, port_len)
               ? HL_OK
               : refuse_url(url, err);
}

enum hl_code hl_caller_new(const char *url, const char *key, struct hl_caller **ret_caller,
                           struct hl_err *err)
{
    struct hl_caller *caller = hl_alloc_zeroed(1, sizeof *caller);
    enum hl_code code;

    if (!caller)
        return hl_fail(err, HL_NO_MEMORY, "no memory to call a server");
    caller->fd = -1;
    caller->key = key;
    hl_buf_init(&caller->out, LARGEST_REPLY);
    hl_buf_init(&caller->in, LARGEST_REPLY);
    hl_buf_init(&caller->words, LARGEST_REPLY);
    code = read_url(caller, url, err);
    if (code != HL_OK) {
        hl_caller_free(caller);
        return code;
    }
    *ret_caller = caller;
    return HL_OK;
}

static void hang_up(struct hl_caller *caller)
{
    if (caller->fd >= 0)
        close(caller->fd);
    caller->fd = -1;
}

void hl_caller_free(struct hl_caller *caller)
{
    if (!caller)
        return;
    hang_up(caller);
    hl_buf_done(&caller->out);
    hl_buf_done(&caller->in);
    hl_buf_done(&caller->words);
    hl_free(caller);
}

/* ---- the socket ---- */

static int connect_to(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
        return fd;
    close(fd);
    return -1;
}

static enum hl_code dial(struct hl_caller *caller, struct hl_err *err)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    int failed = getaddrinfo(caller->host, caller->port, &wanted, &addresses);

    if (failed != 0)
        return hl_fail(err, HL_UNAVAILABLE, "could not find \"%s\": %s", caller->host,
                       gai_strerror(failed));
    for (const struct addrinfo *a = addresses; a && caller->fd < 0; a = a->ai_next)
        caller->fd = connect_to(a);
    failed = errno;
    freeaddrinfo(addresses);
    if (caller->fd >= 0)
        return HL_OK;
    return hl_fail(err, HL_UNAVAILABLE, "could not reach a server at %s port %s: %s",
                   caller->host, caller->port,
                   strerrordesc_np(failed) ? strerrordesc_np(failed) : "unknown error");
}

static bool send_bytes(const struct hl_caller *caller, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(caller->fd, bytes, size, MSG_NOSIGNAL);

        if (sent < 0 && errno != EINTR)
            return false;
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        }
    }
    return true;
}

static enum hl_code fail_gone(const struct hl_caller *caller, struct hl_err *err)
{
    return hl_fail(err, HL_UNAVAILABLE, "the server at %s port %s closed the connection",
                   caller->host, caller->port);
}

/* More bytes of the reply. */
static enum hl_code receive(struct hl_caller *caller, int patience_s, struct hl_err *err)
{
    struct pollfd ready = {.fd = caller->fd, .events = POLLIN};
    char *room = hl_buf_reserve(&caller->in, READ_AT_ONCE);
    ssize_t got;

    if (!room)
        return hl_buf_check(&caller->in, "the reply", err);
    if (poll(&ready, 1, patience_s * 1000) == 0)
        return hl_fail(err, HL_TIMEOUT, "the server said nothing for %d seconds",
                       patience_s);
    got = recv(caller->fd, room, READ_AT_ONCE, 0);
    if (got <= 0)
        return fail_gone(caller, err);
    caller->in.len += (size_t)got;
    caller->in.data[caller->in.len] = '\0';
    return HL_OK;
}

static enum hl_code receive_until(struct hl_caller *caller, size_t len, int patience_s,
                                  struct hl_err *err)
{
    enum hl_code code = HL_OK;

    while (code == HL_OK && caller->in.len < len)
        code = receive(caller, patience_s, err);
    return code;
}

/* ---- a reply ---- */

struct head {
    size_t len;
    size_t body_len; /* SIZE_MAX: in chunks */
    bool must_close;
    struct hl_called called;
};

static enum hl_code fail_garbled(const char *what, struct hl_err *err)
{
    return hl_fail(err, HL_UNAVAILABLE, "what answered is no server of ours: %s", what);
}

/* The value of a header line, or NULL. */
static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);

    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    line += len + 1;
    return line + strspn(line, " \t");
}

static enum hl_code read_count(const char *digits, uint64_t *ret_count, struct hl_err *err)
{
    if (!hl_number_u64(digits, strspn(digits, "0123456789"), ret_count))
        return fail_garbled("a header without its number", err);
    return HL_OK;
}

static enum hl_code read_header(const char *line, struct head *head, struct hl_err *err)
{
    const char *value;
    uint64_t count = 0;
    enum hl_code code = HL_OK;

    if ((value = value_of(line, "Content-Length"))) {
        code = read_count(value, &count, err);
        head->body_len = (size_t)count;
    } else if ((value = value_of(line, "Retry-After"))) {
        code = read_count(value, &count, err);
        head->called.retry_after_s = count < 3600 ? (int)count : 3600;
    } else if (value_of(line, "Transfer-Encoding")) {
        head->body_len = SIZE_MAX;
    } else if ((value = value_of(line, "Connection"))) {
        head->must_close = strncasecmp(value, "close", 5) == 0;
    }
    return code;
}

static enum hl_code read_head(struct hl_caller *caller, int patience_s, struct head *head,
                              struct hl_err *err)
{
    const char *end = NULL, *line;
    uint64_t status = 0;
    enum hl_code code = HL_OK;

    while (code == HL_OK && !(end = strstr(caller->in.data, "\r\n\r\n"))) {
        if (caller->in.len > LARGEST_HEAD)
            return fail_garbled("its head does not end", err);
        code = receive(caller, patience_s, err);
    }
    if (code != HL_OK)
        return code;
    head->len = (size_t)(end - caller->in.data) + 4;
    if (strncmp(caller->in.data, "HTTP/1.", 7) != 0 || head->len < 16 ||
        !hl_number_u64(caller->in.data + 9, 3, &status))
        return fail_garbled("it does not begin with a status", err);
    head->called.status = (int)status;
    for (line = strstr(caller->in.data, "\r\n"); code == HL_OK && line < end;
         line = strstr(line + 2, "\r\n"))
        code = read_header(line + 2, head, err);
    return code;
}

/* One chunk's length line at `at`: where its bytes begin, and how many. */
static enum hl_code read_chunk_line(struct hl_caller *caller, size_t at, int patience_s,
                                    size_t *ret_begin, size_t *ret_len, struct hl_err *err)
{
    const char *end;
    size_t len = 0;
    enum hl_code code = HL_OK;

    while (code == HL_OK && !(end = strstr(caller->in.data + at, "\r\n")))
        code = receive(caller, patience_s, err);
    if (code != HL_OK)
        return code;
    for (const char *c = caller->in.data + at; isxdigit((unsigned char)*c); c++) {
        len = len * 16 +
              (size_t)(isdigit((unsigned char)*c) ? *c - '0' : (*c | 32) - 'a' + 10);
        if (len > LARGEST_REPLY)
            return fail_garbled("a chunk without end", err);
    }
    *ret_begin = (size_t)(end - caller->in.data) + 2;
    *ret_len = len;
    return HL_OK;
}

static enum hl_code read_chunks(struct hl_caller *caller, size_t at, int patience_s,
                                struct hl_err *err)
{
    size_t begin = at, len = 1;
    enum hl_code code = HL_OK;

    hl_buf_clear(&caller->words, READ_AT_ONCE);
    while (code == HL_OK && len > 0) {
        code = read_chunk_line(caller, at, patience_s, &begin, &len, err);
        if (code == HL_OK)
            code = receive_until(caller, begin + len + 2, patience_s, err);
        if (code == HL_OK)
            hl_buf_add(&caller->words, caller->in.data + begin, len);
        at = begin + len + 2;
    }
    return code == HL_OK ? hl_buf_check(&caller->words, "the reply", err) : code;
}

/* The body, handed on as it comes. */
static enum hl_code pass_on(struct hl_caller *caller, const struct hl_call *call,
                            const struct head *head, struct hl_err *err)
{
    size_t begin = head->len, left = head->body_len;
    enum hl_code code = HL_OK;

    if (left == SIZE_MAX)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "the server at %s port %s does not say how long the reply is",
                       caller->host, caller->port);
    while (code == HL_OK && left > 0) {
        size_t n = caller->in.len - begin;

        n = n < left ? n : left;
        code = call->take(call->self, caller->in.data + begin, n, err);
        left -= n;
        begin = 0;
        hl_buf_clear(&caller->in, READ_AT_ONCE);
        if (code == HL_OK && left > 0)
            code = receive(caller, call->patience_s, err);
    }
    return code;
}

static enum hl_code read_reply(struct hl_caller *caller, const struct hl_call *call,
                               struct hl_called *ret_called, struct hl_err *err)
{
    const int patience_s = call->patience_s;
    struct head head = {0};
    enum hl_code code;

    hl_buf_clear(&caller->in, READ_AT_ONCE);
    code = read_head(caller, patience_s, &head, err);
    if (code == HL_OK && call->take && head.called.status / 100 == 2) {
        code = pass_on(caller, call, &head, err);
        hang_up(caller);
        if (code == HL_OK)
            *ret_called = head.called;
        return code;
    }
    if (code == HL_OK && head.body_len > LARGEST_REPLY && head.body_len != SIZE_MAX)
        return hl_fail(err, HL_TOO_LARGE, "the reply has %zu bytes", head.body_len);
    if (code == HL_OK && head.body_len == SIZE_MAX) {
        code = read_chunks(caller, head.len, patience_s, err);
        head.called.body = (struct hl_span){caller->words.data, caller->words.len};
    } else if (code == HL_OK) {
        code = receive_until(caller, head.len + head.body_len, patience_s, err);
        head.called.body = (struct hl_span){caller->in.data + head.len, head.body_len};
    }
    if (code != HL_OK || head.must_close)
        hang_up(caller);
    if (code == HL_OK)
        *ret_called = head.called;
    return code;
}

/* ---- a request ---- */

static enum hl_code print_request(struct hl_caller *caller, const struct hl_call *call,
                                  struct hl_err *err)
{
    struct hl_buf *out = &caller->out;

    hl_buf_clear(out, READ_AT_ONCE);
    hl_buf_print(out, "%s %s%s HTTP/1.1\r\nHost: %s:%s\r\n", call->method, caller->prefix,
                 call->path, caller->host, caller->port);
    if (caller->key)
        hl_buf_print(out, "api-key: %s\r\n", caller->key);
    if (call->body.len > 0)
        hl_buf_print(out, "Content-Type: application/json\r\n");
    hl_buf_print(out, "Content-Length: %zu\r\n\r\n", call->body.len);
    return hl_buf_check(out, "the request", err);
}

static enum hl_code try_once(struct hl_caller *caller, const struct hl_call *call,
                             struct hl_called *ret_called, struct hl_err *err)
{
    enum hl_code code = caller->fd < 0 ? dial(caller, err) : HL_OK;

    if (code != HL_OK)
        return code;
    /* A server may answer and close before it has taken all: what counts is the reply. */
    (void)(send_bytes(caller, caller->out.data, caller->out.len) &&
           send_bytes(caller, call->body.data, call->body.len));
    code = read_reply(caller, call, ret_called, err);
    if (code != HL_OK)
        hang_up(caller);
    return code;
}

enum hl_code hl_caller_ask(struct hl_caller *caller, const struct hl_call *call,
                           struct hl_called *ret_called, struct hl_err *err)
{
    bool was_open = caller->fd >= 0;
    enum hl_code code = print_request(caller, call, err);

    if (code != HL_OK)
        return code;
    code = try_once(caller, call, ret_called, err);
    /* A connection that rested may have been closed just now; nothing came back on it. */
    if (code == HL_UNAVAILABLE && was_open && caller->in.len == 0)
        code = try_once(caller, call, ret_called, err);
    return code;
}

void hl_caller_escape(const char *text, struct hl_buf *buf)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("-._~", c))
            hl_buf_add_char(buf, (char)c);
        else
            hl_buf_print(buf, "%%%02X", c);
    }
}
