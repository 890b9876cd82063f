/* SPDX-License-Identifier: Apache-2.0 */
/* The real server, killed in the middle of everything at once, again and again.
 *
 *     crash_gallery SEED CYCLES HEIRLOOM
 *
 * Writers change points of two collections, others switch an alias, make and delete
 * snapshots, payload indexes and a third collection. Each remembers what was acknowledged.
 * After a SIGKILL at a random moment the server starts again, and what it shows is
 * compared: nothing acknowledged is missing, nothing is half there. */
#include "tests/crash/oracle.h"
#include "tests/support/daemon.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { N_COLLECTIONS = 2, N_WRITERS = 2, PATH_ROOM = 256, MAX_SNAPSHOTS = 64 };

/* Small, so that every cycle seals and merges. */
static const char config[] = "[search]\nseal_rows = 128\n";

static const char *const collections[N_COLLECTIONS] = {"one", "two"};

/* What is at most one call behind: `now` is acknowledged, `then` may be. */
struct choice {
    int now, then;
};

struct keeper { /* of everything that is not points */
    uint64_t random;
    struct choice alias; /* which collection it leads to; -1: there is none */
    struct choice third; /* whether the collection "three" is there */
    struct choice index; /* whether "one" has an index on "g" */
    char snapshots[MAX_SNAPSHOTS][96];
    int n_snapshots;
    char leaving[96]; /* a snapshot whose deletion is on its way */
    uint64_t n_acknowledged;
};

struct stage {
    struct hl_daemon daemon;
    struct oracle oracles[N_COLLECTIONS][N_WRITERS];
    struct keeper keeper;
    atomic_bool is_over;
    atomic_size_t n_wrong;
};

struct worker {
    struct stage *stage;
    struct oracle *oracle; /* NULL: the keeper */
    pthread_t thread;
};

static uint32_t draw(uint64_t *random, uint32_t below)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (uint32_t)(*random >> 33) % below;
}

/* ---- the keeper's calls: true when one was acknowledged ---- */

static bool call(struct stage *stage, struct hl_rest *rest, const char *method,
                 const char *path, const char *body)
{
    int status = hl_rest_ask(rest, method, path, body);

    if (status > 0 && status != 200 && status != 202) {
        printf("# %s %s: %d %s\n", method, path, status, rest->said);
        atomic_fetch_add(&stage->n_wrong, 1);
    }
    return status == 200 || status == 202;
}

static bool switch_alias(struct stage *stage, struct hl_rest *rest)
{
    struct choice *alias = &stage->keeper.alias;
    char body[256];

    alias->then = alias->now == 0;
    snprintf(body, sizeof body,
             "{\"actions\":[%s{\"create_alias\":{\"collection_name\":\"%s\","
             "\"alias_name\":\"current\"}}]}",
             alias->now < 0 ? "" : "{\"delete_alias\":{\"alias_name\":\"current\"}},",
             collections[alias->then]);
    if (!call(stage, rest, "POST", "/collections/aliases", body))
        return false;
    alias->now = alias->then;
    return true;
}

static bool switch_third(struct stage *stage, struct hl_rest *rest)
{
    struct choice *third = &stage->keeper.third;

    third->then = !third->now;
    if (!(third->then ? call(stage, rest, "PUT", "/collections/three",
                             "{\"vectors\":{\"size\":4,\"distance\":\"Dot\"}}")
                      : call(stage, rest, "DELETE", "/collections/three", NULL)))
        return false;
    third->now = third->then;
    return true;
}

static bool switch_index(struct stage *stage, struct hl_rest *rest)
{
    struct choice *index = &stage->keeper.index;

    index->then = !index->now;
    if (!(index->then
              ? call(stage, rest, "PUT", "/collections/one/index?wait=true",
                     "{\"field_name\":\"g\",\"field_schema\":\"integer\"}")
              : call(stage, rest, "DELETE", "/collections/one/index/g?wait=true", NULL)))
        return false;
    index->now = index->then;
    return true;
}

