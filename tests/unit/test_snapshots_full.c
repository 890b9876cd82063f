/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dir.h"
#include "server/server.h"
#include "server/snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEXT = 256 };

/* A data folder, and as much of a server as knows where it is. */
struct rig {
    char folder[48];
    struct hl_config config;
    struct hl_server server;
    struct hl_err err;
};

static void begin(struct rig *rig)
{
    snprintf(rig->folder, sizeof rig->folder, "/tmp/heirloom-full-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->config.storage.path, sizeof rig->config.storage.path, "%s", rig->folder);
    rig->server.config = &rig->config;
}

static void must(const struct rig *rig, enum hl_code code)
{
    if (code != HL_OK)
        fail_msg("%s", rig->err.msg);
}

static void place(const struct rig *rig, const char *name, char path[TEXT])
{
    const int len = snprintf(path, TEXT, "%s/full-snapshots/%s", rig->folder, name);

    assert_in_range(len, 1, TEXT - 1);
}

static void put_file(const struct rig *rig, const char *name)
{
    char path[TEXT];
    FILE *file;

    place(rig, name, path);
    file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
}

static bool has(const struct rig *rig, const char *name)
{
    char path[TEXT];

    place(rig, name, path);
    return access(path, F_OK) == 0;
}

static void parts_that_a_crash_left_are_removed_and_nothing_else(void **state)
{
    struct rig rig_here = {0}, *rig = &rig_here;
    char path[TEXT];

    (void)state;
    begin(rig);
    must(rig, hl_snapshots_full_sweep(&rig->server, &rig->err)); /* no folder yet */
    place(rig, "", path);
    assert_int_equal(mkdir(path, 0700), 0);
    place(rig, "a.snapshot.parts", path);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file(rig, "a.snapshot.parts/1.snapshot");
    put_file(rig, "b.snapshot");
    put_file(rig, ".parts");
    must(rig, hl_snapshots_full_sweep(&rig->server, &rig->err));
    assert_false(has(rig, "a.snapshot.parts"));
    assert_true(has(rig, "b.snapshot"));
    assert_true(has(rig, ".parts"));
    assert_int_equal(hl_dir_remove(rig->folder, &rig->err), HL_OK);
}

static void parts_that_cannot_be_removed_are_an_error(void **state)
{
    struct rig rig_here = {0}, *rig = &rig_here;
    char path[TEXT];

    (void)state;
    begin(rig);
    place(rig, "", path);
    assert_int_equal(mkdir(path, 0700), 0);
    put_file(rig, "a.snapshot.parts"); /* a file: it was none of ours */
    assert_int_not_equal(hl_snapshots_full_sweep(&rig->server, &rig->err), HL_OK);
    assert_int_equal(hl_dir_remove(rig->folder, &rig->err), HL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_that_a_crash_left_are_removed_and_nothing_else),
        cmocka_unit_test(parts_that_cannot_be_removed_are_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
