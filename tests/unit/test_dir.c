/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dir.h"
#include "proto/fail.h"
#include "proto/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[40], path[400];
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f)
        return -1;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-dir-XXXXXX");
    return mkdtemp(f->folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    int failed;

    hl_failpoint_disarm();
    failed = hl_dir_remove(f->folder, &f->err) != HL_OK;
    free(f);
    return failed;
}

static const char *in(struct fixture *f, const char *name)
{
    snprintf(f->path, sizeof f->path, "%s/%s", f->folder, name);
    return f->path;
}

static void make_file(struct fixture *f, const char *name)
{
    FILE *file = fopen(in(f, name), "w");

    assert_non_null(file);
    fclose(file);
}

static void make_folder(struct fixture *f, const char *name)
{
    assert_int_equal(mkdir(in(f, name), 0700), 0);
}

static bool is_there(struct fixture *f, const char *name)
{
    struct stat info;

    return lstat(in(f, name), &info) == 0;
}

struct walk {
    size_t n, limit;
};

static bool count(void *self, const char *name)
{
    struct walk *walk = self;

    assert_true(strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
    return ++walk->n < walk->limit;
}

static void a_walk_names_every_entry_until_it_is_told_to_stop(void **state)
{
    struct fixture *f = *state;
    struct walk all = {.limit = 100}, some = {.limit = 2};

    make_file(f, "a");
    make_file(f, ".b");
    make_folder(f, "c");
    assert_int_equal(hl_dir_walk(f->folder, count, &all, &f->err), HL_OK);
    assert_int_equal(all.n, 3);
    assert_int_equal(hl_dir_walk(f->folder, count, &some, &f->err), HL_OK);
    assert_int_equal(some.n, 2);
    assert_int_equal(hl_dir_walk(in(f, "nothing"), count, &all, &f->err), HL_NOT_FOUND);
}

static void a_folder_goes_with_all_that_is_in_it(void **state)
{
    struct fixture *f = *state;

    make_folder(f, "a");
    make_folder(f, "a/b");
    make_folder(f, "a/b/c");
    make_folder(f, "a/empty");
    for (int i = 0; i < 300; i++) {
        char name[32];

        snprintf(name, sizeof name, "a/b/c/%d", i);
        make_file(f, name);
    }
    make_file(f, "a/b/file");
    make_file(f, "other");
    assert_int_equal(hl_dir_remove(in(f, "a"), &f->err), HL_OK);
    assert_false(is_there(f, "a"));
    assert_true(is_there(f, "other"));
    assert_int_equal(hl_dir_remove(in(f, "a"), &f->err), HL_OK);
}

static void links_are_removed_and_not_followed(void **state)
{
    struct fixture *f = *state;
    char target[400];

    make_folder(f, "kept");
    make_file(f, "kept/file");
    make_folder(f, "a");
    snprintf(target, sizeof target, "%s", in(f, "kept"));
    assert_int_equal(symlink(target, in(f, "a/link")), 0);
    assert_int_equal(hl_dir_remove(in(f, "a"), &f->err), HL_OK);
    assert_true(is_there(f, "kept/file"));
    assert_int_equal(symlink(target, in(f, "link")), 0);
    assert_int_not_equal(hl_dir_remove(in(f, "link"), &f->err), HL_OK);
    assert_true(is_there(f, "kept/file"));
}

static void folders_too_deep_are_refused(void **state)
{
    struct fixture *f = *state;
    char name[64] = "d";

    make_folder(f, name);
    for (int i = 0; i < 9; i++) {
        strncat(name, "/d", sizeof name - strlen(name) - 1);
        make_folder(f, name);
    }
    assert_int_equal(hl_dir_remove(in(f, "d"), &f->err), HL_IO);
    assert_true(is_there(f, "d"));
    assert_int_equal(hl_dir_remove(in(f, "d/d/d/d"), &f->err), HL_OK);
    assert_int_equal(hl_dir_remove(in(f, "d"), &f->err), HL_OK);
}

static void a_file_is_removed_once_or_was_not_there(void **state)
{
    struct fixture *f = *state;

    make_file(f, "a");
    assert_int_equal(hl_failpoint_arm("file.rename=1:fail", &f->err), HL_OK);
    assert_int_equal(hl_file_remove(in(f, "a"), &f->err), HL_IO);
    hl_failpoint_disarm();
    assert_true(is_there(f, "a"));
    assert_int_equal(hl_file_remove(in(f, "a"), &f->err), HL_OK);
    assert_false(is_there(f, "a"));
    assert_int_equal(hl_file_remove(in(f, "a"), &f->err), HL_OK);
}

static void the_folder_above_is_synced(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_dir_sync_above(in(f, "a"), &f->err), HL_OK);
    assert_int_equal(hl_dir_sync_above("a", &f->err), HL_OK);
    assert_int_equal(hl_dir_sync_above("/a", &f->err), HL_OK);
    assert_int_equal(hl_failpoint_arm("file.sync=1:fail", &f->err), HL_OK);
    assert_int_equal(hl_dir_sync_above(in(f, "a"), &f->err), HL_IO);
}

