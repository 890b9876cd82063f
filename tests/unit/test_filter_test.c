/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/filter_test.h"

#include "tests/unit/reading.h"

static bool has_v2(void *self, const struct hl_text *name)
{
    (void)self;
    return hl_text_is(name, "v2");
}

struct filter_case {
    const char *condition; /* of must */
    const char *payload;
    bool holds;
};

static bool is_met(struct reading *r, const char *condition, const char *payload)
{
    struct hl_subject subject = {.has_vector = has_v2};
    const struct hl_filter *filter;
    struct hl_id id = hl_id_number(42);
    char body[1024];

    snprintf(body, sizeof body, "{\"must\":%s}", condition);
    if (hl_filter_read(reading_of(r, body), &filter, &r->err) != HL_OK)
        fail_msg("%s\n    was refused: %s", body, r->err.msg);
    assert_int_equal(
        hl_payload_parse(payload, strlen(payload), r->arena, &subject.payload, &r->err),
        HL_OK);
    subject.id = &id;
    return hl_filter_test(filter, &subject);
}

static void assert_cases(struct reading *r, const struct filter_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_met(r, cases[i].condition, cases[i].payload) != cases[i].holds)
            fail_msg("%s of %s is not %d", cases[i].condition, cases[i].payload,
                     cases[i].holds);
}

#define ASSERT_CASES(cases) assert_cases(*state, cases, sizeof(cases) / sizeof((cases)[0]))

static void a_match_is_met_by_one_value_of_several(void **state)
{
    static const struct filter_case cases[] = {
        {"{\"key\":\"a\",\"match\":{\"value\":\"x\"}}", "{\"a\":\"x\"}", true},
        {"{\"key\":\"a\",\"match\":{\"value\":\"x\"}}", "{\"a\":[1,\"x\"]}", true},
        {"{\"key\":\"a\",\"match\":{\"value\":\"x\"}}", "{\"a\":[[\"x\"]]}", false},
        {"{\"key\":\"a[]\",\"match\":{\"value\":\"x\"}}", "{\"a\":[[\"x\"]]}", true},
        {"{\"key\":\"a\",\"match\":{\"value\":3}}", "{\"a\":3}", true},
        {"{\"key\":\"a\",\"match\":{\"value\":3}}", "{\"a\":3.0}", false},
        {"{\"key\":\"a\",\"match\":{\"value\":3}}", "{\"a\":\"3\"}", false},
        {"{\"key\":\"a\",\"match\":{\"value\":9007199254740993}}",
         "{\"a\":9007199254740992}", false},
        {"{\"key\":\"a\",\"match\":{\"value\":true}}", "{\"a\":[false,true]}", true},
        {"{\"key\":\"a\",\"match\":{\"value\":false}}", "{\"a\":true}", false},
        {"{\"key\":\"a\",\"match\":{\"any\":[\"y\",\"x\"]}}", "{\"a\":\"y\"}", true},
        {"{\"key\":\"a\",\"match\":{\"any\":[]}}", "{\"a\":\"y\"}", false},
        {"{\"key\":\"a\",\"match\":{\"prefix\":\"ab\"}}", "{\"a\":\"abc\"}", true},
        {"{\"key\":\"a\",\"match\":{\"prefix\":\"ab\"}}", "{\"a\":\"a\"}", false},
    };

    ASSERT_CASES(cases);
}

static void except_is_met_by_any_other_value_but_null(void **state)
{
    static const struct filter_case cases[] = {
        {"{\"key\":\"a\",\"match\":{\"except\":[\"x\"]}}", "{\"a\":\"x\"}", false},
        {"{\"key\":\"a\",\"match\":{\"except\":[\"x\"]}}", "{\"a\":[\"x\",\"y\"]}", true},
        {"{\"key\":\"a\",\"match\":{\"except\":[\"x\"]}}", "{\"a\":1}", true},
        {"{\"key\":\"a\",\"match\":{\"except\":[\"x\"]}}", "{\"a\":null}", false},
        {"{\"key\":\"a\",\"match\":{\"except\":[\"x\"]}}", "{\"a\":[]}", false},
        {"{\"key\":\"a\",\"match\":{\"except\":[\"x\"]}}", "{}", false},
        {"{\"key\":\"a\",\"match\":{\"except\":[1]}}", "{\"a\":1.5}", true},
        {"{\"key\":\"a\",\"match\":{\"except\":[1]}}", "{\"a\":1}", false},
        {"{\"key\":\"a\",\"match\":{\"except\":[]}}", "{\"a\":1}", true},
    };

    ASSERT_CASES(cases);
}

