/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that are full, read-only, shared or wrong: what the server says, and what it keeps.
 * The full and the read-only one are real: mounted in a namespace of the server's own,
 * where the system lets us; else those tests are skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/daemon.h"
#include "tests/support/rest.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_ROOM = 256, BODY_ROOM = 1 << 20, BATCH = 400, DIM = 32, LIMIT_MS = 60000 };
enum { N_MOUNTING = 2 }; /* tests that need the right to mount */

static const char config[] = "[search]\nseal_rows = 1024\n";

/* On a full disk: what a database's log has must find room in the database before the log
 * can begin again, so as much must go as half of what is there. Were segments written as
 * well, which of the two collections has how much would be a matter of speed. */
static const char unsealed[] = "[search]\nseal_rows = 1000000\n";
enum { N_BALLAST = 45 };

struct fixture {
    const char *program;
    char folder[64]; /* the wrapper's and the data's */
    char data[PATH_ROOM];
    char wrapper[PATH_ROOM];
    struct hl_daemon daemon;
    struct hl_rest rest;
    struct hl_daemon_setup setup;
    char *body;
};

static int set_up(void **state)
{
    struct fixture *f = *state;

    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-disks-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->data, sizeof f->data, "%s/data", f->folder);
    snprintf(f->wrapper, sizeof f->wrapper, "%s/wrapper", f->folder);
    f->setup =
        (struct hl_daemon_setup){.program = f->program, .config = config, .data = f->data};
    f->body = malloc(BODY_ROOM);
    return f->body && mkdir(f->data, 0750) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[PATH_ROOM];

    hl_rest_done(&f->rest);
    hl_daemon_done(&f->daemon);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    free(f->body);
    f->body = NULL;
    return system(command);
}

/* A namespace in which what is mounted is seen by nobody else. */
static const char *unshare(void)
{
    return getuid() == 0 ? "unshare --mount" : "unshare --mount --user -r";
}

/* Containers often may not, and a changed root cannot. */
static bool can_mount(void)
{
    char command[PATH_ROOM];

    snprintf(command, sizeof command, "%s mount -t tmpfs -o size=1m none /tmp 2>/dev/null",
             unshare());
    return system(command) == 0;
}

/* The program, in a namespace where `mount` was done first. */
static void wrap(struct fixture *f, const char *mount)
{
    FILE *file = fopen(f->wrapper, "w");

    assert_non_null(file);
    fprintf(file, "#!/bin/sh\nexec %s sh -c '%s && exec \"$0\" \"$@\"' '%s' \"$@\"\n",
            unshare(), mount, f->program);
    fclose(file);
    assert_int_equal(chmod(f->wrapper, 0755), 0);
    f->setup.program = f->wrapper;
}

static void start(struct fixture *f)
{
    assert_true(hl_daemon_start(&f->daemon, &f->setup));
    hl_rest_init(&f->rest, f->daemon.port);
}

/* The server must refuse to start, with these words in its log. */
static void assert_refuses_to_start(struct fixture *f, bool is_again, const char *words)
{
    struct hl_daemon second = {0};
    bool started;
    char *log;

    started = is_again ? hl_daemon_restart(&f->daemon, &f->setup)
                       : hl_daemon_start(&second, &f->setup);
    log = hl_process_read(is_again ? &f->daemon.process : &second.process, "err");
    assert_false(started);
    if (!strstr(log, words))
        fail_msg("\"%s\" is not in: %s", words, log);
    free(log);
    hl_daemon_done(&second);
}

static int ask(struct fixture *f, const char *method, const char *path, const char *body)
{
    return hl_rest_ask(&f->rest, method, path, body);
}

static void create(struct fixture *f, const char *collection)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "/collections/%s", collection);
    assert_int_equal(
        ask(f, "PUT", path, "{\"vectors\":{\"size\":32,\"distance\":\"Euclid\"}}"), 200);
}

/* Scattered, and the same each time. */
static int value_of(int id, int at)
{
    uint32_t mixed = (uint32_t)id * 2654435761u + (uint32_t)at * 2246822519u;

    mixed ^= mixed >> 15;
    return (int)((mixed * 3266489917u) >> 20) % 997;
}

