/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HL_TESTS_UNIT_SCHOOLING_H
#define HL_TESTS_UNIT_SCHOOLING_H

/* A server (tests/unit/housing.h) of one collection "c" with an unnamed vector and "v2",
 * and a dataset "d" of labelled pairs of them, from which bridges are learnt in no time.
 * Include it behind cmocka.h. */
#include "proto/fail.h"
#include "server/bridge_calls.h"
#include "server/bridges.h"
#include "server/change.h"
#include "tests/unit/housing.h"

#include <math.h>

enum { ROWS = 300 };

/* ---- the rig ---- */

static inline enum hl_code make_spaces(void *self, struct hl_writing *writing,
                                       struct hl_err *err)
{
    static const struct hl_vector_config configs[] = {
        {.name = {"", 0},
         .size = 3,
         .distance = HL_COSINE,
         .text = {"{\"size\":3,\"distance\":\"Cosine\"}", 30}},
        {.name = {"v2", 2},
         .size = 4,
         .distance = HL_COSINE,
         .text = {"{\"size\":4,\"distance\":\"Cosine\"}", 30}}};
    enum hl_code code = hl_writing_add_space(writing, &configs[0], err);

    (void)self;
    return code == HL_OK ? hl_writing_add_space(writing, &configs[1], err) : code;
}

static inline enum hl_code fill(void *self, struct hl_collection *collection,
                                struct hl_err *err)
{
    return hl_pending_run_now(collection, make_spaces, self, err);
}

static inline void write_rows(struct rig *rig, const char *offer)
{
    const struct hl_tensor tensors[] = {
        {.name = "@default", .type = HL_DTYPE_F32, .n_dims = 2, .shape = {ROWS, 3}},
        {.name = "v2", .type = HL_DTYPE_F32, .n_dims = 2, .shape = {ROWS, 4}},
        {.name = "labels", .type = HL_DTYPE_I64, .n_dims = 1, .shape = {ROWS}}};
    const struct hl_tensors_plan plan = {.tensors = tensors, .n_tensors = 3};
    struct hl_tensors_writer *writer;
    float row[4];

    assert_int_equal(hl_tensors_writer_open(offer, &plan, &writer, &rig->err), HL_OK);
    for (int side = 3; side <= 4; side++)
        for (int i = 0; i < ROWS; i++) {
            row[0] = cosf((float)(i % 3) * 2 + (float)(i % 7) / 20);
            row[1] = sinf((float)(i % 3) * 2 + (float)(i % 7) / 20);
            row[2] = (float)(i % 11) / 30;
            row[3] = row[0] + row[1];
            assert_int_equal(
                hl_tensors_writer_add_floats(writer, row, (size_t)side, &rig->err), HL_OK);
        }
    for (int64_t i = 0; i < ROWS; i++) {
        const int64_t label = i % 3;

        assert_int_equal(hl_tensors_writer_add_i64(writer, &label, 1, &rig->err), HL_OK);
    }
    assert_int_equal(hl_tensors_writer_commit(writer, &rig->err), HL_OK);
}

static inline void put_dataset(struct rig *rig)
{
    static const struct hl_span cats = {"c", 1}, name = {"d", 1};
    struct hl_collection *collection = NULL;
    struct hl_collection_info info;
    char path[80];
    struct hl_dataset_offer offer = {.path = path, .name = &name, .deadline = &never};

    snprintf(path, sizeof path, "%s/offer", rig->folder);
    write_rows(rig, path);
    assert_int_equal(
        hl_collections_acquire(rig->server.collections, &cats, &collection, &rig->err),
        HL_OK);
    assert_int_equal(hl_collection_info(collection, rig->request.arena, &info, &rig->err),
                     HL_OK);
    offer.layout = info.layout;
    if (hl_dataset_put(&rig->server.datasets, collection, &offer, &rig->err) != HL_OK)
        fail_msg("%s", rig->err.msg);
    hl_layout_unref(info.layout);
    hl_collection_unref(collection);
}

static inline int set_up(void **state)
{
    static const struct hl_span cats = {"c", 1};
    const struct hl_collections_filler filler = {fill, NULL};
    struct rig *rig = new_rig();

    *state = rig;
    assert_int_equal(
        hl_collections_create(rig->server.collections, &cats, &filler, &rig->err), HL_OK);
    put_dataset(rig);
    return 0;
}

#define HANDLER(name)                                                                      \
    enum hl_code (*(name))(struct hl_server *, struct hl_request *, struct hl_reply *,     \
                           struct hl_err *)

static inline enum hl_code ask(struct rig *rig, HANDLER(handler), const char *from,
                               const char *to, const char *body)
{
    rig->request.params[0] = (struct hl_span){"c", 1};
    rig->request.params[1] = (struct hl_span){from, strlen(from)};
    rig->request.params[2] = (struct hl_span){to, strlen(to)};
    rig->request.body = (struct hl_span){body, strlen(body)};
    hl_arena_reset(rig->request.arena);
    hl_buf_done(&rig->reply.body);
    rig->reply.status = 0;
    return handler(&rig->server, &rig->request, &rig->reply, &rig->err);
}

static const char ridge[] = "{\"data\":{\"dataset\":\"d\"},\"kind\":\"ridge\"}";

#endif
