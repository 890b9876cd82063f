/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/snapshot.h"
#include "proto/fail.h"
#include "tests/unit/looking.h"

#include <ctype.h>
#include <time.h>

enum { PATH = 128, MANY = 200, PATIENCE = 20000 };

struct place { /* where a snapshot is and where it is recovered */
    char folder[48], path[64], out[64];
    struct hl_archive_sum sum;
};

static void open_place(struct place *p)
{
    snprintf(p->folder, sizeof p->folder, "/tmp/heirloom-snapshot-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    snprintf(p->path, sizeof p->path, "%s/a.snapshot", p->folder);
    snprintf(p->out, sizeof p->out, "%s/out", p->folder);
}

static void close_place(struct stand *s, const struct place *p)
{
    assert_int_equal(hl_dir_remove(p->folder, &s->err), HL_OK);
}

static enum hl_code save(struct stand *s, struct place *p)
{
    const struct hl_snapshot_options options = {.path = p->path,
                                                .version = "0.3.0",
                                                .created_s = 1700000000,
                                                .config = {"{\"a\":1}", 7}};

    return hl_snapshot_save(s->collection, &options, &p->sum, &s->err);
}

/* A folder as the catalog prepares it. */
static void prepare(struct stand *s, const struct place *p)
{
    char path[PATH];

    assert_int_equal(hl_dir_remove(p->out, &s->err), HL_OK);
    assert_int_equal(hl_dir_make(p->out, &s->err), HL_OK);
    snprintf(path, sizeof path, "%s/segments", p->out);
    assert_int_equal(hl_dir_make(path, &s->err), HL_OK);
    snprintf(path, sizeof path, "%s/points.db", p->out);
    assert_int_equal(hl_store_create(path, &s->err), HL_OK);
}

static enum hl_code load(struct stand *s, const struct place *p, const char *sum)
{
    prepare(s, p);
    return hl_snapshot_load(p->path, sum, p->out, NULL, &s->err);
}

static void must(struct stand *s, enum hl_code code)
{
    if (code != HL_OK)
        fail_msg("%s", s->err.msg);
}

/* The stand's collection is the recovered one from now on. */
static void serve(struct stand *s, const struct place *p)
{
    hl_look_close(s->look);
    s->look = NULL;
    hl_collection_unref(s->collection);
    s->collection = NULL;
    must(s, hl_collection_open(s->engine, p->out, "recovered", &s->collection, &s->err));
}

static uint64_t indexed(struct stand *s)
{
    struct hl_collection_info info;

    must(s, hl_collection_info(s->collection, s->arena, &info, &s->err));
    hl_layout_unref(info.layout);
    return info.is_busy ? 0 : info.n_indexed;
}

/* Until what is full was sealed. */
static void wait_for_segments(struct stand *s)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    for (int i = 0; i < PATIENCE && indexed(s) == 0; i++)
        nanosleep(&moment, NULL);
    assert_true(indexed(s) > 0);
}

static void what_is_recovered_is_what_was_saved(void **state)
{
    struct stand *s = *state;
    const float at[] = {70, 0};
    const char *found;
    struct place p;
    uint64_t n_indexed;

    open_place(&p);
    add_index(s, "colour", "keyword");
    fill(s, 1, MANY);
    assert_true(change_points(s, "{\"delete\":{\"points\":[69,71]}}") > 0);
    wait_for_segments(s);
    n_indexed = indexed(s);
    look(s, red);
    found = find(s, query(at, 2, 5), "e");
    must(s, save(s, &p));
    must(s, load(s, &p, p.sum.sha256));
    assert_true(change_points(s, "{\"delete\":{\"points\":[70,72]}}") > 0);
    serve(s, &p);
    assert_int_equal(indexed(s), n_indexed); /* nothing had to be indexed anew */
    look(s, red);
    assert_string_equal(find(s, query(at, 2, 5), "e"), found);
    look(s, NULL);
    assert_int_equal(count(s), MANY - 2);
    assert_true(change_points(s, "{\"delete\":{\"points\":[1]}}") > 0);
    close_place(s, &p);
}

static void the_checksum_stands_beside_it(void **state)
{
    struct stand *s = *state;
    struct hl_archive_sum sum;
    struct hl_buf buf;
    struct place p;
    char path[PATH];

    open_place(&p);
    fill(s, 1, 3);
    must(s, save(s, &p));
    snprintf(path, sizeof path, "%s.checksum", p.path);
    hl_buf_init(&buf, PATH);
    must(s, hl_file_load(path, &buf, &s->err));
    assert_string_equal(buf.data, p.sum.sha256);
    hl_buf_done(&buf);
    must(s, hl_snapshot_sum(p.path, NULL, &sum, &s->err));
    assert_string_equal(sum.sha256, p.sum.sha256);
    assert_int_equal(sum.size, p.sum.size);
    snprintf(path, sizeof path, "%s.db", p.path);
    assert_int_equal(access(path, F_OK), -1); /* the copy is gone */
    close_place(s, &p);
}

