/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/store.h"
#include "tests/support/points.h"
#include "tests/support/rig.h"

struct list {
    uint64_t all[16];
    size_t n;
};

/* ---- spaces and records ---- */

static bool note_space(void *self, const struct hl_store_space *space)
{
    struct list *list = self;

    assert_string_equal(space->settings, space->space == 2 ? "{\"x\":1}" : "{}");
    list->all[list->n++] = space->space;
    return true;
}

static bool count_row(void *self, const struct hl_store_row *row)
{
    (void)row;
    ++*(size_t *)self;
    return true;
}

static size_t count_rows(struct fixture *f, uint32_t space)
{
    const struct hl_reader_rows rows = {.space = space, .last = UINT64_MAX};
    size_t n = 0;

    assert_int_equal(hl_reader_rows(f->reader, &rows, count_row, &n, &f->err), HL_OK);
    return n;
}

static void a_dropped_space_is_gone_for_later_readers_alone(void **state)
{
    struct fixture *f = *state;
    const uint32_t space = f->points.spaces[0];
    struct list list = {0};
    uint64_t before, after;
    uint32_t number;
    bool is_done = false;

    begin(f);
    assert_int_equal(hl_store_set_space(f->store, 2, "{\"x\":1}", &f->err), HL_OK);
    number = upsert(f, 1, "{}", 1);
    (void)upsert(f, 2, "{}", 1);
    before = commit(f);
    begin(f);
    assert_int_equal(hl_store_drop_space(f->store, space, &f->err), HL_OK);
    assert_int_equal(hl_store_drop_space(f->store, space, &f->err), HL_NOT_FOUND);
    after = commit(f);
    read_at(f, before);
    assert_int_equal(get(f, number).n_places, 1);
    assert_int_equal(count_rows(f, space), 2);
    hl_reader_end(f->reader);
    read_at(f, after);
    assert_int_equal(get(f, number).n_places, 0);
    assert_int_equal(count_rows(f, 0), 0);
    assert_int_equal(hl_reader_spaces(f->reader, note_space, &list, &f->err), HL_OK);
    assert_int_equal(list.n, 2);
    hl_reader_end(f->reader);
    for (int i = 0; i < 20 && !is_done; i++) {
        begin(f);
        assert_int_equal(hl_store_clean(f->store, after, 2, &is_done, &f->err), HL_OK);
        after = commit(f);
    }
    assert_true(is_done);
    read_at(f, after);
    assert_int_equal(get(f, number).n_places, 0);
    assert_int_equal(count_rows(f, 0), 0);
    hl_reader_end(f->reader);
}

static void records_are_what_was_put_last(void **state)
{
    struct fixture *f = *state;
    struct hl_store_record record;
    uint64_t first, second;
    bool existed;

    begin(f);
    assert_int_equal(hl_store_put_record(f->store, "head", "v1", "a\0b", 3, &f->err),
                     HL_OK);
    first = commit(f);
    begin(f);
    assert_int_equal(hl_store_put_record(f->store, "head", "v1", "cd", 2, &f->err), HL_OK);
    assert_int_equal(hl_store_put_record(f->store, "head", "v2", NULL, 0, &f->err), HL_OK);
    second = commit(f);
    assert_int_equal(second, first + 1);
    read_at(f, second);
    assert_int_equal(hl_reader_record(f->reader, "head", "v1", &record, &f->err), HL_OK);
    assert_int_equal(record.version, second);
    assert_int_equal(record.size, 2);
    assert_memory_equal(record.body, "cd", 2);
    assert_int_equal(hl_reader_record(f->reader, "head", "v3", &record, &f->err),
                     HL_NOT_FOUND);
    assert_string_equal(f->err.msg, "there is no head \"v3\"");
    hl_reader_end(f->reader);
    begin(f);
    assert_int_equal(hl_store_delete_record(f->store, "head", "v1", &existed, &f->err),
                     HL_OK);
    assert_true(existed);
    assert_int_equal(hl_store_delete_record(f->store, "head", "v1", &existed, &f->err),
                     HL_OK);
    assert_false(existed);
    commit(f);
}

