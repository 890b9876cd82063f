/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/wire/match.h"

static bool fits(const char *pattern, const char *text)
{
    char why[HL_WHY_SIZE] = "";

    return hl_match_json(pattern, text, why);
}

static void assert_refused(const char *pattern, const char *text, const char *wanted)
{
    char why[HL_WHY_SIZE] = "";

    assert_false(hl_match_json(pattern, text, why));
    assert_string_equal(why, wanted);
}

static void any_stands_for_any_text_in_a_text(void **state)
{
    (void)state;
    assert_true(hl_match_text("a<any>c", "abc"));
    assert_true(hl_match_text("a<any>c", "ac"));
    assert_true(hl_match_text("<any>b<any>", "abc"));
    assert_true(hl_match_text("a<any>b<any>b", "abab"));
    assert_false(hl_match_text("a<any>c", "ab"));
    assert_false(hl_match_text("<any>x<any>", "abc"));
    assert_false(hl_match_text("ab<any>b", "ab"));
    assert_false(hl_match_text("abc", "abcd"));
}

static void an_object_may_have_more_members_but_no_less(void **state)
{
    (void)state;
    assert_true(fits("{\"a\":1}", "{\"b\":2,\"a\":1}"));
    assert_refused("{\"a\":1}", "{\"b\":2}", "$.a is not there");
    assert_refused("{\"a\":1}", "{\"a\":2}", "$.a is 2");
    assert_refused("{\"a\":{\"b\":1}}", "{\"a\":3}", "$.a is not an object");
    assert_refused("{\"a\":1,\"<only>\":0}", "{\"a\":1,\"b\":2}",
                   "$.b is there and was not wanted");
    assert_refused("{\"a\":\"<absent>\"}", "{\"a\":null}", "$.a is there");
    assert_true(fits("{\"a\":\"<absent>\"}", "{}"));
}

static void an_array_has_exactly_as_many_unless_marked(void **state)
{
    (void)state;
    assert_true(fits("[1,2]", "[1,2]"));
    assert_refused("[1,2]", "[1]", "$[1] is not there");
    assert_refused("[1]", "[1,2]", "$ has more than 1");
    assert_true(fits("[1,\"<more>\"]", "[1,2]"));
    assert_refused("[1,\"<more>\"]", "[2]", "$[0] is 2");
    assert_refused("[]", "{}", "$ is not an array");
}

static void a_placeholder_stands_for_its_kind_alone(void **state)
{
    (void)state;
    assert_true(fits("[\"<string>\",\"<number>\",\"<bool>\",\"<object>\",\"<array>\"]",
                     "[\"x\",1,false,{},[]]"));
    assert_refused("\"<string>\"", "1", "$ is 1");
    assert_refused("\"<number>\"", "\"1\"", "$ is \"1\"");
    assert_refused("\"<bool>\"", "0", "$ is 0");
    assert_refused("\"x<any>\"", "\"y\"", "$ is \"y\"");
    assert_refused("null", "false", "$ is false");
}

static void what_is_not_json_never_fits(void **state)
{
    (void)state;
    assert_refused("\"<any>\"", "{\"a\":", "the body is not JSON");
    assert_refused("\"<any>\"", "1 2", "the body is not JSON");
    assert_refused("{", "1", "the pattern itself is not JSON");
}

static bool reply_fits(const struct hl_want *want)
{
    char text[] = "hello world";
    const struct hl_client_reply reply = {
        .status = 200, .n_headers = 1, .headers = {{"X-One", "1"}}, .body = text};
    char why[HL_WHY_SIZE] = "";

    return hl_match_reply(want, &reply, why);
}

static void a_reply_is_judged_by_all_that_is_wanted_of_it(void **state)
{
    char there[] = "x-one: <any>", other[] = "X-One: 2", missing[] = "X-Two: 1";
    char forbidden[] = "! X-One", absent[] = "! X-Two";
    char part[] = "lo wo", no_part[] = "goodbye", whole[] = "hello world", less[] = "hello";

    (void)state;
    assert_true(reply_fits(&(struct hl_want){.status = 200,
                                             .n_headers = 2,
                                             .headers = {there, absent},
                                             .n_parts = 1,
                                             .parts = {part},
                                             .text = whole}));
    assert_false(reply_fits(&(struct hl_want){.status = 404}));
    assert_false(
        reply_fits(&(struct hl_want){.status = 200, .n_headers = 1, .headers = {other}}));
    assert_false(
        reply_fits(&(struct hl_want){.status = 200, .n_headers = 1, .headers = {missing}}));
    assert_false(reply_fits(
        &(struct hl_want){.status = 200, .n_headers = 1, .headers = {forbidden}}));
    assert_false(
        reply_fits(&(struct hl_want){.status = 200, .n_parts = 1, .parts = {no_part}}));
    assert_false(reply_fits(&(struct hl_want){.status = 200, .text = less}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_stands_for_any_text_in_a_text),
        cmocka_unit_test(an_object_may_have_more_members_but_no_less),
        cmocka_unit_test(an_array_has_exactly_as_many_unless_marked),
        cmocka_unit_test(a_placeholder_stands_for_its_kind_alone),
        cmocka_unit_test(what_is_not_json_never_fits),
        cmocka_unit_test(a_reply_is_judged_by_all_that_is_wanted_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
