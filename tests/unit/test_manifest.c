/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/manifest.h"
#include "proto/fail.h"
#include "tests/unit/keeping.h"

#include <fcntl.h>
#include <sys/wait.h>

/* ---- records ---- */

static const struct hl_manifest some = {.space = 3,
                                        .source = 3,
                                        .first = 17,
                                        .last = UINT64_MAX,
                                        .n_rows = 64,
                                        .until = 9,
                                        .file = "3-3/11-9.seg"};

static void a_record_comes_back_as_it_was(void **state)
{
    char body[HL_MANIFEST_BODY], key[HL_MANIFEST_KEY];
    struct hl_manifest back;
    struct hl_err err;
    size_t size = hl_manifest_encode(&some, body);

    (void)state;
    assert_int_equal(hl_manifest_decode(body, size, &back, &err), HL_OK);
    assert_int_equal(back.space, some.space);
    assert_int_equal(back.source, some.source);
    assert_true(back.first == some.first && back.last == some.last);
    assert_true(back.n_rows == some.n_rows && back.until == some.until);
    assert_string_equal(back.file, some.file);
    hl_manifest_key(&back, key);
    assert_string_equal(key, "0000000003-0000000003/0000000000000011");
}

static void assert_refused(const char *body)
{
    struct hl_manifest back;
    struct hl_err err;

    if (hl_manifest_decode(body, strlen(body), &back, &err) != HL_DAMAGED)
        fail_msg("%s was taken", body);
}

static void what_is_no_record_is_damage(void **state)
{
    (void)state;
    assert_refused("");
    assert_refused("[]");
    assert_refused("{\"space\":1");
    assert_refused("{\"space\":1,\"source\":1,\"first\":1,\"last\":2}");
    assert_refused("{\"first\":9,\"last\":2,\"file\":\"1-1/1.seg\"}");
    assert_refused("{\"first\":1,\"last\":2,\"file\":\"1-1/../../points.seg\"}");
    assert_refused("{\"first\":1,\"last\":2,\"file\":\"/1.seg\"}");
    assert_refused("{\"first\":1,\"last\":2,\"file\":\"1.seg\"}");
    assert_refused("{\"first\":1,\"last\":2,\"file\":\"1-1/PASSWD\"}");
}

static void a_file_is_named_by_the_end_of_its_path(void **state)
{
    (void)state;
    assert_string_equal(hl_manifest_file("/a/segments/b/c/segments/1-1/2-3.seg"),
                        "1-1/2-3.seg");
    assert_string_equal(hl_manifest_file("1-1/2-3.seg"), "1-1/2-3.seg");
    assert_string_equal(hl_manifest_file("2-3.seg"), "2-3.seg");
}

/* ---- files that are not what their record says ---- */

enum harm { FLIP, CUT, EMPTY, GONE, OTHER, N_HARMS };

static void harm_file(const char *path, enum harm harm)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char byte;

    assert_true(fd >= 0);
    if (harm == FLIP) {
        assert_int_equal(pread(fd, &byte, 1, 4000), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, 4000), 1);
    }
    if (harm == CUT)
        assert_int_equal(ftruncate(fd, 3000), 0);
    if (harm == EMPTY)
        assert_int_equal(ftruncate(fd, 0), 0);
    if (harm == GONE)
        assert_int_equal(unlink(path), 0);
    if (harm == OTHER)
        assert_int_equal(pwrite(fd, "not a segment of ours", 21, 0), 21);
    close(fd);
}

/* All of them: whether rows that died soon after have a segment of their own is chance. */
static void harm_files(const struct keeping *k, enum harm harm)
{
    char folder[96], path[384];
    const struct dirent *entry;
    size_t n = 0;
    DIR *dir;

    snprintf(folder, sizeof folder, "%s/segments/1-1", k->s.folder);
    dir = opendir(folder);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        harm_file(path, harm);
        n++;
    }
    closedir(dir);
    assert_true(n > 0);
}

