/* SPDX-License-Identifier: Apache-2.0 */
/* A collection on a real folder: changes through the queue, and what looks see of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/catalog.h"
#include "index/look.h"
#include "index/writing.h"
#include "proto/fail.h"
#include "tests/support/still.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEAL_ROWS = 64, DIM = 4 };

struct fixture {
    char folder[64], path[128];
    struct hl_engine *engine;
    struct hl_catalog *catalog;
    struct hl_collection *collection;
    struct hl_arena *arena;
    const char *rule; /* armed while the next change is on its way */
    struct hl_err err;
    atomic_int events[HL_ENGINE_BROKEN + 1];
};

static void count_event(void *self, const struct hl_engine_event *event)
{
    struct fixture *f = self;

    atomic_fetch_add(&f->events[event->kind], 1);
}

/* ---- a change that is waited for ---- */

struct request {
    struct hl_change change; /* first */
    const char *body;        /* of /points/batch; NULL: `prepare` does it */
    enum hl_code (*prepare)(struct hl_writing *writing, struct hl_err *err);
    struct hl_arena *arena;
    struct hl_write_ops ops;
    pthread_mutex_t lock;
    pthread_cond_t is_over;
    bool is_done;
    enum hl_code code;
    struct hl_err err;
};

static enum hl_code run(struct hl_change *change, struct hl_writing *writing,
                        struct hl_err *err)
{
    struct request *request = (struct request *)change;

    return request->prepare ? request->prepare(writing, err)
                            : hl_writing_apply(writing, &request->ops, request->arena, err);
}

static void done(struct hl_change *change, enum hl_code code, const struct hl_err *err)
{
    struct request *request = (struct request *)change;

    pthread_mutex_lock(&request->lock);
    request->is_done = true;
    request->code = code;
    if (code != HL_OK)
        request->err = *err;
    pthread_cond_signal(&request->is_over);
    pthread_mutex_unlock(&request->lock);
}

static enum hl_code submit(struct fixture *f, struct request *request)
{
    enum hl_code code;

    request->change.run = run;
    request->change.done = done;
    pthread_mutex_init(&request->lock, NULL);
    pthread_cond_init(&request->is_over, NULL);
    code = hl_collection_submit(f->collection, &request->change, &f->err);
    if (code != HL_OK)
        return code;
    pthread_mutex_lock(&request->lock);
    while (!request->is_done)
        pthread_cond_wait(&request->is_over, &request->lock);
    pthread_mutex_unlock(&request->lock);
    if (request->code != HL_OK)
        f->err = request->err;
    return request->code;
}

static enum hl_code prepare(struct fixture *f,
                            enum hl_code (*what)(struct hl_writing *writing,
                                                 struct hl_err *err))
{
    struct request request = {.prepare = what};

    return submit(f, &request);
}

static enum hl_code write_ops(struct fixture *f, const char *body)
{
    struct request request = {.arena = hl_arena_new(64 << 20)};
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    hl_tokens_init(&tokens, body, strlen(body), request.arena);
    root = hl_field_root(&tokens);
    code = hl_write_ops_read(&root, &request.ops, &f->err);
    if (code == HL_OK && f->rule)
        code = hl_failpoint_arm(f->rule, &f->err);
    if (code == HL_OK)
        code = submit(f, &request);
    hl_failpoint_disarm();
    hl_arena_free(request.arena);
    return code;
}

/* ---- the fixture ---- */

static const char dense[] = "{\"size\":4,\"distance\":\"Euclid\"}";

static enum hl_code add_spaces(struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_vector_config unnamed = {.name = {"", 0},
                                             .size = DIM,
                                             .distance = HL_EUCLID,
                                             .text = {dense, sizeof dense - 1}};
    const struct hl_vector_config words = {
        .name = {"words", 5}, .is_sparse = true, .distance = HL_DOT, .text = {"{}", 2}};
    enum hl_code code = hl_writing_add_space(writing, &unnamed, err);

    return code == HL_OK ? hl_writing_add_space(writing, &words, err) : code;
}

