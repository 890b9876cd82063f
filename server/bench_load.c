/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bench_load.h"

#include "proto/alloc.h"
#include "server/bench_line.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 64, SWEEP_NS = 100000000, SECOND_NS = 1000000000, TAIL = 96 };

/* A connection and what is on its way over it. */
struct slot {
    struct hl_bench_line line;
    int64_t intended_ns, begun_ns;
    int64_t free_since_ns;
    enum hl_bench_kind kind;
    bool is_busy;
    bool rests; /* it was lost just now: the next sweep lets it go on */
};

struct load {
    const struct hl_bench *bench;
    struct hl_bench_pool *pool;
    struct hl_bench_tally *tally;
    struct hl_bench_peer peer;
    struct hl_bench_arrivals arrivals;
    struct slot *slots;
    size_t n_slots, n_busy;
    size_t *free; /* places of slots, a ring: whoever has waited longest goes first */
    size_t first_free, n_free;
    int epoll;
    int64_t start_ns, begin_ns, end_ns; /* begin and end: of the measured time */
    int64_t sweep_ns;
    int64_t cpu_ns[2];     /* of ours, at its begin and its end */
    int64_t idle_ns;       /* of that, awake with nothing to do */
    int64_t idle_since_ns; /* by the same clock; 0: there is something to do */
    bool is_measuring;
};

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return now.tv_sec * (int64_t)SECOND_NS + now.tv_nsec;
}

static int64_t now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static bool is_measured(const struct load *load, int64_t ns)
{
    return ns >= load->begin_ns && ns < load->end_ns;
}

/* ---- slots ---- */

/* In the ring, so many behind the first. */
static size_t place_of(const struct load *load, size_t behind)
{
    const size_t place = load->first_free + behind;

    return place < load->n_slots ? place : place - load->n_slots;
}

static void set_free(struct load *load, struct slot *slot, int64_t ns)
{
    slot->is_busy = slot->rests = false;
    slot->free_since_ns = ns;
    load->free[place_of(load, load->n_free++)] = (size_t)(slot - load->slots);
}

static struct slot *take_free(struct load *load)
{
    struct slot *slot = &load->slots[load->free[load->first_free]];

    load->first_free = place_of(load, 1);
    load->n_free--;
    return slot;
}

/* ---- how requests end ---- */

static void count_lost(struct load *load, struct slot *slot, const char *why,
                       bool is_missed)
{
    load->n_busy--;
    slot->is_busy = false;
    slot->rests = true;
    if (!is_measured(load, slot->intended_ns))
        return;
    if (is_missed)
        hl_bench_tally_miss(load->tally, slot->kind, now_ns() - slot->intended_ns, why);
    else
        hl_bench_tally_fail(load->tally, slot->kind, 0, why, 1);
}

/* A reply of 200 says at its end that all is well. */
static bool is_well(const struct hl_bench_line *line)
{
    static const char wanted[] = "\"status\":\"ok\"";
    const struct hl_span body = hl_bench_line_body(line);
    const size_t len = body.len < TAIL ? body.len : TAIL;

    return line->head.status == 200 &&
           memmem(body.data + body.len - len, len, wanted, sizeof wanted - 1);
}

static void count_refused(struct load *load, const struct slot *slot)
{
    const struct hl_called called = {.status = slot->line.head.status,
                                     .body = hl_bench_line_body(&slot->line)};
    struct hl_err err;

    if (hl_called_check(&called, &err) == HL_OK)
        (void)hl_fail(&err, HL_BAD_FILE, "the reply does not say \"status\":\"ok\"");
    hl_bench_tally_fail(load->tally, slot->kind, called.status, err.msg, 1);
}

static void count_answer(struct load *load, struct slot *slot)
{
    const int64_t now = now_ns();
    const bool is_good = is_well(&slot->line);

    load->n_busy--;
    if (is_good && is_measured(load, now))
        load->tally->kinds[slot->kind].n_finished++;
    if (is_measured(load, slot->intended_ns)) {
        if (is_good)
            hl_bench_tally_add(load->tally, slot->kind, now - slot->intended_ns,
                               now - slot->begun_ns);
        else
            count_refused(load, slot);
    }
    set_free(load, slot, now);
}

/* ---- how they begin ---- */

