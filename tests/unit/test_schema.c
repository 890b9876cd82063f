/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/schema.h"
#include "index/store.h"
#include "index/store_part.h"
#include "proto/dir.h"
#include "proto/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* tests/data/store/points-1.db was written by the first format: a dense space "" of four
 * floats, a sparse space "words", a record, three points of which the third was deleted in
 * the last commit, the second given a payload there. It is never written again. */
struct fixture {
    char folder[40], path[64];
    struct hl_db *db;
    struct hl_store *store;
    struct hl_reader *reader;
    struct hl_err err;
};

static const char *const later_steps[] = {
    NULL, /* of the first format: set up by set_up */
    "ALTER TABLE points ADD COLUMN mood INTEGER NOT NULL DEFAULT 7;",
    "CREATE TABLE moods(mood INTEGER PRIMARY KEY); INSERT INTO moods SELECT mood FROM "
    "points LIMIT 1;",
};

static struct hl_schema schema_of(const char *const *steps, int n_steps)
{
    struct hl_schema schema = hl_store_schema;

    schema.steps = steps;
    schema.n_steps = n_steps;
    return schema;
}

static int copy_old_file(struct fixture *f)
{
    struct hl_buf buf;
    struct hl_file *file = NULL;
    char old[4096];
    enum hl_code code;

    snprintf(old, sizeof old, "%s/store/points-1.db", getenv("HEIRLOOM_TEST_DATA"));
    hl_buf_init(&buf, 1 << 20);
    code = hl_file_load(old, &buf, &f->err);
    if (code == HL_OK)
        code = hl_file_open(f->path, HL_FILE_CREATE, &file, &f->err);
    if (code == HL_OK)
        code = hl_file_write(file, buf.data, buf.len, &f->err);
    hl_file_close(file);
    hl_buf_done(&buf);
    return code == HL_OK ? 0 : -1;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f)
        return -1;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-schema-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/points.db", f->folder);
    return copy_old_file(f);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    int failed;

    hl_reader_close(f->reader);
    hl_store_close(f->store);
    hl_db_close(f->db);
    failed = hl_dir_remove(f->folder, &f->err) != HL_OK;
    free(f);
    return failed;
}

static int64_t ask(struct fixture *f, const char *sql)
{
    int64_t value = -1;

    assert_int_equal(hl_db_ask(f->db, sql, &value, &f->err), HL_OK);
    return value;
}

static void open_old(struct fixture *f)
{
    assert_int_equal(hl_db_open(f->path, HL_DB_WRITE, &f->db, &f->err), HL_OK);
    assert_int_equal(ask(f, "PRAGMA user_version"), 1);
}

static void an_old_file_climbs_every_step(void **state)
{
    struct fixture *f = *state;
    const struct hl_schema later = schema_of(later_steps, 3);

    open_old(f);
    assert_int_equal(hl_schema_apply(f->db, &later, false, &f->err), HL_OK);
    assert_int_equal(ask(f, "PRAGMA user_version"), 3);
    assert_int_equal(ask(f, "SELECT count(*) FROM points WHERE mood = 7"), 2);
    assert_int_equal(ask(f, "SELECT mood FROM moods"), 7);
    assert_int_equal(hl_schema_apply(f->db, &later, false, &f->err), HL_OK);
    assert_int_equal(hl_schema_check(f->db, &later, &f->err), HL_OK);
}

static void a_step_that_fails_leaves_the_file_as_it_was(void **state)
{
    static const char *const steps[] = {NULL, "ALTER TABLE points ADD COLUMN mood INTEGER;",
                                        "DROP TABLE nothing;"};
    struct fixture *f = *state;
    const struct hl_schema broken = schema_of(steps, 3);

    open_old(f);
    assert_int_equal(hl_schema_apply(f->db, &broken, false, &f->err), HL_INTERNAL);
    assert_int_equal(ask(f, "PRAGMA user_version"), 1);
    assert_int_equal(
        ask(f, "SELECT count(*) FROM pragma_table_info('points') WHERE name = 'mood'"), 0);
    assert_int_equal(hl_schema_apply(f->db, &hl_store_schema, false, &f->err), HL_OK);
}

