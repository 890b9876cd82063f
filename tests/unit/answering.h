/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_ANSWERING_H
#define HL_TESTS_UNIT_ANSWERING_H

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A server of the test's own: a thread that answers every request with what a function
 * says, and may do all that a server should not. For tests that include cmocka. */

enum { HL_ANSWERING_LINES = 64, HL_ANSWERING_MS = 10, HL_ANSWERING_ROOM = 64 << 10 };

struct hl_answering {
    const char *(*reply)(void *self, const char *request); /* NULL: nothing at all */
    void *self;
    bool is_piecemeal; /* byte by byte */
    bool hangs_up;     /* behind each reply */
    int listener;
    char port[6];
    pthread_t thread;
    atomic_bool must_end;
    atomic_int n_connections;
};

/* A port of its own, at which nobody listens yet. */
static inline void hl_answering_init(struct hl_answering *answering)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof to;

    *answering = (struct hl_answering){.listener = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(answering->listener, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(getsockname(answering->listener, (struct sockaddr *)&to, &len), 0);
    snprintf(answering->port, sizeof answering->port, "%d", ntohs(to.sin_port));
}

static inline void hl_answering_done(struct hl_answering *answering)
{
    close(answering->listener);
}

/* How long a request is of which `request` is the beginning; 0: its head is not there. */
static inline size_t hl_answering_length(const char *request)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strstr(request, "\r\nContent-Length: ");

    if (!end)
        return 0;
    return (size_t)(end + 4 - request) + (length ? strtoul(length + 18, NULL, 10) : 0);
}

/* One request, its beginning as text. False: the line has gone. */
static inline bool hl_answering_read(int fd, char request[HL_ANSWERING_ROOM])
{
    static _Thread_local char rest[HL_ANSWERING_ROOM];
    size_t len = 0, wanted = 0;
    ssize_t n = 1;

    request[0] = '\0';
    while (n > 0 && (wanted == 0 || len < wanted)) {
        const bool has_room = len + 1 < HL_ANSWERING_ROOM;

        n = has_room ? recv(fd, request + len, HL_ANSWERING_ROOM - 1 - len, 0)
                     : recv(fd, rest, sizeof rest, 0);
        len += n > 0 ? (size_t)n : 0;
        if (has_room)
            request[len] = '\0';
        if (wanted == 0)
            wanted = hl_answering_length(request);
    }
    return n > 0;
}

/* False: the line has gone. */
static inline bool hl_answering_serve(struct hl_answering *answering, int fd)
{
    static _Thread_local char request[HL_ANSWERING_ROOM];
    const bool is_there = hl_answering_read(fd, request);
    const char *reply = is_there ? answering->reply(answering->self, request) : NULL;
    const size_t len = reply ? strlen(reply) : 0;

    for (size_t at = 0; at < len; at += answering->is_piecemeal ? 1 : len)
        (void)send(fd, reply + at, answering->is_piecemeal ? 1 : len, MSG_NOSIGNAL);
    if (is_there && !answering->hangs_up)
        return true;
    close(fd);
    return false;
}

static inline void *hl_answering_run(void *self)
{
    struct hl_answering *answering = self;
    struct pollfd lines[HL_ANSWERING_LINES] = {
        {.fd = answering->listener, .events = POLLIN}};
    nfds_t n = 1;

    while (!answering->must_end) {
        if (poll(lines, n, HL_ANSWERING_MS) <= 0)
            continue;
        for (nfds_t i = n; i-- > 1;)
            if (lines[i].revents && !hl_answering_serve(answering, lines[i].fd))
                lines[i] = lines[--n];
        if (lines[0].revents && n < HL_ANSWERING_LINES) {
            lines[n].fd = accept(answering->listener, NULL, NULL);
            lines[n].events = POLLIN;
            n += lines[n].fd >= 0;
            answering->n_connections++;
        }
    }
    while (n > 1)
        close(lines[--n].fd);
    return NULL;
}

static inline void hl_answering_begin(struct hl_answering *answering)
{
    answering->must_end = false;
    assert_int_equal(listen(answering->listener, HL_ANSWERING_LINES), 0);
    assert_int_equal(pthread_create(&answering->thread, NULL, hl_answering_run, answering),
                     0);
}

static inline void hl_answering_end(struct hl_answering *answering)
{
    answering->must_end = true;
    pthread_join(answering->thread, NULL);
}

#endif
