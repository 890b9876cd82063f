/* SPDX-License-Identifier: Apache-2.0 */
#include "server/serve.h"

#include "index/index.h"
#include "proto/alloc.h"
#include "proto/file.h"
#include "proto/governor.h"
#include "proto/machine.h"
#include "server/http.h"
#include "server/keys.h"
#include "server/notify.h"
#include "server/offers.h"
#include "server/overseer.h"
#include "server/plan.h"
#include "server/reload.h"
#include "server/server.h"
#include "server/service.h"
#include "server/snapshots.h"
#include "server/upload.h"
#include "server/version.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Who runs here.
 *
 * The main thread starts everything, sleeps in sigwait and stops everything; it alone
 * touches the objects of this file. The HTTP threads are the library's: each serves its
 * connections with an epoll, runs short handlers itself, and never waits. One thread
 * accepts (listen.c). The readers run long handlers (pool.c), one thread watches the queue
 * (pool.c), one the connections (watch.c), one compares models (overseer.c). What they
 * share is struct hl_server, read-only once the first request can come.
 *
 * Signals are blocked before the first thread starts, so that only sigwait sees them. The
 * order of stopping: readiness, accepting, jobs, requests, readers, the overseer, writers,
 * connections.
 * Readers and writers end before the library does because it may not be stopped while a
 * connection is suspended. */

enum { QUEUED_PER_READER = 64, SPARE_FILES = 128, DRAIN_LOOK_MS = 20 };

struct life {
    const struct hl_serve_options *options;
    struct hl_server server;
    struct hl_reload reload;
    struct hl_lock *lock;
    struct hl_http *http;
    struct hl_metrics_route *labels;
    struct hl_metrics_build build;
    uint64_t memory; /* for vectors and for requests */
    sigset_t signals;
};

static int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Each connection is a descriptor, and each collection has some. The soft limit is often
 * 1024 for the sake of select(), which nothing here calls; what lies between it and the
 * hard one is for the collections. */
static enum hl_code allow_files(const struct hl_config *config, struct hl_err *err)
{
    rlim_t wanted = config->service.max_connections + SPARE_FILES;
    struct rlimit limit;
    bool is_enough;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return hl_fail_errno(err, errno, "could not read the limit of open files");
    if (limit.rlim_max < wanted)
        return hl_fail(
            err, HL_INVALID,
            "max_connections = %llu needs %llu open files, the system allows %llu",
            (unsigned long long)config->service.max_connections, (unsigned long long)wanted,
            (unsigned long long)limit.rlim_max);
    is_enough = limit.rlim_cur >= wanted;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && !is_enough)
        return hl_fail_errno(err, errno, "could not raise the limit of open files");
    return HL_OK;
}

static enum hl_code lock_storage(struct life *life, struct hl_err *err)
{
    const char *path = life->options->config->storage.path;
    char lock[HL_CONFIG_TEXT_SIZE + 8];
    enum hl_code code = hl_dir_make(path, err);

    snprintf(lock, sizeof lock, "%s/LOCK", path);
    return code == HL_OK ? hl_lock_open(lock, &life->lock, err) : code;
}

/* Those this process may run on, which is fewer than there are in a container or under
 * taskset. */
static size_t processors_or(uint64_t configured)
{
    cpu_set_t mine;

    if (configured > 0)
        return (size_t)configured;
    return sched_getaffinity(0, sizeof mine, &mine) == 0 ? (size_t)CPU_COUNT(&mine) : 1;
}

