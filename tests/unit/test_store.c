/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/store.h"
#include "tests/support/points.h"
#include "tests/support/rig.h"

#include <pthread.h>
#include <stdatomic.h>

enum { N_READERS = 4, N_COMMITS = 300, MAX_ROWS = 8192 };

/* ---- versions ---- */

struct watcher {
    struct hl_reader *reader;
    uint64_t commit;
};

static uint64_t oldest_of(const struct watcher *watchers, uint64_t published)
{
    for (int i = 0; i < N_READERS; i++)
        if (watchers[i].commit && watchers[i].commit < published)
            published = watchers[i].commit;
    return published;
}

static void every_reader_sees_its_commit_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    struct watcher watchers[N_READERS] = {0};

    for (int i = 0; i < N_READERS; i++)
        assert_int_equal(hl_reader_open(f->path, &watchers[i].reader, &f->err), HL_OK);
    for (int i = 0; i < N_COMMITS; i++) {
        struct watcher *watcher = &watchers[i % N_READERS];

        assert_int_equal(hl_points_commit(&f->points, f->store, i % 7,
                                          oldest_of(watchers, f->points.n_commits),
                                          &f->err),
                         HL_OK);
        if (watcher->commit && i % 3 == 0) {
            hl_reader_end(watcher->reader);
            watcher->commit = 0;
        } else if (!watcher->commit) {
            watcher->commit = f->points.n_commits;
            assert_int_equal(hl_reader_begin(watcher->reader, watcher->commit, &f->err),
                             HL_OK);
        }
        for (int j = 0; j < N_READERS; j++) {
            if (!watchers[j].commit)
                continue;
            /* A newer snapshot of SQLite's must show the same. */
            if (i % 2)
                assert_int_equal(hl_reader_renew(watchers[j].reader, &f->err), HL_OK);
            assert_true(hl_points_check(&f->points, watchers[j].reader,
                                        &f->points.at[watchers[j].commit]));
        }
    }
    for (int i = 0; i < N_READERS; i++)
        hl_reader_close(watchers[i].reader);
}

static void the_writer_sees_its_own_transaction(void **state)
{
    struct fixture *f = *state;
    struct hl_store_point point;
    uint64_t first;
    uint32_t number;

    begin(f);
    number = upsert(f, 7, "{\"a\":1}", 1);
    first = commit(f);
    begin(f);
    (void)upsert(f, 7, "{\"a\":2}", 2);
    assert_int_equal(hl_reader_get(hl_store_inside(f->store), number, &point, &f->err),
                     HL_OK);
    assert_memory_equal(point.payload.text, "{\"a\":2}", 7);
    read_at(f, first);
    assert_memory_equal(get(f, number).payload.text, "{\"a\":1}", 7);
    hl_reader_end(f->reader);
    commit(f);
}

static void what_was_cleaned_is_gone_from_the_file(void **state)
{
    struct fixture *f = *state;
    uint64_t row, last;
    struct hl_store_vector vector;
    struct hl_store_point point;
    uint32_t number;
    bool is_done = false;

    begin(f);
    number = upsert(f, 7, "{}", 1);
    read_at(f, commit(f));
    row = get(f, number).places[0].row;
    hl_reader_end(f->reader);
    begin(f);
    assert_int_equal(hl_store_delete(f->store, number, &f->err), HL_OK);
    last = commit(f);

    /* One before: somebody may still read. */
    begin(f);
    assert_int_equal(hl_store_clean(f->store, last - 1, 100, &is_done, &f->err), HL_OK);
    assert_true(is_done);
    assert_int_equal(commit(f), last);
    read_at(f, last - 1);
    (void)get(f, number);
    assert_int_equal(hl_reader_vector(f->reader, row, &vector, &f->err), HL_OK);
    hl_reader_end(f->reader);

    begin(f);
    assert_int_equal(hl_store_clean(f->store, last, 1, &is_done, &f->err), HL_OK);
    assert_false(is_done);
    assert_int_equal(hl_store_clean(f->store, last, 100, &is_done, &f->err), HL_OK);
    assert_true(is_done);
    commit(f);
    read_at(f, last);
    assert_int_equal(hl_reader_get(f->reader, number, &point, &f->err), HL_NOT_FOUND);
    assert_int_equal(hl_reader_vector(f->reader, row, &vector, &f->err), HL_DAMAGED);
    hl_reader_end(f->reader);
}

/* ---- numbers and rows ---- */

static void numbers_and_rows_are_never_used_twice(void **state)
{
    struct fixture *f = *state;
    struct hl_store_state before, after;
    uint32_t number, other;

    begin(f);
    number = upsert(f, 7, "{}", 1);
    assert_int_equal(upsert(f, 7, "{}", 2), number);
    commit(f);
    begin(f);
    assert_int_equal(hl_store_delete(f->store, number, &f->err), HL_OK);
    commit(f);
    hl_store_state(f->store, &before);
    reopen(f);
    hl_store_state(f->store, &after);
    assert_true(after.commit >= before.commit);
    assert_int_equal(after.last_row, before.last_row);
    assert_int_equal(after.last_number, number);
    begin(f);
    other = upsert(f, 7, "{}", 3);
    assert_int_equal(other, number + 1);
    commit(f);
}

