/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/heirloom_file_XXXXXX";

/* Each test works in an empty folder of its own, so that paths are short. */
static int enter_folder(void **state)
{
    (void)state;
    memset(folder + strlen(folder) - 6, 'X', 6);
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
    static const char *const names[] = {"f", "f.new", "lock", "pipe", "log"};

    (void)state;
    hl_failpoint_disarm();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(names[i]);
    (void)rmdir("sub");
    (void)rmdir("f.new");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

static void arm(const char *rules)
{
    struct hl_err err;

    assert_int_equal(hl_failpoint_arm(rules, &err), HL_OK);
}

static enum hl_code open_code(const char *path, enum hl_file_mode mode)
{
    struct hl_file *file = NULL;
    struct hl_err err;
    enum hl_code code = hl_file_open(path, mode, &file, &err);

    assert_true((file == NULL) == (code != HL_OK));
    hl_file_close(file);
    return code;
}

static enum hl_code add_text(const char *path, enum hl_file_mode mode, const char *text)
{
    struct hl_file *file;
    struct hl_err err;
    enum hl_code code = hl_file_open(path, mode, &file, &err);

    if (code != HL_OK)
        return code;
    code = hl_file_write(file, text, strlen(text), &err);
    if (code == HL_OK)
        code = hl_file_sync(file, &err);
    hl_file_close(file);
    return code;
}

static void assert_holds(const char *path, const char *text)
{
    struct hl_buf buf;
    struct hl_err err;

    hl_buf_init(&buf, 1000);
    assert_int_equal(hl_file_load(path, &buf, &err), HL_OK);
    assert_string_equal(buf.data, text);
    assert_int_equal(buf.len, strlen(text));
    hl_buf_done(&buf);
}

static enum hl_code replace(const char *path, const char *text)
{
    struct hl_replacement *replacement;
    struct hl_err err;
    enum hl_code code = hl_replacement_open(path, &replacement, &err);

    if (code != HL_OK)
        return code;
    code = hl_file_write(hl_replacement_file(replacement), text, strlen(text), &err);
    if (code == HL_OK)
        return hl_replacement_commit(replacement, &err);
    hl_replacement_abandon(replacement);
    return code;
}

static void the_mode_says_what_must_be_there(void **state)
{
    (void)state;
    assert_int_equal(open_code("f", HL_FILE_READ), HL_NOT_FOUND);
    assert_int_equal(add_text("f", HL_FILE_CREATE, "one"), HL_OK);
    assert_int_equal(open_code("f", HL_FILE_CREATE), HL_EXISTS);
    assert_int_equal(open_code("f", HL_FILE_READ), HL_OK);
    assert_int_equal(add_text("f", HL_FILE_APPEND, "two"), HL_OK);
    assert_int_equal(add_text("log", HL_FILE_APPEND, "three"), HL_OK);
    assert_holds("f", "onetwo");
    assert_holds("log", "three");
    hl_file_close(NULL);
}

static void a_folder_or_a_pipe_is_refused_without_waiting(void **state)
{
    (void)state;
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(open_code("sub", HL_FILE_READ), HL_IO);
    assert_int_equal(open_code("sub", HL_FILE_APPEND), HL_IO);
    assert_int_equal(open_code("pipe", HL_FILE_READ), HL_IO);
    assert_int_equal(open_code("pipe", HL_FILE_APPEND), HL_IO);
}

static void short_reads_and_writes_are_finished(void **state)
{
    struct hl_file *file;
    char bytes[16];
    size_t n_read;
    struct hl_err err;

    (void)state;
    arm("file.short=1+:fail");
    assert_int_equal(add_text("f", HL_FILE_CREATE, "0123456789"), HL_OK);
    assert_int_equal(hl_file_open("f", HL_FILE_READ, &file, &err), HL_OK);
    assert_int_equal(hl_file_read_at(file, bytes, 7, 2, &n_read, &err), HL_OK);
    assert_int_equal(n_read, 7);
    assert_memory_equal(bytes, "2345678", 7);
    assert_true(hl_failpoint_count(HL_FAIL_FILE_SHORT) > 10);
    hl_file_close(file);
}

static void a_read_ends_where_the_file_does(void **state)
{
    struct hl_file *file;
    char bytes[16];
    size_t n_read;
    uint64_t size;
    struct hl_err err;

    (void)state;
    assert_int_equal(add_text("f", HL_FILE_CREATE, "0123456789"), HL_OK);
    assert_int_equal(hl_file_open("f", HL_FILE_READ, &file, &err), HL_OK);
    assert_int_equal(hl_file_size(file, &size, &err), HL_OK);
    assert_int_equal(size, 10);
    assert_int_equal(hl_file_read_at(file, bytes, 16, 8, &n_read, &err), HL_OK);
    assert_int_equal(n_read, 2);
    assert_int_equal(hl_file_read_at(file, bytes, 16, 400, &n_read, &err), HL_OK);
    assert_int_equal(n_read, 0);
    assert_int_equal(hl_file_read_at(file, bytes, 16, INT64_MAX, &n_read, &err), HL_IO);
    assert_int_equal(hl_file_read_at(file, bytes, SIZE_MAX, 0, &n_read, &err), HL_IO);
    assert_string_equal(hl_file_path(file), "f");
    hl_file_close(file);
}

static void what_was_written_may_be_written_over(void **state)
{
    struct hl_file *file;
    struct hl_buf buf;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_file_open("f", HL_FILE_CREATE, &file, &err), HL_OK);
    assert_int_equal(hl_file_write(file, "0123456789", 10, &err), HL_OK);
    arm("file.short=1+:fail");
    assert_int_equal(hl_file_rewrite(file, "abc", 3, 4, &err), HL_OK);
    hl_failpoint_disarm();
    assert_int_equal(hl_file_write(file, "!", 1, &err), HL_OK);
    arm("file.write=1:fail");
    assert_int_equal(hl_file_rewrite(file, "x", 1, 0, &err), HL_DISK_FULL);
    hl_failpoint_disarm();
    hl_file_close(file);
    hl_buf_init(&buf, 100);
    assert_int_equal(hl_file_load("f", &buf, &err), HL_OK);
    assert_string_equal(buf.data, "0123abc789!");
    hl_buf_done(&buf);
}

