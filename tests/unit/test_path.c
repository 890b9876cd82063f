/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/path.h"

#include "tests/unit/reading.h"

static enum hl_code read_path(const struct hl_field *field, void *out, struct hl_err *err)
{
    return hl_path_read(field, out, err);
}

/* A path in words: names between quotes, <each>, <3>. */
static void spell(const struct hl_path *path, char words[256])
{
    size_t at = 0;

    words[0] = '\0';
    for (size_t i = 0; i < path->n_steps; i++) {
        const struct hl_path_step *step = &path->steps[i];

        if (step->kind == HL_PATH_NAME)
            at += (size_t)snprintf(words + at, 256 - at, "'%.*s'", (int)step->len,
                                   step->name);
        else if (step->kind == HL_PATH_EACH)
            at += (size_t)snprintf(words + at, 256 - at, "<each>");
        else
            at += (size_t)snprintf(words + at, 256 - at, "<%zu>", step->index);
    }
}

static void a_path_is_steps_of_names_and_brackets(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"city", "'city'"},
        {"address.city", "'address''city'"},
        {"a.b[].c", "'a''b'<each>'c'"},
        {"a[]", "'a'<each>"},
        {"a[][]", "'a'<each><each>"},
        {"a[0].b", "'a'<0>'b'"},
        {"a[12]", "'a'<12>"},
        {"\"a.b\".c", "'a.b''c'"},
        {"\"[]\"[].\"x y\"", "'[]'<each>'x y'"},
        {"user:id/7 x", "'user:id/7 x'"},
        {"größe", "'größe'"},
    };
    struct reading *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl_path path;
        char words[256];

        assert_int_equal(
            hl_path_parse(cases[i].text, strlen(cases[i].text), r->arena, &path, &r->err),
            HL_OK);
        spell(&path, words);
        assert_string_equal(words, cases[i].words);
        assert_ptr_equal(path.text, cases[i].text);
    }
}

static void what_is_no_path_is_refused(void **state)
{
    static const char *const cases[] = {
        "",   ".",    "a.", ".a",  "a..b", "[]",     "a[",     "a[x]",  "a[1",
        "a]", "a[]b", "\"", "\"a", "\"\"", "a\"b\"", "\"a\"b", "a[-1]", "a[99999999999]"};
    struct reading *r = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl_path path;

        if (hl_path_parse(cases[i], strlen(cases[i]), r->arena, &path, &r->err) !=
            HL_MALFORMED)
            fail_msg("%s was taken for a path", cases[i]);
    }
}

static void a_path_of_a_body_is_refused_where_it_stands(void **state)
{
    static const struct reading_case cases[] = {
        {"\"a.b\"", 200, NULL},
        {"\"a..b\"", 400, "expected a payload key such as a.b[].c, got \"a..b\""},
        {"7", 400, "expected a string, got 7"},
    };
    struct hl_path path;

    ASSERT_READINGS(*state, cases, read_path, &path);
}

static void a_path_has_a_bounded_number_of_steps(void **state)
{
    struct reading *r = *state;
    char text[3 * HL_PATH_MAX_STEPS] = "a";
    struct hl_path path;

    for (int i = 1; i < HL_PATH_MAX_STEPS; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "[]");
    assert_int_equal(hl_path_parse(text, strlen(text), r->arena, &path, &r->err), HL_OK);
    assert_int_equal(path.n_steps, HL_PATH_MAX_STEPS);
    snprintf(text + strlen(text), sizeof text - strlen(text), "[]");
    assert_int_equal(hl_path_parse(text, strlen(text), r->arena, &path, &r->err),
                     HL_MALFORMED);
}

static bool are_equal(struct reading *r, const char *a, const char *b)
{
    struct hl_path x, y;

    assert_int_equal(hl_path_parse(a, strlen(a), r->arena, &x, &r->err), HL_OK);
    assert_int_equal(hl_path_parse(b, strlen(b), r->arena, &y, &r->err), HL_OK);
    return hl_path_is_equal(&x, &y);
}

static void two_spellings_of_one_place_are_equal(void **state)
{
    assert_true(are_equal(*state, "a.b[0]", "\"a\".\"b\"[00]"));
    assert_false(are_equal(*state, "a.b", "a.c"));
    assert_false(are_equal(*state, "a.b", "a.b[]"));
    assert_false(are_equal(*state, "a[]", "a[0]"));
    assert_false(are_equal(*state, "a[1]", "a[0]"));
    assert_false(are_equal(*state, "ab", "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_path_is_steps_of_names_and_brackets,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(what_is_no_path_is_refused, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(a_path_of_a_body_is_refused_where_it_stands,
                                        start_reading, stop_reading),
        cmocka_unit_test_setup_teardown(a_path_has_a_bounded_number_of_steps, start_reading,
                                        stop_reading),
        cmocka_unit_test_setup_teardown(two_spellings_of_one_place_are_equal, start_reading,
                                        stop_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
