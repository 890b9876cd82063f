/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/store.h"
#include "proto/fail.h"
#include "tests/support/points.h"
#include "tests/support/rig.h"

#include <signal.h>
#include <sys/wait.h>

/* One script is played against a store while the world fails at its Nth turn, for each N
 * until it comes through. What every commit of it must look like is known from a run in
 * which nothing failed. */
enum { N_COMMITS = 6, N_REQUESTS = 4, MAX_PASSAGES = 20000, SCRIPT = 77 };

struct play {
    struct hl_points points;
    struct hl_store *store;
    struct hl_err err;
    enum hl_code code;
};

static void play(struct play *play, const char *path,
                 void (*acknowledged)(uint64_t, void *), void *self)
{
    play->code = hl_store_open(path, &play->store, &play->err);
    if (play->code == HL_OK)
        play->code = hl_points_begin(&play->points, play->store, &play->err);
    while (play->code == HL_OK) {
        acknowledged(play->points.n_commits, self);
        if (play->points.n_commits > N_COMMITS)
            break;
        play->code = hl_points_commit(&play->points, play->store, N_REQUESTS,
                                      play->points.n_commits, &play->err);
    }
}

static void end_play(struct play *play)
{
    hl_store_close(play->store);
    hl_points_done(&play->points);
    *play = (struct play){0};
}

static void note(uint64_t commit, void *self)
{
    *(uint64_t *)self = commit;
}

static void make_empty(struct fixture *f)
{
    hl_reader_close(f->reader);
    f->reader = NULL;
    hl_store_close(f->store);
    f->store = NULL;
    remove_database(f->path);
    assert_int_equal(hl_store_create(f->path, &f->err), HL_OK);
}

/* What the script makes when nothing fails; the fixture's own copy of it. */
static void play_through(struct fixture *f)
{
    struct play whole = {0};
    uint64_t last = 0;

    make_empty(f);
    assert_true(hl_points_init(&whole.points, SCRIPT));
    play(&whole, f->path, note, &last);
    assert_int_equal(whole.code, HL_OK);
    hl_points_done(&f->points);
    f->points = whole.points;
    hl_store_close(whole.store);
}

/* Opens what is left and says at which commit it stands, which must be whole. */
static uint64_t look_at_rest(struct fixture *f)
{
    struct hl_store_state now;
    struct hl_store *store = NULL;
    struct hl_reader *reader = NULL;

    assert_int_equal(hl_store_open(f->path, &store, &f->err), HL_OK);
    hl_store_state(store, &now);
    assert_true(now.commit <= f->points.n_commits + 1);
    assert_int_equal(hl_reader_open(f->path, &reader, &f->err), HL_OK);
    assert_int_equal(hl_reader_check(reader, NULL, &f->err), HL_OK);
    hl_reader_close(reader);
    hl_store_close(store);
    return now.commit;
}

/* Opening cleans, which is a commit of its own and changes nothing that a reader sees; so
 * the content is compared with what the last script's commit made, whatever the number. */
static bool is_state_of(struct fixture *f, uint64_t commit)
{
    struct hl_store_state now;
    struct hl_store *store = NULL;
    struct hl_reader *reader = NULL;
    bool is_same;

    if (commit > f->points.n_commits)
        return false;
    assert_int_equal(hl_store_open(f->path, &store, &f->err), HL_OK);
    hl_store_state(store, &now);
    assert_int_equal(hl_reader_open(f->path, &reader, &f->err), HL_OK);
    assert_int_equal(hl_reader_begin(reader, now.commit, &f->err), HL_OK);
    is_same = commit == 0 || hl_points_check(&f->points, reader, &f->points.at[commit]);
    hl_reader_close(reader);
    hl_store_close(store);
    return is_same;
}