static bool note_record(void *self, const struct hl_store_record *record)
{
    char *text = self;

    snprintf(text + strlen(text), 64 - strlen(text), "%s/%s ", record->kind, record->key);
    return true;
}

static void records_are_listed_by_kind_and_key(void **state)
{
    struct fixture *f = *state;
    char all[64] = "", some[64] = "";

    begin(f);
    assert_int_equal(hl_store_put_record(f->store, "b", "2", "", 0, &f->err), HL_OK);
    assert_int_equal(hl_store_put_record(f->store, "a", "1", "", 0, &f->err), HL_OK);
    assert_int_equal(hl_store_put_record(f->store, "b", "1", "", 0, &f->err), HL_OK);
    read_at(f, commit(f));
    assert_int_equal(hl_reader_records(f->reader, NULL, note_record, all, &f->err), HL_OK);
    assert_int_equal(hl_reader_records(f->reader, "b", note_record, some, &f->err), HL_OK);
    hl_reader_end(f->reader);
    assert_string_equal(all, "a/1 b/1 b/2 ");
    assert_string_equal(some, "b/1 b/2 ");
}

/* ---- scans ---- */

struct clockwork {
    int64_t now_us;
    int64_t step_us;
};

static int64_t tick(void *self)
{
    struct clockwork *clockwork = self;

    return clockwork->now_us += clockwork->step_us;
}

struct counter {
    uint32_t last;
    size_t n;
    bool is_rising;
};

static bool count_point(void *self, const struct hl_store_point *point)
{
    struct counter *counter = self;

    counter->is_rising &= point->number > counter->last;
    counter->last = point->number;
    counter->n++;
    return true;
}

static void a_long_scan_renews_and_misses_nothing(void **state)
{
    struct fixture *f = *state;
    struct clockwork clockwork = {.now_us = 1, .step_us = 400000};
    const struct hl_clock clock = {tick, &clockwork};
    struct hl_deadline deadline = {&clock, HL_DEADLINE_NEVER, NULL};
    struct hl_reader_scan scan = {.order = HL_READ_BY_NUMBER, .deadline = &deadline};
    struct counter counter = {.is_rising = true};

    begin(f);
    for (uint64_t i = 0; i < 3000; i++)
        (void)upsert(f, i, "{}", 1);
    read_at(f, commit(f));
    assert_int_equal(hl_reader_scan(f->reader, &scan, count_point, &counter, &f->err),
                     HL_OK);
    assert_int_equal(counter.n, 3000);
    assert_true(counter.is_rising);
    counter = (struct counter){.is_rising = true};
    scan.order = HL_READ_BY_ID;
    assert_int_equal(hl_reader_scan(f->reader, &scan, count_point, &counter, &f->err),
                     HL_OK);
    assert_int_equal(counter.n, 3000);
    deadline.at_us = clockwork.now_us + 3000000;
    assert_int_equal(hl_reader_scan(f->reader, &scan, count_point, &counter, &f->err),
                     HL_TIMEOUT);
    hl_reader_end(f->reader);
}

static void a_scan_begins_where_it_is_told(void **state)
{
    struct fixture *f = *state;
    const struct hl_id from = hl_id_number(8);
    const struct hl_reader_scan by_id = {.order = HL_READ_BY_ID, .from_id = &from};
    const struct hl_reader_scan by_number = {.order = HL_READ_BY_NUMBER, .from_number = 3};
    struct counter counter = {0};

    begin(f);
    for (uint64_t i = 0; i < 5; i++)
        (void)upsert(f, 10 - i, "{}", 1); /* 10 has number 1, 6 has number 5 */
    read_at(f, commit(f));
    assert_int_equal(hl_reader_scan(f->reader, &by_id, count_point, &counter, &f->err),
                     HL_OK);
    assert_int_equal(counter.n, 3);
    assert_int_equal(counter.last, 1);
    counter.n = 0;
    assert_int_equal(hl_reader_scan(f->reader, &by_number, count_point, &counter, &f->err),
                     HL_OK);
    assert_int_equal(counter.n, 3);
    assert_int_equal(counter.last, 5);
    hl_reader_end(f->reader);
}

/* ---- the file ---- */

