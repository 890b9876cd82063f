/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/text.h"

#include "tests/unit/reading.h"

static enum hl_code read_texts(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_texts_read(field, out, err);
}

static void texts_keep_their_order_and_their_zero_bytes(void **state)
{
    static const struct reading_case accepted = {"[\"b\",\"\",\"a\\u0000c\"]", 200, NULL};
    struct hl_texts texts;

    assert_reading(*state, &accepted, read_texts, &texts);
    assert_int_equal(texts.n, 3);
    assert_true(hl_text_is(&texts.items[0], "b"));
    assert_true(hl_text_is(&texts.items[1], ""));
    assert_int_equal(texts.items[2].len, 3);
    assert_memory_equal(texts.items[2].text, "a\0c", 3);
    assert_false(hl_text_is(&texts.items[2], "a"));
}

static void a_text_without_escapes_is_not_copied(void **state)
{
    static const struct reading_case accepted = {"[\"plain\"]", 200, NULL};
    struct reading *r = *state;
    struct hl_texts texts;

    assert_reading(r, &accepted, read_texts, &texts);
    assert_ptr_equal(texts.items[0].text, r->body + 2);
}

static void what_is_no_text_is_refused(void **state)
{
    static const struct reading_case cases[] = {
        {"\"a\"", 400, "expected an array, got \"a\""},
        {"[\"a\",null]", 400, "[1]: expected a string, got null"},
    };
    struct hl_texts texts;

    ASSERT_READINGS(*state, cases, read_texts, &texts);
}

static void texts_are_ordered_by_their_bytes(void **state)
{
    static const struct hl_text ascending[] = {
        {"", 0}, {"\0", 1}, {"a", 1}, {"a\0", 2}, {"ab", 2}, {"b", 1}, {"\xc3\xbc", 2}};
    const int n = sizeof ascending / sizeof ascending[0];

    (void)state;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) {
            int order = hl_text_compare(&ascending[i], &ascending[k]);

            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_reading, stop_reading)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(texts_keep_their_order_and_their_zero_bytes),
        TEST(a_text_without_escapes_is_not_copied),
        TEST(what_is_no_text_is_refused),
        TEST(texts_are_ordered_by_their_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
