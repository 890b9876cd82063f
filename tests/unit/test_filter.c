/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/filter.h"

#include "tests/unit/reading.h"

static enum hl_code read_filter(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_filter_read(field, out, err);
}

static const struct hl_filter *filter_of(struct reading *r, const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    const struct hl_filter *filter = NULL;

    assert_reading(r, &accepted, read_filter, &filter);
    return filter;
}

/* The one condition of `{"must": BODY}`. */
static const struct hl_condition *condition_of(struct reading *r, const char *body)
{
    char text[1024];
    const struct hl_filter *filter;

    snprintf(text, sizeof text, "{\"must\":%s}", body);
    filter = filter_of(r, text);
    assert_int_equal(filter->must.n, 1);
    return &filter->must.items[0];
}

static void assert_text(const struct hl_text *text, const char *wanted)
{
    if (!hl_text_is(text, wanted))
        fail_msg("\"%.*s\" instead of \"%s\"", (int)text->len, text->text, wanted);
}

static void a_filter_has_four_clauses(void **state)
{
    const struct hl_filter *filter = filter_of(
        *state,
        "{\"must\":[{\"has_vector\":\"a\"},{\"has_vector\":\"b\"}],"
        "\"should\":{\"has_vector\":\"c\"},\"must_not\":[],"
        "\"min_should\":{\"conditions\":[{\"has_vector\":\"d\"}],\"min_count\":2}}");

    assert_int_equal(filter->must.n, 2);
    assert_text(&filter->must.items[1].texts.items[0], "b");
    assert_int_equal(filter->should.n, 1);
    assert_text(&filter->should.items[0].texts.items[0], "c");
    assert_int_equal(filter->must_not.n, 0);
    assert_int_equal(filter->min_should.n, 1);
    assert_int_equal(filter->min_count, 2);
    assert_false(hl_filter_is_empty(filter));
}

static void nothing_asked_is_an_empty_filter(void **state)
{
    assert_null(filter_of(*state, "null"));
    assert_true(hl_filter_is_empty(NULL));
    assert_true(hl_filter_is_empty(filter_of(*state, "{}")));
    assert_true(hl_filter_is_empty(filter_of(*state, "{\"must\":null,\"should\":[]}")));
}

static void matches_are_sets_of_values(void **state)
{
    const struct hl_condition *c =
        condition_of(*state, "{\"key\":\"a.b\",\"match\":{\"value\":\"x\"}}");

    assert_int_equal(c->kind, HL_CONDITION_TEXT);
    assert_int_equal(c->path.n_steps, 2);
    assert_int_equal(c->texts.n, 1);
    assert_false(c->is_except);

    c = condition_of(*state,
                     "{\"key\":\"a\",\"match\":{\"any\":[\"b\",\"ab\",\"a\",\"b\"]}}");
    assert_int_equal(c->texts.n, 3);
    assert_text(&c->texts.items[0], "a");
    assert_text(&c->texts.items[1], "ab");
    assert_text(&c->texts.items[2], "b");

    c = condition_of(
        *state, "{\"match\":{\"except\":[5,-9223372036854775808,5,9223372036854775807]},"
                "\"key\":\"a\"}");
    assert_int_equal(c->kind, HL_CONDITION_INTEGER);
    assert_true(c->is_except);
    assert_int_equal(c->integers.n, 3);
    assert_true(c->integers.items[0] == INT64_MIN);
    assert_true(c->integers.items[2] == INT64_MAX);

    c = condition_of(*state, "{\"key\":\"a\",\"match\":{\"value\":false}}");
    assert_int_equal(c->kind, HL_CONDITION_BOOL);
    assert_false(c->is_true);

    c = condition_of(*state, "{\"key\":\"a\",\"match\":{\"any\":[]}}");
    assert_int_equal(c->kind, HL_CONDITION_TEXT);
    assert_int_equal(c->texts.n, 0);

    c = condition_of(*state, "{\"key\":\"a\",\"match\":{\"prefix\":\"gr\\u00fc\"}}");
    assert_int_equal(c->kind, HL_CONDITION_PREFIX);
    assert_text(&c->texts.items[0], "grü");
}