static void a_copy_is_whole_and_opens(void **state)
{
    struct fixture *f = *state;
    struct hl_reader *reader;

    for (int i = 0; i < 20; i++)
        assert_int_equal(hl_points_commit(&f->points, f->store, 5, 0, &f->err), HL_OK);
    assert_int_equal(hl_reader_copy(f->reader, f->copy, NULL, &f->err), HL_OK);
    assert_int_equal(hl_reader_copy(f->reader, f->copy, NULL, &f->err), HL_EXISTS);
    assert_int_equal(hl_reader_open(f->copy, &reader, &f->err), HL_OK);
    assert_int_equal(hl_reader_check(reader, NULL, &f->err), HL_OK);
    assert_int_equal(hl_reader_begin(reader, f->points.n_commits, &f->err), HL_OK);
    assert_true(hl_points_check(&f->points, reader, &f->points.at[f->points.n_commits]));
    hl_reader_close(reader);
}

static enum hl_code open_other(struct fixture *f)
{
    struct hl_store *store = NULL;
    enum hl_code code = hl_store_open(f->copy, &store, &f->err);

    assert_true(code == HL_OK || !store);
    hl_store_close(store);
    return code;
}

static void write_at(const char *path, long offset, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static void a_file_that_is_not_there_or_not_ours_is_refused(void **state)
{
    struct fixture *f = *state;
    FILE *file;

    assert_int_equal(open_other(f), HL_NOT_FOUND);
    file = fopen(f->copy, "w");
    assert_non_null(file);
    fclose(file);
    assert_int_equal(open_other(f), HL_DAMAGED);
    assert_non_null(strstr(f->err.msg, "restore it from a snapshot"));
    unlink(f->copy);
    file = fopen(f->copy, "w");
    assert_non_null(file);
    for (int i = 0; i < 2000; i++)
        fputs("not a database at all ", file);
    fclose(file);
    assert_int_equal(open_other(f), HL_DAMAGED);
    unlink(f->copy);
    assert_int_equal(hl_store_create(f->path, &f->err), HL_EXISTS);
}

static void a_file_cut_short_is_damaged(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_reader_copy(f->reader, f->copy, NULL, &f->err), HL_OK);
    assert_int_equal(truncate(f->copy, 49152), 0);
    assert_int_equal(open_other(f), HL_DAMAGED);
}

static void a_newer_file_is_left_alone(void **state)
{
    struct fixture *f = *state;
    const char version[] = {0, 0, 0, 99};

    assert_int_equal(hl_reader_copy(f->reader, f->copy, NULL, &f->err), HL_OK);
    write_at(f->copy, 60, version, sizeof version);
    assert_int_equal(open_other(f), HL_NEWER_FORMAT);
    write_at(f->copy, 68, version, sizeof version); /* the application */
    assert_int_equal(open_other(f), HL_BAD_FILE);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct fixture *f = *state;
    const struct hl_id id = hl_id_number(5);
    struct hl_store_point point;
    uint32_t space = f->points.spaces[0];

    begin(f);
    assert_int_equal(hl_store_delete(f->store, 5, &f->err), HL_NOT_FOUND);
    assert_int_equal(hl_store_set_payload(f->store, 5, NULL, &f->err), HL_NOT_FOUND);
    assert_int_equal(hl_store_drop_vectors(f->store, 5, &space, 1, &f->err), HL_NOT_FOUND);
    assert_int_equal(hl_reader_find(hl_store_inside(f->store), &id, &point, &f->err),
                     HL_NOT_FOUND);
    hl_store_rollback(f->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_dropped_space_is_gone_for_later_readers_alone),
        TEST(records_are_what_was_put_last),
        TEST(records_are_listed_by_kind_and_key),
        TEST(a_long_scan_renews_and_misses_nothing),
        TEST(a_scan_begins_where_it_is_told),
        TEST(a_copy_is_whole_and_opens),
        TEST(a_file_that_is_not_there_or_not_ours_is_refused),
        TEST(a_file_cut_short_is_damaged),
        TEST(a_newer_file_is_left_alone),
        TEST(what_is_not_there_is_not_found),
    };

    return cmocka_run_group_tests_name("reader", tests, NULL, NULL);
}
