/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/encode.h"
#include "proto/fail.h"
#include "proto/json.h"

#include <stdio.h>
#include <string.h>

struct fixture {
    struct hl_arena *arena;
    struct hl_json *json;
    struct hl_buf buf;
    struct hl_err err;
};

static int start(void **state)
{
    struct fixture *f = hl_alloc_zeroed(1, sizeof *f);

    f->arena = hl_arena_new(8 << 20);
    hl_buf_init(&f->buf, 1 << 20);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;

    hl_failpoint_disarm();
    hl_json_free(f->json);
    hl_buf_done(&f->buf);
    hl_arena_free(f->arena);
    hl_free(f);
    return 0;
}

static enum hl_code decode(struct fixture *f, const char *text)
{
    hl_json_free(f->json);
    f->json = NULL;
    return hl_json_decode(text, strlen(text), f->arena, &f->json, &f->err);
}

static void assert_refused(struct fixture *f, const char *text, enum hl_code code,
                           const char *sentence)
{
    assert_int_equal(decode(f, text), code);
    assert_string_equal(f->err.msg, sentence);
    assert_null(f->json);
}

static const char *printed(struct fixture *f)
{
    f->buf.len = 0;
    hl_json_encode(f->json, &f->buf);
    return f->buf.data;
}

static void what_is_read_is_printed_again(void **state)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "null",
        "-7",
        "\"x\"",
        "{\"a\":[1,2.5,-3,{\"b\":[]},{}],\"c\":{\"d\":\"e\"},\"f\":true,\"g\":null}",
        "[[[]],[[1]],\"\\n\\u0001\"]",
        "[9007199254740992,-9007199254740992,1e20,-0.0]",
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(decode(f, texts[i]), HL_OK);
        assert_string_equal(printed(f), texts[i]);
    }
}

static void what_cjson_would_bend_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "{\"a\":1,\"b\":{\"a\":2},\"\\u0061\":3}", HL_MALFORMED,
                   "Format error in JSON body: a: duplicate field");
    assert_refused(f, "{\"a\":\"x\\u0000y\"}", HL_MALFORMED,
                   "Format error in JSON body: cannot take \\u0000 in a string (byte 5)");
    assert_refused(f, "{\"a\\u0000\":1}", HL_MALFORMED,
                   "Format error in JSON body: cannot take \\u0000 in a string (byte 1)");
    assert_refused(
        f, "[9007199254740993]", HL_INVALID,
        "Validation error in JSON body: [value 9007199254740993 invalid, must be "
        "an integer from -9007199254740992 to 9007199254740992]");
    assert_refused(f, "1e999", HL_INVALID,
                   "Validation error in JSON body: [value 1e999 invalid, must be a finite "
                   "number]");
    assert_int_equal(decode(f, "-99999999999999999999999"), HL_INVALID);
    assert_int_equal(
        decode(f, "0.1111111111111111111111111111111111111111111111111111111111111111"),
        HL_INVALID);
    assert_int_equal(decode(f, "{\"a\":1} x"), HL_MALFORMED);
    assert_int_equal(decode(f, ""), HL_MALFORMED);
    assert_int_equal(decode(f, "[{\"a\":1},{\"a\":1}]"), HL_OK);
    assert_int_equal(decode(f, "[9007199254740992, 9.1e15]"), HL_OK);
}

static void what_is_too_large_for_a_control_body_is_refused(void **state)
{
    enum { LEN = HL_JSON_MAX_BYTES + 1 };
    const size_t many = 2 * (size_t)HL_JSON_MAX_NODES;
    struct fixture *f = *state;
    char *text = hl_alloc(LEN);

    memset(text, ' ', LEN);
    text[0] = '1';
    assert_int_equal(hl_json_decode(text, LEN, f->arena, &f->json, &f->err), HL_TOO_LARGE);
    assert_int_equal(hl_json_decode(text, LEN - 1, f->arena, &f->json, &f->err), HL_OK);
    for (size_t i = 0; i < many + 1; i++)
        text[i] = i % 2 ? '0' : ',';
    text[0] = '[';
    text[many] = ']';
    hl_json_free(f->json);
    f->json = NULL;
    assert_int_equal(hl_json_decode(text, many + 1, f->arena, &f->json, &f->err),
                     HL_TOO_LARGE);
    assert_string_equal(f->err.msg, "body has more than 20000 values");
    memset(text, '[', HL_JSON_MAX_DEPTH + 1);
    assert_int_equal(
        hl_json_decode(text, HL_JSON_MAX_DEPTH + 1, f->arena, &f->json, &f->err),
        HL_MALFORMED);
    assert_non_null(strstr(f->err.msg, "nested too deeply"));
    hl_free(text);
}

