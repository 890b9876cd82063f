/* SPDX-License-Identifier: Apache-2.0 */
/* The bare search loop: the server's own search over a collection's own folder, with
 * nothing around it. The folder is opened through the index, so it is a copy, or no server
 * has it.
 *
 * Usage: bench_loop FOLDER MODEL FIRST_QUERY BEAM, then turns (tests/bench/turns.h).
 * Queries are rows of tests/support/gallery.h from FIRST_QUERY on.
 *
 *     search SECONDS CORE …    a thread on each processor: rate=… searches a second of all
 *                              and cpu_us=… of its processor for one
 *     paced SECONDS CORE RATE  one thread, so many searches due a second whatever becomes
 *                              of them: p50=… and p99=… us from when each was due
 *     recall BEAM              recall=… of the ten found among those of an exact search */
#include "index/index.h"
#include "index/look.h"
#include "tests/bench/turns.h"
#include "tests/support/gallery.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

enum { N_QUERIES = 1000, N_EXACT = 200, K = 10, CHECK = 16, MOST_THREADS = 6 };

static int64_t now_us(void *self)
{
    struct timespec now;

    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static double cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static const struct hl_clock wall = {now_us, NULL};
static const struct hl_deadline never = {&wall, HL_DEADLINE_NEVER, NULL};

struct bench {
    struct hl_mapper mapper;
    struct hl_engine *engine;
    struct hl_collection *collection;
    const char *model;
    size_t dim, beam;
    float *queries;
};

/* One of those who search. */
struct searcher {
    struct bench *bench;
    pthread_t thread;
    int core;
    double seconds;
    struct hl_look *look;
    struct hl_arena *arena;
    const struct hl_space *space;
    double rate, cpu_us; /* what came of it; `rate` is told who is paced */
    int64_t p50, p99;    /* us */
};

static void need(int is_right, const char *what, const char *why)
{
    if (is_right)
        return;
    fprintf(stderr, "bench_loop: %s: %s\n", what, why);
    exit(1);
}

static void begin(struct searcher *searcher, struct bench *bench)
{
    const struct hl_filter *all = NULL;
    const struct hl_look_wish wish = {.filters = &all, .n_filters = 1};
    const struct hl_text model = {bench->model, strlen(bench->model)};
    struct hl_err err;

    searcher->bench = bench;
    searcher->arena = hl_arena_new((size_t)64 << 20);
    need(searcher->arena != NULL, "arena", "no memory");
    need(hl_look_open(bench->collection, &wish, &searcher->look, &err) == HL_OK, "look",
         err.msg);
    searcher->space = hl_layout_find(hl_look_layout(searcher->look), &model);
    need(searcher->space != NULL && searcher->space->dim > 0, bench->model,
         "there is no such model");
}

static void end(struct searcher *searcher)
{
    hl_look_close(searcher->look);
    hl_arena_free(searcher->arena);
}

/* Exact without a beam. What is found is good until the next one. */
static size_t search(struct searcher *searcher, size_t query, size_t beam,
                     const struct hl_hit **ret_hits)
{
    const struct bench *bench = searcher->bench;
    const struct hl_find find = {.space = searcher->space,
                                 .values = bench->queries + query * bench->dim,
                                 .n = bench->dim,
                                 .k = K,
                                 .beam = beam,
                                 .is_exact = beam == 0,
                                 .deadline = &never};
    struct hl_err err;
    size_t n = 0;

    hl_arena_reset(searcher->arena);
    need(hl_look_find(searcher->look, &find, searcher->arena, ret_hits, &n, &err) == HL_OK,
         "search", err.msg);
    return n;
}

static void go_to(int core)
{
    cpu_set_t cores;

    CPU_ZERO(&cores);
    CPU_SET((unsigned)core, &cores);
    need(pthread_setaffinity_np(pthread_self(), sizeof cores, &cores) == 0, "the processor",
         "this thread may not run there");
}

static void *search_along(void *arg)
{
    struct searcher *searcher = arg;
    const struct hl_hit *hits;
    int64_t start, spent = 0;
    double cpu;
    size_t n = 0;

    go_to(searcher->core);
    start = now_us(NULL);
    cpu = cpu_us();
    while ((double)spent < searcher->seconds * 1e6) {
        for (int i = 0; i < CHECK; i++, n++)
            (void)search(searcher, (n + (size_t)searcher->core * 331) % N_QUERIES,
                         searcher->bench->beam, &hits);
        spent = now_us(NULL) - start;
    }
    searcher->rate = (double)n / ((double)spent / 1e6);
    searcher->cpu_us = (cpu_us() - cpu) / (double)n;
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* Waits awake, so that nothing of it is the time that waking takes. */
static void *search_paced(void *arg)
{
    struct searcher *searcher = arg;
    const size_t n = (size_t)(searcher->seconds * searcher->rate);
    int64_t *took = calloc(n + 1, sizeof *took);
    const struct hl_hit *hits;
    int64_t start;

    need(took != NULL && n > 0, "paced", "too few searches, or no memory");
    go_to(searcher->core);
    start = now_us(NULL);
    for (size_t i = 0; i < n; i++) {
        const int64_t due = start + (int64_t)((double)i * 1e6 / searcher->rate);

        while (now_us(NULL) < due)
            ;
        (void)search(searcher, i % N_QUERIES, searcher->bench->beam, &hits);
        took[i] = now_us(NULL) - due;
    }
    qsort(took, n, sizeof *took, ascending);
    searcher->p50 = took[n / 2];
    searcher->p99 = took[n * 99 / 100];
    free(took);
    return NULL;
}

static void pace(struct bench *bench, const struct hl_turn *turn)
{
    struct searcher searcher = {.seconds = strtod(turn->words[1], NULL),
                                .core = (int)strtol(turn->words[2], NULL, 10),
                                .rate = strtod(turn->words[3], NULL)};

    begin(&searcher, bench);
    need(pthread_create(&searcher.thread, NULL, search_paced, &searcher) == 0, "a thread",
         "could not be started");
    pthread_join(searcher.thread, NULL);
    end(&searcher);
    hl_turn_say("p50=%lld p99=%lld", (long long)searcher.p50, (long long)searcher.p99);
}

static void run(struct bench *bench, const struct hl_turn *turn)
{
    struct searcher searchers[MOST_THREADS];
    const double seconds = strtod(turn->words[1], NULL);
    double rate = 0, cpu = 0;
    size_t n = 0;

    for (; n < MOST_THREADS && turn->words[2 + n][0] != '\0'; n++) {
        searchers[n] = (struct searcher){.core = (int)strtol(turn->words[2 + n], NULL, 10),
                                         .seconds = seconds};
        begin(&searchers[n], bench);
    }
    for (size_t i = 0; i < n; i++)
        need(pthread_create(&searchers[i].thread, NULL, search_along, &searchers[i]) == 0,
             "a thread", "could not be started");
    for (size_t i = 0; i < n; i++) {
        pthread_join(searchers[i].thread, NULL);
        rate += searchers[i].rate;
        cpu += searchers[i].cpu_us;
        end(&searchers[i]);
    }
    hl_turn_say("rate=%.1f cpu_us=%.3f", rate, cpu / (double)n);
}

static void say_recall(struct bench *bench, size_t beam)
{
    struct searcher searcher = {0};
    size_t n_found = 0;

    begin(&searcher, bench);
    for (size_t query = 0; query < N_EXACT; query++) {
        const struct hl_hit *hits;
        uint32_t right[K];
        const size_t n = search(&searcher, query, 0, &hits);

        need(n == K, "exact search", "too few were found");
        for (size_t i = 0; i < K; i++)
            right[i] = hits[i].number;
        need(search(&searcher, query, beam, &hits) == K, "search", "too few were found");
        for (size_t i = 0; i < K; i++)
            for (size_t j = 0; j < K; j++)
                n_found += hits[i].number == right[j];
    }
    end(&searcher);
    hl_turn_say("recall=%.4f", (double)n_found / (N_EXACT * K));
}

/* Bridges are the server's. Images stay as they are here, for nothing is written: nobody
 * asks the mapper for one, so it has no way. */
static enum hl_code find_mapper(void *self, struct hl_reader *reader, const char *settings,
                                struct hl_mapper **ret_mapper, struct hl_err *err)
{
    struct bench *bench = self;

    (void)reader;
    (void)settings;
    (void)err;
    *ret_mapper = hl_mapper_ref(&bench->mapper);
    return HL_OK;
}

static void open_bench(struct bench *bench, const char *folder, size_t first_query)
{
    /* As a server has it that was told nothing. */
    const struct hl_engine_options options = {.clock = &wall,
                                              .n_writers = 1,
                                              .seal_rows = 16384,
                                              .max_unindexed_bytes = (size_t)1 << 30,
                                              .most_held_bytes = SIZE_MAX,
                                              .n_links = 32,
                                              .ef_construction = 100,
                                              .beam = 64,
                                              .find_mapper = find_mapper,
                                              .self = bench};
    struct searcher searcher = {0};
    struct hl_gallery *gallery;
    struct hl_err err;

    bench->mapper = (struct hl_mapper){.n_refs = 1};
    need(hl_index_choose_kernels("auto", &err) == HL_OK, "kernels", err.msg);
    need(hl_engine_new(&options, &bench->engine, &err) == HL_OK, "engine", err.msg);
    need(hl_collection_open(bench->engine, folder, "bench", &bench->collection, &err) ==
             HL_OK,
         "open", err.msg);
    begin(&searcher, bench);
    bench->dim = searcher.space->dim;
    end(&searcher);
    gallery = hl_gallery_new(bench->dim, 1);
    need(gallery != NULL, "queries", "no memory");
    bench->queries = hl_gallery_rows(gallery, first_query, N_QUERIES);
    hl_gallery_free(gallery);
    need(bench->queries != NULL, "queries", "no memory");
}

int main(int argc, char **argv)
{
    struct bench bench = {.model = argc == 5 ? argv[2] : "",
                          .beam = argc == 5 ? strtoul(argv[4], NULL, 10) : 0};
    struct hl_turn turn;

    if (bench.beam < 1) {
        fprintf(stderr, "usage: bench_loop FOLDER MODEL FIRST_QUERY BEAM\n");
        return 2;
    }
    open_bench(&bench, argv[1], strtoul(argv[3], NULL, 10));
    hl_turn_say("ready dim=%zu", bench.dim);
    while (hl_turn_next(&turn)) {
        if (strcmp(turn.words[0], "search") == 0 && turn.words[2][0] != '\0')
            run(&bench, &turn);
        else if (strcmp(turn.words[0], "paced") == 0 && strtod(turn.words[3], NULL) > 0)
            pace(&bench, &turn);
        else if (strcmp(turn.words[0], "recall") == 0 &&
                 strtoul(turn.words[1], NULL, 10) > 0)
            say_recall(&bench, strtoul(turn.words[1], NULL, 10));
        else
            hl_turn_say(
                "error wanted \"search SECONDS CORE\", \"paced SECONDS CORE RATE\" or "
                "\"recall BEAM\"");
    }
    hl_collection_unref(bench.collection);
    hl_engine_free(bench.engine);
    free(bench.queries);
    return 0;
}
