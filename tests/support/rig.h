/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_RIG_H
#define HL_TESTS_SUPPORT_RIG_H

/* A store in a folder of its own, and short ways to use it: what the tests of the store
 * share. For files that include cmocka before it. */
#include "index/store.h"
#include "tests/support/points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    char folder[40], path[64], copy[64];
    struct hl_points points;
    struct hl_store *store;
    struct hl_reader *reader;
    struct hl_err err;
};

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    *state = f;
    if (!f || !hl_points_init(&f->points, 1))
        return -1;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-store-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/points.db", f->folder);
    snprintf(f->copy, sizeof f->copy, "%s/copy.db", f->folder);
    if (hl_store_create(f->path, &f->err) != HL_OK ||
        hl_store_open(f->path, &f->store, &f->err) != HL_OK ||
        hl_points_begin(&f->points, f->store, &f->err) != HL_OK ||
        hl_reader_open(f->path, &f->reader, &f->err) != HL_OK)
        return -1;
    return 0;
}

static inline void remove_database(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};

    for (int i = 0; i < 3; i++) {
        char name[80];

        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    hl_reader_close(f->reader);
    hl_store_close(f->store);
    remove_database(f->path);
    remove_database(f->copy);
    rmdir(f->folder);
    hl_points_done(&f->points);
    free(f);
    return 0;
}

/* ---- short ways to say things ---- */

static inline uint64_t begin(struct fixture *f)
{
    uint64_t commit;

    assert_int_equal(hl_store_begin(f->store, &commit, &f->err), HL_OK);
    return commit;
}

static inline uint64_t commit(struct fixture *f)
{
    uint64_t commit;

    assert_int_equal(hl_store_commit(f->store, &commit, &f->err), HL_OK);
    return commit;
}

static inline uint32_t upsert(struct fixture *f, uint64_t name, const char *text,
                              float value)
{
    const struct hl_id id = hl_id_number(name);
    const float values[8] = {value};
    const struct hl_store_vector vector = {
        .space = f->points.spaces[0], .n = 8, .values = values};
    const struct hl_store_content content = {
        .payload = {text, text ? strlen(text) : 0}, .vectors = &vector, .n_vectors = 1};
    uint32_t number = 0;

    assert_int_equal(hl_store_upsert(f->store, &id, &content, &number, &f->err), HL_OK);
    return number;
}

static inline void read_at(struct fixture *f, uint64_t commit)
{
    assert_int_equal(hl_reader_begin(f->reader, commit, &f->err), HL_OK);
}

static inline struct hl_store_point get(struct fixture *f, uint32_t number)
{
    struct hl_store_point point;

    assert_int_equal(hl_reader_get(f->reader, number, &point, &f->err), HL_OK);
    return point;
}

static inline void reopen(struct fixture *f)
{
    hl_reader_close(f->reader);
    f->reader = NULL;
    hl_store_close(f->store);
    f->store = NULL;
    assert_int_equal(hl_store_open(f->path, &f->store, &f->err), HL_OK);
    assert_int_equal(hl_reader_open(f->path, &f->reader, &f->err), HL_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
