/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/fail.h"
#include "proto/token.h"

#include <stdio.h>
#include <string.h>

enum { ROOM = 4096 };

struct fixture {
    struct hl_arena *arena;
    struct hl_tokens tokens;
    struct hl_err err;
    char *source; /* of exactly the text's size, so that a sanitizer sees its end */
    char seen[ROOM];
};

static int start(void **state)
{
    struct fixture *f = hl_alloc_zeroed(1, sizeof *f);

    f->arena = hl_arena_new(1 << 20);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_arena_free(f->arena);
    hl_free(f->source);
    hl_free(f);
    return 0;
}

static struct hl_tokens *read_bytes(struct fixture *f, const char *text, size_t len)
{
    hl_free(f->source);
    f->source = hl_alloc(len ? len : 1);
    memcpy(f->source, text, len);
    hl_tokens_init(&f->tokens, f->source, len, f->arena);
    return &f->tokens;
}

static struct hl_tokens *read_text(struct fixture *f, const char *text)
{
    return read_bytes(f, text, strlen(text));
}

/* All tokens in one line: structure as it is, "k:KEY", "s:STRING", "n:NUMBER". */
static const char *tokens_of(struct fixture *f, const char *text)
{
    static const char *const prefix[] = {
        [HL_TOKEN_KEY] = "k:", [HL_TOKEN_STRING] = "s:", [HL_TOKEN_NUMBER] = "n:"};
    struct hl_token token;
    size_t at = 0;

    read_text(f, text);
    f->seen[0] = '\0';
    while (hl_tokens_next(&f->tokens, &token, &f->err) == HL_OK) {
        const char *mark = token.kind <= HL_TOKEN_NUMBER ? prefix[token.kind] : NULL;

        if (token.kind == HL_TOKEN_END)
            return f->seen;
        at += (size_t)snprintf(f->seen + at, ROOM - at, "%s%s%.*s", at ? " " : "",
                               mark ? mark : "", (int)token.len, token.text);
    }
    return f->err.msg;
}

static void assert_refused(struct fixture *f, const char *text, const char *sentence)
{
    char wanted[HL_ERR_MSG_SIZE];

    snprintf(wanted, sizeof wanted, "Format error in JSON body: %s", sentence);
    assert_string_equal(tokens_of(f, text), wanted);
    assert_int_equal(f->err.code, HL_MALFORMED);
}

static void values_come_in_order(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(tokens_of(f, "{\"a\":[1,-2.5e+3,true],\"b\":{},\"c\":\"x\"}"),
                        "{ k:a [ n:1 n:-2.5e+3 true ] k:b { } k:c s:x }");
    assert_string_equal(tokens_of(f, " \t\r\n[ ] "), "[ ]");
    assert_string_equal(tokens_of(f, "null"), "null");
    assert_string_equal(tokens_of(f, "[[],{},[false,[null]]]"),
                        "[ [ ] { } [ false [ null ] ] ]");
    assert_string_equal(tokens_of(f, "-0"), "n:-0");
    assert_string_equal(tokens_of(f, "{\"a\\u0062\":\"\\ud83d\\ude00\"}"),
                        "{ k:ab s:\xF0\x9F\x98\x80 }");
}

static void numbers_keep_every_digit_of_their_source(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(
        tokens_of(f, "[18446744073709551615, 0.10000000000000000000000001E-400]"),
        "[ n:18446744073709551615 n:0.10000000000000000000000001E-400 ]");
}

