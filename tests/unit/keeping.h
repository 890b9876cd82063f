/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_KEEPING_H
#define HL_TESTS_UNIT_KEEPING_H

/* A collection whose engine is listened to, and what the tests of upkeep do to it: points
 * by the hundred, waiting for what the keeper tells. Include it behind cmocka.h. */
#include "tests/support/stand.h"

#include <dirent.h>
#include <pthread.h>
#include <time.h>

enum { N_EVENT_KINDS = HL_ENGINE_BROKEN + 1, PATIENCE_S = 60 };

struct keeping {
    struct stand s; /* first: cmocka's state is a stand as well */
    pthread_mutex_t lock;
    pthread_cond_t heard;
    size_t told[N_EVENT_KINDS];   /* since the last reopening */
    size_t n_sealed_before_merge; /* when the first merge was through */
    char last_error[HL_ERR_MSG_SIZE];
    struct hl_clock clock; /* of a test that has its own; as long as the engine */
    atomic_bool has_filled;
};

static inline void hear(void *self, const struct hl_engine_event *event)
{
    struct keeping *k = self;

    pthread_mutex_lock(&k->lock);
    k->told[event->kind]++;
    if (event->kind == HL_ENGINE_MERGED && k->told[HL_ENGINE_MERGED] == 1)
        k->n_sealed_before_merge = k->told[HL_ENGINE_SEALED];
    if (event->err)
        snprintf(k->last_error, sizeof k->last_error, "%s", event->err->msg);
    pthread_cond_broadcast(&k->heard);
    pthread_mutex_unlock(&k->lock);
}

static inline size_t told(struct keeping *k, enum hl_engine_event_kind kind)
{
    size_t n;

    pthread_mutex_lock(&k->lock);
    n = k->told[kind];
    pthread_mutex_unlock(&k->lock);
    return n;
}

static inline void await(struct keeping *k, enum hl_engine_event_kind kind, size_t n)
{
    struct timespec limit;
    int late = 0;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&k->lock);
    while (k->told[kind] < n && late == 0)
        late = pthread_cond_timedwait(&k->heard, &k->lock, &limit);
    pthread_mutex_unlock(&k->lock);
    if (late)
        fail_msg("event %d came %zu times, not %zu; last error: %s", (int)kind,
                 told(k, kind), n, k->last_error);
}

static inline void reopen(struct keeping *k)
{
    close_stand(&k->s);
    memset(k->told, 0, sizeof k->told);
    if (open_stand(&k->s) != HL_OK)
        fail_msg("%s", k->s.err.msg);
}

static inline int set_up(void **state)
{
    struct keeping *k = calloc(1, sizeof *k);

    *state = k;
    if (!k || !init_stand(&k->s))
        return -1;
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->heard, NULL);
    k->s.options.tell = hear;
    k->s.options.self = k;
    reopen(k);
    add_dense(&k->s, "e", 2, "Euclid");
    return 0;
}

static inline int tear_down(void **state)
{
    struct keeping *k = *state;

    done_stand(&k->s);
    pthread_cond_destroy(&k->heard);
    pthread_mutex_destroy(&k->lock);
    free(k);
    return 0;
}

/* Ids first … last, point i at (i, 0), in one change. */
static inline uint64_t put_points(struct keeping *k, int first, int last)
{
    struct hl_buf body;
    uint64_t commit;

    hl_buf_init(&body, (size_t)16 << 20);
    hl_buf_add_text(&body, "{\"upsert\":{\"points\":[");
    for (int i = first; i <= last; i++)
        hl_buf_print(&body, "%s{\"id\":%d,\"vector\":{\"e\":[%d,0]}}", i > first ? "," : "",
                     i, i);
    hl_buf_add_text(&body, "]}}");
    commit = change_points(&k->s, body.data);
    hl_buf_done(&body);
    return commit;
}

static inline uint64_t delete_points(struct keeping *k, int first, int last)
{
    struct hl_buf body;
    uint64_t commit;

    hl_buf_init(&body, (size_t)16 << 20);
    hl_buf_add_text(&body, "{\"delete\":{\"points\":[");
    for (int i = first; i <= last; i++)
        hl_buf_print(&body, "%s%d", i > first ? "," : "", i);
    hl_buf_add_text(&body, "]}}");
    commit = change_points(&k->s, body.data);
    hl_buf_done(&body);
    return commit;
}

/* Every point from `first` to `last` is found where it is, once, and nothing else. */
static inline void assert_found(struct keeping *k, int first, int last)
{
    static const struct hl_text name = {"e", 1};
    const float at[2] = {(float)first - 1, 0};
    struct hl_find find = {.values = at,
                           .n = 2,
                           .k = (size_t)(last - first) + 10,
                           .is_exact = true,
                           .deadline = &never};
    const struct hl_hit *hits;
    size_t n;

    look(&k->s, NULL);
    find.space = hl_layout_find(hl_look_layout(k->s.look), &name);
    assert_int_equal(hl_look_find(k->s.look, &find, k->s.arena, &hits, &n, &k->s.err),
                     HL_OK);
    assert_int_equal(n, last - first + 1);
    for (size_t i = 0; i < n; i++) {
        const struct hl_id id = hl_look_id(k->s.look, hits[i].number);

        assert_int_equal(hl_id_value(&id), first + (int)i);
    }
    hl_look_close(k->s.look);
    k->s.look = NULL;
}

/* Segment files of the one space; the path of the last one, when `ret_path` is not NULL. */
static inline size_t count_files(const struct keeping *k, char *ret_path, size_t size)
{
    char folder[96];
    const struct dirent *entry;
    size_t n = 0;
    DIR *dir;

    snprintf(folder, sizeof folder, "%s/segments/1-1", k->s.folder);
    dir = opendir(folder);
    while (dir && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        if (ret_path)
            snprintf(ret_path, size, "%s/%s", folder, entry->d_name);
    }
    if (dir)
        closedir(dir);
    return n;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