static void each_step_reports_its_own_refusal(void **state)
{
    static const struct {
        const char *rule;
        enum hl_code code;
    } rows[] = {
        {"file.open=1:fail", HL_IO},    {"file.write=1:fail", HL_DISK_FULL},
        {"file.sync=1:fail", HL_IO},    {"alloc=1:fail", HL_NO_MEMORY},
        {"alloc=2:fail", HL_NO_MEMORY},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        arm(rows[i].rule);
        assert_int_equal(add_text("f", HL_FILE_APPEND, "x"), rows[i].code);
    }
}

static void a_load_takes_the_whole_file_or_nothing(void **state)
{
    struct hl_buf buf;
    struct hl_err err;

    (void)state;
    assert_int_equal(add_text("f", HL_FILE_CREATE, "0123456789"), HL_OK);
    hl_buf_init(&buf, 10);
    assert_int_equal(hl_file_load("f", &buf, &err), HL_OK);
    assert_string_equal(buf.data, "0123456789");
    hl_buf_done(&buf);
    hl_buf_init(&buf, 9);
    assert_int_equal(hl_file_load("f", &buf, &err), HL_TOO_LARGE);
    assert_string_equal(err.msg,
                        "could not load \"f\": could not hold it: more than 9 bytes");
    hl_buf_done(&buf);
    arm("file.read=1:fail");
    hl_buf_init(&buf, 100);
    assert_int_equal(hl_file_load("f", &buf, &err), HL_IO);
    assert_int_equal(buf.len, 0);
    assert_int_equal(hl_file_load("missing", &buf, &err), HL_NOT_FOUND);
    hl_buf_done(&buf);
}