static void what_only_reads_does_not_upgrade(void **state)
{
    struct fixture *f = *state;
    const struct hl_schema later = schema_of(later_steps, 3);

    open_old(f);
    assert_int_equal(hl_schema_check(f->db, &later, &f->err), HL_CONFLICT);
    assert_non_null(strstr(f->err.msg, "has the older format 1"));
    assert_int_equal(hl_schema_check(f->db, &hl_store_schema, &f->err), HL_OK);
}

static void a_newer_or_foreign_file_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct hl_schema later = schema_of(later_steps, 3);
    struct hl_schema foreign = hl_store_schema;

    open_old(f);
    foreign.application++;
    foreign.what = "a cookbook";
    assert_int_equal(hl_schema_apply(f->db, &foreign, true, &f->err), HL_BAD_FILE);
    assert_non_null(strstr(f->err.msg, "is not a cookbook of heirloom"));
    assert_int_equal(hl_schema_apply(f->db, &later, false, &f->err), HL_OK);
    assert_int_equal(hl_schema_apply(f->db, &hl_store_schema, false, &f->err),
                     HL_NEWER_FORMAT);
    assert_non_null(
        strstr(f->err.msg, "has format 3, this heirloom knows formats up to 1"));
}

static struct hl_store_point find(struct fixture *f, const struct hl_id *id)
{
    struct hl_store_point point;

    assert_int_equal(hl_reader_find(f->reader, id, &point, &f->err), HL_OK);
    return point;
}

static void the_first_format_is_read_whole(void **state)
{
    struct fixture *f = *state;
    const struct hl_id first = hl_id_number(UINT64_MAX), gone = hl_id_number(5);
    struct hl_id second;
    struct hl_store_state now;
    struct hl_store_point point;
    struct hl_store_vector vector;
    struct hl_store_record record;

    assert_int_equal(hl_store_open(f->path, &f->store, &f->err), HL_OK);
    hl_store_state(f->store, &now);
    assert_int_equal(now.last_number, 3);
    assert_int_equal(now.last_row, 4);
    assert_int_equal(hl_reader_open(f->path, &f->reader, &f->err), HL_OK);
    assert_int_equal(hl_reader_check(f->reader, NULL, &f->err), HL_OK);
    assert_int_equal(hl_reader_begin(f->reader, now.commit, &f->err), HL_OK);
    point = find(f, &first);
    assert_int_equal(point.n_places, 2);
    assert_int_equal(point.payload.len, 22);
    assert_memory_equal(point.payload.text, "{\"n\":9007199254740993}", 22);
    assert_int_equal(hl_reader_vector(f->reader, point.places[1].row, &vector, &f->err),
                     HL_OK);
    assert_int_equal(vector.n, 2);
    assert_true(vector.values[0] >= 0.5F && vector.values[0] <= 0.5F);
    assert_true(vector.indices[1] == 4000000000U);
    assert_true(hl_id_parse_uuid("936da01f9abd4d9d80c702af85c822a8", 32, &second));
    assert_memory_equal(find(f, &second).payload.text, "{\"n\":2}", 7);
    assert_int_equal(hl_reader_find(f->reader, &gone, &point, &f->err), HL_NOT_FOUND);
    assert_int_equal(hl_reader_record(f->reader, "config", "collection", &record, &f->err),
                     HL_OK);
    assert_memory_equal(record.body, "{\"a\":1}", 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_old_file_climbs_every_step),
        TEST(a_step_that_fails_leaves_the_file_as_it_was),
        TEST(what_only_reads_does_not_upgrade),
        TEST(a_newer_or_foreign_file_is_refused),
        TEST(the_first_format_is_read_whole),
    };

    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
