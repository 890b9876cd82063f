/* SPDX-License-Identifier: Apache-2.0 */
#include "server/head.h"
#include "server/request.h"
#include "server/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct hl_arena *arena;
    struct hl_target target;
    struct hl_err err;
    char text[4096];
    char seen[4096]; /* segments as "/a|/b", then "?name=value" for each parameter */
};

static int make_arena(void **state)
{
    static struct fixture fixture;

    fixture = (struct fixture){.arena = hl_arena_new(1 << 20)};
    *state = &fixture;
    return fixture.arena ? 0 : -1;
}

static int free_arena(void **state)
{
    struct fixture *f = *state;

    hl_arena_free(f->arena);
    return 0;
}

static enum hl_code decode_bytes(struct fixture *f, const char *bytes, size_t len)
{
    memcpy(f->text, bytes, len);
    f->text[len] = '\0';
    return hl_target_decode(f->text, len, f->arena, &f->target, &f->err);
}

static enum hl_code decode(struct fixture *f, const char *text)
{
    return decode_bytes(f, text, strlen(text));
}

/* What the target came apart into, in one string. */
static const char *parts(struct fixture *f, const char *text)
{
    size_t len = 0;

    f->seen[0] = '\0';
    if (decode(f, text) != HL_OK)
        return f->err.msg;
    for (size_t i = 0; i < f->target.n_segments; i++)
        len += (size_t)snprintf(f->seen + len, sizeof f->seen - len, "/%s",
                                f->target.segments[i].data);
    for (size_t i = 0; i < f->target.n_query; i++)
        len +=
            (size_t)snprintf(f->seen + len, sizeof f->seen - len, "?%s=%s",
                             f->target.query[i].name.data, f->target.query[i].value.data);
    return f->seen;
}

static void a_target_comes_apart_into_segments_and_parameters(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(parts(f, "/"), "");
    assert_string_equal(parts(f, "/healthz"), "/healthz");
    assert_string_equal(parts(f, "/collections/a/points"), "/collections/a/points");
    assert_string_equal(parts(f, "/a?limit=3&x"), "/a?limit=3?x=");
    assert_string_equal(parts(f, "/a?"), "/a");
    assert_string_equal(parts(f, "/?a=1&&b=2&"), "?a=1?b=2");
    assert_string_equal(parts(f, "/a?b=c=d?e"), "/a?b=c=d?e");
}

static void a_slash_at_the_end_is_one_more_segment_and_it_is_empty(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(decode(f, "/healthz/"), HL_OK);
    assert_int_equal(f->target.n_segments, 2);
    assert_int_equal(f->target.segments[1].len, 0);
    assert_int_equal(decode(f, "//"), HL_OK);
    assert_int_equal(f->target.n_segments, 2);
}

static void an_escape_is_data_and_never_structure(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(parts(f, "/a%2Fb/c"), "/a/b/c");
    assert_int_equal(f->target.n_segments, 2);
    assert_string_equal(parts(f, "/a%3Fb?c%26d=e%3Df"), "/a?b?c&d=e=f");
    assert_int_equal(f->target.n_query, 1);
    assert_string_equal(parts(f, "/gr%C3%BC%c3%9f"), "/grüß");
}

static void a_plus_is_a_space_in_a_parameter_and_a_plus_in_a_path(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(parts(f, "/a+b?c+d=e+f%2B"), "/a+b?c d=e f+");
}

static void an_absolute_target_loses_its_authority(void **state)
{
    struct fixture *f = *state;

    assert_string_equal(parts(f, "http://host:6333/a/b?c=d"), "/a/b?c=d");
    assert_string_equal(parts(f, "https://host"), "");
    assert_string_equal(parts(f, "http://host?a=b"), "?a=b");
    assert_string_equal(parts(f, "*"), "");
}

