/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/vector.h"

#include "tests/unit/reading.h"

static enum hl_code read_vectors(const struct hl_field *field, void *out,
                                 struct hl_err *err)
{
    return hl_vectors_read(field, out, err);
}

static struct hl_vectors vectors_of(struct reading *r, const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    struct hl_vectors vectors;

    assert_reading(r, &accepted, read_vectors, &vectors);
    return vectors;
}

static void assert_values(const struct hl_vector *vector, const char *wanted)
{
    char text[256] = "";
    size_t at = 0;

    for (size_t i = 0; i < vector->n; i++) {
        if (vector->indices)
            at += (size_t)snprintf(text + at, sizeof text - at, "%u:", vector->indices[i]);
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "%g ", (double)vector->values[i]);
    }
    assert_string_equal(text, wanted);
}

static void a_vector_is_an_array_of_numbers(void **state)
{
    struct hl_vectors vectors = vectors_of(*state, "[1, -0.5, 2e3]");

    assert_int_equal(vectors.n, 1);
    assert_int_equal(vectors.items[0].name.len, 0);
    assert_false(vectors.items[0].is_sparse);
    assert_values(&vectors.items[0], "1 -0.5 2000 ");
    assert_values(&vectors_of(*state, "[]").items[0], "");
}

static void a_vector_is_base64_of_little_endian_floats(void **state)
{
    struct hl_vectors vectors = vectors_of(*state, "\"AACAPwAAAL8=\"");

    assert_int_equal(vectors.n, 1);
    assert_values(&vectors.items[0], "1 -0.5 ");
}

static void named_vectors_are_an_object(void **state)
{
    struct hl_vectors vectors =
        vectors_of(*state, "{\"v1\":[1,2],\"v\\u0032\":\"AACAPw==\",\"gone\":null,"
                           "\"s\":{\"values\":[7,1,9],\"indices\":[7,0,4294967295]},"
                           "\"none\":{\"indices\":[],\"values\":[]},\"\":[3]}");

    assert_int_equal(vectors.n, 5);
    assert_true(hl_text_is(&vectors.items[0].name, "v1"));
    assert_values(&vectors.items[0], "1 2 ");
    assert_true(hl_text_is(&vectors.items[1].name, "v2"));
    assert_values(&vectors.items[1], "1 ");
    assert_true(hl_text_is(&vectors.items[2].name, "s"));
    assert_true(vectors.items[2].is_sparse);
    assert_values(&vectors.items[2], "0:1 7:7 4294967295:9 ");
    assert_true(vectors.items[3].is_sparse);
    assert_int_equal(vectors.items[3].n, 0);
    assert_true(hl_text_is(&vectors.items[4].name, ""));
    assert_int_equal(vectors_of(*state, "{}").n, 0);
}

static void what_is_no_vector_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"7", 400, "expected a vector, got 7"},
        {"null", 400, "expected a vector, got null"},
        {"[1,\"x\"]", 400, "[1]: expected a number, got \"x\""},
        {"{\"a\":[1,1e99]}", 422,
         "[a[1]: value 1e99 invalid, must be within the range of a 32-bit float]"},
        {"\"AAAA\"", 400,
         "3 bytes came as base64, a multiple of 4 was wanted: float32, little-endian"},
        {"{\"a\":\"AA?APw==\"}", 400, "a: character 2 of base64 is \"?\""},
        {"\"AADAfw==\"", 422, "[value \"AADAfw==\" invalid, must be finite numbers]"},
        {"[[1,2],[3,4]]", 400,
         "a vector of vectors is not supported: a point has one vector of each name"},
        {"{\"a\":[ [1] ]}", 400,
         "a vector of vectors is not supported: a point has one vector of each name"},
        {"{\"a\":{\"text\":\"a dog\",\"model\":\"m\"}}", 400,
         "\"text\" is not supported: there is no model here to embed it, send its vector"},
        {"{\"a\":{\"indices\":[1]}}", 400, "a: missing field \"values\""},
        {"{\"a\":{\"indices\":[1],\"values\":[1,2]}}", 422,
         "[a: value an object invalid, must be as many values as indices]"},
        {"{\"a\":{\"indices\":[2,1,2],\"values\":[1,2,3]}}", 422,
         "[a: value an object invalid, must be a sparse vector with unique indices]"},
        {"{\"a\":{\"indices\":[-1],\"values\":[1]}}", 422,
         "[a.indices[0]: value -1 invalid, must be from 0 to 4294967295]"},
        {"{\"a\":[1],\"a\":[2]}", 400, "a: duplicate field"},
        {"{\"a\":[1],\"\\u0061\":[2]}", 400, "a: duplicate field"},
    };
    struct hl_vectors vectors;

    ASSERT_READINGS(*state, cases, read_vectors, &vectors);
}

static void a_point_has_a_bounded_number_of_vectors(void **state)
{
    struct reading *r = *state;
    struct hl_vectors vectors;
    char text[16 * (HL_VECTORS_MAX + 1)] = "{";
    size_t at = 1;

    for (int i = 0; i <= HL_VECTORS_MAX; i++)
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "%s\"%d\":[1]", i ? "," : "", i);
    snprintf(text + at, sizeof text - at, "}");
    assert_int_equal(hl_vectors_read(reading_of(r, text), &vectors, &r->err), HL_INVALID);
    assert_string_equal(r->err.msg, "a point may have 256 vectors");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_vector_is_an_array_of_numbers, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(a_vector_is_base64_of_little_endian_floats,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(named_vectors_are_an_object, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(what_is_no_vector_is_refused, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(a_point_has_a_bounded_number_of_vectors,
                                        start_reading, stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
