/* SPDX-License-Identifier: Apache-2.0 */
/* The least a server can do: one thread, one epoll, and to every request the same bytes.
 * It reads no HTTP but the empty line that ends a request's head. What heirloom costs above
 * this, without US, is what heirloom costs.
 *
 *     epoll_server FILE [US]   FILE holds the reply, head and body; prints port=N, runs
 *                              until it is killed. US: microseconds of arithmetic before
 *                              each reply, while the machine is at its fastest
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 64, MAX_REPLY = 4096, MAX_REQUEST = 16384, MAX_FDS = 4096 };
enum { TRIED = 1000000, TRIALS = 20 };

struct bench {
    int epoll;
    int listener;
    size_t n_reply;
    char reply[MAX_REPLY];
    /* Bytes of "\r\n\r\n" seen at the end of what a connection has sent so far. */
    unsigned char seen[MAX_FDS];
    size_t n_steps;  /* of arithmetic before each reply */
    unsigned long x; /* what they came to */
};

static int listen_anywhere(unsigned *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, 1024) != 0 || getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        return -1;
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void add_connection(struct bench *bench)
{
    int one = 1;
    int fd = accept4(bench->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fd >= MAX_FDS || epoll_ctl(bench->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return;
    }
    bench->seen[fd] = 0;
}

static size_t count_requests(struct bench *bench, int fd, const char *bytes, size_t size)
{
    static const char end[] = "\r\n\r\n";
    unsigned char seen = bench->seen[fd];
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == end[seen])
            seen++;
        else
            seen = bytes[i] == '\r';
        if (seen == 4) {
            seen = 0;
            n++;
        }
    }
    bench->seen[fd] = seen;
    return n;
}

/* Each step waits for the one before it. */
static void work(struct bench *bench, size_t n_steps)
{
    unsigned long x = bench->x | 1;

    for (size_t i = 0; i < n_steps; i++)
        x = x * 6364136223846793005UL + 1;
    bench->x = x;
}

static double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static size_t count_steps(struct bench *bench, double us)
{
    double least = 1e9;

    for (int i = 0; i < TRIALS; i++) {
        const double start = now_us();
        double took;

        work(bench, TRIED);
        took = now_us() - start;
        least = took < least ? took : least;
    }
    return (size_t)(TRIED * us / least);
}

static bool serve_connection(struct bench *bench, int fd)
{
    char bytes[MAX_REQUEST];
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    size_t n;

    if (got < 0)
        return errno == EAGAIN;
    if (got == 0)
        return false;
    n = count_requests(bench, fd, bytes, (size_t)got);
    for (size_t i = 0; i < n; i++) {
        work(bench, bench->n_steps);
        if (send(fd, bench->reply, bench->n_reply, MSG_NOSIGNAL) != (ssize_t)bench->n_reply)
            return false;
    }
    return true;
}

static void run(struct bench *bench)
{
    struct epoll_event events[MAX_EVENTS];

    for (;;) {
        int n = epoll_wait(bench->epoll, events, MAX_EVENTS, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd == bench->listener)
                add_connection(bench);
            else if (!serve_connection(bench, fd))
                close(fd);
        }
    }
}

static bool load_reply(struct bench *bench, const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    bench->n_reply = fread(bench->reply, 1, sizeof bench->reply, file);
    fclose(file);
    return bench->n_reply > 0 && bench->n_reply < sizeof bench->reply;
}

int main(int argc, char **argv)
{
    static struct bench bench; /* too large for the stack's taste, one for the process */
    struct epoll_event event = {.events = EPOLLIN};
    unsigned port = 0;

    if (argc < 2 || argc > 3 || !load_reply(&bench, argv[1])) {
        fprintf(stderr, "epoll_server: wanted a file with a reply of less than %d bytes\n",
                MAX_REPLY);
        return 2;
    }
    if (argc > 2)
        bench.n_steps = count_steps(&bench, strtod(argv[2], NULL));
    bench.listener = listen_anywhere(&port);
    bench.epoll = epoll_create1(EPOLL_CLOEXEC);
    event.data.fd = bench.listener;
    if (bench.listener < 0 || bench.epoll < 0 ||
        epoll_ctl(bench.epoll, EPOLL_CTL_ADD, bench.listener, &event) != 0) {
        perror("epoll_server");
        return 1;
    }
    printf("port=%u\n", port);
    fflush(stdout);
    run(&bench);
}
