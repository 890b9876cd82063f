/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/catalog.h"
#include "proto/dir.h"
#include "proto/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char folder[40], path[128];
    struct hl_catalog *catalog;
    struct hl_id uuids[4];
    char said[256];
    struct hl_err err;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f)
        return -1;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-catalog-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    return hl_catalog_open(f->folder, &f->catalog, &f->err) == HL_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    int failed;

    hl_failpoint_disarm();
    hl_catalog_close(f->catalog);
    failed = hl_dir_remove(f->folder, &f->err) != HL_OK;
    free(f);
    return failed;
}

/* ---- short ways to say things ---- */

static enum hl_code publish(struct fixture *f, const char *name, int which)
{
    const struct hl_catalog_collection collection = {
        .name = name, .uuid = f->uuids[which], .created_ms = 1000 + which};

    return hl_catalog_publish(f->catalog, &collection, &f->err);
}

static void make(struct fixture *f, const char *name, int which)
{
    assert_int_equal(hl_catalog_prepare(f->catalog, &f->uuids[which], &f->err), HL_OK);
    assert_int_equal(publish(f, name, which), HL_OK);
}

static void reopen(struct fixture *f)
{
    hl_catalog_close(f->catalog);
    f->catalog = NULL;
    assert_int_equal(hl_catalog_open(f->folder, &f->catalog, &f->err), HL_OK);
}

static void say(struct fixture *f, const char *first, const char *second)
{
    const size_t len = strlen(f->said);

    snprintf(f->said + len, sizeof f->said - len, "%s%s ", first, second);
}

static bool say_collection(void *self, const struct hl_catalog_collection *collection)
{
    say(self, collection->name, "");
    return true;
}

static bool say_alias(void *self, const char *alias, const char *collection)
{
    say(self, alias, ">");
    say(self, collection, "");
    return true;
}

static const char *collections(struct fixture *f)
{
    f->said[0] = '\0';
    assert_int_equal(hl_catalog_collections(f->catalog, say_collection, f, &f->err), HL_OK);
    return f->said;
}

static const char *aliases(struct fixture *f, const char *of)
{
    f->said[0] = '\0';
    assert_int_equal(hl_catalog_aliases(f->catalog, of, say_alias, f, &f->err), HL_OK);
    return f->said;
}

static void say_swept(void *self, const char *folder)
{
    (void)folder;
    say(self, "swept", "");
}

static const char *sweep(struct fixture *f)
{
    f->said[0] = '\0';
    if (hl_catalog_sweep(f->catalog, say_swept, f, &f->err) != HL_OK)
        return f->err.msg;
    return f->said;
}

static enum hl_code change(struct fixture *f, const struct hl_catalog_alias_action *actions,
                           size_t n)
{
    return hl_catalog_change_aliases(f->catalog, actions, n, &f->err);
}

static bool is_there(struct fixture *f, int which, const char *name)
{
    struct stat info;

    assert_int_equal(hl_catalog_path(f->catalog, &f->uuids[which], name, f->path,
                                     sizeof f->path, &f->err),
                     HL_OK);
    return stat(f->path, &info) == 0;
}

/* ---- collections ---- */

static void collections_are_there_after_a_restart(void **state)
{
    struct fixture *f = *state;

    make(f, "photos", 0);
    make(f, "albums", 1);
    assert_string_equal(collections(f), "albums photos ");
    reopen(f);
    assert_string_equal(collections(f), "albums photos ");
    assert_string_equal(sweep(f), "");
    assert_true(is_there(f, 0, "points.db"));
    assert_true(is_there(f, 1, "segments"));
}

static void a_name_is_taken_once(void **state)
{
    struct fixture *f = *state;
    const struct hl_catalog_alias_action alias = {HL_CATALOG_ALIAS_SET, "current",
                                                  "photos"};

    make(f, "photos", 0);
    assert_int_equal(change(f, &alias, 1), HL_OK);
    assert_int_equal(hl_catalog_prepare(f->catalog, &f->uuids[1], &f->err), HL_OK);
    assert_int_equal(publish(f, "photos", 1), HL_EXISTS);
    assert_int_equal(publish(f, "current", 1), HL_EXISTS);
    assert_string_equal(collections(f), "photos ");
}

static void a_folder_without_a_name_is_swept_at_start(void **state)
{
    struct fixture *f = *state;

    make(f, "photos", 0);
    assert_int_equal(hl_catalog_prepare(f->catalog, &f->uuids[1], &f->err), HL_OK);
    make(f, "albums", 2);
    assert_int_equal(hl_catalog_withdraw(f->catalog, "albums", &f->err), HL_OK);
    reopen(f);
    assert_string_equal(sweep(f), "swept swept ");
    assert_string_equal(sweep(f), "");
    assert_true(is_there(f, 0, NULL));
    assert_false(is_there(f, 1, NULL));
    assert_false(is_there(f, 2, NULL));
}