/* The status of putting BATCH points from `first` on. */
static int put(struct fixture *f, const char *collection, int first)
{
    char path[PATH_ROOM];
    size_t len = (size_t)snprintf(f->body, BODY_ROOM, "{\"points\":[");
    int status;

    for (int i = first; i < first + BATCH; i++) {
        len += (size_t)snprintf(f->body + len, BODY_ROOM - len, "%s{\"id\":%d,\"vector\":[",
                                i > first ? "," : "", i);
        for (int j = 0; j < DIM; j++)
            len += (size_t)snprintf(f->body + len, BODY_ROOM - len, "%s%d.5", j ? "," : "",
                                    value_of(i, j));
        len += (size_t)snprintf(f->body + len, BODY_ROOM - len, "]}");
    }
    snprintf(f->body + len, BODY_ROOM - len, "]}");
    snprintf(path, sizeof path, "/collections/%s/points?wait=true", collection);
    while ((status = ask(f, "PUT", path, f->body)) == 429)
        hl_rest();
    return status;
}

static int count(struct fixture *f, const char *collection)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "/collections/%s/points/count", collection);
    assert_int_equal(ask(f, "POST", path, "{\"exact\":true}"), 200);
    return cJSON_GetObjectItemCaseSensitive(hl_rest_result(&f->rest), "count")->valueint;
}

/* Found by its own vector, at no distance. */
static void assert_found(struct fixture *f, const char *collection, int id)
{
    char path[PATH_ROOM], body[PATH_ROOM];
    const cJSON *hit;

    snprintf(path, sizeof path, "/collections/%s/points/query", collection);
    snprintf(body, sizeof body, "{\"query\":[");
    for (int j = 0; j < DIM; j++)
        snprintf(body + strlen(body), sizeof body - strlen(body), "%s%d.5", j ? "," : "",
                 value_of(id, j));
    snprintf(body + strlen(body), sizeof body - strlen(body), "],\"limit\":1}");
    assert_int_equal(ask(f, "POST", path, body), 200);
    hit = cJSON_GetArrayItem(
        cJSON_GetObjectItemCaseSensitive(hl_rest_result(&f->rest), "points"), 0);
    assert_non_null(hit);
    assert_true(cJSON_GetObjectItemCaseSensitive(hit, "score")->valuedouble < 1e-3);
}

static void await_log(struct fixture *f, const char *words)
{
    if (!hl_process_await(&f->daemon.process, "err", words, LIMIT_MS)) {
        hl_daemon_show(&f->daemon);
        fail_msg("the log does not say \"%s\"", words);
    }
}

/* ---- the tests ---- */

static void a_full_disk_answers_507_and_goes_on_reading(void **state)
{
    struct fixture *f = *state;
    char mount[2 * PATH_ROOM];
    int n = 0, status;

    snprintf(mount, sizeof mount, "mount -t tmpfs -o size=24m none %s", f->data);
    wrap(f, mount);
    f->setup.config = unsealed;
    start(f);
    create(f, "ballast");
    for (int i = 0; i < N_BALLAST; i++)
        assert_int_equal(put(f, "ballast", i * BATCH), 200);
    create(f, "c");
    while ((status = put(f, "c", n)) == 200)
        n += BATCH;
    assert_int_equal(status, 507);
    assert_non_null(strstr(f->rest.said, "disk_full"));
    assert_int_equal(count(f, "c"), n);
    assert_found(f, "c", 1);
    assert_int_equal(put(f, "c", n), 507);
    assert_int_equal(ask(f, "GET", "/readyz", NULL), 200);
    /* Room again: it goes on by itself. */
    assert_int_equal(ask(f, "DELETE", "/collections/ballast", NULL), 200);
    for (int64_t until = hl_now_ms() + LIMIT_MS;
         (status = put(f, "c", n)) == 507 && hl_now_ms() < until;)
        hl_rest();
    assert_int_equal(status, 200);
    assert_int_equal(count(f, "c"), n + BATCH);
    assert_true(hl_daemon_stop(&f->daemon));
}