static void ranges_and_places_are_read(void **state)
{
    const struct hl_condition *c =
        condition_of(*state, "{\"key\":\"a\",\"range\":{\"gte\":1,\"lt\":2}}");

    assert_int_equal(c->kind, HL_CONDITION_RANGE);
    assert_true(hl_range_has(&c->range, 1) && !hl_range_has(&c->range, 2));
    c = condition_of(*state, "{\"key\":\"a\",\"range\":{\"gte\":\"1970-01-02\"}}");
    assert_int_equal(c->kind, HL_CONDITION_TIME);
    assert_int_equal(c->times.low, 86400000000);
    c = condition_of(*state, "{\"key\":\"a\",\"values_count\":{\"gt\":2}}");
    assert_int_equal(c->kind, HL_CONDITION_COUNT);
    assert_int_equal(c->counts.low, 3);
    c = condition_of(*state, "{\"key\":\"a\",\"geo_bounding_box\":{\"top_left\":{\"lon\":1,"
                             "\"lat\":2},\"bottom_right\":{\"lon\":3,\"lat\":-4}}}");
    assert_int_equal(c->kind, HL_CONDITION_GEO_BOX);
    assert_true(c->box.top_left.lat > 1.9 && c->box.bottom_right.lat < -3.9);
    c = condition_of(*state, "{\"key\":\"a\",\"geo_radius\":{\"center\":{\"lon\":1,"
                             "\"lat\":2},\"radius\":1000}}");
    assert_int_equal(c->kind, HL_CONDITION_CIRCLE);
    assert_true(c->circle.radius_m > 999.9);
    c = condition_of(*state,
                     "{\"key\":\"a\",\"geo_polygon\":{\"exterior\":{\"points\":["
                     "{\"lon\":0,\"lat\":0},{\"lon\":9,\"lat\":0},{\"lon\":0,\"lat\":9},"
                     "{\"lon\":0,\"lat\":0}]},\"interiors\":[]}}");
    assert_int_equal(c->kind, HL_CONDITION_POLYGON);
    assert_int_equal(c->polygon.exterior.n_points, 4);
}

static void absence_has_two_spellings(void **state)
{
    const struct hl_condition *c = condition_of(*state, "{\"is_empty\":{\"key\":\"a\"}}");

    assert_int_equal(c->kind, HL_CONDITION_IS_EMPTY);
    assert_true(c->is_true);
    assert_int_equal(c->path.n_steps, 1);
    c = condition_of(*state, "{\"key\":\"a\",\"is_null\":false}");
    assert_int_equal(c->kind, HL_CONDITION_IS_NULL);
    assert_false(c->is_true);
}

static void conditions_of_the_point_are_read(void **state)
{
    const struct hl_condition *c = condition_of(
        *state, "{\"has_id\":[7,\"550e8400-e29b-41d4-a716-446655440000\",3,7]}");

    assert_int_equal(c->kind, HL_CONDITION_HAS_ID);
    assert_int_equal(c->ids.n, 3);
    assert_int_equal(hl_id_value(&c->ids.items[0]), 3);
    assert_int_equal(c->ids.items[2].tag, HL_ID_UUID);
    c = condition_of(*state, "{\"has_vector\":\"\"}");
    assert_int_equal(c->kind, HL_CONDITION_HAS_VECTOR);
    assert_text(&c->texts.items[0], "");
    c = condition_of(*state, "{\"slice\":{\"index\":3,\"total\":4}}");
    assert_int_equal(c->kind, HL_CONDITION_SLICE);
    assert_int_equal(c->slice.index, 3);
    assert_int_equal(c->slice.total, 4);
}

static void filters_nest(void **state)
{
    const struct hl_condition *c = condition_of(
        *state, "{\"nested\":{\"key\":\"a.b\",\"filter\":{\"must\":[{\"key\":\"c\","
                "\"match\":{\"value\":1}}]}}}");

    assert_int_equal(c->kind, HL_CONDITION_NESTED);
    assert_int_equal(c->path.n_steps, 3);
    assert_int_equal(c->path.steps[2].kind, HL_PATH_EACH);
    assert_int_equal(c->filter->must.n, 1);
    c = condition_of(*state, "{\"nested\":{\"key\":\"a[]\",\"filter\":{}}}");
    assert_int_equal(c->path.n_steps, 2);
    c = condition_of(*state, "{\"should\":[{\"has_id\":[1]},{\"has_id\":[2]}]}");
    assert_int_equal(c->kind, HL_CONDITION_FILTER);
    assert_int_equal(c->filter->should.n, 2);
    c = condition_of(*state, "{}");
    assert_int_equal(c->kind, HL_CONDITION_FILTER);
    assert_true(hl_filter_is_empty(c->filter));
}

