/* SPDX-License-Identifier: Apache-2.0 */
/* import, export and check, as somebody types them, on a real server and a real folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/npy.h"
#include "tests/support/daemon.h"
#include "tests/support/rest.h"

#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_ROWS = 3000, DIM = 24, LIMIT_MS = 120000, MAX_WORDS = 12, PATH_ROOM = 160 };

struct fixture {
    const char *program;
    struct hl_daemon daemon;
    struct hl_process tool; /* the last one that ran */
    struct hl_rest rest;
    char url[64];
    char *out, *err;
};

static void forget_tool(struct fixture *f)
{
    free(f->out);
    free(f->err);
    f->out = f->err = NULL;
    hl_process_done(&f->tool);
}

static void start_tool(struct fixture *f, const char *const *words)
{
    const char *argv[MAX_WORDS + 2] = {f->program};

    for (size_t i = 0; i < MAX_WORDS && words[i]; i++)
        argv[i + 1] = words[i];
    forget_tool(f);
    assert_true(hl_process_init(&f->tool));
    assert_true(hl_process_start(&f->tool, argv, NULL));
}

/* The exit status. */
static int run_tool(struct fixture *f, const char *const *words)
{
    start_tool(f, words);
    assert_true(hl_process_wait(&f->tool, LIMIT_MS));
    f->out = hl_process_read(&f->tool, "out");
    f->err = hl_process_read(&f->tool, "err");
    return f->tool.status;
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void assert_ends_well(struct fixture *f, const char *const *words)
{
    if (run_tool(f, words) != 0)
        fail_msg("%s ended with %d: %s", words[0], f->tool.status, f->err);
}

static const char *in(struct fixture *f, const char *name, char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "%s/%s", f->daemon.process.dir, name);
    return path;
}

static void fill_row(int row, float *values)
{
    uint32_t random = (uint32_t)row * 2654435761u + 1;

    for (int i = 0; i < DIM; i++) {
        random = random * 1664525u + 1013904223u;
        values[i] = (float)(random >> 8) / (1 << 23) - 1;
    }
}

static void write_npy(const char *path)
{
    struct hl_npy_writer *writer = NULL;
    struct hl_err err;
    float values[DIM];

    assert_int_equal(hl_npy_writer_open(path, HL_DTYPE_F32, N_ROWS, DIM, &writer, &err),
                     HL_OK);
    for (int i = 0; i < N_ROWS; i++) {
        fill_row(i, values);
        assert_int_equal(hl_npy_writer_add(writer, values, 1, &err), HL_OK);
    }
    assert_int_equal(hl_npy_writer_commit(writer, &err), HL_OK);
}

static int count(struct fixture *f, const char *collection)
{
    char path[PATH_ROOM];

    snprintf(path, sizeof path, "/collections/%s/points/count", collection);
    if (hl_rest_ask(&f->rest, "POST", path, "{\"exact\":true}") != 200)
        return -1;
    return cJSON_GetObjectItemCaseSensitive(hl_rest_result(&f->rest), "count")->valueint;
}

