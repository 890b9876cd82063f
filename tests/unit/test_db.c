/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/db.h"
#include "proto/dir.h"
#include "proto/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[40], path[64], copy[64];
    struct hl_db *db, *other;
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f)
        return -1;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-db-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/a.db", f->folder);
    snprintf(f->copy, sizeof f->copy, "%s/b.db", f->folder);
    if (hl_db_open(f->path, HL_DB_CREATE, &f->db, &f->err) != HL_OK ||
        hl_db_exec(f->db, "CREATE TABLE t(n INTEGER PRIMARY KEY, b BLOB)", &f->err) !=
            HL_OK)
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    int failed;

    hl_failpoint_disarm();
    hl_db_close(f->db);
    hl_db_close(f->other);
    failed = hl_dir_remove(f->folder, &f->err) != HL_OK;
    free(f);
    return failed;
}

static int64_t ask(struct fixture *f, struct hl_db *db, const char *sql)
{
    int64_t value = -1;

    assert_int_equal(hl_db_ask(db, sql, &value, &f->err), HL_OK);
    return value;
}

static void add(struct fixture *f, int64_t n)
{
    struct hl_stmt *stmt;

    assert_int_equal(hl_stmt_new(f->db, "INSERT INTO t VALUES(?1, ?2)", &stmt, &f->err),
                     HL_OK);
    hl_stmt_int(stmt, 1, n);
    hl_stmt_blob(stmt, 2, "a\0b", 3);
    assert_int_equal(hl_stmt_run(stmt, NULL, &f->err), HL_OK);
    hl_stmt_free(stmt);
}

static const char count[] = "SELECT count(*) FROM t";

/* ---- files ---- */

static void files_are_logged_ahead_in_large_pages_and_synced(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ask(f, f->db, "PRAGMA page_size"), 16384);
    assert_int_equal(ask(f, f->db, "PRAGMA synchronous"), 2);
    assert_int_equal(ask(f, f->db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"),
                     1);
    assert_int_equal(ask(f, f->db, "PRAGMA secure_delete"), 0);
}

static void making_what_is_there_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_db_open(f->path, HL_DB_CREATE, &f->other, &f->err), HL_EXISTS);
    assert_int_equal(hl_db_open(f->copy, HL_DB_WRITE, &f->other, &f->err), HL_NOT_FOUND);
    assert_int_equal(hl_db_open(f->copy, HL_DB_READ, &f->other, &f->err), HL_NOT_FOUND);
    assert_null(f->other);
}

static void a_reader_cannot_write(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_db_open(f->path, HL_DB_READ, &f->other, &f->err), HL_OK);
    assert_int_equal(hl_db_exec(f->other, "DELETE FROM t", &f->err), HL_IO);
    assert_non_null(strstr(f->err.msg, "read-only"));
}

static void a_second_writer_waits_and_is_told(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_db_open(f->path, HL_DB_WRITE, &f->other, &f->err), HL_OK);
    assert_int_equal(hl_db_begin(f->db, &f->err), HL_OK);
    assert_int_equal(hl_db_begin(f->other, &f->err), HL_CONFLICT);
    assert_non_null(strstr(f->err.msg, "another process does"));
    hl_db_rollback(f->db);
    assert_int_equal(hl_db_begin(f->other, &f->err), HL_OK);
}

/* ---- transactions ---- */

static void a_reader_keeps_what_it_saw_when_it_began(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_db_open(f->path, HL_DB_READ, &f->other, &f->err), HL_OK);
    assert_int_equal(hl_db_begin_read(f->other, &f->err), HL_OK);
    add(f, 1);
    assert_int_equal(ask(f, f->db, count), 1);
    assert_int_equal(ask(f, f->other, count), 0);
    hl_db_rollback(f->other);
    assert_int_equal(ask(f, f->other, count), 1);
}

static void undoing_leaves_what_was_before_the_savepoint(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_db_begin(f->db, &f->err), HL_OK);
    add(f, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hl_db_save(f->db, &f->err), HL_OK);
        add(f, 2 + i);
        assert_int_equal(i ? hl_db_keep(f->db, &f->err) : hl_db_undo(f->db, &f->err),
                         HL_OK);
    }
    assert_true(hl_db_is_open(f->db));
    assert_int_equal(hl_db_commit(f->db, &f->err), HL_OK);
    assert_false(hl_db_is_open(f->db));
    assert_int_equal(ask(f, f->db, "SELECT sum(n) FROM t"), 4);
}

