/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies on their way to the disk, with a disk and a memory that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dir.h"
#include "proto/fail.h"
#include "proto/file.h"
#include "server/upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    char folder[48], uploads[64];
    struct hl_upload *upload;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-upload-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->uploads, sizeof f->uploads, "%s/uploads", f->folder);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_upload_free(f->upload);
    assert_int_equal(hl_dir_remove(f->folder, &f->err), HL_OK);
    free(f);
    return 0;
}

/* A whole upload of two blocks and a bit. */
static enum hl_code send_all(struct fixture *f)
{
    static char bytes[700000];
    enum hl_code code = hl_upload_new(f->uploads, "a", &f->upload, &f->err);

    for (int i = 0; code == HL_OK && i < 3; i++) {
        bool is_full = false;

        code = hl_upload_add(f->upload, bytes, sizeof bytes, &is_full, &f->err);
        if (code == HL_OK && is_full)
            code = hl_upload_spill(f->upload, &f->err);
    }
    return code == HL_OK ? hl_upload_finish(f->upload, &f->err) : code;
}

static size_t count_files(struct fixture *f)
{
    size_t n = 0;

    if (hl_dir_count(f->uploads, &n, &f->err) != HL_OK)
        n = 0;
    return n;
}

static void nothing_is_on_the_disk_before_a_block_is_full(void **state)
{
    struct fixture *f = *state;
    bool is_full = true;

    assert_int_equal(hl_upload_new(f->uploads, "a", &f->upload, &f->err), HL_OK);
    assert_int_equal(hl_upload_add(f->upload, "abc", 3, &is_full, &f->err), HL_OK);
    assert_false(is_full);
    assert_int_equal(count_files(f), 0);
    assert_int_equal(hl_upload_finish(f->upload, &f->err), HL_OK);
    assert_int_equal(count_files(f), 1);
    assert_int_equal(hl_upload_size(f->upload), 3);
}

static void what_was_moved_away_stays(void **state)
{
    struct fixture *f = *state;
    struct hl_buf bytes;
    char path[80];

    assert_int_equal(send_all(f), HL_OK);
    snprintf(path, sizeof path, "%s/kept", f->folder);
    assert_int_equal(hl_file_move(hl_upload_path(f->upload), path, &f->err), HL_OK);
    hl_upload_free(f->upload);
    f->upload = NULL;
    hl_buf_init(&bytes, 4 << 20);
    assert_int_equal(hl_file_load(path, &bytes, &f->err), HL_OK);
    assert_int_equal(bytes.len, 2100000);
    hl_buf_done(&bytes);
}

static void the_next_start_removes_what_a_crash_left(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(send_all(f), HL_OK);
    assert_int_equal(count_files(f), 1);
    assert_int_equal(hl_upload_sweep(f->uploads, &f->err), HL_OK);
    assert_int_equal(hl_upload_sweep(f->uploads, &f->err), HL_OK);
    assert_int_equal(count_files(f), 0);
}

static void whatever_fails_leaves_no_file_and_no_memory(void **state)
{
    static const char *const points[] = {"alloc", "file.open", "file.write", "file.sync"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        enum hl_code code = HL_IO;

        for (int n = 1; code != HL_OK; n++) {
            char rule[48];

            assert_true(n < 100);
            snprintf(rule, sizeof rule, "%s=%d:fail", points[i], n);
            assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
            code = send_all(f);
            hl_failpoint_disarm();
            hl_upload_free(f->upload);
            f->upload = NULL;
            assert_int_equal(count_files(f), 0);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_on_the_disk_before_a_block_is_full),
        TEST(what_was_moved_away_stays),
        TEST(the_next_start_removes_what_a_crash_left),
        TEST(whatever_fails_leaves_no_file_and_no_memory),
    };

    return cmocka_run_group_tests_name("upload", tests, NULL, NULL);
}
