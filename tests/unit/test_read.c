/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/read.h"

#include "tests/unit/reading.h"

static enum hl_code read_retrieve(const struct hl_field *field, void *out,
                                  struct hl_err *err)
{
    return hl_retrieve_read(field, out, err);
}

static enum hl_code read_scroll(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_scroll_read(field, out, err);
}

static enum hl_code read_count(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_count_read(field, out, err);
}

static enum hl_code read_facet(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_facet_read(field, out, err);
}

static struct hl_scroll scroll_of(struct reading *r, const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    struct hl_scroll scroll;

    assert_reading(r, &accepted, read_scroll, &scroll);
    return scroll;
}

static void points_are_asked_for_by_their_ids(void **state)
{
    static const struct reading_case plain = {"{\"ids\":[2,1]}", 200, NULL};
    static const struct reading_case full = {
        "{\"ids\":[],\"with_payload\":false,\"with_vectors\":[\"a\"],\"shard_key\":null}",
        200, NULL};
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"ids\""},
        {"{\"ids\":[1],\"with_vector\":true,\"with_vectors\":true}", 400,
         "with_vectors: duplicate field"},
        {"{\"ids\":[1],\"shard_key\":\"a\"}", 400,
         "\"shard_key\" is not supported: a collection is one shard without a key"},
    };
    struct hl_retrieve retrieve;

    assert_reading(*state, &plain, read_retrieve, &retrieve);
    assert_int_equal(retrieve.ids.n, 2);
    assert_int_equal(hl_id_value(&retrieve.ids.items[0]), 2);
    assert_int_equal(retrieve.with_payload.kind, HL_SELECT_ALL);
    assert_int_equal(retrieve.with_vector.kind, HL_SELECT_NONE);
    assert_reading(*state, &full, read_retrieve, &retrieve);
    assert_int_equal(retrieve.with_payload.kind, HL_SELECT_NONE);
    assert_int_equal(retrieve.with_vector.kind, HL_SELECT_ONLY);
    ASSERT_READINGS(*state, cases, read_retrieve, &retrieve);
}

static void a_page_begins_at_an_id(void **state)
{
    struct hl_scroll scroll = scroll_of(*state, "{}");

    assert_false(scroll.has_offset || scroll.is_ordered);
    assert_int_equal(scroll.limit, 10);
    assert_int_equal(scroll.with_payload.kind, HL_SELECT_ALL);
    scroll = scroll_of(*state, "{\"offset\":7,\"limit\":3,\"filter\":{\"must\":[]},"
                               "\"with_payload\":[\"a\"],\"with_vector\":true}");
    assert_true(scroll.has_offset);
    assert_int_equal(hl_id_value(&scroll.offset), 7);
    assert_int_equal(scroll.limit, 3);
    assert_non_null(scroll.filter);
    assert_int_equal(scroll.with_payload.kind, HL_SELECT_ONLY);
    assert_int_equal(scroll.with_vector.kind, HL_SELECT_ALL);
}

static void a_page_may_be_ordered_by_a_key(void **state)
{
    struct hl_scroll scroll = scroll_of(*state, "{\"order_by\":\"a.b\"}");

    assert_true(scroll.is_ordered);
    assert_int_equal(scroll.order.key.n_steps, 2);
    assert_false(scroll.order.is_descending);
    assert_int_equal(scroll.order.start, HL_START_NOWHERE);
    scroll = scroll_of(*state, "{\"order_by\":{\"key\":\"a\",\"direction\":\"desc\","
                               "\"start_from\":9223372036854775807}}");
    assert_true(scroll.order.is_descending && scroll.order.is_whole);
    assert_int_equal(scroll.order.start, HL_START_NUMBER);
    assert_true(scroll.order.integer == INT64_MAX);
    scroll = scroll_of(*state, "{\"order_by\":{\"key\":\"a\",\"start_from\":1.5}}");
    assert_false(scroll.order.is_whole);
    assert_true(scroll.order.number > 1.4 && scroll.order.number < 1.6);
    scroll =
        scroll_of(*state, "{\"order_by\":{\"key\":\"a\",\"start_from\":\"1970-01-02\"}}");
    assert_int_equal(scroll.order.start, HL_START_TIME);
    assert_int_equal(scroll.order.integer, 86400000000);
}

static void what_is_no_page_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"{\"limit\":0}", 422, "[limit: value 0 invalid, must be 1 or larger]"},
        {"{\"offset\":\"x\"}", 400,
         "offset: expected a point id, an unsigned integer or a UUID, got \"x\""},
        {"{\"offset\":1,\"order_by\":\"a\"}", 400,
         "Wrong input: an offset cannot be used with order_by: use order_by.start_from"},
        {"{\"order_by\":{}}", 400, "order_by: missing field \"key\""},
        {"{\"order_by\":{\"key\":\"a\",\"direction\":\"up\"}}", 422,
         "[order_by.direction: value \"up\" invalid, must be one of \"asc\", \"desc\"]"},
        {"{\"order_by\":{\"key\":\"a\",\"start_from\":\"soon\"}}", 400,
         "order_by.start_from: expected a date and time of RFC 3339, got \"soon\""},
        {"{\"order_by\":{\"key\":\"a\",\"start_from\":true}}", 400,
         "order_by.start_from: expected a number, got true"},
        {"{\"page\":1}", 400, "page: unknown field"},
    };
    struct hl_scroll scroll;

    ASSERT_READINGS(*state, cases, read_scroll, &scroll);
}

static void counts_are_exact_unless_they_need_not_be(void **state)
{
    static const struct reading_case plain = {"{}", 200, NULL};
    static const struct reading_case rough = {
        "{\"exact\":false,\"filter\":{\"must\":{\"has_id\":[1]}}}", 200, NULL};
    static const struct reading_case cases[] = {
        {"{\"exact\":1}", 400, "exact: expected true or false, got 1"},
        {"{\"fliter\":{}}", 400, "fliter: unknown field"},
    };
    struct hl_count count;

    assert_reading(*state, &plain, read_count, &count);
    assert_true(count.is_exact && !count.filter);
    assert_reading(*state, &rough, read_count, &count);
    assert_true(!count.is_exact && count.filter);
    ASSERT_READINGS(*state, cases, read_count, &count);
}

static void a_facet_has_a_key(void **state)
{
    static const struct reading_case plain = {"{\"key\":\"a\"}", 200, NULL};
    static const struct reading_case full = {
        "{\"key\":\"a\",\"limit\":3,\"filter\":{},\"exact\":true}", 200, NULL};
    static const struct reading_case cases[] = {
        {"{}", 400, "missing field \"key\""},
        {"{\"key\":\"a\",\"limit\":0}", 422,
         "[limit: value 0 invalid, must be 1 or larger]"},
    };
    struct hl_facet facet;

    assert_reading(*state, &plain, read_facet, &facet);
    assert_int_equal(facet.limit, 10);
    assert_true(!facet.is_exact && !facet.filter);
    assert_reading(*state, &full, read_facet, &facet);
    assert_int_equal(facet.limit, 3);
    assert_true(facet.is_exact && facet.filter);
    ASSERT_READINGS(*state, cases, read_facet, &facet);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(points_are_asked_for_by_their_ids),        TEST(a_page_begins_at_an_id),
        TEST(a_page_may_be_ordered_by_a_key),           TEST(what_is_no_page_is_refused),
        TEST(counts_are_exact_unless_they_need_not_be), TEST(a_facet_has_a_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