static void the_grammar_is_refused_with_its_place(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "", "expected a value, got the end at line 1 column 1 (byte 0)");
    assert_refused(f, "{\n  \"a\": 1,\n  x}",
                   "expected a key, got \"x\" at line 3 column 3 (byte 14)");
    assert_refused(f, "[1,]", "expected a value, got \"]\" at line 1 column 4 (byte 3)");
    assert_refused(f, "[1 2]",
                   "expected \",\" or \"]\", got \"2\" at line 1 column 4 (byte 3)");
    assert_refused(f, "{\"a\" 1}", "expected \":\", got \"1\" at line 1 column 6 (byte 5)");
    assert_refused(f, "{\"a\":1,}",
                   "expected a key, got \"}\" at line 1 column 8 (byte 7)");
    assert_refused(f, "{\"a\":1]",
                   "expected \",\" or \"}\", got \"]\" at line 1 column 7 (byte 6)");
    assert_refused(f, "[1}",
                   "expected \",\" or \"]\", got \"}\" at line 1 column 3 (byte 2)");
    assert_refused(f, "{1:2}",
                   "expected a key or \"}\", got \"1\" at line 1 column 2 (byte 1)");
    assert_refused(f, "[}",
                   "expected a value or \"]\", got \"}\" at line 1 column 2 (byte 1)");
    assert_refused(f, "1 \"",
                   "expected nothing more, got a quote at line 1 column 3 (byte 2)");
    assert_refused(f,
                   "\xEF\xBB\xBF"
                   "1",
                   "expected a value, got byte 0xef at line 1 column 1 (byte 0)");
    assert_refused(f, "[\"a\nb\"]",
                   "control character in a string at line 1 column 4 (byte 3)");
    assert_refused(f, "[\"ab",
                   "expected a closing quote, got the end at line 1 column 5 (byte 4)");
}

static void only_json_numbers_and_words_are_values(void **state)
{
    static const char *const wrong[] = {
        "01",  "-",    "+1",       ".5",   "1.",   "1.e5",  "1e",    "1e+",
        "-01", "0x10", "NaN",      "-Inf", "tru",  "nul",   "falsE", "True",
        "'a'", "1_0",  "Infinity", "--1",  "1..2", "1e5.5",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_non_null(strstr(tokens_of(f, wrong[i]), "Format error in JSON body: "));
}

static void nesting_is_counted_not_recursed(void **state)
{
    struct fixture *f = *state;
    char text[2 * HL_TOKEN_MAX_DEPTH + 3] = {0};

    memset(text, '[', HL_TOKEN_MAX_DEPTH);
    memset(text + HL_TOKEN_MAX_DEPTH, ']', HL_TOKEN_MAX_DEPTH);
    read_text(f, text);
    assert_int_equal(hl_tokens_skip(&f->tokens, &f->err), HL_OK);
    assert_int_equal(hl_tokens_finish(&f->tokens, &f->err), HL_OK);
    memset(text, '[', HL_TOKEN_MAX_DEPTH + 1);
    assert_refused(f, text, "nested too deeply at line 1 column 129 (byte 128)");
}

static void a_string_without_escapes_is_not_copied(void **state)
{
    struct fixture *f = *state;
    struct hl_token token;

    read_text(f, "\"as it stands\"");
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
    assert_ptr_equal(token.text, f->source + 1);
    assert_int_equal(hl_arena_used(f->arena), 0);
}

static void a_zero_byte_is_part_of_a_string(void **state)
{
    struct fixture *f = *state;
    struct hl_token token;

    read_text(f, "\"a\\u0000b\"");
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
    assert_int_equal(token.len, 3);
    assert_memory_equal(token.text, "a\0b", 3);
    read_bytes(f, "\"a\0b\"", 5);
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_MALFORMED);
}

static void a_peeked_token_comes_again(void **state)
{
    struct fixture *f = *state;
    struct hl_tokens *tokens = read_text(f, "[\"x\\n\",2]");
    struct hl_token peeked, token;

    assert_int_equal(hl_tokens_next(tokens, &token, &f->err), HL_OK);
    assert_int_equal(hl_tokens_peek(tokens, &peeked, &f->err), HL_OK);
    assert_int_equal(hl_tokens_peek(tokens, &peeked, &f->err), HL_OK);
    assert_int_equal(hl_tokens_next(tokens, &token, &f->err), HL_OK);
    assert_int_equal(token.kind, HL_TOKEN_STRING);
    assert_ptr_equal(token.text, peeked.text);
    assert_int_equal(hl_tokens_next(tokens, &token, &f->err), HL_OK);
    assert_int_equal(token.kind, HL_TOKEN_NUMBER);
    assert_int_equal(token.start, 7);
}

