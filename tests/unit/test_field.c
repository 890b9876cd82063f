/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/alloc.h"
#include "proto/field.h"
#include "proto/floats.h"

#include <float.h>
#include <string.h>

struct fixture {
    struct hl_arena *arena;
    struct hl_tokens tokens;
    struct hl_field root;
    struct hl_err err;
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

    hl_arena_free(f->arena);
    hl_free(f);
    return 0;
}

static const struct hl_field *body(struct fixture *f, const char *text)
{
    hl_tokens_init(&f->tokens, text, strlen(text), f->arena);
    f->root = hl_field_root(&f->tokens);
    return &f->root;
}

static void assert_sentence(const struct fixture *f, enum hl_code code,
                            const char *sentence)
{
    assert_int_equal(f->err.code, code);
    assert_string_equal(f->err.msg, sentence);
}

/* A request as a decoder would read it. */
struct request {
    uint64_t limit;
    double threshold;
    bool exact;
    size_t distance;
    float v2[4];
    size_t n_v2;
    size_t n_unknown;
};

static enum hl_code read_vectors(const struct hl_field *field, struct request *request,
                                 struct hl_err *err)
{
    static const char *const names[] = {"v2"};
    const struct hl_field *member;
    struct hl_object object;
    enum hl_code code = hl_object_begin(field, names, 1, &object, err);

    while (code == HL_OK && (code = hl_object_next(&object, &member, err)) == HL_OK &&
           member) {
        if (object.which == 0)
            code = hl_floats_fill(member, request->v2, 4, &request->n_v2, err);
        else
            code = hl_field_fail_unknown(member, err);
    }
    return code;
}

static enum hl_code read_member(const struct hl_object *object,
                                const struct hl_field *member, struct request *request,
                                struct hl_err *err)
{
    static const char *const distances[] = {"Cosine", "Dot"};

    switch (object->which) {
    case 0:
        return hl_field_u64(member, 1, UINT64_MAX, &request->limit, err);
    case 1:
        return hl_field_double(member, -1, 1, &request->threshold, err);
    case 2:
        return hl_field_bool(member, &request->exact, err);
    case 3:
        return hl_field_enum(member, distances, 2, &request->distance, err);
    case 4:
        return read_vectors(member, request, err);
    default:
        request->n_unknown++;
        return HL_OK; /* not read, hence passed over */
    }
}

static enum hl_code read_request(struct fixture *f, const char *text,
                                 struct request *request)
{
    static const char *const names[] = {"limit", "threshold", "exact", "distance",
                                        "vectors"};
    const struct hl_field *member;
    struct hl_object object;
    enum hl_code code = hl_object_begin(body(f, text), names, 5, &object, &f->err);

    while (code == HL_OK && (code = hl_object_next(&object, &member, &f->err)) == HL_OK &&
           member)
        code = read_member(&object, member, request, &f->err);
    return code == HL_OK ? hl_tokens_finish(&f->tokens, &f->err) : code;
}

static void assert_refused(struct fixture *f, const char *text, enum hl_code code,
                           const char *sentence)
{
    struct request request = {0};

    assert_int_equal(read_request(f, text, &request), code);
    assert_sentence(f, code, sentence);
}

static void a_body_is_read_member_by_member(void **state)
{
    struct fixture *f = *state;
    struct request request = {0};

    assert_int_equal(
        read_request(f,
                     "{\"vectors\":{\"v2\":[1,2]},\"limit\":7,\"threshold\":-0.5,"
                     "\"exact\":true,\"distance\":\"Dot\"}",
                     &request),
        HL_OK);
    assert_int_equal(request.limit, 7);
    assert_true(request.threshold == -0.5);
    assert_true(request.exact);
    assert_int_equal(request.distance, 1);
    assert_int_equal(request.n_v2, 2);
}

static void null_is_absent_and_the_unknown_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct request request = {.limit = 3};

    assert_int_equal(read_request(f,
                                  "{\"limit\":null,\"new\":{\"a\":[1,{\"b\":2}]},\"old\":1,"
                                  "\"exact\":true}",
                                  &request),
                     HL_OK);
    assert_int_equal(request.limit, 3);
    assert_int_equal(request.n_unknown, 2);
    assert_true(request.exact);
}