static bool make_snapshot(struct stage *stage, struct hl_rest *rest)
{
    struct keeper *keeper = &stage->keeper;
    const cJSON *name;

    if (keeper->n_snapshots == MAX_SNAPSHOTS)
        return true;
    if (!call(stage, rest, "POST", "/collections/two/snapshots", NULL))
        return false;
    name = cJSON_GetObjectItemCaseSensitive(hl_rest_result(rest), "name");
    if (!cJSON_IsString(name)) {
        printf("# a snapshot without a name: %s\n", rest->said);
        atomic_fetch_add(&stage->n_wrong, 1);
        return false;
    }
    snprintf(keeper->snapshots[keeper->n_snapshots++], sizeof *keeper->snapshots, "%s",
             name->valuestring);
    return true;
}

static bool delete_snapshot(struct stage *stage, struct hl_rest *rest)
{
    struct keeper *keeper = &stage->keeper;
    char path[PATH_ROOM];

    if (keeper->n_snapshots == 0)
        return true;
    snprintf(keeper->leaving, sizeof keeper->leaving, "%s",
             keeper->snapshots[--keeper->n_snapshots]);
    snprintf(path, sizeof path, "/collections/two/snapshots/%s", keeper->leaving);
    if (!call(stage, rest, "DELETE", path, NULL))
        return false;
    keeper->leaving[0] = '\0';
    return true;
}

static bool keeper_step(struct stage *stage, struct hl_rest *rest)
{
    bool is_acknowledged;

    switch (draw(&stage->keeper.random, 12)) {
    case 0:
        is_acknowledged = switch_third(stage, rest);
        break;
    case 1:
        is_acknowledged = switch_index(stage, rest);
        break;
    case 2:
        is_acknowledged = make_snapshot(stage, rest);
        break;
    case 3:
        is_acknowledged = delete_snapshot(stage, rest);
        break;
    default:
        is_acknowledged = switch_alias(stage, rest);
    }
    stage->keeper.n_acknowledged += is_acknowledged;
    return is_acknowledged;
}

/* ---- one cycle ---- */

static void *work(void *arg)
{
    struct worker *worker = arg;
    struct stage *stage = worker->stage;
    struct hl_rest rest;
    bool goes_on = true, is_wrong = false;

    hl_rest_init(&rest, stage->daemon.port);
    while (goes_on && !atomic_load(&stage->is_over)) {
        goes_on = worker->oracle ? oracle_step(worker->oracle, &rest, &is_wrong)
                                 : keeper_step(stage, &rest);
        if (is_wrong)
            atomic_fetch_add(&stage->n_wrong, 1);
    }
    hl_rest_done(&rest);
    return NULL;
}

static void sleep_us(uint32_t us)
{
    struct timespec pause = {.tv_sec = us / 1000000,
                             .tv_nsec = (long)(us % 1000000) * 1000};

    nanosleep(&pause, NULL);
}

/* Everybody works until the server dies under them. */
static void work_and_kill(struct stage *stage, uint32_t us)
{
    struct worker workers[N_COLLECTIONS * N_WRITERS + 1];
    size_t n = 0;

    atomic_store(&stage->is_over, false);
    for (int c = 0; c < N_COLLECTIONS; c++)
        for (int w = 0; w < N_WRITERS; w++)
            workers[n++] = (struct worker){.stage = stage, .oracle = &stage->oracles[c][w]};
    workers[n++] = (struct worker){.stage = stage};
    for (size_t i = 0; i < n; i++)
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    sleep_us(us);
    hl_process_signal(&stage->daemon.process, SIGKILL);
    atomic_store(&stage->is_over, true);
    for (size_t i = 0; i < n; i++)
        pthread_join(workers[i].thread, NULL);
    hl_process_wait(&stage->daemon.process, 10000);
}

/* ---- what must be true then ---- */

static bool settle(struct choice *choice, int seen, const char *what)
{
    bool is_right = seen == choice->now || seen == choice->then;

    if (!is_right)
        printf("# %s: %d is there, %d was acknowledged, %d asked for\n", what, seen,
               choice->now, choice->then);
    choice->now = choice->then = seen;
    return is_right;
}

