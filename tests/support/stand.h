/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_SUPPORT_STAND_H
#define HL_TESTS_SUPPORT_STAND_H

/* A collection in service in a folder of its own, and short ways to change it and to look
 * at it: for tests of what stands on collection.h and look.h. For files that include cmocka
 * before it. */
#include "index/look.h"
#include "index/store.h"
#include "index/writing.h"
#include "proto/dir.h"
#include "tests/support/still.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct stand {
    char folder[48];
    struct hl_engine_options options;
    struct hl_engine *engine;
    struct hl_collection *collection;
    struct hl_arena *arena; /* of bodies, filters and answers */
    struct hl_look *look;
    const struct hl_filter *filter; /* of the look */
    struct hl_look_wish wish;       /* likewise */
    struct hl_err err;
};

/* ---- from the folder to a collection ---- */

static inline enum hl_code open_stand(struct stand *s)
{
    enum hl_code code = hl_engine_new(&s->options, &s->engine, &s->err);

    return code == HL_OK
               ? hl_collection_open(s->engine, s->folder, "stand", &s->collection, &s->err)
               : code;
}

static inline void close_stand(struct stand *s)
{
    hl_look_close(s->look);
    s->look = NULL;
    hl_collection_unref(s->collection);
    s->collection = NULL;
    hl_engine_free(s->engine);
    s->engine = NULL;
}

static inline bool init_stand(struct stand *s)
{
    char path[80];

    s->options = (struct hl_engine_options){.clock = &hl_still,
                                            .n_writers = 1,
                                            .seal_rows = 64,
                                            .max_unindexed_bytes = (size_t)64 << 20,
                                            .most_held_bytes = (size_t)1 << 20,
                                            .n_links = 8,
                                            .ef_construction = 40,
                                            .beam = 64};
    s->arena = hl_arena_new((size_t)256 << 20);
    snprintf(s->folder, sizeof s->folder, "/tmp/heirloom-stand-XXXXXX");
    if (!s->arena || !mkdtemp(s->folder))
        return false;
    snprintf(path, sizeof path, "%s/segments", s->folder);
    if (mkdir(path, 0700) != 0)
        return false;
    snprintf(path, sizeof path, "%s/points.db", s->folder);
    return hl_store_create(path, &s->err) == HL_OK && open_stand(s) == HL_OK;
}

static inline void done_stand(struct stand *s)
{
    close_stand(s);
    (void)hl_dir_remove(s->folder, &s->err);
    hl_arena_free(s->arena);
}

/* ---- changes, one at a time ---- */

struct stand_change {
    struct hl_change change;
    const struct hl_write_ops *ops; /* or */
    const char *space;              /* `{"dense":{…}}`, with its name, or */
    const char *name;
    const char *index; /* `{"field_name":…,"field_schema":…}` */
    struct hl_arena *arena;
    enum hl_code code;
    struct hl_err err;
    sem_t done;
};

static inline struct hl_field stand_body(struct hl_tokens *tokens, const char *body,
                                         struct hl_arena *arena)
{
    hl_tokens_init(tokens, body, strlen(body), arena);
    return hl_field_root(tokens);
}

static inline enum hl_code run_stand_change(struct hl_change *change,
                                            struct hl_writing *writing, struct hl_err *err)
{
    struct stand_change *self = (struct stand_change *)change;
    struct hl_tokens tokens;
    struct hl_field root;
    enum hl_code code;

    if (self->ops)
        return hl_writing_apply(writing, self->ops, NULL, self->arena, err);
    root = stand_body(&tokens, self->space ? self->space : self->index, self->arena);
    if (self->space) {
        struct hl_vector_config config;

        code = hl_vector_config_read(&root, &config, err);
        config.name = (struct hl_text){self->name, strlen(self->name)};
        return code == HL_OK ? hl_writing_add_space(writing, &config, err) : code;
    } else {
        struct hl_payload_index index;

        code = hl_payload_index_read(&root, &index, err);
        return code == HL_OK ? hl_writing_add_index(writing, &index, err) : code;
    }
}

static inline void end_stand_change(struct hl_change *change, enum hl_code code,
                                    const struct hl_err *err)
{
    struct stand_change *self = (struct stand_change *)change;

    self->code = code;
    if (code != HL_OK)
        self->err = *err;
    sem_post(&self->done);
}

