/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/quoted.h"

#include <string.h>

/* `inside` carries its closing quote. */
static void assert_says(const char *inside, const char *wanted, size_t wanted_len)
{
    char said[64];
    bool has_escapes;
    size_t end, len;

    assert_null(hl_quoted_scan(inside, strlen(inside), &end, &has_escapes));
    assert_int_equal(end, strlen(inside) - 1);
    assert_int_equal(has_escapes, strchr(inside, '\\') != NULL);
    len = hl_quoted_resolve(inside, end, said);
    assert_int_equal(len, wanted_len);
    assert_memory_equal(said, wanted, len);
}

static void assert_wrong_at_of(const char *inside, size_t len, size_t at,
                               const char *wanted)
{
    bool has_escapes;
    size_t end;
    const char *fault = hl_quoted_scan(inside, len, &end, &has_escapes);

    assert_non_null(fault);
    assert_string_equal(fault, wanted);
    assert_int_equal(end, at);
}

static void assert_wrong_at(const char *inside, size_t at, const char *wanted)
{
    assert_wrong_at_of(inside, strlen(inside), at, wanted);
}

static void assert_ends_at(const char *inside, size_t len, size_t at)
{
    bool has_escapes;
    size_t end;

    assert_null(hl_quoted_scan(inside, len, &end, &has_escapes));
    assert_int_equal(end, at);
}

static void escapes_say_what_they_stand_for(void **state)
{
    (void)state;
    assert_says("plain\"", "plain", 5);
    assert_says("\"", "", 0);
    assert_says("\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8);
    assert_says("a\\u0000b\"", "a\0b", 3);
    assert_says("\\u00e4\\u20AC\"", "\xC3\xA4\xE2\x82\xAC", 5);
    assert_says("\\ud83d\\ude00\"", "\xF0\x9F\x98\x80", 4);
    assert_says("\\uD7FF\\uE000\"", "\xED\x9F\xBF\xEE\x80\x80", 6);
    assert_says("gr\xC3\xBC\xC3\x9F, a longer one\"", "gr\xC3\xBC\xC3\x9F, a longer one",
                20);
}

static void surrogates_come_in_pairs(void **state)
{
    (void)state;
    assert_wrong_at("ab\\ud83d\"", 2, "invalid escape in a string");
    assert_wrong_at("\\ude00\\ud83d\"", 0, "invalid escape in a string");
    assert_wrong_at("\\ud83d\\u0041\"", 0, "invalid escape in a string");
    assert_wrong_at("\\ud83dxxxxxx\"", 0, "invalid escape in a string");
    assert_wrong_at("\\ud83d\\ud83d\"", 0, "invalid escape in a string");
}

static void what_is_no_escape_is_refused(void **state)
{
    (void)state;
    assert_wrong_at("12345678\\x41\"", 8, "invalid escape in a string");
    assert_wrong_at("\\u12g4\"", 0, "invalid escape in a string");
    assert_wrong_at("\\u123", 0, "invalid escape in a string");
    assert_wrong_at("\\", 0, "invalid escape in a string");
}

static void controls_and_broken_utf_8_are_refused_where_they_stand(void **state)
{
    (void)state;
    assert_wrong_at("abcdefghij\nk\"", 10, "control character in a string");
    assert_wrong_at("abcdefghij\x01\"", 10, "control character in a string");
    assert_wrong_at("abc\xFF\"", 3, "invalid UTF-8 in a string");
    assert_wrong_at("abcdefgh\xC3\"", 8, "invalid UTF-8 in a string");
    assert_wrong_at("\xED\xA0\x80\"", 0, "invalid UTF-8 in a string");
}

static void what_is_special_is_seen_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t at = 0; at < 70; at++) {
        char text[160];

        memset(text, '~', sizeof text);
        text[sizeof text - 2] = '"';
        text[sizeof text - 1] = text[at] = '\0';
        assert_wrong_at_of(text, sizeof text - 1, at, "control character in a string");
        text[at] = '\x1f';
        assert_wrong_at_of(text, sizeof text - 1, at, "control character in a string");
        text[at] = '\\';
        assert_wrong_at_of(text, sizeof text - 1, at, "invalid escape in a string");
        text[at] = '\x80';
        assert_wrong_at_of(text, sizeof text - 1, at, "invalid UTF-8 in a string");
        text[at] = '"';
        assert_ends_at(text, sizeof text - 1, at);
        text[at] = ' ';
        assert_ends_at(text, sizeof text - 1, sizeof text - 2);
    }
}

static void a_string_without_its_end_is_refused_at_the_end(void **state)
{
    (void)state;
    assert_wrong_at("", 0, "expected a closing quote, got the end");
    assert_wrong_at("abcdefghijkl", 12, "expected a closing quote, got the end");
    assert_wrong_at("abc\\\"", 5, "expected a closing quote, got the end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_say_what_they_stand_for),
        cmocka_unit_test(surrogates_come_in_pairs),
        cmocka_unit_test(what_is_no_escape_is_refused),
        cmocka_unit_test(controls_and_broken_utf_8_are_refused_where_they_stand),
        cmocka_unit_test(what_is_special_is_seen_wherever_it_stands),
        cmocka_unit_test(a_string_without_its_end_is_refused_at_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
