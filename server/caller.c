/* SPDX-License-Identifier: Apache-2.0 */
#include "server/caller.h"

#include "proto/alloc.h"
#include "server/address.h"
#include "server/reply_head.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_AT_ONCE = 64 << 10 };
#define LARGEST_REPLY ((size_t)1 << 30)

struct hl_caller {
    struct hl_address address;
    const char *key;
    int fd; /* -1: not connected */
    struct hl_buf out;
    struct hl_buf in;
    struct hl_buf words; /* of a reply in chunks, joined */
};

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
    code = hl_address_read(url, &caller->address, err);
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
                   caller->address.host, caller->address.port);
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

static enum hl_code read_head(struct hl_caller *caller, int patience_s,
                              struct hl_reply_head *head, struct hl_err *err)
{
    enum hl_code code = hl_reply_head_read(caller->in.data, caller->in.len, head, err);

    while (code == HL_OK && head->len == 0) {
        code = receive(caller, patience_s, err);
        if (code == HL_OK)
            code = hl_reply_head_read(caller->in.data, caller->in.len, head, err);
    }
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
            return hl_fail(err, HL_UNAVAILABLE,
                           "what answered is no server of ours: a chunk without end");
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
                            const struct hl_reply_head *head, struct hl_err *err)
{
    size_t begin = head->len, left = head->body_len;
    enum hl_code code = HL_OK;

    if (left == HL_REPLY_IN_CHUNKS)
        return hl_fail(err, HL_NOT_SUPPORTED,
                       "the server at %s port %s does not say how long the reply is",
                       caller->address.host, caller->address.port);
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
    struct hl_reply_head head = {0};
    struct hl_called called;
    enum hl_code code;

    hl_buf_clear(&caller->in, READ_AT_ONCE);
    code = read_head(caller, patience_s, &head, err);
    called = (struct hl_called){.status = head.status, .retry_after_s = head.retry_after_s};
    if (code == HL_OK && call->take && head.status / 100 == 2) {
        code = pass_on(caller, call, &head, err);
        hang_up(caller);
        if (code == HL_OK)
            *ret_called = called;
        return code;
    }
    if (code == HL_OK && head.body_len > LARGEST_REPLY &&
        head.body_len != HL_REPLY_IN_CHUNKS)
        return hl_fail(err, HL_TOO_LARGE, "the reply has %zu bytes", head.body_len);
    if (code == HL_OK && head.body_len == HL_REPLY_IN_CHUNKS) {
        code = read_chunks(caller, head.len, patience_s, err);
        called.body = (struct hl_span){caller->words.data, caller->words.len};
    } else if (code == HL_OK) {
        code = receive_until(caller, head.len + head.body_len, patience_s, err);
        called.body = (struct hl_span){caller->in.data + head.len, head.body_len};
    }
    if (code != HL_OK || head.must_close)
        hang_up(caller);
    if (code == HL_OK)
        *ret_called = called;
    return code;
}

/* ---- a request ---- */

static enum hl_code print_request(struct hl_caller *caller, const struct hl_call *call,
                                  struct hl_err *err)
{
    const struct hl_request_head head = {.method = call->method,
                                         .path = call->path,
                                         .type =
                                             call->body.len > 0 ? "application/json" : NULL,
                                         .key = caller->key};
    struct hl_buf *out = &caller->out;

    hl_buf_clear(out, READ_AT_ONCE);
    hl_address_print_head(&caller->address, &head, out);
    hl_buf_print(out, "%zu\r\n\r\n", call->body.len);
    return hl_buf_check(out, "the request", err);
}

static enum hl_code try_once(struct hl_caller *caller, const struct hl_call *call,
                             struct hl_called *ret_called, struct hl_err *err)
{
    enum hl_code code =
        caller->fd < 0 ? hl_address_dial(&caller->address, &caller->fd, err) : HL_OK;

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