static void a_commit_that_cannot_be_synced_is_rolled_back(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_db_begin(f->db, &f->err), HL_OK);
    add(f, 1);
    assert_int_equal(hl_failpoint_arm("file.sync=1:fail", &f->err), HL_OK);
    assert_int_equal(hl_db_commit(f->db, &f->err), HL_IO);
    hl_failpoint_disarm();
    assert_false(hl_db_is_open(f->db));
    assert_int_equal(ask(f, f->db, count), 0);
    assert_int_equal(hl_db_begin(f->db, &f->err), HL_OK);
    add(f, 2);
    assert_int_equal(hl_db_commit(f->db, &f->err), HL_OK);
    assert_int_equal(ask(f, f->db, count), 1);
}

static void a_full_disk_is_said(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_db_begin(f->db, &f->err), HL_OK);
    add(f, 1);
    assert_int_equal(hl_failpoint_arm("file.write=1+:fail", &f->err), HL_OK);
    assert_int_equal(hl_db_commit(f->db, &f->err), HL_DISK_FULL);
    hl_failpoint_disarm();
    assert_non_null(strstr(f->err.msg, "the disk is full"));
    assert_int_equal(ask(f, f->db, count), 0);
}

static void rolling_back_wants_no_memory(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(hl_db_begin(f->db, &f->err), HL_OK);
        add(f, 1);
        assert_int_equal(hl_failpoint_arm("alloc=1+:fail", &f->err), HL_OK);
        hl_db_rollback(f->db);
        hl_failpoint_disarm();
        assert_false(hl_db_is_open(f->db));
        assert_int_equal(ask(f, f->db, count), 0);
    }
}

/* ---- statements ---- */

static void a_statement_can_be_run_again_after_every_end(void **state)
{
    struct fixture *f = *state;
    struct hl_stmt *insert, *select;
    size_t n_changed = 0, size = 0;
    bool has_row = false;

    assert_int_equal(hl_stmt_new(f->db, "INSERT INTO t VALUES(?1, ?2)", &insert, &f->err),
                     HL_OK);
    assert_int_equal(
        hl_stmt_new(f->db, "SELECT n, b FROM t WHERE n >= ?1", &select, &f->err), HL_OK);
    for (int i = 0; i < 3; i++) {
        hl_stmt_int(insert, 1, i);
        hl_stmt_blob(insert, 2, i ? "xyz" : NULL, (size_t)i);
        assert_int_equal(hl_stmt_run(insert, &n_changed, &f->err), HL_OK);
        assert_int_equal(n_changed, 1);
    }
    hl_stmt_int(insert, 1, 0); /* there already */
    assert_int_equal(hl_stmt_run(insert, NULL, &f->err), HL_INTERNAL);
    hl_stmt_int(select, 1, 2);
    assert_int_equal(hl_stmt_step(select, &has_row, &f->err), HL_OK);
    assert_true(has_row);
    assert_memory_equal(hl_stmt_get_bytes(select, 1, &size), "xy", 2);
    assert_int_equal(size, 2);
    hl_stmt_reset(select);
    hl_stmt_int(select, 1, 0);
    assert_int_equal(hl_stmt_step(select, &has_row, &f->err), HL_OK);
    assert_null(hl_stmt_get_bytes(select, 1, &size));
    while (has_row)
        assert_int_equal(hl_stmt_step(select, &has_row, &f->err), HL_OK);
    hl_stmt_free(select);
    hl_stmt_free(insert);
}

static int64_t late(void *self)
{
    (void)self;
    return 100;
}

