/* SPDX-License-Identifier: Apache-2.0 */
#include "server/watch.h"

#include "proto/alloc.h"

#include <linux/tcp.h> /* the C library has an older one */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

/* Why this is safe.
 *
 * The list of connections is guarded by one mutex, taken when a connection opens, when it
 * closes and by the watching thread for one look, never per request. What a request changes
 * is one atomic word of its own connection: the phase and since when. The serving thread
 * and the watch both move it, so the moves that can collide are compare-and-swap: either
 * the request becomes complete and the watch leaves it alone, or the watch cuts and the
 * serving thread sends nothing. Only the one who won may write to the socket, so a 408
 * never lands inside another reply.
 *
 * A socket is used here only under the mutex, and the serving thread closes it only after
 * hl_watch_remove, which takes the mutex: a descriptor is never one that was reused.
 *
 * Turned down: a timer per request (two system calls each), timeouts of the HTTP library
 * (every byte starts them anew), reading the socket here (the library owns the stream). */
enum phase {
    PHASE_FRESH,
    PHASE_IDLE,
    PHASE_RECEIVING,
    PHASE_SERVED,
    PHASE_WAITING,
    PHASE_CUT
};

enum { PHASE_BITS = 3, LOOK_EVERY_MS = 200, POLL_AT_ONCE = 64 };

/* An idle connection is asked about its bytes only after so long, and one that was turned
 * away may read why for so long, as what a sender left behind may take to be looked at. */
enum { LOOK_CLOSER_US = 500000, LINGER_US = 1000000 };

struct hl_watch {
    pthread_mutex_t lock; /* guards what follows, to the blank line */
    pthread_cond_t changed;
    struct hl_conn list; /* a ring through this dummy */
    size_t n_conns;
    bool is_stopping;

    struct hl_watch_options options;
    pthread_t thread;
};

static uint64_t pack(enum phase phase, int64_t since_us)
{
    return (uint64_t)since_us << PHASE_BITS | (uint64_t)phase;
}

static enum phase phase_of(uint64_t state)
{
    return (enum phase)(state & ((1u << PHASE_BITS) - 1));
}

static int64_t since_of(uint64_t state)
{
    return (int64_t)(state >> PHASE_BITS);
}

/* False when the watch was faster. */
static bool move(struct hl_conn *conn, enum phase phase, int64_t since_us)
{
    uint64_t state = atomic_load(&conn->state);

    return phase_of(state) != PHASE_CUT &&
           atomic_compare_exchange_strong(&conn->state, &state, pack(phase, since_us));
}

bool hl_conn_receives(struct hl_conn *conn, int64_t now_us)
{
    return move(conn, PHASE_RECEIVING, now_us);
}

bool hl_conn_is_served(struct hl_conn *conn)
{
    return move(conn, PHASE_SERVED, 0);
}

void hl_conn_waits(struct hl_conn *conn)
{
    atomic_store(&conn->state, pack(PHASE_WAITING, 0));
}

void hl_conn_is_answered(struct hl_conn *conn)
{
    atomic_store(&conn->state, pack(PHASE_SERVED, 0));
}

void hl_conn_rests(struct hl_conn *conn, int64_t now_us)
{
    (void)move(conn, PHASE_IDLE, now_us);
}

void hl_conn_lingers(struct hl_conn *conn, int64_t until_us)
{
    atomic_store(&conn->state, pack(PHASE_CUT, until_us - LINGER_US));
}

/* Shuts the socket, so that the thread that serves it wakes up and closes it. */
static void cut(struct hl_conn *conn, uint64_t state)
{
    if (phase_of(state) != PHASE_CUT) {
        if (!atomic_compare_exchange_strong(&conn->state, &state, pack(PHASE_CUT, 0)))
            return;
        conn->cut(conn);
    }
    shutdown(conn->fd, SHUT_RDWR);
}