static void assert_span(struct fixture *f, const char *wanted)
{
    const char *text;
    size_t len;

    assert_int_equal(hl_tokens_span(&f->tokens, &text, &len, &f->err), HL_OK);
    assert_int_equal(len, strlen(wanted));
    assert_memory_equal(text, wanted, len);
}

static void a_span_is_the_source_as_it_came(void **state)
{
    struct fixture *f = *state;
    struct hl_token token;

    read_text(f, "[ {\"a\" : [1, \"]\\u0041\"] } ,\t7 , \"x\\n\",{\"k\": true}]");
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
    assert_int_equal(hl_tokens_peek(&f->tokens, &token, &f->err), HL_OK);
    assert_span(f, "{\"a\" : [1, \"]\\u0041\"] }");
    assert_span(f, "7");
    assert_int_equal(hl_tokens_peek(&f->tokens, &token, &f->err), HL_OK);
    assert_span(f, "\"x\\n\"");
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
    assert_span(f, "true");
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
    assert_int_equal(hl_tokens_finish(&f->tokens, &f->err), HL_OK);
}

static void what_is_skipped_is_checked_all_the_same(void **state)
{
    struct fixture *f = *state;

    read_text(f, "{\"a\":[1,{\"b\":\"\\q\"}]}");
    assert_int_equal(hl_tokens_skip(&f->tokens, &f->err), HL_MALFORMED);
    assert_string_equal(f->err.msg, "Format error in JSON body: invalid escape in a string "
                                    "at line 1 column 15 (byte 14)");
    read_text(f, "[]");
    assert_int_equal(hl_tokens_skip(&f->tokens, &f->err), HL_OK);
    assert_int_equal(hl_tokens_skip(&f->tokens, &f->err), HL_MALFORMED);
    read_text(f, "1 2");
    assert_int_equal(hl_tokens_skip(&f->tokens, &f->err), HL_OK);
    assert_int_equal(hl_tokens_finish(&f->tokens, &f->err), HL_MALFORMED);
}

static void another_text_is_refused_in_its_own_name(void **state)
{
    struct fixture *f = *state;

    read_text(f, "[");
    f->tokens.what = "safetensors header";
    f->tokens.code = HL_BAD_FILE;
    assert_int_equal(hl_tokens_skip(&f->tokens, &f->err), HL_BAD_FILE);
    assert_string_equal(f->err.msg,
                        "Format error in safetensors header: expected a value or "
                        "\"]\", got the end at line 1 column 2 (byte 1)");
}

static void every_beginning_of_a_text_is_refused_in_bounds(void **state)
{
    static const char text[] =
        "{\"a\\u00e4\":[1.5e-3,true,{\"b\":null,\"\xC3\xA4\":\"x\"}]}";
    struct fixture *f = *state;

    for (size_t len = 0; len < sizeof text - 1; len++) {
        read_bytes(f, text, len);
        assert_int_equal(hl_tokens_skip(&f->tokens, &f->err), HL_MALFORMED);
    }
    read_bytes(f, text, sizeof text - 1);
    assert_int_equal(hl_tokens_skip(&f->tokens, &f->err), HL_OK);
}

static void a_string_that_finds_no_room_says_so(void **state)
{
    struct fixture *f = *state;
    struct hl_token token;

    read_text(f, "\"\\n\"");
    assert_int_equal(hl_failpoint_arm("alloc=1:fail", &f->err), HL_OK);
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_NO_MEMORY);
    hl_failpoint_disarm();
    assert_int_equal(hl_tokens_next(&f->tokens, &token, &f->err), HL_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(values_come_in_order),
        CASE(numbers_keep_every_digit_of_their_source),
        CASE(the_grammar_is_refused_with_its_place),
        CASE(only_json_numbers_and_words_are_values),
        CASE(nesting_is_counted_not_recursed),
        CASE(a_string_without_escapes_is_not_copied),
        CASE(a_zero_byte_is_part_of_a_string),
        CASE(a_peeked_token_comes_again),
        CASE(a_span_is_the_source_as_it_came),
        CASE(what_is_skipped_is_checked_all_the_same),
        CASE(another_text_is_refused_in_its_own_name),
        CASE(every_beginning_of_a_text_is_refused_in_bounds),
        CASE(a_string_that_finds_no_room_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