static void a_replacement_appears_when_it_is_committed(void **state)
{
    struct hl_replacement *replacement;
    struct hl_err err;

    (void)state;
    assert_int_equal(add_text("f", HL_FILE_CREATE, "old"), HL_OK);
    assert_int_equal(hl_replacement_open("f", &replacement, &err), HL_OK);
    assert_int_equal(hl_file_write(hl_replacement_file(replacement), "new", 3, &err),
                     HL_OK);
    assert_holds("f", "old");
    assert_int_equal(hl_replacement_commit(replacement, &err), HL_OK);
    assert_holds("f", "new");
    assert_int_equal(access("f.new", F_OK), -1);
    hl_replacement_abandon(NULL);
}

/* Pieces of 8 MB are begun with, so what the disk refuses comes before the commit. */
static void the_disk_writes_a_large_replacement_while_it_comes(void **state)
{
    const size_t size = (size_t)20 << 20;
    char *bytes = calloc(1, size);
    struct hl_replacement *replacement;
    struct hl_err err;

    (void)state;
    assert_non_null(bytes);
    assert_int_equal(hl_replacement_open("f", &replacement, &err), HL_OK);
    for (unsigned nth = 1; nth <= 2; nth++) {
        arm(nth == 1 ? "file.sync=1:fail" : "file.sync=2:fail");
        assert_int_equal(hl_file_write(hl_replacement_file(replacement), bytes, size, &err),
                         HL_IO);
        assert_string_equal(err.msg, "could not write \"f.new\": Input/output error");
    }
    arm("file.sync=100:fail");
    assert_int_equal(hl_file_write(hl_replacement_file(replacement), bytes, size, &err),
                     HL_OK);
    assert_in_range(hl_failpoint_count(HL_FAIL_FILE_SYNC), 2, 3);
    assert_int_equal(hl_replacement_commit(replacement, &err), HL_OK);
    free(bytes);
}

static void an_abandoned_replacement_leaves_nothing(void **state)
{
    struct hl_replacement *replacement;
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_replacement_open("f", &replacement, &err), HL_OK);
    hl_replacement_abandon(replacement);
    assert_int_equal(access("f", F_OK), -1);
    assert_int_equal(access("f.new", F_OK), -1);
}

/* Replaces with the Nth passage of the place refused, for every N, until none is left. */
static void check_refusals_of(const char *place)
{
    for (unsigned nth = 1;; nth++) {
        char rule[64];
        enum hl_code code;

        (void)unlink("f");
        assert_int_equal(add_text("f", HL_FILE_CREATE, "old"), HL_OK);
        snprintf(rule, sizeof rule, "%s=%u:fail", place, nth);
        arm(rule);
        code = replace("f", "new");
        hl_failpoint_disarm();
        assert_int_equal(access("f.new", F_OK), -1);
        if (code == HL_OK) {
            assert_true(nth > 1);
            assert_holds("f", "new");
            return;
        }
        /* The second sync and the second open are the folder's, behind the rename. */
        assert_holds("f", nth == 2 && strncmp(place, "file.", 5) == 0 ? "new" : "old");
    }
}

static void a_refused_replacement_leaves_a_whole_file(void **state)
{
    (void)state;
    check_refusals_of("alloc");
    check_refusals_of("file.open");
    check_refusals_of("file.write");
    check_refusals_of("file.sync");
    check_refusals_of("file.rename");
}

static void what_a_crash_left_aside_is_swept_away(void **state)
{
    (void)state;
    assert_int_equal(add_text("f.new", HL_FILE_CREATE, "half"), HL_OK);
    assert_int_equal(replace("f", "whole"), HL_OK);
    assert_holds("f", "whole");
    assert_int_equal(mkdir("f.new", 0700), 0);
    assert_int_equal(replace("f", "other"), HL_IO);
    assert_holds("f", "whole");
}

