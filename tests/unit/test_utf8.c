/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/utf8.h"

#include <string.h>

static size_t char_len(const char *text)
{
    return hl_utf8_char_len(text, strlen(text));
}

static void whole_characters_have_their_length(void **state)
{
    (void)state;
    assert_int_equal(char_len("a"), 1);
    assert_int_equal(hl_utf8_char_len("\0", 1), 1);
    assert_int_equal(char_len("\xC2\x80"), 2);
    assert_int_equal(char_len("\xE0\xA0\x80"), 3);
    assert_int_equal(char_len("\xED\x9F\xBF"), 3);
    assert_int_equal(char_len("\xEE\x80\x80"), 3);
    assert_int_equal(char_len("\xF0\x90\x80\x80"), 4);
    assert_int_equal(char_len("\xF4\x8F\xBF\xBF"), 4);
}

static void what_rfc_3629_forbids_has_none(void **state)
{
    (void)state;
    assert_int_equal(char_len(""), 0);
    assert_int_equal(char_len("\x80"), 0);
    assert_int_equal(char_len("\xC1\xBF"), 0);
    assert_int_equal(char_len("\xE0\x9F\xBF"), 0);
    assert_int_equal(char_len("\xED\xA0\x80"), 0);
    assert_int_equal(char_len("\xF0\x8F\xBF\xBF"), 0);
    assert_int_equal(char_len("\xF4\x90\x80\x80"), 0);
    assert_int_equal(char_len("\xF5\x80\x80\x80"), 0);
    assert_int_equal(char_len("\xFF"), 0);
}

static void a_character_cut_short_is_none(void **state)
{
    (void)state;
    assert_int_equal(hl_utf8_char_len("\xC3\xA4", 1), 0);
    assert_int_equal(hl_utf8_char_len("\xE2\x82\xAC", 2), 0);
    assert_int_equal(hl_utf8_char_len("\xF0\x9F\x98\x80", 3), 0);
    assert_int_equal(char_len("\xE2\x82x"), 0);
    assert_int_equal(char_len("\xF0\x9F\x98x"), 0);
}

static void the_valid_beginning_ends_at_the_first_fault(void **state)
{
    (void)state;
    assert_int_equal(hl_utf8_valid_len("12345678\xC3\xA4", 10), 10);
    assert_int_equal(hl_utf8_valid_len("1234567\xC3\xA4 90\x80", 13), 12);
    assert_int_equal(hl_utf8_valid_len("", 0), 0);
}

static void every_code_point_is_written_as_it_is_read(void **state)
{
    char bytes[4];

    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        size_t n;

        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        n = hl_utf8_put(c, bytes);
        assert_int_equal(hl_utf8_char_len(bytes, n), n);
    }
    assert_int_equal(hl_utf8_put(0x20AC, bytes), 3);
    assert_memory_equal(bytes, "\xE2\x82\xAC", 3);
    assert_int_equal(hl_utf8_put(0x1F600, bytes), 4);
    assert_memory_equal(bytes, "\xF0\x9F\x98\x80", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_characters_have_their_length),
        cmocka_unit_test(what_rfc_3629_forbids_has_none),
        cmocka_unit_test(a_character_cut_short_is_none),
        cmocka_unit_test(the_valid_beginning_ends_at_the_first_fault),
        cmocka_unit_test(every_code_point_is_written_as_it_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