static void begin(struct load *load, int64_t intended_ns)
{
    struct slot *slot = take_free(load);

    slot->kind = hl_bench_pool_next(load->pool, &slot->line.out);
    slot->intended_ns = intended_ns;
    slot->begun_ns = now_ns();
    slot->is_busy = true;
    load->n_busy++;
    if (load->bench->rate > 0 && slot->free_since_ns <= intended_ns &&
        is_measured(load, intended_ns))
        hl_hist_record(load->tally->late, (uint64_t)(slot->begun_ns - intended_ns));
    if (hl_bench_line_send(&slot->line) == HL_BENCH_LOST)
        count_lost(load, slot, slot->line.lost.msg, false);
}

/* When the next request is meant to begin; end_ns or later: there is none. */
static int64_t next_arrival(const struct load *load)
{
    return load->start_ns + hl_bench_arrivals_next(&load->arrivals);
}

/* Whether a request is due and finds a connection free. */
static bool is_due(const struct load *load, int64_t now)
{
    int64_t next = now;

    if (load->bench->rate > 0)
        next = next_arrival(load);
    return load->n_free > 0 && next <= now && next < load->end_ns;
}

static void begin_due(struct load *load)
{
    for (int64_t now = now_ns(); is_due(load, now); now = now_ns()) {
        if (load->bench->rate > 0) {
            begin(load, next_arrival(load));
            hl_bench_arrivals_advance(&load->arrivals);
        } else {
            begin(load, now);
        }
    }
}

/* ---- the loop ---- */

static void handle(struct load *load, const struct epoll_event *event)
{
    struct slot *slot = event->data.ptr;

    if (!slot->is_busy) {
        hl_bench_line_close(&slot->line); /* the server does not wait for us any longer */
        return;
    }
    switch (hl_bench_line_take(&slot->line, event->events)) {
    case HL_BENCH_ANSWERED:
        count_answer(load, slot);
        break;
    case HL_BENCH_LOST:
        count_lost(load, slot, slot->line.lost.msg, false);
        break;
    case HL_BENCH_WAITS:
    default:
        break;
    }
}

/* Whoever has waited too long, and whoever has rested enough. */
static void sweep(struct load *load, int64_t now)
{
    const int64_t patience_ns = (int64_t)(load->bench->patience_s * SECOND_NS);

    for (size_t i = 0; i < load->n_slots; i++) {
        struct slot *slot = &load->slots[i];

        if (slot->rests) {
            set_free(load, slot, now);
        } else if (slot->is_busy && now - slot->begun_ns > patience_ns) {
            hl_bench_line_close(&slot->line);
            count_lost(load, slot, "there was no reply within the patience", true);
        }
    }
    load->sweep_ns = now + SWEEP_NS;
}

static int64_t pause_of(const struct load *load, int64_t now)
{
    int64_t until = load->sweep_ns;

    if (load->bench->spins)
        return 0;
    if (load->bench->rate > 0 && load->n_free > 0 && next_arrival(load) < until)
        until = next_arrival(load);
    return until > now ? until - now : 0;
}

/* Spinning is no work. Between two pieces of it there are thousands of turns, so the clock,
 * which is dear, is read at both ends of them alone. */
static void note_idle(struct load *load, bool is_idle)
{
    const bool was_idle = load->idle_since_ns != 0;

    if (is_idle == was_idle)
        return;
    if (is_idle) {
        load->idle_since_ns = read_clock(CLOCK_THREAD_CPUTIME_ID);
        return;
    }
    if (load->is_measuring)
        load->idle_ns += read_clock(CLOCK_THREAD_CPUTIME_ID) - load->idle_since_ns;
    load->idle_since_ns = 0;
}

static void turn(struct load *load)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    const int64_t now = now_ns(), pause = pause_of(load, now);
    const struct timespec timeout = {pause / SECOND_NS, pause % SECOND_NS};
    int n = epoll_pwait2(load->epoll, events, EVENTS_AT_ONCE, &timeout, NULL);

    if (load->bench->spins)
        note_idle(load, n <= 0 && !is_due(load, now_ns()));
    for (int i = 0; i < n; i++) {
        handle(load, &events[i]);
        begin_due(load);
    }
    begin_due(load);
    if (now >= load->sweep_ns)
        sweep(load, now);
}

