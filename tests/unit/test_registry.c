/* SPDX-License-Identifier: Apache-2.0 */
/* The names of galleries: made, found, switched, deleted; on a real folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/dir.h"
#include "proto/fail.h"
#include "proto/file.h"
#include "server/collections.h"
#include "tests/support/still.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char folder[64];
    struct hl_engine *engine;
    struct hl_log *log;
    struct hl_collections *collections;
    struct hl_err err;
};

static enum hl_code open_all(struct fixture *f)
{
    const struct hl_collections_options options = {
        .folder = f->folder, .engine = f->engine, .log = f->log, .clock = &hl_still};

    return hl_collections_open(&options, &f->collections, &f->err);
}

static enum hl_code start_engine(struct fixture *f)
{
    const struct hl_engine_options engine = {.clock = &hl_still,
                                             .n_writers = 1,
                                             .seal_rows = 64,
                                             .max_unindexed_bytes = 1 << 20,
                                             .n_links = 8,
                                             .ef_construction = 16,
                                             .beam = 16};

    return hl_engine_new(&engine, &f->engine, &f->err);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-registry-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->log = hl_log_new(open("/dev/null", O_WRONLY | O_CLOEXEC), HL_LOG_ERROR, HL_LOG_TEXT);
    assert_int_equal(start_engine(f), HL_OK);
    assert_int_equal(open_all(f), HL_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[96];

    hl_failpoint_disarm();
    hl_engine_stop(f->engine);
    hl_collections_close(f->collections);
    hl_engine_free(f->engine);
    hl_log_free(f->log);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    free(f);
    return system(command);
}

static struct hl_span span(const char *name)
{
    return (struct hl_span){name, strlen(name)};
}

static enum hl_code fill_nothing(void *self, struct hl_collection *collection,
                                 struct hl_err *err)
{
    (void)self;
    (void)collection;
    (void)err;
    return HL_OK;
}

static enum hl_code create(struct fixture *f, const char *name)
{
    const struct hl_collections_filler filler = {fill_nothing, NULL};
    const struct hl_span wanted = span(name);

    return hl_collections_create(f->collections, &wanted, &filler, &f->err);
}

static struct hl_collection *acquire(struct fixture *f, const char *name)
{
    const struct hl_span wanted = span(name);
    struct hl_collection *collection = NULL;

    (void)hl_collections_acquire(f->collections, &wanted, &collection, &f->err);
    return collection;
}

/* Whether both names lead to the same collection; "" leads nowhere. */
static bool leads(struct fixture *f, const char *alias, const char *name)
{
    struct hl_collection *a = acquire(f, alias), *b = *name ? acquire(f, name) : NULL;
    bool is_same = a == b;

    hl_collection_unref(a);
    hl_collection_unref(b);
    return is_same;
}

static bool remove_one(struct fixture *f, const char *name)
{
    const struct hl_span wanted = span(name);
    bool existed = false;

    assert_int_equal(hl_collections_delete(f->collections, &wanted, &existed, &f->err),
                     HL_OK);
    return existed;
}

static struct hl_text text(const char *words)
{
    return (struct hl_text){words, strlen(words)};
}

static enum hl_code change(struct fixture *f, const struct hl_alias_action *actions,
                           size_t n)
{
    const struct hl_alias_actions all = {actions, n};

    return hl_collections_change_aliases(f->collections, &all, &f->err);
}

static enum hl_code point(struct fixture *f, const char *alias, const char *collection)
{
    const struct hl_alias_action action = {
        .kind = HL_ALIAS_CREATE, .alias = text(alias), .collection = text(collection)};

    return change(f, &action, 1);
}

/* ---- the tests ---- */

static void a_name_is_there_from_its_making_to_its_deletion(void **state)
{
    struct fixture *f = *state;

    assert_null(acquire(f, "a"));
    assert_string_equal(f->err.msg, "Not found: Collection `a` doesn't exist!");
    assert_int_equal(create(f, "a"), HL_OK);
    assert_int_equal(create(f, "a"), HL_EXISTS);
    assert_string_equal(f->err.msg, "Wrong input: Collection `a` already exists!");
    assert_int_equal(hl_collections_count(f->collections), 1);
    assert_true(remove_one(f, "a"));
    assert_false(remove_one(f, "a"));
    assert_null(acquire(f, "a"));
    assert_int_equal(create(f, "a"), HL_OK);
}

static void names_that_cannot_be_are_refused(void **state)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "a\nb", "a\"b", "a?b"};
    struct fixture *f = *state;

    assert_int_equal(create(f, "a"), HL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(create(f, bad[i]), HL_INVALID);
        assert_int_equal(point(f, bad[i], "a"), HL_INVALID);
    }
    assert_int_equal(create(f, "Fotos für alle 2024.11"), HL_OK);
}