static void a_name_without_its_points_stops_the_start(void **state)
{
    struct fixture *f = *state;

    make(f, "photos", 0);
    assert_true(is_there(f, 0, "points.db"));
    assert_int_equal(unlink(f->path), 0);
    assert_non_null(strstr(sweep(f), "restore it from a snapshot"));
    assert_int_equal(f->err.code, HL_DAMAGED);
    assert_true(is_there(f, 0, "segments"));
}

static void a_lost_catalog_does_not_cost_the_collections(void **state)
{
    struct fixture *f = *state;
    char path[64];

    make(f, "photos", 0);
    hl_catalog_close(f->catalog);
    f->catalog = NULL;
    snprintf(path, sizeof path, "%s/catalog.db", f->folder);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(hl_catalog_open(f->folder, &f->catalog, &f->err), HL_DAMAGED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(hl_catalog_open(f->folder, &f->catalog, &f->err), HL_DAMAGED);
    assert_non_null(strstr(f->err.msg, "restore both from a snapshot"));
}

static void withdrawing_takes_the_aliases_along(void **state)
{
    struct fixture *f = *state;
    const struct hl_catalog_alias_action actions[] = {
        {HL_CATALOG_ALIAS_SET, "a", "photos"}, {HL_CATALOG_ALIAS_SET, "b", "albums"}};

    make(f, "photos", 0);
    make(f, "albums", 1);
    assert_int_equal(change(f, actions, 2), HL_OK);
    assert_int_equal(hl_catalog_withdraw(f->catalog, "photos", &f->err), HL_OK);
    assert_int_equal(hl_catalog_discard(f->catalog, &f->uuids[0], &f->err), HL_OK);
    assert_string_equal(aliases(f, NULL), "b> albums ");
    assert_string_equal(collections(f), "albums ");
    assert_int_equal(hl_catalog_withdraw(f->catalog, "photos", &f->err), HL_NOT_FOUND);
    assert_string_equal(f->err.msg, "Not found: Collection `photos` doesn't exist!");
}

static void a_name_can_be_given_another_folder(void **state)
{
    struct fixture *f = *state;
    struct hl_catalog_collection next = {.name = "photos", .created_ms = 5};

    make(f, "photos", 0);
    assert_int_equal(hl_catalog_prepare(f->catalog, &f->uuids[1], &f->err), HL_OK);
    next.uuid = f->uuids[1];
    assert_int_equal(hl_catalog_replace(f->catalog, &next, &f->err), HL_OK);
    assert_string_equal(sweep(f), "swept ");
    assert_false(is_there(f, 0, NULL));
    assert_true(is_there(f, 1, NULL));
    next.name = "albums";
    assert_int_equal(hl_catalog_replace(f->catalog, &next, &f->err), HL_NOT_FOUND);
}

/* ---- aliases ---- */

static void aliases_change_together_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    const struct hl_catalog_alias_action set = {HL_CATALOG_ALIAS_SET, "current", "old"};
    const struct hl_catalog_alias_action swap[] = {
        {HL_CATALOG_ALIAS_DELETE, "current", NULL},
        {HL_CATALOG_ALIAS_SET, "current", "new"},
        {HL_CATALOG_ALIAS_SET, "previous", "old"}};
    const struct hl_catalog_alias_action bad[] = {
        {HL_CATALOG_ALIAS_RENAME, "previous", "before"},
        {HL_CATALOG_ALIAS_SET, "current", "nowhere"}};
    const struct hl_catalog_alias_action taken = {HL_CATALOG_ALIAS_RENAME, "previous",
                                                  "old"};
    const struct hl_catalog_alias_action missing = {HL_CATALOG_ALIAS_DELETE, "nothing",
                                                    NULL};

    make(f, "old", 0);
    make(f, "new", 1);
    assert_int_equal(change(f, &set, 1), HL_OK);
    assert_int_equal(change(f, swap, 3), HL_OK);
    assert_string_equal(aliases(f, NULL), "current> new previous> old ");
    assert_int_equal(change(f, bad, 2), HL_NOT_FOUND);
    assert_string_equal(aliases(f, NULL), "current> new previous> old ");
    assert_string_equal(aliases(f, "old"), "previous> old ");
    assert_int_equal(change(f, bad, 1), HL_OK);
    assert_int_equal(change(f, &taken, 1), HL_EXISTS);
    assert_int_equal(change(f, &missing, 1), HL_NOT_FOUND);
    reopen(f);
    assert_string_equal(aliases(f, NULL), "before> old current> new ");
}

/* ---- jobs ---- */