static void a_long_statement_ends_at_its_deadline(void **state)
{
    static const char endless[] = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
                                  "FROM c) SELECT count(*) FROM c";
    struct fixture *f = *state;
    const struct hl_clock clock = {late, NULL};
    const atomic_bool yes = true;
    const struct hl_deadline passed = {&clock, 50, NULL};
    const struct hl_deadline cancelled = {&clock, HL_DEADLINE_NEVER, &yes};
    int64_t value;

    hl_db_set_deadline(f->db, &passed);
    assert_int_equal(hl_db_ask(f->db, endless, &value, &f->err), HL_TIMEOUT);
    hl_db_set_deadline(f->db, &cancelled);
    assert_int_equal(hl_db_ask(f->db, endless, &value, &f->err), HL_CANCELLED);
    hl_db_set_deadline(f->db, NULL);
    assert_int_equal(ask(f, f->db, count), 0);
}

/* ---- copies and damage ---- */

static bool is_there(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

static void a_copy_is_whole_or_not_there(void **state)
{
    static const char *const places[] = {"alloc", "file.write", "file.sync"};
    struct fixture *f = *state;

    for (int64_t i = 0; i < 50; i++)
        add(f, i);
    for (int i = 0; i < 3; i++) {
        enum hl_code code = HL_INTERNAL;

        for (int nth = 1; code != HL_OK; nth++) {
            char rule[40];

            snprintf(rule, sizeof rule, "%s=%d:fail", places[i], nth);
            assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
            code = hl_db_copy(f->db, f->copy, NULL, &f->err);
            hl_failpoint_disarm();
            assert_int_equal(is_there(f->copy), code == HL_OK);
        }
        assert_int_equal(hl_db_open(f->copy, HL_DB_READ, &f->other, &f->err), HL_OK);
        assert_int_equal(ask(f, f->other, count), 50);
        assert_int_equal(hl_db_check(f->other, NULL, &f->err), HL_OK);
        hl_db_close(f->other);
        f->other = NULL;
        assert_int_equal(unlink(f->copy), 0);
    }
}

static void a_damaged_page_is_found_and_said(void **state)
{
    struct fixture *f = *state;
    FILE *file;

    for (int64_t i = 0; i < 5000; i++)
        add(f, i);
    assert_int_equal(hl_db_copy(f->db, f->copy, NULL, &f->err), HL_OK);
    file = fopen(f->copy, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 32768, SEEK_SET), 0);
    for (int i = 0; i < 4096; i++)
        fputc(0x5a, file);
    fclose(file);
    assert_int_equal(hl_db_open(f->copy, HL_DB_READ, &f->other, &f->err), HL_OK);
    assert_int_equal(hl_db_check(f->other, NULL, &f->err), HL_DAMAGED);
    assert_non_null(strstr(f->err.msg, "put it aside and restore it from a snapshot"));
    assert_int_equal(hl_db_exec(f->other, "SELECT sum(length(b)) FROM t", &f->err),
                     HL_DAMAGED);
}

static void no_memory_anywhere_is_survived(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_INTERNAL;

    for (int nth = 1; code != HL_OK; nth++) {
        char rule[40];

        snprintf(rule, sizeof rule, "alloc=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = hl_db_open(f->path, HL_DB_WRITE, &f->other, &f->err);
        if (code == HL_OK)
            code = hl_db_begin(f->other, &f->err);
        if (code == HL_OK)
            code = hl_db_exec(f->other, "INSERT INTO t VALUES(1, 'x')", &f->err);
        if (code == HL_OK)
            code = hl_db_commit(f->other, &f->err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        hl_db_close(f->other);
        f->other = NULL;
        assert_int_equal(ask(f, f->db, count), code == HL_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_logged_ahead_in_large_pages_and_synced),
        TEST(making_what_is_there_is_refused),
        TEST(a_reader_cannot_write),
        TEST(a_second_writer_waits_and_is_told),
        TEST(a_reader_keeps_what_it_saw_when_it_began),
        TEST(undoing_leaves_what_was_before_the_savepoint),
        TEST(a_commit_that_cannot_be_synced_is_rolled_back),
        TEST(a_full_disk_is_said),
        TEST(rolling_back_wants_no_memory),
        TEST(a_statement_can_be_run_again_after_every_end),
        TEST(a_long_statement_ends_at_its_deadline),
        TEST(a_copy_is_whole_or_not_there),
        TEST(a_damaged_page_is_found_and_said),
        TEST(no_memory_anywhere_is_survived),
    };

    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
