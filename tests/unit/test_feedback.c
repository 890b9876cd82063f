/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/feedback.h"

#include "tests/unit/reading.h"

static enum hl_code read_feedbacks(const struct hl_field *field, void *out,
                                   struct hl_err *err)
{
    return hl_feedbacks_read(field, out, err);
}

static struct hl_feedbacks feedbacks_of(struct reading *r, const char *body)
{
    struct reading_case accepted = {body, 200, NULL};
    struct hl_feedbacks feedbacks;

    assert_reading(r, &accepted, read_feedbacks, &feedbacks);
    return feedbacks;
}

static void one_says_what_was_relevant_to_a_query(void **state)
{
    const struct hl_feedbacks got =
        feedbacks_of(*state, "{\"relevant\":[9,3,9],\"query_id\":\"a-1\"}");

    assert_false(got.is_list);
    assert_int_equal(got.n, 1);
    assert_true(hl_text_is(&got.items[0].query_id, "a-1"));
    assert_int_equal(got.items[0].index, 0);
    assert_int_equal(got.items[0].relevant.n, 2);
    assert_int_equal(hl_id_value(&got.items[0].relevant.items[0]), 3);
}

static void a_list_keeps_its_order(void **state)
{
    const struct hl_feedbacks got =
        feedbacks_of(*state, "{\"feedback\":[{\"query_id\":\"b\",\"relevant\":[]},"
                             "{\"query_id\":\"a\",\"index\":7,\"relevant\":[1]}]}");

    assert_true(got.is_list);
    assert_int_equal(got.n, 2);
    assert_int_equal(got.items[0].relevant.n, 0);
    assert_true(hl_text_is(&got.items[1].query_id, "a"));
    assert_int_equal(got.items[1].index, 7);
    assert_int_equal(feedbacks_of(*state, "{\"feedback\":[]}").n, 0);
}

static void an_id_may_be_as_long_as_a_request_s(void **state)
{
    char body[200];

    struct hl_feedbacks got;
    struct reading *r = *state;

    (void)snprintf(body, sizeof body, "{\"query_id\":\"%0128d\",\"relevant\":[1]}", 0);
    assert_int_equal(feedbacks_of(r, body).items[0].query_id.len, 128);
    (void)snprintf(body, sizeof body, "{\"query_id\":\"%0129d\",\"relevant\":[1]}", 0);
    assert_int_equal(hl_feedbacks_read(reading_of(r, body), &got, &r->err), HL_INVALID);
}

static void what_is_neither_is_refused(void **state)
{
    static const char either[] =
        "expected either \"query_id\" and \"relevant\", or \"feedback\" alone";
    static const struct reading_case cases[] = {
        {"{}", 400, either},
        {"{\"query_id\":\"a\"}", 400, either},
        {"{\"relevant\":[1]}", 400, either},
        {"{\"query_id\":\"a\",\"relevant\":[1],\"feedback\":[]}", 400, either},
        {"{\"feedback\":[{\"query_id\":\"a\"}]}", 400,
         "feedback[0]: missing field \"relevant\""},
        {"{\"feedback\":[{\"feedback\":[]}]}", 400, "feedback[0].feedback: unknown field"},
        {"{\"query_id\":\"\",\"relevant\":[1]}", 422,
         "[query_id: value \"\" invalid, must be the id of a request, 1 to 128 "
         "characters]"},
        {"{\"query_id\":\"a\\u0000b\",\"relevant\":[1]}", 422,
         "[query_id: value \"a\" invalid, must be the id of a request, 1 to 128 "
         "characters]"},
        {"{\"query_id\":1,\"relevant\":[1]}", 400, "query_id: expected a string, got 1"},
        {"{\"query_id\":\"a\",\"relevant\":[-1]}", 422,
         "[relevant[0]: value -1 invalid, must be from 0 to 18446744073709551615]"},
        {"{\"query_id\":\"a\",\"index\":-1,\"relevant\":[1]}", 422,
         "[index: value -1 invalid, must be from 0 to 4294967295]"},
    };

    struct hl_feedbacks got;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_reading(*state, &cases[i], read_feedbacks, &got);
}

#define READING(test) cmocka_unit_test_setup_teardown(test, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        READING(one_says_what_was_relevant_to_a_query),
        READING(a_list_keeps_its_order),
        READING(an_id_may_be_as_long_as_a_request_s),
        READING(what_is_neither_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