static void places_know_their_path(void **state)
{
    struct fixture *f = *state;
    struct hl_json_at root, gates, list, item = {.node = NULL};
    const char *text;
    int64_t whole = 0;
    bool truth = false;
    double real = 0;
    size_t n = 0;

    assert_int_equal(decode(f, "{\"gates\":{\"list\":[1,\"x\",9],\"none\":null,\"s\":\"t\","
                               "\"b\":true,\"r\":0.5}}"),
                     HL_OK);
    root = hl_json_root(f->json);
    assert_int_equal(hl_json_object(&root, &f->err), HL_OK);
    assert_true(hl_json_member(&root, "gates", &gates));
    assert_false(hl_json_member(&gates, "none", &list));
    assert_false(hl_json_member(&gates, "other", &list));
    assert_true(hl_json_member(&gates, "s", &list));
    assert_int_equal(hl_json_string(&list, &text, &f->err), HL_OK);
    assert_string_equal(text, "t");
    assert_int_equal(hl_json_double(&list, &real, &f->err), HL_MALFORMED);
    assert_string_equal(f->err.msg,
                        "Format error in JSON body: gates.s: expected a number, got \"t\"");
    assert_true(hl_json_member(&gates, "b", &list));
    assert_int_equal(hl_json_bool(&list, &truth, &f->err), HL_OK);
    assert_true(truth);
    assert_true(hl_json_member(&gates, "r", &list));
    assert_int_equal(hl_json_double(&list, &real, &f->err), HL_OK);
    assert_true(real == 0.5);
    assert_int_equal(hl_json_i64(&list, 0, 1, &whole, &f->err), HL_MALFORMED);
    assert_true(hl_json_member(&gates, "list", &list));
    assert_int_equal(hl_json_object(&list, &f->err), HL_MALFORMED);
    assert_int_equal(hl_json_array(&list, &n, &f->err), HL_OK);
    assert_int_equal(n, 3);
    assert_true(hl_json_next_item(&list, &item));
    assert_int_equal(hl_json_i64(&item, 0, 5, &whole, &f->err), HL_OK);
    assert_int_equal(whole, 1);
    assert_true(hl_json_next_item(&list, &item));
    assert_int_equal(hl_json_bool(&item, &truth, &f->err), HL_MALFORMED);
    assert_string_equal(
        f->err.msg,
        "Format error in JSON body: gates.list[1]: expected true or false, got \"x\"");
    assert_true(hl_json_next_item(&list, &item));
    assert_int_equal(hl_json_i64(&item, 0, 5, &whole, &f->err), HL_INVALID);
    assert_string_equal(f->err.msg,
                        "Validation error in JSON body: [gates.list[2]: value 9 "
                        "invalid, must be from 0 to 5]");
    assert_false(hl_json_next_item(&list, &item));
}

static void a_tree_is_built_and_printed(void **state)
{
    struct fixture *f = *state;
    void *list, *inner;

    f->json = hl_json_new();
    list = hl_json_add_array(f->json, NULL, "list");
    assert_non_null(hl_json_add_number(f->json, list, NULL, 0.25));
    assert_non_null(hl_json_add_string(f->json, list, NULL, "bad \xFF"));
    inner = hl_json_add_object(f->json, list, NULL);
    assert_non_null(hl_json_add_bool(f->json, inner, "is", false));
    assert_non_null(hl_json_add_number(f->json, NULL, "n", -12));
    assert_string_equal(printed(f),
                        "{\"list\":[0.25,\"bad \xEF\xBF\xBD\",{\"is\":false}],\"n\":-12}");
}

static void every_allocation_may_fail(void **state)
{
    static const char text[] = "{\"a\":[1,2,{\"b\":\"c\"}],\"d\\n\":true}";
    struct fixture *f = *state;
    enum hl_code code = HL_NO_MEMORY;
    char rule[32];
    int n = 0;

    while (code != HL_OK) {
        snprintf(rule, sizeof rule, "alloc=%d:fail", ++n);
        hl_arena_free(f->arena);
        f->arena = hl_arena_new(1 << 20);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        code = decode(f, text);
        hl_failpoint_disarm();
        assert_true(code == HL_OK || code == HL_NO_MEMORY);
    }
    assert_true(n > 8);
}

static bool build(struct fixture *f)
{
    void *list;

    hl_json_free(f->json);
    f->json = hl_json_new();
    list = f->json ? hl_json_add_array(f->json, NULL, "list") : NULL;
    return list && hl_json_add_string(f->json, list, NULL, "x") &&
           hl_json_add_number(f->json, NULL, "n", 1);
}

static void building_may_fail_anywhere_and_leaks_nothing(void **state)
{
    struct fixture *f = *state;
    bool is_built = false;
    char rule[32];
    int n = 0;

    while (!is_built) {
        snprintf(rule, sizeof rule, "alloc=%d:fail", ++n);
        assert_int_equal(hl_failpoint_arm(rule, &f->err), HL_OK);
        is_built = build(f);
        hl_failpoint_disarm();
    }
    assert_string_equal(printed(f), "{\"list\":[\"x\"],\"n\":1}");
    assert_true(n > 5);
}

static void the_library_says_its_version(void **state)
{
    (void)state;
    assert_string_equal(hl_encode_library_version(), hl_json_library_version());
    assert_non_null(strchr(hl_encode_library_version(), '.'));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(what_is_read_is_printed_again),
        CASE(what_cjson_would_bend_is_refused),
        CASE(what_is_too_large_for_a_control_body_is_refused),
        CASE(places_know_their_path),
        CASE(a_tree_is_built_and_printed),
        CASE(every_allocation_may_fail),
        CASE(building_may_fail_anywhere_and_leaks_nothing),
        CASE(the_library_says_its_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
