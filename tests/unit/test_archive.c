/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/archive.h"
#include "proto/alloc.h"
#include "proto/dir.h"
#include "proto/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_FILES = 3, PATH = 160 };

/* Files of sizes that fill a block, that do not, and that are more than one piece. */
static const char *const names[N_FILES] = {"points.db", "segments/1-1/7.seg", "empty"};
static const size_t sizes[N_FILES] = {1024, (1 << 20) + 77, 0};

struct rig {
    char folder[40], path[64], out[64];
    struct hl_file *files[N_FILES];
    struct hl_archive_input items[N_FILES];
    struct hl_archive_inputs inputs;
    struct hl_archive_head head, found;
    struct hl_archive_sum sum;
    struct hl_arena *arena;
    struct hl_buf bytes; /* of the archive */
    struct hl_err err;
};

static unsigned char byte_at(size_t file, size_t i)
{
    return (unsigned char)(file * 31 + i * 7 + i / 251);
}

static void make_input(struct rig *rig, size_t which)
{
    char path[PATH];
    struct hl_file *file;
    unsigned char *bytes = hl_alloc(sizes[which] + 1);

    for (size_t i = 0; i < sizes[which]; i++)
        bytes[i] = byte_at(which, i);
    snprintf(path, sizeof path, "%s/in%zu", rig->folder, which);
    assert_int_equal(hl_file_open(path, HL_FILE_CREATE, &file, &rig->err), HL_OK);
    assert_int_equal(hl_file_write(file, bytes, sizes[which], &rig->err), HL_OK);
    hl_file_close(file);
    hl_free(bytes);
    assert_int_equal(hl_file_open(path, HL_FILE_READ, &rig->files[which], &rig->err),
                     HL_OK);
    rig->items[which] = (struct hl_archive_input){names[which], rig->files[which]};
}

