/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench_line.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { READ_AT_ONCE = 64 << 10 };
#define LARGEST ((size_t)1 << 30)

void hl_bench_line_init(struct hl_bench_line *line, int epoll,
                        const struct hl_bench_peer *peer, void *self)
{
    *line = (struct hl_bench_line){.peer = peer, .self = self, .epoll = epoll, .fd = -1};
    hl_buf_init(&line->out, LARGEST);
    hl_buf_init(&line->in, LARGEST);
}

void hl_bench_line_done(struct hl_bench_line *line)
{
    hl_bench_line_close(line);
    hl_buf_done(&line->out);
    hl_buf_done(&line->in);
}

void hl_bench_line_close(struct hl_bench_line *line)
{
    if (line->fd >= 0)
        close(line->fd);
    line->fd = -1;
    line->waits_to_send = line->has_answered = false;
    line->sent = line->out.len;
}

static enum hl_bench_state lose(struct hl_bench_line *line)
{
    hl_bench_line_close(line);
    return HL_BENCH_LOST;
}

static enum hl_bench_state lose_by(struct hl_bench_line *line, int error, const char *what)
{
    const char *why = strerrordesc_np(error);

    (void)hl_fail(&line->lost, HL_UNAVAILABLE, "%s: %s", what, why ? why : "unknown error");
    return lose(line);
}

static bool watch(struct hl_bench_line *line, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = line->self};

    return epoll_ctl(line->epoll, how, line->fd, &event) == 0;
}

static bool dial(struct hl_bench_line *line)
{
    int one = 1;

    line->fd = socket(line->peer->address.ss_family,
                      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (line->fd < 0)
        return false;
    (void)setsockopt(line->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(line->fd, (const struct sockaddr *)&line->peer->address, line->peer->len) !=
            0 &&
        errno != EINPROGRESS)
        return false;
    return watch(line, EPOLL_CTL_ADD, EPOLLIN);
}

/* A server may answer and close before it has taken all, and what counts is the reply: an
 * error of sending shows when that is received. */
static void push(struct hl_bench_line *line)
{
    bool waits = false;

    while (!waits && line->sent < line->out.len) {
        ssize_t n = send(line->fd, line->out.data + line->sent, line->out.len - line->sent,
                         MSG_NOSIGNAL);

        if (n >= 0)
            line->sent += (size_t)n;
        else if (errno == EAGAIN)
            waits = true;
        else if (errno != EINTR)
            line->sent = line->out.len;
    }
    if (waits != line->waits_to_send)
        (void)watch(line, EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
    line->waits_to_send = waits;
}

enum hl_bench_state hl_bench_line_send(struct hl_bench_line *line)
{
    if (hl_buf_check(&line->out, "a request", &line->lost) != HL_OK)
        return lose(line);
    if (line->fd < 0 && !dial(line))
        return lose_by(line, errno, "could not open a connection");
    hl_buf_clear(&line->in, (size_t)READ_AT_ONCE * 16);
    line->head = (struct hl_reply_head){0};
    line->sent = 0;
    push(line);
    return HL_BENCH_WAITS;
}

static enum hl_bench_state take_bytes(struct hl_bench_line *line)
{
    struct hl_reply_head *head = &line->head;

    line->in.data[line->in.len] = '\0';
    if (head->len == 0 &&
        hl_reply_head_read(line->in.data, line->in.len, head, &line->lost) != HL_OK)
        return lose(line);
    if (head->len > 0 && head->body_len > LARGEST) {
        (void)hl_fail(&line->lost, HL_NOT_SUPPORTED,
                      "a reply that does not say its length, or a very long one");
        return lose(line);
    }
    if (head->len == 0 || line->in.len < head->len + head->body_len)
        return HL_BENCH_WAITS;
    line->has_answered = true;
    if (head->must_close)
        hl_bench_line_close(line);
    return HL_BENCH_ANSWERED;
}

enum hl_bench_state hl_bench_line_take(struct hl_bench_line *line, uint32_t events)
{
    char *room = hl_buf_reserve(&line->in, READ_AT_ONCE);
    ssize_t got;

    if (line->waits_to_send && (events & EPOLLOUT))
        push(line);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return HL_BENCH_WAITS;
    if (!room) {
        (void)hl_buf_check(&line->in, "a reply", &line->lost);
        return lose(line);
    }
    got = recv(line->fd, room, READ_AT_ONCE, 0);
    if (got > 0) {
        line->in.len += (size_t)got;
        return take_bytes(line);
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return HL_BENCH_WAITS;
    if (line->has_answered && line->in.len == 0) {
        hl_bench_line_close(line);
        return hl_bench_line_send(line);
    }
    if (got < 0)
        return lose_by(line, errno, "the connection was lost");
    (void)hl_fail(&line->lost, HL_UNAVAILABLE, "the server closed the connection");
    return lose(line);
}

struct hl_span hl_bench_line_body(const struct hl_bench_line *line)
{
    return (struct hl_span){line->in.data + line->head.len, line->head.body_len};
}