static void errors_say_where(void **state)
{
    struct fixture *f = *state;

    assert_refused(
        f, "{\"vectors\":{\"v2\":[1,2,3,4,5,\"x\"]}}", HL_MALFORMED,
        "Format error in JSON body: vectors.v2[5]: expected a number, got \"x\"");
    assert_refused(f, "{\"vectors\":{\"v3\":[1]}}", HL_MALFORMED,
                   "Format error in JSON body: vectors.v3: unknown field");
    assert_refused(f, "{\"vectors\":{\"a.b\":[1]}}", HL_MALFORMED,
                   "Format error in JSON body: vectors[\"a.b\"]: unknown field");
    assert_refused(f, "{\"limit\":1,\"limit\":2}", HL_MALFORMED,
                   "Format error in JSON body: limit: duplicate field");
    assert_refused(f, "[]", HL_MALFORMED,
                   "Format error in JSON body: expected an object, got an array");
    assert_refused(f, "{\"exact\":1}", HL_MALFORMED,
                   "Format error in JSON body: exact: expected true or false, got 1");
    assert_refused(f, "{\"limit\":\"7\"}", HL_MALFORMED,
                   "Format error in JSON body: limit: expected a whole number, got \"7\"");
    assert_refused(f, "{\"limit\":7.0}", HL_MALFORMED,
                   "Format error in JSON body: limit: expected a whole number, got 7.0");
    assert_refused(f, "{\"distance\":{}}", HL_MALFORMED,
                   "Format error in JSON body: distance: expected a string, got an object");
    assert_refused(
        f, "{\"limit\":7", HL_MALFORMED,
        "Format error in JSON body: expected \",\" or \"}\", got the end at line 1 "
        "column 11 (byte 10)");
}

static void values_out_of_range_are_invalid(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "{\"limit\":0}", HL_INVALID,
                   "Validation error in JSON body: [limit: value 0 invalid, must be 1 or "
                   "larger]");
    assert_refused(
        f, "{\"limit\":18446744073709551616}", HL_INVALID,
        "Validation error in JSON body: [limit: value 18446744073709551616 invalid, "
        "must be 1 or larger]");
    assert_refused(f, "{\"threshold\":1.5}", HL_INVALID,
                   "Validation error in JSON body: [threshold: value 1.5 invalid, must be "
                   "from -1 to 1]");
    assert_refused(
        f, "{\"distance\":\"L1\"}", HL_INVALID,
        "Validation error in JSON body: [distance: value \"L1\" invalid, must be "
        "one of \"Cosine\", \"Dot\"]");
    assert_refused(
        f, "{\"vectors\":{\"v2\":[1e39]}}", HL_INVALID,
        "Validation error in JSON body: [vectors.v2[0]: value 1e39 invalid, must be "
        "within the range of a 32-bit float]");
}

static void long_names_and_values_are_cut_between_characters(void **state)
{
    struct fixture *f = *state;
    bool value = false;
    char text[128];

    text[0] = '"';
    text[1] = 'x';
    for (size_t i = 2; i < 100; i += 2) {
        text[i] = (char)0xC3;
        text[i + 1] = (char)0xA4;
    }
    text[100] = '"';
    text[101] = '\0';
    assert_int_equal(hl_field_bool(body(f, text), &value, &f->err), HL_MALFORMED);
    assert_non_null(strstr(f->err.msg, "\xC3\xA4...\""));
    assert_null(strstr(f->err.msg, "\xC3..."));
}

static void numbers_have_their_limits(void **state)
{
    struct fixture *f = *state;
    double real = 0;
    int64_t whole = 0;

    assert_int_equal(hl_field_i64(body(f, "-9223372036854775808"), INT64_MIN, INT64_MAX,
                                  &whole, &f->err),
                     HL_OK);
    assert_true(whole == INT64_MIN);
    assert_int_equal(hl_field_i64(body(f, "-6"), -5, 5, &whole, &f->err), HL_INVALID);
    assert_sentence(
        f, HL_INVALID,
        "Validation error in JSON body: [value -6 invalid, must be from -5 to 5]");
    assert_int_equal(hl_field_double(body(f, "1e999"), -DBL_MAX, DBL_MAX, &real, &f->err),
                     HL_INVALID);
    assert_sentence(f, HL_INVALID,
                    "Validation error in JSON body: [value 1e999 invalid, must "
                    "be a finite number]");
    assert_int_equal(hl_field_double(body(f, "-1"), 0, DBL_MAX, &real, &f->err),
                     HL_INVALID);
    assert_int_equal(hl_field_double(body(f, "11"), -DBL_MAX, 10, &real, &f->err),
                     HL_INVALID);
    assert_int_equal(hl_field_double(body(f, "0.1"), 0, 1, &real, &f->err), HL_OK);
    assert_true(real == 0.1);
}