static enum hl_code add_index(struct hl_writing *writing, struct hl_err *err)
{
    const struct hl_path_step step = {.kind = HL_PATH_NAME, .name = "g", .len = 1};
    const struct hl_payload_index index = {
        .key = {.text = "g", .len = 1, .steps = &step, .n_steps = 1},
        .type = HL_INDEX_INTEGER};

    return hl_writing_add_index(writing, &index, err);
}

static void start(struct fixture *f)
{
    const struct hl_engine_options options = {.clock = &hl_still,
                                              .n_writers = 2,
                                              .seal_rows = SEAL_ROWS,
                                              .max_unindexed_bytes = 64 << 20,
                                              .n_links = 16,
                                              .ef_construction = 40,
                                              .beam = 32,
                                              .tell = count_event,
                                              .self = f};

    assert_int_equal(hl_engine_new(&options, &f->engine, &f->err), HL_OK);
    assert_int_equal(
        hl_collection_open(f->engine, f->path, "photos", &f->collection, &f->err), HL_OK);
}

static void stop(struct fixture *f)
{
    hl_collection_unref(f->collection);
    hl_engine_free(f->engine);
    f->collection = NULL;
    f->engine = NULL;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct hl_id uuid;

    *state = f;
    snprintf(f->folder, sizeof f->folder, "/tmp/heirloom-collection-XXXXXX");
    f->arena = hl_arena_new(256 << 20);
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(hl_catalog_open(f->folder, &f->catalog, &f->err), HL_OK);
    assert_int_equal(hl_catalog_prepare(f->catalog, &uuid, &f->err), HL_OK);
    assert_int_equal(
        hl_catalog_path(f->catalog, &uuid, NULL, f->path, sizeof f->path, &f->err), HL_OK);
    start(f);
    assert_int_equal(prepare(f, add_spaces), HL_OK);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[128];

    hl_failpoint_disarm();
    stop(f);
    hl_catalog_close(f->catalog);
    hl_arena_free(f->arena);
    snprintf(command, sizeof command, "rm -rf %s", f->folder);
    free(f);
    return system(command);
}

/* ---- short ways to ask ---- */

/* Points id = first … first + n - 1 at (id, 0, 0, 0) with payload g = `g`. */
static enum hl_code put(struct fixture *f, int first, int n, int g)
{
    size_t room = (size_t)n * 160 + 64, len;
    char *body = malloc(room);
    enum hl_code code;

    len = (size_t)snprintf(body, room, "{\"operations\":[{\"upsert\":{\"points\":[");
    for (int i = first; i < first + n; i++)
        len +=
            (size_t)snprintf(body + len, room - len,
                             "%s{\"id\":%d,\"vector\":{\"\":[%d.0,0,0,0],\"words\":"
                             "{\"indices\":[%d],\"values\":[1.0]}},\"payload\":{\"g\":%d}}",
                             i > first ? "," : "", i, i, i % 10, g);
    snprintf(body + len, room - len, "]}}]}");
    code = write_ops(f, body);
    free(body);
    return code;
}

static const struct hl_filter *filter_of(struct fixture *f, const char *text)
{
    const struct hl_filter *filter = NULL;
    struct hl_tokens tokens;
    struct hl_field root;

    hl_tokens_init(&tokens, text, strlen(text), f->arena);
    root = hl_field_root(&tokens);
    assert_int_equal(hl_filter_read(&root, &filter, &f->err), HL_OK);
    return filter;
}

static struct hl_look *look_with(struct fixture *f, const struct hl_filter *filter,
                                 struct hl_look_wish *wish,
                                 const struct hl_filter **filters)
{
    struct hl_look *look = NULL;

    filters[0] = filter;
    *wish = (struct hl_look_wish){.filters = filters, .n_filters = 1};
    assert_int_equal(hl_look_open(f->collection, wish, &look, &f->err), HL_OK);
    assert_int_equal(hl_look_settle(look, 0, &never, &f->err), HL_OK);
    return look;
}

static uint64_t count(struct fixture *f, const char *text)
{
    const struct hl_filter *filters[1];
    struct hl_look_wish wish;
    struct hl_look *look = look_with(f, text ? filter_of(f, text) : NULL, &wish, filters);
    uint64_t n = hl_look_count(look, 0);

    hl_look_close(look);
    return n;
}

