/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/suggest.h"

#include <string.h>

/* The nearest of a few names, "" when none is near. */
static const char *nearest(const char *typed)
{
    const char *const names[] = {"host", "http_port", "workers", "readers", "path"};
    struct hl_suggest suggest;

    hl_suggest_init(&suggest, typed, strlen(typed));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        hl_suggest_offer(&suggest, names[i]);
    return suggest.best ? suggest.best : "";
}

static void a_slip_of_the_hand_finds_the_name(void **state)
{
    (void)state;
    assert_string_equal(nearest("hots"), "host");
    assert_string_equal(nearest("httpport"), "http_port");
    assert_string_equal(nearest("http_prot"), "http_port");
    assert_string_equal(nearest("WORKERS"), "workers");
    assert_string_equal(nearest("worker"), "workers");
    assert_string_equal(nearest("redaers"), "readers");
}

static void another_word_finds_nothing(void **state)
{
    (void)state;
    assert_string_equal(nearest("colour"), "");
    assert_string_equal(nearest(""), "");
    assert_string_equal(nearest("x"), "");
}

static void names_of_any_length_are_taken(void **state)
{
    char longest[1000];

    (void)state;
    for (size_t len = 1; len < sizeof longest; len++) {
        memset(longest, 'h', len);
        longest[len] = '\0';
        assert_string_equal(nearest(longest), "");
    }
}

static void the_words_name_it_or_are_none(void **state)
{
    struct hl_suggest suggest;
    char words[64];

    (void)state;
    hl_suggest_init(&suggest, "hots", 4);
    assert_string_equal(hl_suggest_words(&suggest, words, sizeof words), "");
    hl_suggest_offer(&suggest, "host");
    assert_string_equal(hl_suggest_words(&suggest, words, sizeof words),
                        "; did you mean \"host\"?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_of_the_hand_finds_the_name),
        cmocka_unit_test(another_word_finds_nothing),
        cmocka_unit_test(names_of_any_length_are_taken),
        cmocka_unit_test(the_words_name_it_or_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