static void what_is_broken_is_refused_with_its_reason(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *says;
    } rows[] = {
        {"/%", 2, "percent sign"},      {"/%4", 3, "percent sign"},
        {"/%zz", 4, "percent sign"},    {"/%4/1", 5, "percent sign"},
        {"/a?b=%4", 7, "percent sign"}, {"/%00", 4, "zero byte"},
        {"/a?%00=1", 8, "zero byte"},   {"/a b", 4, "control character"},
        {"/a\x01", 3, "control"},       {"/a\x7f", 3, "control"},
        {"/a\0b", 4, "control"},        {"/%ff", 4, "UTF-8"},
        {"/%ed%a0%80", 10, "UTF-8"},    {"/a?b=%c0%80", 11, "UTF-8"},
        {"healthz", 7, "with a slash"}, {"", 0, "with a slash"},
        {"?a=b", 4, "with a slash"},    {"**", 2, "with a slash"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(decode_bytes(f, rows[i].text, rows[i].len), HL_WRONG_INPUT);
        assert_non_null(strstr(f->err.msg, rows[i].says));
    }
}

static void depth_and_parameters_have_a_limit_each(void **state)
{
    struct fixture *f = *state;
    char text[256];
    size_t len = 0;

    for (int i = 0; i < HL_MAX_SEGMENTS; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "/a");
    assert_int_equal(decode(f, text), HL_OK);
    snprintf(text + len, sizeof text - len, "/a");
    assert_int_equal(decode(f, text), HL_NOT_FOUND);

    len = (size_t)snprintf(text, sizeof text, "/?a");
    for (int i = 1; i < HL_MAX_QUERY; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "&a");
    assert_int_equal(decode(f, text), HL_OK);
    assert_int_equal(f->target.n_query, HL_MAX_QUERY);
    snprintf(text + len, sizeof text - len, "&a");
    assert_int_equal(decode(f, text), HL_WRONG_INPUT);
}

static void a_parameter_can_be_a_whole_number_or_a_format(void **state)
{
    static const struct {
        const char *target;
        enum hl_code number_code, format_code;
        uint64_t number;
        bool is_wanted;
    } rows[] = {
        {"/a", HL_OK, HL_OK, 0, false},
        {"/a?n=1&format=x", HL_OK, HL_OK, 1, true},
        {"/a?n=18446744073709551615", HL_OK, HL_OK, UINT64_MAX, false},
        {"/a?n=18446744073709551616", HL_MALFORMED, HL_OK, 7, false},
        {"/a?n=0&format=", HL_MALFORMED, HL_MALFORMED, 7, true},
        {"/a?n=-1&format=xy", HL_MALFORMED, HL_MALFORMED, 7, true},
        {"/a?n=&format=X", HL_MALFORMED, HL_MALFORMED, 7, true},
        {"/a?n=1.5", HL_MALFORMED, HL_OK, 7, false},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct hl_request request = {.body = {NULL, 0}};
        uint64_t number = 7;
        bool is_wanted = true;

        assert_int_equal(decode(f, rows[i].target), HL_OK);
        request.target = f->target;
        assert_int_equal(hl_request_number(&request, "n", &number, &f->err),
                         rows[i].number_code);
        assert_true(number == rows[i].number);
        assert_int_equal(hl_request_format(&request, "x", &is_wanted, &f->err),
                         rows[i].format_code);
        assert_int_equal(is_wanted, rows[i].is_wanted);
    }
    assert_int_equal(decode(f, "/a?n=x"), HL_OK);
    assert_int_equal(hl_request_number(&(struct hl_request){.target = f->target}, "n",
                                       &(uint64_t){0}, &f->err),
                     HL_MALFORMED);
    assert_string_equal(f->err.msg, "Format error in query parameters: n is \"x\", a whole "
                                    "number from 1 on was wanted");
}

static void a_type_is_told_from_its_parameters_and_in_any_case(void **state)
{
    static const struct {
        const char *type;
        bool is;
    } rows[] = {{"a/b", true},    {"A/B; charset=utf-8", true},
                {"a/b ;x", true}, {"a/bc", false},
                {"", false},      {"x a/b", false}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct hl_request request = {.content_type = rows[i].type};

        assert_int_equal(hl_request_is_of_type(&request, "a/b"), rows[i].is);
    }
}