static void what_is_not_sound_is_told_and_built_again(void **state)
{
    struct keeping *k = *state;

    assert_true(put_points(k, 1, 70) > 0);
    await(k, HL_ENGINE_SEALED, 1);
    assert_true(delete_points(k, 1, 5) > 0);
    for (int harm = FLIP; harm < N_HARMS; harm++) {
        close_stand(&k->s);
        harm_files(k, (enum harm)harm);
        reopen(k);
        assert_true(told(k, HL_ENGINE_REBUILDING) > 0);
        assert_found(k, 6, 70); /* before it is sealed again, or after */
        if (harm == FLIP) {     /* fewer rows than a full tail: more are wanted */
            assert_true(put_points(k, 71, 140) > 0);
            assert_true(delete_points(k, 71, 140) > 0);
        }
        await(k, HL_ENGINE_SEALED, 1);
        reopen(k);
        assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
        assert_found(k, 6, 70);
    }
}

static void a_damaged_file_of_few_rows_is_told_of_until_the_next_seal(void **state)
{
    struct keeping *k = *state;

    assert_true(put_points(k, 1, 128) > 0);
    await(k, HL_ENGINE_SEALED, 2);
    assert_true(delete_points(k, 66, 128) > 0);
    close_stand(&k->s);
    harm_files(k, CUT);
    reopen(k);
    assert_true(told(k, HL_ENGINE_REBUILDING) > 0); /* one file, if they were merged */
    /* The 65th row waits for others. */
    await(k, HL_ENGINE_SEALED, 1);
    reopen(k);
    assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
    assert_found(k, 1, 65);
}

static void what_died_stays_dead(void **state)
{
    struct keeping *k = *state;

    assert_true(put_points(k, 1, 130) > 0);
    await(k, HL_ENGINE_SEALED, 2);
    assert_true(delete_points(k, 1, 9) > 0);
    assert_true(delete_points(k, 121, 130) > 0);
    for (int i = 0; i < 2; i++) {
        assert_found(k, 10, 120);
        reopen(k);
    }
    assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
}

