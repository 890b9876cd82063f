/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/multipart.h"

#include <stdlib.h>
#include <string.h>

#define FORM        "multipart/form-data; boundary=xYz"
#define NAMED(name) "Content-Disposition: form-data; name=" name "\r\n"

/* From a copy of exactly its bytes, so that a sanitizer sees a look beyond. */
static enum hl_code find(const char *type, const char *form, size_t len, char got[64],
                         struct hl_err *err)
{
    char *copy = malloc(len + 1);
    struct hl_text body = {copy + 1, len}, found = {0};
    enum hl_code code;

    assert_non_null(copy);
    memcpy(copy + 1, form, len);
    code = hl_multipart_find(type, &body, "snapshot", &found, err);
    if (code == HL_OK && got) {
        assert_true(found.len < 64);
        memcpy(got, found.text, found.len);
        got[found.len] = '\0';
    }
    free(copy);
    return code;
}

static void a_part_is_found_by_its_name(void **state)
{
    static const struct {
        const char *type, *form, *content;
    } cases[] = {
        {FORM, "--xYz\r\n" NAMED("\"snapshot\"") "\r\nabc\r\n--xYz--\r\n", "abc"},
        {FORM, "--xYz\r\n" NAMED("snapshot") "\r\n\r\n--xYz--", ""},
        {FORM, "--xYz\r\n" NAMED("\"snapshot\"") "\r\na\r\n-- xYz\r\n--xYz--",
         "a\r\n-- xYz"},
        {FORM,
         "--xYz\r\n" NAMED("\"other\"") "\r\nno\r\n--xYz\r\n"
                                        "content-type: text/plain\r\n" NAMED(
                                            "\"snapshot\"; filename=\"a\"") "\r\nyes"
                                                                            "\r\n--xYz--",
         "yes"},
        {FORM, "words\r\n--xYz\r\n" NAMED("\"snapshot\"") "\r\nabc\r\n--xYz--", "abc"},
        {"Multipart/Form-Data; charset=x; Boundary=\"xYz\"",
         "--xYz\r\n" NAMED("\"snapshot\"") "\r\nabc\r\n--xYz--", "abc"},
        {FORM,
         "--xYz\r\nContent-Disposition: form-data; filename=\"x\"; name=\"snapshot\""
         "\r\n\r\nabc\r\n--xYz--",
         "abc"},
    };
    struct hl_err err;
    char got[64];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (find(cases[i].type, cases[i].form, strlen(cases[i].form), got, &err) != HL_OK)
            fail_msg("%zu: %s", i, err.msg);
        assert_string_equal(got, cases[i].content);
    }
}

static void what_is_no_form_is_refused(void **state)
{
    static const struct {
        const char *type, *form, *sentence;
    } cases[] = {
        {"application/json", "{}",
         "the content type is \"application/json\", \"multipart/form-data\" with a "
         "boundary "
         "was wanted"},
        {"multipart/form-data; x=y", "",
         "the content type has no boundary of 1 to 70 characters"},
        {"multipart/form-data; boundary=\"xYz", "",
         "the content type has no boundary of 1 to 70 characters"},
        {FORM, "", "the form is not one: its boundary is not in it"},
        {FORM, "--xYz\r\n", "the form is not one: a part does not end"},
        {FORM, "--xYz\r\n" NAMED("\"snapshot\"") "\r\nabc",
         "the form is not one: a part does not end"},
        {FORM, "--xYz--", "the form has no part \"snapshot\""},
        {FORM, "--xYz\r\n" NAMED("\"snap\"") "\r\nabc\r\n--xYz--\r\n",
         "the form has no part \"snapshot\""},
    };
    struct hl_err err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(
            find(cases[i].type, cases[i].form, strlen(cases[i].form), NULL, &err),
            HL_WRONG_INPUT);
        assert_string_equal(err.msg, cases[i].sentence);
    }
}

/* Wherever it is cut, it is refused until its last boundary is there. */
static void a_form_that_was_cut_is_refused(void **state)
{
    static const char form[] =
        "--xYz\r\n" NAMED("\"other\"") "\r\nno\r\n--xYz\r\n" NAMED("\"snapshot\"") "\r\n"
                                                                                   "yes\r\n"
                                                                                   "--xYz";
    struct hl_err err;

    (void)state;
    for (size_t len = 0; len < sizeof form - 1; len++)
        assert_int_equal(find(FORM, form, len, NULL, &err), HL_WRONG_INPUT);
    assert_int_equal(find(FORM, form, sizeof form - 1, NULL, &err), HL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_found_by_its_name),
        cmocka_unit_test(what_is_no_form_is_refused),
        cmocka_unit_test(a_form_that_was_cut_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