static void a_commit_that_only_made_points_is_counted_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct hl_store_state before, after;

    for (uint64_t i = 0; i < 5; i++) {
        begin(f);
        (void)upsert(f, 100 + i, "{}", 1);
        commit(f);
    }
    hl_store_state(f->store, &before);
    reopen(f);
    hl_store_state(f->store, &after);
    assert_int_equal(after.commit, before.commit);
    assert_int_equal(after.last_number, 5);
    assert_int_equal(after.last_row, 5);
}

static void a_transaction_without_changes_uses_no_commit(void **state)
{
    struct fixture *f = *state;
    uint64_t first = begin(f);
    bool is_done;

    assert_int_equal(hl_store_clean(f->store, first - 1, 10, &is_done, &f->err), HL_OK);
    assert_int_equal(commit(f), first - 1);
    assert_int_equal(begin(f), first);
    hl_store_rollback(f->store);
}

/* ---- what memory is told ---- */

struct mirror {
    uint32_t numbers[MAX_ROWS]; /* by row; 0: not alive */
    uint64_t n_seen;
    bool is_right;
};

static bool compare_row(void *self, const struct hl_store_row *row)
{
    struct mirror *mirror = self;

    mirror->n_seen++;
    mirror->is_right = row->row < MAX_ROWS && mirror->numbers[row->row] == row->number;
    return mirror->is_right;
}

static void births_and_deaths_add_up_to_the_rows_that_live(void **state)
{
    struct fixture *f = *state;
    const struct hl_reader_rows all = {.last = UINT64_MAX};
    struct mirror *mirror = calloc(1, sizeof *mirror);
    uint64_t n_alive = 0;

    assert_non_null(mirror);
    for (int i = 0; i < 60; i++) {
        struct hl_store_changes changes;

        assert_int_equal(hl_points_commit(&f->points, f->store, 5, 0, &f->err), HL_OK);
        hl_store_changes(f->store, &changes);
        for (size_t j = 0; j < changes.n_births; j++) {
            assert_int_equal(mirror->numbers[changes.births[j].row], 0);
            mirror->numbers[changes.births[j].row] = changes.births[j].number;
        }
        for (size_t j = 0; j < changes.n_deaths; j++) {
            assert_int_equal(mirror->numbers[changes.deaths[j].row],
                             changes.deaths[j].number);
            mirror->numbers[changes.deaths[j].row] = 0;
        }
    }
    for (int i = 0; i < MAX_ROWS; i++)
        n_alive += mirror->numbers[i] != 0;
    read_at(f, f->points.n_commits);
    assert_int_equal(hl_reader_rows(f->reader, &all, compare_row, mirror, &f->err), HL_OK);
    assert_true(mirror->is_right);
    assert_int_equal(mirror->n_seen, n_alive);
    hl_reader_end(f->reader);
    free(mirror);
}

static void what_was_undone_is_not_told(void **state)
{
    struct fixture *f = *state;
    struct hl_store_changes changes;

    begin(f);
    (void)upsert(f, 1, "{}", 1);
    assert_int_equal(hl_store_save(f->store, &f->err), HL_OK);
    (void)upsert(f, 1, "{}", 2);
    (void)upsert(f, 2, "{}", 2);
    hl_store_changes(f->store, &changes);
    assert_int_equal(changes.n_births, 3);
    assert_int_equal(changes.n_deaths, 1);
    assert_int_equal(changes.n_touches, 3);
    assert_int_equal(changes.touches[1].event, HL_STORE_CHANGED);
    assert_int_equal(hl_store_undo(f->store, &f->err), HL_OK);
    hl_store_changes(f->store, &changes);
    assert_int_equal(changes.n_births, 1);
    assert_int_equal(changes.n_deaths, 0);
    assert_int_equal(changes.n_touches, 1);
    commit(f);
}

static void a_mark_can_be_undone_until_something_is_written(void **state)
{
    struct fixture *f = *state;
    struct hl_store_changes changes;

    begin(f);
    assert_int_equal(hl_store_mark(f->store, &f->err), HL_OK);
    (void)upsert(f, 1, "{}", 1);
    assert_int_equal(hl_store_keep(f->store, &f->err), HL_OK);
    assert_int_equal(hl_store_mark(f->store, &f->err), HL_OK);
    assert_int_equal(hl_store_undo(f->store, &f->err), HL_OK);
    (void)upsert(f, 2, "{}", 2);
    assert_int_equal(hl_store_undo(f->store, &f->err), HL_CONFLICT);
    hl_store_changes(f->store, &changes);
    assert_int_equal(changes.n_births, 2);
    assert_int_equal(hl_store_save(f->store, &f->err), HL_OK);
    (void)upsert(f, 3, "{}", 3);
    assert_int_equal(hl_store_undo(f->store, &f->err), HL_OK);
    hl_store_changes(f->store, &changes);
    assert_int_equal(changes.n_births, 2);
    commit(f);
}