static void what_is_no_filter_is_refused_where_it_is_wrong(void **state)
{
    static const struct reading_case cases[] = {
        {"[]", 400, "expected an object, got an array"},
        {"{\"mist\":[]}", 400, "mist: unknown field"},
        {"{\"must\":7}", 400, "must: expected an array, got 7"},
        {"{\"must\":[null]}", 400, "must[0]: expected an object, got null"},
        {"{\"must\":[{\"key\":\"a\"}]}", 422,
         "[must[0]: value an object invalid, must be a key and one test of its values]"},
        {"{\"must\":[{\"key\":\"a\",\"match\":null}]}", 422,
         "[must[0]: value an object invalid, must be a key and one test of its values]"},
        {"{\"must\":[{\"match\":{\"value\":1}}]}", 400, "must[0]: missing field \"key\""},
        {"{\"must\":[{\"is_empty\":true}]}", 400, "must[0]: missing field \"key\""},
        {"{\"must\":[{\"is_empty\":{}}]}", 400, "must[0].is_empty: missing field \"key\""},
        {"{\"must\":[{\"key\":\"a\",\"is_empty\":{\"key\":\"b\"}}]}", 422,
         "[must[0]: value an object invalid, must be a test that needs no key, alone]"},
        {"{\"must\":[{\"key\":\"a\",\"has_id\":[1]}]}", 422,
         "[must[0]: value an object invalid, must be a test that needs no key, alone]"},
        {"{\"must\":[{\"key\":\"a\",\"must\":[]}]}", 422,
         "[must[0]: value an object invalid, must be either a condition or a filter]"},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"value\":1},\"range\":{}}]}", 422,
         "[must[0].range: value an object invalid, must be alone: another test goes into "
         "another condition]"},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"value\":1},\"rnage\":{}}]}", 400,
         "must[0].rnage: unknown field"},
        {"{\"must\":[{\"key\":\"a..b\",\"match\":{\"value\":1}}]}", 400,
         "must[0].key: expected a payload key such as a.b[].c, got \"a..b\""},
    };
    const struct hl_filter *filter;

    ASSERT_READINGS(*state, cases, read_filter, &filter);
}

static void what_is_no_match_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"must\":[{\"key\":\"a\",\"match\":{}}]}", 422,
         "[must[0].match: value an object invalid, must be one of \"value\", \"any\", "
         "\"except\" and \"prefix\"]"},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"value\":1,\"any\":[]}}]}", 422,
         "[must[0].match: value an object invalid, must be one of \"value\", \"any\", "
         "\"except\" and \"prefix\"]"},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"value\":1.5}}]}", 400,
         "must[0].match.value: expected a whole number, got 1.5"},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"value\":[]}}]}", 400,
         "must[0].match.value: expected a string or an integer, got an array"},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"any\":[1,\"b\"]}}]}", 400,
         "must[0].match.any[1]: expected a whole number, got \"b\""},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"any\":[\"b\",1]}}]}", 400,
         "must[0].match.any[1]: expected a string, got 1"},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"any\":[true]}}]}", 400,
         "must[0].match.any[0]: expected a string or an integer, got true"},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"text\":\"b\"}}]}", 400,
         "match \"text\" is not supported: there is no full-text search"},
        {"{\"must\":[{\"key\":\"a\",\"match\":{\"phrase\":\"b\"}}]}", 400,
         "match \"phrase\" is not supported: there is no full-text search"},
    };
    const struct hl_filter *filter;

    ASSERT_READINGS(*state, cases, read_filter, &filter);
}