static void folders_are_made_once_and_synced(void **state)
{
    struct hl_err err;

    (void)state;
    assert_int_equal(hl_dir_make("sub", &err), HL_OK);
    assert_int_equal(hl_dir_make("sub", &err), HL_OK);
    assert_int_equal(hl_dir_sync("sub", &err), HL_OK);
    assert_int_equal(hl_dir_make("no/sub", &err), HL_IO);
    assert_int_equal(add_text("f", HL_FILE_CREATE, "x"), HL_OK);
    assert_int_equal(hl_dir_make("f", &err), HL_IO);
    assert_int_equal(hl_dir_sync("f", &err), HL_IO);
    arm("file.sync=1:fail");
    assert_int_equal(hl_dir_sync("sub", &err), HL_IO);
}

/* A process that takes the lock, says so, and keeps it until it is killed. */
static pid_t start_holder(void)
{
    int ends[2];
    char said = 0;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct hl_lock *lock;
        struct hl_err err;

        said = hl_lock_open("lock", &lock, &err) == HL_OK ? 'y' : 'n';
        if (write(ends[1], &said, 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ends[0], &said, 1), 1);
    assert_int_equal(said, 'y');
    close(ends[0]);
    close(ends[1]);
    return child;
}

static void a_lock_is_one_process_s_until_it_ends_however_it_ends(void **state)
{
    pid_t holder = start_holder();
    struct hl_lock *lock;
    struct hl_err err;
    char wanted[100];

    (void)state;
    assert_int_equal(hl_lock_open("lock", &lock, &err), HL_CONFLICT);
    snprintf(wanted, sizeof wanted, "could not lock \"lock\": process %ld holds it",
             (long)holder);
    assert_string_equal(err.msg, wanted);
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    assert_int_equal(hl_lock_open("lock", &lock, &err), HL_OK);
    hl_lock_close(lock);
    assert_int_equal(hl_lock_open("lock", &lock, &err), HL_OK);
    hl_lock_close(lock);
    hl_lock_close(NULL);
}

static void a_lock_needs_a_file_that_can_be_opened(void **state)
{
    struct hl_lock *lock;
    struct hl_err err;

    (void)state;
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_int_equal(hl_lock_open("pipe", &lock, &err), HL_IO);
    assert_int_equal(hl_lock_open("no/lock", &lock, &err), HL_NOT_FOUND);
    arm("alloc=1:fail");
    assert_int_equal(hl_lock_open("lock", &lock, &err), HL_NO_MEMORY);
}

static void a_disk_without_room_for_the_number_still_locks(void **state)
{
    int status;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit nothing = {0};
        struct hl_lock *lock;
        struct hl_err err;

        (void)signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &nothing) != 0)
            _exit(2);
        if (hl_lock_open("lock", &lock, &err) != HL_OK)
            _exit(1);
        hl_lock_close(lock);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, enter_folder, leave_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(the_mode_says_what_must_be_there),
        IN_FOLDER(a_folder_or_a_pipe_is_refused_without_waiting),
        IN_FOLDER(short_reads_and_writes_are_finished),
        IN_FOLDER(a_read_ends_where_the_file_does),
        IN_FOLDER(what_was_written_may_be_written_over),
        IN_FOLDER(each_step_reports_its_own_refusal),
        IN_FOLDER(a_load_takes_the_whole_file_or_nothing),
        IN_FOLDER(a_replacement_appears_when_it_is_committed),
        IN_FOLDER(the_disk_writes_a_large_replacement_while_it_comes),
        IN_FOLDER(an_abandoned_replacement_leaves_nothing),
        IN_FOLDER(a_refused_replacement_leaves_a_whole_file),
        IN_FOLDER(what_a_crash_left_aside_is_swept_away),
        IN_FOLDER(folders_are_made_once_and_synced),
        IN_FOLDER(a_lock_is_one_process_s_until_it_ends_however_it_ends),
        IN_FOLDER(a_lock_needs_a_file_that_can_be_opened),
        IN_FOLDER(a_disk_without_room_for_the_number_still_locks),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