static void measure(struct load *load, int64_t now)
{
    if (!load->is_measuring && is_measured(load, now)) {
        note_idle(load, false);
        load->is_measuring = true;
        load->cpu_ns[0] = read_clock(CLOCK_THREAD_CPUTIME_ID);
    } else if (load->is_measuring && now >= load->end_ns) {
        note_idle(load, false);
        load->is_measuring = false;
        load->cpu_ns[1] = read_clock(CLOCK_THREAD_CPUTIME_ID);
    }
}

/* Those that are on their way when nobody waits any longer, and those that never were. */
static void give_up(struct load *load)
{
    static const char unsent[] = "it was never sent: no connection came free";

    for (size_t i = 0; i < load->n_slots; i++)
        if (load->slots[i].is_busy)
            count_lost(load, &load->slots[i], "there was no reply within the patience",
                       true);
    for (; load->bench->rate > 0 && next_arrival(load) < load->end_ns;
         hl_bench_arrivals_advance(&load->arrivals))
        if (is_measured(load, next_arrival(load)))
            hl_bench_tally_miss(load->tally, hl_bench_pool_kind(load->pool),
                                now_ns() - next_arrival(load), unsent);
}

static void run(struct load *load)
{
    const struct hl_bench *bench = load->bench;
    int64_t now = now_ns(), last;

    load->start_ns = now;
    load->begin_ns = now + (int64_t)(bench->warm_up_s * SECOND_NS);
    load->end_ns = load->begin_ns + (int64_t)(bench->seconds * SECOND_NS);
    last = load->end_ns + (int64_t)(bench->patience_s * SECOND_NS);
    load->sweep_ns = now + SWEEP_NS;
    for (size_t i = 0; i < load->n_slots; i++)
        set_free(load, &load->slots[i], now);
    measure(load, now);
    begin_due(load);
    while (now < load->end_ns || load->is_measuring ||
           (now < last &&
            (load->n_busy > 0 || (bench->rate > 0 && next_arrival(load) < load->end_ns)))) {
        turn(load);
        now = now_ns();
        measure(load, now);
    }
    give_up(load);
    load->tally->cpu_s =
        (double)(load->cpu_ns[1] - load->cpu_ns[0] - load->idle_ns) / SECOND_NS;
    load->tally->busy = load->tally->cpu_s / bench->seconds;
}

/* The first connection finds out where the others go. */
static enum hl_code find_peer(struct load *load, const struct hl_address *address,
                              struct hl_err *err)
{
    int fd = -1;
    enum hl_code code = hl_address_dial(address, &fd, err);

    if (code != HL_OK)
        return code;
    load->peer.len = sizeof load->peer.address;
    if (getpeername(fd, (struct sockaddr *)&load->peer.address, &load->peer.len) != 0)
        code = hl_fail_errno(err, errno, "ask whom a connection leads to");
    close(fd);
    return code;
}

enum hl_code hl_bench_load(const struct hl_bench *bench, const struct hl_address *address,
                           struct hl_bench_pool *pool, struct hl_bench_tally *tally,
                           struct hl_err *err)
{
    const size_t n = (size_t)bench->n_connections;
    struct load load = {.bench = bench, .pool = pool, .tally = tally, .n_slots = n};
    enum hl_code code = find_peer(&load, address, err);

    if (code != HL_OK)
        return code;
    hl_bench_arrivals_init(&load.arrivals, bench);
    load.slots = hl_alloc_zeroed(n, sizeof *load.slots);
    load.free = hl_alloc_zeroed(n, sizeof *load.free);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!load.slots || !load.free) {
        code = hl_fail(err, HL_NO_MEMORY, "no memory for %zu connections", n);
    } else if (load.epoll < 0) {
        code = hl_fail_errno(err, errno, "watch connections");
    } else {
        for (size_t i = 0; i < n; i++)
            hl_bench_line_init(&load.slots[i].line, load.epoll, &load.peer, &load.slots[i]);
        /* A sleep of microseconds ends in time. */
        (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
        run(&load);
        for (size_t i = 0; i < n; i++)
            hl_bench_line_done(&load.slots[i].line);
    }
    if (load.epoll >= 0)
        close(load.epoll);
    hl_free(load.free);
    hl_free(load.slots);
    return code;
}
