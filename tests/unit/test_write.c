/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/write.h"

#include "tests/unit/reading.h"

struct read_op {
    enum hl_write_kind kind;
    struct hl_write_op op;
};

static enum hl_code read_op(const struct hl_field *field, void *out, struct hl_err *err)
{
    struct read_op *read = out;

    return hl_write_op_read(field, read->kind, &read->op, err);
}

static enum hl_code read_ops(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_write_ops_read(field, out, err);
}

static struct hl_write_op op_of(struct reading *r, enum hl_write_kind kind,
                                const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    struct read_op read = {.kind = kind};

    assert_reading(r, &accepted, read_op, &read);
    assert_int_equal(read.op.kind, kind);
    return read.op;
}

static void an_upsert_has_points_in_either_form(void **state)
{
    struct hl_write_op op =
        op_of(*state, HL_WRITE_UPSERT, "{\"points\":[{\"id\":1,\"vector\":[1]}]}");

    assert_int_equal(op.points.n, 1);
    assert_int_equal(op.mode, HL_WRITE_ANY);
    assert_null(op.update_filter);
    op = op_of(*state, HL_WRITE_UPSERT,
               "{\"batch\":{\"ids\":[1,2],\"vectors\":[[1],[2]]},\"shard_key\":null,"
               "\"update_mode\":\"update_only\",\"update_filter\":{\"must\":[]}}");
    assert_int_equal(op.points.n, 2);
    assert_int_equal(op.mode, HL_WRITE_UPDATE_ONLY);
    assert_non_null(op.update_filter);
}

static void what_is_deleted_is_named_by_ids_or_by_a_filter(void **state)
{
    struct hl_write_op op = op_of(*state, HL_WRITE_DELETE, "{\"points\":[3,1,3]}");

    assert_int_equal(op.target.ids.n, 3);
    assert_int_equal(hl_id_value(&op.target.ids.items[0]), 3);
    assert_null(op.target.filter);
    op = op_of(*state, HL_WRITE_CLEAR_PAYLOAD, "{\"filter\":{}}");
    assert_int_equal(op.target.ids.n, 0);
    assert_non_null(op.target.filter);
    op = op_of(*state, HL_WRITE_DELETE_VECTORS, "{\"points\":[],\"vector\":[\"\",\"a\"]}");
    assert_int_equal(op.names.n, 2);
    assert_true(hl_text_is(&op.names.items[1], "a"));
}

static void payloads_are_set_whole_or_at_a_key(void **state)
{
    struct hl_write_op op =
        op_of(*state, HL_WRITE_SET_PAYLOAD, "{\"points\":[1],\"payload\":{\"a\": 1}}");

    assert_true(hl_text_is(&op.payload, "{\"a\": 1}"));
    assert_false(op.has_key);
    op = op_of(*state, HL_WRITE_OVERWRITE_PAYLOAD,
               "{\"filter\":{},\"payload\":{},\"key\":\"a.b\"}");
    assert_true(op.has_key);
    assert_int_equal(op.key.n_steps, 2);
    op =
        op_of(*state, HL_WRITE_DELETE_PAYLOAD, "{\"points\":[1],\"keys\":[\"a\",\"b.c\"]}");
    assert_int_equal(op.keys.n, 2);
    assert_int_equal(op.keys.items[1].n_steps, 2);
    op = op_of(*state, HL_WRITE_UPDATE_VECTORS,
               "{\"points\":[{\"id\":1,\"vector\":{\"a\":[1]}}]}");
    assert_int_equal(op.points.n, 1);
}

static void a_batch_is_operations_in_their_order(void **state)
{
    static const struct reading_case accepted = {
        "{\"operations\":[{\"upsert\":{\"points\":[]}},{\"delete\":{\"points\":[1]}},"
        "{\"update_vectors\":{\"points\":[{\"id\":1,\"vector\":[1]}]}},"
        "{\"delete_vectors\":{\"points\":[1],\"vector\":[\"a\"]}},"
        "{\"set_payload\":{\"points\":[1],\"payload\":{}}},"
        "{\"overwrite_payload\":{\"points\":[1],\"payload\":{}}},"
        "{\"delete_payload\":{\"points\":[1],\"keys\":[]}},"
        "{\"clear_payload\":{\"filter\":{}}}]}",
        200, NULL};
    struct hl_write_ops ops;

    assert_reading(*state, &accepted, read_ops, &ops);
    assert_int_equal(ops.n, 8);
    for (size_t i = 0; i < ops.n; i++)
        assert_int_equal(ops.items[i].kind, i);
}