static void a_zero_byte_hides_no_name_behind_another(void **state)
{
    struct fixture *f = *state;
    const struct hl_alias_action action = {
        .kind = HL_ALIAS_CREATE, .alias = {"x\0y", 3}, .collection = text("a")};
    const struct hl_alias_action other = {
        .kind = HL_ALIAS_CREATE, .alias = text("x"), .collection = {"a\0b", 3}};

    assert_int_equal(create(f, "a"), HL_OK);
    assert_int_equal(change(f, &action, 1), HL_INVALID);
    assert_int_equal(change(f, &other, 1), HL_INVALID);
    assert_null(acquire(f, "x"));
}

static void aliases_switch_together_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    const struct hl_alias_action good[] = {
        {.kind = HL_ALIAS_DELETE, .alias = text("current")},
        {.kind = HL_ALIAS_CREATE, .alias = text("current"), .collection = text("b")},
        {.kind = HL_ALIAS_RENAME, .alias = text("old"), .new_alias = text("older")}};
    const struct hl_alias_action bad[] = {
        {.kind = HL_ALIAS_CREATE, .alias = text("current"), .collection = text("a")},
        {.kind = HL_ALIAS_CREATE, .alias = text("x"), .collection = text("none")}};

    assert_int_equal(create(f, "a"), HL_OK);
    assert_int_equal(create(f, "b"), HL_OK);
    assert_int_equal(point(f, "current", "a"), HL_OK);
    assert_int_equal(point(f, "old", "a"), HL_OK);
    assert_true(leads(f, "current", "a"));
    assert_int_equal(change(f, good, 3), HL_OK);
    assert_true(leads(f, "current", "b"));
    assert_true(leads(f, "older", "a"));
    assert_true(leads(f, "old", ""));
    assert_int_equal(change(f, bad, 2), HL_NOT_FOUND);
    assert_true(leads(f, "current", "b"));
    assert_int_equal(create(f, "current"), HL_EXISTS);
    assert_int_equal(point(f, "a", "b"), HL_EXISTS);
    assert_true(remove_one(f, "b"));
    assert_true(leads(f, "current", ""));
}

static void names_and_aliases_survive(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(create(f, "a"), HL_OK);
    assert_int_equal(create(f, "b"), HL_OK);
    assert_int_equal(point(f, "current", "b"), HL_OK);
    assert_true(remove_one(f, "a"));
    /* Whoever still removes a folder is done before the next start looks at it. */
    hl_engine_stop(f->engine);
    hl_collections_close(f->collections);
    hl_engine_free(f->engine);
    f->collections = NULL;
    assert_int_equal(start_engine(f), HL_OK);
    assert_int_equal(open_all(f), HL_OK);
    assert_true(leads(f, "current", "b"));
    assert_int_equal(hl_collections_count(f->collections), 1);
}

/* Failpoints are armed while nobody else passes them: what a failed creation left is
 * removed by the keeper, or stays when that is what failed. */
static void await_keeper(const struct fixture *f, size_t n_names, size_t *n_left)
{
    char path[96];
    size_t n = 0;
    struct hl_err err;

    snprintf(path, sizeof path, "%s/collections", f->folder);
    for (int ms = 0; ms < 300; ms++) {
        assert_int_equal(hl_dir_count(path, &n, &err), HL_OK);
        if (n <= n_names + *n_left)
            return;
        usleep(1000);
    }
    *n_left = n - n_names;
}

/* Every allocation, write and sync of a creation and of a switch fails once. */
static void what_fails_leaves_names_as_they_were(void **state)
{
    static const char *const places[] = {"alloc", "file.write", "file.sync", "file.rename"};
    struct fixture *f = *state;
    size_t n_left = 0;

    assert_int_equal(create(f, "a"), HL_OK);
    assert_int_equal(create(f, "b"), HL_OK);
    assert_int_equal(point(f, "current", "a"), HL_OK);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        enum hl_code made = HL_INTERNAL, switched = HL_INTERNAL;

        for (int n = 1; (made != HL_OK || switched != HL_OK) && n < 2000; n++) {
            char rule[48];

            snprintf(rule, sizeof rule, "%s=%d:fail", places[i], n);
            await_keeper(f, made == HL_OK ? 3 : 2, &n_left);
            if (made != HL_OK) {
                assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
                made = create(f, "c");
                hl_failpoint_disarm();
                assert_int_equal(leads(f, "c", ""), made != HL_OK);
                await_keeper(f, made == HL_OK ? 3 : 2, &n_left);
            }
            if (switched != HL_OK) {
                assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
                switched = point(f, "current", "b");
                hl_failpoint_disarm();
                assert_true(leads(f, "current", switched == HL_OK ? "b" : "a"));
            }
        }
        assert_int_equal(made, HL_OK);
        assert_int_equal(switched, HL_OK);
        assert_true(remove_one(f, "c"));
        assert_int_equal(point(f, "current", "a"), HL_OK);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_there_from_its_making_to_its_deletion),
        TEST(names_that_cannot_be_are_refused),
        TEST(a_zero_byte_hides_no_name_behind_another),
        TEST(aliases_switch_together_or_not_at_all),
        TEST(names_and_aliases_survive),
        TEST(what_fails_leaves_names_as_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