static void what_is_no_id_slice_nested_or_place_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"must\":[{\"has_id\":[\"x\"]}]}", 400,
         "must[0].has_id[0]: expected a point id, an unsigned integer or a UUID, got "
         "\"x\""},
        {"{\"must\":[{\"has_id\":[-1]}]}", 422,
         "[must[0].has_id[0]: value -1 invalid, must be from 0 to 18446744073709551615]"},
        {"{\"must\":[{\"slice\":{\"total\":0,\"index\":0}}]}", 422,
         "[must[0].slice.total: value 0 invalid, must be from 1 to 4294967295]"},
        {"{\"must\":[{\"slice\":{\"total\":4,\"index\":4}}]}", 422,
         "[must[0].slice: value an object invalid, must be a slice whose index is smaller "
         "than its total]"},
        {"{\"must\":[{\"slice\":{\"total\":4}}]}", 400,
         "must[0].slice: missing field \"index\""},
        {"{\"min_should\":{\"conditions\":[],\"min_count\":0}}", 422,
         "[min_should.min_count: value 0 invalid, must be 1 or larger]"},
        {"{\"min_should\":{\"conditions\":[]}}", 400,
         "min_should: missing field \"min_count\""},
        {"{\"must\":[{\"nested\":{\"key\":\"a\"}}]}", 400,
         "must[0].nested: missing field \"filter\""},
        {"{\"must\":[{\"nested\":{\"key\":\"a\",\"filter\":{\"must\":[{\"should\":["
         "{\"has_id\":[1]}]}]}}}]}",
         422,
         "[must[0].nested.filter.must[0].should[0].has_id: value an array invalid, must be "
         "outside of \"nested\", whose items are no points]"},
        {"{\"must\":[{\"key\":\"a\",\"geo_radius\":{\"center\":{\"lon\":181,\"lat\":0},"
         "\"radius\":1}}]}",
         422,
         "[must[0].geo_radius.center.lon: value 181 invalid, must be from -180 to 180]"},
        {"{\"must\":[{\"key\":\"a\",\"geo_radius\":{\"center\":{\"lon\":1},"
         "\"radius\":1}}]}",
         400, "must[0].geo_radius.center: missing field \"lat\""},
        {"{\"must\":[{\"key\":\"a\",\"geo_polygon\":{\"exterior\":{\"points\":["
         "{\"lon\":0,\"lat\":0},{\"lon\":9,\"lat\":0},{\"lon\":0,\"lat\":9},"
         "{\"lon\":0,\"lat\":1}]}}}]}",
         422,
         "[must[0].geo_polygon.exterior.points: value an array invalid, must be 4 points "
         "or more, of which the last is the first again]"},
    };
    const struct hl_filter *filter;

    ASSERT_READINGS(*state, cases, read_filter, &filter);
}

static void print_nested(char *text, size_t room, int depth)
{
    size_t at = 0;

    for (int i = 0; i < depth; i++)
        at += (size_t)snprintf(text + at, room - at, "{\"must\":");
    at += (size_t)snprintf(text + at, room - at, "[]");
    for (int i = 0; i < depth; i++)
        at += (size_t)snprintf(text + at, room - at, "}");
}

static void filters_nest_so_deeply_and_no_deeper(void **state)
{
    struct reading *r = *state;
    const struct hl_filter *filter;
    char text[1024];

    print_nested(text, sizeof text, HL_FILTER_MAX_DEPTH + 1);
    assert_non_null(filter_of(r, text));
    print_nested(text, sizeof text, HL_FILTER_MAX_DEPTH + 2);
    assert_int_equal(hl_filter_read(reading_of(r, text), &filter, &r->err), HL_INVALID);
    assert_non_null(strstr(r->err.msg, "must be nested less deeply"));
}

static void a_filter_runs_out_of_memory_in_a_sentence(void **state)
{
    static const char body[] =
        "{\"must\":[{\"key\":\"a\",\"match\":{\"any\":[1,2,3,4,5]}},{\"has_id\":[1,2]},"
        "{\"nested\":{\"key\":\"b\",\"filter\":{\"should\":{\"key\":\"c\",\"is_null\":true}"
        "}}},"
        "{\"key\":\"g\",\"geo_polygon\":{\"exterior\":{\"points\":[{\"lon\":0,\"lat\":0},"
        "{\"lon\":9,\"lat\":0},{\"lon\":0,\"lat\":9},{\"lon\":0,\"lat\":0}]}}}]}";
    const struct hl_filter *filter;

    assert_reading_under_ceilings(*state, body, 65536, read_filter, &filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_filter_has_four_clauses, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(nothing_asked_is_an_empty_filter, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(matches_are_sets_of_values, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(ranges_and_places_are_read, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(absence_has_two_spellings, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(conditions_of_the_point_are_read, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(filters_nest, start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(what_is_no_filter_is_refused_where_it_is_wrong,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(what_is_no_match_is_refused, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(what_is_no_id_slice_nested_or_place_is_refused,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(filters_nest_so_deeply_and_no_deeper, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(a_filter_runs_out_of_memory_in_a_sentence,
                                        start_reading, stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
