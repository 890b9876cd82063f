/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/source.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/heirloom_source_XXXXXX";
static struct hl_file *file;

static int open_file(void **state)
{
    struct hl_err err;
    int fd;

    (void)state;
    memset(path + strlen(path) - 6, 'X', 6);
    fd = mkstemp(path);
    if (fd < 0 || write(fd, "0123456789", 10) != 10 || close(fd) != 0)
        return -1;
    return hl_file_open(path, HL_FILE_READ, &file, &err) == HL_OK ? 0 : -1;
}

static int close_file(void **state)
{
    (void)state;
    hl_failpoint_disarm();
    hl_file_close(file);
    return unlink(path);
}

static void check_source(const struct hl_source *source)
{
    static const struct {
        size_t size;
        uint64_t offset;
        enum hl_code code;
    } rows[] = {
        {10, 0, HL_OK},
        {3, 7, HL_OK},
        {0, 10, HL_OK},
        {0, 0, HL_OK},
        {11, 0, HL_BAD_FILE},
        {1, 10, HL_BAD_FILE},
        {0, 11, HL_BAD_FILE},
        {SIZE_MAX, 2, HL_BAD_FILE},
        {2, UINT64_MAX, HL_BAD_FILE},
    };
    char bytes[10];
    struct hl_err err;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(hl_source_read(source, bytes, rows[i].size, rows[i].offset, &err),
                         rows[i].code);
        if (rows[i].code == HL_OK)
            assert_memory_equal(bytes, &"0123456789"[rows[i].offset], rows[i].size);
    }
}

static void memory_and_file_give_the_same_bytes(void **state)
{
    struct hl_memory memory = {.bytes = "0123456789", .size = 10};
    struct hl_source source = hl_source_of_memory(&memory, "upload");
    struct hl_err err;

    (void)state;
    check_source(&source);
    assert_int_equal(hl_source_of_file(file, &source, &err), HL_OK);
    check_source(&source);
}

static void a_refusal_names_the_place(void **state)
{
    struct hl_memory memory = {.bytes = "0123456789", .size = 10};
    struct hl_source source = hl_source_of_memory(&memory, "upload");
    char bytes[10];
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_source_read(&source, bytes, 4, 7, &err), HL_BAD_FILE);
    assert_string_equal(err.msg,
                        "\"upload\" ends too early: 4 bytes were wanted at offset 7 of 10");
}

static void a_file_that_shrinks_meanwhile_is_a_bad_one(void **state)
{
    struct hl_source source;
    char bytes[10];
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_source_of_file(file, &source, &err), HL_OK);
    assert_int_equal(truncate(path, 4), 0);
    assert_int_equal(hl_source_read(&source, bytes, 4, 0, &err), HL_OK);
    assert_int_equal(hl_source_read(&source, bytes, 5, 0, &err), HL_BAD_FILE);
}

static void a_disk_s_refusal_is_passed_on(void **state)
{
    struct hl_source source;
    char bytes[10];
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_source_of_file(file, &source, &err), HL_OK);
    assert_int_equal(hl_failpoint_arm("file.read=1:fail", &err), HL_OK);
    assert_int_equal(hl_source_read(&source, bytes, 4, 0, &err), HL_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(memory_and_file_give_the_same_bytes, open_file,
                                        close_file),
        cmocka_unit_test(a_refusal_names_the_place),
        cmocka_unit_test_setup_teardown(a_file_that_shrinks_meanwhile_is_a_bad_one,
                                        open_file, close_file),
        cmocka_unit_test_setup_teardown(a_disk_s_refusal_is_passed_on, open_file,
                                        close_file),
    };

    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