static void names_that_callers_give_can_be_those_of_files(void **state)
{
    static const char *const good[] = {"a", "A-b_c.9", "-", "12345678"};
    static const char *const bad[] = {"", ".a", "a b", "a/b", "123456789", "gr\xc3\xbc"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(hl_target_check_name(&(struct hl_span){good[i], strlen(good[i])},
                                              "a thing", 8, &f->err),
                         HL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(hl_target_check_name(&(struct hl_span){bad[i], strlen(bad[i])},
                                              "a thing", 8, &f->err),
                         HL_INVALID);
    (void)hl_target_check_name(&(struct hl_span){".a", 2}, "a thing", 8, &f->err);
    assert_string_equal(f->err.msg, "a thing cannot be named \".a\": 1 to 8 letters, "
                                    "digits, '.', '_' and '-', no dot in front");
}

static void the_length_of_a_body_is_read_strictly(void **state)
{
    static const struct {
        struct hl_head head;
        enum hl_code code;
        size_t len;
    } rows[] = {
        {{.content_length = NULL}, HL_OK, 0},
        {{.content_length = "0", .n_lengths = 1}, HL_OK, 0},
        {{.content_length = "12345", .n_lengths = 1}, HL_OK, 12345},
        {{.is_chunked = true}, HL_OK, SIZE_MAX},
        {{.content_length = "1", .n_lengths = 2}, HL_WRONG_INPUT, 7},
        {{.content_length = "1", .n_lengths = 1, .is_chunked = true}, HL_WRONG_INPUT, 7},
        {{.has_other_coding = true}, HL_WRONG_INPUT, 7},
        {{.content_length = "+1", .n_lengths = 1}, HL_WRONG_INPUT, 7},
        {{.content_length = "1 ", .n_lengths = 1}, HL_WRONG_INPUT, 7},
        {{.content_length = "99999999999999999999", .n_lengths = 1}, HL_TOO_LARGE, 7},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = 7;

        assert_int_equal(hl_head_body_len(&rows[i].head, &len, &f->err), rows[i].code);
        assert_int_equal(len, rows[i].len);
    }
}

static void a_secret_is_taken_from_either_field(void **state)
{
    const struct hl_head both = {.api_key = "a", .authorization = "Bearer b"};
    const struct hl_head bearer = {.authorization = "bearer b"};
    const struct hl_head basic = {.authorization = "Basic b"};

    (void)state;
    assert_string_equal(hl_head_secret(&both), "a");
    assert_string_equal(hl_head_secret(&bearer), "b");
    assert_null(hl_head_secret(&basic));
}

static void an_id_is_sent_back_only_if_it_is_harmless(void **state)
{
    char longest[130] = "";

    (void)state;
    memset(longest, 'a', 128);
    assert_true(hl_head_id_is_sane("client-7 / 3"));
    assert_true(hl_head_id_is_sane(longest));
    longest[128] = 'a';
    assert_false(hl_head_id_is_sane(longest));
    assert_false(hl_head_id_is_sane(""));
    assert_false(hl_head_id_is_sane("a "));
    assert_false(hl_head_id_is_sane("a\tb"));
    assert_false(hl_head_id_is_sane("gr\xc3\xbc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_target_comes_apart_into_segments_and_parameters),
        cmocka_unit_test(a_slash_at_the_end_is_one_more_segment_and_it_is_empty),
        cmocka_unit_test(an_escape_is_data_and_never_structure),
        cmocka_unit_test(a_plus_is_a_space_in_a_parameter_and_a_plus_in_a_path),
        cmocka_unit_test(an_absolute_target_loses_its_authority),
        cmocka_unit_test(what_is_broken_is_refused_with_its_reason),
        cmocka_unit_test(depth_and_parameters_have_a_limit_each),
        cmocka_unit_test(a_parameter_can_be_a_whole_number_or_a_format),
        cmocka_unit_test(a_type_is_told_from_its_parameters_and_in_any_case),
        cmocka_unit_test(names_that_callers_give_can_be_those_of_files),
        cmocka_unit_test(the_length_of_a_body_is_read_strictly),
        cmocka_unit_test(a_secret_is_taken_from_either_field),
        cmocka_unit_test(an_id_is_sent_back_only_if_it_is_harmless),
    };

    return cmocka_run_group_tests_name("target", tests, make_arena, free_arena);
}
