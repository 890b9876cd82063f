/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/params.h"

#include <string.h>

static void parameters_are_read_one_by_one(void **state)
{
    static const struct {
        const char *name, *value;
    } all[] = {{"wait", "true"},          {"timeout", "30"},    {"ordering", "strong"},
               {"consistency", "quorum"}, {"consistency", "2"}, {"anything", "else"},
               {"anything", NULL}};
    struct hl_params params = {0};
    struct hl_err err;

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        assert_int_equal(hl_params_add(&params, all[i].name, all[i].value, &err), HL_OK);
    assert_true(params.waits);
    assert_int_equal(params.timeout_s, 30);
    assert_int_equal(hl_params_add(&params, "wait", "false", &err), HL_OK);
    assert_false(params.waits);
}

static void what_is_no_value_is_refused(void **state)
{
    static const struct {
        const char *name, *value, *sentence;
    } cases[] = {
        {"wait", "yes", "wait: expected true or false, got \"yes\""},
        {"wait", NULL, "wait: expected true or false, got \"\""},
        {"timeout", "0", "timeout: expected seconds, 1 or more, got \"0\""},
        {"timeout", "-1", "timeout: expected seconds, 1 or more, got \"-1\""},
        {"timeout", "1.5", "timeout: expected seconds, 1 or more, got \"1.5\""},
        {"timeout", "", "timeout: expected seconds, 1 or more, got \"\""},
        {"timeout", "99999999999999999999",
         "timeout: expected seconds, 1 or more, got \"99999999999999999999\""},
        {"ordering", "none", "ordering: expected weak, medium or strong, got \"none\""},
        {"consistency", "0",
         "consistency: expected a number, majority, quorum or all, got \"0\""},
    };
    static const char front[] = "Format error in query parameters: ";

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hl_params params = {0};
        struct hl_err err;

        assert_int_equal(hl_params_add(&params, cases[i].name, cases[i].value, &err),
                         HL_MALFORMED);
        assert_memory_equal(err.msg, front, sizeof front - 1);
        assert_string_equal(err.msg + sizeof front - 1, cases[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_read_one_by_one),
        cmocka_unit_test(what_is_no_value_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
