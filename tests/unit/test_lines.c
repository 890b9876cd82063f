/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "server/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char path[40];
    struct hl_lines *lines;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    snprintf(f->path, sizeof f->path, "%s", "/tmp/heirloom-lines-XXXXXX");
    close(mkstemp(f->path));
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_lines_close(f->lines);
    unlink(f->path);
    free(f);
    return 0;
}

static void write_text(struct fixture *f, const char *text)
{
    FILE *file = fopen(f->path, "w");

    assert_int_equal(fputs(text, file) < 0, 0);
    fclose(file);
}

static void assert_next(struct fixture *f, const char *wanted, uint64_t number)
{
    struct hl_span line;
    bool has = false;

    assert_int_equal(hl_lines_next(f->lines, &line, &has, &f->err), HL_OK);
    assert_int_equal(has, wanted != NULL);
    if (!wanted)
        return;
    assert_int_equal(line.len, strlen(wanted));
    assert_memory_equal(line.data, wanted, line.len);
    assert_int_equal(hl_lines_number(f->lines), number);
}

static void lines_come_with_their_numbers_and_without_the_empty_ones(void **state)
{
    struct fixture *f = *state;

    write_text(f, "one\n\n  \t\r\ntwo\r\nthree");
    assert_int_equal(hl_lines_open(f->path, &f->lines, &f->err), HL_OK);
    assert_next(f, "one", 1);
    assert_next(f, "two\r", 4);
    assert_next(f, "three", 5);
    assert_next(f, NULL, 0);
    assert_next(f, NULL, 0);
}

static void an_empty_file_has_no_lines(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_lines_open(f->path, &f->lines, &f->err), HL_OK);
    assert_next(f, NULL, 0);
}

/* Longer than what is read at once, so that lines stand across the pieces. */
static void long_lines_come_whole(void **state)
{
    struct fixture *f = *state;
    FILE *file = fopen(f->path, "w");
    struct hl_span line;
    bool has;

    for (int i = 0; i < 20; i++) {
        for (int j = 0; j < 70001 * (i % 5 + 1); j++)
            putc('a' + i, file);
        putc('\n', file);
    }
    fclose(file);
    assert_int_equal(hl_lines_open(f->path, &f->lines, &f->err), HL_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(hl_lines_next(f->lines, &line, &has, &f->err), HL_OK);
        assert_int_equal(line.len, 70001 * (i % 5 + 1));
        assert_int_equal(line.data[0], 'a' + i);
        assert_int_equal(line.data[line.len - 1], 'a' + i);
    }
    assert_next(f, NULL, 0);
}

static void a_disk_that_fails_is_said(void **state)
{
    struct fixture *f = *state;
    struct hl_span line;
    bool has;

    write_text(f, "one\n");
    assert_int_equal(hl_lines_open(f->path, &f->lines, &f->err), HL_OK);
    assert_int_equal(hl_failpoint_arm("file.read=1:fail", &f->err), HL_OK);
    assert_int_equal(hl_lines_next(f->lines, &line, &has, &f->err), HL_IO);
}

static void a_file_that_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_lines_open("/nowhere/at/all", &f->lines, &f->err), HL_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_come_with_their_numbers_and_without_the_empty_ones),
        TEST(an_empty_file_has_no_lines),
        TEST(long_lines_come_whole),
        TEST(a_disk_that_fails_is_said),
        TEST(a_file_that_is_not_there_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
