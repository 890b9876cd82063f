/* SPDX-License-Identifier: Apache-2.0 */
#include "server/listen.h"

#include "proto/alloc.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* When accepting fails for want of descriptors or memory, the connection stays in the queue
 * and the socket stays readable: without a pause the thread would spin. */
enum { PAUSE_MS = 50 };

struct hl_listener {
    int socket;
    int stop; /* an eventfd, readable when the thread is to end */
    uint16_t port;
    bool is_running;
    struct hl_accepted accepted;
    pthread_t thread;
};

static enum hl_code bind_to(struct hl_listener *listener, const struct addrinfo *address,
                            struct hl_err *err)
{
    const int on = 1;
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char port[8] = "";

    listener->socket =
        socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener->socket < 0)
        return hl_fail_errno(err, errno, "could not make a socket");
    (void)setsockopt(listener->socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener->socket, address->ai_addr, address->ai_addrlen) != 0 ||
        listen(listener->socket, SOMAXCONN) != 0 ||
        getsockname(listener->socket, (struct sockaddr *)&bound, &size) != 0)
        return hl_fail_errno(err, errno, "could not listen there");
    if (getnameinfo((struct sockaddr *)&bound, size, NULL, 0, port, sizeof port,
                    NI_NUMERICSERV) == 0)
        listener->port = (uint16_t)strtoul(port, NULL, 10);
    return HL_OK;
}

static enum hl_code resolve_and_bind(struct hl_listener *listener, const char *host,
                                     uint16_t port, struct hl_err *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    char service[8];
    enum hl_code code;
    int error;

    snprintf(service, sizeof service, "%u", (unsigned)port);
    error = getaddrinfo(host, service, &hints, &addresses);
    if (error)
        return hl_fail(err, HL_WRONG_INPUT, "cannot listen on host \"%s\": %s", host,
                       gai_strerror(error));
    code = bind_to(listener, addresses, err);
    freeaddrinfo(addresses);
    if (code != HL_OK)
        return hl_fail_in(err, "host \"%s\" port %u", host, (unsigned)port);
    listener->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return listener->stop < 0 ? hl_fail_errno(err, errno, "could not make an eventfd")
                              : HL_OK;
}

enum hl_code hl_listener_open(const char *host, uint16_t port,
                              struct hl_listener **ret_listener, struct hl_err *err)
{
    struct hl_listener *listener = hl_alloc_zeroed(1, sizeof *listener);
    enum hl_code code;

    if (!listener)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the listening socket");
    listener->socket = listener->stop = -1;
    code = resolve_and_bind(listener, host, port, err);
    if (code != HL_OK) {
        hl_listener_close(listener);
        return code;
    }
    *ret_listener = listener;
    return HL_OK;
}

uint16_t hl_listener_port(const struct hl_listener *listener)
{
    return listener->port;
}

/* Takes everything that has connected. False when something went wrong that only time can
 * mend. */
static bool accept_all(struct hl_listener *listener)
{
    for (;;) {
        struct sockaddr_storage address;
        socklen_t size = sizeof address;
        int fd = accept4(listener->socket, (struct sockaddr *)&address, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            listener->accepted.give(listener->accepted.to, fd, (struct sockaddr *)&address,
                                    size);
        else if (errno == EAGAIN)
            return true;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return false;
        /* Any other error is that of one connection, which is gone. */
    }
}

static void *accept_main(void *arg)
{
    struct hl_listener *listener = arg;
    struct pollfd fds[] = {{.fd = listener->stop, .events = POLLIN},
                           {.fd = listener->socket, .events = POLLIN}};
    bool is_well = true;

    while (!(fds[0].revents & POLLIN)) {
        /* While it is not well only the order to stop is waited for. */
        (void)poll(fds, is_well ? 2 : 1, is_well ? -1 : PAUSE_MS);
        is_well = accept_all(listener);
    }
    return NULL;
}

enum hl_code hl_listener_start(struct hl_listener *listener,
                               const struct hl_accepted *accepted, struct hl_err *err)
{
    int error;

    listener->accepted = *accepted;
    error = pthread_create(&listener->thread, NULL, accept_main, listener);
    if (error)
        return hl_fail_errno(err, error, "could not start the thread that accepts");
    listener->is_running = true;
    return HL_OK;
}

void hl_listener_stop(struct hl_listener *listener)
{
    if (listener->is_running) {
        (void)eventfd_write(listener->stop, 1);
        pthread_join(listener->thread, NULL);
        listener->is_running = false;
    }
    if (listener->socket >= 0)
        close(listener->socket);
    listener->socket = -1;
}

void hl_listener_close(struct hl_listener *listener)
{
    if (!listener)
        return;
    hl_listener_stop(listener);
    if (listener->stop >= 0)
        close(listener->stop);
    hl_free(listener);
}