static int seen_alias(struct hl_rest *rest)
{
    const cJSON *alias, *name;

    if (hl_rest_ask(rest, "GET", "/aliases", NULL) != 200)
        return -2;
    alias = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(hl_rest_result(rest), "aliases"), 0);
    name = cJSON_GetObjectItemCaseSensitive(alias, "collection_name");
    for (int c = 0; name && c < N_COLLECTIONS; c++)
        if (strcmp(name->valuestring, collections[c]) == 0)
            return c;
    return -1;
}

static int seen_third(struct hl_rest *rest)
{
    const cJSON *exists;

    if (hl_rest_ask(rest, "GET", "/collections/three/exists", NULL) != 200)
        return -2;
    exists = cJSON_GetObjectItemCaseSensitive(hl_rest_result(rest), "exists");
    return cJSON_IsTrue(exists);
}

static int seen_index(struct hl_rest *rest)
{
    const cJSON *schema;

    if (hl_rest_ask(rest, "GET", "/collections/one", NULL) != 200)
        return -2;
    schema = cJSON_GetObjectItemCaseSensitive(hl_rest_result(rest), "payload_schema");
    return cJSON_GetObjectItemCaseSensitive(schema, "g") != NULL;
}

static bool is_listed(const cJSON *list, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        const cJSON *its = cJSON_GetObjectItemCaseSensitive(item, "name");

        if (its && strcmp(its->valuestring, name) == 0)
            return true;
    }
    return false;
}

/* Every acknowledged snapshot is there; one that is there and was not acknowledged is taken
 * over: it must be whole as well. */
static bool check_snapshots(struct keeper *keeper, struct hl_rest *rest)
{
    const cJSON *item;
    bool is_right = hl_rest_ask(rest, "GET", "/collections/two/snapshots", NULL) == 200;

    for (int i = 0; i < keeper->n_snapshots; i++)
        if (!is_listed(hl_rest_result(rest), keeper->snapshots[i])) {
            printf("# the snapshot %s is missing\n", keeper->snapshots[i]);
            is_right = false;
        }
    keeper->n_snapshots = 0;
    keeper->leaving[0] = '\0';
    cJSON_ArrayForEach(item, hl_rest_result(rest))
    {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(item, "name");

        if (name && keeper->n_snapshots < MAX_SNAPSHOTS)
            snprintf(keeper->snapshots[keeper->n_snapshots++], sizeof *keeper->snapshots,
                     "%s", name->valuestring);
    }
    return is_right;
}

/* One of them, as a collection of its own: whole means that it can be recovered. */
static bool recover_snapshot(struct stage *stage, struct hl_rest *rest)
{
    struct keeper *keeper = &stage->keeper;
    char body[512];
    int status;

    if (keeper->n_snapshots == 0 || draw(&keeper->random, 4) > 0)
        return true;
    snprintf(body, sizeof body, "{\"location\":\"file://%s/data/snapshots/two/%s\"}",
             stage->daemon.process.dir,
             keeper->snapshots[draw(&keeper->random, (uint32_t)keeper->n_snapshots)]);
    status =
        hl_rest_ask(rest, "PUT", "/collections/copy/snapshots/recover?wait=true", body);
    if (status != 200)
        printf("# recovering %s: %d %s\n", body, status, rest->said);
    return status == 200 && hl_rest_ask(rest, "DELETE", "/collections/copy", NULL) == 200;
}

static bool check(struct stage *stage)
{
    struct keeper *keeper = &stage->keeper;
    struct hl_rest rest;
    bool is_right;

    hl_rest_init(&rest, stage->daemon.port);
    is_right = settle(&keeper->alias, seen_alias(&rest), "the alias");
    is_right &= settle(&keeper->third, seen_third(&rest), "the third collection");
    is_right &= settle(&keeper->index, seen_index(&rest), "the index");
    is_right &= check_snapshots(keeper, &rest);
    is_right &= recover_snapshot(stage, &rest);
    for (int c = 0; c < N_COLLECTIONS; c++)
        for (int w = 0; w < N_WRITERS; w++)
            is_right &= oracle_check(&stage->oracles[c][w], &rest);
    hl_rest_done(&rest);
    return is_right;
}