static void a_snapshot_with_another_checksum_is_refused(void **state)
{
    static const char other[] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct stand *s = *state;
    struct place p;
    char upper[HL_SHA256_TEXT_SIZE];

    open_place(&p);
    fill(s, 1, 3);
    must(s, save(s, &p));
    assert_int_equal(load(s, &p, other), HL_BAD_FILE);
    assert_non_null(strstr(s->err.msg, other));
    assert_non_null(strstr(s->err.msg, p.sum.sha256));
    for (size_t i = 0; i < sizeof upper; i++)
        upper[i] = (char)toupper((unsigned char)p.sum.sha256[i]);
    must(s, load(s, &p, upper));
    close_place(s, &p);
}

/* An archive of one file whose content is this. */
static void save_other(struct stand *s, const struct place *p, const char *kind,
                       const char *name)
{
    const struct hl_archive_head head = {.kind = kind, .version = "0.3.0"};
    struct hl_archive_input item = {.name = name};
    struct hl_archive_inputs inputs = {&item, 1};
    struct hl_archive_sum sum;
    struct hl_file *file;
    char path[PATH];

    snprintf(path, sizeof path, "%s/content", p->folder);
    must(s, hl_file_remove(path, &s->err));
    must(s, hl_file_open(path, HL_FILE_CREATE, &file, &s->err));
    must(s, hl_file_write(file, "no database", 11, &s->err));
    hl_file_close(file);
    must(s, hl_file_open(path, HL_FILE_READ, &file, &s->err));
    item.file = file;
    must(s, hl_archive_save(p->path, &head, &inputs, NULL, &sum, &s->err));
    hl_file_close(file);
}

static void assert_other_refused(struct stand *s, const char *kind, const char *name,
                                 const char *why)
{
    struct place p;

    open_place(&p);
    save_other(s, &p, kind, name);
    assert_int_equal(load(s, &p, NULL), HL_BAD_FILE);
    if (!strstr(s->err.msg, why))
        fail_msg("%s\n    does not say \"%s\"", s->err.msg, why);
    close_place(s, &p);
}

static void what_is_no_collection_is_refused(void **state)
{
    assert_other_refused(*state, "storage", "points.db",
                         "is of a storage, one of a collection was wanted");
    assert_other_refused(*state, "collection", "segments/1-1/1.seg",
                         "has no points.db in it");
    assert_other_refused(*state, "collection", "points.db", "is not sound");
}

static void a_change_that_is_made_meanwhile_is_in_it_or_not(void **state)
{
    struct stand *s = *state;
    struct place p;

    open_place(&p);
    for (int round = 0; round < 3; round++) {
        fill(s, 1 + round * 70, 70 + round * 70); /* sealing goes on */
        must(s, save(s, &p));
        must(s, load(s, &p, NULL));
    }
    serve(s, &p);
    look(s, NULL);
    assert_int_equal(count(s), 210);
    close_place(s, &p);
}

static void a_failure_of_the_system_is_told_and_leaves_nothing(void **state)
{
    static const char *const places[] = {"alloc", "file.open", "file.write", "file.sync"};
    struct stand *s = *state;
    struct place p;

    open_place(&p);
    fill(s, 1, 3);
    must(s, save(s, &p));
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        enum hl_code code = HL_IO;
        char rule[64];

        for (int n = 1; code != HL_OK && n < 2000; n++) {
            prepare(s, &p);
            snprintf(rule, sizeof rule, "%s=%d:fail", places[i], n);
            assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
            code = hl_snapshot_load(p.path, p.sum.sha256, p.out, NULL, &s->err);
            hl_failpoint_disarm();
        }
        must(s, code);
        code = HL_IO;
        for (int n = 1; code != HL_OK && n < 2000; n++) {
            snprintf(rule, sizeof rule, "%s=%d:fail", places[i], n);
            assert_int_equal(hl_failpoint_arm(rule, &s->err), HL_OK);
            code = save(s, &p);
            hl_failpoint_disarm();
        }
        must(s, code);
    }
    close_place(s, &p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_recovered_is_what_was_saved),
        TEST(the_checksum_stands_beside_it),
        TEST(a_snapshot_with_another_checksum_is_refused),
        TEST(what_is_no_collection_is_refused),
        TEST(a_change_that_is_made_meanwhile_is_in_it_or_not),
        TEST(a_failure_of_the_system_is_told_and_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