static void ranges_are_of_numbers_or_of_moments(void **state)
{
    static const struct filter_case cases[] = {
        {"{\"key\":\"a\",\"range\":{\"gt\":1,\"lte\":2}}", "{\"a\":1}", false},
        {"{\"key\":\"a\",\"range\":{\"gt\":1,\"lte\":2}}", "{\"a\":2.0}", true},
        {"{\"key\":\"a\",\"range\":{\"gt\":1,\"lte\":2}}", "{\"a\":\"2\"}", false},
        {"{\"key\":\"a\",\"range\":{\"gte\":\"2024-01-01T00:00:00Z\"}}",
         "{\"a\":\"2024-01-01\"}", true},
        {"{\"key\":\"a\",\"range\":{\"gt\":\"2024-01-01T00:00:00Z\"}}",
         "{\"a\":\"2024-01-01T01:00:00+01:00\"}", false},
        {"{\"key\":\"a\",\"range\":{\"gt\":\"2024-01-01T00:00:00Z\"}}", "{\"a\":2025}",
         false},
    };

    ASSERT_CASES(cases);
}

#define BOX                                                                                \
    "{\"key\":\"p\",\"geo_bounding_box\":{\"top_left\":{\"lon\":170,\"lat\":10},"          \
    "\"bottom_right\":{\"lon\":-170,\"lat\":-10}}}"
#define CIRCLE                                                                             \
    "{\"key\":\"p\",\"geo_radius\":{\"center\":{\"lon\":0,\"lat\":0},\"radius\":112000}}"
#define RING                                                                               \
    "{\"key\":\"p\",\"geo_polygon\":{\"exterior\":{\"points\":[{\"lon\":0,\"lat\":0},"     \
    "{\"lon\":9,\"lat\":0},{\"lon\":9,\"lat\":9},{\"lon\":0,\"lat\":9},{\"lon\":0,"        \
    "\"lat\":0}]},\"interiors\":[{\"points\":[{\"lon\":2,\"lat\":2},{\"lon\":4,\"lat\":2}" \
    ","                                                                                    \
    "{\"lon\":4,\"lat\":4},{\"lon\":2,\"lat\":4},{\"lon\":2,\"lat\":2}]}]}}"

static void places_are_in_boxes_circles_and_polygons(void **state)
{
    static const struct filter_case cases[] = {
        {BOX, "{\"p\":{\"lon\":175,\"lat\":0}}", true},
        {BOX, "{\"p\":{\"lon\":-175,\"lat\":0}}", true},
        {BOX, "{\"p\":{\"lon\":0,\"lat\":0}}", false},
        {BOX, "{\"p\":{\"lon\":170,\"lat\":0}}", false},
        {BOX, "{\"p\":{\"lon\":175,\"lat\":11}}", false},
        {BOX, "{\"p\":{\"lon\":175}}", false},
        {BOX, "{\"p\":[{\"lon\":0,\"lat\":0},{\"lon\":175,\"lat\":0}]}", true},
        {CIRCLE, "{\"p\":{\"lon\":1,\"lat\":0}}", true},
        {CIRCLE, "{\"p\":{\"lon\":1.01,\"lat\":0}}", false},
        {CIRCLE, "{\"p\":{\"lon\":0,\"lat\":-1}}", true},
        {RING, "{\"p\":{\"lon\":1,\"lat\":1}}", true},
        {RING, "{\"p\":{\"lon\":3,\"lat\":3}}", false},
        {RING, "{\"p\":{\"lon\":2,\"lat\":3}}", false},
        {RING, "{\"p\":{\"lon\":0,\"lat\":3}}", false},
        {RING, "{\"p\":{\"lon\":10,\"lat\":3}}", false},
    };

    ASSERT_CASES(cases);
}