/* ---- all of them ---- */

static bool prepare(struct stage *stage, const struct hl_daemon_setup *setup)
{
    struct hl_rest rest;
    bool is_ready = hl_daemon_start(&stage->daemon, setup);
    char path[PATH_ROOM];

    hl_rest_init(&rest, stage->daemon.port);
    for (int c = 0; is_ready && c < N_COLLECTIONS; c++) {
        snprintf(path, sizeof path, "/collections/%s", collections[c]);
        is_ready =
            hl_rest_ask(&rest, "PUT", path,
                        "{\"vectors\":{\"size\":16,\"distance\":\"Euclid\"}}") == 200;
        snprintf(path, sizeof path, "/collections/%s/index?wait=true", collections[c]);
        is_ready =
            is_ready &&
            hl_rest_ask(&rest, "PUT", path,
                        "{\"field_name\":\"w\",\"field_schema\":\"integer\"}") == 200;
    }
    if (!is_ready)
        printf("# could not prepare: %s\n", rest.said);
    hl_rest_done(&rest);
    return is_ready;
}

static uint64_t count_acknowledged(const struct stage *stage)
{
    uint64_t n = stage->keeper.n_acknowledged;

    for (int c = 0; c < N_COLLECTIONS; c++)
        for (int w = 0; w < N_WRITERS; w++)
            n += stage->oracles[c][w].n_acknowledged;
    return n;
}

static int run_cycles(struct stage *stage, const struct hl_daemon_setup *setup,
                      int n_cycles)
{
    int n_bad = 0, cycle = 0;

    while (cycle < n_cycles && n_bad == 0) {
        work_and_kill(stage, 20000 + draw(&stage->keeper.random, 600000));
        cycle++;
        if (!hl_daemon_restart(&stage->daemon, setup)) {
            printf("# cycle %d: the server does not start\n", cycle);
            return cycle;
        }
        if (!check(stage) || atomic_load(&stage->n_wrong) > 0) {
            printf("# in cycle %d\n", cycle);
            hl_daemon_show(&stage->daemon);
            n_bad++;
        }
    }
    printf("# %d kills, %llu acknowledged calls\n", cycle,
           (unsigned long long)count_acknowledged(stage));
    printf("%sok 1 nothing acknowledged is lost and nothing is half there\n",
           n_bad ? "not " : "");
    if (n_bad == 0 && !hl_daemon_stop(&stage->daemon))
        n_bad++;
    printf("%sok 2 the last server ends as it should\n", n_bad ? "not " : "");
    printf("1..2\n# count=%d findings=%d\n", cycle, n_bad);
    return n_bad;
}

int main(int argc, char **argv)
{
    struct stage *stage = calloc(1, sizeof *stage);
    const struct hl_daemon_setup setup = {.program = argc > 3 ? argv[3] : "",
                                          .config = config};
    uint64_t seed;
    int n_bad = 1;

    if (argc != 4 || !stage) {
        fprintf(stderr, "usage: crash_gallery SEED CYCLES HEIRLOOM\n");
        free(stage);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    seed = strtoull(argv[1], NULL, 10);
    printf("TAP version 13\n# seed %llu\n", (unsigned long long)seed);
    stage->keeper =
        (struct keeper){.random = seed * 0x9e3779b97f4a7c15u + 1, .alias = {-1, -1}};
    for (int c = 0; c < N_COLLECTIONS; c++)
        for (int w = 0; w < N_WRITERS; w++)
            oracle_init(&stage->oracles[c][w], collections[c], w,
                        seed + (uint64_t)(c * N_WRITERS + w) * 7919);
    if (prepare(stage, &setup))
        n_bad = run_cycles(stage, &setup, (int)strtol(argv[2], NULL, 10));
    else
        printf("not ok 1 the collections are made\n1..1\n");
    for (int c = 0; c < N_COLLECTIONS; c++)
        for (int w = 0; w < N_WRITERS; w++)
            oracle_done(&stage->oracles[c][w]);
    hl_daemon_done(&stage->daemon);
    free(stage);
    return n_bad > 0;
}