static void a_read_only_folder_stops_the_start_with_its_name(void **state)
{
    struct fixture *f = *state;
    char mount[2 * PATH_ROOM];

    snprintf(mount, sizeof mount, "mount -t tmpfs -o size=1m,ro none %s", f->data);
    wrap(f, mount);
    assert_refuses_to_start(f, false, "Read-only file system");
}

static void a_second_server_on_the_same_folder_is_refused(void **state)
{
    struct fixture *f = *state;
    char words[64];

    start(f);
    snprintf(words, sizeof words, "%d", (int)f->daemon.process.pid);
    assert_refuses_to_start(f, false, words);
    create(f, "c");
    assert_int_equal(put(f, "c", 0), 200);
    assert_true(hl_daemon_stop(&f->daemon));
}

/* The first file that a pattern of the shell finds in the data. */
static void find_file(struct fixture *f, const char *pattern, char path[PATH_ROOM])
{
    char command[2 * PATH_ROOM];
    FILE *found;

    snprintf(command, sizeof command, "ls %s/%s", f->data, pattern);
    found = popen(command, "r");
    assert_non_null(found);
    assert_non_null(fgets(path, PATH_ROOM, found));
    path[strcspn(path, "\n")] = '\0';
    pclose(found);
}

static void fill_and_stop(struct fixture *f)
{
    start(f);
    create(f, "c");
    for (int i = 0; i < 6; i++)
        assert_int_equal(put(f, "c", i * BATCH), 200);
    await_log(f, "event=sealed");
    assert_true(hl_daemon_stop(&f->daemon));
    hl_rest_done(&f->rest);
}

static void a_segment_with_one_flipped_bit_is_rebuilt(void **state)
{
    struct fixture *f = *state;
    char path[PATH_ROOM];
    FILE *file;
    int byte;

    fill_and_stop(f);
    find_file(f, "collections/*/segments/*/*.seg", path);
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 100000, SEEK_SET), 0);
    byte = getc(file);
    assert_int_equal(fseek(file, 100000, SEEK_SET), 0);
    putc(byte ^ 4, file);
    fclose(file);
    assert_true(hl_daemon_restart(&f->daemon, &f->setup));
    hl_rest_init(&f->rest, f->daemon.port);
    await_log(f, "event=rebuilding");
    assert_int_equal(count(f, "c"), 6 * BATCH);
    for (int id = 0; id < 6 * BATCH; id += 97)
        assert_found(f, "c", id);
    assert_true(hl_daemon_stop(&f->daemon));
}

static void a_truncated_database_stops_the_start_and_says_what_to_restore(void **state)
{
    struct fixture *f = *state;
    char path[PATH_ROOM];
    struct stat info;

    fill_and_stop(f);
    find_file(f, "collections/*/points.db", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size / 2), 0);
    assert_refuses_to_start(f, true, "points.db");
    hl_daemon_show(&f->daemon);
}

#define TEST(name)                                                                         \
    cmocka_unit_test_prestate_setup_teardown(name, set_up, tear_down, &fixture)

int main(int argc, char **argv)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        /* These need the right to mount. */
        TEST(a_full_disk_answers_507_and_goes_on_reading),
        TEST(a_read_only_folder_stops_the_start_with_its_name),
        /* These do not. */
        TEST(a_second_server_on_the_same_folder_is_refused),
        TEST(a_segment_with_one_flipped_bit_is_rebuilt),
        TEST(a_truncated_database_stops_the_start_and_says_what_to_restore),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_disks HEIRLOOM\n");
        return 2;
    }
    fixture.program = argv[1];
    if (can_mount())
        return cmocka_run_group_tests(tests, NULL, NULL);
    /* A test that skips itself is one that failed, in the words of cmocka 1.1.5. */
    printf("# not tested, since nothing can be mounted here: %s, %s\n", tests[0].name,
           tests[1].name);
    return _cmocka_run_group_tests("disks", tests + N_MOUNTING,
                                   sizeof tests / sizeof tests[0] - N_MOUNTING, NULL, NULL);
}