static bool say_job(void *self, const struct hl_job *job)
{
    static const char *const states[] = {"queued", "running", "done", "failed",
                                         "cancelled"};

    say(self, job->kind, ":");
    say(self, states[job->state], ":");
    say(self, job->outcome, "");
    return true;
}

static const char *jobs(struct fixture *f, uint64_t id)
{
    f->said[0] = '\0';
    assert_int_equal(hl_catalog_jobs(f->catalog, id, say_job, f, &f->err), HL_OK);
    return f->said;
}

static uint64_t add_job(struct fixture *f, const char *kind, enum hl_job_state state)
{
    const struct hl_job job = {.state = state,
                               .kind = kind,
                               .collection = "photos",
                               .request = "{}",
                               .phase = "",
                               .outcome = ""};
    uint64_t id = 0;

    assert_int_equal(hl_catalog_add_job(f->catalog, &job, &id, &f->err), HL_OK);
    return id;
}

static void what_ran_when_the_server_died_has_failed(void **state)
{
    struct fixture *f = *state;
    struct hl_job job = {
        .state = HL_JOB_DONE, .progress = 1, .phase = "end", .outcome = "7"};
    size_t n = 0;

    (void)add_job(f, "fit", HL_JOB_QUEUED);
    job.id = add_job(f, "swap", HL_JOB_QUEUED);
    (void)add_job(f, "evaluate", HL_JOB_RUNNING);
    assert_int_equal(hl_catalog_set_job(f->catalog, &job, &f->err), HL_OK);
    reopen(f);
    assert_int_equal(hl_catalog_recover_jobs(f->catalog, 9, "died", &n, &f->err), HL_OK);
    assert_int_equal(n, 2);
    assert_string_equal(jobs(f, 0),
                        "evaluate: failed: died swap: done: 7 fit: failed: died ");
    assert_string_equal(jobs(f, job.id), "swap: done: 7 ");
    job.id = 99;
    assert_int_equal(hl_catalog_set_job(f->catalog, &job, &f->err), HL_NOT_FOUND);
}

static void old_jobs_are_forgotten_and_their_ids_not_used_again(void **state)
{
    struct fixture *f = *state;
    uint64_t last = 0;

    (void)add_job(f, "running", HL_JOB_RUNNING);
    for (int i = 0; i < 5; i++)
        last = add_job(f, i < 3 ? "older" : "newer", HL_JOB_DONE);
    assert_int_equal(hl_catalog_trim_jobs(f->catalog, 2, &f->err), HL_OK);
    assert_string_equal(jobs(f, 0), "newer: done:  newer: done:  running: running:  ");
    assert_int_equal(hl_catalog_trim_jobs(f->catalog, 0, &f->err), HL_OK);
    assert_string_equal(jobs(f, 0), "running: running:  ");
    assert_int_equal(add_job(f, "next", HL_JOB_DONE), last + 1);
}

/* ---- failure ---- */

static enum hl_code make_and_end(struct fixture *f)
{
    enum hl_code code = hl_catalog_prepare(f->catalog, &f->uuids[1], &f->err);

    if (code == HL_OK)
        code = publish(f, "albums", 1);
    if (code == HL_OK)
        code = hl_catalog_withdraw(f->catalog, "photos", &f->err);
    return code == HL_OK ? hl_catalog_discard(f->catalog, &f->uuids[0], &f->err) : code;
}

/* Whatever fails, the names that are left have their folders, and only they. */
static void every_failure_leaves_names_with_folders(void **state)
{
    static const char *const places[] = {"alloc", "file.open", "file.write", "file.sync",
                                         "file.rename"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        enum hl_code code = HL_INTERNAL;

        for (int nth = 1; code != HL_OK; nth++) {
            char rule[40];

            assert_true(nth < 5000);
            if (strstr(collections(f), "photos") == NULL)
                make(f, "photos", 0);
            if (strstr(collections(f), "albums") != NULL)
                assert_int_equal(hl_catalog_withdraw(f->catalog, "albums", &f->err), HL_OK);
            snprintf(rule, sizeof rule, "%s=%d:fail", places[i], nth);
            assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
            code = make_and_end(f);
            hl_failpoint_disarm();
            reopen(f);
            (void)sweep(f);
            assert_string_equal(sweep(f), "");
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(collections_are_there_after_a_restart),
        TEST(a_name_is_taken_once),
        TEST(a_folder_without_a_name_is_swept_at_start),
        TEST(a_name_without_its_points_stops_the_start),
        TEST(a_lost_catalog_does_not_cost_the_collections),
        TEST(withdrawing_takes_the_aliases_along),
        TEST(a_name_can_be_given_another_folder),
        TEST(aliases_change_together_or_not_at_all),
        TEST(what_ran_when_the_server_died_has_failed),
        TEST(old_jobs_are_forgotten_and_their_ids_not_used_again),
        TEST(every_failure_leaves_names_with_folders),
    };

    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