static enum hl_code name_this_run(struct hl_server *server, struct hl_err *err)
{
    unsigned char random[16];
    const unsigned char *r = random;
    time_t now = time(NULL);
    struct tm utc;

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return hl_fail_errno(err, errno, "could not get random bytes");
    memcpy(&server->boot_id, random, sizeof server->boot_id);
    snprintf(server->boot_name, sizeof server->boot_name,
             "%02x%02x%02x%02x-%02x%02x-4%x%02x-%x%x%02x-%02x%02x%02x%02x%02x%02x", r[0],
             r[1], r[2], r[3], r[4], r[5], r[6] & 15, r[7], 8 + (r[8] & 3), r[8] >> 4, r[9],
             r[10], r[11], r[12], r[13], r[14], r[15]);
    if (!gmtime_r(&now, &utc) || strftime(server->started_at, sizeof server->started_at,
                                          "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return hl_fail(err, HL_INTERNAL, "could not tell the date");
    server->started_us = hl_clock_now(&server->clock);
    return HL_OK;
}

static enum hl_code start_metrics(struct life *life, struct hl_err *err)
{
    life->labels = hl_alloc_zeroed(hl_n_routes, sizeof *life->labels);
    if (!life->labels)
        return hl_fail(err, HL_NO_MEMORY, "no memory for the labels of metrics");
    for (size_t i = 0; i < hl_n_routes; i++)
        life->labels[i] = (struct hl_metrics_route){hl_method_name(hl_routes[i].method),
                                                    hl_routes[i].path};
    life->build = (struct hl_metrics_build){.version = hl_version(),
                                            .commit = hl_commit(),
                                            .rest_version = HL_REST_VERSION,
                                            .kernels = hl_index_kernels()};
    return hl_metrics_new(life->labels, hl_n_routes, &life->build, &life->server.metrics,
                          err);
}

static enum hl_code start_threads(struct life *life, struct hl_err *err)
{
    struct hl_server *server = &life->server;
    const struct hl_pool_options pool = {.n_readers = server->n_readers,
                                         .max_queued =
                                             server->n_readers * QUEUED_PER_READER};
    const struct hl_watch_options watch = {
        .clock = &server->clock,
        .receive_us = (int64_t)server->config->service.receive_timeout_s * 1000000,
        .max_connections = (size_t)server->config->service.max_connections};
    enum hl_code code = hl_pool_new(&pool, &server->pool, err);

    if (code == HL_OK)
        code = hl_watch_new(&watch, &server->watch, err);
    if (code == HL_OK)
        code = hl_http_open(server, &life->http, err);
    return code;
}

/* What the engine's threads did, for the log. */
static void log_event(void *self, const struct hl_engine_event *event)
{
    static const struct {
        const char *name;
        enum hl_log_level level;
    } words[] = {
        [HL_ENGINE_SEALED] = {"sealed", HL_LOG_INFO},
        [HL_ENGINE_MERGED] = {"merged", HL_LOG_INFO},
        [HL_ENGINE_REBUILDING] = {"rebuilding", HL_LOG_WARN},
        [HL_ENGINE_COMMIT_FAILED] = {"commit_failed", HL_LOG_ERROR},
        [HL_ENGINE_UPKEEP_FAILED] = {"upkeep_failed", HL_LOG_WARN},
        [HL_ENGINE_BROKEN] = {"collection_broken", HL_LOG_ERROR},
    };
    struct hl_log *log = self;

    if (event->err)
        hl_log(log, words[event->kind].level, hl_log_event(words[event->kind].name),
               hl_log_text("collection", event->collection),
               hl_log_text("file", event->file), hl_log_error(event->err));
    else
        hl_log(log, words[event->kind].level, hl_log_event(words[event->kind].name),
               hl_log_text("collection", event->collection),
               hl_log_text("file", event->file), hl_log_u64("rows", event->n_rows),
               hl_log_i64("took_us", event->took_us));
}

static enum hl_code sweep_uploads(const struct hl_config *config, struct hl_err *err)
{
    char folder[HL_CONFIG_TEXT_SIZE + 16];

    (void)snprintf(folder, sizeof folder, "%s/uploads", config->storage.path);
    return hl_upload_sweep(folder, err);
}

static enum hl_code open_jobs(struct hl_server *server, struct hl_err *err)
{
    const struct hl_jobs_options options = {.collections = server->collections,
                                            .metrics = server->metrics,
                                            .log = server->log,
                                            .clock = &server->clock,
                                            .governor = server->governor};

    return hl_jobs_open(&options, &server->jobs, err);
}

static enum hl_code open_overseer(struct hl_server *server, struct hl_err *err)
{
    enum hl_code code =
        hl_offers_new(server->metrics, server->boot_id, &server->offers, err);

    return code == HL_OK ? hl_overseer_open(server, &server->overseer, err) : code;
}

/* So many megabytes, and no more than an eighth of what is shared. */
static size_t eighth_at_most(const struct life *life, uint64_t mb)
{
    const uint64_t wanted = mb << 20, part = life->memory / 8;

    return (size_t)(wanted < part ? wanted : part);
}

/* What is to be shared out of memory, which is not all: the pages of databases, small
 * requests and the program itself have some first, a hundred megabytes where many load at
 * once. */
static uint64_t memory_to_share(void)
{
    const uint64_t memory = hl_machine_memory(), own = (uint64_t)128 << 20;

    return memory > own / 2 * 3 ? memory - own : memory / 3;
}

static enum hl_code open_collections(struct life *life, struct hl_err *err)
{
    const struct hl_config *config = life->options->config;
    struct hl_server *server = &life->server;
    /* An eighth for the graph that is being built, and no more than another for rows that
     * wait for theirs. */
    const struct hl_engine_options engine = {
        .clock = &server->clock,
        .n_writers = processors_or(config->storage.writers),
        .seal_rows = (size_t)config->search.seal_rows,
        .max_unindexed_bytes = eighth_at_most(life, config->limits.max_unindexed_mb),
        .most_held_bytes = (size_t)(life->memory / 100 * config->search.hold_percent),
        .most_build_bytes = (size_t)(life->memory / 8),
        .n_links = (unsigned)config->search.hnsw_m,
        .ef_construction = (unsigned)config->search.ef_construct,
        .beam = (size_t)config->search.hnsw_ef,
        .tell = log_event,
        .find_mapper = hl_way_find_mapper,
        .compile = hl_plans_open,
        .self = server->log,
        .governor = server->governor};
    enum hl_code code = hl_engine_new(&engine, &server->engine, err);
    const struct hl_collections_options collections = {.folder = config->storage.path,
                                                       .engine = server->engine,
                                                       .log = server->log,
                                                       .clock = &server->clock};

    if (code == HL_OK)
        code = hl_collections_open(&collections, &server->collections, err);
    if (code == HL_OK)
        code = open_jobs(server, err);
    return code == HL_OK ? open_overseer(server, err) : code;
}

/* No more than an eighth for the bodies of requests, as they come: what is read out of one
 * may be as much again. */
static void share_memory(struct life *life)
{
    const struct hl_config *config = life->options->config;

    life->memory = memory_to_share();
    hl_bodies_init(&life->server.bodies,
                   eighth_at_most(life, config->limits.max_inflight_mb));
}

static enum hl_code start(struct life *life, struct hl_err *err)
{
    const struct hl_config *config = life->options->config;
    struct hl_server *server = &life->server;
    enum hl_code code = hl_config_check(config, err);

    server->n_workers = processors_or(config->service.workers);
    server->n_readers = processors_or(config->service.readers);
    share_memory(life);
    if (code == HL_OK)
        code = allow_files(config, err);
    if (code == HL_OK)
        code = lock_storage(life, err);
    if (code == HL_OK)
        code = sweep_uploads(config, err);
    if (code == HL_OK)
        code = hl_snapshots_full_sweep(server, err);
    if (code == HL_OK)
        code = name_this_run(server, err);
    if (code == HL_OK)
        code = hl_reload_first(&life->reload, err);
    if (code == HL_OK)
        code = start_metrics(life, err);
    if (code == HL_OK)
        code = hl_router_new(hl_routes, hl_n_routes, &server->router, err);
    hl_service_print_root(&server->root_buf);
    server->root = (struct hl_span){server->root_buf.data, server->root_buf.len};
    if (code == HL_OK)
        code = hl_buf_check(&server->root_buf, "the server's name", err);
    if (code == HL_OK)
        code = hl_governor_new(&server->clock, &server->governor, err);
    if (code == HL_OK)
        code = open_collections(life, err);
    return code == HL_OK ? start_threads(life, err) : code;
}

/* systemd hearing nothing is a nuisance, not a reason to stop. */
static void warn_of_notify(struct life *life, enum hl_code code, const struct hl_err *err)
{
    if (code != HL_OK)
        hl_log(life->options->log, HL_LOG_WARN, hl_log_event("notify"), hl_log_error(err));
}

static void announce(struct life *life)
{
    const struct hl_config *config = life->options->config;
    struct hl_err err;

    atomic_store(&life->server.phase, HL_SERVER_READY);
    hl_log(life->options->log, HL_LOG_INFO, hl_log_event("listening"),
           hl_log_word("host", config->service.host),
           hl_log_u64("port", hl_http_port(life->http)),
           hl_log_u64("workers", life->server.n_workers),
           hl_log_u64("readers", life->server.n_readers),
           hl_log_word("data", config->storage.path),
           hl_log_word("kernels", hl_index_kernels()),
           hl_log_word("version", hl_version()));
    warn_of_notify(life, hl_notify_ready(life->options->notify_socket, &err), &err);
}

static void reload(struct life *life)
{
    const char *socket = life->options->notify_socket;
    struct hl_err err;

    warn_of_notify(life, hl_notify_reloading(socket, now_us(NULL), &err), &err);
    (void)hl_reload(&life->reload, &err); /* it logs how it went */
    warn_of_notify(life, hl_notify_ready(socket, &err), &err);
}

/* Sleeps until a signal says stop, and answers which. */
static int wait_for_stop(struct life *life)
{
    int number = 0;

    while (sigwait(&life->signals, &number) != 0 || number == SIGHUP) {
        if (number == SIGHUP)
            reload(life);
    }
    return number;
}

/* Until every request is answered or the time is up; true when all were. The pause comes
 * first, so that a request whose bytes lie unread in a socket is seen as one. */
static bool drain(struct life *life)
{
    const struct timespec pause = {.tv_nsec = DRAIN_LOOK_MS * 1000000L};
    int64_t end_us =
        now_us(NULL) + (int64_t)life->options->config->service.shutdown_grace_s * 1000000;

    do {
        nanosleep(&pause, NULL);
        if (hl_watch_active(life->server.watch) == 0)
            return true;
    } while (now_us(NULL) < end_us);
    return false;
}

static void stop_serving(struct life *life, int number)
{
    struct hl_log *log = life->options->log;
    sigset_t enders;
    struct hl_err err;
    bool is_drained;

    atomic_store(&life->server.phase, HL_SERVER_STOPPING);
    /* From here on a second signal is not ours any more: it ends the process. */
    sigemptyset(&enders);
    sigaddset(&enders, SIGTERM);
    sigaddset(&enders, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &enders, NULL);
    hl_log(log, HL_LOG_INFO, hl_log_event("stopping"),
           hl_log_word("signal", number == SIGINT ? "SIGINT" : "SIGTERM"),
           hl_log_u64("requests", hl_watch_active(life->server.watch)));
    warn_of_notify(life, hl_notify_stopping(life->options->notify_socket, &err), &err);
    hl_http_stop_accepting(life->http);
    /* Whoever waits for a job hears now that it ended: draining would wait for it. */
    hl_jobs_stop(life->server.jobs);
    is_drained = drain(life);
    if (!is_drained)
        hl_log(log, HL_LOG_WARN, hl_log_event("grace_over"),
               hl_log_u64("requests", hl_watch_active(life->server.watch)));
    hl_watch_cancel_all(life->server.watch);
}

/* In the order of the comment above, however far the start came. */
static void close_all(struct life *life)
{
    struct hl_server *server = &life->server;

    if (server->pool)
        hl_pool_stop(server->pool);
    /* It adds jobs, and what it counted is saved by a writer. A job may wait for one, too.
     */
    hl_overseer_stop(server->overseer);
    hl_jobs_close(server->jobs);
    /* Parked requests are ended by the writers, and none may be left when the library ends.
     */
    if (server->engine)
        hl_engine_stop(server->engine);
    hl_http_close(life->http);
    hl_watch_free(server->watch);
    hl_pool_free(server->pool);
    /* What was offered to the last has references to collections. */
    hl_overseer_close(server->overseer);
    hl_offers_free(server->offers);
    hl_collections_close(server->collections);
    hl_engine_free(server->engine);
    hl_governor_free(server->governor);
    hl_router_free(server->router);
    hl_metrics_free(server->metrics);
    hl_free(life->labels);
    hl_buf_done(&server->root_buf);
    hl_live_done(&server->keys);
    hl_datasets_done(&server->datasets);
    hl_lock_close(life->lock);
}

static void block_signals(struct life *life)
{
    sigemptyset(&life->signals);
    sigaddset(&life->signals, SIGTERM);
    sigaddset(&life->signals, SIGINT);
    sigaddset(&life->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &life->signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

enum hl_code hl_serve(const struct hl_serve_options *options, struct hl_err *err)
{
    struct life life = {.options = options,
                        .server = {.config = options->config,
                                   .log = options->log,
                                   .clock = {.now_us = now_us}}};
    enum hl_code code;

    life.reload = (struct hl_reload){.sources = options->sources,
                                     .started = options->config,
                                     .keys = &life.server.keys,
                                     .log = options->log};
    hl_alloc_give_back();
    block_signals(&life);
    hl_live_init(&life.server.keys);
    hl_datasets_init(&life.server.datasets);
    hl_buf_init(&life.server.root_buf, 4096);
    code = start(&life, err);
    if (code == HL_OK) {
        announce(&life);
        stop_serving(&life, wait_for_stop(&life));
    }
    close_all(&life);
    if (code == HL_OK)
        hl_log(options->log, HL_LOG_INFO, hl_log_event("stopped"));
    return code;
}