static void a_file_is_moved_over_another_or_stays(void **state)
{
    struct fixture *f = *state;
    char from[sizeof f->path];

    make_file(f, "a");
    make_file(f, "b");
    snprintf(from, sizeof from, "%s", in(f, "a"));
    assert_int_equal(hl_failpoint_arm("file.rename=1:fail", &f->err), HL_OK);
    assert_int_equal(hl_file_move(from, in(f, "b"), &f->err), HL_IO);
    hl_failpoint_disarm();
    assert_true(is_there(f, "a"));
    assert_int_equal(hl_file_move(from, in(f, "b"), &f->err), HL_OK);
    assert_false(is_there(f, "a"));
    assert_true(is_there(f, "b"));
    assert_int_equal(hl_file_move(from, in(f, "b"), &f->err), HL_IO);
}

static void the_entries_of_a_folder_are_counted(void **state)
{
    struct fixture *f = *state;
    size_t n = 99;

    assert_int_equal(hl_dir_count(f->folder, &n, &f->err), HL_OK);
    assert_int_equal(n, 0);
    make_file(f, "a");
    make_file(f, ".b");
    assert_int_equal(hl_dir_count(f->folder, &n, &f->err), HL_OK);
    assert_int_equal(n, 2);
    assert_int_equal(hl_dir_count(in(f, "no"), &n, &f->err), HL_NOT_FOUND);
    assert_int_equal(hl_failpoint_arm("file.open=1:fail", &f->err), HL_OK);
    assert_int_equal(hl_dir_count(f->folder, &n, &f->err), HL_IO);
    assert_int_equal(n, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void a_glance_at_the_kernel_s_files_takes_what_there_is(void **state)
{
    char text[8];

    (void)state;
    assert_int_equal(hl_dir_glance("/proc/sys/kernel/ostype", text, sizeof text), 6);
    assert_string_equal(text, "Linux\n");
    assert_int_equal(hl_dir_glance("/proc/sys/kernel/ostype", text, 4), 3);
    assert_string_equal(text, "Lin");
    assert_int_equal(hl_dir_glance("/proc/0/stat", text, sizeof text), 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_entries_of_a_folder_are_counted),
        cmocka_unit_test(a_glance_at_the_kernel_s_files_takes_what_there_is),
        TEST(a_walk_names_every_entry_until_it_is_told_to_stop),
        TEST(a_folder_goes_with_all_that_is_in_it),
        TEST(links_are_removed_and_not_followed),
        TEST(folders_too_deep_are_refused),
        TEST(a_file_is_removed_once_or_was_not_there),
        TEST(the_folder_above_is_synced),
        TEST(a_file_is_moved_over_another_or_stays),
    };

    return cmocka_run_group_tests_name("dir", tests, NULL, NULL);
}
