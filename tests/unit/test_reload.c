/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/fail.h"
#include "proto/file.h"
#include "server/keys.h"
#include "server/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET "a-secret-of-23-letters-"
#define KEYS_A "[keys.a]\nsecret=" SECRET "a\n"
#define KEYS_B "[keys.b]\nsecret=" SECRET "b\n"

struct fixture {
    char folder[64];
    char path[96];
    int ends[2];
    struct hl_config_sources sources;
    struct hl_config *config;
    struct hl_log *log;
    struct hl_live live;
    struct hl_reload reload;
    struct hl_err err;
    char said[1 << 14];
};

static void write_config(const struct fixture *f, const char *text)
{
    struct hl_replacement *replacement;
    struct hl_err err;

    assert_int_equal(hl_replacement_open(f->path, &replacement, &err), HL_OK);
    assert_int_equal(
        hl_file_write(hl_replacement_file(replacement), text, strlen(text), &err), HL_OK);
    assert_int_equal(hl_replacement_commit(replacement, &err), HL_OK);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-reload-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/heirloom.ini", f->folder);
    write_config(f, "[service]\nhttp_port=1\n" KEYS_A);
    f->sources.file = f->path;
    assert_int_equal(hl_config_load(&f->sources, &f->config, &f->err), HL_OK);
    assert_int_equal(pipe(f->ends), 0);
    f->log = hl_log_new(f->ends[1], HL_LOG_INFO, HL_LOG_TEXT);
    assert_non_null(f->log);
    hl_live_init(&f->live);
    f->reload = (struct hl_reload){&f->sources, f->config, &f->live, f->log};
    assert_int_equal(hl_reload_first(&f->reload, &f->err), HL_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_live_done(&f->live);
    hl_log_free(f->log);
    hl_config_free(f->config);
    close(f->ends[0]);
    close(f->ends[1]);
    unlink(f->path);
    rmdir(f->folder);
    free(f);
    return 0;
}

static enum hl_code reload(struct fixture *f, const char *text)
{
    write_config(f, text);
    return hl_reload(&f->reload, &f->err);
}

/* What the log has got since it was asked last. */
static bool log_says(struct fixture *f, const char *words)
{
    ssize_t len;

    assert_int_equal(write(f->ends[1], "$", 1), 1);
    len = read(f->ends[0], f->said, sizeof f->said - 1);
    assert_true(len > 0);
    f->said[len] = '\0';
    return strstr(f->said, words) != NULL;
}

static bool knows(struct fixture *f, const char *secret)
{
    struct hl_view *view = hl_live_acquire(&f->live);
    bool is_known = hl_keys_find(hl_keys_of(view), secret, strlen(secret)) != NULL;

    hl_view_unref(view);
    return is_known;
}

static void keys_are_those_of_the_file_as_it_is_now(void **state)
{
    struct fixture *f = *state;

    assert_true(knows(f, SECRET "a"));
    assert_int_equal(reload(f, "[service]\nhttp_port=1\n" KEYS_B), HL_OK);
    assert_false(knows(f, SECRET "a"));
    assert_true(knows(f, SECRET "b"));
    assert_true(log_says(f, "event=reloaded keys_view=2 keys=1 level=info"));
    assert_null(strstr(f->said, "needs_restart"));
}

static void whoever_began_with_old_keys_ends_with_them(void **state)
{
    struct fixture *f = *state;
    struct hl_view *began = hl_live_acquire(&f->live);

    assert_int_equal(reload(f, KEYS_B), HL_OK);
    assert_non_null(hl_keys_find(hl_keys_of(began), SECRET "a", strlen(SECRET "a")));
    hl_view_unref(began);
}

static void a_file_that_is_wrong_changes_nothing_and_is_logged(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(reload(f, KEYS_B "[service]\nprt=1\n"), HL_INVALID);
    assert_true(knows(f, SECRET "a"));
    assert_false(knows(f, SECRET "b"));
    assert_true(log_says(f, "event=reload_failed error=\""));
    assert_non_null(strstr(f->said, "there is no setting \\\"prt\\\""));
    unlink(f->path);
    assert_int_equal(hl_reload(&f->reload, &f->err), HL_NOT_FOUND);
    assert_true(knows(f, SECRET "a"));
}

static void the_last_key_is_not_taken_away(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(reload(f, ""), HL_INVALID);
    assert_true(knows(f, SECRET "a"));
    assert_true(log_says(f, "cannot take the last key away"));
}

static void the_level_of_the_log_changes_at_once(void **state)
{
    struct fixture *f = *state;

    assert_false(hl_log_is_on(f->log, HL_LOG_DEBUG));
    assert_int_equal(reload(f, "[service]\nhttp_port=1\n[log]\nlevel=debug\n" KEYS_A),
                     HL_OK);
    assert_true(hl_log_is_on(f->log, HL_LOG_DEBUG));
    assert_false(log_says(f, "needs_restart"));
}

static void a_setting_that_needs_a_restart_is_named(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(reload(f, "[service]\nhttp_port=2\n" KEYS_A), HL_OK);
    assert_true(log_says(f, "event=setting_needs_restart section=service key=http_port "));
}

static void every_failed_allocation_leaves_the_old_keys(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    char rule[32];
    int n = 0;

    write_config(f, "[service]\nhttp_port=1\n" KEYS_B);
    while (code != HL_OK && n < 100) {
        snprintf(rule, sizeof rule, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = hl_reload(&f->reload, &f->err);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
        assert_true(knows(f, code == HL_OK ? SECRET "b" : SECRET "a"));
        assert_true(log_says(f, "event=reload"));
    }
    assert_int_equal(code, HL_OK);
    assert_true(n > 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(keys_are_those_of_the_file_as_it_is_now),
        TEST(whoever_began_with_old_keys_ends_with_them),
        TEST(a_file_that_is_wrong_changes_nothing_and_is_logged),
        TEST(the_last_key_is_not_taken_away),
        TEST(the_level_of_the_log_changes_at_once),
        TEST(a_setting_that_needs_a_restart_is_named),
        TEST(every_failed_allocation_leaves_the_old_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