static void fail_everywhere(struct fixture *f, const char *place, int step)
{
    enum hl_code code = HL_INTERNAL;

    play_through(f);
    for (int nth = 1; code != HL_OK; nth += step) {
        struct play broken = {0};
        uint64_t last = 0;
        char rule[40];

        assert_true(nth < MAX_PASSAGES);
        make_empty(f);
        assert_true(hl_points_init(&broken.points, SCRIPT));
        snprintf(rule, sizeof rule, "%s=%d:fail", place, nth);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        play(&broken, f->path, note, &last);
        code = broken.code;
        hl_failpoint_disarm();
        end_play(&broken);
        (void)look_at_rest(f);
        if (!is_state_of(f, last))
            fail_msg("%s: the store is not as commit %d left it", rule, (int)last);
    }
}

static void a_failed_allocation_costs_its_own_group_alone(void **state)
{
    fail_everywhere(*state, "alloc", 23);
}

static void a_failed_write_costs_its_own_group_alone(void **state)
{
    fail_everywhere(*state, "file.write", 1);
}

static void a_failed_sync_costs_its_own_group_alone(void **state)
{
    fail_everywhere(*state, "file.sync", 1);
}

/* A group fails, and the next one goes on in the same process. */
static void after_a_failed_group_the_store_goes_on(void **state)
{
    struct fixture *f = *state;
    struct play broken = {0};
    enum hl_code code = HL_INTERNAL;

    for (int nth = 1; code != HL_OK; nth++) {
        char rule[40];

        make_empty(f);
        assert_true(hl_points_init(&broken.points, SCRIPT));
        assert_int_equal(hl_store_open(f->path, &broken.store, &f->err), HL_OK);
        assert_int_equal(hl_points_begin(&broken.points, broken.store, &f->err), HL_OK);
        snprintf(rule, sizeof rule, "file.write=%d:fail", nth);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = hl_points_commit(&broken.points, broken.store, 5, 0, &f->err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_DISK_FULL);
        for (int i = 0; i < 3; i++)
            assert_int_equal(hl_points_commit(&broken.points, broken.store, 5, 0, &f->err),
                             HL_OK);
        assert_int_equal(hl_reader_open(f->path, &f->reader, &f->err), HL_OK);
        assert_int_equal(hl_reader_begin(f->reader, broken.points.n_commits, &f->err),
                         HL_OK);
        assert_true(hl_points_check(&broken.points, f->reader,
                                    &broken.points.at[broken.points.n_commits]));
        hl_reader_close(f->reader);
        f->reader = NULL;
        end_play(&broken);
    }
}

static void a_store_on_a_full_disk_opens_and_is_read(void **state)
{
    struct fixture *f = *state;
    struct hl_store_state now;

    begin(f);
    (void)upsert(f, 1, "{}", 1);
    commit(f);
    begin(f);
    (void)upsert(f, 1, "{}", 2); /* leaves something to be cleaned */
    commit(f);
    hl_reader_close(f->reader);
    f->reader = NULL;
    hl_store_close(f->store);
    f->store = NULL;
    assert_int_equal(hl_failpoint_arm("file.write=1+:fail", &f->err), HL_OK);
    assert_int_equal(hl_store_open(f->path, &f->store, &f->err), HL_OK);
    assert_int_equal(hl_reader_open(f->path, &f->reader, &f->err), HL_OK);
    assert_true(hl_failpoint_count(HL_FAIL_FILE_WRITE) > 0);
    hl_store_state(f->store, &now);
    read_at(f, now.commit);
    assert_memory_equal(get(f, 1).payload.text, "{}", 2);
    hl_failpoint_disarm();
}

/* SQLite rolls back by itself then, and would take what follows for transactions of their
 * own. */