static void what_is_no_batch_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"operations\""},
        {"{\"operations\":[{}]}", 422,
         "[operations[0]: value an object invalid, must be one operation]"},
        {"{\"operations\":[{\"delete\":{\"points\":[1]},\"upsert\":{\"points\":[]}}]}", 422,
         "[operations[0]: value an object invalid, must be one operation]"},
        {"{\"operations\":[{\"rename\":{}}]}", 400, "operations[0].rename: unknown field"},
        {"{\"operations\":[{\"delete\":{\"points\":[\"x\"]}}]}", 400,
         "operations[0].delete.points[0]: expected a point id, an unsigned integer or a "
         "UUID, got \"x\""},
    };
    struct hl_write_ops ops;

    ASSERT_READINGS(*state, cases, read_ops, &ops);
}

static void what_is_no_write_is_refused(void **state)
{
    static const struct {
        enum hl_write_kind kind;
        struct reading_case wanted;
    } cases[] = {
        {HL_WRITE_UPSERT,
         {"{}", 422, "[value an object invalid, must be either \"points\" or \"batch\"]"}},
        {HL_WRITE_UPSERT,
         {"{\"points\":[],\"update_mode\":\"maybe\"}", 422,
          "[update_mode: value \"maybe\" invalid, must be one of \"upsert\", "
          "\"insert_only\", \"update_only\"]"}},
        {HL_WRITE_UPSERT,
         {"{\"points\":[],\"shard_key\":\"a\"}", 400,
          "\"shard_key\" is not supported: a collection is one shard without a key"}},
        {HL_WRITE_DELETE,
         {"{}", 422, "[value an object invalid, must be either \"points\" or \"filter\"]"}},
        {HL_WRITE_DELETE,
         {"{\"points\":[1],\"filter\":{}}", 422,
          "[value an object invalid, must be either \"points\" or \"filter\"]"}},
        {HL_WRITE_DELETE, {"{\"fliter\":{}}", 400, "fliter: unknown field"}},
        {HL_WRITE_DELETE, {"{\"keys\":[]}", 400, "keys: unknown field"}},
        {HL_WRITE_DELETE,
         {"{\"filter\":null}", 422,
          "[value an object invalid, must be either \"points\" or \"filter\"]"}},
        {HL_WRITE_DELETE_VECTORS,
         {"{\"points\":[1],\"vector\":[]}", 422,
          "[vector: value an array invalid, must be at least one name]"}},
        {HL_WRITE_SET_PAYLOAD, {"{\"points\":[1]}", 400, "missing field \"payload\""}},
        {HL_WRITE_SET_PAYLOAD,
         {"{\"points\":[1],\"payload\":{},\"key\":\"a.\"}", 400,
          "key: expected a payload key such as a.b[].c, got \"a.\""}},
        {HL_WRITE_DELETE_PAYLOAD, {"{\"points\":[1]}", 400, "missing field \"keys\""}},
        {HL_WRITE_UPDATE_VECTORS, {"{}", 400, "missing field \"points\""}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read_op read = {.kind = cases[i].kind};

        assert_reading(*state, &cases[i].wanted, read_op, &read);
    }
}

static void a_batch_runs_out_of_room_in_a_sentence(void **state)
{
    static const char body[] =
        "{\"operations\":[{\"upsert\":{\"batch\":{\"ids\":[1,2],\"vectors\":{\"a\":[[1],"
        "\"AACAPw==\"],\"s\":[{\"indices\":[2,1],\"values\":[1,2]},{\"indices\":[],"
        "\"values\":[]}]},\"payloads\":[{},null]}}},{\"delete_payload\":{\"filter\":{},"
        "\"keys\":[\"\\u0061\",\"b.c\"]}},{\"delete_vectors\":{\"points\":[1],"
        "\"vector\":[\"a\"]}},{\"upsert\":{\"points\":[{\"id\":1,\"vector\":[1,2]}]}}]}";
    struct hl_write_ops ops;

    assert_reading_under_ceilings(*state, body, 65536, read_ops, &ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_upsert_has_points_in_either_form, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(what_is_deleted_is_named_by_ids_or_by_a_filter,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(payloads_are_set_whole_or_at_a_key, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(a_batch_is_operations_in_their_order, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(what_is_no_batch_is_refused, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(what_is_no_write_is_refused, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(a_batch_runs_out_of_room_in_a_sentence,
                                        start_reading, stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