/* The ids nearest to (x, 0, 0, 0), as text. */
static const char *nearest(struct fixture *f, float x, size_t k, const char *text)
{
    const struct hl_filter *filters[1];
    struct hl_look_wish wish;
    struct hl_look *look = look_with(f, text ? filter_of(f, text) : NULL, &wish, filters);
    const float query[DIM] = {x};
    const struct hl_find find = {.space = &hl_look_layout(look)->spaces[0],
                                 .values = query,
                                 .n = DIM,
                                 .k = k,
                                 .deadline = &never};
    const struct hl_hit *hits;
    struct hl_buf ids;
    size_t n;

    assert_int_equal(hl_look_find(look, &find, f->arena, &hits, &n, &f->err), HL_OK);
    hl_buf_init(&ids, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        struct hl_id id = hl_look_id(look, hits[i].number);

        hl_buf_print(&ids, "%s%llu", i ? " " : "", (unsigned long long)hl_id_value(&id));
    }
    text = hl_arena_copy(f->arena, ids.data, ids.len);
    hl_buf_done(&ids);
    hl_look_close(look);
    return text;
}

static void await(struct fixture *f, enum hl_engine_event_kind kind, int n)
{
    for (int i = 0; i < 60000 && atomic_load(&f->events[kind]) < n; i++)
        usleep(1000);
    assert_true(atomic_load(&f->events[kind]) >= n);
}

/* ---- the tests ---- */

static void what_was_written_is_found_at_once(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, 1, 10, 1), HL_OK);
    assert_int_equal(count(f, NULL), 10);
    assert_string_equal(nearest(f, 3, 3, NULL), "3 2 4");
    assert_int_equal(put(f, 3, 1, 2), HL_OK);
    assert_int_equal(count(f, NULL), 10);
    assert_string_equal(nearest(f, 3, 3, NULL), "3 2 4");
    assert_int_equal(write_ops(f, "{\"operations\":[{\"delete\":{\"points\":[3,4]}}]}"),
                     HL_OK);
    assert_string_equal(nearest(f, 3, 3, NULL), "2 1 5");
}

static void a_filter_means_the_same_with_and_without_an_index(void **state)
{
    static const char wanted[] = "{\"must\":[{\"key\":\"g\",\"range\":{\"gte\":2}}]}";
    struct fixture *f = *state;

    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(put(f, 1, 20, 1), HL_OK);
        assert_int_equal(put(f, 5, 3, 2), HL_OK);
        assert_int_equal(count(f, wanted), 3);
        assert_string_equal(nearest(f, 1, 5, wanted), "5 6 7");
        assert_int_equal(
            write_ops(
                f, "{\"operations\":[{\"set_payload\":{\"payload\":{\"g\":3},"
                   "\"filter\":{\"must\":[{\"key\":\"g\",\"match\":{\"value\":2}}]}}}]}"),
            HL_OK);
        assert_int_equal(count(f, wanted), 3);
        assert_int_equal(count(f, "{\"must\":[{\"key\":\"g\",\"match\":{\"value\":2}}]}"),
                         0);
        if (turn == 0)
            assert_int_equal(prepare(f, add_index), HL_OK);
    }
}

static void full_tails_become_segments_and_segments_one(void **state)
{
    struct fixture *f = *state;
    struct hl_collection_info info;

    for (int i = 0; i < 5; i++)
        assert_int_equal(put(f, 1 + i * SEAL_ROWS, SEAL_ROWS, i), HL_OK);
    await(f, HL_ENGINE_SEALED, 5);
    await(f, HL_ENGINE_MERGED, 1);
    assert_string_equal(nearest(f, 100, 3, NULL), "100 99 101");
    assert_int_equal(hl_collection_info(f->collection, f->arena, &info, &f->err), HL_OK);
    assert_int_equal(info.n_points, 5 * SEAL_ROWS);
    assert_int_equal(info.n_indexed, 5 * SEAL_ROWS);
    hl_layout_unref(info.layout);
    assert_int_equal(write_ops(f, "{\"operations\":[{\"delete\":{\"points\":[100]}}]}"),
                     HL_OK);
    assert_string_equal(nearest(f, 100, 2, NULL), "99 101");
}