static void a_transaction_that_was_lost_takes_no_more_writes(void **state)
{
    struct fixture *f = *state;
    const struct hl_id id = hl_id_number(7);
    struct hl_store_content content = {.payload.len = 1 << 20};
    char *text = malloc(content.payload.len);
    struct hl_store_point point;
    enum hl_code code = HL_OK;
    uint32_t number;
    uint64_t commit;

    assert_non_null(text);
    memset(text, 'x', content.payload.len);
    content.payload.text = text;
    commit = begin(f);
    assert_int_equal(hl_failpoint_arm("file.write=1+:fail", &f->err), HL_OK);
    for (uint64_t i = 100; code == HL_OK; i++) {
        const struct hl_id next = hl_id_number(i);

        assert_true(i < 200);
        code = hl_store_upsert(f->store, &next, &content, &number, &f->err);
    }
    hl_failpoint_disarm();
    assert_int_equal(code, HL_DISK_FULL);
    content.payload.len = 1;
    assert_int_equal(hl_store_upsert(f->store, &id, &content, &number, &f->err),
                     HL_DISK_FULL);
    assert_int_equal(hl_store_save(f->store, &f->err), HL_DISK_FULL);
    assert_int_equal(hl_store_commit(f->store, &commit, &f->err), HL_DISK_FULL);
    assert_int_equal(begin(f), commit);
    assert_int_equal(hl_reader_find(hl_store_inside(f->store), &id, &point, &f->err),
                     HL_NOT_FOUND);
    number = upsert(f, 7, "{}", 1);
    assert_int_equal(hl_store_commit(f->store, &commit, &f->err), HL_OK);
    read_at(f, commit);
    assert_memory_equal(get(f, number).payload.text, "{}", 2);
    free(text);
}

static void every_commit_is_synced(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hl_failpoint_arm("", &f->err), HL_OK);
    for (uint64_t i = 0; i < 5; i++) {
        begin(f);
        (void)upsert(f, i, "{}", 1);
        commit(f);
        assert_int_equal(hl_failpoint_count(HL_FAIL_FILE_SYNC), i + 1);
    }
    hl_failpoint_disarm();
}

static void say(uint64_t commit, void *self)
{
    ssize_t n = write(*(int *)self, &commit, sizeof commit);

    (void)n;
}

/* The child plays until it is killed or done; what it said last was acknowledged. */
static uint64_t play_in_a_child(struct fixture *f, const char *rule, bool *ret_is_done)
{
    uint64_t last = 0, said;
    int pipes[2], status;
    pid_t child;

    assert_int_equal(pipe(pipes), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct play victim = {0};
        struct hl_err err;

        if (hl_points_init(&victim.points, SCRIPT) && hl_failpoint_arm(rule, &err) == HL_OK)
            play(&victim, f->path, say, &pipes[1]);
        _exit(victim.code == HL_OK ? 0 : 1);
    }
    close(pipes[1]);
    while (read(pipes[0], &said, sizeof said) == (ssize_t)sizeof said)
        last = said;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL
                                    : WEXITSTATUS(status) == 0);
    *ret_is_done = WIFEXITED(status);
    return last;
}

static void kill_everywhere(struct fixture *f, const char *place)
{
    bool is_done = false;

    play_through(f);
    f->points.is_quiet = true;
    for (int nth = 1; !is_done; nth++) {
        uint64_t last;
        char rule[40];

        assert_true(nth < MAX_PASSAGES);
        make_empty(f);
        snprintf(rule, sizeof rule, "%s=%d:kill", place, nth);
        last = play_in_a_child(f, rule, &is_done);
        (void)look_at_rest(f);
        /* The one in flight may have come through, but only as a whole. */
        if (!is_state_of(f, last) && !is_state_of(f, last + 1))
            fail_msg("%s: the store is not as commit %d or the next left it", rule,
                     (int)last);
    }
}

static void what_was_acknowledged_survives_a_kill_at_any_write(void **state)
{
    kill_everywhere(*state, "file.write");
}

static void what_was_acknowledged_survives_a_kill_at_any_sync(void **state)
{
    kill_everywhere(*state, "file.sync");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failed_allocation_costs_its_own_group_alone),
        TEST(a_failed_write_costs_its_own_group_alone),
        TEST(a_failed_sync_costs_its_own_group_alone),
        TEST(after_a_failed_group_the_store_goes_on),
        TEST(a_store_on_a_full_disk_opens_and_is_read),
        TEST(a_transaction_that_was_lost_takes_no_more_writes),
        TEST(every_commit_is_synced),
        TEST(what_was_acknowledged_survives_a_kill_at_any_write),
        TEST(what_was_acknowledged_survives_a_kill_at_any_sync),
    };

    return cmocka_run_group_tests_name("store_faults", tests, NULL, NULL);
}
