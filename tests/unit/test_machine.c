/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dir.h"
#include "proto/file.h"
#include "proto/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/heirloom_machine_XXXXXX";

static int enter_folder(void **state)
{
    (void)state;
    memset(folder + strlen(folder) - 6, 'X', 6);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    struct hl_err err;

    (void)state;
    return chdir("/") == 0 && hl_dir_remove(folder, &err) == HL_OK ? 0 : -1;
}

/* The folders of `path` are made too. */
static void write_text(const char *path, const char *text)
{
    char above[128];
    struct hl_file *file;
    struct hl_err err;

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(above, sizeof above, "%.*s", (int)(slash - path), path);
        assert_int_equal(hl_dir_make(above, &err), HL_OK);
    }
    assert_int_equal(hl_file_open(path, HL_FILE_CREATE, &file, &err), HL_OK);
    assert_int_equal(hl_file_write(file, text, strlen(text), &err), HL_OK);
    hl_file_close(file);
}

static uint64_t bound_of(const char *list)
{
    (void)unlink("list");
    write_text("list", list);
    return hl_machine_group_memory("list", "groups");
}

static void a_group_has_what_the_least_above_it_has(void **state)
{
    (void)state;
    write_text("groups/memory.max", "max\n");
    write_text("groups/a/memory.max", "4096000\n");
    write_text("groups/a/b/memory.max", "8192000\n");
    assert_int_equal(bound_of("0::/a/b\n"), 4096000);
    assert_int_equal(bound_of("0::/a\n"), 4096000);
    assert_true(bound_of("0::/\n") == UINT64_MAX);
    assert_true(bound_of("0::/elsewhere\n") == UINT64_MAX);
    assert_int_equal(bound_of("0::/a/gone/deep\n"), 4096000);
}

static void groups_of_the_first_version_have_a_folder_of_their_own(void **state)
{
    (void)state;
    write_text("groups/memory/memory.limit_in_bytes", "9223372036854771712\n");
    write_text("groups/memory/x/memory.limit_in_bytes", "1048576\n");
    assert_int_equal(bound_of("5:cpu:/x\n4:memory:/x\n0::/\n"), 1048576);
    assert_true(bound_of("4:memory:/\n") == INT64_MAX / 4096 * 4096);
    assert_true(bound_of("4:cpu:/x\n") == UINT64_MAX);
}

static void what_is_no_list_says_nothing(void **state)
{
    (void)state;
    write_text("groups/memory.max", "12x\n");
    assert_true(bound_of("") == UINT64_MAX);
    assert_true(bound_of("nothing\n:\n::\n0:\n0::/\n") == UINT64_MAX);
    assert_true(hl_machine_group_memory("no such list", "groups") == UINT64_MAX);
}

static void this_machine_has_some_memory(void **state)
{
    (void)state;
    assert_true(hl_machine_memory() > (uint64_t)1 << 20);
    assert_true(hl_machine_memory() < (uint64_t)1 << 50);
}

#define test_in_folder(test)                                                               \
    cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_in_folder(a_group_has_what_the_least_above_it_has),
        test_in_folder(groups_of_the_first_version_have_a_folder_of_their_own),
        test_in_folder(what_is_no_list_says_nothing),
        cmocka_unit_test(this_machine_has_some_memory),
    };

    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