static enum hl_code save(struct rig *rig)
{
    return hl_archive_save(rig->path, &rig->head, &rig->inputs, NULL, &rig->sum, &rig->err);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);

    *state = rig;
    snprintf(rig->folder, sizeof rig->folder, "/tmp/heirloom-archive-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof rig->path, "%s/a.snapshot", rig->folder);
    snprintf(rig->out, sizeof rig->out, "%s/out", rig->folder);
    rig->arena = hl_arena_new(64 << 20);
    for (size_t i = 0; i < N_FILES; i++)
        make_input(rig, i);
    rig->inputs = (struct hl_archive_inputs){rig->items, N_FILES};
    rig->head = (struct hl_archive_head){.kind = "collection",
                                         .version = "0.9.0 \"x\"",
                                         .created_s = 1700000000,
                                         .config = {"{\"a\":[1, 2]}", 12}};
    hl_buf_init(&rig->bytes, 64 << 20);
    assert_int_equal(save(rig), HL_OK);
    assert_int_equal(hl_file_load(rig->path, &rig->bytes, &rig->err), HL_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;

    for (size_t i = 0; i < N_FILES; i++)
        hl_file_close(rig->files[i]);
    hl_buf_done(&rig->bytes);
    hl_arena_free(rig->arena);
    assert_int_equal(hl_dir_remove(rig->folder, &rig->err), HL_OK);
    free(rig);
    return 0;
}

static enum hl_code look(struct rig *rig)
{
    const struct hl_memory memory = {rig->bytes.data, rig->bytes.len};
    const struct hl_source source = hl_source_of_memory(&memory, "a.snapshot");

    hl_arena_reset(rig->arena);
    return hl_archive_look(&source, rig->arena, &rig->found, &rig->err);
}

static enum hl_code load(struct rig *rig)
{
    const struct hl_memory memory = {rig->bytes.data, rig->bytes.len};
    const struct hl_source source = hl_source_of_memory(&memory, "a.snapshot");

    assert_int_equal(hl_dir_remove(rig->out, &rig->err), HL_OK);
    assert_int_equal(hl_dir_make(rig->out, &rig->err), HL_OK);
    return hl_archive_load(&source, &rig->found, rig->out, NULL, &rig->err);
}

static void assert_refused(struct rig *rig, const char *sentence)
{
    enum hl_code code = look(rig);

    if (code == HL_OK)
        code = load(rig);
    assert_int_equal(code, HL_BAD_FILE);
    assert_string_equal(rig->err.msg, sentence);
}

/* Where the text is in the archive, from `from` on. */
static char *find(struct rig *rig, const char *text, size_t from)
{
    char *at = memmem(rig->bytes.data + from, rig->bytes.len - from, text, strlen(text));

    assert_non_null(at);
    return at;
}

static void what_went_in_comes_out(void **state)
{
    struct rig *rig = *state;

    assert_int_equal(look(rig), HL_OK);
    assert_string_equal(rig->found.kind, "collection");
    assert_string_equal(rig->found.version, "0.9.0 \"x\"");
    assert_int_equal(rig->found.created_s, 1700000000);
    assert_int_equal(rig->found.config.len, 12);
    assert_memory_equal(rig->found.config.text, "{\"a\":[1, 2]}", 12);
    assert_int_equal(rig->found.n_files, N_FILES);
    assert_int_equal(load(rig), HL_OK);
    for (size_t i = 0; i < N_FILES; i++) {
        char path[PATH];
        struct hl_buf buf;

        assert_string_equal(rig->found.files[i].name, names[i]);
        snprintf(path, sizeof path, "%s/%s", rig->out, names[i]);
        hl_buf_init(&buf, 64 << 20);
        assert_int_equal(hl_file_load(path, &buf, &rig->err), HL_OK);
        assert_int_equal(buf.len, sizes[i]);
        for (size_t at = 0; at < buf.len; at++)
            assert_int_equal((unsigned char)buf.data[at], byte_at(i, at));
        hl_buf_done(&buf);
    }
}

static void its_sum_is_that_of_the_file(void **state)
{
    struct rig *rig = *state;
    struct hl_sha256 sha;
    char text[HL_SHA256_TEXT_SIZE];

    hl_sha256_init(&sha);
    hl_sha256_add(&sha, rig->bytes.data, rig->bytes.len);
    hl_sha256_finish_text(&sha, text);
    assert_string_equal(rig->sum.sha256, text);
    assert_int_equal(rig->sum.size, rig->bytes.len);
}

static void tar_lists_it(void **state)
{
    struct rig *rig = *state;
    char command[256], line[256], all[1024] = "";
    FILE *tar;

    snprintf(command, sizeof command, "tar tf %s", rig->path);
    tar = popen(command, "r");
    assert_non_null(tar);
    while (fgets(line, sizeof line, tar))
        strncat(all, line, sizeof all - strlen(all) - 1);
    assert_int_equal(pclose(tar), 0);
    assert_string_equal(all, "heirloom.json\npoints.db\nsegments/1-1/7.seg\nempty\n");
}

static void a_later_format_is_left_to_a_later_heirloom(void **state)
{
    struct rig *rig = *state;

    memcpy(find(rig, "\"format\":1", 0), "\"format\":2", 10);
    assert_int_equal(look(rig), HL_NEWER_FORMAT);
    assert_string_equal(
        rig->err.msg,
        "snapshot \"a.snapshot\" has format 2, this heirloom reads up to 1: a "
        "later heirloom wrote it");
}

static void damage_is_told_with_the_file_it_is_in(void **state)
{
    struct rig *rig = *state;
    size_t first = (size_t)(find(rig, "points.db", 1024) - rig->bytes.data);
    size_t second = (size_t)(find(rig, "segments/1-1/7.seg", first) - rig->bytes.data);

    rig->bytes.data[first + 512 + 5] ^= 1;
    assert_refused(rig,
                   "\"a.snapshot\" is no sound snapshot: \"points.db\" in it has another "
                   "checksum than its list says");
    rig->bytes.data[first + 512 + 5] ^= 1;
    rig->bytes.data[second - 1] ^= 1;
    assert_refused(rig,
                   "\"a.snapshot\" is no sound snapshot: \"points.db\" in it has another "
                   "checksum than its list says");
    rig->bytes.data[second - 1] ^= 1;
    rig->bytes.data[second + 512 + sizes[1] + 3] ^= 1;
    assert_refused(rig,
                   "\"a.snapshot\" is no sound snapshot: \"segments/1-1/7.seg\" in it has "
                   "something behind its end");
    rig->bytes.data[second + 512 + sizes[1] + 3] ^= 1;
    rig->bytes.data[second + 110] ^= 1;
    assert_refused(rig,
                   "\"a.snapshot\" is no sound snapshot: \"segments/1-1/7.seg\" in it has "
                   "another header than its list says");
    rig->bytes.data[second + 110] ^= 1;
    memcpy(find(rig, "[1, 2]", 0), "[1, 3]", 6);
    assert_refused(rig, "\"a.snapshot\" is no sound snapshot: \"heirloom.json\" in it has "
                        "another header than its list says");
}

static void flip(struct rig *rig, size_t at)
{
    unsigned char *byte = (unsigned char *)rig->bytes.data + at;

    *byte = (unsigned char)(*byte ^ 1U << (at % 8));
}

static void every_flipped_bit_is_noticed(void **state)
{
    struct rig *rig = *state;
    size_t n_noticed = 0, n = 0;

    for (size_t at = 0; at < rig->bytes.len; at += at < 4096 ? 13 : 30011, n++) {
        flip(rig, at);
        n_noticed += look(rig) != HL_OK || load(rig) != HL_OK;
        flip(rig, at);
    }
    assert_int_equal(n_noticed, n);
    assert_int_equal(look(rig), HL_OK);
    assert_int_equal(load(rig), HL_OK);
}

static void what_is_cut_off_or_added_is_noticed(void **state)
{
    struct rig *rig = *state;
    static const char more[512];
    size_t len = rig->bytes.len;

    for (size_t cut = 0; cut < len; cut += cut < 8192 ? 512 : 20 * 512) {
        rig->bytes.len = cut;
        assert_int_equal(look(rig), HL_BAD_FILE);
    }
    rig->bytes.len = len;
    hl_buf_add(&rig->bytes, more, sizeof more);
    assert_refused(rig,
                   "\"a.snapshot\" is no sound snapshot: there is more in it than its list "
                   "says");
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const bad[] = {"../ts.db", "/oints.db",    "points/..",
                                      "..",       ".hidden",      "poin s.db",
                                      "a//b.db",  "a/b/c/d/e/f/g"};
    static const size_t n_bad = sizeof bad / sizeof bad[0];
    struct rig *rig = *state;
    struct hl_archive_sum sum;

    for (size_t i = 0; i < n_bad; i++) {
        rig->items[0].name = bad[i];
        assert_int_equal(
            hl_archive_save(rig->out, &rig->head, &rig->inputs, NULL, &sum, &rig->err),
            HL_INVALID);
    }
    memcpy(find(rig, "points.db", 512), "../nts.db", 9);
    assert_refused(rig,
                   "\"a.snapshot\" is no sound snapshot: its list names a file that cannot "
                   "be in one");
}

static void sizes_beyond_octal_digits_are_told(void **state)
{
    struct rig *rig = *state;

    memcpy(find(rig, "\"size\":1024,\"crc32c\":\"", 0), "\"size\":9999999999999,\"c", 22);
    assert_int_equal(look(rig), HL_BAD_FILE);
}

static void a_file_that_is_there_already_is_not_written_over(void **state)
{
    struct rig *rig = *state;
    const struct hl_memory memory = {rig->bytes.data, rig->bytes.len};
    const struct hl_source source = hl_source_of_memory(&memory, "a.snapshot");

    assert_int_equal(look(rig), HL_OK);
    assert_int_equal(load(rig), HL_OK);
    assert_int_equal(hl_archive_load(&source, &rig->found, rig->out, NULL, &rig->err),
                     HL_EXISTS);
}

static void assert_saved_or_not(struct rig *rig, const char *place)
{
    enum hl_code code = HL_IO;

    for (int n = 1; code != HL_OK && n < 200; n++) {
        char rule[64];

        snprintf(rule, sizeof rule, "%s=%d:fail", place, n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = save(rig);
        hl_failpoint_disarm();
    }
    assert_int_equal(code, HL_OK);
}

static void assert_loaded_or_not(struct rig *rig, const char *place)
{
    enum hl_code code = HL_IO;

    for (int n = 1; code != HL_OK && n < 200; n++) {
        const struct hl_memory memory = {rig->bytes.data, rig->bytes.len};
        const struct hl_source source = hl_source_of_memory(&memory, "a.snapshot");
        char rule[64];

        assert_int_equal(look(rig), HL_OK);
        assert_int_equal(hl_dir_remove(rig->out, &rig->err), HL_OK);
        assert_int_equal(hl_dir_make(rig->out, &rig->err), HL_OK);
        snprintf(rule, sizeof rule, "%s=%d:fail", place, n);
        assert_int_equal(hl_failpoint_arm(rule, &rig->err), HL_OK);
        code = hl_archive_load(&source, &rig->found, rig->out, NULL, &rig->err);
        hl_failpoint_disarm();
    }
    assert_int_equal(code, HL_OK);
}

static void a_failure_of_the_system_is_told(void **state)
{
    static const char *const places[] = {"alloc", "file.open", "file.read", "file.write",
                                         "file.sync"};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_saved_or_not(*state, places[i]);
        assert_loaded_or_not(*state, places[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_went_in_comes_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_sum_is_that_of_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tar_lists_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_later_format_is_left_to_a_later_heirloom, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(damage_is_told_with_the_file_it_is_in, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_cut_off_or_added_is_noticed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(names_that_lead_elsewhere_are_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(sizes_beyond_octal_digits_are_told, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_there_already_is_not_written_over,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failure_of_the_system_is_told, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