static void everything_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(prepare(f, add_index), HL_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(put(f, 1 + i * SEAL_ROWS, SEAL_ROWS, i), HL_OK);
    await(f, HL_ENGINE_SEALED, 5);
    assert_int_equal(put(f, 50, 30, 9), HL_OK);
    assert_int_equal(write_ops(f, "{\"operations\":[{\"delete\":{\"points\":[100]}}]}"),
                     HL_OK);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(count(f, NULL), 5 * SEAL_ROWS - 1);
        assert_int_equal(count(f, "{\"must\":[{\"key\":\"g\",\"match\":{\"value\":9}}]}"),
                         30);
        assert_string_equal(nearest(f, 60, 3, NULL), "60 59 61");
        assert_string_equal(nearest(f, 100, 2, NULL), "99 101");
        stop(f);
        start(f);
    }
    assert_int_equal(atomic_load(&f->events[HL_ENGINE_REBUILDING]), 0);
}

static void a_request_that_fails_changes_nothing_and_the_others_stay(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f, 1, 3, 1), HL_OK);
    assert_int_equal(
        write_ops(f,
                  "{\"operations\":[{\"delete\":{\"points\":[1]}},{\"upsert\":{\"points\":"
                  "[{\"id\":9,\"vector\":[1,2]}]}}]}"),
        HL_DIMENSION_MISMATCH);
    assert_string_equal(f->err.msg,
                        "Wrong input: Vector dimension error: expected dim: 4, got 2");
    assert_int_equal(count(f, NULL), 3);
    assert_string_equal(nearest(f, 1, 2, NULL), "1 2");
}

static void a_look_sees_one_commit_whatever_happens_behind_it(void **state)
{
    struct fixture *f = *state;
    const struct hl_filter *filters[1];
    struct hl_look_wish wish;
    struct hl_look *look;
    const uint32_t *numbers;
    size_t n;

    assert_int_equal(put(f, 1, 10, 1), HL_OK);
    look = look_with(f, NULL, &wish, filters);
    assert_int_equal(put(f, 5, 100, 2), HL_OK);
    assert_int_equal(write_ops(f, "{\"operations\":[{\"delete\":{\"points\":[1,2]}}]}"),
                     HL_OK);
    assert_int_equal(
        hl_look_scroll(look, 0, NULL, 1000, f->arena, &never, &numbers, &n, &f->err),
        HL_OK);
    assert_int_equal(n, 10);
    assert_int_equal(hl_look_count(look, 0), 10);
    hl_look_close(look);
    assert_int_equal(count(f, NULL), 102);
}

/* Every allocation of a write fails once: the caller is told, and what was there stays. */
static void without_memory_nothing_is_half_there(void **state)
{
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;

    assert_int_equal(put(f, 1, 10, 1), HL_OK);
    for (int i = 1; code != HL_OK && i < 3000; i++) {
        char rule[32];

        snprintf(rule, sizeof rule, "alloc=%d:fail", i);
        f->rule = rule;
        code = write_ops(f, "{\"operations\":[{\"delete\":{\"points\":[1]}},{\"upsert\":"
                            "{\"points\":[{\"id\":77,\"vector\":[77,0,0,0]}]}}]}");
        f->rule = NULL;
        assert_int_equal(count(f, "{\"must\":[{\"has_id\":[1]}]}"), code != HL_OK);
        assert_int_equal(count(f, "{\"must\":[{\"has_id\":[77]}]}"), code == HL_OK);
    }
    assert_int_equal(code, HL_OK);
    assert_int_equal(count(f, NULL), 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_written_is_found_at_once),
        TEST(a_filter_means_the_same_with_and_without_an_index),
        TEST(full_tails_become_segments_and_segments_one),
        TEST(everything_is_there_after_a_restart),
        TEST(a_request_that_fails_changes_nothing_and_the_others_stay),
        TEST(a_look_sees_one_commit_whatever_happens_behind_it),
        TEST(without_memory_nothing_is_half_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
