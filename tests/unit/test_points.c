/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/points.h"

#include "tests/unit/reading.h"

static enum hl_code read_points(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_points_read(field, out, err);
}

static enum hl_code read_batch(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_points_read_batch(field, out, err);
}

static enum hl_code read_vectors(const struct hl_field *field, void *out,
                                 struct hl_err *err)
{
    return hl_points_read_vectors(field, out, err);
}

/* Points in words: id, payload as it came, names and first values. */
static void assert_points(const struct hl_points *points, const char *wanted)
{
    char text[1024] = "", id[HL_ID_TEXT_SIZE];
    size_t at = 0;

    for (size_t i = 0; i < points->n; i++) {
        const struct hl_point *p = &points->items[i];

        hl_id_print(&p->id, id);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s %.*s", id,
                               (int)p->payload.len, p->payload.text ? p->payload.text : "");
        for (size_t k = 0; k < p->vectors.n; k++) {
            const struct hl_vector *v = &p->vectors.items[k];

            at += (size_t)snprintf(text + at, sizeof text - at, " %.*s=%g/%zu",
                                   (int)v->name.len, v->name.text, (double)v->values[0],
                                   v->n);
        }
        at += (size_t)snprintf(text + at, sizeof text - at, "; ");
    }
    assert_string_equal(text, wanted);
}

static void assert_read(void **state, const char *body,
                        enum hl_code (*read)(const struct hl_field *field, void *out,
                                             struct hl_err *err),
                        const char *wanted)
{
    struct reading_case accepted = {body, 200, NULL};
    struct hl_points points;

    assert_reading(*state, &accepted, read, &points);
    assert_points(&points, wanted);
}

static void a_list_has_points_with_payloads_as_they_came(void **state)
{
    assert_read(state, "[]", read_points, "");
    assert_read(state,
                "[{\"id\":18446744073709551615,\"vector\":[1,2],"
                "\"payload\":{ \"n\" : 1e400, \"s\":\"\\u0000\" }},"
                "{\"payload\":null,\"vector\":{\"a\":[3],\"b\":\"AACAPw==\"},"
                "\"id\":\"{550E8400-E29B-41D4-A716-446655440000}\",\"version\":3,"
                "\"score\":0.5}]",
                read_points,
                "18446744073709551615 { \"n\" : 1e400, \"s\":\"\\u0000\" } =1/2; "
                "550e8400-e29b-41d4-a716-446655440000  a=3/1 b=1/1; ");
}

static void lists_of_each_become_points(void **state)
{
    assert_read(state,
                "{\"ids\":[1,2],\"vectors\":[[1,2],\"AACAPw==\"],"
                "\"payloads\":[null,{\"a\":1}]}",
                read_batch, "1  =1/2; 2 {\"a\":1} =1/1; ");
    assert_read(state,
                "{\"payloads\":null,\"vectors\":{\"a\":[[1],[2]],\"b\":[[3],[4]]},"
                "\"ids\":[7,8]}",
                read_batch, "7  a=1/1 b=3/1; 8  a=2/1 b=4/1; ");
    assert_read(state, "{\"ids\":[],\"vectors\":[]}", read_batch, "");
    assert_read(state, "{\"ids\":[5],\"vectors\":{}}", read_batch, "5 ; ");
}

static void points_that_get_vectors_have_no_payload(void **state)
{
    static const struct reading_case cases[] = {
        {"[]", 422, "[value an array invalid, must be at least one point]"},
        {"[{\"id\":1,\"vector\":[1],\"payload\":{}}]", 400, "[0].payload: unknown field"},
    };
    struct hl_points points;

    assert_read(state, "[{\"id\":1,\"vector\":{\"a\":[1,2,3]}}]", read_vectors,
                "1  a=1/3; ");
    ASSERT_READINGS(*state, cases, read_vectors, &points);
}

static void what_is_no_list_of_points_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{}", 400, "expected an array, got an object"},
        {"[{\"vector\":[1]}]", 400, "[0]: missing field \"id\""},
        {"[{\"id\":1}]", 400, "[0]: missing field \"vector\""},
        {"[{\"id\":1,\"vector\":null}]", 400, "[0]: missing field \"vector\""},
        {"[{\"id\":1.0,\"vector\":[1]}]", 400, "[0].id: expected a whole number, got 1.0"},
        {"[{\"id\":18446744073709551616,\"vector\":[1]}]", 422,
         "[[0].id: value 18446744073709551616 invalid, must be from 0 to "
         "18446744073709551615]"},
        {"[{\"id\":true,\"vector\":[1]}]", 400,
         "[0].id: expected a point id, an unsigned integer or a UUID, got true"},
        {"[{\"id\":1,\"vector\":[1],\"payload\":[]}]", 400,
         "[0].payload: expected an object, got an array"},
        {"[{\"id\":1,\"vector\":[1],\"paylod\":{}}]", 400, "[0].paylod: unknown field"},
        {"[{\"id\":1,\"vector\":[1],\"shard_key\":\"a\"}]", 400,
         "\"shard_key\" is not supported: a collection is one shard without a key"},
        {"[{\"id\":1,\"vector\":{\"a\":[1,null]}}]", 400,
         "[0].vector.a[1]: expected a number, got null"},
    };
    struct hl_points points;

    ASSERT_READINGS(*state, cases, read_points, &points);
}

static void lists_of_different_lengths_are_refused(void **state)
{
    static const char sentence[] = "[value an object invalid, must be lists that are as "
                                   "long as that of the ids]";
    static const struct reading_case cases[] = {
        {"{\"ids\":[1,2],\"vectors\":[[1]]}", 422, sentence},
        {"{\"ids\":[1],\"vectors\":{\"a\":[[1]],\"b\":[]}}", 422, sentence},
        {"{\"ids\":[1],\"vectors\":[[1]],\"payloads\":[]}", 422, sentence},
        {"{\"ids\":[1]}", 400, "missing field \"vectors\""},
        {"{\"ids\":[1],\"vectors\":[1]}", 400, "vectors[0]: expected a vector, got 1"},
        {"{\"ids\":[1],\"vectors\":{\"a\":[[1]],\"a\":[[1]]}}", 400,
         "vectors.a: duplicate field"},
    };
    struct hl_points points;

    ASSERT_READINGS(*state, cases, read_batch, &points);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_has_points_with_payloads_as_they_came,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(lists_of_each_become_points, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(points_that_get_vectors_have_no_payload,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(what_is_no_list_of_points_is_refused, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(lists_of_different_lengths_are_refused,
                                        start_reading, stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