static bool is_there(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

static void assert_same_files(const char *a, const char *b)
{
    FILE *first = fopen(a, "r"), *second = fopen(b, "r");
    int c;

    assert_non_null(first);
    assert_non_null(second);
    do {
        c = getc(first);
        assert_int_equal(c, getc(second));
    } while (c != EOF);
    fclose(first);
    fclose(second);
}

static void rows_go_in_and_come_out_as_they_were(void **state)
{
    struct fixture *f = *state;
    char npy[PATH_ROOM], out[PATH_ROOM], again[PATH_ROOM], note[PATH_ROOM];

    write_npy(in(f, "rows.npy", npy));
    assert_ends_well(f, WORDS("import", npy, "--collection", "a", "--create", "Dot",
                              "--url", f->url, "--first-id", "10", "--batch", "250"));
    assert_non_null(strstr(f->err, "3000 of 3000 points"));
    assert_int_equal(count(f, "a"), N_ROWS);
    assert_false(is_there(in(f, "rows.npy.importing", note)));
    assert_ends_well(f, WORDS("export", in(f, "out.npy", out), "--collection", "a", "--url",
                              f->url, "--page", "700"));
    assert_same_files(npy, out);
    assert_ends_well(
        f, WORDS("export", in(f, "a.ndjson", out), "--collection", "a", "--url", f->url));
    assert_ends_well(f, WORDS("export", in(f, "a.safetensors", note), "--collection", "a",
                              "--url", f->url));
    assert_ends_well(
        f, WORDS("import", note, "--collection", "b", "--create", "Dot", "--url", f->url));
    assert_int_equal(count(f, "b"), N_ROWS);
    assert_ends_well(f, WORDS("export", in(f, "b.ndjson", again), "--collection", "b",
                              "--url", f->url, "--page", "333"));
    assert_same_files(out, again);
    assert_false(is_there(in(f, "b.ndjson.part", note)));
    assert_false(is_there(in(f, "b.ndjson.exporting", note)));
}

/* Until the note of the import says that something is done. */
static bool await_file(const char *path)
{
    int64_t until = hl_now_ms() + LIMIT_MS;

    while (!is_there(path) && hl_now_ms() < until)
        hl_rest();
    return is_there(path);
}

static void an_import_that_was_killed_goes_on_where_it_was(void **state)
{
    struct fixture *f = *state;
    char npy[PATH_ROOM], note[PATH_ROOM];

    write_npy(in(f, "rows.npy", npy));
    start_tool(f, WORDS("import", npy, "--collection", "c", "--create", "Cosine", "--url",
                        f->url, "--batch", "20"));
    assert_true(await_file(in(f, "rows.npy.importing", note)));
    hl_process_signal(&f->tool, SIGKILL);
    assert_true(hl_process_wait(&f->tool, LIMIT_MS));
    if (!is_there(note)) /* it was faster than we were */
        return;
    assert_int_equal(
        run_tool(f, WORDS("import", npy, "--collection", "other", "--url", f->url)), 1);
    assert_non_null(strstr(f->err, "is the note of another import of this file"));
    assert_ends_well(f, WORDS("import", npy, "--collection", "c", "--url", f->url));
    assert_non_null(strstr(f->err, "points of "));
    assert_non_null(strstr(f->err, " are there already"));
    assert_int_equal(count(f, "c"), N_ROWS);
    assert_false(is_there(note));
}

static void what_the_server_refuses_is_said_with_its_words(void **state)
{
    struct fixture *f = *state;
    char path[PATH_ROOM];
    FILE *file;

    write_npy(in(f, "rows.npy", path));
    assert_int_equal(
        run_tool(f, WORDS("import", path, "--collection", "none", "--url", f->url)), 1);
    assert_non_null(strstr(f->err, "Collection `none` doesn't exist!"));
    assert_int_equal(
        run_tool(f, WORDS("export", path, "--collection", "none", "--url", f->url)), 1);
    assert_non_null(strstr(f->err, "Collection `none` doesn't exist!"));
    file = fopen(in(f, "bad.ndjson", path), "w");
    fputs("{\"id\":1}\n{\"id\":", file);
    fclose(file);
    assert_int_equal(
        run_tool(f, WORDS("import", path, "--collection", "none", "--url", f->url)), 1);
    assert_non_null(strstr(f->err, "bad.ndjson\", line 2"));
}

static void a_folder_in_use_is_not_checked(void **state)
{
    struct fixture *f = *state;
    char data[PATH_ROOM];

    assert_int_equal(run_tool(f, WORDS("check", "--data", in(f, "data", data))), 1);
    assert_non_null(strstr(f->err, "LOCK"));
}

/* The one collection's points.db. */
static void find_database(struct fixture *f, char path[PATH_ROOM])
{
    char command[2 * PATH_ROOM];
    FILE *found;

    snprintf(command, sizeof command, "ls %s/data/collections/*/points.db",
             f->daemon.process.dir);
    found = popen(command, "r");
    assert_non_null(found);
    assert_non_null(fgets(path, PATH_ROOM, found));
    path[strcspn(path, "\n")] = '\0';
    pclose(found);
}

static void spoil(const char *path, long at)
{
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    for (int i = 0; i < 4096; i++)
        putc(0xa5, file);
    fclose(file);
}

static void a_check_tells_what_is_sound_and_what_is_not(void **state)
{
    struct fixture *f = *state;
    char npy[PATH_ROOM], data[PATH_ROOM], database[PATH_ROOM];

    write_npy(in(f, "rows.npy", npy));
    assert_ends_well(f, WORDS("import", npy, "--collection", "a", "--create", "Cosine",
                              "--url", f->url));
    assert_true(hl_daemon_stop(&f->daemon));
    assert_ends_well(f, WORDS("check", "--data", in(f, "data", data)));
    assert_non_null(strstr(f->out, "3000 points"));
    assert_non_null(strstr(f->out, "files are sound"));
    find_database(f, database);
    spoil(database, 20 * 16384L);
    assert_int_equal(run_tool(f, WORDS("check", "--data", data)), 1);
    assert_non_null(strstr(f->out, "DAMAGED  a: "));
    assert_non_null(
        strstr(f->err, "restore the collections they belong to from a snapshot"));
    assert_int_equal(run_tool(f, WORDS("check", "--data", "/nowhere/at/all")), 1);
}

static int set_up(void **state)
{
    struct fixture *f = *state;
    const struct hl_daemon_setup setup = {.program = f->program,
                                          .config = "[search]\nseal_rows = 512\n"};

    if (!hl_daemon_start(&f->daemon, &setup))
        return -1;
    hl_rest_init(&f->rest, f->daemon.port);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u", f->daemon.port);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    forget_tool(f);
    hl_rest_done(&f->rest);
    hl_daemon_done(&f->daemon);
    return 0;
}

#define TEST(name)                                                                         \
    cmocka_unit_test_prestate_setup_teardown(name, set_up, tear_down, &fixture)

int main(int argc, char **argv)
{
    static struct fixture fixture;
    const struct CMUnitTest tests[] = {
        TEST(rows_go_in_and_come_out_as_they_were),
        TEST(an_import_that_was_killed_goes_on_where_it_was),
        TEST(what_the_server_refuses_is_said_with_its_words),
        TEST(a_folder_in_use_is_not_checked),
        TEST(a_check_tells_what_is_sound_and_what_is_not),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_tools HEIRLOOM\n");
        return 2;
    }
    fixture.program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