/* Waits until it is done; the commit it is in, 0 when it failed: then `err` says why. */
static inline uint64_t submit(struct hl_collection *collection, struct stand_change *change,
                              struct hl_err *err)
{
    change->change.run = run_stand_change;
    change->change.done = end_stand_change;
    if (hl_collection_submit(collection, &change->change, err) != HL_OK)
        return 0;
    while (sem_wait(&change->done) != 0)
        continue;
    if (change->code == HL_OK)
        return change->change.commit;
    *err = change->err;
    return 0;
}

/* The operations of a batch, `{"upsert":…},…`. */
static inline uint64_t change_points(struct stand *s, const char *operations)
{
    struct stand_change change = {
        .arena = s->arena, .change.is_upsert = strncmp(operations, "{\"upsert\"", 9) == 0};
    struct hl_write_ops ops;
    struct hl_tokens tokens;
    char *body = hl_arena_print(s->arena, "{\"operations\":[%s]}", operations);
    struct hl_field root;
    uint64_t commit;

    assert_non_null(body);
    root = stand_body(&tokens, body, s->arena);
    if (hl_write_ops_read(&root, &ops, &s->err) != HL_OK)
        fail_msg("%s\n    %s", body, s->err.msg);
    change.ops = &ops;
    sem_init(&change.done, 0, 0);
    commit = submit(s->collection, &change, &s->err);
    sem_destroy(&change.done);
    return commit;
}

static inline uint64_t change_shape(struct stand *s, struct stand_change change)
{
    uint64_t commit;

    change.arena = s->arena;
    sem_init(&change.done, 0, 0);
    commit = submit(s->collection, &change, &s->err);
    sem_destroy(&change.done);
    return commit;
}

static inline void add_dense(struct stand *s, const char *name, int size,
                             const char *distance)
{
    const char *space = hl_arena_print(
        s->arena, "{\"dense\":{\"size\":%d,\"distance\":\"%s\"}}", size, distance);

    assert_true(change_shape(s, (struct stand_change){.space = space, .name = name}) > 0);
}

static inline void add_sparse(struct stand *s, const char *name)
{
    assert_true(change_shape(s, (struct stand_change){.space = "{\"sparse\":{}}",
                                                      .name = name}) > 0);
}

static inline void add_index(struct stand *s, const char *path, const char *type)
{
    const char *index = hl_arena_print(
        s->arena, "{\"field_name\":\"%s\",\"field_schema\":\"%s\"}", path, type);

    assert_true(change_shape(s, (struct stand_change){.index = index}) > 0);
}

/* ---- looks ---- */

/* NULL: all points. */
static inline const struct hl_filter *filter_of(struct stand *s, const char *body)
{
    const struct hl_filter *filter = NULL;
    struct hl_tokens tokens;
    struct hl_field root;

    if (!body)
        return NULL;
    root = stand_body(&tokens, body, s->arena);
    if (hl_filter_read(&root, &filter, &s->err) != HL_OK)
        fail_msg("%s\n    %s", body, s->err.msg);
    return filter;
}

/* In the place of the one before. */
static inline void look(struct stand *s, const char *filter)
{
    hl_look_close(s->look);
    s->look = NULL;
    s->filter = filter_of(s, filter);
    s->wish = (struct hl_look_wish){.filters = &s->filter, .n_filters = 1};
    assert_int_equal(hl_look_open(s->collection, &s->wish, &s->look, &s->err), HL_OK);
}

/* The ids of `numbers`, as "1 2 3". */
static inline const char *ids_of(struct stand *s, const uint32_t *numbers, size_t n)
{
    char *text = hl_arena_alloc(s->arena, n * HL_ID_TEXT_SIZE + 1);
    size_t len = 0;

    assert_non_null(text);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const struct hl_id id = hl_look_id(s->look, numbers[i]);

        if (i > 0)
            text[len++] = ' ';
        len += hl_id_print(&id, text + len);
    }
    return text;
}

/* What the look's filter finds, by id. */
static inline const char *scroll(struct stand *s, const struct hl_id *from, uint32_t limit)
{
    const struct hl_look_page page = {.from = from, .limit = limit, .deadline = &never};
    const uint32_t *numbers = NULL;
    size_t n = 0;

    if (hl_look_settle(s->look, 0, &never, &s->err) != HL_OK ||
        hl_look_scroll(s->look, &page, s->arena, &numbers, &n, &s->err) != HL_OK)
        return s->err.msg;
    return ids_of(s, numbers, n);
}

static inline uint64_t count(struct stand *s)
{
    assert_int_equal(hl_look_settle(s->look, 0, &never, &s->err), HL_OK);
    return hl_look_count(s->look, 0);
}

#endif