struct list {
    uint64_t all[16];
    size_t n;
};

static bool note_death(void *self, const struct hl_store_death *death, uint64_t died)
{
    struct list *list = self;

    (void)died;
    list->all[list->n++] = death->row;
    return true;
}

static size_t count_deaths(struct fixture *f, uint64_t at)
{
    struct list list = {0};

    read_at(f, at);
    assert_int_equal(hl_reader_deaths(f->reader, note_death, &list, &f->err), HL_OK);
    hl_reader_end(f->reader);
    return list.n;
}

static void deaths_are_remembered_until_they_are_forgotten(void **state)
{
    struct fixture *f = *state;
    const uint32_t space = f->points.spaces[0];
    uint64_t last;

    begin(f);
    (void)upsert(f, 1, "{}", 1);
    (void)upsert(f, 2, "{}", 1);
    commit(f);
    begin(f);
    (void)upsert(f, 1, "{}", 2);
    (void)upsert(f, 2, "{}", 2);
    last = commit(f);
    assert_int_equal(count_deaths(f, last), 2);
    assert_int_equal(count_deaths(f, last - 1), 0);
    /* Their rows are still there, and would rise again. */
    begin(f);
    assert_int_equal(hl_store_forget_deaths(f->store, space, 0, 99, last, &f->err), HL_OK);
    last = commit(f);
    assert_int_equal(count_deaths(f, last), 2);
    reopen(f); /* cleans */
    assert_int_equal(count_deaths(f, last), 2);
    begin(f);
    assert_int_equal(hl_store_forget_deaths(f->store, space + 1, 0, 99, last, &f->err),
                     HL_OK);
    assert_int_equal(hl_store_forget_deaths(f->store, space, 2, 99, last, &f->err), HL_OK);
    assert_int_equal(count_deaths(f, commit(f)), 1);
}

/* ---- threads ---- */

struct seer {
    struct fixture *f;
    struct hl_reader *reader;
    atomic_uint_fast64_t *published;
    atomic_uint_fast64_t *fixed; /* 0: reads nothing */
    atomic_bool *is_over;
    bool is_right;
};

/* Shows the commit it fixes before it looks whether that is still the newest: the writer
 * reads both, so it cleans nothing that a reader has settled on. */
static void *see(void *self)
{
    struct seer *seer = self;
    struct hl_err err;

    seer->is_right = true;
    while (seer->is_right && !atomic_load(seer->is_over)) {
        uint64_t commit = atomic_load(seer->published);

        atomic_store(seer->fixed, commit);
        if (commit != atomic_load(seer->published))
            continue;
        seer->is_right =
            hl_reader_begin(seer->reader, commit, &err) == HL_OK &&
            hl_points_check(&seer->f->points, seer->reader, &seer->f->points.at[commit]);
        hl_reader_end(seer->reader);
    }
    atomic_store(seer->fixed, UINT64_MAX);
    return NULL;
}

static void threads_that_read_see_whole_commits_while_one_writes(void **state)
{
    struct fixture *f = *state;
    atomic_uint_fast64_t published = f->points.n_commits, fixed[N_READERS];
    atomic_bool is_over = false;
    struct seer seers[N_READERS];
    pthread_t threads[N_READERS];

    for (int i = 0; i < N_READERS; i++) {
        atomic_store(&fixed[i], published);
        seers[i] = (struct seer){
            .f = f, .published = &published, .fixed = &fixed[i], .is_over = &is_over};
        assert_int_equal(hl_reader_open(f->path, &seers[i].reader, &f->err), HL_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, see, &seers[i]), 0);
    }
    for (int i = 0; i < N_COMMITS; i++) {
        uint64_t oldest = published;

        for (int j = 0; j < N_READERS; j++)
            oldest = atomic_load(&fixed[j]) < oldest ? atomic_load(&fixed[j]) : oldest;
        assert_int_equal(hl_points_commit(&f->points, f->store, 4, oldest, &f->err), HL_OK);
        atomic_store(&published, f->points.n_commits);
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < N_READERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(seers[i].is_right);
        hl_reader_close(seers[i].reader);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_reader_sees_its_commit_and_nothing_else),
        TEST(the_writer_sees_its_own_transaction),
        TEST(what_was_cleaned_is_gone_from_the_file),
        TEST(numbers_and_rows_are_never_used_twice),
        TEST(a_commit_that_only_made_points_is_counted_after_a_restart),
        TEST(a_transaction_without_changes_uses_no_commit),
        TEST(births_and_deaths_add_up_to_the_rows_that_live),
        TEST(what_was_undone_is_not_told),
        TEST(a_mark_can_be_undone_until_something_is_written),
        TEST(threads_that_read_see_whole_commits_while_one_writes),
        TEST(deaths_are_remembered_until_they_are_forgotten),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