static void counts_emptiness_and_null_are_told_apart(void **state)
{
    static const struct filter_case cases[] = {
        {"{\"key\":\"a\",\"values_count\":{\"gte\":2}}", "{\"a\":[1,2]}", true},
        {"{\"key\":\"a\",\"values_count\":{\"gte\":2}}", "{\"a\":1}", false},
        {"{\"key\":\"a\",\"values_count\":{\"lt\":1}}", "{}", true},
        {"{\"key\":\"a\",\"values_count\":{\"lt\":1}}", "{\"a\":null}", true},
        {"{\"key\":\"a\",\"values_count\":{\"lt\":1}}", "{\"a\":0}", false},
        {"{\"is_empty\":{\"key\":\"a\"}}", "{}", true},
        {"{\"is_empty\":{\"key\":\"a\"}}", "{\"a\":[]}", true},
        {"{\"is_empty\":{\"key\":\"a\"}}", "{\"a\":null}", true},
        {"{\"is_empty\":{\"key\":\"a\"}}", "{\"a\":[null]}", false},
        {"{\"is_empty\":{\"key\":\"a\"}}", "{\"a\":\"\"}", false},
        {"{\"is_null\":{\"key\":\"a\"}}", "{\"a\":null}", true},
        {"{\"is_null\":{\"key\":\"a\"}}", "{\"a\":[1,null]}", true},
        {"{\"is_null\":{\"key\":\"a\"}}", "{}", false},
        {"{\"key\":\"a\",\"is_empty\":false}", "{\"a\":1}", true},
        {"{\"key\":\"a\",\"is_null\":false}", "{}", true},
    };

    ASSERT_CASES(cases);
}

#define DIET(what)                                                                         \
    "{\"nested\":{\"key\":\"d\",\"filter\":{\"must\":[{\"key\":\"f\",\"match\":{"          \
    "\"value\":\"meat\"}},{\"key\":\"likes\",\"match\":{\"value\":" what "}}]}}}"

static void a_nested_filter_holds_for_one_and_the_same_item(void **state)
{
    static const char diet[] =
        "{\"d\":[{\"f\":\"leaf\",\"likes\":false},{\"f\":\"meat\",\"likes\":true}]}";
    static const struct filter_case cases[] = {
        {DIET("true"), diet, true},
        {DIET("false"), diet, false},
        {DIET("true"), "{\"d\":{\"f\":\"meat\",\"likes\":true}}", false},
        {DIET("true"), "{\"d\":[1,[{\"f\":\"meat\",\"likes\":true}]]}", false},
    };

    ASSERT_CASES(cases);
}

static void points_have_ids_and_vectors(void **state)
{
    static const struct filter_case cases[] = {
        {"{\"has_id\":[7,42]}", "{}", true},
        {"{\"has_id\":[7]}", "{}", false},
        {"{\"has_vector\":\"v2\"}", "{}", true},
        {"{\"has_vector\":\"\"}", "{}", false},
        {"{\"should\":[{\"has_id\":[7]},{\"has_vector\":\"v2\"}]}", "{}", true},
        {"{\"should\":[{\"has_id\":[7]}]}", "{}", false},
        {"{\"must_not\":[{\"has_id\":[7]},{\"has_id\":[42]}]}", "{}", false},
        {"{\"min_should\":{\"conditions\":[{\"has_id\":[7]},{\"has_id\":[42]},{"
         "\"has_vector\":\"v2\"}],\"min_count\":2}}",
         "{}", true},
        {"{\"min_should\":{\"conditions\":[{\"has_id\":[7]},{\"has_id\":[42]}],\"min_"
         "count\":2}}",
         "{}", false},
    };

    ASSERT_CASES(cases);
}

/* The two remainders were computed aside, by code that also gives the paper's test vector.
 */
static void slices_part_the_points(void **state)
{
    struct hl_id uuid;
    size_t n[4] = {0};

    (void)state;
    assert_true(hl_id_parse_uuid("0f0e0d0c-0b0a-0908-0706-050403020100", 36, &uuid));
    for (uint64_t number = 0; number < 4000; number++) {
        struct hl_id id = hl_id_number(number);
        size_t held = 0;

        for (uint32_t index = 0; index < 4; index++) {
            bool has = hl_slice_has(&(struct hl_slice){4, index}, &id);

            held += has;
            n[index] += has;
        }
        assert_int_equal(held, 1);
    }
    for (size_t i = 0; i < 4; i++)
        assert_in_range(n[i], 850, 1150);
    assert_true(hl_slice_has(&(struct hl_slice){1000003, 789127},
                             &(struct hl_id){0, {0, 0, 0, 0, 0, 0, 0, 42}}));
    assert_true(hl_slice_has(&(struct hl_slice){1000003, 515952}, &uuid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_match_is_met_by_one_value_of_several,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(except_is_met_by_any_other_value_but_null,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(ranges_are_of_numbers_or_of_moments, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(places_are_in_boxes_circles_and_polygons,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(counts_emptiness_and_null_are_told_apart,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(a_nested_filter_holds_for_one_and_the_same_item,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(points_have_ids_and_vectors, start_reading,
                                        stop_reading),
        cmocka_unit_test(slices_part_the_points),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