static void put_file(const struct keeping *k, const char *name)
{
    char path[160];
    int fd;

    snprintf(path, sizeof path, "%s/segments/%s", k->s.folder, name);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void what_no_record_names_is_removed(void **state)
{
    struct keeping *k = *state;

    assert_true(put_points(k, 1, 64) > 0);
    await(k, HL_ENGINE_SEALED, 1);
    close_stand(&k->s);
    put_file(k, "1-1/40-99.seg");
    put_file(k, "1-1/40-99.seg.new");
    assert_int_equal(count_files(k, NULL, 0), 3);
    reopen(k);
    assert_int_equal(count_files(k, NULL, 0), 1);
    assert_found(k, 1, 64);
}

static void what_cannot_be_removed_is_told_and_left(void **state)
{
    struct keeping *k = *state;
    char path[160];

    assert_true(put_points(k, 1, 64) > 0);
    await(k, HL_ENGINE_SEALED, 1);
    close_stand(&k->s);
    put_file(k, "notes.txt"); /* no folder of a shelf */
    snprintf(path, sizeof path, "%s/segments/1-1/old", k->s.folder);
    assert_int_equal(mkdir(path, 0700), 0); /* no file of one */
    reopen(k);
    assert_int_equal(told(k, HL_ENGINE_UPKEEP_FAILED), 2);
    assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
    assert_found(k, 1, 64);
}

static void write_record(struct keeping *k, const char *key, const char *body)
{
    struct hl_store *store;
    uint64_t commit;
    char path[96];

    snprintf(path, sizeof path, "%s/points.db", k->s.folder);
    assert_int_equal(hl_store_open(path, &store, &k->s.err), HL_OK);
    assert_int_equal(hl_store_begin(store, &commit, &k->s.err), HL_OK);
    assert_int_equal(
        hl_store_put_record(store, HL_MANIFEST_KIND, key, body, strlen(body), &k->s.err),
        HL_OK);
    assert_int_equal(hl_store_commit(store, &commit, &k->s.err), HL_OK);
    hl_store_close(store);
}

static void a_record_that_cannot_be_read_costs_a_segment_and_no_more(void **state)
{
    struct hl_manifest first = {.space = 1, .source = 1, .first = 1};
    char key[HL_MANIFEST_KEY];
    struct keeping *k = *state;

    assert_true(put_points(k, 1, 64) > 0);
    await(k, HL_ENGINE_SEALED, 1);
    close_stand(&k->s);
    hl_manifest_key(&first, key);
    write_record(k, key, "{\"space\":1,");
    reopen(k);
    assert_int_equal(told(k, HL_ENGINE_REBUILDING), 1);
    assert_found(k, 1, 64);
    await(k, HL_ENGINE_SEALED, 1);
    reopen(k); /* the record went when the rows were sealed again */
    assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
    assert_found(k, 1, 64);
}

static void every_allocation_of_a_start_may_fail(void **state)
{
    struct keeping *k = *state;
    enum hl_code code = HL_NO_MEMORY;
    int n = 0;

    assert_true(put_points(k, 1, 200) > 0);
    await(k, HL_ENGINE_SEALED, 3);
    while (code != HL_OK) {
        char spec[32];

        close_stand(&k->s);
        assert_int_equal(hl_engine_new(&k->s.options, &k->s.engine, &k->s.err), HL_OK);
        snprintf(spec, sizeof spec, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(spec, &k->s.err), HL_OK);
        code = hl_collection_open(k->s.engine, k->s.folder, "stand", &k->s.collection,
                                  &k->s.err);
        if (code == HL_OK)
            hl_engine_stop(k->s.engine); /* the keeper passes as well */
        hl_failpoint_disarm();
        if (code != HL_OK && code != HL_NO_MEMORY)
            fail_msg("allocation %d: %s", n, k->s.err.msg);
        assert_true(n < 5000);
    }
    assert_true(n > 20);
    assert_found(k, 1, 200);
}

/* ---- kills ---- */

/* A process of its own writes, seals and merges, and dies at the moment the rule names. */
static void write_until(struct keeping *k, const char *rule, int said)
{
    if (hl_failpoint_arm(rule, &k->s.err) != HL_OK || open_stand(&k->s) != HL_OK)
        _exit(2);
    for (int first = 1; first <= 257; first += 64) {
        if (put_points(k, first, first + 63) == 0 || write(said, "", 1) != 1)
            _exit(3);
        await(k, HL_ENGINE_SEALED, (size_t)first / 64 + 1);
    }
    await(k, HL_ENGINE_MERGED, 1);
    _exit(0);
}

static int count_said(int said)
{
    char byte;
    int n = 0;

    while (read(said, &byte, 1) == 1)
        n++;
    return n;
}

static void a_kill_at_any_moment_loses_nothing(void **state)
{
    static const char *const places[] = {"file.rename", "file.sync", "file.write"};
    struct keeping *k = *state;
    bool was_killed = false;

    for (int i = 0; i < 24; i++) {
        int said[2], status, n_said;
        char rule[48];
        pid_t child;

        close_stand(&k->s);
        memset(k->told, 0, sizeof k->told);
        snprintf(rule, sizeof rule, "%s=%d:kill", places[i % 3],
                 1 + i / 3 * (i % 3 ? 9 : 1));
        assert_int_equal(pipe2(said, O_CLOEXEC), 0);
        child = fork();
        if (child == 0)
            write_until(k, rule, said[1]);
        assert_true(child > 0);
        close(said[1]);
        n_said = count_said(said[0]);
        close(said[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
        was_killed = was_killed || WIFSIGNALED(status);
        reopen(k);
        assert_int_equal(told(k, HL_ENGINE_REBUILDING), 0);
        look(&k->s, NULL);
        assert_true(hl_look_n_points(k->s.look) >= 64 * (uint64_t)n_said);
        assert_int_equal(hl_look_n_points(k->s.look) % 64, 0);
        if (hl_look_n_points(k->s.look) > 0) {
            const int n_points = (int)hl_look_n_points(k->s.look);

            assert_found(k, 1, n_points);
            assert_true(delete_points(k, 1, n_points) > 0);
        }
    }
    assert_true(was_killed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(what_is_no_record_is_damage),
        cmocka_unit_test(a_file_is_named_by_the_end_of_its_path),
        TEST(what_is_not_sound_is_told_and_built_again),
        TEST(a_damaged_file_of_few_rows_is_told_of_until_the_next_seal),
        TEST(what_died_stays_dead),
        TEST(what_no_record_names_is_removed),
        TEST(what_cannot_be_removed_is_told_and_left),
        TEST(a_record_that_cannot_be_read_costs_a_segment_and_no_more),
        TEST(every_allocation_of_a_start_may_fail),
        TEST(a_kill_at_any_moment_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