static void items_come_one_by_one_read_or_not(void **state)
{
    struct fixture *f = *state;
    const struct hl_field *item;
    struct hl_items items;
    const char *text;
    size_t len;

    assert_int_equal(
        hl_items_begin(body(f, "[[1],\"two\",null,{\"k\":[3]},true]"), &items, &f->err),
        HL_OK);
    assert_int_equal(hl_items_next(&items, &item, &f->err), HL_OK);
    assert_int_equal(hl_items_next(&items, &item, &f->err), HL_OK);
    assert_int_equal(item->index, 1);
    assert_int_equal(hl_field_string(item, &text, &len, &f->err), HL_OK);
    assert_memory_equal(text, "two", len);
    assert_int_equal(hl_items_next(&items, &item, &f->err), HL_OK);
    assert_int_equal(hl_items_next(&items, &item, &f->err), HL_OK);
    assert_int_equal(hl_field_span(item, &text, &len, &f->err), HL_OK);
    assert_memory_equal(text, "{\"k\":[3]}", len);
    assert_int_equal(hl_items_next(&items, &item, &f->err), HL_OK);
    assert_int_equal(item->index, 4);
    assert_int_equal(hl_field_string(item, &text, &len, &f->err), HL_MALFORMED);
    assert_sentence(f, HL_MALFORMED,
                    "Format error in JSON body: [4]: expected a string, got true");
    assert_int_equal(hl_items_begin(body(f, "[]"), &items, &f->err), HL_OK);
    assert_int_equal(hl_items_next(&items, &item, &f->err), HL_OK);
    assert_null(item);
    assert_int_equal(hl_tokens_finish(&f->tokens, &f->err), HL_OK);
}

static void a_caller_may_want_nulls_and_names_of_his_own(void **state)
{
    struct fixture *f = *state;
    const struct hl_field *member;
    struct hl_object object;
    enum hl_token_kind kind;

    assert_int_equal(
        hl_object_begin(body(f, "{\"a\":null,\"a\":1}"), NULL, 0, &object, &f->err), HL_OK);
    object.keeps_nulls = true;
    assert_int_equal(hl_object_next(&object, &member, &f->err), HL_OK);
    assert_int_equal(member->name_len, 1);
    assert_int_equal(hl_field_kind(member, &kind, &f->err), HL_OK);
    assert_int_equal(kind, HL_TOKEN_NULL);
    assert_int_equal(hl_object_next(&object, &member, &f->err), HL_OK);
    assert_int_equal(hl_field_skip(member, &f->err), HL_OK);
    assert_int_equal(hl_object_next(&object, &member, &f->err), HL_OK);
    assert_null(member);
}

static void the_deepest_path_still_fits_its_error(void **state)
{
    struct fixture *f = *state;
    struct hl_field steps[HL_TOKEN_MAX_DEPTH];
    struct hl_err err;
    bool value = false;

    steps[0] = *body(f, "1");
    for (size_t i = 1; i < HL_TOKEN_MAX_DEPTH; i++)
        steps[i] = (struct hl_field){
            .parent = &steps[i - 1], .tokens = &f->tokens, .name = "name", .name_len = 4};
    assert_int_equal(hl_field_bool(&steps[HL_TOKEN_MAX_DEPTH - 1], &value, &err),
                     HL_MALFORMED);
    assert_non_null(strstr(err.msg, "JSON body: name.name.name."));
    assert_non_null(strstr(err.msg, ": expected true or false, got 1"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        CASE(a_body_is_read_member_by_member),
        CASE(null_is_absent_and_the_unknown_is_passed_over),
        CASE(errors_say_where),
        CASE(values_out_of_range_are_invalid),
        CASE(long_names_and_values_are_cut_between_characters),
        CASE(numbers_have_their_limits),
        CASE(items_come_one_by_one_read_or_not),
        CASE(a_caller_may_want_nulls_and_names_of_his_own),
        CASE(the_deepest_path_still_fits_its_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