/* Whether bytes came after the last reply: the beginning of a request. */
static bool has_partial_request(const struct hl_conn *conn, enum phase phase,
                                int64_t idle_us)
{
    struct tcp_info info;
    socklen_t size = sizeof info;

    if (getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return false;
    /* The kernel counts in milliseconds; the margin keeps the last request's own bytes, and
     * the acknowledgement of the reply, from being taken for a new one. */
    return info.tcpi_bytes_received > 0 &&
           (phase == PHASE_FRESH ||
            (int64_t)info.tcpi_last_data_recv * 1000 + 100000 < idle_us);
}

/* Whether the client has ended its sending and all that it sent was taken from the socket.
 */
static bool has_ended(const struct hl_conn *conn)
{
    struct pollfd end = {.fd = conn->fd, .events = POLLRDHUP};
    int n_unread = 0;

    return poll(&end, 1, 0) > 0 && ioctl(conn->fd, FIONREAD, &n_unread) == 0 &&
           n_unread == 0;
}

/* A request that is not complete a moment after its sender's end never will be. The library
 * may not know: an end that comes with the last bytes is one event with them, and it looks
 * no further than the bytes. Nothing is said, since hardly anybody listens. */
static void look_for_end(struct hl_conn *conn, uint64_t state, int64_t now_us)
{
    if (phase_of(state) != PHASE_RECEIVING || !has_ended(conn)) {
        conn->ended_us = 0;
    } else if (conn->ended_us == 0 || conn->ended_state != state) {
        conn->ended_us = now_us;
        conn->ended_state = state;
    } else if (now_us - conn->ended_us > LINGER_US &&
               atomic_compare_exchange_strong(&conn->state, &state, pack(PHASE_CUT, 0))) {
        shutdown(conn->fd, SHUT_RDWR);
    }
}

static void look_at(struct hl_watch *watch, struct hl_conn *conn, int64_t now_us)
{
    uint64_t state = atomic_load(&conn->state);
    int64_t age_us = now_us - since_of(state);
    enum phase phase = phase_of(state);
    bool is_idle = phase == PHASE_FRESH || phase == PHASE_IDLE;

    if (!is_idle || age_us < LOOK_CLOSER_US)
        conn->partial_us = 0;
    else if (conn->partial_us == 0 && has_partial_request(conn, phase, age_us))
        conn->partial_us = now_us - LOOK_CLOSER_US;
    if ((phase == PHASE_RECEIVING && age_us > watch->options.receive_us) ||
        (is_idle && conn->partial_us &&
         now_us - conn->partial_us > watch->options.receive_us) ||
        (phase == PHASE_CUT && (age_us > LINGER_US || has_ended(conn))))
        cut(conn, state);
    else
        look_for_end(conn, state, now_us);
}

/* Tells those that wait for a long answer and were left by their client. A client that only
 * ends its sending is taken for gone as well: it has closed, as far as anyone can see. */
static void poll_waiting(struct pollfd *fds, struct hl_conn **conns, nfds_t n)
{
    if (n == 0 || poll(fds, n, 0) <= 0)
        return;
    for (nfds_t i = 0; i < n; i++) {
        if (fds[i].revents)
            conns[i]->gone(conns[i]);
    }
}

static void look(struct hl_watch *watch)
{
    int64_t now_us = hl_clock_now(watch->options.clock);
    struct hl_conn *conns[POLL_AT_ONCE];
    struct pollfd fds[POLL_AT_ONCE];
    nfds_t n = 0;

    for (struct hl_conn *conn = watch->list.next; conn != &watch->list; conn = conn->next) {
        look_at(watch, conn, now_us);
        if (phase_of(atomic_load(&conn->state)) != PHASE_WAITING)
            continue;
        conns[n] = conn;
        fds[n++] = (struct pollfd){.fd = conn->fd, .events = POLLRDHUP};
        if (n == POLL_AT_ONCE) {
            poll_waiting(fds, conns, n);
            n = 0;
        }
    }
    poll_waiting(fds, conns, n);
}

static void *watch_main(void *arg)
{
    struct hl_watch *watch = arg;
    struct timespec until;

    pthread_mutex_lock(&watch->lock);
    while (!watch->is_stopping) {
        if (watch->n_conns == 0) {
            pthread_cond_wait(&watch->changed, &watch->lock);
            continue;
        }
        look(watch);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_EVERY_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

enum hl_code hl_watch_new(const struct hl_watch_options *options,
                          struct hl_watch **ret_watch, struct hl_err *err)
{
    struct hl_watch *watch = hl_alloc_zeroed(1, sizeof *watch);
    pthread_condattr_t monotonic;
    int error;

    if (!watch)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the watch over connections");
    watch->options = *options;
    watch->list.next = watch->list.prev = &watch->list;
    pthread_mutex_init(&watch->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    error = pthread_create(&watch->thread, NULL, watch_main, watch);
    if (error) {
        pthread_cond_destroy(&watch->changed);
        pthread_mutex_destroy(&watch->lock);
        hl_free(watch);
        return hl_fail_errno(err, error,
                             "could not start the thread that watches connections");
    }
    *ret_watch = watch;
    return HL_OK;
}

void hl_watch_free(struct hl_watch *watch)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    watch->is_stopping = true;
    pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->changed);
    pthread_mutex_destroy(&watch->lock);
    hl_free(watch);
}

bool hl_watch_add(struct hl_watch *watch, struct hl_conn *conn)
{
    int64_t now_us = hl_clock_now(watch->options.clock);
    bool has_room;

    conn->partial_us = conn->ended_us = 0;
    pthread_mutex_lock(&watch->lock);
    has_room = watch->n_conns < watch->options.max_connections;
    atomic_store(&conn->state, pack(has_room ? PHASE_FRESH : PHASE_CUT, now_us));
    conn->next = &watch->list;
    conn->prev = watch->list.prev;
    conn->prev->next = conn;
    watch->list.prev = conn;
    if (watch->n_conns++ == 0)
        pthread_cond_signal(&watch->changed);
    pthread_mutex_unlock(&watch->lock);
    return has_room;
}

void hl_watch_remove(struct hl_watch *watch, struct hl_conn *conn)
{
    pthread_mutex_lock(&watch->lock);
    conn->prev->next = conn->next;
    conn->next->prev = conn->prev;
    watch->n_conns--;
    pthread_mutex_unlock(&watch->lock);
}

size_t hl_watch_count(struct hl_watch *watch)
{
    size_t n;

    pthread_mutex_lock(&watch->lock);
    n = watch->n_conns;
    pthread_mutex_unlock(&watch->lock);
    return n;
}

size_t hl_watch_active(struct hl_watch *watch)
{
    size_t n = 0;

    pthread_mutex_lock(&watch->lock);
    for (struct hl_conn *conn = watch->list.next; conn != &watch->list; conn = conn->next) {
        enum phase phase = phase_of(atomic_load(&conn->state));

        n += phase == PHASE_RECEIVING || phase == PHASE_SERVED || phase == PHASE_WAITING;
    }
    pthread_mutex_unlock(&watch->lock);
    return n;
}

void hl_watch_cancel_all(struct hl_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    for (struct hl_conn *conn = watch->list.next; conn != &watch->list; conn = conn->next) {
        if (phase_of(atomic_load(&conn->state)) == PHASE_WAITING)
            conn->gone(conn);
    }
    pthread_mutex_unlock(&watch->lock);
}
